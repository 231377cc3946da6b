//! Measures a model on labelled data: what `deskstream eval` prints and `deskstream train` reports.

use std::collections::BTreeMap;

use serde::Serialize;

pub use crate::train::{
    data::{Example, Loaded, Purpose, load},
    label_map::LabelMap,
    metrics::{ClassMetrics, Judged, Metrics},
};
use crate::{
    analyzer::{Analyzer, Scratch},
    model::Head,
};

/// One head, overall and by data set.
#[derive(Debug, Clone, Serialize)]
pub struct HeadReport {
    /// Which head.
    pub head: Head,
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

/// Fewer texts than this say nothing about a language.
const MIN_PER_LANGUAGE: usize = 30;

/// Judges every example; `progress` is called once for each.
#[must_use]
pub fn evaluate<'e>(
    analyzer: &Analyzer,
    examples: impl Iterator<Item = &'e Example>,
    map: &LabelMap,
    mut progress: impl FnMut(),
) -> Report {
    let mut scratch = Scratch::default();
    let mut judged: [Vec<(Judged, &str, &str)>; Head::ALL.len()] = Default::default();
    let mut texts = 0;
    for e in examples {
        texts += 1;
        progress();
        analyzer.score(&e.subject, &e.body, &mut scratch);
        for head in Head::ALL {
            let gold = &e.gold[head.index()];
            if !gold.is_empty() {
                let probabilities = analyzer.probabilities(head, &scratch).to_vec();
                judged[head.index()].push((Judged { gold: gold.clone(), probabilities }, &e.source, &e.lang));
            }
        }
    }
    let heads = Head::ALL.into_iter().zip(&judged).filter(|(_, j)| !j.is_empty());
    let heads = heads.map(|(head, judged)| head_report(analyzer, map, head, judged)).collect();
    Report { model: analyzer.version().to_owned(), texts, heads }
}

fn head_report(
    analyzer: &Analyzer,
    map: &LabelMap,
    head: Head,
    judged: &[(Judged, &str, &str)],
) -> HeadReport {
    let labels: Vec<String> = analyzer.labels(head).iter().map(|l| l.to_string()).collect();
    let threshold = analyzer.model().head(head).abstain_below;
    let ordered = map.head(head).ordered;
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
    HeadReport { head, overall: measure(&all), by_source: grouped(|item| item.1.to_owned(), 1), by_language }
}
