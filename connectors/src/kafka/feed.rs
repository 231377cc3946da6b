//! Ordered, at-least-once consumption of a topic by a consumer group. See the module's contract.

use super::dead_letter::DeadLetterSink;
use super::handler::{Handled, Received, Worker};
use super::lanes::Lanes;
use super::membership::Context;
use super::metrics;
use super::progress::Ticket;
use deskstream_runtime::Process;
use deskstream_runtime::health::Part;
use deskstream_runtime::kafka;
use deskstream_schemas::{Decoder, Record, Subject};
use parking_lot::Mutex;
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message, OwnedMessage};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::xxh3_64;

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
