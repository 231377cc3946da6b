//! The keys in memory: the master key from the environment or a service, data keys from the `control` topic.

use super::master::{LocalMaster, MasterKey};
use super::reference::{self, mac};
use super::requesters::{self, Requesters, is_requester_key};
use super::wrap::{KeyWrap, WrapError};
use super::xaes::{self, Prefix};
use crate::time::now_ms;
use aes_gcm::Aes256Gcm;
use deskstream_schemas::{ControlEntity, Sealed};
use parking_lot::RwLock;
use rand::Rng;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use zeroize::Zeroizing;

/// Kind of the control entities that hold wrapped data keys; their id is `tenant/key id`.
pub const DATA_KEY_KIND: &str = "tenant-key";

/// Kind of the control entities that hold a requester's key, wrapped by the tenant's; their id is `tenant/r/number`.
pub const REQUESTER_KEY_KIND: &str = "requester-key";

/// Readers keep this many derived keys; each writing process uses one for each data key.
const MAX_DERIVED: usize = 1024;

/// A value could not be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// No data key is there yet.
    #[error("tenant {0} has no data key")]
    NoKey(String),
    /// The value is larger than the cipher can take (64 GiB).
    #[error("the value is too large to seal")]
    TooLarge,
}

/// A sealed value could not be opened.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OpenError {
    /// The key is not known (yet), or was destroyed.
    #[error("data key {0} is not known, or was destroyed")]
    UnknownKey(String),
    /// The key was destroyed: what it sealed was erased.
    #[error("data key {0} was destroyed: what it sealed is erased")]
    Destroyed(String),
    /// It was changed, belongs to another record, or was sealed with another key.
    #[error("a sealed value was changed or belongs to another record")]
    Tampered,
}

/// A key could not be taken in from its control entity.
#[derive(Debug, thiserror::Error)]
pub enum LearnError {
    /// A data key could not be unwrapped.
    #[error("data key {id} can't be unwrapped: {source}")]
    Wrap {
        /// The key.
        id: String,
        /// Why.
        #[source]
        source: WrapError,
    },
    /// A requester's key could not be opened by its tenant's.
    #[error("open a requester's key")]
    Open(#[from] OpenError),
}

impl LearnError {
    /// Whether the same may succeed later.
    pub fn transient(&self) -> bool {
        matches!(self, Self::Wrap { source, .. } if source.transient())
    }
}

struct DataKey {
    key: Zeroizing<[u8; 32]>,
    writer: Aes256Gcm,
}

#[derive(Default)]
struct Keys {
    by_id: HashMap<String, Arc<DataKey>>,
    /// Of each tenant, its keys by when they were made: the last seals.
    of_tenant: HashMap<String, Vec<(i64, String)>>,
    /// Keys of requesters, wrapped by the tenant's.
    requesters: Requesters,
    /// Keys that were destroyed while this process ran.
    destroyed: HashSet<String>,
}

impl Keys {
    fn active(&self, tenant: &str) -> Option<(&str, &DataKey)> {
        let (_, id) = self.of_tenant.get(tenant)?.last()?;
        Some((id.as_str(), &**self.by_id.get(id)?))
    }

    /// The tenant's keys, oldest first.
    fn all<'a>(&'a self, tenant: &str) -> impl Iterator<Item = &'a DataKey> {
        let ids = self.of_tenant.get(tenant).into_iter().flatten();
        ids.filter_map(|(_, id)| self.by_id.get(id).map(|key| &**key))
    }

    fn absent(&self, key_id: &str) -> OpenError {
        let id = key_id.to_owned();
        if self.destroyed.contains(key_id) { OpenError::Destroyed(id) } else { OpenError::UnknownKey(id) }
    }
}

fn secret_of(key: &DataKey, label: &str) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(mac(&key.key, format!("deskstream/tenant-secret/{label}").as_bytes()))
}

fn random_key() -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0u8; 32]);
    rand::rng().fill_bytes(key.as_mut_slice());
    key
}

fn entity(kind: &str, id: String, tenant: &str, made_by: &str, secret: Sealed) -> ControlEntity {
    ControlEntity {
        kind: kind.to_owned(),
        id,
        tenant: tenant.to_owned(),
        version: 1,
        updated_at: now_ms(),
        updated_by: made_by.to_owned(),
        body: "{}".to_owned(),
        secret: Some(secret),
    }
}

/// Seals and opens values.
pub struct Vault {
    master: Box<dyn KeyWrap>,
    started_at: i64,
    prefix: Prefix,
    counter: AtomicU64,
    keys: RwLock<Keys>,
    derived: RwLock<HashMap<(String, Prefix), Arc<Aes256Gcm>>>,
}

impl Vault {
    /// A vault without data keys.
    pub fn new(master: MasterKey) -> Self {
        Self::with_wrap(Box::new(LocalMaster::new(master, Vec::new())))
    }

    /// A vault whose data keys are wrapped by `master`.
    pub fn with_wrap(master: Box<dyn KeyWrap>) -> Self {
        let mut prefix = Prefix::default();
        rand::rng().fill_bytes(&mut prefix);
        Self {
            master,
            started_at: now_ms(),
            prefix,
            counter: AtomicU64::new(0),
            keys: RwLock::default(),
            derived: RwLock::default(),
        }
    }

    /// Whether values of the tenant can be sealed.
    pub fn has_key(&self, tenant: &str) -> bool {
        self.keys.read().active(tenant).is_some()
    }

    /// Encrypts a value of the tenant; `aad` ties it to its record.
    pub fn seal(&self, tenant: &str, aad: &[u8], plaintext: &[u8]) -> Result<Sealed, SealError> {
        let keys = self.keys.read();
        let (key_id, key) = keys.active(tenant).ok_or_else(|| SealError::NoKey(tenant.to_owned()))?;
        let (nonce, suffix) = self.nonce();
        let ciphertext = xaes::seal(&key.writer, &suffix, aad, plaintext).ok_or(SealError::TooLarge)?;
        Ok(Sealed { key_id: key_id.to_owned(), nonce, ciphertext })
    }

    /// As [`Vault::seal`], under the requester's own key if there is one: destroying that erases the requester.
    pub fn seal_for(
        &self,
        tenant: &str,
        requester: Option<&str>,
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Sealed, SealError> {
        if let Some(requester) = requester {
            let keys = self.keys.read();
            if let Some((number, _, key)) = keys.requesters.newest(tenant, requester) {
                let (nonce, suffix) = self.nonce();
                let cipher = xaes::derive(key, &self.prefix);
                let ciphertext = xaes::seal(&cipher, &suffix, aad, plaintext).ok_or(SealError::TooLarge)?;
                return Ok(Sealed { key_id: requesters::key_id(tenant, number), nonce, ciphertext });
            }
        }
        self.seal(tenant, aad, plaintext)
    }

    /// Decrypts a value; `aad` must be what it was sealed with.
    pub fn open(&self, sealed: &Sealed, aad: &[u8]) -> Result<Vec<u8>, OpenError> {
        let (prefix, suffix) = xaes::halves(&sealed.nonce).ok_or(OpenError::Tampered)?;
        if is_requester_key(&sealed.key_id) {
            // A requester writes seldom: caching the derivation would only push out the tenants'.
            let keys = self.keys.read();
            let key = keys.requesters.get(&sealed.key_id).ok_or_else(|| keys.absent(&sealed.key_id))?;
            let cipher = xaes::derive(key, &prefix);
            return xaes::open(&cipher, &suffix, aad, &sealed.ciphertext).ok_or(OpenError::Tampered);
        }
        let cipher = self.reader(&sealed.key_id, prefix)?;
        xaes::open(&cipher, &suffix, aad, &sealed.ciphertext).ok_or(OpenError::Tampered)
    }

    /// When this vault began: keys that were made before are known to it as soon as `control` is read to its end.
    pub fn started_at(&self) -> i64 {
        self.started_at
    }

    /// Id of the master key that wraps new data keys.
    pub fn master_id(&self) -> String {
        self.master.current()
    }

    /// Whether what wrapped under that id is configured.
    pub fn has_master(&self, id: &str) -> bool {
        self.master.has(id)
    }

    /// The key that seals the tenant's values now.
    pub fn active_key(&self, tenant: &str) -> Option<String> {
        self.keys.read().active(tenant).map(|(id, _)| id.to_owned())
    }

    /// Whether the key can be used by this process.
    pub fn knows(&self, key_id: &str) -> bool {
        let keys = self.keys.read();
        keys.by_id.contains_key(key_id) || keys.requesters.get(key_id).is_some()
    }

    /// Whether the requester has a key that the tenant's newest wraps: after a rotation everybody gets a new one.
    pub fn has_requester_key(&self, tenant: &str, requester: &str) -> bool {
        let keys = self.keys.read();
        let active = keys.active(tenant).map(|(id, _)| id);
        keys.requesters.newest(tenant, requester).is_some_and(|(_, wrapper, _)| Some(wrapper) == active)
    }

    /// Ids of the keys of a requester, or of all the tenant's requesters.
    pub fn requester_keys(&self, tenant: &str, requester: Option<&str>) -> Vec<String> {
        self.keys.read().requesters.ids(tenant, requester)
    }

    /// A secret of the tenant for one purpose, such as hashing references; none if it has no key. It is derived from
    /// the tenant's oldest data key: it stays the same when keys are rotated, and is gone when they are destroyed.
    pub fn tenant_secret(&self, tenant: &str, label: &str) -> Option<Zeroizing<[u8; 32]>> {
        self.keys.read().all(tenant).next().map(|key| secret_of(key, label))
    }

    /// What stands in clear for a requester who is known by a name or an address; none while the tenant has no key.
    pub fn requester_reference(&self, tenant: &str, requester: &str) -> Option<String> {
        let secret = self.tenant_secret(tenant, reference::LABEL)?;
        Some(reference::reference(&secret, requester))
    }

    /// All that may stand for the requester: two processes that made a tenant's first key at once may each have used
    /// its own for a moment.
    pub fn requester_references(&self, tenant: &str, requester: &str) -> Vec<String> {
        let keys = self.keys.read();
        let secrets = keys.all(tenant).map(|key| secret_of(key, reference::LABEL));
        secrets.map(|secret| reference::reference(&secret, requester)).collect()
    }

    /// Makes a data key for the tenant, as the control entity that brings it to every process. May wait for a key
    /// management service: not for async code.
    pub fn new_data_key(&self, tenant: &str, made_by: &str) -> Result<ControlEntity, WrapError> {
        let key = random_key();
        let id = format!("{tenant}/{:x}-{:08x}", now_ms(), rand::random::<u32>());
        let secret = self.master.wrap(&format!("{DATA_KEY_KIND}/{id}"), &key)?;
        Ok(entity(DATA_KEY_KIND, id, tenant, made_by, secret))
    }

    /// Makes a key for a requester, wrapped by the tenant's. The requester's identity travels in it, encrypted.
    pub fn new_requester_key(
        &self,
        tenant: &str,
        requester: &str,
        made_by: &str,
    ) -> Result<ControlEntity, SealError> {
        let id = requesters::key_id(tenant, rand::random::<u64>());
        let mut plain = Zeroizing::new(random_key().to_vec());
        plain.extend_from_slice(requester.as_bytes());
        let name = format!("{REQUESTER_KEY_KIND}/{id}");
        let secret = self.seal(tenant, name.as_bytes(), &plain)?;
        Ok(entity(REQUESTER_KEY_KIND, id, tenant, made_by, secret))
    }

    /// The same data key wrapped by what wraps now; none if it is already. Not for async code.
    pub fn rewrap(&self, old: &ControlEntity) -> Result<Option<ControlEntity>, WrapError> {
        let sealed = old.secret.as_ref().ok_or(WrapError::Tampered)?;
        if sealed.key_id == self.master.current() {
            return Ok(None);
        }
        let name = old.key();
        let key = self.master.unwrap(&name, sealed)?;
        let secret = Some(self.master.wrap(&name, &key)?);
        // Its time stays: which of the tenant's keys is the newest follows from it.
        Ok(Some(ControlEntity { version: old.version + 1, secret, ..old.clone() }))
    }

    /// Takes a key in from its control entity. A data key may wait for a key management service: not for async code.
    pub fn learn(&self, entity: &ControlEntity) -> Result<(), LearnError> {
        let name = entity.key();
        if entity.kind == REQUESTER_KEY_KIND {
            let sealed = entity.secret.as_ref().ok_or(OpenError::Tampered)?;
            let plain = Zeroizing::new(self.open(sealed, name.as_bytes())?);
            let (key, requester) = plain.split_first_chunk::<32>().ok_or(OpenError::Tampered)?;
            let requester = std::str::from_utf8(requester).map_err(|_| OpenError::Tampered)?;
            let mut keys = self.keys.write();
            keys.requesters.insert(&sealed.key_id, requester, &entity.id, entity.updated_at, key);
            return Ok(());
        }
        let failed = |source| LearnError::Wrap { id: entity.id.clone(), source };
        let sealed = entity.secret.as_ref().ok_or_else(|| failed(WrapError::Tampered))?;
        // The id is authenticated by the wrapping, the tenant beside it is not.
        if entity.id.split_once('/').is_none_or(|(tenant, _)| tenant != entity.tenant) {
            return Err(failed(WrapError::Tampered));
        }
        let key = self.master.unwrap(&name, sealed).map_err(failed)?;
        let writer = xaes::derive(&key, &self.prefix);
        let mut keys = self.keys.write();
        keys.by_id.insert(entity.id.clone(), Arc::new(DataKey { key, writer }));
        let of_tenant = keys.of_tenant.entry(entity.tenant.clone()).or_default();
        of_tenant.retain(|(_, id)| *id != entity.id);
        of_tenant.push((entity.updated_at, entity.id.clone()));
        of_tenant.sort();
        Ok(())
    }

    /// Forgets a key: what it sealed can't be opened any more. With a tenant's last key go those of its requesters,
    /// which it wrapped.
    pub fn forget(&self, id: &str) {
        let mut keys = self.keys.write();
        keys.destroyed.insert(id.to_owned());
        if is_requester_key(id) {
            keys.requesters.remove(id);
            return;
        }
        keys.by_id.remove(id);
        let tenant = id.split_once('/').map_or(id, |(tenant, _)| tenant);
        let left = keys.of_tenant.get_mut(tenant).map_or(0, |of_tenant| {
            of_tenant.retain(|(_, known)| known != id);
            of_tenant.len()
        });
        if left == 0 {
            keys.of_tenant.remove(tenant);
            let gone = keys.requesters.remove_tenant(tenant);
            keys.destroyed.extend(gone);
        }
        self.derived.write().retain(|(key_id, _), _| key_id != id);
    }

    fn reader(&self, key_id: &str, prefix: Prefix) -> Result<Arc<Aes256Gcm>, OpenError> {
        let name = (key_id.to_owned(), prefix);
        if let Some(cipher) = self.derived.read().get(&name) {
            return Ok(Arc::clone(cipher));
        }
        let key = self.keys.read().by_id.get(key_id).cloned();
        let key = key.ok_or_else(|| self.keys.read().absent(key_id))?;
        let cipher = Arc::new(xaes::derive(&key.key, &prefix));
        let mut derived = self.derived.write();
        // Prefixes come from records: a flood of new ones must not fill the memory.
        if derived.len() >= MAX_DERIVED {
            derived.clear();
        }
        derived.insert(name, Arc::clone(&cipher));
        Ok(cipher)
    }

    /// The process's own prefix, and a suffix that it never used before.
    fn nonce(&self) -> (Vec<u8>, Prefix) {
        let mut suffix = Prefix::default();
        suffix[4..].copy_from_slice(&self.counter.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        (xaes::join(&self.prefix, &suffix), suffix)
    }
}

#[cfg(test)]
#[path = "vault_tests.rs"]
mod tests;
