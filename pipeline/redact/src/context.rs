//! What the words around a candidate say about it.

use crate::lexicon::{Hit, Word};

/// The text under inspection with its words.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub bytes: &'a [u8],
    pub hits: &'a [Hit],
    /// Sorted, disjoint ranges that no context reaches across: what was found already.
    pub barriers: &'a [(u32, u32)],
}

/// How far before a candidate a context word may stand, in bytes: about half a line of an e-mail.
const BEFORE: usize = 48;
/// How far behind it: "555 0100 (office)".
const AFTER: usize = 12;
/// How far a label may stand: "order number: ", "Rechnungsnummer lautet ".
const LABEL: usize = 24;

impl<'a> Context<'a> {
    fn hits_before(&self, at: usize) -> impl Iterator<Item = &'a Hit> {
        let behind = self.hits.partition_point(|hit| (hit.end as usize) <= at);
        self.hits[..behind].iter().rev()
    }

    /// Whether `word` stands shortly before `at`, with no mask in between.
    pub(crate) fn has_before(&self, at: usize, word: Word) -> bool {
        self.hits_before(at)
            .take_while(|hit| at - hit.end as usize <= BEFORE)
            .any(|hit| hit.word == word && !self.is_blocked(hit.end as usize, at))
    }

    /// Whether `word` stands shortly behind `at`, on the same line.
    pub(crate) fn has_after(&self, at: usize, word: Word) -> bool {
        let from = self.hits.partition_point(|hit| (hit.start as usize) < at);
        self.hits[from..]
            .iter()
            .take_while(|hit| hit.start as usize - at <= AFTER)
            .any(|hit| hit.word == word && !self.is_blocked(at, hit.start as usize))
    }

    /// The word that labels what starts at `at`: the nearest one before it, with nothing but a few filler words
    /// and punctuation in between: `order no: `, `SSN is `. Words of which `skip` is true are passed over.
    pub(crate) fn label(&self, at: usize, skip: impl Fn(Word) -> bool) -> Option<Word> {
        let hit = self.hits_before(at).take_while(|hit| at - hit.end as usize <= LABEL).find(|hit| {
            !skip(hit.word) && !matches!(hit.word, Word::At | Word::Key(_) | Word::Covered | Word::Digit)
        })?;
        let gap = &self.bytes[hit.end as usize..at];
        let ends_sentence =
            gap.windows(2).any(|pair| matches!(pair[0], b'.' | b'!' | b'?') && pair[1] == b' ')
                && !is_abbreviation(gap);
        let lines = gap.iter().filter(|&&b| b == b'\n').count();
        (!ends_sentence
            && lines <= 1
            && !gap.iter().any(u8::is_ascii_digit)
            && !self.is_blocked(hit.end as usize, at))
        .then_some(hit.word)
    }

    /// A mask between two places separates them. What it hides may be longer or shorter than itself, so that
    /// distances across it mean nothing, and redacting twice must not find more than redacting once.
    pub(crate) fn is_blocked(&self, from: usize, to: usize) -> bool {
        let next = self.barriers.partition_point(|&(_, end)| end as usize <= from);
        self.barriers.get(next).is_some_and(|&(start, _)| (start as usize) < to)
            || has_mask(&self.bytes[from..to])
    }
}

/// "no. ", "nr. ", "n. ", "num. ": a full stop that ends no sentence. Directly behind the label ("ref. ", "ID. ") it
/// ends one if more than a short word follows: "… if you need ID. It was paid with 4111 …".
fn is_abbreviation(gap: &[u8]) -> bool {
    const KNOWN: &[&[u8]] =
        &[b"no", b"nr", b"n", b"num", b"nb", b"tel", b"ref", b"art", b"ca", b"bzw", b"acc"];
    let Some(dot) = gap.iter().position(|&b| b == b'.') else { return false };
    let is_letter = |b: &u8| b.is_ascii_alphabetic() || *b >= 0x80;
    let start = gap[..dot].iter().rposition(|b| !is_letter(b)).map_or(0, |at| at + 1);
    let word = &gap[start..dot];
    if word.is_empty() {
        return gap[dot..].split(|b| !is_letter(b)).all(|word| word.len() <= 3);
    }
    KNOWN.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// Whether the bytes hold something like a mask, `[EMAIL]`, or an end of one.
pub(crate) fn has_mask(bytes: &[u8]) -> bool {
    let is_name = |b: u8| b.is_ascii_uppercase() || b == b'_';
    bytes.iter().enumerate().any(|(i, &b)| match b {
        b'[' => bytes.get(i + 1).is_some_and(|&next| is_name(next)),
        b']' => i > 0 && (is_name(bytes[i - 1]) || bytes[i - 1].is_ascii_digit()),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexicon::Lexicon;

    fn with_context<T>(text: &str, check: impl FnOnce(Context<'_>, usize) -> T) -> T {
        let mut hits = Vec::new();
        Lexicon::new(&[]).scan(text, &mut hits);
        let at = text.find("12345").unwrap();
        check(Context { bytes: text.as_bytes(), hits: &hits, barriers: &[] }, at)
    }

    #[test]
    fn the_nearest_label_counts() {
        let label = |text: &str| with_context(text, |context, at| context.label(at, |_| false));
        assert_eq!(label("order number: 12345"), Some(Word::Reference));
        assert_eq!(label("phone for order no. 12345"), Some(Word::Reference));
        assert_eq!(label("order by phone at 12345"), Some(Word::Phone));
        assert_eq!(label("my order is late. Please use 12345"), None);
        assert_eq!(label("if you need ID. It was paid with 12345"), None);
        assert_eq!(label("a credit card or so. It is 12345"), None);
        assert_eq!(label("order ref. 12345"), Some(Word::Reference));
        assert_eq!(label("order, that is no. 12345"), Some(Word::Reference));
        assert_eq!(label("order 77, 12345"), None);
        assert_eq!(label("passport [EMAIL] 12345"), None);
    }

    #[test]
    fn a_mask_separates() {
        let phone = |text: &str| with_context(text, |context, at| context.has_before(at, Word::Phone));
        assert!(phone("phone of the shop in town 12345"));
        assert!(phone("phone [of the shop] 12345"));
        assert!(!phone("phone [EMAIL] 12345"));
        assert!(!phone("phone of the shop that we have all seen together in the town 12345"));
    }
}
