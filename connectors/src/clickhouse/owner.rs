//! Which partitions are ours, and commits that only their owner can make.
//!
//! A broker accepts a commit from any current member of the group, also for a partition that has just gone to
//! another. So a commit is made under the same lock that the loss of a partition takes first.

use super::metrics;
use super::position::Committed;
use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::{ClientContext, Offset, Statistics, TopicPartitionList};
use std::collections::HashSet;
use tokio::sync::mpsc;

/// A change of what is ours.
#[derive(Debug)]
pub(super) enum Change {
    /// These are ours now, and paused.
    Gained(Vec<i32>),
    /// These are no longer ours.
    Lost(Vec<i32>),
}

/// librdkafka's callbacks, and the partitions that are ours.
pub(super) struct Owner {
    table: &'static str,
    owned: Mutex<HashSet<i32>>,
    changes: mpsc::UnboundedSender<Change>,
}

impl Owner {
    pub(super) fn new(table: &'static str, changes: mpsc::UnboundedSender<Change>) -> Self {
        Self { table, owned: Mutex::default(), changes }
    }

    /// Commits a partition's position if it is still ours; false if it is not.
    pub(super) fn commit(
        &self,
        consumer: &StreamConsumer<Self>,
        topic: &str,
        partition: i32,
        position: Committed,
    ) -> Result<bool, KafkaError> {
        let owned = self.owned.lock();
        if !owned.contains(&partition) {
            return Ok(false);
        }
        let mut list = TopicPartitionList::with_capacity(1);
        {
            let mut element = list.add_partition(topic, partition);
            element.set_offset(Offset::Offset(position.next))?;
            element.set_metadata(position.metadata());
        }
        consumer.commit(&list, CommitMode::Sync)?;
        Ok(true)
    }

    fn tell(&self, change: Change) {
        // The receiver goes first when the sink ends; then nobody needs to know.
        let _ = self.changes.send(change);
    }
}

fn partitions(list: &TopicPartitionList) -> Vec<i32> {
    list.elements().iter().map(|element| element.partition()).collect()
}

impl ClientContext for Owner {
    fn stats(&self, statistics: Statistics) {
        let partitions = statistics.topics.values().flat_map(|topic| topic.partitions.values());
        // Minus one marks what is not known (yet), and a partition that is not ours.
        let lag = partitions.map(|partition| partition.consumer_lag.max(0)).sum();
        metrics::LAG.with_label_values(&[self.table]).set(lag);
    }
}

impl ConsumerContext for Owner {
    fn pre_rebalance(&self, _consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(list) = rebalance {
            let lost = partitions(list);
            self.owned.lock().retain(|partition| !lost.contains(partition));
            self.tell(Change::Lost(lost));
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(list) = rebalance {
            // Until it is known where they stand. What is fetched before waits in its lane.
            if let Err(error) = consumer.pause(list) {
                tracing::debug!(table = self.table, %error, "pausing new partitions");
            }
            let gained = partitions(list);
            self.owned.lock().extend(&gained);
            self.tell(Change::Gained(gained));
        }
    }
}
