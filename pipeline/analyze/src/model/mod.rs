//! The trained model: label sets, one int8 weight table for all heads, calibration.
//!
//! A head's logits for a text with features `f1..fn` are
//! `(scale_c / sqrt(n) * sum_i table[f_i][c] + bias_c) / temperature`, softmax of which is the confidence.
//! The columns of all heads lie side by side in a row of the table, so that one pass over the rows serves all.

mod error;
mod format;
mod memo;
mod table;

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
use table::Table;

/// The questions that analysis asks about a ticket. A model may answer others besides.
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
    /// The question it answers: [`Head::name`] for those of analysis, the name of the label column for others.
    #[serde(rename = "head")]
    pub name: Arc<str>,
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
    /// The heads, in the order of their columns.
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
    table: Table,
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
        let table = Table::new(&bytes[table], usize::from(header.row_width));
        Ok(Model { id, header, version, table })
    }

    /// Reads a model file. It is read, not mapped: the checksum touches every byte in any case, and a mapping
    /// would fault if the file were truncated under a running process.
    ///
    /// # Errors
    /// `Read` if the file can't be read or is larger than any model may be, otherwise as [`Model::from_bytes`].
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        Self::from_bytes(&Self::read(path)?)
    }

    /// The bytes of a model file, which may be none: for who has to know more of them than [`Model::open`] tells.
    ///
    /// # Errors
    /// `Read` if the file can't be read, `TooLarge` if it is larger than any model may be.
    pub fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
        let read = |source| ModelError::Read { path: path.to_owned(), source };
        let size = std::fs::metadata(path).map_err(read)?.len();
        if size > format::MAX_FILE {
            return Err(ModelError::TooLarge { bytes: size, limit: format::MAX_FILE });
        }
        std::fs::read(path).map_err(read)
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

    /// The heads, in the order of their columns.
    #[must_use]
    pub fn heads(&self) -> &[HeadModel] {
        &self.header.heads
    }

    /// Adds the rows of all words' parts to `sums`, remembering what a word adds.
    pub(crate) fn accumulate_parts(&self, features: &Features, memo: &mut Memo, sums: &mut [i32]) {
        memo.belong_to(self.id, self.table.width());
        memo.accumulate(features, &self.header.features, &self.table, sums);
    }

    /// Adds rows to `sums`.
    pub(crate) fn accumulate(&self, rows: &[u32], sums: &mut [i32]) {
        self.table.accumulate(rows, sums);
    }
}
