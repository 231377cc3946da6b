//! Measures a model on labelled data: what `deskstream eval` prints and `deskstream train` reports.

use std::collections::BTreeMap;

use serde::Serialize;

pub use crate::train::{
    data::{Example, Loaded, Purpose, load},
    label_map::{HeadSpec, LabelMap},
    metrics::{ClassMetrics, Judged, Metrics},
};
use crate::{
    classifier::{Classifier, Scratch},
    model::HeadModel,
    train::{card, chart},
};

/// One head, overall and by data set.
#[derive(Debug, Clone, Serialize)]
pub struct HeadReport {
    /// Which head.
    pub head: String,
    /// On all labelled texts.
    pub overall: Metrics,
    /// On each set that labels this head.
    pub by_source: BTreeMap<String, Metrics>,
    /// In each language with at least 30 labelled texts, if there are several.
    pub by_language: BTreeMap<String, Metrics>,
}

/// A model on a set of texts.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Version of the model.
    pub model: String,
    /// Texts read.
    pub texts: usize,
    /// The heads that have a labelled text.
    pub heads: Vec<HeadReport>,
}

impl Report {
    /// Charts of every head, as file name and SVG.
    #[must_use]
    pub fn charts(&self) -> Vec<(String, String)> {
        let charts = |h: &HeadReport| {
            let (head, m) = (&h.head, &h.overall);
            let name = |kind: &str| format!("{kind}-{}.svg", crate::train::file_name(head));
            [
                (name("calibration"), chart::calibration(&format!("{head}: calibration"), m)),
                (
                    name("confusion"),
                    chart::confusion(&format!("{head}: right by row, predicted by column"), m),
                ),
            ]
        };
        self.heads.iter().flat_map(charts).collect()
    }

    /// The report for people, in Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        card::measured(self)
    }
}

/// Fewer texts than this say nothing about a language.
const MIN_PER_LANGUAGE: usize = 30;

/// Judges every example; `progress` is called once for each.
#[must_use]
pub fn evaluate<'e>(
    classifier: &Classifier,
    examples: impl Iterator<Item = &'e Example>,
    map: &LabelMap,
    progress: impl FnMut(),
) -> Report {
    let thresholds: Vec<f32> = classifier.model().heads().iter().map(|h| h.abstain_below).collect();
    evaluate_with(classifier, examples, map, &thresholds, progress, |_, _, _| None)
}

/// As [`evaluate`], where `second` may answer in place of a fast head. It is given the head, the number of the example and
/// the fast head's probabilities. `thresholds` are the confidences below which each head abstains.
#[must_use]
pub fn evaluate_with<'e>(
    classifier: &Classifier,
    examples: impl Iterator<Item = &'e Example>,
    map: &LabelMap,
    thresholds: &[f32],
    mut progress: impl FnMut(),
    mut second: impl FnMut(usize, usize, &[f32]) -> Option<Vec<f32>>,
) -> Report {
    let mut scratch = Scratch::default();
    let heads = classifier.model().heads();
    let mut judged: Vec<Vec<(Judged, &str, &str)>> = vec![Vec::new(); heads.len()];
    let mut texts = 0;
    for e in examples {
        texts += 1;
        progress();
        classifier.score(&e.subject, &e.body, &mut scratch);
        for (head, judged) in judged.iter_mut().enumerate() {
            let gold = &e.gold[head];
            if !gold.is_empty() {
                let fast = classifier.probabilities(head, &scratch);
                let probabilities = second(head, texts - 1, fast).unwrap_or_else(|| fast.to_vec());
                judged.push((Judged { gold: gold.clone(), probabilities }, &e.source, &e.lang));
            }
        }
    }
    let heads = heads.iter().zip(thresholds).zip(map.heads()).zip(&judged).filter(|(_, j)| !j.is_empty());
    let report = |(((head, threshold), spec), judged): (((&HeadModel, &f32), &HeadSpec), &Vec<_>)| {
        head_report(head, *threshold, spec.ordered, judged)
    };
    let heads = heads.map(report).collect();
    Report { model: classifier.model().version().to_owned(), texts, heads }
}

fn head_report(
    head: &HeadModel,
    threshold: f32,
    ordered: bool,
    judged: &[(Judged, &str, &str)],
) -> HeadReport {
    let labels: Vec<String> = head.labels.iter().map(|l| l.to_string()).collect();
    let measure = |items: &[Judged]| Metrics::measure(items, &labels, ordered, threshold);
    let grouped = |key: fn(&(Judged, &str, &str)) -> String, least: usize| {
        let mut groups: BTreeMap<String, Vec<Judged>> = BTreeMap::new();
        for item in judged {
            groups.entry(key(item)).or_default().push(item.0.clone());
        }
        groups.retain(|name, items| !name.is_empty() && items.len() >= least);
        groups.iter().map(|(name, items)| (name.clone(), measure(items))).collect::<BTreeMap<_, _>>()
    };
    let mut by_language = grouped(|item| item.2.to_owned(), MIN_PER_LANGUAGE);
    if by_language.len() < 2 {
        by_language.clear();
    }
    let all: Vec<Judged> = judged.iter().map(|item| item.0.clone()).collect();
    let head = head.name.to_string();
    HeadReport { head, overall: measure(&all), by_source: grouped(|item| item.1.to_owned(), 1), by_language }
}
