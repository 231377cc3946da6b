//! From texts to fitted, quantised heads.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    TrainError,
    config::{Config, Step},
    data::{Example, SeedSet},
    fit::{self, Fitted, Hyper, Problem, Rows, Taken, Target},
    label_map::{Gold, HeadSpec, LabelMap},
    rng::Rng,
    split::Split,
    svm,
};
use crate::{
    features::{Features, window},
    model::{HeadModel, ModelHeader},
};

/// Featurised texts: all examples, then wrapped copies of the training ones.
pub(super) struct Corpus {
    rows: Rows,
    /// Text and the example it comes from.
    train: Vec<(usize, usize)>,
    dev: Vec<(usize, usize)>,
}

impl Corpus {
    pub(super) fn new(config: &Config, examples: &[Example], split: &Split, seeds: Option<&SeedSet>) -> Self {
        let mut rows = Rows::default();
        let mut features = Features::default();
        let mut texts = 0;
        let mut add = |e: &Example| {
            let max = config.features.max_bytes as usize;
            features.clear();
            for part in [window(&e.subject, max).0, window(&e.body, max).1, window(&e.body, max).0] {
                features.add(part, &config.features);
            }
            let mut parts = Vec::with_capacity(features.parts);
            features.spelled.iter().for_each(|word| features.parts_of(*word, &config.features, &mut parts));
            rows.push(features.words.iter().copied(), parts);
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
            if !config.lengthen {
                continue;
            }
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

/// Fits every head. `known` is what dev chose in an earlier fit; without it dev is asked.
pub(super) fn fit_heads(
    config: &Config,
    map: &LabelMap,
    corpus: &Corpus,
    examples: &[Example],
    known: Option<&[Taken]>,
    progress: &mut dyn FnMut(Step),
) -> Result<(ModelHeader, Vec<i8>, Vec<Taken>), TrainError> {
    let labels: usize = map.heads().iter().map(|h| h.labels.len()).sum();
    let width = labels.next_multiple_of(8);
    let mut table = vec![0i8; config.features.rows() * width];
    let (mut heads, mut taken, mut column) = (Vec::new(), Vec::new(), 0);
    for (index, spec) in map.heads().iter().enumerate() {
        let head = &spec.name;
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
            norms: config.features.norms,
            classes,
            train: &train,
            dev: &dev,
        };
        let (fitted, how) = fit_one(config, spec, &problem, known.map(|known| known[index]), seed, progress);
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
        taken.push(how);
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
    Ok((header, table, taken))
}

/// Fits one head as the settings have it.
fn fit_one(
    config: &Config,
    spec: &HeadSpec,
    problem: &Problem<'_>,
    known: Option<Taken>,
    seed: u64,
    progress: &mut dyn FnMut(Step),
) -> (Fitted, Taken) {
    let mut hyper = Hyper { balance: spec.balance.unwrap_or(config.hyper.balance), ..config.hyper };
    let mut tell = |epoch, of, dev_macro_f1| {
        progress(Step::Epoch { head: spec.name.clone(), epoch, of, dev_macro_f1 });
    };
    if config.costs.is_empty() {
        if let Some(Taken::Epoch(epochs)) = known {
            hyper.epochs = epochs;
        }
        let (fitted, epoch) = fit::fit(problem, hyper, seed, |epoch, f1| tell(epoch, hyper.epochs, f1));
        return (fitted, Taken::Epoch(epoch));
    }
    let class_weights = fit::class_weights(problem.train, problem.classes, hyper.balance);
    let costs = match known {
        Some(Taken::Cost(cost)) => vec![cost],
        _ => config.costs.clone(),
    };
    let mut best: Option<(f64, Fitted, f32)> = None;
    for (at, &cost) in costs.iter().enumerate() {
        let fitted = svm::fit(problem, &class_weights, cost, seed);
        let f1 = fit::dev_macro_f1(problem, &fitted);
        tell(at + 1, costs.len(), f1);
        // Of equals the smaller cost, which generalises better.
        if best.as_ref().is_none_or(|(best, ..)| f1 > *best) {
            best = Some((f1, fitted, cost));
        }
    }
    let (_, fitted, cost) = best.expect("there is a cost");
    (fitted, Taken::Cost(cost))
}
