//! The task that chains. It is a member of a consumer group on `audit`, which has one partition: of several processes one
//! chains, and another takes over when that is gone.

use super::metrics;
use super::owner::{ChainError, Out, Owner};
use super::signing::{Signer, SigningError};
use crate::clickhouse::names;
use crate::kafka::{DeadLetterSink, Refusal};
use deskstream_runtime::health::Part;
use deskstream_runtime::telemetry::told;
use deskstream_runtime::time::now_ms;
use deskstream_runtime::{Process, kafka};
use deskstream_schemas::{
    AuditHead, AuditLink, AuditRecord, DeadLetter, DecodeError, Decoder, EVERY_TENANT, Encoder, Stage, Topic,
};
use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

/// Behind the name of the product's group: the consumer group, and the transactional id.
pub const GROUP_SUFFIX: &str = "audit-chain";

const POLL: Duration = Duration::from_millis(200);
const RETRY: Duration = Duration::from_secs(1);

/// After the first record of a batch so long is waited for more: each transaction has a fixed price.
const GATHER: Duration = Duration::from_millis(50);
const BATCH: usize = 1000;

/// Starts the task; it ends on the process' shutdown.
pub async fn spawn(
    process: &Process,
    dead_letters: DeadLetterSink,
    tasks: &TaskTracker,
) -> Result<(), SigningError> {
    let writer = Writer {
        id: format!("{}-{GROUP_SUFFIX}", process.config.pipeline.group),
        signer: RefCell::new(Signer::ready(process, "connect").await?),
        part: process.health.part("audit chain"),
        decoder: Decoder::new(Arc::clone(&process.registry)),
        links: Encoder::new(&process.ids),
        heads: Encoder::new(&process.ids),
        letters: Encoder::new(&process.ids),
        dead_letters,
        process: process.clone(),
    };
    // Calls to the broker that block. A runtime that ends does not wait for it, as it would for a blocking task.
    let (running, ended) = oneshot::channel::<()>();
    std::thread::Builder::new()
        .name("audit chain".to_owned())
        .spawn(move || {
            writer.run();
            drop(running);
        })
        .expect("the system has threads to give at start");
    tasks.spawn(async move { drop(ended.await) });
    Ok(())
}

/// Counts changes of what the group has given us.
#[derive(Default)]
struct Changes(AtomicU64);

impl ClientContext for Changes {}

impl ConsumerContext for Changes {
    fn post_rebalance(&self, _: &BaseConsumer<Self>, _: &Rebalance<'_>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

struct Writer {
    id: String,
    process: Process,
    signer: RefCell<Signer>,
    part: Part,
    decoder: Decoder<AuditRecord>,
    links: Encoder<AuditLink>,
    heads: Encoder<AuditHead>,
    letters: Encoder<DeadLetter>,
    dead_letters: DeadLetterSink,
}

/// What a batch was read as.
struct Batch {
    records: Vec<Result<AuditRecord, DeadLetter>>,
    next: i64,
}

impl Writer {
    fn run(self) {
        while !self.ending() {
            if let Err(error) = self.write() {
                let error = told(&error);
                tracing::warn!(%error, "the audit trail is not chained for a moment, starting over");
                self.part.not_ready(error);
                std::thread::park_timeout(RETRY);
            }
        }
        self.part.not_ready("shutting down");
    }

    fn ending(&self) -> bool {
        self.process.shutdown.is_cancelled()
    }

    /// Chains until shutdown, an error, or a change of who has the partition.
    fn write(&self) -> Result<(), ChainError> {
        let mut config = kafka::consumer(&self.process.config.kafka, &self.id);
        config.set("statistics.interval.ms", "0");
        let consumer: BaseConsumer<Changes> = config.create_with_context(Changes::default())?;
        let topic = self.process.topics.name(Topic::Audit);
        consumer.subscribe(&[topic.as_str()])?;
        let mut owner: Option<(u64, Owner)> = None;
        while !self.ending() {
            let first = consumer.poll(POLL);
            let changes = consumer.context().0.load(Ordering::SeqCst);
            if owner.as_ref().is_some_and(|(since, _)| *since != changes) {
                // Another may have chained since: what it committed is read anew.
                return Ok(());
            }
            let Some(first) = first else {
                // Waiting for records, or for the partition that another process has.
                self.part.ready();
                continue;
            };
            let batch = self.gather(&consumer, first?)?;
            if consumer.context().0.load(Ordering::SeqCst) != changes {
                return Ok(());
            }
            let owner = match &mut owner {
                Some((_, owner)) => owner,
                none => &mut none.insert((changes, Owner::take_over(&self.process, &self.id)?)).1,
            };
            let group = consumer.group_metadata().ok_or(KafkaError::Canceled)?;
            let out = self.chain(owner, batch.records)?;
            owner.commit(&self.process, &out, batch.next, &group)?;
            self.part.ready();
        }
        Ok(())
    }

    fn gather(
        &self,
        consumer: &BaseConsumer<Changes>,
        first: BorrowedMessage<'_>,
    ) -> Result<Batch, ChainError> {
        let until = Instant::now() + GATHER;
        let mut batch = Batch { records: Vec::new(), next: 0 };
        let mut message = Some(first);
        while let Some(taken) = message {
            batch.next = taken.offset() + 1;
            if let Some(payload) = taken.payload() {
                batch.records.push(self.read(payload, &taken)?);
            }
            let left = until.saturating_duration_since(Instant::now());
            message = if batch.records.len() < BATCH { consumer.poll(left).transpose()? } else { None };
        }
        Ok(batch)
    }

    fn read(
        &self,
        payload: &[u8],
        message: &BorrowedMessage<'_>,
    ) -> Result<Result<AuditRecord, DeadLetter>, ChainError> {
        loop {
            let error = match self.decoder.decode(payload) {
                Ok(record) => return Ok(Ok(record)),
                Err(DecodeError::Pending { .. }) if !self.ending() => {
                    std::thread::park_timeout(GATHER);
                    continue;
                }
                Err(DecodeError::Pending { .. }) => return Err(KafkaError::Canceled.into()),
                Err(error) => error,
            };
            let letter = self.dead_letters.record(Refusal {
                tenant: EVERY_TENANT,
                stage: Stage::Decode,
                reason: error.reason(),
                error: error.to_string(),
                fix: "find who writes such records to the audit topic, and let only Deskstream write to it"
                    .into(),
                source: format!("{}/0/{}", message.topic(), message.offset()),
                event_id: None,
                attempts: 1,
                payload: Some(payload),
            })?;
            return Ok(Err(letter));
        }
    }

    /// The links of the records, and the signed heads behind them.
    fn chain(
        &self,
        owner: &mut Owner,
        records: Vec<Result<AuditRecord, DeadLetter>>,
    ) -> Result<Vec<Out>, ChainError> {
        let now = now_ms();
        let mut out = Vec::with_capacity(records.len() + 8);
        for record in records {
            match record {
                Ok(record) => {
                    let link = owner.chains.append(record, now);
                    metrics::LINKS.with_label_values(&[names::retention(link.retention)]).inc();
                    let (key, payload) = (link.record.tenant.clone(), self.links.encode(&link)?);
                    out.push(Out { topic: Topic::AuditChain, key, payload });
                }
                Err(letter) => {
                    let (key, payload) = (letter.source.clone(), self.letters.encode(&letter)?);
                    out.push(Out { topic: Topic::DeadLetter, key, payload });
                }
            }
        }
        let mut signer = self.signer.borrow_mut();
        signer.renew(&self.process);
        for (id, end) in owner.chains.grown() {
            let payload = self.heads.encode(&signer.sign(&id, &end))?;
            out.push(Out { topic: Topic::AuditHeads, key: id.key(), payload });
        }
        Ok(out)
    }
}
