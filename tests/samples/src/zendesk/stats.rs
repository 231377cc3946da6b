//! Counts of what a sample Zendesk saw and did.

use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        #[derive(Debug, Default)]
        pub(super) struct Counters { $(pub(super) $name: AtomicU64),+ }

        /// A reading of all counts; also `GET /__control/stats`.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        pub struct Stats {
            $($(#[$doc])* pub $name: u64,)+
            /// Requests hit by the fault script.
            pub faults_injected: u64,
            /// Private notes by the API user to a ticket that had one already: double write-backs.
            pub repeated_notes: u64,
            /// Tickets held at present.
            pub tickets: u64,
            /// Webhook deliveries not finished: queued, in flight or waiting for a retry.
            pub deliveries_pending: u64,
            /// From a ticket's creation to the API user's first write to it.
            pub write_back_ms: Latency,
        }

        impl Counters {
            pub(super) fn read(&self) -> Stats {
                Stats { $($name: self.$name.load(Ordering::Relaxed),)+ ..Stats::default() }
            }
        }

        impl Stats {
            /// Adds another sample's counts; latencies keep the larger of both.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)+
                self.faults_injected += other.faults_injected;
                self.repeated_notes += other.repeated_notes;
                self.tickets += other.tickets;
                self.deliveries_pending += other.deliveries_pending;
                self.write_back_ms.merge(&other.write_back_ms);
            }
        }
    };
}

counters! {
    /// API requests of any kind.
    requests,
    /// Requests with wrong or missing credentials.
    unauthorized,
    /// Requests refused with 429 by a rate limit.
    rate_limited,
    /// Tickets created by traffic, by the handle or through the API.
    tickets_created,
    /// Updates applied through the API, tags endpoints and bulk jobs included.
    write_backs,
    /// Private notes among those.
    notes,
    /// Public comments among those.
    public_comments,
    /// Safe updates refused with 409.
    conflicts,
    /// Updates of closed tickets refused with 422.
    closed_refusals,
    /// Edits made by agents by hand.
    agent_edits,
    /// Pages of the incremental export.
    export_pages,
    /// Tickets on those pages, repetitions included.
    exported_tickets,
    /// Events that happened and had a subscriber.
    events,
    /// Delivery attempts that left for a receiver.
    sent,
    /// Deliveries answered with 2xx.
    acknowledged,
    /// Attempts answered with anything else, or not at all.
    refused,
    /// Attempts that were second or later.
    retried,
    /// Attempts without an answer within the timeout.
    timeouts,
    /// Deliveries given up.
    given_up,
    /// Events never sent, on purpose.
    lost,
    /// Events not sent because the outbox was full.
    overflowed,
    /// Deliveries sent twice, on purpose.
    duplicated,
    /// Deliveries held back so that later ones overtake them, on purpose.
    reordered,
    /// Attempts not made because the circuit breaker was open.
    circuit_broken,
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Percentiles in ms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// How many were measured (the latest 20,000).
    pub count: u64,
    /// Median.
    pub p50: u32,
    /// 95th percentile.
    pub p95: u32,
    /// 99th percentile.
    pub p99: u32,
    /// Largest.
    pub max: u32,
}

impl Latency {
    pub(super) fn of(samples: impl Iterator<Item = u32>) -> Self {
        let mut sorted: Vec<u32> = samples.collect();
        sorted.sort_unstable();
        let Some(last) = sorted.len().checked_sub(1) else { return Self::default() };
        // Nearest rank: the smallest sample that at least p % of all do not exceed.
        let rank =
            |percent: usize| sorted[(sorted.len() * percent).div_ceil(100).saturating_sub(1).min(last)];
        Self { count: sorted.len() as u64, p50: rank(50), p95: rank(95), p99: rank(99), max: sorted[last] }
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.p50 = self.p50.max(other.p50);
        self.p95 = self.p95.max(other.p95);
        self.p99 = self.p99.max(other.p99);
        self.max = self.max.max(other.max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank() {
        let latency = Latency::of(1..=100);
        assert_eq!((latency.p50, latency.p95, latency.p99, latency.max), (50, 95, 99, 100));
        assert_eq!(Latency::of(std::iter::once(7)).p99, 7);
        assert_eq!(Latency::of(std::iter::empty()), Latency::default());
    }
}
