//! Measures a model on labelled data: what `deskstream eval` prints and `deskstream train` reports.

use std::collections::BTreeMap;

use serde::Serialize;

pub use crate::train::{
    data::{Example, Loaded, Purpose, load},
    label_map::LabelMap,
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
    mut progress: impl FnMut(),
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
                let probabilities = classifier.probabilities(head, &scratch).to_vec();
                judged.push((Judged { gold: gold.clone(), probabilities }, &e.source, &e.lang));
            }
        }
    }
    let heads = heads.iter().zip(map.heads()).zip(&judged).filter(|(_, j)| !j.is_empty());
    let heads = heads.map(|((head, spec), judged)| head_report(head, spec.ordered, judged)).collect();
    Report { model: classifier.model().version().to_owned(), texts, heads }
}

fn head_report(head: &HeadModel, ordered: bool, judged: &[(Judged, &str, &str)]) -> HeadReport {
    let labels: Vec<String> = head.labels.iter().map(|l| l.to_string()).collect();
    let measure = |items: &[Judged]| Metrics::measure(items, &labels, ordered, head.abstain_below);
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
