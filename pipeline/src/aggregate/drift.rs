//! How far a day's tickets have moved from the days before, by tenant and head.
//!
//! A day is compared with the seven before it, as far as there are any: with what models said of them in the tickets' latest
//! states. Days are kept for as long as they are a reference, and restored from the topic `drift`, since the windows that
//! they come from are closed by then. Everything of a tenant is at one worker.

use super::dataflow::{Clock, Codecs, out_record};
use super::evaluate::route;
use super::facts::Reading;
use super::tally::{Dimension, Head, Tally, WindowKey};
use crate::alerts::Metric;
use crate::enrich::OutRecord;
use crate::quality::{Comparison, compare};
use deskstream_schemas::{Drift, Text, Topic};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

/// Days that a day is compared with.
const REFERENCE_DAYS: i64 = 7;

const DAY_MS: i64 = 86_400_000;

/// A day's tickets as one head sees them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Mix {
    labels: BTreeMap<Text, i64>,
    confidences: BTreeMap<Text, i64>,
}

impl Mix {
    fn tickets(&self) -> i64 {
        self.labels.values().sum()
    }

    fn add(&mut self, other: &Self) {
        for (sum, counts) in [(&mut self.labels, &other.labels), (&mut self.confidences, &other.confidences)]
        {
            for (label, count) in counts {
                *sum.entry(label.clone()).or_default() += count;
            }
        }
    }
}

/// A day of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// The tenant.
    pub tenant: String,
    /// First instant.
    pub start_ms: i64,
    /// Whether nothing can change it any more.
    pub is_final: bool,
    mixes: [Mix; Head::ALL.len()],
}

impl Day {
    /// What a window shows, if it is a day.
    pub fn of(key: &WindowKey, tally: &Tally, is_final: bool) -> Option<Self> {
        if i64::from(key.size_s) * 1000 != DAY_MS {
            return None;
        }
        let mut mixes: [Mix; Head::ALL.len()] = std::array::from_fn(|_| Mix::default());
        for (dimension, count) in tally.iter() {
            let text = |label: &str| Text::Owned(label.to_owned());
            let (head, label) = match dimension {
                Dimension::RootCause(label) => (Head::RootCause, text(label)),
                Dimension::Urgency(label) => (Head::Urgency, text(label)),
                Dimension::Sentiment(label) => (Head::Sentiment, text(label)),
                Dimension::Language(label) => (Head::Language, text(label)),
                Dimension::Confidence(head, tenth) => {
                    mixes[*head as usize].confidences.insert(Text::Owned(tenth.to_string()), count);
                    continue;
                }
                _ => continue,
            };
            mixes[head as usize].labels.insert(label, count);
        }
        Some(Self { tenant: key.tenant.to_string(), start_ms: key.start_ms, is_final, mixes })
    }
}

/// The latest values of a tenant's drift, for alert rules: the head that has moved furthest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moved {
    /// Which of the two.
    pub metric: Metric,
    /// The index.
    pub value: f64,
}

#[derive(Debug, Default)]
struct Held {
    mixes: [Mix; Head::ALL.len()],
    is_final: bool,
    version: i64,
}

/// The days of one worker's tenants.
#[derive(Debug, Default)]
pub struct Days {
    tenants: HashMap<String, BTreeMap<i64, Held>, ahash::RandomState>,
}

impl Days {
    /// With what was published before.
    pub fn restored(records: &[Drift]) -> Self {
        let mut days = Self::default();
        for record in records {
            let Some(head) = Head::ALL.into_iter().find(|head| head.as_str() == record.head) else {
                continue;
            };
            let tenant = days.tenants.entry(record.tenant.clone()).or_default();
            let held = tenant.entry(record.window_start).or_default();
            held.version = held.version.max(record.version);
            held.is_final = record.is_final;
            held.mixes[head as usize] =
                Mix { labels: record.labels.clone(), confidences: record.confidences.clone() };
        }
        days
    }

    /// Takes a day in; gives what is to be published, of it and of the days that are compared with it, and what rules are
    /// told of the tenant's newest day.
    pub fn observe(&mut self, day: Day, now: i64) -> (Vec<Drift>, Vec<Moved>) {
        let Day { tenant, start_ms, is_final, mixes } = day;
        let days = self.tenants.entry(tenant.clone()).or_default();
        let held = days.entry(start_ms).or_default();
        let changed = held.version == 0 || held.is_final != is_final || held.mixes != mixes;
        (held.mixes, held.is_final) = (mixes, is_final);
        let newest = days.last_key_value().map_or(start_ms, |(newest, _)| *newest);
        // Late tickets may still change the day before, and its reference lies before that.
        let oldest = newest - (REFERENCE_DAYS + 2) * DAY_MS;
        days.retain(|start, _| *start >= oldest);
        let mut records = Vec::new();
        if changed {
            let touched: Vec<i64> =
                days.range(start_ms..=start_ms + REFERENCE_DAYS * DAY_MS).map(|(start, _)| *start).collect();
            for start in touched {
                if let Some(held) = days.get_mut(&start) {
                    held.version = now.max(held.version + 1);
                }
                records.extend(measure(&tenant, days, start));
            }
        }
        let moved = moved(&measure(&tenant, days, newest));
        (records, moved)
    }
}

/// A day's records.
fn measure(tenant: &str, days: &BTreeMap<i64, Held>, start_ms: i64) -> Vec<Drift> {
    let Some(held) = days.get(&start_ms) else { return Vec::new() };
    let mut references: [Mix; Head::ALL.len()] = std::array::from_fn(|_| Mix::default());
    let mut reference_start = start_ms;
    for (start, before) in days.range(start_ms - REFERENCE_DAYS * DAY_MS..start_ms) {
        reference_start = reference_start.min(*start);
        references.iter_mut().zip(&before.mixes).for_each(|(sum, mix)| sum.add(mix));
    }
    let heads = Head::ALL.into_iter().zip(held.mixes.iter().zip(&references));
    let records = heads.map(|(head, (mix, reference))| {
        let labels = compare(&mix.labels, &reference.labels);
        let confidences = compare(&mix.confidences, &reference.confidences);
        let (index, noise) = (|c: Comparison| c.index, |c: Comparison| c.noise);
        Drift {
            tenant: tenant.to_owned(),
            head: Text::Borrowed(head.as_str()),
            window_start: start_ms,
            version: held.version,
            is_final: held.is_final,
            tickets: mix.tickets(),
            labels: mix.labels.clone(),
            confidences: mix.confidences.clone(),
            reference_start,
            reference_tickets: reference.tickets(),
            label_psi: labels.map(index),
            confidence_psi: confidences.map(index),
            label_noise: labels.map(noise),
            confidence_noise: confidences.map(noise),
        }
    });
    records.collect()
}

/// What rules are told of a day: of each metric the furthest head. A move that chance alone may bring counts for nothing.
fn moved(records: &[Drift]) -> Vec<Moved> {
    let furthest = |of: fn(&Drift) -> Option<(f64, f64)>| {
        records
            .iter()
            .filter_map(of)
            .map(|(index, noise)| if index > noise { index } else { 0.0 })
            .max_by(f64::total_cmp)
    };
    let labels = |r: &Drift| r.label_psi.zip(r.label_noise).filter(|_| r.head != Head::Language.as_str());
    let languages = |r: &Drift| r.label_psi.zip(r.label_noise).filter(|_| r.head == Head::Language.as_str());
    [
        (Metric::LabelDrift, furthest(labels)),
        (Metric::LanguageDrift, furthest(languages)),
        (Metric::ConfidenceDrift, furthest(|r| r.confidence_psi.zip(r.confidence_noise))),
    ]
    .into_iter()
    .filter_map(|(metric, value)| Some(Moved { metric, value: value? }))
    .collect()
}

/// `MeasureDrift`: its first output is to be published, its second tells alert rules.
pub(super) fn drift<'scope>(
    days: StreamVec<'scope, u64, Day>,
    mut held: Days,
    clock: Clock,
    codecs: Arc<Codecs>,
) -> (StreamVec<'scope, u64, OutRecord>, StreamVec<'scope, u64, Reading>) {
    let mut builder = OperatorBuilder::new("MeasureDrift".to_owned(), days.scope());
    let mut days = builder.new_input(days, Exchange::new(|day: &Day| route(&day.tenant)));
    let (records, record_stream) = builder.new_output();
    let (readings, reading_stream) = builder.new_output();
    let mut records = OutputBuilder::<_, CapacityContainerBuilder<Vec<OutRecord>>>::from(records);
    let mut readings = OutputBuilder::<_, CapacityContainerBuilder<Vec<Reading>>>::from(readings);
    builder.build(move |capabilities| {
        drop(capabilities);
        move |_frontiers| {
            let mut records = records.activate();
            let mut readings = readings.activate();
            days.for_each(|capability, days| {
                let (Some(record), Some(reading)) = (capability.retain_least(0), capability.retain_least(1))
                else {
                    return;
                };
                let now = clock.at(*record.time());
                let mut out = records.session(&record);
                let mut told = readings.session(&reading);
                for day in days.drain(..) {
                    let tenant = day.tenant.clone();
                    let (drifts, moved) = held.observe(day, now);
                    for drift in drifts {
                        let encoded = codecs.drift.encode(&drift);
                        out.give_iterator(out_record(Topic::Drift, drift.key(), encoded).into_iter());
                    }
                    told.give_iterator(moved.into_iter().map(|Moved { metric, value }| Reading {
                        tenant: tenant.clone(),
                        metric,
                        value,
                        at: now,
                    }));
                }
            });
        }
    });
    (record_stream, reading_stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(number: i64, causes: &[(&str, i64)]) -> Day {
        let mut tally = Tally::default();
        for (cause, count) in causes {
            tally.add(Dimension::RootCause((*cause).into()), *count);
            tally.add(Dimension::Confidence(Head::RootCause, 7), *count);
        }
        let key = WindowKey { tenant: "acme".into(), size_s: 86_400, start_ms: number * DAY_MS };
        Day::of(&key, &tally, false).unwrap()
    }

    fn of(records: &[Drift], head: Head) -> &Drift {
        records.iter().find(|record| record.head == head.as_str()).unwrap()
    }

    #[test]
    fn a_day_is_compared_with_the_seven_before_it() {
        let mut days = Days::default();
        for number in 0..9 {
            days.observe(day(number, &[("a", 60), ("b", 40)]), 5);
        }
        let (records, moved) = days.observe(day(9, &[("a", 60), ("b", 40)]), 6);
        let cause = of(&records, Head::RootCause);
        assert_eq!((cause.reference_start, cause.reference_tickets), (2 * DAY_MS, 700));
        assert!(cause.label_psi.unwrap() < 0.01, "{cause:?}");
        assert_eq!(of(&records, Head::Language).label_psi, None, "nothing is known of it");
        assert!(moved.iter().all(|m| m.value == 0.0), "{moved:?}");
        let (records, moved) = days.observe(day(9, &[("a", 10), ("c", 90)]), 7);
        assert!(of(&records, Head::RootCause).label_psi.unwrap() > 1.0);
        assert_eq!(of(&records, Head::RootCause).confidence_psi.map(|psi| psi < 0.01), Some(true));
        let label = moved.iter().find(|m| m.metric == Metric::LabelDrift).unwrap();
        assert!(label.value > 1.0, "{moved:?}");
        // A late ticket of the day before changes what both are compared with; the same once more changes nothing.
        let (records, _) = days.observe(day(8, &[("a", 61), ("b", 40)]), 8);
        assert_eq!(records.len(), 8);
        let today = records.iter().find(|r| r.head == "root_cause" && r.window_start == 9 * DAY_MS).unwrap();
        assert_eq!(today.reference_tickets, 701);
        let (records, again) = days.observe(day(8, &[("a", 61), ("b", 40)]), 9);
        assert!(records.is_empty() && again.iter().any(|m| m.value > 1.0), "{again:?}");
    }

    proptest! {
        /// A worker that was restarted says the same as one that was not.
        #[test]
        fn days_are_restored_from_what_was_published(
            counts in prop::collection::vec((0..200_i64, 0..200_i64), 2..12), cut in 0..11_usize,
        ) {
            let mut whole = Days::default();
            let mut published = BTreeMap::new();
            let mut resumed = None;
            for (number, (a, b)) in (0_i64..).zip(&counts) {
                let today = day(number, &[("a", *a), ("b", *b)]);
                let (records, moved) = whole.observe(today.clone(), number);
                if let Some(resumed) = resumed.as_mut() {
                    let (again, moved_again) = Days::observe(resumed, today, number);
                    prop_assert_eq!(&again, &records);
                    prop_assert_eq!(moved_again, moved);
                }
                records.into_iter().for_each(|r| drop(published.insert(r.key(), r)));
                if usize::try_from(number).unwrap() == cut {
                    resumed = Some(Days::restored(&published.values().cloned().collect::<Vec<_>>()));
                }
            }
        }
    }
}
