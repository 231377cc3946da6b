//! Training: labelled text in, model file, metrics and model card out.
//!
//! Read and label → split without leakage → featurise → fit each head → quantise → calibrate and set
//! abstain thresholds on dev → report on test. Everything after fitting runs through the very [`Classifier`]
//! that production uses, on the quantised weights. No clock, no threads, no randomness but the seed: the same
//! files give the same bytes.

pub(crate) mod card;
pub mod cascade;
pub mod chart;
mod config;
pub mod data;
mod dense;
pub mod fit;
mod heads;
pub mod label_map;
pub mod metrics;
pub mod rng;
pub mod split;
mod svm;

use std::{collections::BTreeMap, path::PathBuf};

use serde::Serialize;

use crate::{
    classifier::{Classifier, Scratch},
    eval::{Report, evaluate},
    features::FeatureParams,
    model::{Model, ModelError, ModelHeader},
};
pub use config::{Config, Step};
use data::{Example, Purpose, SeedSet};
use fit::Taken;
use heads::{Corpus, fit_heads};
use label_map::LabelMap;
use metrics::Judged;
use split::{Leakage, Split};

/// Why training or evaluation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A file can't be read.
    #[error("reading {path}", path = path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A line is not a labelled text.
    #[error("reading {path} line {line}: {message}", path = path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// The label map is wrong.
    #[error("reading the label map: {0}")]
    LabelMap(String),
    /// The seed set is wrong.
    #[error("reading the seed set: {0}")]
    SeedSet(String),
    /// The paths hold no data.
    #[error("no *.jsonl file in {0:?}")]
    NoData(Vec<PathBuf>),
    /// The licence of a set forbids training weights that ship.
    #[error("{path} belongs to the set {source_name} ({licence}), which the label map marks as eval only: leave it out of --data", path = path.display())]
    EvalOnly {
        /// The file.
        path: PathBuf,
        /// Its set.
        source_name: String,
        /// Its licence.
        licence: String,
    },
    /// A head can't be fitted.
    #[error(
        "head {head} has {labels} labels with examples, it needs at least two: add data, or map more of it in the label map"
    )]
    TooFewLabels {
        /// Which head.
        head: String,
        /// How many labels occur.
        labels: usize,
    },
    /// A column that is to be learnt is not there.
    #[error("no record has a field {0:?}: name a field of the data that holds the label")]
    NoColumn(String),
    /// The settings do not make a valid model.
    #[error("encoding the model")]
    Model(#[from] ModelError),
    /// The report can't be encoded.
    #[error("encoding the metrics")]
    Metrics(#[source] serde_json::Error),
}

/// A head's name as part of a file's name.
pub(crate) fn file_name(head: &str) -> String {
    head.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' }).collect()
}

/// How many texts went where.
#[derive(Debug, Clone, Serialize)]
pub struct DataReport {
    /// Set, and its texts in train, dev and test.
    pub sources: Vec<(String, [usize; 3])>,
    /// Records without any label.
    pub unlabelled: usize,
    /// What the leakage check dropped.
    pub leakage: Leakage,
}

/// All numbers of a training run; `metrics.json`.
#[derive(Debug, Clone, Serialize)]
pub struct TrainReport {
    /// Seed of the run.
    pub seed: u64,
    /// Features.
    pub features: FeatureParams,
    /// Where the texts went.
    pub data: DataReport,
    /// Temperature, abstain threshold and what dev chose, by head.
    pub calibration: Vec<(String, f32, f32, Taken)>,
    /// On the test split.
    pub test: Report,
    /// On the sets that were only measured.
    pub measured: Option<Report>,
}

/// A finished model.
#[derive(Debug)]
pub struct Trained {
    /// The model file.
    pub model: Vec<u8>,
    /// The model that was measured: the same, unless that was fitted once more to all data.
    pub measured: Vec<u8>,
    /// Whether it was.
    pub refitted: bool,
    /// The numbers.
    pub report: TrainReport,
    /// `metrics.json`.
    pub metrics: String,
    /// `model-card.md`.
    pub card: String,
    /// The examples and how they were split, for comparison with other learners.
    pub examples: Vec<Example>,
    /// Indices into `examples`.
    pub split: Split,
}

/// Trains a model.
///
/// # Errors
/// See [`TrainError`].
pub fn train(config: &Config, progress: &mut dyn FnMut(Step)) -> Result<Trained, TrainError> {
    progress(Step::Loading);
    let map = config.map()?;
    let seeds = config.seed_set.as_deref().map(SeedSet::parse).transpose()?;
    let mut loaded = if config.data.is_empty() {
        data::Loaded::default()
    } else {
        data::load(&config.data, &map, Purpose::Train)?
    };
    if let Some(seeds) = &seeds {
        loaded.examples.extend(seeds.examples(&map)?);
    }
    let examples = loaded.examples;
    progress(Step::Splitting);
    let split = split::split(&examples, config.part, config.seed);

    progress(Step::Featurising(examples.len()));
    let corpus = Corpus::new(config, &examples, &split, seeds.as_ref());
    let (header, table, taken) = fit_heads(config, &map, &corpus, &examples, None, progress)?;

    progress(Step::Measuring);
    let header = calibrate(header, &table, &map, &examples, &split)?;
    let model = Model::encode(&header, &table)?;
    let classifier = Classifier::from_model(Model::from_bytes(&model)?);
    let test = evaluate(&classifier, split.test.iter().map(|&i| &examples[i]), &map, || ());
    let measured = if config.measure.is_empty() {
        None
    } else {
        let outside = data::load(&config.measure, &map, Purpose::Eval)?;
        Some(evaluate(&classifier, outside.examples.iter(), &map, || ()))
    };
    let report = TrainReport {
        seed: config.seed,
        features: config.features.clone(),
        data: DataReport {
            sources: count_sources(&examples, &split),
            unlabelled: loaded.unlabelled,
            leakage: split.leakage,
        },
        calibration: header
            .heads
            .iter()
            .zip(&taken)
            .map(|(h, &taken)| (h.name.to_string(), h.temperature, h.abstain_below, taken))
            .collect(),
        test,
        measured,
    };
    let mut metrics = serde_json::to_string_pretty(&report).map_err(TrainError::Metrics)?;
    metrics.push('\n');
    let measured_model = model.clone();
    let (model, classifier) = if config.refit {
        progress(Step::Refitting);
        let all = Split { train: (0..examples.len()).collect(), ..Split::default() };
        let corpus = Corpus::new(config, &examples, &all, seeds.as_ref());
        let (mut refitted, table, _) =
            fit_heads(config, &map, &corpus, &examples, Some(&taken), &mut |_| ())?;
        for (new, measured) in refitted.heads.iter_mut().zip(&header.heads) {
            (new.temperature, new.abstain_below) = (measured.temperature, measured.abstain_below);
        }
        let model = Model::encode(&refitted, &table)?;
        let classifier = Classifier::from_model(Model::from_bytes(&model)?);
        (model, classifier)
    } else {
        (model, classifier)
    };
    let card = card::write(config, &map, &report, classifier.model().version(), model.len());
    let (measured, refitted) = (measured_model, config.refit);
    Ok(Trained { model, measured, refitted, report, metrics, card, examples, split })
}

/// Fits temperatures on dev, then abstain thresholds on the calibrated confidences.
fn calibrate(
    mut header: ModelHeader,
    table: &[i8],
    map: &LabelMap,
    examples: &[Example],
    split: &Split,
) -> Result<ModelHeader, TrainError> {
    let judge = |header: &ModelHeader| -> Result<Vec<Vec<Judged>>, TrainError> {
        let classifier = Classifier::from_model(Model::from_bytes(&Model::encode(header, table)?)?);
        let mut scratch = Scratch::default();
        let mut out = vec![Vec::new(); header.heads.len()];
        for e in split.dev.iter().map(|&i| &examples[i]) {
            classifier.score(&e.subject, &e.body, &mut scratch);
            for (head, out) in out.iter_mut().enumerate() {
                let gold = &e.gold[head];
                if !gold.is_empty() {
                    let probabilities = classifier.probabilities(head, &scratch).to_vec();
                    out.push(Judged { gold: gold.clone(), probabilities });
                }
            }
        }
        Ok(out)
    };
    let judged = judge(&header)?;
    for (head, judged) in header.heads.iter_mut().zip(&judged) {
        head.temperature = metrics::fit_temperature(judged);
    }
    let judged = judge(&header)?;
    for ((head, spec), judged) in header.heads.iter_mut().zip(map.heads()).zip(&judged) {
        head.abstain_below = metrics::fit_threshold(judged, spec.answer_accuracy);
    }
    Ok(header)
}

fn count_sources(examples: &[Example], split: &Split) -> Vec<(String, [usize; 3])> {
    let mut counts = BTreeMap::<String, [usize; 3]>::new();
    for (part, members) in [&split.train, &split.dev, &split.test].into_iter().enumerate() {
        for &i in members {
            counts.entry(examples[i].source.clone()).or_default()[part] += 1;
        }
    }
    counts.into_iter().collect()
}
