//! The committer: one thread a process that owns the transactional producer.
//!
//! Workers hand it closed epochs through a bounded queue. It gathers what is there into one transaction: the
//! outputs and the source offsets behind them become visible together or not at all.
//!
//! * An abortable error: the transaction is aborted and done again from the same records.
//! * Fenced by a newer process with the same transactional id: this process ends; the newer one goes on.
//! * Anything else that leaves the transaction's fate unknown: the producer is made anew, which settles the fate
//!   at the broker; the group's offsets then tell whether it was committed, and it is redone only if not.

use super::overdue::{let_go, within};
use super::stage::OutRecord;
use crate::metrics;
use crate::source::{Credit, committed_offsets};
use crossbeam_channel::{Receiver, Sender, bounded};
use deskstream_runtime::Process;
use deskstream_runtime::config::KafkaConfig;
use deskstream_runtime::health::Part;
use deskstream_runtime::kafka;
use deskstream_schemas::{Topic, Topics};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Closed epochs that may wait; beyond it workers keep them, which stops their sources by credit.
const QUEUE_EPOCHS: usize = 16;

/// A transaction takes no more records than this, however many epochs wait.
const MAX_RECORDS: usize = 20_000;

/// An epoch of so many events is one of many: latency is the backlog's then, and a fuller transaction, of which the
/// broker's costs are mostly fixed, makes it shorter.
const BUSY_EVENTS: usize = 200;

/// How long a busy committer gathers.
const GATHER: Duration = Duration::from_millis(200);

const TIMEOUT: Duration = Duration::from_secs(30);

/// Calls that should end within [`TIMEOUT`] are given up after this time.
const PATIENCE: Duration = Duration::from_secs(45);

const DELIVERY_CHECK: Duration = Duration::from_micros(500);
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// The committer had to give up; the process must end.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Another process took over.
    #[error("another process with transactional id {0} has taken over; this one ends")]
    Fenced(String),
    /// The producer could not be made.
    #[error("make a transactional producer for {id}")]
    Producer {
        /// Its transactional id.
        id: String,
        /// Why.
        #[source]
        source: KafkaError,
    },
    /// The offsets could not be read.
    #[error(transparent)]
    Offsets(#[from] crate::source::AssignError),
}

/// What one worker's epoch produced.
#[derive(Debug, Default)]
pub struct ClosedEpoch {
    /// Records to produce.
    pub records: Vec<OutRecord>,
    /// Position behind the last record, of each source partition.
    pub offsets: BTreeMap<i32, i64>,
    /// Source records behind it.
    pub events: usize,
}

impl ClosedEpoch {
    fn absorb(&mut self, other: Self) {
        self.records.extend(other.records);
        self.offsets.extend(other.offsets);
        self.events += other.events;
    }
}

/// Handle on the committer thread.
pub struct Committer {
    queue: Sender<ClosedEpoch>,
    thread: JoinHandle<Result<(), CommitError>>,
}

impl Committer {
    /// Fences earlier processes with the same id, then waits for epochs. On an error it cancels `process.shutdown`.
    pub fn start(process: &Process, index: usize, credit: Credit) -> Result<Self, CommitError> {
        let (queue, epochs) = bounded(QUEUE_EPOCHS);
        let group = format!("{}-enrich", process.config.pipeline.group);
        let mut worker = Worker {
            id: format!("{group}-{index}"),
            group,
            process: process.clone(),
            names: names(&process.topics),
            part: process.health.part("commit"),
            producer: None,
            credit,
        };
        worker.producer()?;
        worker.part.ready();
        let shutdown = process.shutdown.clone();
        let thread = std::thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || {
                let result = worker.run(&epochs, &shutdown);
                if let Err(error) = &result {
                    tracing::error!(%error, "the committer gives up");
                    shutdown.cancel();
                }
                result
            })
            .expect("the system has threads to give at start");
        Ok(Self { queue, thread })
    }

    /// Where workers put closed epochs.
    pub fn queue(&self) -> Sender<ClosedEpoch> {
        self.queue.clone()
    }

    /// Waits until what was handed over is committed, once every worker has dropped its queue.
    pub fn finish(self) -> Result<(), CommitError> {
        drop(self.queue);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn names(topics: &Topics) -> HashMap<Topic, String> {
    Topic::ALL.into_iter().map(|t| (t, topics.name(t))).collect()
}

type TransactionalProducer = Arc<BaseProducer<DefaultProducerContext>>;

struct Worker {
    id: String,
    group: String,
    process: Process,
    names: HashMap<Topic, String>,
    part: Part,
    producer: Option<(TransactionalProducer, BaseConsumer)>,
    credit: Credit,
}

/// Why a try at a transaction failed.
enum Failure {
    /// It was aborted: do it again.
    Aborted(KafkaError),
    /// Its fate is unknown: ask the broker.
    Unknown(KafkaError),
    /// A call did not come back: its fate is unknown as well.
    Overdue,
    /// Another process took over.
    Fenced,
}

impl Worker {
    fn run(
        &mut self,
        epochs: &Receiver<ClosedEpoch>,
        shutdown: &CancellationToken,
    ) -> Result<(), CommitError> {
        while let Ok(mut work) = epochs.recv() {
            let until = Instant::now() + GATHER;
            while work.records.len() < MAX_RECORDS {
                let more = if work.events < BUSY_EVENTS {
                    epochs.try_recv().ok()
                } else {
                    epochs.recv_deadline(until).ok()
                };
                let Some(more) = more else { break };
                work.absorb(more);
            }
            metrics::COMMIT_QUEUE.set(i64::try_from(epochs.len()).unwrap_or(i64::MAX));
            self.commit(&work, shutdown)?;
            self.credit.give_back(work.events);
            metrics::IN_FLIGHT.set(i64::try_from(self.credit.used()).unwrap_or(i64::MAX));
        }
        Ok(())
    }

    /// Commits the work, however often it takes; gives up only if fenced, or at shutdown with the broker away.
    fn commit(&mut self, work: &ClosedEpoch, shutdown: &CancellationToken) -> Result<(), CommitError> {
        loop {
            let started = Instant::now();
            match self.attempt(work) {
                Ok(()) => {
                    metrics::COMMITS.with_label_values(&["committed"]).inc();
                    metrics::COMMIT_SECONDS.observe(started.elapsed().as_secs_f64());
                    self.part.ready();
                    return Ok(());
                }
                Err(Failure::Fenced) => return Err(CommitError::Fenced(self.id.clone())),
                Err(Failure::Aborted(error)) => {
                    metrics::COMMITS.with_label_values(&["aborted"]).inc();
                    tracing::warn!(%error, "transaction aborted, doing it again");
                    self.part.not_ready(error.to_string());
                }
                Err(Failure::Unknown(error)) => {
                    tracing::warn!(%error, "transaction in doubt, asking the broker");
                    if self.resolve(work, shutdown, error.to_string())? {
                        return Ok(());
                    }
                }
                Err(Failure::Overdue) => {
                    let reason = format!("the broker has not ended a transaction in {}s", PATIENCE.as_secs());
                    if self.resolve(work, shutdown, reason)? {
                        return Ok(());
                    }
                }
            }
            std::thread::park_timeout(RETRY_PAUSE);
            if shutdown.is_cancelled() && self.producer.is_none() {
                // Nothing is lost: what is not committed is read again at the next start.
                return Ok(());
            }
        }
    }

    fn attempt(&mut self, work: &ClosedEpoch) -> Result<(), Failure> {
        let (producer, consumer) = self.producer().map_err(|e| match e {
            CommitError::Producer { source, .. } => Failure::Unknown(source),
            _ => Failure::Fenced,
        })?;
        let (producer, consumer) = (producer.clone(), consumer.group_metadata());
        let group = consumer.ok_or(Failure::Unknown(KafkaError::Canceled))?;
        producer.begin_transaction().map_err(|e| classify(&producer, e))?;
        for record in &work.records {
            self.produce(&producer, record).map_err(|e| classify(&producer, e))?;
        }
        let mut offsets = TopicPartitionList::new();
        for (partition, next) in &work.offsets {
            let added =
                offsets.add_partition_offset(&self.names[&Topic::Events], *partition, Offset::Offset(*next));
            added.map_err(|e| classify(&producer, e))?;
        }
        let ended = {
            let producer = producer.clone();
            within(PATIENCE, "end a transaction", move || end(&producer, &offsets, &group))
        };
        ended.map_err(|_| Failure::Overdue)?.map_err(|error| classify(&producer, error))
    }

    fn produce(&self, producer: &TransactionalProducer, record: &OutRecord) -> Result<(), KafkaError> {
        let mut next = BaseRecord::to(&self.names[&record.topic]).key(&record.key).payload(&record.payload);
        loop {
            match producer.send(next) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), same)) => {
                    next = same;
                    std::thread::park_timeout(Duration::from_millis(1));
                }
                Err((error, _)) => return Err(error),
            }
        }
    }

    /// The producer; a new one fences older ones and settles what they left open.
    fn producer(&mut self) -> Result<&(TransactionalProducer, BaseConsumer), CommitError> {
        if self.producer.is_none() {
            let (process, id, group) = (self.process.clone(), self.id.clone(), self.group.clone());
            let made = within(PATIENCE, "make a producer", move || make(&process.config.kafka, &id, &group));
            let made = made.unwrap_or(Err(KafkaError::Canceled));
            let failed = |source| CommitError::Producer { id: self.id.clone(), source };
            self.producer = Some(made.map_err(failed)?);
        }
        Ok(self.producer.as_ref().expect("just made"))
    }

    /// Makes the producer anew, which settles what is in doubt; says whether it was committed after all.
    fn resolve(
        &mut self,
        work: &ClosedEpoch,
        shutdown: &CancellationToken,
        reason: String,
    ) -> Result<bool, CommitError> {
        metrics::COMMITS.with_label_values(&["unknown"]).inc();
        self.part.not_ready(reason);
        if let Some(producer) = self.producer.take() {
            let_go(producer);
        }
        self.settled(work, shutdown)
    }

    /// After a doubtful commit: whether it was committed after all.
    fn settled(&mut self, work: &ClosedEpoch, shutdown: &CancellationToken) -> Result<bool, CommitError> {
        let partitions: Vec<i32> = work.offsets.keys().copied().collect();
        let topic = self.names[&Topic::Events].clone();
        let committed = loop {
            let made = self.producer().map(drop);
            let asked = made.and_then(|()| {
                Ok(committed_offsets(&self.process.config.kafka, &self.group, &topic, &partitions)?)
            });
            match asked {
                Ok(committed) => break committed,
                Err(error) if shutdown.is_cancelled() => {
                    tracing::warn!(%error, "what is in doubt is settled at the next start");
                    return Ok(false);
                }
                Err(error) => {
                    tracing::warn!(%error, "what is in doubt can't be settled yet");
                    std::thread::park_timeout(RETRY_PAUSE);
                }
            }
        };
        let reached = |(p, next): (&i32, &i64)| committed.get(p).is_some_and(|(at, _)| at >= next);
        Ok(!work.offsets.is_empty() && work.offsets.iter().all(reached))
    }
}

/// A producer, and a consumer that speaks for the group; it fences older ones and settles what they left open.
fn make(
    config: &KafkaConfig,
    id: &str,
    group: &str,
) -> Result<(TransactionalProducer, BaseConsumer), KafkaError> {
    let mut settings = kafka::producer(config);
    settings
        .set("transactional.id", id)
        .set("transaction.timeout.ms", "60000")
        // The commit tells of failures; reports of success would only be thrown away, one by one.
        .set("delivery.report.only.error", "true")
        .set("linger.ms", "2")
        .set("batch.num.messages", "20000")
        .set("batch.size", "1000000")
        .set("queue.buffering.max.messages", "200000")
        .set("queue.buffering.max.kbytes", "262144");
    let producer = kafka::polled(&settings, DefaultProducerContext)?;
    producer.init_transactions(TIMEOUT)?;
    Ok((producer, kafka::consumer(config, group).create()?))
}

/// Waits for deliveries, then commits, with the offsets behind them.
fn end(
    producer: &TransactionalProducer,
    offsets: &TopicPartitionList,
    group: &ConsumerGroupMetadata,
) -> Result<(), KafkaError> {
    // The commit would wait for deliveries too, but in steps of 100 ms (rdkafka 0.39).
    let deadline = Instant::now() + TIMEOUT;
    while producer.in_flight_count() > 0 && Instant::now() < deadline {
        std::thread::park_timeout(DELIVERY_CHECK);
    }
    producer.send_offsets_to_transaction(offsets, group, TIMEOUT)?;
    producer.commit_transaction(TIMEOUT)
}

fn classify(producer: &TransactionalProducer, error: KafkaError) -> Failure {
    let code = error.rdkafka_error_code();
    if matches!(
        code,
        Some(
            RDKafkaErrorCode::Fenced
                | RDKafkaErrorCode::InvalidProducerEpoch
                | RDKafkaErrorCode::ProducerFenced
        )
    ) {
        return Failure::Fenced;
    }
    let fatal =
        matches!(&error, KafkaError::Transaction(e) if e.is_fatal()) || code == Some(RDKafkaErrorCode::Fatal);
    if fatal {
        return Failure::Unknown(error);
    }
    let producer = producer.clone();
    match within(PATIENCE, "abort a transaction", move || producer.abort_transaction(TIMEOUT)) {
        Ok(Ok(())) => Failure::Aborted(error),
        Ok(Err(_)) | Err(_) => Failure::Unknown(error),
    }
}
