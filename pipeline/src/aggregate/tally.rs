//! What events and tickets add to windows, as elements of an Abelian group.

use super::counts::Counts;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Lengths of the tumbling windows in seconds; each is a multiple of the first.
pub const WINDOW_SIZES_S: [i32; 4] = [60, 300, 3600, 86400];

/// A window of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WindowKey {
    /// The tenant.
    pub tenant: Arc<str>,
    /// Length in seconds.
    pub size_s: i32,
    /// First instant, in milliseconds since the Unix epoch.
    pub start_ms: i64,
}

impl WindowKey {
    /// The window of that length that holds an instant.
    pub fn containing(tenant: Arc<str>, size_s: i32, at_ms: i64) -> Self {
        let size_ms = i64::from(size_s) * 1000;
        Self { tenant, size_s, start_ms: at_ms.div_euclid(size_ms) * size_ms }
    }

    /// First instant after the window.
    pub fn end_ms(&self) -> i64 {
        self.start_ms + i64::from(self.size_s) * 1000
    }
}

/// One of the judgements of a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Head {
    /// Why the requester wrote.
    RootCause,
    /// How soon it matters.
    Urgency,
    /// How the requester feels.
    Sentiment,
    /// The language of the text.
    Language,
}

impl Head {
    /// Every head.
    pub const ALL: [Self; 4] = [Self::RootCause, Self::Urgency, Self::Sentiment, Self::Language];

    /// As records and metrics name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RootCause => "root_cause",
            Self::Urgency => "urgency",
            Self::Sentiment => "sentiment",
            Self::Language => "language",
        }
    }
}

/// One thing that is counted in a window.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "see the fields of windows.avsc")]
pub enum Dimension {
    Events,
    Errors,
    LatencySumMs,
    /// Events whose latency lies in that bucket of the sketch.
    Latency(i32),
    ErrorReason(Arc<str>),
    Redaction(Arc<str>),
    Tickets,
    Urgency(Arc<str>),
    Sentiment(Arc<str>),
    RootCause(Arc<str>),
    Industry(Arc<str>),
    Language(Arc<str>),
    Tier(Arc<str>),
    /// Tickets whose confidence of that head lies in that tenth.
    Confidence(Head, u8),
    Opinion(Arc<str>),
    OpinionTokensIn,
    OpinionTokensOut,
    OpinionCostMicrousd,
}

/// What is counted in a window.
pub type Tally = Counts<Dimension>;

/// The latency sketch: DDSketch (Masson, Rim, Lee, VLDB 2019) with relative accuracy 1 %, over microseconds. Kept
/// as plain counts by bucket, since those can be subtracted, which a library's sketch can't.
#[derive(Debug)]
pub struct Sketch;

impl Sketch {
    const ACCURACY: f64 = 0.01;

    fn gamma() -> f64 {
        (1.0 + Self::ACCURACY) / (1.0 - Self::ACCURACY)
    }

    /// The bucket of a latency: i with γ^(i−1) < µs ≤ γ^i.
    pub fn bucket(latency_ms: i64) -> i32 {
        // Latencies are far below 2^53 µs, and the logarithm of one far below 2^31.
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
        {
            let micros = (latency_ms.max(0) * 1000).max(1) as f64;
            (micros.ln() / Self::gamma().ln()).ceil() as i32
        }
    }

    /// The value in milliseconds below which a share `q` of the counted latencies lies, within the accuracy.
    pub fn quantile_ms(tally: &Tally, q: f64) -> f64 {
        let buckets = || {
            tally.iter().filter_map(|(d, n)| match d {
                Dimension::Latency(i) => Some((*i, n)),
                _ => None,
            })
        };
        let total: i64 = buckets().map(|(_, n)| n).sum();
        if total <= 0 {
            return 0.0;
        }
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "counts are far below 2^53"
        )]
        let rank = (q * (total - 1) as f64).floor() as i64;
        let mut seen = 0;
        for (bucket, count) in buckets() {
            seen += count;
            if seen > rank {
                let gamma = Self::gamma();
                return 2.0 * gamma.powi(bucket) / (gamma + 1.0) / 1000.0;
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use differential_dataflow::difference::{Abelian, Semigroup};
    use proptest::prelude::*;

    fn tally(latencies: &[i64]) -> Tally {
        let mut tally = Tally::default();
        latencies.iter().for_each(|l| tally.add(Dimension::Latency(Sketch::bucket(*l)), 1));
        tally
    }

    proptest! {
        #[test]
        fn what_is_added_can_be_taken_away(a in prop::collection::vec(0..100_000i64, 0..50), b in prop::collection::vec(0..100_000i64, 0..50)) {
            let (ta, tb) = (tally(&a), tally(&b));
            let mut sum = ta.clone();
            sum.plus_equals(&tb);
            let mut minus = tb;
            minus.negate();
            sum.plus_equals(&minus);
            prop_assert_eq!(sum, ta);
        }

        #[test]
        fn quantiles_lie_within_the_accuracy(mut latencies in prop::collection::vec(1..1_000_000i64, 1..300), q in 0.0..1.0f64) {
            let estimate = Sketch::quantile_ms(&tally(&latencies), q);
            latencies.sort_unstable();
            #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let exact = latencies[(q * (latencies.len() - 1) as f64).floor() as usize] as f64;
            prop_assert!((estimate - exact).abs() <= exact * 0.0101, "{} is not near {}", estimate, exact);
        }

        #[test]
        fn a_window_holds_the_instants_that_map_to_it(at in -10_000_000_000i64..10_000_000_000) {
            for size in WINDOW_SIZES_S {
                let key = WindowKey::containing("t".into(), size, at);
                prop_assert!(key.start_ms <= at && at < key.end_ms());
                prop_assert_eq!(key.start_ms.rem_euclid(i64::from(size) * 1000), 0);
            }
        }
    }

    #[test]
    fn zero_latency_has_a_bucket() {
        assert!(Sketch::quantile_ms(&tally(&[0]), 0.5) < 0.01);
    }
}
