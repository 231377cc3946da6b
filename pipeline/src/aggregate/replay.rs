//! From where the aggregate dataflow reads at start, and how its progress is kept.

use crate::source::{AssignError, Batch, Credit, committed_offsets, open, partition_count};
use deskstream_runtime::config::KafkaConfig;
use deskstream_runtime::kafka;
use deskstream_runtime::time::now_ms;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use timely::dataflow::operators::probe::Handle;

const TIMEOUT: Duration = Duration::from_secs(30);

/// Brokers' clocks and ours may differ by this much.
pub(super) const SKEW_MS: i64 = 600_000;

const DAY_MS: i64 = 86_400_000;

/// The start could not be planned.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A topic could not be opened.
    #[error(transparent)]
    Assign(#[from] AssignError),
    /// Offsets could not be found.
    #[error("find where to start in topic {topic}")]
    Offsets {
        /// The topic.
        topic: String,
        /// Why.
        #[source]
        source: rdkafka::error::KafkaError,
    },
}

/// Where to read a topic from.
#[derive(Debug, Clone)]
pub struct Replay {
    /// The topic's full name.
    pub topic: String,
    /// The consumer group that keeps the progress.
    pub group: String,
    /// Where each partition is read from.
    pub start: BTreeMap<i32, Offset>,
    /// Up to where each partition was committed: what lies before only rebuilds state. Partitions that were
    /// never committed, or whose committed part is gone, are absent.
    pub committed: BTreeMap<i32, i64>,
    /// The wall clock at the last commit, or now if there was none: windows that were open then are rebuilt.
    pub resume_ms: i64,
}

impl Replay {
    /// Plans the start. With `rebuild`, reading begins early enough to rebuild every window that was open at the
    /// last commit; without, it begins at the committed position.
    pub fn plan(
        config: &KafkaConfig,
        group: &str,
        topic: &str,
        horizon: Duration,
        rebuild: bool,
    ) -> Result<Self, ReplayError> {
        let failed = |source| ReplayError::Offsets { topic: topic.to_owned(), source };
        let consumer: BaseConsumer = kafka::consumer(config, group).create().map_err(failed)?;
        let count = partition_count(&consumer, topic)?;
        let partitions: Vec<i32> = (0..count).collect();
        let mut committed = committed_offsets(config, group, topic, &partitions)?;
        let resume_ms =
            committed.values().filter_map(|(_, at)| at.parse::<i64>().ok()).min().unwrap_or_else(now_ms);
        let horizon_ms = i64::try_from(horizon.as_millis()).unwrap_or(i64::MAX / 2);
        let mut since = TopicPartitionList::new();
        let mut lows = BTreeMap::new();
        for partition in &partitions {
            // This also waits until a topic just made has its leaders, which the look-up by time does not.
            lows.insert(
                *partition,
                kafka::watermarks(&consumer, topic, *partition, TIMEOUT).map_err(failed)?.0,
            );
            let from = Offset::Offset((resume_ms - horizon_ms - DAY_MS - SKEW_MS).max(0));
            since.add_partition_offset(topic, *partition, from).map_err(failed)?;
        }
        let since = consumer.offsets_for_times(since, TIMEOUT).map_err(failed)?;
        let mut start = BTreeMap::new();
        for element in since.elements() {
            let partition = element.partition();
            let Some((at, _)) = committed.get(&partition) else {
                start.insert(partition, Offset::Beginning);
                continue;
            };
            let low = lows[&partition];
            let early = match element.offset() {
                Offset::Offset(early) if rebuild => early.min(*at).max(low),
                _ => *at,
            };
            if low >= *at {
                committed.remove(&partition);
                start.insert(partition, Offset::Offset(low));
            } else {
                start.insert(partition, Offset::Offset(early));
                if early >= *at {
                    committed.remove(&partition);
                }
            }
        }
        Ok(Self {
            topic: topic.to_owned(),
            group: group.to_owned(),
            start,
            committed: committed.into_iter().map(|(p, (at, _))| (p, at)).collect(),
            resume_ms,
        })
    }

    /// The part of the plan that concerns some partitions, and a consumer for it.
    pub fn open(
        &self,
        config: &KafkaConfig,
        partitions: &[i32],
    ) -> Result<(Self, BaseConsumer), AssignError> {
        let mut own = self.clone();
        own.start.retain(|p, _| partitions.contains(p));
        own.committed.retain(|p, _| partitions.contains(p));
        let consumer = open(config, &self.group, &self.topic, &own.start)?;
        Ok((own, consumer))
    }

    /// Whether a record was committed before this start.
    pub fn is_replayed(&self, partition: i32, offset: i64) -> bool {
        self.committed.get(&partition).is_some_and(|at| offset < *at)
    }
}

/// A source's progress: which positions belong to which epoch.
pub struct Progress {
    topic: String,
    consumer: Option<Rc<BaseConsumer>>,
    /// Partitions still being replayed, and up to where.
    replaying: BTreeMap<i32, i64>,
    epochs: BTreeMap<u64, (BTreeMap<i32, i64>, usize)>,
    credit: Credit,
}

impl Progress {
    /// Nothing read yet.
    pub fn new(replay: &Replay, credit: Credit) -> Self {
        Self {
            topic: replay.topic.clone(),
            consumer: None,
            replaying: replay.committed.clone(),
            epochs: BTreeMap::new(),
            credit,
        }
    }

    /// Whose offsets are committed.
    pub fn commit_by(&mut self, consumer: Rc<BaseConsumer>) {
        self.consumer = Some(consumer);
    }

    /// A batch was read in an epoch.
    pub fn read(&mut self, epoch: u64, batch: &Batch) {
        if self.replaying.get(&batch.partition).is_some_and(|until| batch.next() >= *until) {
            self.replaying.remove(&batch.partition);
        }
        let (offsets, records) = self.epochs.entry(epoch).or_default();
        offsets.insert(batch.partition, batch.next());
        *records += batch.records.len();
    }

    /// Whether the replay is over, so that the source may leave epoch 0.
    pub fn caught_up(&self) -> bool {
        self.replaying.is_empty()
    }

    /// Commits what lies in epochs that the probe has passed, with the time of the commit beside it.
    pub fn commit_passed(&mut self, probe: &Handle<u64>, mode: CommitMode) {
        let mut passed: BTreeMap<i32, i64> = BTreeMap::new();
        while let Some(first) = self.epochs.first_entry() {
            if probe.less_equal(first.key()) {
                break;
            }
            let epoch = *first.key();
            let (offsets, records) = first.remove();
            passed.extend(offsets);
            if epoch > 0 {
                self.credit.give_back(records);
            }
        }
        let Some(consumer) = self.consumer.as_ref().filter(|_| !passed.is_empty()) else { return };
        let mut list = TopicPartitionList::new();
        let now = now_ms().to_string();
        for (partition, next) in passed {
            let mut element = list.add_partition(&self.topic, partition);
            element.set_metadata(&now);
            if let Err(error) = element.set_offset(Offset::Offset(next)) {
                tracing::warn!(topic = %self.topic, partition, %error, "an offset can't be committed");
            }
        }
        if let Err(error) = consumer.commit(&list, mode) {
            // The next commit covers it; a restart in between repeats upserts and idempotent commands only.
            tracing::warn!(topic = %self.topic, %error, "offsets not committed");
        }
    }
}
