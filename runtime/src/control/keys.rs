//! Keys on the control topic: made once, brought to every process, wrapped anew, destroyed.

use super::{Control, ControlError, Follower, PUT_TIMEOUT};
use crate::seal::{DATA_KEY_KIND, LearnError, OpenError, Vault, WrapError};
use crate::telemetry::told;
use deskstream_schemas::ControlEntity;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::FutureRecord;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A requester's first event waits for its key: shorter than the 12 s that a webhook's sender waits.
const REQUESTER_KEY_TIMEOUT: Duration = Duration::from_secs(8);

/// So many requesters' keys are made at a time; of one requester one, so that a burst does not make many.
pub(super) const KEY_MAKERS: usize = 1024;

/// So many tombstones are on their way at a time: well within the client's queue.
const REMOVALS: usize = 1000;

/// A key management service that does not answer is asked again after this.
const KMS_PAUSE: Duration = Duration::from_secs(1);

impl Control {
    /// Makes sure that values of the tenant can be sealed. Two processes that do this at once make two keys, of
    /// which the newer seals and both open.
    pub async fn ensure_data_key(&self, tenant: &str, by: &str) -> Result<(), ControlError> {
        if self.shared.vault.has_key(tenant) {
            return Ok(());
        }
        // Never beside keys that are there and can't be unwrapped: what they sealed would be lost from sight.
        if let Some(locked) = self.list(DATA_KEY_KIND).into_iter().find(|key| key.tenant == tenant) {
            return Err(ControlError::Locked(locked.id.clone()));
        }
        self.new_data_key(tenant, by).await.map(drop)
    }

    /// Makes a data key that seals the tenant's values from now on; gives its id. Earlier ones still open.
    pub async fn new_data_key(&self, tenant: &str, by: &str) -> Result<String, ControlError> {
        let (tenant, by) = (tenant.to_owned(), by.to_owned());
        let key = self.wrapping(move |vault| vault.new_data_key(&tenant, &by)).await?;
        self.put(&key).await?;
        Ok(key.id)
    }

    /// Wraps a data key with what wraps now; false if it is already.
    pub async fn rewrap(&self, key: Arc<ControlEntity>) -> Result<bool, ControlError> {
        match self.wrapping(move |vault| vault.rewrap(&key)).await? {
            Some(new) => self.put(&new).await.map(|()| true),
            None => Ok(false),
        }
    }

    /// Wrapping may wait for a service.
    async fn wrapping<T: Send + 'static>(
        &self,
        wrap: impl FnOnce(&Vault) -> Result<T, WrapError> + Send + 'static,
    ) -> Result<T, ControlError> {
        let vault = Arc::clone(&self.shared.vault);
        let wrapped = tokio::task::spawn_blocking(move || wrap(&vault)).await;
        Ok(wrapped.expect("wrapping a key does not panic")?)
    }

    /// Makes sure that values of the requester are sealed with a key of its own, which [`Control::remove_all`] destroys.
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
        let maker = std::hash::Hasher::finish(&hasher) % KEY_MAKERS as u64;
        let _alone = self.makers[usize::try_from(maker).unwrap_or_default()].lock().await;
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

    /// Removes entities of kinds and ids by tombstones, in every process; waits as [`Control::put`] does. A key that is
    /// removed is destroyed: compaction takes what was written of it off the broker's disks (see decision 0015).
    pub async fn remove_all(&self, entities: &[(String, String)]) -> Result<(), ControlError> {
        let mut last = None;
        for some in entities.chunks(REMOVALS) {
            let keys: Vec<_> = some.iter().map(|(kind, id)| format!("{kind}/{id}")).collect();
            let mut sent = Vec::with_capacity(keys.len());
            for key in &keys {
                let record = FutureRecord::<str, [u8]>::to(&self.topic).partition(0).key(key);
                sent.push(self.producer.send_result(record).map_err(|(e, _)| ControlError::Kafka(e))?);
            }
            for delivery in sent {
                let canceled = KafkaError::MessageProduction(RDKafkaErrorCode::MessageTimedOut);
                let delivered = tokio::time::timeout(PUT_TIMEOUT, delivery).await;
                let delivered = delivered.map_err(|_| ControlError::Timeout(PUT_TIMEOUT))?;
                let delivery = delivered.map_err(|_| ControlError::Kafka(canceled))?;
                last = Some(delivery.map_err(|(e, _)| ControlError::Kafka(e))?.offset);
            }
        }
        match last {
            Some(offset) => self.read_back(offset).await,
            None => Ok(()),
        }
    }

    /// That every data key can be unwrapped, once the topic was read to its end.
    pub(super) fn unlocked(&self) -> Result<(), ControlError> {
        let locked = self.list(DATA_KEY_KIND).into_iter().find(|key| !self.shared.vault.knows(&key.id));
        let Some(locked) = locked else { return Ok(()) };
        // It was tried before, and failed for good: the reason is asked for once more to be told.
        match self.shared.vault.learn(&locked) {
            Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Follower {
    /// Takes a key in, and those of requesters that waited for it.
    pub(super) fn learn(&self, entity: &ControlEntity, shutdown: &CancellationToken) {
        loop {
            match self.shared.vault.learn(entity) {
                Ok(()) => break,
                Err(error) if error.transient() && !shutdown.is_cancelled() => {
                    let told = told(&error);
                    tracing::warn!(id = %entity.id, error = %told, "a data key can't be unwrapped yet");
                    self.part.not_ready(told.clone());
                    *self.shared.trouble.lock() = Some(told);
                    std::thread::park_timeout(KMS_PAUSE);
                }
                // At its start a process also meets versions that were wrapped anew since; the rest it tells itself.
                Err(error) => {
                    tracing::warn!(id = %entity.id, error = %told(&error), "a data key can't be unwrapped");
                    return;
                }
            }
        }
        *self.shared.trouble.lock() = None;
        let orphans = self.orphans.lock().remove(&entity.id);
        orphans.into_iter().flatten().for_each(|entity| self.learn_requester(entity));
    }

    pub(super) fn learn_requester(&self, entity: ControlEntity) {
        match self.shared.vault.learn(&entity) {
            Ok(()) => {}
            Err(LearnError::Open(OpenError::UnknownKey(tenant_key))) => {
                self.orphans.lock().entry(tenant_key).or_default().push(entity);
            }
            // Its tenant was erased.
            Err(LearnError::Open(OpenError::Destroyed(_))) => {}
            Err(error) => {
                tracing::error!(id = %entity.id, error = %told(&error), "a requester's key can't be opened, ignored");
            }
        }
    }
}
