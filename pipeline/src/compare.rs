//! Two models over the same history, side by side: how often they agree, who is right where a human has said, and what each
//! costs. Reads the redacted text of `enriched`, and the reviews of the topic `reviews`; writes nothing.

use crate::opinions::text_hash;
use crate::quality::{Matrix, intervals, number};
use crate::source::{AssignError, latest_of, patiently, read_to_end};
use deskstream_analyze::{Analysis, Analyzer, Head, Scratch};
use deskstream_runtime::Process;
use deskstream_schemas::{Decoder, EnrichedTicket, Review, Text, Topic};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

/// Which part of history.
#[derive(Debug, Clone, Default)]
pub struct Range {
    /// Of this tenant only.
    pub tenant: Option<String>,
    /// Events that happened at this time or later, in milliseconds since the Unix epoch.
    pub from: Option<i64>,
    /// Events that happened before this time.
    pub to: Option<i64>,
}

impl Range {
    fn holds(&self, ticket: &EnrichedTicket) -> bool {
        self.tenant.as_ref().is_none_or(|tenant| *tenant == ticket.tenant)
            && self.from.is_none_or(|from| ticket.occurred_at >= from)
            && self.to.is_none_or(|to| ticket.occurred_at < to)
    }
}

/// What one model does on its own.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// Name and checksum.
    pub model: String,
    /// Median time of a text, in microseconds.
    pub p50_us: f64,
    /// 95th percentile.
    pub p95_us: f64,
    /// Texts a second on one core.
    pub texts_per_second: f64,
}

/// How one model does against reviews.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgainstReviews {
    /// Share of the reviewed texts on which it agrees with the reviewer.
    pub accuracy: f64,
    /// Wilson's interval of 95 %.
    pub accuracy_in: [f64; 2],
    /// Mean F1 over the labels.
    pub macro_f1: f64,
    /// Interval of 95 % by the delta method.
    pub macro_f1_in: [f64; 2],
}

/// One head of both models.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeadComparison {
    /// root_cause, urgency or sentiment.
    pub head: &'static str,
    /// Share of the texts on which both say the same.
    pub agreement: f64,
    /// Cohen's kappa: the agreement beyond chance; none where chance leaves nothing.
    pub kappa: Option<f64>,
    /// Share of the texts on which each abstains.
    pub abstained: [f64; 2],
    /// Labels on which they differ most: what the first says, what the second, and how often.
    pub differences: Vec<(String, String, i64)>,
    /// Texts of which a reviewer judged this head.
    pub reviewed: i64,
    /// Each against the reviewers; none without reviews.
    pub quality: Option<[AgainstReviews; 2]>,
    /// Probability of a difference in accuracy as large as theirs, or larger, if both were equally good (McNemar's exact
    /// test); none without reviews.
    pub p_value: Option<f64>,
}

/// Both models side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Events of the range.
    pub events: u64,
    /// Texts: of a ticket's events with one text, the first.
    pub texts: u64,
    /// The models.
    pub models: [Side; 2],
    /// The heads.
    pub heads: Vec<HeadComparison>,
}

/// Differences that are told of a head.
const MOST_DIFFERENCES: usize = 5;

const HEADS: [Head; 3] = [Head::RootCause, Head::Urgency, Head::Sentiment];

type Cells = BTreeMap<(Arc<str>, Arc<str>), i64>;

#[derive(Default)]
struct OfHead {
    both: Cells,
    abstained: [i64; 2],
    truth: [Cells; 2],
    /// Where only the first, or only the second, is right.
    alone: [i64; 2],
}

/// Runs both models over texts.
struct Race<'a> {
    models: [&'a Analyzer; 2],
    scratch: [Scratch; 2],
    times_ns: [Vec<u64>; 2],
    heads: [OfHead; HEADS.len()],
    texts: u64,
}

impl<'a> Race<'a> {
    fn new(models: [&'a Analyzer; 2]) -> Self {
        Self {
            models,
            scratch: Default::default(),
            times_ns: Default::default(),
            heads: Default::default(),
            texts: 0,
        }
    }

    fn run(&mut self, subject: &str, body: &str, review: Option<&Review>) {
        // Each goes first as often: the second finds the text in the cache.
        let order = if self.texts.is_multiple_of(2) { [0, 1] } else { [1, 0] };
        self.texts += 1;
        let mut said: [Option<Analysis>; 2] = [None, None];
        for at in order {
            let started = Instant::now();
            said[at] = Some(self.models[at].analyze(subject, body, &mut self.scratch[at]));
            self.times_ns[at].push(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX));
        }
        let [Some(a), Some(b)] = &said else { return };
        for (head, of) in HEADS.into_iter().zip(&mut self.heads) {
            let labels = [label(a, head), label(b, head)];
            let names = labels.map(|label| Arc::clone(&label.name));
            *of.both.entry((Arc::clone(&names[0]), Arc::clone(&names[1]))).or_default() += 1;
            for (count, label) in of.abstained.iter_mut().zip(labels) {
                *count += i64::from(label.abstained);
            }
            let Some(human) = review.and_then(|review| judged(review, head)) else { continue };
            let human: Arc<str> = human.as_ref().into();
            let right = names.clone().map(|name| name == human);
            for (cells, name) in of.truth.iter_mut().zip(names) {
                *cells.entry((Arc::clone(&human), name)).or_default() += 1;
            }
            match right {
                [true, false] => of.alone[0] += 1,
                [false, true] => of.alone[1] += 1,
                _ => {}
            }
        }
    }

    fn report(self, events: u64) -> Report {
        let [mut a, mut b] = self.times_ns;
        let models =
            [(self.models[0], &mut a), (self.models[1], &mut b)].map(|(model, times)| side(model, times));
        let heads = HEADS.into_iter().zip(self.heads).map(|(head, of)| compared(head, &of)).collect();
        Report { events, texts: self.texts, models, heads }
    }
}

fn label(analysis: &Analysis, head: Head) -> &deskstream_analyze::Label {
    match head {
        Head::RootCause => &analysis.root_cause,
        Head::Urgency => &analysis.urgency,
        Head::Sentiment => &analysis.sentiment,
        Head::Industry => &analysis.industry,
    }
}

fn judged(review: &Review, head: Head) -> Option<&Text> {
    match head {
        Head::RootCause => review.root_cause.as_ref(),
        Head::Urgency => review.urgency.as_ref(),
        Head::Sentiment => review.sentiment.as_ref(),
        Head::Industry => None,
    }
}

fn side(model: &Analyzer, times_ns: &mut [u64]) -> Side {
    times_ns.sort_unstable();
    let quantile = |percent: usize| {
        let at = (times_ns.len() * percent / 100).min(times_ns.len().saturating_sub(1));
        times_ns.get(at).map_or(0.0, |ns| nanos(*ns) / 1000.0)
    };
    let total: f64 = times_ns.iter().map(|ns| nanos(*ns)).sum();
    let texts = nanos(times_ns.len() as u64);
    Side {
        model: model.version().to_owned(),
        p50_us: quantile(50),
        p95_us: quantile(95),
        texts_per_second: if total > 0.0 { texts / total * 1e9 } else { 0.0 },
    }
}

#[allow(clippy::cast_precision_loss, reason = "a run of years is below 2^53 ns")]
fn nanos(ns: u64) -> f64 {
    ns as f64
}

fn matrix(cells: &Cells) -> Matrix<'_> {
    let mut matrix = Matrix::default();
    cells.iter().for_each(|((truth, predicted), n)| matrix.add(truth, predicted, *n));
    matrix
}

fn compared(head: Head, of: &OfHead) -> HeadComparison {
    let both = matrix(&of.both);
    let texts = both.samples();
    let mut differences: Vec<_> =
        both.cells().filter(|(a, b, _)| a != b).map(|(a, b, n)| (a.to_owned(), b.to_owned(), n)).collect();
    differences.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.cmp(b)));
    differences.truncate(MOST_DIFFERENCES);
    let reviewed: i64 = of.truth[0].values().sum();
    HeadComparison {
        head: head.name(),
        agreement: both.accuracy().0,
        kappa: both.kappa(),
        abstained: of.abstained.map(|n| crate::quality::share(n, texts)),
        differences,
        reviewed,
        quality: (reviewed > 0).then(|| of.truth.each_ref().map(against)),
        p_value: (reviewed > 0).then(|| mcnemar(of.alone)),
    }
}

fn against(cells: &Cells) -> AgainstReviews {
    let matrix = matrix(cells);
    let (accuracy, accuracy_in) = matrix.accuracy();
    let means = matrix.means(&matrix.classes());
    let ends = |interval: intervals::Interval| [interval.low, interval.high];
    AgainstReviews {
        accuracy,
        accuracy_in: ends(accuracy_in),
        macro_f1: means.f1,
        macro_f1_in: ends(means.f1_in),
    }
}

/// McNemar's exact test, two-sided: of the texts on which only one is right, that one is the first with probability ½.
fn mcnemar([first, second]: [i64; 2]) -> f64 {
    let n = first + second;
    // The terms of the binomial distribution by their logarithm, so that thousands of texts overflow nothing.
    let mut term = -number(n) * std::f64::consts::LN_2;
    let mut tail = 0.0;
    for k in 0..=first.min(second) {
        tail += term.exp();
        term += (number(n - k) / number(k + 1)).ln();
    }
    (2.0 * tail).min(1.0)
}

/// Compares two models over history. `each` is told of every event that was read.
///
/// # Errors
/// If a topic can't be read.
pub fn compare(
    process: &Process,
    models: [&Analyzer; 2],
    range: &Range,
    mut each: impl FnMut(),
) -> Result<Report, AssignError> {
    let reviews = reviews(process)?;
    let decoder: Decoder<EnrichedTicket> = Decoder::new(Arc::clone(&process.registry));
    let mut race = Race::new(models);
    let (mut seen, mut events) = (HashSet::new(), 0);
    read_to_end(&process.config.kafka, &process.topics.name(Topic::Enriched), |_, payload| {
        each();
        let Some(payload) = payload else { return };
        let ticket = match patiently(|| decoder.decode(payload)) {
            Ok(ticket) if range.holds(&ticket) => ticket,
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%error, "an event that can't be read is passed over");
                return;
            }
        };
        events += 1;
        let text = (ticket.key(), text_hash(&ticket.subject, &ticket.body));
        let review = reviews.get(&text);
        if seen.insert(text) {
            race.run(&ticket.subject, &ticket.body, review);
        }
    })?;
    Ok(race.report(events))
}

/// The latest reviews, by ticket and text.
fn reviews(process: &Process) -> Result<HashMap<(String, i64), Review>, AssignError> {
    let latest: Vec<Review> = latest_of(process, Topic::Reviews)?;
    let bound = latest.into_iter().filter_map(|review| Some(((review.key(), review.text_hash?), review)));
    Ok(bound.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn review(cause: &'static str) -> Review {
        Review {
            tenant: "acme".into(),
            platform: deskstream_schemas::Platform::Zendesk,
            ticket_id: "1".into(),
            event_id: "e".into(),
            version: 1,
            root_cause: Some(cause.into()),
            urgency: None,
            sentiment: None,
            reviewed_by: "u".into(),
            reviewed_at: 1,
            result: deskstream_schemas::ReviewResult::Applied,
            text_hash: Some(1),
            created_at: None,
            language: "en".into(),
            predictions: vec![],
            applied_at: 1,
        }
    }

    #[test]
    fn a_model_agrees_with_itself_and_both_are_as_right() {
        let shipped = Analyzer::shipped().unwrap();
        let mut race = Race::new([&shipped, &shipped]);
        race.run("Refund", "I returned the shoes but got no refund yet.", Some(&review("refund")));
        race.run("Login", "I cannot log in, my password is refused.", Some(&review("refund")));
        race.run("Parcel", "Where is my parcel?", None);
        let report = race.report(4);
        assert_eq!((report.events, report.texts), (4, 3));
        let cause = &report.heads[0];
        assert_eq!((cause.head, cause.agreement, cause.kappa), ("root_cause", 1.0, Some(1.0)));
        assert!(cause.differences.is_empty());
        let [a, b] = cause.quality.as_ref().unwrap();
        assert_eq!((cause.reviewed, a.accuracy, a), (2, 0.5, b));
        assert_eq!(cause.p_value, Some(1.0));
        assert_eq!((report.heads[1].reviewed, &report.heads[1].quality), (0, &None));
        assert!(report.models.iter().all(|model| model.p50_us > 0.0 && model.texts_per_second > 0.0));
    }

    #[test]
    fn a_difference_is_told_from_chance() {
        assert!((mcnemar([0, 0]) - 1.0).abs() < 1e-12);
        assert!((mcnemar([5, 5]) - 1.0).abs() < 1e-12);
        // 2 · (1 + 10 + 45) / 1024
        assert!((mcnemar([8, 2]) - 0.109_375).abs() < 1e-9);
        assert!(mcnemar([3000, 1000]) < 1e-100);
    }
}
