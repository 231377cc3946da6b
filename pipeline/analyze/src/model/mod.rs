//! The trained model: label sets, one int8 weight table for all heads, calibration.
//!
//! A head's logits for a text with features `f1..fn` are
//! `(scale_c / sqrt(n) * sum_i table[f_i][c] + bias_c) / temperature`, softmax of which is the confidence.
//! The columns of all heads lie side by side in a row of the table, so that one pass over the rows serves all.

mod error;
mod format;
mod memo;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::{Deserialize, Serialize};

pub use error::ModelError;
pub use format::FORMAT_VERSION;
pub(crate) use memo::Memo;

use crate::features::{FeatureParams, Features};

/// The questions a model answers about a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Head {
    /// What the ticket is about.
    RootCause,
    /// How soon somebody should look at it; labels are in rising order.
    Urgency,
    /// The writer's mood; labels are in rising order.
    Sentiment,
    /// The line of business the ticket comes from.
    Industry,
}

impl Head {
    /// Every head, in the order of [`Head::index`].
    pub const ALL: [Head; 4] = [Head::RootCause, Head::Urgency, Head::Sentiment, Head::Industry];

    /// Position in [`Head::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The name used in data, label maps, model files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Head::RootCause => "root_cause",
            Head::Urgency => "urgency",
            Head::Sentiment => "sentiment",
            Head::Industry => "industry",
        }
    }
}

/// One head of a model file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadModel {
    /// Which question it answers.
    pub head: Head,
    /// Its label set; for urgency and sentiment in rising order.
    pub labels: Vec<Arc<str>>,
    /// The label given, abstained, to a text without any feature.
    pub fallback: u16,
    /// First column in the weight table.
    pub column: u16,
    /// Value of one quantisation step, by label.
    pub scales: Vec<f32>,
    /// Added to the logit, by label.
    pub biases: Vec<f32>,
    /// Divides the logits; fitted on the dev split.
    pub temperature: f32,
    /// A confidence below this is an abstention.
    pub abstain_below: f32,
}

/// Everything of a model but its table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelHeader {
    /// Name given at training; with the checksum it makes [`Model::version`].
    pub name: String,
    /// Featuriser.
    pub features: FeatureParams,
    /// Bytes per row of the table: columns of all heads, padded with zeros to a multiple of 8.
    pub row_width: u16,
    /// The heads, in the order of [`Head::ALL`].
    pub heads: Vec<HeadModel>,
    /// Seed of the training run.
    pub seed: u64,
    /// Names of the training sets, for provenance.
    pub trained_on: Vec<String>,
}

/// A validated model.
#[derive(Debug)]
pub struct Model {
    /// Tells loaded models apart within this process.
    id: u64,
    header: ModelHeader,
    version: String,
    table: Box<[u8]>,
}

impl Model {
    /// Takes a whole model file.
    ///
    /// # Errors
    /// Everything [`ModelError`] names but `Read`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        static LOADED: AtomicU64 = AtomicU64::new(1);
        let (header, version, table) = format::parse(bytes)?;
        let id = LOADED.fetch_add(1, Ordering::Relaxed);
        Ok(Model { id, header, version, table: bytes[table].into() })
    }

    /// Reads a model file. It is read, not mapped: the checksum touches every byte in any case, and a mapping
    /// would fault if the file were truncated under a running process.
    ///
    /// # Errors
    /// `Read` if the file can't be read or is larger than any model may be, otherwise as [`Model::from_bytes`].
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let read = |source| ModelError::Read { path: path.to_owned(), source };
        let size = std::fs::metadata(path).map_err(read)?.len();
        if size > format::MAX_FILE {
            return Err(ModelError::TooLarge { bytes: size, limit: format::MAX_FILE });
        }
        Self::from_bytes(&std::fs::read(path).map_err(read)?)
    }

    /// Encodes a model file.
    ///
    /// # Errors
    /// If header and table do not fit each other: exactly what loading would refuse.
    pub fn encode(header: &ModelHeader, table: &[i8]) -> Result<Vec<u8>, ModelError> {
        let bytes = format::encode(header, table)?;
        format::parse(&bytes)?;
        Ok(bytes)
    }

    /// Everything but the table.
    #[must_use]
    pub fn header(&self) -> &ModelHeader {
        &self.header
    }

    /// Name and the first 12 hex digits of the file's SHA-256.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// One head.
    #[must_use]
    pub fn head(&self, head: Head) -> &HeadModel {
        &self.header.heads[head.index()]
    }

    pub(crate) fn table(&self) -> &[u8] {
        &self.table
    }

    /// Adds the rows of all words' parts to `sums`, remembering what a word adds.
    pub(crate) fn accumulate_parts(&self, features: &Features, memo: &mut Memo, sums: &mut [i32]) {
        let width = usize::from(self.header.row_width);
        memo.belong_to(self.id, width);
        match width {
            8 => self.parts::<8>(features, memo, sums),
            16 => self.parts::<16>(features, memo, sums),
            24 => self.parts::<24>(features, memo, sums),
            32 => self.parts::<32>(features, memo, sums),
            40 => self.parts::<40>(features, memo, sums),
            48 => self.parts::<48>(features, memo, sums),
            64 => self.parts::<64>(features, memo, sums),
            _ => {
                let mut rows = Vec::new();
                features.spelled.iter().for_each(|w| features.parts_of(*w, &self.header.features, &mut rows));
                accumulate_any(self.table(), width, &rows, sums);
            }
        }
    }

    fn parts<const W: usize>(&self, features: &Features, memo: &mut Memo, sums: &mut [i32]) {
        let table = self.table();
        memo.accumulate::<W>(features, &self.header.features, sums, |rows, sums| {
            accumulate::<W>(table, rows, sums);
        });
    }

    /// Adds the table's rows to `sums`, one sum per column.
    pub(crate) fn accumulate(&self, rows: &[u32], sums: &mut [i32]) {
        let width = usize::from(self.header.row_width);
        let table = self.table();
        match width {
            8 => accumulate::<8>(table, rows, sums),
            16 => accumulate::<16>(table, rows, sums),
            24 => accumulate::<24>(table, rows, sums),
            32 => accumulate::<32>(table, rows, sums),
            40 => accumulate::<40>(table, rows, sums),
            48 => accumulate::<48>(table, rows, sums),
            64 => accumulate::<64>(table, rows, sums),
            _ => accumulate_any(table, width, rows, sums),
        }
    }
}

/// Rows summed in 16 bits before they are widened: 256 * 127 = 32,512 still fits an `i16`.
const BLOCK: usize = 256;

fn accumulate<const W: usize>(table: &[u8], rows: &[u32], sums: &mut [i32]) {
    let (table, _) = table.as_chunks::<W>();
    for block in rows.chunks(BLOCK) {
        // Rows lie anywhere in a table larger than a core's cache. A loop that only looks at each lets the processor
        // fetch many at once; the sums below are too long for it to look that far ahead.
        std::hint::black_box(block.iter().fold(0, |seen, &row| seen ^ table[row as usize][0]));
        let mut acc = [0i16; W];
        for &row in block {
            let weights = &table[row as usize];
            for (a, &w) in acc.iter_mut().zip(weights) {
                *a = a.wrapping_add(i16::from(w as i8));
            }
        }
        for (sum, a) in sums.iter_mut().zip(acc) {
            *sum += i32::from(a);
        }
    }
}

fn accumulate_any(table: &[u8], width: usize, rows: &[u32], sums: &mut [i32]) {
    for &row in rows {
        let start = row as usize * width;
        for (sum, &w) in sums.iter_mut().zip(&table[start..start + width]) {
            *sum += i32::from(w as i8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fast_and_plain_sums_agree() {
        let table: Vec<u8> = (0..64 * 24).map(|i| (i * 37 % 251) as u8).collect();
        let rows: Vec<u32> = (0..1000).map(|i| i * 7 % 64).collect();
        let (mut fast, mut plain) = (vec![0; 24], vec![0; 24]);
        let clamped: Vec<u8> = table.iter().map(|&b| (b as i8).max(-127) as u8).collect();
        accumulate::<24>(&clamped, &rows, &mut fast);
        accumulate_any(&clamped, 24, &rows, &mut plain);
        assert_eq!(fast, plain);
    }

    #[test]
    fn a_block_of_extreme_weights_does_not_overflow() {
        let table = vec![127u8; 8];
        let mut sums = vec![0; 8];
        accumulate::<8>(&table, &vec![0; 10_000], &mut sums);
        assert_eq!(sums, vec![1_270_000; 8]);
    }
}
