//! A tenant's recent minutes, and what ranges of them sum up to.

use super::expression::MAX_RANGE_MINUTES;
use super::metric::Metric;
use deskstream_schemas::{Text, Window};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Milliseconds of a minute.
pub(super) const MINUTE_MS: i64 = 60_000;

/// Windows may begin this far ahead of the clock, as event times may (`pipeline.future_limit`), with room for
/// clocks that differ. Later ones are not kept: memory is bounded.
const MAX_AHEAD_MINUTES: i64 = 60;

/// What rules need of a tenant's one-minute window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinuteMetrics {
    /// The tenant; `*` is the sum over all tenants.
    pub tenant: String,
    /// First instant of the window, in milliseconds since the Unix epoch.
    pub window_start: i64,
    /// Events by event time, failed ones among them.
    pub events: u64,
    /// Events that went to the dead letter.
    pub errors: u64,
    /// Tickets created.
    pub tickets: u64,
    /// Those tickets whose urgency is high or critical.
    pub high_urgency: u64,
    /// Those tickets with negative sentiment.
    pub negative: u64,
    /// Those tickets by root cause.
    pub root_causes: BTreeMap<Text, u64>,
}

impl MinuteMetrics {
    /// An empty window.
    pub fn empty(tenant: impl Into<String>, window_start: i64) -> Self {
        Self {
            tenant: tenant.into(),
            window_start,
            events: 0,
            errors: 0,
            tickets: 0,
            high_urgency: 0,
            negative: 0,
            root_causes: BTreeMap::new(),
        }
    }

    /// What rules need of a window; `None` unless it is one of a minute.
    pub fn of(window: &Window) -> Option<Self> {
        if window.size_s != 60 {
            return None;
        }
        let count = |value: i64| u64::try_from(value).unwrap_or(0);
        Some(Self {
            tenant: window.tenant.clone(),
            window_start: window.window_start,
            events: count(window.events),
            errors: count(window.errors),
            tickets: count(window.tickets),
            high_urgency: count(window.high_urgency),
            negative: window.sentiment.get("negative").copied().map_or(0, count),
            root_causes: window.root_causes.iter().map(|(cause, n)| (cause.clone(), count(*n))).collect(),
        })
    }
}

/// Sums over a range of minutes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sums {
    events: u64,
    errors: u64,
    tickets: u64,
    high_urgency: u64,
    negative: u64,
    pub(super) root_causes: BTreeMap<Text, u64>,
}

impl Sums {
    fn add(&mut self, minute: &MinuteMetrics) {
        self.events += minute.events;
        self.errors += minute.errors;
        self.tickets += minute.tickets;
        self.high_urgency += minute.high_urgency;
        self.negative += minute.negative;
        for (cause, count) in &minute.root_causes {
            *self.root_causes.entry(cause.clone()).or_default() += count;
        }
    }

    /// The value of a window metric, of one root cause if one is named.
    pub(super) fn value(&self, metric: Metric, root_cause: Option<&str>) -> Option<f64> {
        let tickets_of_cause =
            root_cause.map_or(self.tickets, |cause| self.root_causes.get(cause).copied().unwrap_or(0));
        Some(match metric {
            Metric::Events => self.events as f64,
            Metric::Errors => self.errors as f64,
            Metric::ErrorRate => share(self.errors, self.events)?,
            Metric::SuccessRate => 1.0 - share(self.errors, self.events)?,
            Metric::Tickets => tickets_of_cause as f64,
            Metric::HighUrgency => self.high_urgency as f64,
            Metric::HighUrgencyShare => share(self.high_urgency, self.tickets)?,
            Metric::Negative => self.negative as f64,
            Metric::NegativeShare => share(self.negative, self.tickets)?,
            Metric::TicketShare => share(tickets_of_cause, self.tickets)?,
            Metric::QueueDepth
            | Metric::ApiUsage
            | Metric::LabelDrift
            | Metric::ConfidenceDrift
            | Metric::LanguageDrift => return None,
        })
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The minutes of one tenant that a range may still cover.
#[derive(Debug, Default)]
pub(super) struct History {
    minutes: BTreeMap<i64, MinuteMetrics>,
}

impl History {
    /// Takes the latest value of a window; says whether that changed anything.
    pub(super) fn observe(&mut self, minute: &MinuteMetrics) -> bool {
        let number = minute.window_start.div_euclid(MINUTE_MS);
        if self.minutes.get(&number) == Some(minute) {
            return false;
        }
        self.minutes.insert(number, minute.clone());
        true
    }

    /// Forgets what no range of up to `longest` minutes can cover at or after minute `present`.
    pub(super) fn prune(&mut self, present: i64, longest: u32) {
        let oldest = present - i64::from(longest.min(MAX_RANGE_MINUTES)) + 1;
        while self.minutes.first_key_value().is_some_and(|(number, _)| *number < oldest) {
            self.minutes.pop_first();
        }
        while self.minutes.last_key_value().is_some_and(|(number, _)| *number > present + MAX_AHEAD_MINUTES) {
            self.minutes.pop_last();
        }
    }

    /// Sums over the minute `present` and those before it, `length` in all.
    pub(super) fn sums(&self, present: i64, length: u32) -> Sums {
        let mut sums = Sums::default();
        for minute in self.minutes.range(present - i64::from(length) + 1..=present).map(|(_, m)| m) {
            sums.add(minute);
        }
        sums
    }

    pub(super) fn is_empty(&self) -> bool {
        self.minutes.is_empty()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.minutes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(number: i64, events: u64, errors: u64) -> MinuteMetrics {
        MinuteMetrics { events, errors, ..MinuteMetrics::empty("acme", number * MINUTE_MS) }
    }

    #[test]
    fn shares_are_divided_after_summing() {
        let mut history = History::default();
        // The average of the minutes' rates would be 0.5; of the events, 1 of 100 failed.
        history.observe(&minute(10, 1, 1));
        history.observe(&minute(11, 99, 0));
        assert_eq!(history.sums(11, 5).value(Metric::ErrorRate, None), Some(0.01));
        assert_eq!(history.sums(11, 5).value(Metric::SuccessRate, None), Some(0.99));
    }

    #[test]
    fn a_share_of_nothing_is_unknown() {
        let sums = History::default().sums(11, 5);
        assert_eq!(sums.value(Metric::ErrorRate, None), None);
        assert_eq!(sums.value(Metric::NegativeShare, None), None);
        assert_eq!(sums.value(Metric::TicketShare, Some("billing")), None);
        assert_eq!(sums.value(Metric::Events, None), Some(0.0));
    }

    #[test]
    fn a_range_covers_its_minutes_and_no_other() {
        let mut history = History::default();
        for number in 0..10 {
            history.observe(&minute(number, 1, 0));
        }
        assert_eq!(history.sums(6, 5).value(Metric::Events, None), Some(5.0));
        assert_eq!(history.sums(6, 1).value(Metric::Events, None), Some(1.0));
        assert_eq!(history.sums(1, 5).value(Metric::Events, None), Some(2.0));
    }

    #[test]
    fn a_correction_replaces() {
        let mut history = History::default();
        assert!(history.observe(&minute(3, 10, 9)));
        assert!(history.observe(&minute(3, 10, 1)));
        assert!(!history.observe(&minute(3, 10, 1)));
        assert_eq!(history.sums(3, 1).value(Metric::Errors, None), Some(1.0));
    }

    #[test]
    fn memory_is_bounded_on_both_sides() {
        let mut history = History::default();
        for number in 0..2000 {
            history.observe(&minute(number, 1, 0));
        }
        history.prune(1000, 15);
        assert_eq!(history.len(), 15 + 60);
        assert_eq!(history.sums(1000, 15).value(Metric::Events, None), Some(15.0));
    }

    #[test]
    fn a_group_has_its_own_tickets() {
        let mut history = History::default();
        let mut one = minute(3, 0, 0);
        one.tickets = 8;
        one.root_causes = [("billing".into(), 6), ("refund".into(), 2)].into();
        history.observe(&one);
        let sums = history.sums(3, 1);
        assert_eq!(sums.value(Metric::Tickets, Some("billing")), Some(6.0));
        assert_eq!(sums.value(Metric::TicketShare, Some("refund")), Some(0.25));
        assert_eq!(sums.value(Metric::Tickets, Some("delivery")), Some(0.0));
        assert_eq!(sums.value(Metric::Tickets, None), Some(8.0));
    }
}
