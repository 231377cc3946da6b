//! The `control` topic, materialised: entities that steer the system, the same in every process.
//!
//! A thread consumes the topic's one partition from the beginning and keeps the latest version of each entity.
//! [`Control::start`] returns once it has read up to where the topic ended then; [`Control::put`] returns once
//! the broker acknowledged the change *and* this process has read it back, so that a process sees its own writes.

mod keys;
pub mod sealed;

use crate::config::KafkaConfig;
use crate::health::{Health, Part};
use crate::kafka;
use crate::seal::{DATA_KEY_KIND, LearnError, REQUESTER_KEY_KIND, SealError, Vault, WrapError};
use crate::time::now_ms;
use deskstream_schemas::{ControlEntity, DecodeError, Decoder, Encoder, Registry, SchemaIds, Topic, Topics};
use parking_lot::{Mutex, RwLock};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const POLL: Duration = Duration::from_millis(100);
const START_TIMEOUT: Duration = Duration::from_secs(30);
const PUT_TIMEOUT: Duration = Duration::from_secs(15);

/// The control topic could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Kafka refused.
    #[error("read or write the control topic")]
    Kafka(#[source] rdkafka::error::KafkaError),
    /// Its end was not reached in time.
    #[error("the control topic could not be read to its end within {}s", .0.as_secs())]
    Timeout(Duration),
    /// An entity could not be written.
    #[error(transparent)]
    Encode(#[from] deskstream_schemas::EncodeError),
    /// A key could not be made.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A key could not be wrapped.
    #[error("wrap a data key")]
    Wrap(#[from] WrapError),
    /// A key can't be taken in.
    #[error(transparent)]
    Learn(#[from] LearnError),
    /// The service that unwraps data keys did not, for as long as was waited.
    #[error("{0}")]
    Kms(String),
    /// There are keys that this process can't use.
    #[error("data key {0} can't be unwrapped by this process, which must not make another")]
    Locked(String),
}

type Entities = BTreeMap<String, Arc<ControlEntity>>;

struct Shared {
    entities: RwLock<Entities>,
    vault: Arc<Vault>,
    /// Why a data key is not unwrapped yet.
    trouble: Mutex<Option<String>>,
    /// Offset behind the last record applied.
    applied: watch::Sender<i64>,
}

/// A handle on the materialised topic; cheap to clone.
#[derive(Clone)]
pub struct Control {
    shared: Arc<Shared>,
    applied: watch::Receiver<i64>,
    producer: FutureProducer,
    encoder: Arc<Encoder<ControlEntity>>,
    topic: Arc<str>,
    makers: Arc<[tokio::sync::Mutex<()>]>,
    shutdown: CancellationToken,
}

impl Control {
    /// Reads the topic to its present end and keeps following it until `shutdown`.
    pub async fn start(
        config: &KafkaConfig,
        topics: &Topics,
        registry: &Arc<Registry>,
        ids: &SchemaIds,
        vault: Arc<Vault>,
        health: &Health,
        shutdown: CancellationToken,
    ) -> Result<Self, ControlError> {
        let topic: Arc<str> = topics.name(Topic::Control).into();
        let consumer: BaseConsumer =
            kafka::consumer(config, "deskstream-control").create().map_err(ControlError::Kafka)?;
        let producer: FutureProducer =
            kafka::producer(config).set("linger.ms", "0").create().map_err(ControlError::Kafka)?;
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(&topic, 0, Offset::Beginning).map_err(ControlError::Kafka)?;
        consumer.assign(&assignment).map_err(ControlError::Kafka)?;

        let (sender, applied) = watch::channel(0);
        let shared = Arc::new(Shared {
            entities: RwLock::default(),
            vault,
            trouble: Mutex::default(),
            applied: sender,
        });
        let follower = Follower {
            shared: Arc::clone(&shared),
            decoder: Decoder::new(Arc::clone(registry)),
            part: health.part("control"),
            topic: Arc::clone(&topic),
            orphans: Mutex::default(),
        };
        std::thread::Builder::new()
            .name("control".to_owned())
            .spawn({
                let shutdown = shutdown.clone();
                move || follower.run(&consumer, &shutdown)
            })
            .expect("the system has threads to give at start");
        let encoder = Arc::new(Encoder::new(ids));
        let makers = (0..keys::KEY_MAKERS).map(|_| tokio::sync::Mutex::default()).collect();
        let control = Self { shared, applied, producer, encoder, topic, makers, shutdown };
        control.wait_for_end(config).await?;
        // A process with a wrong master key must not begin: it would refuse what it can't open.
        let checked = control.clone();
        tokio::task::spawn_blocking(move || checked.unlocked())
            .await
            .expect("looking at keys does not panic")?;
        Ok(control)
    }

    /// The latest version of an entity.
    pub fn get(&self, kind: &str, id: &str) -> Option<Arc<ControlEntity>> {
        self.shared.entities.read().get(&format!("{kind}/{id}")).cloned()
    }

    /// Every entity of a kind, by id.
    pub fn list(&self, kind: &str) -> Vec<Arc<ControlEntity>> {
        let from = format!("{kind}/");
        self.shared
            .entities
            .read()
            .range::<str, _>((Bound::Included(from.as_str()), Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(&from))
            .map(|(_, entity)| Arc::clone(entity))
            .collect()
    }

    /// Everything of a tenant but the keys of its requesters, which the vault holds.
    pub fn of_tenant(&self, tenant: &str) -> Vec<Arc<ControlEntity>> {
        let entities = self.shared.entities.read();
        entities.values().filter(|entity| entity.tenant == tenant).cloned().collect()
    }

    /// Changes whenever an entity changed.
    pub fn changes(&self) -> watch::Receiver<i64> {
        self.applied.clone()
    }

    /// Writes a new version of an entity and waits until this process has read it back. While the process is
    /// ending it no longer reads: then the broker's acknowledgement is enough.
    pub async fn put(&self, entity: &ControlEntity) -> Result<(), ControlError> {
        let key = entity.key();
        let payload = self.encoder.encode(entity)?;
        let record = FutureRecord::to(&self.topic).partition(0).key(&key).payload(&payload);
        let delivery =
            self.producer.send(record, PUT_TIMEOUT).await.map_err(|(e, _)| ControlError::Kafka(e))?;
        self.read_back(delivery.offset).await
    }

    /// Removes an entity by a tombstone, in every process; waits as [`Control::put`] does.
    pub async fn remove(&self, kind: &str, id: &str) -> Result<(), ControlError> {
        let key = format!("{kind}/{id}");
        let record = FutureRecord::<str, [u8]>::to(&self.topic).partition(0).key(&key);
        let delivery =
            self.producer.send(record, PUT_TIMEOUT).await.map_err(|(e, _)| ControlError::Kafka(e))?;
        self.read_back(delivery.offset).await
    }

    async fn read_back(&self, offset: i64) -> Result<(), ControlError> {
        let mut applied = self.applied.clone();
        let read_back = applied.wait_for(|applied| *applied > offset);
        tokio::select! {
            read = tokio::time::timeout(PUT_TIMEOUT, read_back) => match read {
                Ok(Ok(_)) => Ok(()),
                _ => Err(ControlError::Timeout(PUT_TIMEOUT)),
            },
            () = self.shutdown.cancelled() => Ok(()),
        }
    }

    /// Writes the next version of the entity with that body.
    pub async fn put_json(
        &self,
        kind: &str,
        id: &str,
        tenant: &str,
        by: &str,
        body: &serde_json::Value,
    ) -> Result<(), ControlError> {
        let version = self.get(kind, id).map_or(1, |old| old.version + 1);
        self.put(&ControlEntity {
            kind: kind.to_owned(),
            id: id.to_owned(),
            tenant: tenant.to_owned(),
            version,
            updated_at: now_ms(),
            updated_by: by.to_owned(),
            body: body.to_string(),
            secret: None,
        })
        .await
    }

    async fn wait_for_end(&self, config: &KafkaConfig) -> Result<(), ControlError> {
        let probe: BaseConsumer = kafka::client(config).create().map_err(ControlError::Kafka)?;
        let topic = Arc::clone(&self.topic);
        let (_, end) =
            tokio::task::spawn_blocking(move || kafka::watermarks(&probe, &topic, 0, START_TIMEOUT))
                .await
                .expect("fetching watermarks does not panic")
                .map_err(ControlError::Kafka)?;
        let mut applied = self.applied.clone();
        match tokio::time::timeout(START_TIMEOUT, applied.wait_for(|offset| *offset >= end)).await {
            Ok(Ok(_)) => Ok(()),
            _ => match self.shared.trouble.lock().take() {
                Some(trouble) => Err(ControlError::Kms(trouble)),
                None => Err(ControlError::Timeout(START_TIMEOUT)),
            },
        }
    }
}

/// The thread that follows the topic.
struct Follower {
    shared: Arc<Shared>,
    decoder: Decoder<ControlEntity>,
    part: Part,
    topic: Arc<str>,
    /// Requesters' keys whose tenant's key has not been read yet, by that key: compaction keeps the latest of each, so
    /// a tenant's key that was wrapped anew lies behind the keys that it wraps.
    orphans: Mutex<HashMap<String, Vec<ControlEntity>>>,
}

impl Follower {
    fn run(self, consumer: &BaseConsumer, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            match consumer.poll(POLL) {
                None => {}
                Some(Ok(message)) => {
                    self.apply(message.key(), message.payload(), message.offset(), shutdown);
                    self.shared.applied.send_replace(message.offset() + 1);
                }
                Some(Err(error)) => {
                    self.part.not_ready(format!("{}: {error}", self.topic));
                    continue;
                }
            }
            self.advance(consumer);
            self.part.ready();
        }
    }

    /// Compaction and markers leave gaps: the position, not the last record, tells how far we are.
    fn advance(&self, consumer: &BaseConsumer) {
        let position = consumer.position().ok().and_then(|list| match list.elements().first()?.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        });
        if let Some(position) = position {
            self.shared.applied.send_if_modified(|applied| {
                let ahead = position > *applied;
                *applied = position.max(*applied);
                ahead
            });
        }
    }

    fn apply(&self, key: Option<&[u8]>, payload: Option<&[u8]>, offset: i64, shutdown: &CancellationToken) {
        let Some(key) = key.and_then(|k| std::str::from_utf8(k).ok()) else {
            tracing::warn!(offset, "control record without a readable key, ignored");
            return;
        };
        let Some(payload) = payload else {
            self.shared.entities.write().remove(key);
            if let Some((DATA_KEY_KIND | REQUESTER_KEY_KIND, id)) = key.split_once('/') {
                self.orphans.lock().values_mut().for_each(|keys| keys.retain(|entity| entity.id != id));
                self.shared.vault.forget(id);
            }
            return;
        };
        let entity = loop {
            match self.decoder.decode(payload) {
                Err(DecodeError::Pending { .. }) if !shutdown.is_cancelled() => {
                    std::thread::park_timeout(POLL);
                }
                decoded => break decoded,
            }
        };
        match entity {
            Ok(entity) => {
                // Requesters' keys may be millions: the vault holds them, in less room.
                if entity.kind == REQUESTER_KEY_KIND {
                    self.learn_requester(entity);
                    return;
                }
                if entity.kind == DATA_KEY_KIND {
                    self.learn(&entity, shutdown);
                }
                self.shared.entities.write().insert(key.to_owned(), Arc::new(entity));
            }
            Err(error) => tracing::warn!(offset, %error, "control record that can't be read, ignored"),
        }
    }
}
