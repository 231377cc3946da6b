//! The figures of an evaluation.

use std::collections::BTreeMap;

use serde::Serialize;

/// What was counted. `found` counts labels, `right` counts predictions: one prediction may cover two labels.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) labelled: u64,
    pub(super) predicted: u64,
    pub(super) found: u64,
    pub(super) right: u64,
    pub(super) exact: u64,
    /// Predictions that are right to both ends: not as many as labels where types count as each other.
    pub(super) right_exactly: u64,
}

impl Counts {
    pub(super) fn scores(&self) -> Scores {
        Scores {
            labelled: self.labelled,
            predicted: self.predicted,
            overlap: Ratios::new((self.right, self.predicted), (self.found, self.labelled)),
            exact: Ratios::new((self.right_exactly, self.predicted), (self.exact, self.labelled)),
        }
    }
}

/// Precision, recall and their means.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ratios {
    /// Of what was predicted, the share that is right; 1 if nothing was.
    pub precision: f64,
    /// Of what is labelled, the share that was found; 1 if nothing is.
    pub recall: f64,
    /// The harmonic mean of both.
    pub f1: f64,
    /// The same, with recall twice as important: a leak is worse than a mask too many.
    pub f2: f64,
}

impl Ratios {
    fn new((right, predicted): (u64, u64), (found, labelled): (u64, u64)) -> Self {
        let share = |part: u64, whole: u64| if whole == 0 { 1.0 } else { part as f64 / whole as f64 };
        let (precision, recall) = (share(right, predicted), share(found, labelled));
        let mean = |weight: f64| {
            let below = weight * precision + recall;
            if below > 0.0 { (1.0 + weight) * precision * recall / below } else { 0.0 }
        };
        Self { precision, recall, f1: mean(1.0), f2: mean(4.0) }
    }
}

/// The scores of spans.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// Labels that count.
    pub labelled: u64,
    /// Predictions that count.
    pub predicted: u64,
    /// By overlap.
    pub overlap: Ratios,
    /// By equal ends.
    pub exact: Ratios,
}

/// The scores of one type.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TypeReport {
    /// The type.
    pub name: String,
    /// Its scores.
    #[serde(flatten)]
    pub scores: Scores,
}

/// Scores over all types.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overall {
    /// Texts.
    pub records: u64,
    /// Spans, each as much as any other.
    pub spans: Scores,
    /// Spans by overlap, without regard to type.
    pub any_type: Ratios,
    /// Characters, without regard to type.
    pub characters: Ratios,
    /// Predictions that touch no label.
    pub false_marks: u64,
    /// Texts without a label.
    pub clean_records: u64,
    /// Of these, those with a prediction.
    pub clean_records_marked: u64,
}

/// How often one type was taken for another, missed, or seen where nothing is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// What is labelled; nothing for a false mark.
    pub expected: Option<String>,
    /// What was predicted; nothing for a miss.
    pub predicted: Option<String>,
    /// How often.
    pub count: u64,
}

/// One mistake: where it is, never what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// Of the record.
    pub id: String,
    /// In code points.
    pub start: usize,
    /// In code points.
    pub end: usize,
    /// What is labelled; nothing for a false mark.
    pub expected: Option<String>,
    /// What was predicted; nothing for a miss.
    pub predicted: Option<String>,
}

/// All figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Over all types.
    pub overall: Overall,
    /// By type, the most frequent label first.
    pub types: Vec<TypeReport>,
    /// Mistakes by kind, the most frequent first.
    pub confusion: Vec<Confusion>,
    /// Types that the map doesn't have, and how often they were met; they don't count.
    pub unknown_types: BTreeMap<String, u64>,
    /// Mistakes one by one, as many as were asked for.
    pub mistakes: Vec<Mistake>,
}
