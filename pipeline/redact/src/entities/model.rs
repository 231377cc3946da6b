//! The model file: words and weights in one block of bytes that is used in place.
//!
//! ```text
//! 8 bytes magic, u32 format version, u32 features version, u64 checksum of all that follows,
//! u32 rows (log2), u32 slots of words (log2), u32 slots of clusters (log2), u32 clusters,
//! 9 × 9 i16 transitions, 9 i16 starts,
//! slots × u32 words, slots × u32 numbers of clusters, clusters × u32 paths, rows × 9 i8 weights, padding
//! ```
//! All numbers are little-endian. The checksum tells damage, not forgery.

use std::borrow::Cow;

use super::clusters::Clusters;
use super::features;
use super::words::Words;

pub(crate) const TAGS: usize = 9;
/// Rows are read as 16 bytes, of which 9 count; so many bytes stand behind the last row.
pub(crate) const LANES: usize = 16;
const MAGIC: &[u8; 8] = b"DSENTITY";
const FORMAT: u32 = 2;
const HEAD: usize = 40;
const TABLES: usize = (TAGS * TAGS + TAGS) * 2;
/// A larger file is none of ours.
const MAX_LOG2: u32 = 24;

/// A model of named entities that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntityModelError {
    /// Not such a file, or cut off.
    #[error("the file is no entity model, or is cut off at {0} bytes")]
    NotAModel(usize),
    /// Written by another version.
    #[error(
        "the entity model has format {format} and features {features}, expected {FORMAT} and {}: train it again",
        features::VERSION
    )]
    Version {
        /// Format version in the file.
        format: u32,
        /// Features version in the file.
        features: u32,
    },
    /// The content does not match its checksum.
    #[error("the entity model is damaged: its checksum does not match")]
    Damaged,
}

/// Weights and words of the tagger for named entities. Cloning a model that was read from memory copies it.
#[derive(Clone)]
pub struct EntityModel {
    pub(crate) words: Words,
    pub(crate) clusters: Clusters,
    weights: Cow<'static, [u8]>,
    shift: u32,
    pub(crate) transitions: [[i32; TAGS]; TAGS],
    pub(crate) starts: [i32; TAGS],
    checksum: u64,
}

impl std::fmt::Debug for EntityModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EntityModel").field("version", &self.version()).finish_non_exhaustive()
    }
}

impl EntityModel {
    /// The model that ships with the crate.
    ///
    /// # Errors
    /// Never, unless the build was tampered with: the file is part of the program.
    pub fn shipped() -> Result<Self, EntityModelError> {
        Self::read(Cow::Borrowed(include_bytes!("../../model/entities.dse")))
    }

    /// Reads a model file that `deskstream train entities` has written.
    ///
    /// # Errors
    /// If it is no such file, of another version, or damaged.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, EntityModelError> {
        Self::read(Cow::Owned(bytes))
    }

    /// Tells models apart; part of what is recorded with a redacted ticket.
    #[must_use]
    pub fn version(&self) -> String {
        format!("entities-{:08x}", self.checksum >> 32)
    }

    #[allow(clippy::needless_pass_by_value, reason = "what is shipped is borrowed for ever")]
    fn read(bytes: Cow<'static, [u8]>) -> Result<Self, EntityModelError> {
        let cut = || EntityModelError::NotAModel(bytes.len());
        let number = |at: usize| {
            let four = bytes.get(at..at + 4)?.try_into().ok()?;
            Some(u32::from_le_bytes(four))
        };
        if bytes.get(..8) != Some(MAGIC.as_slice()) {
            return Err(cut());
        }
        let (format, features) = (number(8).ok_or_else(cut)?, number(12).ok_or_else(cut)?);
        if format != FORMAT || features != features::VERSION {
            return Err(EntityModelError::Version { format, features });
        }
        let low = u64::from(number(16).ok_or_else(cut)?);
        let checksum = low | u64::from(number(20).ok_or_else(cut)?) << 32;
        let (rows, slots) = (number(24).ok_or_else(cut)?, number(28).ok_or_else(cut)?);
        let (cluster_slots, paths) = (number(32).ok_or_else(cut)?, number(36).ok_or_else(cut)?);
        let slots_fit = |slots: &u32| (5..=MAX_LOG2).contains(slots);
        if !(1..=MAX_LOG2).contains(&rows)
            || ![slots, cluster_slots].iter().all(slots_fit)
            || paths >> MAX_LOG2 > 0
        {
            return Err(cut());
        }
        let words_at = HEAD + TABLES;
        let clusters_at = words_at + (4 << slots);
        let paths_at = clusters_at + (4 << cluster_slots);
        let weights_at = paths_at + 4 * paths as usize;
        if bytes.len() != weights_at + (TAGS << rows) + LANES {
            return Err(cut());
        }
        if checksum_of(&bytes[24..]) != checksum {
            return Err(EntityModelError::Damaged);
        }
        let score = |i: usize| i32::from(i16::from_le_bytes([bytes[HEAD + i * 2], bytes[HEAD + i * 2 + 1]]));
        let mut transitions = [[0; TAGS]; TAGS];
        for (i, row) in transitions.iter_mut().enumerate() {
            for (j, cell) in row.iter_mut().enumerate() {
                *cell = score(i * TAGS + j);
            }
        }
        let starts = std::array::from_fn(|j| score(TAGS * TAGS + j));
        let part = |from: usize, to: usize| match &bytes {
            Cow::Borrowed(all) => Cow::Borrowed(&all[from..to]),
            Cow::Owned(all) => Cow::Owned(all[from..to].to_vec()),
        };
        let words = Words::new(part(words_at, clusters_at)).ok_or_else(cut)?;
        let clusters =
            Clusters::new(part(clusters_at, paths_at), &bytes[paths_at..weights_at]).ok_or_else(cut)?;
        let weights = part(weights_at, bytes.len());
        Ok(Self { words, clusters, weights, shift: 32 - rows, transitions, starts, checksum })
    }

    /// The summed weights of all tags for one token.
    #[inline]
    pub(crate) fn scores(&self, features: &[u32; features::COUNT]) -> [i32; TAGS] {
        let mut sums = [0_i16; LANES];
        for &feature in features {
            let at = (feature >> self.shift) as usize * TAGS;
            if let Some(row) = self.weights.get(at..at + LANES) {
                for (sum, &weight) in sums.iter_mut().zip(row) {
                    *sum += i16::from(weight.cast_signed());
                }
            }
        }
        std::array::from_fn(|tag| i32::from(sums[tag]))
    }

    /// The bytes of a model file.
    #[cfg(feature = "train")]
    pub(crate) fn write(
        words: &Words,
        clusters: &Clusters,
        rows: u32,
        weights: &[i8],
        transitions: &[[i16; TAGS]; TAGS],
        starts: &[i16; TAGS],
    ) -> Vec<u8> {
        let slots = |table: &[u8]| (table.len() / 4).trailing_zeros();
        let (numbers, paths) = clusters.bytes();
        let mut body = Vec::new();
        for number in [rows, slots(words.bytes()), slots(numbers), (paths.len() / 4) as u32] {
            body.extend(number.to_le_bytes());
        }
        body.extend(transitions.iter().flatten().chain(starts).flat_map(|score| score.to_le_bytes()));
        body.extend(words.bytes());
        body.extend(numbers);
        body.extend(paths);
        body.extend(weights.iter().map(|weight| weight.cast_unsigned()));
        body.extend([0; LANES]);
        let mut file = MAGIC.to_vec();
        file.extend(FORMAT.to_le_bytes());
        file.extend(features::VERSION.to_le_bytes());
        file.extend(checksum_of(&body).to_le_bytes());
        file.extend(body);
        file
    }
}

/// Eight bytes at a time: it runs at each start, in debug builds too.
fn checksum_of(bytes: &[u8]) -> u64 {
    let mut sum = bytes.len() as u64;
    for chunk in bytes.chunks(8) {
        let mut eight = [0; 8];
        eight[..chunk.len()].copy_from_slice(chunk);
        sum = (sum ^ u64::from_le_bytes(eight)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    }
    sum ^ (sum >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_wrong_with_a_file() {
        let good = include_bytes!("../../model/entities.dse").to_vec();
        let model = EntityModel::from_bytes(good.clone()).unwrap();
        assert_eq!(model.version(), EntityModel::shipped().unwrap().version());
        let bad = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = good.clone();
            change(&mut bytes);
            EntityModel::from_bytes(bytes).unwrap_err()
        };
        assert_eq!(bad(&|b| b.truncate(5)), EntityModelError::NotAModel(5));
        assert!(matches!(bad(&|b| b.truncate(1000)), EntityModelError::NotAModel(1000)));
        assert_eq!(bad(&|b| b[8] = 9), EntityModelError::Version { format: 9, features: features::VERSION });
        for at in [16, 40, 100_000, good.len() - 20] {
            assert_eq!(bad(&|b| b[at] ^= 1), EntityModelError::Damaged, "{at}");
        }
        assert!(matches!(bad(&|b| b[24] = 255), EntityModelError::NotAModel(_)));
    }
}
