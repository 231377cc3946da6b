//! From the collection of samples to records of the topic `quality`.

use super::dataflow::{Codecs, out_record};
use super::samples::{QualityKey, Verdicts};
use crate::enrich::OutRecord;
use crate::quality::Matrix;
use crate::source::Epochs;
use deskstream_schemas::{ClassQuality, Confusion, Quality, Text, Topic};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator;

type Counted = ((QualityKey, Verdicts), u64, isize);

/// `EmitQuality`: publishes what has changed since the start. What was restored lies at epoch 0, and is published already.
pub(super) fn emit(
    counted: StreamVec<'_, u64, Counted>,
    epochs: Epochs,
    codecs: Arc<Codecs>,
) -> StreamVec<'_, u64, OutRecord> {
    counted.unary_frontier::<CapacityContainerBuilder<Vec<OutRecord>>, _, _, _>(
        Pipeline,
        "EmitQuality",
        move |capability, _info| {
            drop(capability);
            let mut stash = BTreeMap::new();
            let mut windows: HashMap<QualityKey, (Verdicts, i64), ahash::RandomState> = HashMap::default();
            move |(input, frontier), output| {
                input.for_each(|capability, updates| {
                    let Some(capability) = capability.retain_least(0) else { return };
                    for update in updates.drain(..) {
                        let epoch = update.1;
                        let held = || (capability.delayed(&epoch), Vec::new());
                        stash.entry(epoch).or_insert_with(held).1.push(update);
                    }
                });
                while let Some(first) = stash.first_entry() {
                    if frontier.frontier().less_equal(first.key()) {
                        break;
                    }
                    let (epoch, (capability, updates)) = first.remove_entry();
                    let mut touched = BTreeSet::new();
                    for ((key, verdicts), _, count) in updates {
                        let window = windows.entry(key.clone()).or_default();
                        // A window's new counts come with the removal of its old ones, in any order.
                        if count > 0 {
                            window.0 = verdicts;
                        } else if window.0 == verdicts {
                            window.0 = Verdicts::default();
                        }
                        touched.insert(key);
                    }
                    if epoch == 0 {
                        continue;
                    }
                    let now = epochs.begins(epoch);
                    let mut session = output.session(&capability);
                    for key in touched {
                        let Some((verdicts, version)) = windows.get_mut(&key) else { continue };
                        *version = now.max(*version + 1);
                        let record = record(&key, verdicts, *version);
                        let encoded = codecs.quality.encode(&record);
                        session.give_iterator(out_record(Topic::Quality, record.key(), encoded).into_iter());
                    }
                }
            }
        },
    )
}

/// A window's record.
pub fn record(key: &QualityKey, verdicts: &Verdicts, version: i64) -> Quality {
    let text = |text: &str| Text::Owned(text.to_owned());
    let mut matrix = Matrix::default();
    let (mut answered, mut answered_correct) = (0, 0);
    for (verdict, count) in verdicts.iter() {
        matrix.add(&verdict.human, &verdict.predicted, count);
        if !verdict.abstained {
            answered += count;
            answered_correct += if verdict.human == verdict.predicted { count } else { 0 };
        }
    }
    let classes = matrix.classes();
    let means = matrix.means(&classes);
    let (accuracy, accuracy_in) = matrix.accuracy();
    Quality {
        tenant: key.tenant.to_string(),
        head: Text::Borrowed(key.head.as_str()),
        model: text(&key.model),
        language: text(&key.language),
        size_s: key.size_s,
        window_start: key.start_ms,
        version,
        samples: matrix.samples(),
        correct: matrix.correct(),
        answered,
        answered_correct,
        accuracy,
        accuracy_low: accuracy_in.low,
        accuracy_high: accuracy_in.high,
        macro_precision: means.precision,
        macro_recall: means.recall,
        macro_f1: means.f1,
        macro_f1_low: means.f1_in.low,
        macro_f1_high: means.f1_in.high,
        classes: classes
            .iter()
            .map(|class| ClassQuality {
                label: text(class.label),
                support: class.support,
                predicted: class.predicted,
                true_positives: class.true_positives,
                precision: class.precision,
                precision_low: class.precision_in.low,
                precision_high: class.precision_in.high,
                recall: class.recall,
                recall_low: class.recall_in.low,
                recall_high: class.recall_in.high,
                f1: class.f1,
                f1_low: class.f1_in.low,
                f1_high: class.f1_in.high,
            })
            .collect(),
        confusion: matrix
            .cells()
            .map(|(human, predicted, count)| Confusion {
                human: text(human),
                predicted: text(predicted),
                count,
            })
            .collect(),
    }
}
