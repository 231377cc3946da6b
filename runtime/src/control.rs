//! The `control` topic, materialised: entities that steer the system, the same in every process.
//!
//! A thread consumes the topic's one partition from the beginning and keeps the latest version of each entity.
//! [`Control::start`] returns once it has read up to where the topic ended then; [`Control::put`] returns once
//! the broker acknowledged the change *and* this process has read it back, so that a process sees its own writes.

use crate::config::KafkaConfig;
use crate::health::{Health, Part};
use crate::kafka;
use crate::seal::{DATA_KEY_KIND, OpenError, REQUESTER_KEY_KIND, SealError, Vault};
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

/// A requester's first event waits for its key: shorter than the 12 s that a webhook's sender waits.
const REQUESTER_KEY_TIMEOUT: Duration = Duration::from_secs(8);

/// So many requesters' keys are made at a time; of one requester one, so that a burst does not make many.
const KEY_MAKERS: usize = 1024;

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
    /// A key that was just made can't be read.
    #[error("take in a key that was just made")]
    Open(#[from] OpenError),
}

type Entities = BTreeMap<String, Arc<ControlEntity>>;

struct Shared {
    entities: RwLock<Entities>,
    vault: Arc<Vault>,
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
        let shared = Arc::new(Shared { entities: RwLock::default(), vault, applied: sender });
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
        let makers = (0..KEY_MAKERS).map(|_| tokio::sync::Mutex::default()).collect();
        let control = Self { shared, applied, producer, encoder, topic, makers, shutdown };
        control.wait_for_end(config).await?;
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

    /// Removes an entity by a tombstone, in every process; waits as [`Control::put`] does. A key that is removed is
    /// destroyed: compaction takes what was written of it off the broker's disks (see decision 0015).
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

    /// Makes sure that values of the tenant can be sealed. Two processes that do this at once make two keys, of
    /// which the newer seals and both open.
    pub async fn ensure_data_key(&self, tenant: &str, by: &str) -> Result<(), ControlError> {
        if self.shared.vault.has_key(tenant) {
            return Ok(());
        }
        let key_id = format!("{:x}-{:08x}", now_ms(), rand::random::<u32>());
        self.put(&self.shared.vault.new_data_key(tenant, &key_id, by)).await
    }

    /// Makes sure that values of the requester are sealed with a key of its own, which [`Control::remove`] destroys.
    /// Returns when the broker has the key: no event may be acknowledged whose key could be lost.
    pub async fn ensure_requester_key(
        &self,
        tenant: &str,
        requester: &str,
        by: &str,
    ) -> Result<(), ControlError> {
        let vault = &self.shared.vault;
        if vault.has_requester_key(tenant, requester) {
            return Ok(());
        }
        let mut hasher = std::hash::DefaultHasher::new();
        std::hash::Hash::hash(&(tenant, requester), &mut hasher);
        let maker = std::hash::Hasher::finish(&hasher) as usize % KEY_MAKERS;
        let _alone = self.makers[maker].lock().await;
        if vault.has_requester_key(tenant, requester) {
            return Ok(());
        }
        let entity = vault.new_requester_key(tenant, requester, by)?;
        let (key, payload) = (entity.key(), self.encoder.encode(&entity)?);
        let record = FutureRecord::to(&self.topic).partition(0).key(&key).payload(&payload);
        self.producer.send(record, REQUESTER_KEY_TIMEOUT).await.map_err(|(e, _)| ControlError::Kafka(e))?;
        // Not read back, as [`Control::put`] does: a stream of new requesters would wait for each other.
        Ok(vault.learn(&entity)?)
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
            _ => Err(ControlError::Timeout(START_TIMEOUT)),
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
                    match self.shared.vault.learn(&entity) {
                        Ok(()) => {
                            let orphans = self.orphans.lock().remove(&entity.id);
                            orphans.into_iter().flatten().for_each(|entity| self.learn_requester(entity));
                        }
                        Err(error) => tracing::error!(
                            id = %entity.id, %error,
                            "a data key can't be unwrapped: is keys.master the right one, or is an earlier one \
                             missing in keys.older?"
                        ),
                    }
                }
                self.shared.entities.write().insert(key.to_owned(), Arc::new(entity));
            }
            Err(error) => tracing::warn!(offset, %error, "control record that can't be read, ignored"),
        }
    }

    fn learn_requester(&self, entity: ControlEntity) {
        match self.shared.vault.learn(&entity) {
            Ok(()) => {}
            Err(OpenError::UnknownKey(tenant_key)) => {
                self.orphans.lock().entry(tenant_key).or_default().push(entity);
            }
            // Its tenant was erased.
            Err(OpenError::Destroyed(_)) => {}
            Err(error @ OpenError::Tampered) => {
                tracing::error!(id = %entity.id, %error, "a requester's key can't be unwrapped, ignored");
            }
        }
    }
}
