//! What the one writer of the chains holds: a transactional producer, which fences any earlier writer, and the chains'
//! ends as they were when it did.

use super::chain::{ChainId, Chains, End};
use deskstream_runtime::{Process, kafka};
use deskstream_schemas::{AuditHead, DecodeError, Decoder, Topic};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);
const DELIVERY_CHECK: Duration = Duration::from_micros(500);

/// A step of the writer failed; it starts over from what is committed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each variant wraps the error of one step")]
pub enum ChainError {
    #[error("Kafka")]
    Kafka(#[from] KafkaError),
    #[error("write a link or a head")]
    Encode(#[from] deskstream_schemas::EncodeError),
    #[error("keep what can't be read")]
    DeadLetter(#[from] crate::kafka::SendError),
    #[error("read a head at offset {0}")]
    Head(i64, #[source] DecodeError),
    #[error("the head at offset {0} has no hash of 32 bytes")]
    Hash(i64),
    #[error("the heads were not read to their end within {}s", TIMEOUT.as_secs())]
    Timeout,
}

/// One record to write.
pub(super) struct Out {
    pub(super) topic: Topic,
    pub(super) key: String,
    pub(super) payload: Vec<u8>,
}

/// The writer.
pub(super) struct Owner {
    producer: Arc<BaseProducer<DefaultProducerContext>>,
    pub(super) chains: Chains,
}

impl Owner {
    /// Fences earlier writers, settles what they left open, and reads the heads.
    pub(super) fn take_over(process: &Process, id: &str) -> Result<Self, ChainError> {
        let mut settings = kafka::producer(&process.config.kafka);
        settings
            .set("transactional.id", id)
            .set("transaction.timeout.ms", "60000")
            .set("delivery.report.only.error", "true")
            .set("linger.ms", "2");
        let producer = kafka::polled(&settings, DefaultProducerContext)?;
        producer.init_transactions(TIMEOUT)?;
        Ok(Self { producer, chains: Chains::new(ends(process)?) })
    }

    /// Writes records and the position behind what they were made of, all or nothing. After an error the writer is of
    /// no more use: its chains are ahead of what is committed.
    pub(super) fn commit(
        &self,
        process: &Process,
        records: &[Out],
        next: i64,
        group: &ConsumerGroupMetadata,
    ) -> Result<(), ChainError> {
        self.producer.begin_transaction()?;
        for Out { topic, key, payload } in records {
            let topic = process.topics.name(*topic);
            let mut record = BaseRecord::to(&topic).partition(0).key(key).payload(payload);
            while let Err((error, same)) = self.producer.send(record) {
                if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                    return Err(error.into());
                }
                record = same;
                std::thread::park_timeout(DELIVERY_CHECK);
            }
        }
        // The commit would wait for deliveries too, but in steps of 100 ms (rdkafka 0.39).
        let deadline = Instant::now() + TIMEOUT;
        while self.producer.in_flight_count() > 0 && Instant::now() < deadline {
            std::thread::park_timeout(DELIVERY_CHECK);
        }
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(&process.topics.name(Topic::Audit), 0, Offset::Offset(next))?;
        self.producer.send_offsets_to_transaction(&offsets, group, TIMEOUT)?;
        Ok(self.producer.commit_transaction(TIMEOUT)?)
    }
}

/// Reads the heads to their present end.
pub(super) fn heads(process: &Process) -> Result<HashMap<ChainId, AuditHead>, ChainError> {
    let topic = process.topics.name(Topic::AuditHeads);
    let consumer: BaseConsumer = kafka::consumer(&process.config.kafka, "deskstream-audit-heads").create()?;
    let (low, high) = kafka::watermarks(&consumer, &topic, 0, TIMEOUT)?;
    let mut heads = HashMap::new();
    if low == high {
        return Ok(heads);
    }
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(&topic, 0, Offset::Beginning)?;
    consumer.assign(&assignment)?;
    let decoder: Decoder<AuditHead> = Decoder::new(Arc::clone(&process.registry));
    let deadline = Instant::now() + TIMEOUT;
    let mut waiting = None;
    loop {
        if let Some(message) = waiting.take().or_else(|| consumer.poll(POLL)) {
            let message = message?;
            match message.payload().map(|payload| decoder.decode(payload)) {
                Some(Err(DecodeError::Pending { .. })) => waiting = Some(Ok(message)),
                Some(Err(error)) => return Err(ChainError::Head(message.offset(), error)),
                Some(Ok(head)) => {
                    End::of(&head).ok_or(ChainError::Hash(message.offset()))?;
                    heads.insert(ChainId { tenant: head.tenant.clone(), retention: head.retention }, head);
                }
                None => {}
            }
        }
        // Compaction and markers leave gaps: the position tells.
        let position = consumer.position()?.elements().first().map(|element| element.offset());
        if waiting.is_none() && matches!(position, Some(Offset::Offset(at)) if at >= high) {
            return Ok(heads);
        }
        if Instant::now() >= deadline {
            return Err(ChainError::Timeout);
        }
    }
}

fn ends(process: &Process) -> Result<HashMap<ChainId, End>, ChainError> {
    let ends = heads(process)?.into_iter().filter_map(|(id, head)| Some((id, End::of(&head)?)));
    Ok(ends.collect())
}
