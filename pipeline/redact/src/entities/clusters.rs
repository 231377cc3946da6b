//! Which words are used alike: a tree of word clusters (Brown et al. 1992), learnt by others from unlabelled text.
//!
//! A name that no list holds and that the labelled text lacks mostly stands in a cluster of names, also in small letters.
//! Only words that the model looks at are looked up.

use std::borrow::Cow;

use super::words::Words;

/// A path from the root of the tree: its length in the upper eight bits, its first turn in the lowest.
/// 0 is a word in no cluster.
pub(crate) type Path = u32;

const LENGTH_SHIFT: u32 = 24;

/// The first `length` turns of a path, or the whole path if it has fewer.
#[inline(always)]
pub(crate) const fn prefix(path: Path, length: u32) -> Path {
    if path >> LENGTH_SHIFT <= length {
        path
    } else {
        (path & ((1 << length) - 1)) | (length << LENGTH_SHIFT)
    }
}

/// The table, as it stands in the model file.
#[derive(Clone, Default)]
pub(crate) struct Clusters {
    /// The number of a word's cluster.
    words: Words,
    paths: Vec<Path>,
}

impl Clusters {
    /// `paths` are little-endian numbers.
    pub(crate) fn new(words: Cow<'static, [u8]>, paths: &[u8]) -> Option<Self> {
        let (paths, rest) = paths.as_chunks::<4>();
        let paths = paths.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        rest.is_empty().then_some(())?;
        Some(Self { words: Words::new(words)?, paths })
    }

    /// The path of the word with this [`hash`](super::token::Token::hash).
    #[inline]
    pub(crate) fn get(&self, hash: u32) -> Path {
        match self.words.get(spread(hash)) {
            0 => 0,
            number => self.paths.get(usize::from(number) - 1).copied().unwrap_or_default(),
        }
    }

    #[cfg(feature = "train")]
    pub(crate) fn bytes(&self) -> (&[u8], Vec<u8>) {
        (self.words.bytes(), self.paths.iter().flat_map(|path| path.to_le_bytes()).collect())
    }

    /// Reads lines of a path in `0` and `1`, a tab, and words; nothing if a line is none of that.
    #[cfg(any(test, feature = "train"))]
    pub(crate) fn build(content: &str) -> Option<Self> {
        let (mut entries, mut paths) = (std::collections::BTreeMap::new(), Vec::new());
        for line in content.lines() {
            let (turns, words) = line.split_once('\t')?;
            let known = (1..=LENGTH_SHIFT as usize).contains(&turns.len())
                && turns.bytes().all(|turn| matches!(turn, b'0' | b'1'));
            known.then_some(())?;
            let mut path = (turns.len() as u32) << LENGTH_SHIFT;
            turns.bytes().enumerate().for_each(|(at, turn)| path |= u32::from(turn == b'1') << at);
            paths.push(path);
            // What a slot of the table can hold.
            let number = u16::try_from(paths.len()).ok().filter(|number| *number < 1 << 14)?;
            for word in words.split(' ') {
                let hash = super::token::short(super::words::Hasher::of(word));
                entries.insert(spread(hash), number);
            }
        }
        Some(Self { words: Words::build(&entries), paths })
    }
}

/// The table wants good bits at both ends.
#[inline(always)]
fn spread(hash: u32) -> u64 {
    let h = u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (h ^ (h >> 29)).wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

#[cfg(test)]
mod tests {
    use super::super::token::short;
    use super::super::words::Hasher;
    use super::*;

    #[test]
    fn words_of_a_branch_share_the_beginning_of_their_paths() {
        let clusters = Clusters::build("0110\tanna berta\n0111010\tcäsar\n10\tthe").unwrap();
        let path = |word: &str| clusters.get(short(Hasher::of(word)));
        assert_eq!(path("Anna"), path("BERTA"));
        assert_ne!(path("anna"), path("cäsar"));
        assert_eq!(prefix(path("anna"), 3), prefix(path("Cäsar"), 3));
        assert_ne!(prefix(path("anna"), 4), prefix(path("cäsar"), 4));
        assert_eq!(prefix(path("the"), 12), path("the"));
        assert_eq!(path("dora"), 0);
        assert!(Clusters::build("012\tx").is_none());
        assert!(Clusters::build("no tab").is_none());
    }
}
