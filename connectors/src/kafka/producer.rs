//! One librdkafka producer that several sinks share, with a byte budget for what is in flight.

use super::error::SendError;
use super::metrics;
use deskstream_runtime::kafka::{self, KafkaError, MAX_MESSAGE_BYTES};
use deskstream_runtime::{Process, config::KafkaConfig};
use parking_lot::RwLock;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::producer::future_producer::Delivery;
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer as _};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// The budget is counted in these, so that a semaphore's 32-bit permits reach far enough.
const UNIT_BYTES: usize = 1024;

/// How long a waiting send sleeps when librdkafka's own queue is full, which the budget makes rare.
const QUEUE_FULL_WAIT: Duration = Duration::from_millis(5);

/// librdkafka's own timeout comes first; ours is for what it can't time, such as a frozen broker's request.
const TIMEOUT_MARGIN: Duration = Duration::from_millis(500);

/// How a producer behaves.
#[derive(Debug, Clone)]
pub struct ProducerOptions {
    /// Name in metrics.
    pub name: &'static str,
    /// How long a record waits for others to share a request with.
    pub linger: Duration,
    /// After this a record counts as not acknowledged.
    pub timeout: Duration,
    /// Most bytes in flight.
    pub budget_bytes: usize,
}

impl ProducerOptions {
    /// For events that a caller waits for: answers well within a webhook sender's 12 s.
    pub fn events() -> Self {
        Self {
            name: "events",
            linger: Duration::from_millis(2),
            timeout: Duration::from_secs(8),
            budget_bytes: 64 * 1024 * 1024,
        }
    }

    /// For outcomes, audit records and dead letters, whose writers can wait.
    pub fn records() -> Self {
        Self {
            name: "records",
            linger: Duration::from_millis(5),
            timeout: Duration::from_secs(30),
            budget_bytes: 32 * 1024 * 1024,
        }
    }
}

/// Where an acknowledged record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

struct Shared {
    options: ProducerOptions,
    client_config: ClientConfig,
    client: RwLock<FutureProducer>,
}

/// What may be in flight.
struct Budget {
    name: &'static str,
    left: Arc<Semaphore>,
    units: u32,
}

impl Budget {
    fn new(name: &'static str, bytes: usize) -> Arc<Self> {
        // A record of the largest size must fit, or it would wait for ever.
        let units = u32::try_from(bytes.max(2 * MAX_MESSAGE_BYTES) / UNIT_BYTES).unwrap_or(u32::MAX >> 4);
        Arc::new(Self { name, left: Arc::new(Semaphore::new(units as usize)), units })
    }
}

/// A producer; cheap to clone.
#[derive(Clone)]
pub struct Producer {
    shared: Arc<Shared>,
    budget: Arc<Budget>,
}

/// Room in the budget, given back when dropped.
pub(super) struct Room {
    _permit: OwnedSemaphorePermit,
    units: i64,
    name: &'static str,
}

impl Drop for Room {
    fn drop(&mut self) {
        metrics::IN_FLIGHT.with_label_values(&[self.name]).sub(self.units * UNIT_BYTES as i64);
    }
}

impl Producer {
    /// A producer with the process's Kafka settings.
    pub fn new(process: &Process, options: ProducerOptions) -> Result<Self, KafkaError> {
        Self::with_config(&process.config.kafka, options)
    }

    /// As [`Producer::new`], from the Kafka settings alone.
    pub fn with_config(config: &KafkaConfig, options: ProducerOptions) -> Result<Self, KafkaError> {
        let mut client_config = kafka::producer(config);
        client_config
            .set("linger.ms", options.linger.as_millis().to_string())
            .set("message.timeout.ms", options.timeout.as_millis().to_string())
            // Twice the budget: headers and keys are not counted there.
            .set("queue.buffering.max.kbytes", (options.budget_bytes / 512).to_string());
        let client = client_config.create().map_err(KafkaError::Client)?;
        let budget = Budget::new(options.name, options.budget_bytes);
        Ok(Self { shared: Arc::new(Shared { options, client_config, client: RwLock::new(client) }), budget })
    }

    /// The same producer with a budget of its own, so that who can wait takes no room from who can't.
    #[must_use]
    pub fn with_budget(&self, name: &'static str, bytes: usize) -> Self {
        Self { shared: Arc::clone(&self.shared), budget: Budget::new(name, bytes) }
    }

    /// Waits until what was handed over is acknowledged or has failed.
    pub async fn flush(&self, timeout: Duration) {
        let client = self.shared.client.read().clone();
        drop(tokio::task::spawn_blocking(move || client.flush(timeout)).await);
    }

    /// Room for a record of that size; waits for it.
    pub(super) async fn room(&self, bytes: usize) -> Room {
        let units = self.units(bytes);
        let permit = Arc::clone(&self.budget.left)
            .acquire_many_owned(units)
            .await
            .expect("the budget's semaphore is never closed");
        self.occupied(permit, units)
    }

    /// Room for a record of that size, if there is some now.
    pub(super) fn try_room(&self, bytes: usize) -> Result<Room, SendError> {
        let units = self.units(bytes);
        match Arc::clone(&self.budget.left).try_acquire_many_owned(units) {
            Ok(permit) => Ok(self.occupied(permit, units)),
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => Err(SendError::Busy),
        }
    }

    fn units(&self, bytes: usize) -> u32 {
        u32::try_from(bytes / UNIT_BYTES + 1).unwrap_or(u32::MAX).min(self.budget.units)
    }

    fn occupied(&self, permit: OwnedSemaphorePermit, units: u32) -> Room {
        let name = self.budget.name;
        metrics::IN_FLIGHT.with_label_values(&[name]).add(i64::from(units) * UNIT_BYTES as i64);
        Room { _permit: permit, units: i64::from(units), name }
    }

    /// Hands a record over and waits for the acknowledgement.
    pub(super) async fn send(
        &self,
        topic: &str,
        key: &str,
        payload: &[u8],
        room: Room,
    ) -> Result<Ack, SendError> {
        let started = Instant::now();
        let result = self.send_once(topic, key, payload).await;
        drop(room);
        match &result {
            Ok(_) => {
                metrics::ACK_SECONDS.with_label_values(&[topic]).observe(started.elapsed().as_secs_f64());
                metrics::SENT.with_label_values(&[topic, "acked"]).inc();
            }
            Err(error) => {
                metrics::SENT.with_label_values(&[topic, error.reason()]).inc();
                self.replace_if_dead();
            }
        }
        result
    }

    async fn send_once(&self, topic: &str, key: &str, payload: &[u8]) -> Result<Ack, SendError> {
        let deadline = tokio::time::Instant::now() + self.shared.options.timeout + TIMEOUT_MARGIN;
        let delivery = loop {
            match self.hand_over(topic, key, payload) {
                Ok(delivery) => break delivery,
                Err(ClientError::MessageProduction(RDKafkaErrorCode::QueueFull))
                    if tokio::time::Instant::now() < deadline =>
                {
                    tokio::time::sleep(QUEUE_FULL_WAIT).await;
                }
                Err(source) => return Err(classify(topic, payload.len(), source)),
            }
        };
        match tokio::time::timeout_at(deadline, delivery).await {
            Ok(Ok(Ok(Delivery { partition, offset, .. }))) => Ok(Ack { partition, offset }),
            Ok(Ok(Err((source, _)))) => Err(classify(topic, payload.len(), source)),
            // The sender is dropped with a producer that was replaced: nobody knows what became of the record.
            Ok(Err(_)) | Err(_) => Err(SendError::Timeout { topic: topic.to_owned() }),
        }
    }

    fn hand_over(&self, topic: &str, key: &str, payload: &[u8]) -> Result<DeliveryFuture, ClientError> {
        let record = FutureRecord::to(topic).key(key).payload(payload);
        self.shared.client.read().send_result(record).map_err(|(error, _)| error)
    }

    /// An idempotent producer that lost track of its sequence is dead for good: the next record gets a new one.
    fn replace_if_dead(&self) {
        let Some((code, reason)) = self.shared.client.read().client().fatal_error() else { return };
        let mut client = self.shared.client.write();
        if client.client().fatal_error().is_none() {
            return;
        }
        match self.shared.client_config.create() {
            Ok(fresh) => {
                tracing::warn!(%code, reason, producer = self.shared.options.name, "producer replaced after a fatal error");
                *client = fresh;
            }
            Err(error) => tracing::error!(%error, "a dead producer could not be replaced"),
        }
    }
}

fn classify(topic: &str, bytes: usize, source: ClientError) -> SendError {
    let topic = topic.to_owned();
    match source.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidMessageSize) => {
            SendError::TooLarge { topic, bytes }
        }
        Some(RDKafkaErrorCode::QueueFull) => SendError::Busy,
        Some(RDKafkaErrorCode::MessageTimedOut) => SendError::Timeout { topic },
        _ => SendError::Broker { topic, source },
    }
}
