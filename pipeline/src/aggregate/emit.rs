//! From windows' counts to records of the windows topic: live while they can change, then once final.

use super::drift::Day;
use super::tally::{Dimension, Sketch, Tally, WindowKey};
use crate::metrics;
use deskstream_schemas::{Text, Window};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

struct Live {
    tally: Tally,
    version: i64,
}

/// The windows of one worker that can still change.
pub struct Windows {
    horizon_ms: i64,
    live: HashMap<WindowKey, Live, ahash::RandomState>,
    /// Live windows by the time at which they become final.
    closing: BTreeSet<(i64, WindowKey)>,
    touched: BTreeSet<WindowKey>,
}

impl Windows {
    /// No windows yet.
    pub fn new(horizon_ms: i64) -> Self {
        Self { horizon_ms, live: HashMap::default(), closing: BTreeSet::new(), touched: BTreeSet::new() }
    }

    /// An update of the collection: `count` is 1 for a window's new counts, −1 for its old ones.
    pub fn update(&mut self, key: WindowKey, tally: Tally, count: isize) {
        if count > 0 {
            let closes = key.end_ms() + self.horizon_ms;
            self.closing.insert((closes, key.clone()));
            self.touched.insert(key.clone());
            let live = self.live.entry(key).or_insert_with(|| Live { tally: Tally::default(), version: 0 });
            live.tally = tally;
        } else if self.live.get(&key).is_some_and(|live| live.tally == tally) {
            // Its new counts, if it has some, come with the same batch and overwrite this.
            self.live.insert(key.clone(), Live { tally: Tally::default(), version: self.live[&key].version });
            self.touched.insert(key);
        }
    }

    /// The days among the windows that changed since the last call of [`Windows::changed`], which is to follow.
    pub fn changed_days(&self) -> impl Iterator<Item = Day> {
        self.touched.iter().filter_map(|key| Day::of(key, &self.live.get(key)?.tally, false))
    }

    /// The windows that changed since the last call.
    pub fn changed(&mut self, now: i64) -> Vec<Window> {
        let touched = std::mem::take(&mut self.touched);
        let windows = touched.into_iter().filter_map(|key| {
            let live = self.live.get_mut(&key)?;
            live.version = now.max(live.version + 1);
            Some(window(&key, &live.tally, live.version, false))
        });
        windows.collect()
    }

    /// The windows that became final by `now`, with the counts to retire from the collection.
    pub fn finished(&mut self, now: i64) -> Vec<(Window, WindowKey, Tally)> {
        let mut finished = Vec::new();
        while self.closing.first().is_some_and(|(closes, _)| *closes <= now) {
            let Some((_, key)) = self.closing.pop_first() else { break };
            let Some(live) = self.live.remove(&key) else { continue };
            let version = now.max(live.version + 1);
            finished.push((window(&key, &live.tally, version, true), key, live.tally));
        }
        metrics::WINDOWS.set(i64::try_from(self.live.len()).unwrap_or(i64::MAX));
        finished
    }
}

/// A window's record.
pub fn window(key: &WindowKey, tally: &Tally, version: i64, is_final: bool) -> Window {
    let mut window = Window {
        tenant: key.tenant.to_string(),
        size_s: key.size_s,
        window_start: key.start_ms,
        window_end: key.end_ms(),
        version,
        is_final,
        events: tally.get(&Dimension::Events),
        errors: tally.get(&Dimension::Errors),
        success_rate: 1.0,
        error_rate: 0.0,
        error_reasons: BTreeMap::new(),
        latency_p50_ms: Sketch::quantile_ms(tally, 0.50),
        latency_p95_ms: Sketch::quantile_ms(tally, 0.95),
        latency_p99_ms: Sketch::quantile_ms(tally, 0.99),
        latency_sum_ms: tally.get(&Dimension::LatencySumMs),
        latency_sketch: BTreeMap::new(),
        redactions: BTreeMap::new(),
        tickets: tally.get(&Dimension::Tickets),
        urgency: BTreeMap::new(),
        sentiment: BTreeMap::new(),
        root_causes: BTreeMap::new(),
        industries: BTreeMap::new(),
        languages: BTreeMap::new(),
        negative_share: 0.0,
        high_urgency: 0,
        tiers: BTreeMap::new(),
        opinions: BTreeMap::new(),
        opinion_tokens_in: tally.get(&Dimension::OpinionTokensIn),
        opinion_tokens_out: tally.get(&Dimension::OpinionTokensOut),
        opinion_cost_microusd: tally.get(&Dimension::OpinionCostMicrousd),
    };
    let text = |label: &Arc<str>| Text::Owned(label.to_string());
    for (dimension, count) in tally.iter() {
        let (counts, label) = match dimension {
            Dimension::Latency(bucket) => (&mut window.latency_sketch, Text::Owned(bucket.to_string())),
            Dimension::ErrorReason(l) => (&mut window.error_reasons, text(l)),
            Dimension::Redaction(l) => (&mut window.redactions, text(l)),
            Dimension::Urgency(l) => (&mut window.urgency, text(l)),
            Dimension::Sentiment(l) => (&mut window.sentiment, text(l)),
            Dimension::RootCause(l) => (&mut window.root_causes, text(l)),
            Dimension::Industry(l) => (&mut window.industries, text(l)),
            Dimension::Language(l) => (&mut window.languages, text(l)),
            Dimension::Tier(l) => (&mut window.tiers, text(l)),
            Dimension::Opinion(l) => (&mut window.opinions, text(l)),
            Dimension::Events
            | Dimension::Errors
            | Dimension::LatencySumMs
            | Dimension::Tickets
            | Dimension::Confidence(..)
            | Dimension::OpinionTokensIn
            | Dimension::OpinionTokensOut
            | Dimension::OpinionCostMicrousd => continue,
        };
        counts.insert(label, count);
    }
    window.error_rate = share(window.errors, window.events);
    window.success_rate = 1.0 - window.error_rate;
    window.negative_share = share(window.sentiment.get("negative").copied().unwrap_or(0), window.tickets);
    window.high_urgency = ["high", "critical"].iter().filter_map(|u| window.urgency.get(*u)).sum();
    window
}

fn share(part: i64, whole: i64) -> f64 {
    if whole <= 0 {
        return 0.0;
    }
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    let share = part as f64 / whole as f64;
    share
}
