//! Training: labelled text in, model file, metrics and model card out.
//!
//! Read and label → split without leakage → featurise → fit each head → quantise → calibrate and set
//! abstain thresholds on dev → report on test. Everything after fitting runs through the very [`Classifier`]
//! that production uses, on the quantised weights. No clock, no threads, no randomness but the seed: the same
//! files give the same bytes.

pub(crate) mod card;
pub mod cascade;
pub mod chart;
pub mod data;
mod dense;
pub mod fit;
pub mod label_map;
pub mod metrics;
pub mod rng;
pub mod split;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use serde::Serialize;

use crate::{
    classifier::{Classifier, Scratch},
    eval::{Report, evaluate},
    features::{FeatureParams, Features, window},
    model::{HeadModel, Model, ModelError, ModelHeader},
};
use data::{Example, Purpose, SeedSet};
use fit::{Hyper, Problem, Rows, Target};
use label_map::{Gold, LabelMap};
use metrics::Judged;
use rng::Rng;
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
            },
            columns: Vec::new(),
            hyper: Hyper { learning_rate: 0.2, l2: 1e-5, epochs: 40, balance: 0.5 },
            refit: false,
            part: 10,
            command: String::new(),
        }
    }

    /// The settings for a taxonomy of one's own, given by columns of the data.
    #[must_use]
    pub fn of_columns(data: Vec<PathBuf>, columns: Vec<String>, seed: u64) -> Self {
        let base = Self::new(data, seed);
        // a quick step suits many labels with few texts each: 0.2 is half a point worse on banking77
        let hyper = Hyper { learning_rate: 0.5, ..base.hyper };
        Config { columns, seed_set: None, name: "taxonomy".into(), hyper, refit: true, ..base }
    }

    /// The label map that these settings ask for.
    fn map(&self) -> Result<LabelMap, TrainError> {
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
    /// Temperature, abstain threshold and epoch taken, by head.
    pub calibration: Vec<(String, f32, f32, usize)>,
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
    let (header, table, epochs) = fit_heads(config, &map, &corpus, &examples, None, progress)?;

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
            .zip(&epochs)
            .map(|(h, &epoch)| (h.name.to_string(), h.temperature, h.abstain_below, epoch))
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
            fit_heads(config, &map, &corpus, &examples, Some(&epochs), &mut |_| ())?;
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

/// Featurised texts: all examples, then wrapped copies of the training ones.
struct Corpus {
    rows: Rows,
    /// Text and the example it comes from.
    train: Vec<(usize, usize)>,
    dev: Vec<(usize, usize)>,
}

impl Corpus {
    fn new(config: &Config, examples: &[Example], split: &Split, seeds: Option<&SeedSet>) -> Self {
        let mut rows = Rows::default();
        let mut features = Features::default();
        let mut texts = 0;
        let mut add = |e: &Example| {
            let max = config.features.max_bytes as usize;
            features.clear();
            for part in [window(&e.subject, max).0, window(&e.body, max).1, window(&e.body, max).0] {
                features.add(part, &config.features);
            }
            let mut all = features.words.clone();
            features.spelled.iter().for_each(|word| features.parts_of(*word, &config.features, &mut all));
            rows.push(all.into_iter());
            texts += 1;
            texts - 1
        };
        let mut rng = Rng::new(config.seed ^ 0x3A9);
        let mut alike: BTreeMap<(&str, &str, &Gold), Vec<usize>> = BTreeMap::new();
        for &i in &split.train {
            let e = &examples[i];
            alike.entry((&e.source, &e.lang, &e.gold)).or_default().push(i);
        }
        let mut train: Vec<(usize, usize)> = Vec::new();
        for &i in &split.train {
            let e = &examples[i];
            train.push((add(e), i));
            // Tickets are longer than the sentences of public sets: every third text is seen once more between a
            // greeting and a closing, every third together with another of its set and labels.
            match rng.below(3) {
                0 => {
                    if let Some(wrapped) = seeds.and_then(|s| s.wrapped(e, &mut rng)) {
                        train.push((add(&wrapped), i));
                    }
                }
                1 => {
                    let others = &alike[&(e.source.as_str(), e.lang.as_str(), &e.gold)];
                    let other = &examples[others[rng.below(others.len())]];
                    let body = format!("{}\n{} {}", e.body, other.subject, other.body);
                    train.push((add(&Example { body, ..e.clone() }), i));
                }
                _ => {}
            }
        }
        let dev = split.dev.iter().map(|&i| (add(&examples[i]), i)).collect();
        Corpus { rows, train, dev }
    }
}

fn fit_heads(
    config: &Config,
    map: &LabelMap,
    corpus: &Corpus,
    examples: &[Example],
    epochs_wanted: Option<&[usize]>,
    progress: &mut dyn FnMut(Step),
) -> Result<(ModelHeader, Vec<i8>, Vec<usize>), TrainError> {
    let labels: usize = map.heads().iter().map(|h| h.labels.len()).sum();
    let width = labels.next_multiple_of(8);
    let mut table = vec![0i8; config.features.rows() * width];
    let (mut heads, mut epochs, mut column) = (Vec::new(), Vec::new(), 0);
    for (index, spec) in map.heads().iter().enumerate() {
        let head = &spec.name;
        let mut hyper = Hyper { balance: spec.balance.unwrap_or(config.hyper.balance), ..config.hyper };
        if let Some(epochs) = epochs_wanted {
            hyper.epochs = epochs[index];
        }
        let classes = spec.labels.len();
        let targets = |part: &[(usize, usize)]| -> Vec<Target> {
            let labelled = part.iter().filter_map(|&(text, i)| {
                let class = usize::from(*examples[i].gold[index].first()?);
                Some(Target { text, class, weight: examples[i].weight })
            });
            labelled.collect()
        };
        let (train, dev) = (targets(&corpus.train), targets(&corpus.dev));
        let found = train.iter().map(|t| t.class).collect::<std::collections::BTreeSet<_>>().len();
        if found < 2 {
            return Err(TrainError::TooFewLabels { head: head.clone(), labels: found });
        }
        let seed = config.seed ^ (index as u64 + 1);
        let problem = Problem {
            rows: &corpus.rows,
            table_rows: config.features.rows(),
            classes,
            train: &train,
            dev: &dev,
        };
        let fitted = fit::fit(problem, hyper, seed, |epoch, f1| {
            progress(Step::Epoch { head: head.clone(), epoch, of: hyper.epochs, dev_macro_f1: f1 });
        });
        let (quantised, scales) = fit::quantise(&fitted.weights, classes);
        for (row, weights) in table.chunks_exact_mut(width).zip(quantised.chunks_exact(classes)) {
            row[column..column + classes].copy_from_slice(weights);
        }
        let fallback = spec.labels.iter().position(|l| *l == spec.fallback).unwrap_or(0);
        heads.push(HeadModel {
            name: Arc::from(head.as_str()),
            labels: spec.labels.iter().map(|l| Arc::from(l.as_str())).collect(),
            fallback: fallback as u16,
            column: column as u16,
            scales,
            biases: fitted.biases,
            temperature: 1.0,
            abstain_below: 0.0,
        });
        epochs.push(fitted.epoch);
        column += classes;
    }
    let mut trained_on: Vec<String> = examples.iter().map(|e| e.source.clone()).collect();
    trained_on.sort();
    trained_on.dedup();
    let header = ModelHeader {
        name: config.name.clone(),
        features: config.features.clone(),
        row_width: width as u16,
        heads,
        seed: config.seed,
        trained_on,
    };
    Ok((header, table, epochs))
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
