//! Ordered, at-least-once consumption of a topic by a consumer group. See the module's contract.

use super::dead_letter::{DeadLetterSink, Refusal};
use super::lanes::Lanes;
use super::metrics;
use super::progress::{Progress, Ticket};
use deskstream_runtime::Process;
use deskstream_runtime::health::Part;
use deskstream_runtime::kafka;
use deskstream_runtime::time::now_ms;
use deskstream_schemas::{DecodeError, Decoder, EVERY_TENANT, Record, Stage, Subject};
use futures::FutureExt;
use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message, OwnedMessage};
use rdkafka::{ClientContext, Statistics};
use std::borrow::Cow;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::xxh3_64;

const SCHEMA_RETRY: Duration = Duration::from_millis(50);
const DEAD_LETTER_RETRY: Duration = Duration::from_secs(1);
const CONSUME_RETRY: Duration = Duration::from_millis(500);

/// How far the clock of whoever wrote a record may be ahead of ours.
const CLOCK_DIFFERENCE_MS: i64 = 10_000;

/// How a feed behaves.
#[derive(Debug, Clone)]
pub struct FeedOptions {
    /// Name in metrics, logs and readiness.
    pub name: &'static str,
    /// Consumer group.
    pub group: String,
    /// Most handlers that run at the same time. A record that waits to be tried again takes no part in it.
    pub concurrency: usize,
    /// Most records taken in and unfinished; beyond this the topic waits.
    pub queue: usize,
    /// How long running handlers may take to end on shutdown.
    pub drain: Duration,
    /// Which records concern this feed, by key; the others are passed over unread.
    pub concerns: fn(scope: &str, key: &[u8]) -> bool,
    /// What `concerns` is asked with.
    pub scope: String,
}

impl FeedOptions {
    /// A feed with room for 64 keys at once and 1,024 records.
    pub fn new(name: &'static str, group: impl Into<String>) -> Self {
        Self {
            name,
            group: group.into(),
            concurrency: 64,
            queue: 1024,
            drain: Duration::from_secs(10),
            concerns: |_, _| true,
            scope: String::new(),
        }
    }

    /// Keeps to the records of one tenant, whose keys [`deskstream_schemas::ticket_key`] made. With a group of its
    /// own, a tenant whose service is slow then holds up no other.
    #[must_use]
    pub fn of_tenant(mut self, tenant: &str) -> Self {
        self.scope = format!("{tenant}/");
        self.concerns = |scope, key| key.starts_with(scope.as_bytes());
        self
    }
}

/// A feed could not start.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The consumer could not be made, or could not subscribe.
    #[error("subscribe to topic {topic} as group {group}")]
    Subscribe {
        /// Full name of the topic.
        topic: String,
        /// Consumer group.
        group: String,
        /// Why.
        #[source]
        source: Box<KafkaError>,
    },
}

/// A record as a handler gets it.
#[derive(Debug)]
pub struct Received<T> {
    /// The record.
    pub record: T,
    /// Its key; empty if it has none or is no text.
    pub key: String,
    /// Full name of the topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// How often the handler was called for it before.
    pub tries: u32,
    /// Whether another process, or this one before it lost the partition, may have handled it already.
    pub maybe_repeated: bool,
}

impl<T> Received<T> {
    /// Its source position, as in dead letters.
    pub fn source(&self) -> String {
        position(&self.topic, self.partition, self.offset)
    }
}

/// How a handler ends: well, or with what shall happen instead.
pub type Handled = Result<(), Unhandled>;

/// What shall happen to a record that its handler did not finish.
#[derive(Debug, Clone)]
pub enum Unhandled {
    /// It can never be handled: to the dead letter.
    Poison {
        /// Stable reason code in kebab-case.
        reason: &'static str,
        /// What is wrong, without personal data.
        error: String,
        /// What an operator can do about it.
        fix: Cow<'static, str>,
    },
    /// Call the handler again after this time; later records of the same key wait.
    Later(Duration),
    /// The process is ending: leave it to the next one.
    Abandoned,
}

/// Consumes records of one type.
pub struct Feed<T: Record> {
    options: FeedOptions,
    consumer: StreamConsumer<Context>,
    topic: String,
    decoder: Arc<Decoder<T>>,
    dead_letters: DeadLetterSink,
    part: Part,
    shutdown: CancellationToken,
}

impl<T: Record + Sync> Feed<T> {
    /// Subscribes to the topic of `T`.
    ///
    /// # Panics
    /// If `T` is no topic's record ([`Subject::Content`]).
    pub fn new(
        process: &Process,
        options: FeedOptions,
        dead_letters: DeadLetterSink,
    ) -> Result<Self, FeedError> {
        let Subject::Value(topic) = T::SUBJECT else {
            panic!("{:?} is no topic's record", T::SUBJECT);
        };
        let topic = process.topics.name(topic);
        let mut config = kafka::consumer(&process.config.kafka, &options.group);
        config
            // librdkafka commits what we *stored*, which is only what is finished: now and then, when a partition
            // is taken away, and when the consumer closes.
            .set("enable.auto.commit", "true")
            .set("auto.commit.interval.ms", "1000")
            .set("statistics.interval.ms", "5000");
        let kip_848 = process.config.kafka.properties.get("group.protocol").is_some_and(|p| p == "consumer");
        if !kip_848 {
            // Partitions that stay with their member are not interrupted by a rebalance.
            config.set("partition.assignment.strategy", "cooperative-sticky");
        }
        let failed = |source| FeedError::Subscribe {
            topic: topic.clone(),
            group: options.group.clone(),
            source: Box::new(source),
        };
        let context = Context { name: options.name, state: Mutex::default() };
        let consumer: StreamConsumer<Context> = config.create_with_context(context).map_err(failed)?;
        consumer.subscribe(&[topic.as_str()]).map_err(failed)?;
        Ok(Self {
            part: process.health.part(options.name),
            consumer,
            topic,
            decoder: Arc::new(Decoder::new(Arc::clone(&process.registry))),
            dead_letters,
            shutdown: process.shutdown.clone(),
            options,
        })
    }

    /// Feeds `handler` until shutdown, then lets what runs end and commits.
    pub async fn run<H, F>(self, handler: H)
    where
        H: Fn(Arc<Received<T>>) -> F + Send + Sync + 'static,
        F: Future<Output = Handled> + Send + 'static,
    {
        let worker = Arc::new(Worker {
            name: self.options.name,
            handler,
            decoder: Arc::clone(&self.decoder),
            dead_letters: self.dead_letters.clone(),
            slots: Semaphore::new(self.options.concurrency.max(1)),
            shutdown: self.shutdown.clone(),
        });
        let mut running = Running::new(&self.options);
        self.part.ready();
        let mut paused = false;
        loop {
            let full = running.lanes.len() >= self.options.queue;
            if full != paused {
                paused = self.pause(full);
            }
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => break,
                Some(ended) = running.tasks.join_next_with_id() => self.ended(&mut running, ended),
                // Polled even while paused: this is what keeps us in the group.
                message = self.consumer.recv() => match message {
                    Ok(message) => {
                        self.take(&mut running, &message);
                        self.part.ready();
                        // A rebalance may have brought a partition that is not paused yet.
                        paused = paused && self.pause(true);
                    }
                    Err(error) => {
                        tracing::warn!(feed = self.options.name, %error, "consuming failed, going on");
                        self.part.not_ready(error.to_string());
                        tokio::time::sleep(CONSUME_RETRY).await;
                    }
                },
            }
            running.start(&worker);
        }
        self.drain(running).await;
    }

    fn take(&self, running: &mut Running, message: &BorrowedMessage<'_>) {
        let (ticket, assigned_at) = {
            let mut state = self.consumer.context().state.lock();
            let assigned_at = state.assigned_at.get(&message.partition()).copied().unwrap_or(i64::MAX);
            (state.progress.begin(message.partition(), message.offset()), assigned_at)
        };
        if !(self.options.concerns)(&self.options.scope, message.key().unwrap_or_default()) {
            self.finish(ticket);
            return;
        }
        let written_at = message.timestamp().to_millis().unwrap_or(0);
        let maybe_repeated = written_at < assigned_at.saturating_add(CLOCK_DIFFERENCE_MS);
        running.take(Work { ticket, message: message.detach(), maybe_repeated });
    }

    /// Pauses or resumes every partition; gives whether they are paused now.
    fn pause(&self, pause: bool) -> bool {
        let done = self.consumer.assignment().and_then(|assigned| {
            if pause { self.consumer.pause(&assigned) } else { self.consumer.resume(&assigned) }
        });
        if let Err(error) = done {
            tracing::warn!(feed = self.options.name, %error, pause, "can't pause or resume");
            return !pause;
        }
        pause
    }

    fn ended(&self, running: &mut Running, ended: Result<(Id, bool), JoinError>) {
        // A task catches the panics of its handler; one that was aborted is not finished.
        let (id, finished) = ended.unwrap_or_else(|error| (error.id(), false));
        let Some((lane, ticket)) = running.out.remove(&id) else { return };
        running.lanes.end(lane);
        running.gauge();
        if finished {
            self.finish(ticket);
        }
    }

    fn finish(&self, ticket: Ticket) {
        let Some(offset) = self.consumer.context().state.lock().progress.finish(ticket) else { return };
        // librdkafka wants the offset of the last record, and stores the one behind it.
        if let Err(error) = self.consumer.store_offset(&self.topic, ticket.partition, offset - 1) {
            tracing::debug!(feed = self.options.name, %error, "offset of a partition that is no longer ours");
        }
    }

    async fn drain(self, mut running: Running) {
        self.part.not_ready("shutting down");
        let deadline = tokio::time::Instant::now() + self.options.drain;
        while running.lanes.running() > 0 {
            match tokio::time::timeout_at(deadline, running.tasks.join_next_with_id()).await {
                Ok(Some(ended)) => self.ended(&mut running, ended),
                Ok(None) => break,
                Err(_) => {
                    tracing::warn!(
                        feed = self.options.name,
                        left = running.lanes.running(),
                        "handlers did not end in time: their records will be delivered again"
                    );
                    break;
                }
            }
        }
        running.tasks.shutdown().await;
        metrics::UNFINISHED.with_label_values(&[self.options.name]).set(0);
        // Leaving the group waits for the broker.
        let consumer = self.consumer;
        let left = tokio::task::spawn_blocking(move || {
            drop(consumer.commit_consumer_state(CommitMode::Sync));
            drop(consumer);
        });
        drop(left.await);
    }
}

/// What is taken in and unfinished.
struct Running {
    name: &'static str,
    lanes: Lanes<Work>,
    tasks: JoinSet<bool>,
    out: HashMap<Id, (u64, Ticket)>,
}

struct Work {
    ticket: Ticket,
    message: OwnedMessage,
    maybe_repeated: bool,
}

impl Running {
    fn new(options: &FeedOptions) -> Self {
        Self {
            name: options.name,
            // Each key has a task; how many handlers run is for the worker's slots to bound.
            lanes: Lanes::new(options.queue),
            tasks: JoinSet::new(),
            out: HashMap::new(),
        }
    }

    fn take(&mut self, work: Work) {
        // Two keys with one hash share a lane, which costs concurrency and never order.
        let lane = work.message.key().map_or(work.ticket.partition.unsigned_abs().into(), xxh3_64);
        self.lanes.push(lane, work);
        self.gauge();
    }

    fn start<T: Record + Sync, H, F>(&mut self, worker: &Arc<Worker<T, H>>)
    where
        H: Fn(Arc<Received<T>>) -> F + Send + Sync + 'static,
        F: Future<Output = Handled> + Send + 'static,
    {
        while let Some((lane, work)) = self.lanes.start() {
            let (worker, ticket) = (Arc::clone(worker), work.ticket);
            let task = self.tasks.spawn(async move { worker.work(&work.message, work.maybe_repeated).await });
            self.out.insert(task.id(), (lane, ticket));
        }
    }

    fn gauge(&self) {
        let unfinished = i64::try_from(self.lanes.len()).unwrap_or(i64::MAX);
        metrics::UNFINISHED.with_label_values(&[self.name]).set(unfinished);
    }
}

/// What becomes of one record, from its bytes to a finished offset.
struct Worker<T: Record, H> {
    name: &'static str,
    handler: H,
    decoder: Arc<Decoder<T>>,
    dead_letters: DeadLetterSink,
    slots: Semaphore,
    shutdown: CancellationToken,
}

impl<T: Record + Sync, H, F> Worker<T, H>
where
    H: Fn(Arc<Received<T>>) -> F + Send + Sync + 'static,
    F: Future<Output = Handled> + Send + 'static,
{
    /// Whether the record is finished, so that its offset may be passed.
    async fn work(&self, message: &OwnedMessage, maybe_repeated: bool) -> bool {
        let Some(payload) = message.payload() else {
            self.count("empty");
            return true;
        };
        let record = loop {
            match self.decoder.decode(payload) {
                Ok(record) => break record,
                Err(DecodeError::Pending { .. }) => {
                    if !self.wait(SCHEMA_RETRY).await {
                        return self.abandon();
                    }
                }
                Err(error) => {
                    let fix =
                        "find the producer that wrote it; the payload is kept sealed in the dead letter";
                    let poison = (Stage::Decode, error.reason(), error.to_string(), Cow::Borrowed(fix));
                    return self.bury(message, poison, 1).await;
                }
            }
        };
        let mut received = Arc::new(Received {
            record,
            key: message.key().and_then(|k| std::str::from_utf8(k).ok()).unwrap_or_default().to_owned(),
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            tries: 0,
            maybe_repeated,
        });
        loop {
            let slot = tokio::select! {
                slot = self.slots.acquire() => slot.expect("the slots' semaphore is never closed"),
                () = self.shutdown.cancelled() => return self.abandon(),
            };
            let call = async { (self.handler)(Arc::clone(&received)).await };
            let handled = AssertUnwindSafe(call).catch_unwind().await;
            drop(slot);
            let attempts = received.tries.saturating_add(1);
            match handled {
                Ok(Ok(())) => {
                    self.count("done");
                    return true;
                }
                Ok(Err(Unhandled::Abandoned)) => return self.abandon(),
                Ok(Err(Unhandled::Later(after))) => {
                    self.count("later");
                    if !self.wait(after).await {
                        return self.abandon();
                    }
                    match Arc::get_mut(&mut received) {
                        Some(received) => {
                            received.tries = attempts;
                            received.maybe_repeated = true;
                        }
                        None => {
                            tracing::debug!(feed = self.name, "a handler kept its record: tries not counted");
                        }
                    }
                }
                Ok(Err(Unhandled::Poison { reason, error, fix })) => {
                    return self.bury(message, (Stage::Sink, reason, error, fix), attempts).await;
                }
                Err(_panic) => {
                    let error = format!("the handler of feed {} panicked", self.name);
                    let fix = Cow::Borrowed("this is a bug: report it with the log around this time");
                    return self.bury(message, (Stage::Sink, "panic", error, fix), attempts).await;
                }
            }
        }
    }

    /// Writes the dead letter, however long that takes: the record is not lost.
    async fn bury(
        &self,
        message: &OwnedMessage,
        (stage, reason, error, fix): (Stage, &'static str, String, Cow<'static, str>),
        attempts: u32,
    ) -> bool {
        let source = position(message.topic(), message.partition(), message.offset());
        tracing::warn!(feed = self.name, source, reason, "record goes to the dead letter");
        let refusal = Refusal {
            tenant: tenant_of(message.key()),
            stage,
            reason,
            error,
            fix,
            source,
            event_id: None,
            attempts: i32::try_from(attempts).unwrap_or(i32::MAX),
            payload: message.payload(),
        };
        loop {
            match self.dead_letters.send(refusal.clone()).await {
                Ok(_) => {
                    self.count("dead_letter");
                    return true;
                }
                Err(error) if error.retry() => {
                    tracing::warn!(feed = self.name, %error, "dead letter not acknowledged, trying again");
                    if !self.wait(DEAD_LETTER_RETRY).await {
                        return self.abandon();
                    }
                }
                Err(error) => {
                    tracing::error!(feed = self.name, %error, "dead letter can't be written, record only counted");
                    self.count("lost");
                    return true;
                }
            }
        }
    }

    fn abandon(&self) -> bool {
        self.count("abandoned");
        false
    }

    /// False if the process ends meanwhile.
    async fn wait(&self, time: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(time) => true,
            () = self.shutdown.cancelled() => false,
        }
    }

    fn count(&self, result: &str) {
        metrics::HANDLED.with_label_values(&[self.name, result]).inc();
    }
}

/// The first part of a record key, where it is one that [`deskstream_schemas::ticket_key`] made.
fn tenant_of(key: Option<&[u8]>) -> &str {
    key.and_then(|k| std::str::from_utf8(k).ok())
        .and_then(|k| k.split_once('/'))
        .map_or(EVERY_TENANT, |(tenant, _)| tenant)
}

fn position(topic: &str, partition: i32, offset: i64) -> String {
    format!("{topic}/{partition}/{offset}")
}

/// librdkafka's callbacks.
struct Context {
    name: &'static str,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    progress: Progress,
    /// When each partition became ours, in ms since the Unix epoch.
    assigned_at: HashMap<i32, i64>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_the_tenant() {
        assert_eq!(tenant_of(Some(b"acme/zendesk/17")), "acme");
        assert_eq!(tenant_of(Some(b"whatever")), EVERY_TENANT);
        assert_eq!(tenant_of(Some(&[0xff, b'/'])), EVERY_TENANT);
        assert_eq!(tenant_of(None), EVERY_TENANT);
    }
}
