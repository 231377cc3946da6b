//! What is trained and how, and where it is.

use std::path::PathBuf;

use super::{TrainError, data, fit::Hyper, label_map::LabelMap};
use crate::features::{FeatureParams, Norms};

/// What to train.
#[derive(Debug, Clone)]
pub struct Config {
    /// Files and folders of JSON lines.
    pub data: Vec<PathBuf>,
    /// More of them, only measured and reported.
    pub measure: Vec<PathBuf>,
    /// Text of the label map.
    pub label_map: String,
    /// Text of the seed set, if it is to be used.
    pub seed_set: Option<String>,
    /// Seed of split, order and hashing.
    pub seed: u64,
    /// Name of the model, the first part of its version.
    pub name: String,
    /// Featuriser.
    pub features: FeatureParams,
    /// Columns of the data that become the heads, in place of those of the label map: any taxonomy.
    pub columns: Vec<String>,
    /// Optimiser; the label map may set a head's balance.
    pub hyper: Hyper,
    /// If there are any, support vector machines are fitted in place of logistic regression: at the one of these costs that
    /// is best on dev.
    pub costs: Vec<f32>,
    /// Whether texts are also learnt between greeting and closing, and joined to others of their labels: tickets are longer
    /// than the sentences of public sets.
    pub lengthen: bool,
    /// Whether the weights given are fitted once more, to all data, after everything was measured on the held-out parts.
    pub refit: bool,
    /// `1/part` of the data goes into dev, as much into test.
    pub part: usize,
    /// For the model card: the command that was run.
    pub command: String,
}

impl Config {
    /// The settings of the shipped model.
    #[must_use]
    pub fn new(data: Vec<PathBuf>, seed: u64) -> Self {
        Config {
            data,
            measure: Vec::new(),
            label_map: crate::SHIPPED_LABEL_MAP.to_owned(),
            seed_set: Some(crate::SHIPPED_SEED_SET.to_owned()),
            seed,
            name: "tickets".into(),
            features: FeatureParams {
                bits: 17,
                seed: seed ^ 0xDE5C,
                word_bigrams: true,
                // sliding 4-grams are as good (sentiment a hundredth better) and cost a quarter more time
                char_ngrams: vec![],
                affixes: vec![3, 5],
                max_bytes: 4096,
                norms: Norms::default(),
            },
            columns: Vec::new(),
            hyper: Hyper { learning_rate: 0.2, l2: 1e-5, epochs: 40, balance: 0.5 },
            costs: Vec::new(),
            lengthen: true,
            refit: false,
            part: 10,
            command: String::new(),
        }
    }

    /// The settings for a taxonomy of one's own, given by columns of the data.
    #[must_use]
    pub fn of_columns(data: Vec<PathBuf>, columns: Vec<String>, seed: u64) -> Self {
        let base = Self::new(data, seed);
        // For many labels with few texts each, decision 0032: sliding n-grams, which have no more say than the words they are
        // of, and a machine that reaches its optimum.
        let features =
            FeatureParams { char_ngrams: vec![3, 4], affixes: vec![], norms: Norms::ByKind, ..base.features };
        let (costs, lengthen) = (vec![0.5, 1.0, 2.0], false);
        let name = "taxonomy".into();
        Config { columns, seed_set: None, name, features, costs, lengthen, refit: true, ..base }
    }

    /// The label map that these settings ask for.
    pub(super) fn map(&self) -> Result<LabelMap, TrainError> {
        let map = LabelMap::parse(&self.label_map)?;
        if self.columns.is_empty() {
            return Ok(map);
        }
        LabelMap::of_columns(&map, &data::columns(&self.data, &self.columns)?)
    }
}

/// Where training is.
#[derive(Debug, Clone)]
pub enum Step {
    /// Reading and labelling.
    Loading,
    /// Splitting and checking for leakage.
    Splitting,
    /// Turning so many texts into features.
    Featurising(usize),
    /// A head has finished an epoch.
    Epoch {
        /// Which head.
        head: String,
        /// From 1.
        epoch: usize,
        /// At most so many.
        of: usize,
        /// Macro-F1 on dev.
        dev_macro_f1: f64,
    },
    /// Calibrating on dev and measuring on test.
    Measuring,
    /// Fitting once more, to all data.
    Refitting,
}
