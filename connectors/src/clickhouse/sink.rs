//! The sink of one table: takes a topic's partitions in order, collects, cuts and has batches delivered.
//!
//! One task does all of it but the waiting: inserts, commits and questions to the broker run beside it and report back.

use super::batch::Limits;
use super::insert::{Abandoned, Deliver};
use super::intake::{Taken, held_by, refuse, take, take_waiting};
use super::lane::Lane;
use super::metrics;
use super::opening::{Starts, open};
use super::options::SinkOptions;
use super::owner::{Change, Owner};
use super::rows::Table;
use super::troubles::Troubles;
use crate::kafka::DeadLetterSink;
use deskstream_runtime::health::Part;
use deskstream_runtime::{Process, kafka};
use deskstream_schemas::{
    Alert, AuditHead, AuditLink, DeadLetter, Drift, Opinion, Outcome, Quality, Review, Window,
};
use deskstream_schemas::{Cleanup, Decoder, EnrichedTicket, Subject};
use futures::FutureExt;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A schema that is being fetched is asked for again after this time.
const SCHEMA_RETRY: Duration = Duration::from_millis(50);
const CONSUME_RETRY: Duration = Duration::from_millis(500);

/// After an insert that was not full, ClickHouse has this many times as long for other work before the next such
/// insert: the busier it is, the fewer and larger the inserts become.
const REST: u32 = 8;

/// But no longer than this.
const MOST_REST: Duration = Duration::from_secs(2);

/// Records taken between two looks at what is due.
const STEP: usize = 512;

/// A sink could not start.
#[derive(Debug, thiserror::Error)]
#[error("subscribe to topic {topic} as group {group}")]
pub struct SinkError {
    topic: String,
    group: String,
    #[source]
    source: Box<KafkaError>,
}

/// The sink of the table of `T`.
pub struct TableSink<T: Table> {
    deliver: Arc<Deliver>,
    decoder: Decoder<T>,
    limits: Limits,
    /// Partitions whose batches are due by age take turns: each insert makes a part that must be merged, so their
    /// number must not grow with that of the partitions.
    insert_interval: Duration,
    next_by_age: Instant,
    buffer_bytes: usize,
    /// What the lanes hold: counted at the last look, and what has come since.
    held: usize,
    drain: Duration,
    /// Records of a compacted topic may vanish from a range that was planned.
    compacted: bool,
    lanes: HashMap<i32, Lane<T>>,
    next_id: u64,
    changes: mpsc::UnboundedReceiver<Change>,
    tasks: JoinSet<Ended>,
    part: Part,
}

/// What a task reports.
enum Ended {
    Opened(Starts),
    Delivered(i32, u64, Result<(), Abandoned>),
    Nothing,
}

impl<T: Table> TableSink<T> {
    /// Subscribes to the topic of `T`.
    ///
    /// # Panics
    /// If `T` is no topic's record ([`Subject::Content`]).
    pub fn new(
        process: &Process,
        options: &SinkOptions,
        dead_letters: Option<DeadLetterSink>,
    ) -> Result<Self, SinkError> {
        let Subject::Value(kind) = T::SUBJECT else { panic!("{:?} is no topic's record", T::SUBJECT) };
        let topic = process.topics.name(kind);
        let group = format!("{}.{}", options.group, T::TABLE);
        let mut config = kafka::consumer(&process.config.kafka, &group);
        config
            .set("enable.partition.eof", "true")
            .set("statistics.interval.ms", "5000")
            // What librdkafka fetches ahead is memory too.
            .set(
                "queued.max.messages.kbytes",
                (options.buffer_bytes / 1024).clamp(8 * 1024, 64 * 1024).to_string(),
            );
        let kip_848 = process.config.kafka.properties.get("group.protocol").is_some_and(|p| p == "consumer");
        if !kip_848 {
            // Partitions that stay with their member are not interrupted by a rebalance.
            config.set("partition.assignment.strategy", "cooperative-sticky");
        }
        let failed =
            |source| SinkError { topic: topic.clone(), group: group.clone(), source: Box::new(source) };
        let (sender, changes) = mpsc::unbounded_channel();
        let consumer: StreamConsumer<Owner> =
            config.create_with_context(Owner::new(T::TABLE, sender)).map_err(failed)?;
        consumer.subscribe(&[topic.as_str()]).map_err(failed)?;
        let part = process.health.part(T::TABLE);
        Ok(Self {
            deliver: Arc::new(Deliver {
                consumer,
                client: super::client(&process.config.clickhouse),
                topic,
                dead_letters,
                troubles: Troubles::new(part.clone()),
                slots: Semaphore::new(options.inserts),
                shutdown: process.shutdown.clone(),
            }),
            decoder: Decoder::new(Arc::clone(&process.registry)),
            limits: Limits { rows: options.batch_rows, bytes: options.batch_bytes, age: options.batch_age },
            insert_interval: options.insert_interval,
            next_by_age: Instant::now(),
            buffer_bytes: options.buffer_bytes,
            held: 0,
            drain: options.drain,
            compacted: matches!(kind.cleanup(), Cleanup::Compact | Cleanup::CompactDelete(_)),
            lanes: HashMap::new(),
            next_id: 0,
            changes,
            tasks: JoinSet::new(),
            part,
        })
    }

    /// Runs until shutdown; then inserts under way may end, and the group is left.
    pub async fn run(mut self) {
        let deliver = Arc::clone(&self.deliver);
        // Asked to do nothing: a partition that comes will make it ready.
        self.part.ready();
        loop {
            let wake = self.advance();
            tokio::select! {
                biased;
                () = deliver.shutdown.cancelled() => break,
                Some(change) = self.changes.recv() => self.changed(change),
                Some(ended) = self.tasks.join_next() => self.ended(ended.unwrap_or(Ended::Nothing)),
                received = deliver.consumer.recv() => {
                    self.received(received).await;
                    for _ in 1..STEP {
                        // Before partitions are paused nothing more is taken than there is room for.
                        if self.held >= self.buffer_bytes {
                            break;
                        }
                        let Some(received) = deliver.consumer.recv().now_or_never() else { break };
                        self.received(received).await;
                    }
                }
                () = tokio::time::sleep_until(wake) => {}
            }
        }
        drop(deliver);
        self.finish().await;
    }

    async fn received(&mut self, received: Result<BorrowedMessage<'_>, KafkaError>) {
        match received {
            Ok(message) => self.message(&message),
            Err(KafkaError::PartitionEOF(partition)) => {
                if let Some(lane) = self.lanes.get_mut(&partition) {
                    lane.at_end = lane.is_open();
                }
            }
            Err(error) => {
                tracing::warn!(table = T::TABLE, %error, "consuming failed, going on");
                tokio::time::sleep(CONSUME_RETRY).await;
            }
        }
    }

    fn message(&mut self, message: &BorrowedMessage<'_>) {
        let partition = message.partition();
        if !self.lanes.contains_key(&partition) {
            // The callback that gave us the partition ran a moment ago, within the poll that gave us the record.
            while let Ok(change) = self.changes.try_recv() {
                self.changed(change);
            }
        }
        // No lane: it was taken away a moment ago.
        let Some(lane) = self.lanes.get_mut(&partition) else { return };
        lane.at_end = false;
        self.held += held_by(message);
        let must_wait = !lane.is_open() || !lane.waiting.is_empty();
        if must_wait || take(&self.decoder, &self.deliver, partition, lane, message) == Taken::NotYet {
            lane.waiting.push_back(message.detach());
        }
    }

    fn changed(&mut self, change: Change) {
        match change {
            Change::Gained(partitions) => {
                let mut opening = Vec::with_capacity(partitions.len());
                for partition in partitions {
                    self.next_id += 1;
                    // Not a child of shutdown, which lets inserts end: only the loss of the partition cancels them.
                    self.lanes.insert(partition, Lane::opening(self.next_id, CancellationToken::new()));
                    opening.push((partition, self.next_id));
                }
                let opened = open(Arc::clone(&self.deliver), opening);
                self.tasks.spawn(opened.map(|starts| starts.map_or(Ended::Nothing, Ended::Opened)));
            }
            Change::Lost(partitions) => {
                for partition in partitions {
                    if let Some(lane) = self.lanes.remove(&partition) {
                        lane.cancel.cancel();
                    }
                    self.deliver.troubles.lost(partition);
                }
            }
        }
    }

    fn ended(&mut self, ended: Ended) {
        match ended {
            Ended::Opened(starts) => {
                for (partition, id, start) in starts {
                    let Some(lane) = self.lanes.get_mut(&partition).filter(|lane| lane.id == id) else {
                        continue;
                    };
                    match start {
                        Ok(start) => {
                            tracing::info!(table = T::TABLE, partition, done = start.done, redo = ?start.redo, "partition taken up");
                            lane.open(start);
                        }
                        Err(refusal) => refuse(lane, &self.deliver, T::TABLE, partition, &refusal),
                    }
                }
            }
            Ended::Delivered(partition, id, outcome) => {
                let Some(lane) = self.lanes.get_mut(&partition).filter(|lane| lane.id == id) else { return };
                match outcome {
                    Ok(()) => {
                        if let Some(since) = lane.inserted() {
                            let now = Instant::now();
                            self.next_by_age =
                                self.next_by_age.max(now + ((now - since) * REST).min(MOST_REST));
                        }
                    }
                    Err(Abandoned) => {
                        tracing::debug!(table = T::TABLE, partition, "batch left to whoever comes next");
                    }
                }
            }
            Ended::Nothing => {}
        }
    }

    /// Takes in what waits, has what is due delivered, holds back what does not fit. Gives the time to look again.
    fn advance(&mut self) -> Instant {
        let now = Instant::now();
        let mut wake = now + Duration::from_secs(1);
        let due = self
            .lanes
            .iter()
            .filter_map(|(partition, lane)| Some((lane.deadline(&self.limits)?, *partition)));
        let oldest = due.min().filter(|(due, _)| *due <= now && self.next_by_age <= now);
        for (&partition, lane) in &mut self.lanes {
            let turn = oldest.is_some_and(|(_, oldest)| oldest == partition);
            loop {
                let took = take_waiting(&self.decoder, &self.deliver, partition, lane, &self.limits);
                let at_end = lane.at_end && lane.waiting.is_empty() && self.compacted;
                let Some((cut, plan)) = lane.cut(&self.limits, turn.then_some(now), at_end, T::partition_key)
                else {
                    if !took {
                        break;
                    }
                    continue;
                };
                if turn {
                    self.next_by_age = now + self.insert_interval;
                }
                let (deliver, id, cancel) = (Arc::clone(&self.deliver), lane.id, lane.cancel.clone());
                self.tasks.spawn(async move {
                    Ended::Delivered(partition, id, deliver.deliver(partition, cut, plan, cancel).await)
                });
            }
            if lane.is_open() && !lane.waiting.is_empty() {
                wake = wake.min(now + SCHEMA_RETRY);
            }
        }
        if let Some(due) = self.lanes.values().filter_map(|lane| lane.deadline(&self.limits)).min() {
            wake = wake.min(due.max(self.next_by_age));
        }
        self.hold_back();
        wake
    }

    /// Pauses partitions that have no room, and resumes those that have it again.
    fn hold_back(&mut self) {
        let held: usize = self.lanes.values().map(|lane| lane.bytes(held_by)).sum();
        let rows: usize = self.lanes.values().map(Lane::rows).sum();
        self.held = held;
        let too_much = held >= self.buffer_bytes;
        // Plans of before a restart may need more than the buffer (another process's partitions came to us, or a smaller
        // buffer was configured), and nothing is inserted of one that is not whole: one at a time is let through.
        let whatever = self.lanes.iter().filter(|(_, l)| l.repeats()).map(|(partition, _)| *partition).min();
        let (mut pause, mut resume) = (TopicPartitionList::new(), TopicPartitionList::new());
        for (&partition, lane) in &mut self.lanes {
            let too_much = too_much && whatever != Some(partition);
            let no_room = too_much || !lane.waiting.is_empty() || lane.is_full(&self.limits);
            if no_room != lane.paused {
                lane.paused = no_room;
                let list = if no_room { &mut pause } else { &mut resume };
                list.add_partition(&self.deliver.topic, partition);
            }
        }
        for (list, pausing) in [(&pause, true), (&resume, false)] {
            if list.count() == 0 {
                continue;
            }
            let done =
                if pausing { self.deliver.consumer.pause(list) } else { self.deliver.consumer.resume(list) };
            if let Err(error) = done {
                // Such a partition has just been taken away.
                tracing::debug!(table = T::TABLE, %error, pausing, "pausing or resuming partitions");
            }
        }
        let gauge = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        metrics::BUFFERED_BYTES.with_label_values(&[T::TABLE]).set(gauge(held));
        metrics::BUFFERED_ROWS.with_label_values(&[T::TABLE]).set(gauge(rows));
        let paused = self.lanes.values().filter(|lane| lane.paused).count();
        metrics::PAUSED.with_label_values(&[T::TABLE]).set(gauge(paused));
    }

    async fn finish(mut self) {
        self.part.not_ready("shutting down");
        let deadline = Instant::now() + self.drain;
        while let Ok(Some(_)) = tokio::time::timeout_at(deadline, self.tasks.join_next()).await {}
        for lane in self.lanes.values() {
            lane.cancel.cancel();
        }
        self.tasks.shutdown().await;
        let deliver = self.deliver;
        // Leaving the group waits for the broker.
        drop(tokio::task::spawn_blocking(move || drop(deliver)).await);
    }
}

/// Runs the sinks of all tables until shutdown.
pub async fn run_all(
    process: &Process,
    options: &SinkOptions,
    dead_letters: Option<DeadLetterSink>,
) -> Result<(), SinkError> {
    let events = TableSink::<EnrichedTicket>::new(process, options, dead_letters.clone())?;
    let windows = TableSink::<Window>::new(process, options, dead_letters.clone())?;
    let opinions = TableSink::<Opinion>::new(process, options, dead_letters.clone())?;
    let reviews = TableSink::<Review>::new(process, options, dead_letters.clone())?;
    let quality = TableSink::<Quality>::new(process, options, dead_letters.clone())?;
    let drift = TableSink::<Drift>::new(process, options, dead_letters.clone())?;
    let alerts = TableSink::<Alert>::new(process, options, dead_letters.clone())?;
    let audit = TableSink::<AuditLink>::new(process, options, dead_letters.clone())?;
    let heads = TableSink::<AuditHead>::new(process, options, dead_letters.clone())?;
    let letters = TableSink::<DeadLetter>::new(process, options, None)?;
    let outcomes = TableSink::<Outcome>::new(process, options, dead_letters)?;
    let mut sinks = JoinSet::new();
    sinks.spawn(events.run());
    sinks.spawn(windows.run());
    sinks.spawn(opinions.run());
    sinks.spawn(reviews.run());
    sinks.spawn(quality.run());
    sinks.spawn(drift.run());
    sinks.spawn(alerts.run());
    sinks.spawn(audit.run());
    sinks.spawn(heads.run());
    sinks.spawn(letters.run());
    sinks.spawn(outcomes.run());
    while let Some(ended) = sinks.join_next().await {
        if let Err(error) = ended {
            // A bug: the other sinks go on, and readiness tells.
            tracing::error!(%error, "a ClickHouse sink ended by itself");
        }
    }
    Ok(())
}
