//! Holds findings against labels: the same arithmetic for our own redactor and for anyone's predictions.
//!
//! Pure: records and predictions come in one by one, a [`Report`] comes out. All offsets are Unicode code points,
//! as labelled sets count; [`in_code_points`] turns byte spans of a [`Redactor`](crate::Redactor) into them.
//!
//! Four measures, since each hides what another shows:
//! - *exact*: a prediction counts if both ends and the type are right.
//! - *overlap*: a label is found if a prediction of an accepted type touches it; a prediction is right if it
//!   touches such a label. Recall counts labels, precision counts predictions.
//! - *any type*: the same, if a mask of the wrong type is as good: what is hidden is hidden.
//! - *characters*: what would be masked against what should be, without regard to type. This is what a redactor
//!   is for.
//!
//! Neutral and unknown types (see [`TypeMap`]) count in none of them: predictions that touch only such labels are
//! left out, and so are their characters.

mod report;
mod types;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use report::{Confusion, Mistake, Overall, Ratios, Report, Scores, TypeReport};
pub use types::{SHIPPED_TYPE_MAP, TypeMap};

use crate::finding::Span;
use report::Counts;
use types::{Meaning, Types};

/// One labelled text, a line of a labelled set. Other fields are ignored.
#[derive(Clone, Deserialize)]
pub struct Record {
    /// What the record is called in a list of mistakes, and how predictions find it.
    #[serde(default)]
    pub id: String,
    /// The text.
    pub text: String,
    /// What stands in it.
    #[serde(default)]
    pub spans: Vec<Label>,
}

impl std::fmt::Debug for Record {
    /// Leaves the text out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record").field("id", &self.id).field("spans", &self.spans).finish_non_exhaustive()
    }
}

/// A stretch of text and its type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Code points before it.
    pub start: usize,
    /// Code points before its end.
    pub end: usize,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: String,
}

/// What was found in a record, a line of a file of predictions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Prediction {
    /// The record's.
    pub id: String,
    /// What was found, in code points.
    pub spans: Vec<Label>,
}

/// A record or a prediction that can't be counted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// A span that doesn't lie in its text.
    #[error(
        "{whose} span {start}..{end} of record `{id}` doesn't lie in its text of {length} code points: offsets must be code points, not bytes"
    )]
    Outside {
        /// `labelled` or `predicted`.
        whose: &'static str,
        /// Of the record.
        id: String,
        /// Of the span.
        start: usize,
        /// Of the span.
        end: usize,
        /// Of the text.
        length: usize,
    },
}

/// Findings of our own redactor as labels; one pass over the text. Spans are sorted and disjoint.
#[must_use]
pub fn in_code_points(text: &str, spans: &[Span]) -> Vec<Label> {
    let (mut at, mut count) = (0, 0);
    let mut advance = |to: u32| {
        let to = to as usize;
        count += text.get(at..to).map_or(0, |part| part.chars().count());
        at = to;
        count
    };
    spans
        .iter()
        .map(|span| Label {
            start: advance(span.start),
            end: advance(span.end),
            kind: span.kind.as_str().to_owned(),
        })
        .collect()
}

#[derive(Clone, Copy)]
struct Marked {
    start: usize,
    end: usize,
    /// `None` if it does not count.
    kind: Option<usize>,
}

impl Marked {
    fn overlap(self, other: Self) -> usize {
        self.end.min(other.end).saturating_sub(self.start.max(other.start))
    }
}

/// Counts records against predictions.
pub struct Evaluation {
    types: Types,
    by_type: Vec<Counts>,
    total: Counts,
    any_type: Counts,
    characters: Counts,
    confusion: BTreeMap<(Option<usize>, Option<usize>), u64>,
    unknown: BTreeMap<String, u64>,
    mistakes: Vec<Mistake>,
    max_mistakes: usize,
    records: u64,
    false_marks: u64,
    clean: u64,
    clean_marked: u64,
    /// One flag set a code point, used again from record to record.
    flags: Vec<u8>,
}

const LABELLED: u8 = 1;
const PREDICTED: u8 = 2;
const NEUTRAL: u8 = 4;

impl Evaluation {
    /// An evaluation that keeps at most `max_mistakes` mistakes one by one.
    #[must_use]
    pub fn new(map: &TypeMap, max_mistakes: usize) -> Self {
        let types = Types::new(map);
        Self {
            by_type: vec![Counts::default(); types.len()],
            types,
            total: Counts::default(),
            any_type: Counts::default(),
            characters: Counts::default(),
            confusion: BTreeMap::new(),
            unknown: BTreeMap::new(),
            mistakes: Vec::new(),
            max_mistakes,
            records: 0,
            false_marks: 0,
            clean: 0,
            clean_marked: 0,
            flags: Vec::new(),
        }
    }

    /// Counts one record.
    ///
    /// # Errors
    /// If a span does not lie in the text. Nothing of the record is counted then.
    pub fn add(&mut self, record: &Record, predicted: &[Label]) -> Result<(), EvalError> {
        let length = record.text.chars().count();
        check("labelled", record, &record.spans, length)?;
        check("predicted", record, predicted, length)?;
        self.records += 1;
        let gold = self.marked(&record.spans);
        let marks: Vec<Marked> =
            self.marked(predicted).into_iter().filter(|mark| mark.kind.is_some()).collect();
        self.count_characters(&gold, &marks, length);
        self.count_spans(&record.id, &gold, &marks);
        if record.spans.is_empty() {
            self.clean += 1;
            self.clean_marked += u64::from(!marks.is_empty());
        }
        Ok(())
    }

    fn marked(&mut self, spans: &[Label]) -> Vec<Marked> {
        let marked = spans.iter().map(|label| {
            let kind = match self.types.meaning(&label.kind) {
                Meaning::Type(kind) => Some(kind),
                Meaning::Neutral => None,
                Meaning::Unknown => {
                    *self.unknown.entry(label.kind.clone()).or_default() += 1;
                    None
                }
            };
            Marked { start: label.start, end: label.end, kind }
        });
        let mut marked: Vec<Marked> = marked.collect();
        marked.sort_by_key(|mark| (mark.start, mark.end));
        marked
    }

    fn count_characters(&mut self, gold: &[Marked], marks: &[Marked], length: usize) {
        self.flags.clear();
        self.flags.resize(length, 0);
        let flags = &mut self.flags;
        let mut flag = |mark: &Marked, bit: u8| {
            flags[mark.start..mark.end].iter_mut().for_each(|flags| *flags |= bit);
        };
        gold.iter().for_each(|label| flag(label, if label.kind.is_some() { LABELLED } else { NEUTRAL }));
        marks.iter().for_each(|mark| flag(mark, PREDICTED));
        for &flags in &*self.flags {
            // Where a label that counts and a neutral one overlap, the one that counts does.
            if flags & NEUTRAL != 0 && flags & LABELLED == 0 {
                continue;
            }
            let (labelled, predicted) = (flags & LABELLED != 0, flags & PREDICTED != 0);
            let both = u64::from(labelled && predicted);
            self.characters.labelled += u64::from(labelled);
            self.characters.predicted += u64::from(predicted);
            self.characters.found += both;
            self.characters.right += both;
            self.characters.exact += both;
            self.characters.right_exactly += both;
        }
    }

    fn count_spans(&mut self, id: &str, gold: &[Marked], marks: &[Marked]) {
        let mut note = |expected: Option<usize>, predicted: Option<usize>, at: Marked| {
            *self.confusion.entry((expected, predicted)).or_default() += 1;
            if self.mistakes.len() < self.max_mistakes {
                let name = |kind: usize| self.types.name(kind).to_owned();
                self.mistakes.push(Mistake {
                    id: id.to_owned(),
                    start: at.start,
                    end: at.end,
                    expected: expected.map(name),
                    predicted: predicted.map(name),
                });
            }
        };
        for label in gold {
            let Some(kind) = label.kind else { continue };
            let mut touching = near(marks, *label).peekable();
            let touched = touching.peek().is_some();
            let found =
                near(marks, *label).any(|mark| mark.kind.is_some_and(|k| self.types.accepts(kind, k)));
            let exact = near(marks, *label).any(|mark| {
                (mark.start, mark.end) == (label.start, label.end)
                    && mark.kind.is_some_and(|k| self.types.accepts(kind, k))
            });
            for counts in [&mut self.by_type[kind], &mut self.total] {
                counts.labelled += 1;
                counts.found += u64::from(found);
                counts.exact += u64::from(exact);
            }
            self.any_type.labelled += 1;
            self.any_type.found += u64::from(touched);
            if !found {
                let longest = if touched { touching.max_by_key(|mark| label.overlap(*mark)) } else { None };
                note(Some(kind), longest.and_then(|mark| mark.kind), *label);
            }
        }
        for mark in marks {
            let Some(kind) = mark.kind else { continue };
            let counted = near(gold, *mark).any(|label| label.kind.is_some());
            if !counted && near(gold, *mark).next().is_some() {
                // It touches neutral labels only.
                continue;
            }
            let right =
                near(gold, *mark).any(|label| label.kind.is_some_and(|k| self.types.accepts(k, kind)));
            let exactly = near(gold, *mark).any(|label| {
                (mark.start, mark.end) == (label.start, label.end)
                    && label.kind.is_some_and(|k| self.types.accepts(k, kind))
            });
            for counts in [&mut self.by_type[kind], &mut self.total] {
                counts.predicted += 1;
                counts.right += u64::from(right);
                counts.right_exactly += u64::from(exactly);
            }
            self.any_type.predicted += 1;
            self.any_type.right += u64::from(counted);
            if !counted {
                self.false_marks += 1;
                note(None, Some(kind), *mark);
            }
        }
    }

    /// The figures.
    #[must_use]
    pub fn finish(self) -> Report {
        let name = |kind: Option<usize>| kind.map(|kind| self.types.name(kind).to_owned());
        let mut types: Vec<TypeReport> = self
            .by_type
            .iter()
            .enumerate()
            .filter(|(_, counts)| counts.labelled + counts.predicted > 0)
            .map(|(kind, counts)| TypeReport {
                name: self.types.name(kind).to_owned(),
                scores: counts.scores(),
            })
            .collect();
        types.sort_by(|a, b| b.scores.labelled.cmp(&a.scores.labelled).then_with(|| a.name.cmp(&b.name)));
        let mut confusion: Vec<Confusion> = self
            .confusion
            .iter()
            .map(|(&(expected, predicted), &count)| Confusion {
                expected: name(expected),
                predicted: name(predicted),
                count,
            })
            .collect();
        confusion.sort_by_key(|entry| std::cmp::Reverse(entry.count));
        Report {
            overall: Overall {
                records: self.records,
                spans: self.total.scores(),
                any_type: self.any_type.scores().overlap,
                characters: self.characters.scores().overlap,
                false_marks: self.false_marks,
                clean_records: self.clean,
                clean_records_marked: self.clean_marked,
            },
            types,
            confusion,
            unknown_types: self.unknown,
            mistakes: self.mistakes,
        }
    }
}

/// Those of `spans`, sorted by start, that overlap `with`. A linear look: a record holds few spans.
fn near(spans: &[Marked], with: Marked) -> impl Iterator<Item = Marked> + '_ {
    spans
        .iter()
        .copied()
        .take_while(move |span| span.start < with.end)
        .filter(move |span| span.overlap(with) > 0)
}

fn check(whose: &'static str, record: &Record, spans: &[Label], length: usize) -> Result<(), EvalError> {
    match spans.iter().find(|span| span.start >= span.end || span.end > length) {
        None => Ok(()),
        Some(span) => {
            Err(EvalError::Outside { whose, id: record.id.clone(), start: span.start, end: span.end, length })
        }
    }
}
