//! What librdkafka tells of a feed's membership in its group: which partitions came and went, and the lag.

use super::metrics;
use super::progress::Progress;
use deskstream_runtime::time::now_ms;
use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, ConsumerContext, Rebalance};
use rdkafka::{ClientContext, Statistics};
use std::collections::HashMap;

/// librdkafka's callbacks.
pub(super) struct Context {
    pub(super) name: &'static str,
    pub(super) state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) progress: Progress,
    /// When each partition became ours, in ms since the Unix epoch.
    pub(super) assigned_at: HashMap<i32, i64>,
}

impl ClientContext for Context {
    fn stats(&self, statistics: Statistics) {
        let partitions = statistics.topics.values().flat_map(|topic| topic.partitions.values());
        // Minus one marks what is not known (yet), and a partition that is not ours.
        let lag = partitions.map(|partition| partition.consumer_lag_stored.max(0)).sum();
        metrics::LAG.with_label_values(&[self.name]).set(lag);
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, _consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let mut state = self.state.lock();
        match rebalance {
            Rebalance::Assign(assigned) => {
                let now = now_ms();
                state.assigned_at.extend(assigned.elements().iter().map(|e| (e.partition(), now)));
            }
            Rebalance::Revoke(revoked) => {
                state.progress.revoke(revoked.elements().iter().map(|e| e.partition()));
            }
            Rebalance::Error(_) => {}
        }
    }
}
