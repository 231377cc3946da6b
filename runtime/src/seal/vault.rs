//! The keys in memory: the master key from the environment, data keys from the `control` topic.

use super::xaes::{self, NONCE_BYTES, Prefix};
use crate::config::KeysConfig;
use crate::time::now_ms;
use aes_gcm::Aes256Gcm;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use deskstream_schemas::{ControlEntity, Sealed};
use hmac::{Hmac, KeyInit, Mac};
use parking_lot::RwLock;
use rand::Rng;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use zeroize::Zeroizing;

/// Kind of the control entities that hold wrapped data keys; their id is `tenant/key id`.
pub const DATA_KEY_KIND: &str = "tenant-key";

/// Readers keep this many derived keys; each writing process uses one for each data key.
const MAX_DERIVED: usize = 1024;

/// The master key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// It is not 32 bytes in base64.
    #[error("keys.master is not 32 bytes in base64: make one by `openssl rand -base64 32`")]
    Malformed,
}

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
    /// It was changed, belongs to another record, or was sealed with another key.
    #[error("a sealed value was changed or belongs to another record")]
    Tampered,
}

/// The key that wraps data keys.
pub struct MasterKey {
    id: String,
    key: Zeroizing<[u8; 32]>,
}

impl MasterKey {
    /// Reads the master key that the configuration names.
    pub fn load(config: &KeysConfig) -> Result<Self, MasterKeyError> {
        Self::from_base64(config.master.expose().expose_secret())
    }

    /// A new master key, as the configuration takes it.
    pub fn generate() -> SecretString {
        let mut key = Zeroizing::new([0u8; 32]);
        rand::rng().fill_bytes(key.as_mut_slice());
        SecretString::from(STANDARD.encode(key.as_slice()))
    }

    fn from_base64(text: &str) -> Result<Self, MasterKeyError> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| MasterKeyError::Malformed)?);
        let key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| MasterKeyError::Malformed)?;
        // The id only tells master keys apart; 32 bits of a hash of 256 random bits reveal nothing.
        let digest = Sha256::digest(key);
        let id = digest.iter().take(4).fold("master-".to_owned(), |id, b| format!("{id}{b:02x}"));
        Ok(Self { id, key: Zeroizing::new(key) })
    }
}

struct DataKey {
    key: Zeroizing<[u8; 32]>,
    writer: Aes256Gcm,
}

#[derive(Default)]
struct Keys {
    by_id: HashMap<String, Arc<DataKey>>,
    /// Of each tenant, the newest key and when it was made.
    active: HashMap<String, (i64, String)>,
}

/// Seals and opens values.
pub struct Vault {
    master: MasterKey,
    prefix: Prefix,
    counter: AtomicU64,
    keys: RwLock<Keys>,
    derived: RwLock<HashMap<(String, Prefix), Arc<Aes256Gcm>>>,
}

impl Vault {
    /// A vault without data keys.
    pub fn new(master: MasterKey) -> Self {
        let mut prefix = Prefix::default();
        rand::rng().fill_bytes(&mut prefix);
        Self {
            master,
            prefix,
            counter: AtomicU64::new(0),
            keys: RwLock::default(),
            derived: RwLock::default(),
        }
    }

    /// Whether values of the tenant can be sealed.
    pub fn has_key(&self, tenant: &str) -> bool {
        self.keys.read().active.contains_key(tenant)
    }

    /// Encrypts a value of the tenant; `aad` ties it to its record.
    pub fn seal(&self, tenant: &str, aad: &[u8], plaintext: &[u8]) -> Result<Sealed, SealError> {
        let keys = self.keys.read();
        let (_, key_id) = keys.active.get(tenant).ok_or_else(|| SealError::NoKey(tenant.to_owned()))?;
        let key = &keys.by_id[key_id];
        let (nonce, suffix) = self.nonce();
        let ciphertext = xaes::seal(&key.writer, &suffix, aad, plaintext).ok_or(SealError::TooLarge)?;
        Ok(Sealed { key_id: key_id.clone(), nonce, ciphertext })
    }

    /// A secret of the tenant for one purpose, such as hashing references; none if it has no key. It is derived from
    /// the tenant's oldest data key: it stays the same when keys are rotated, and is gone when they are destroyed.
    pub fn tenant_secret(&self, tenant: &str, label: &str) -> Option<Zeroizing<[u8; 32]>> {
        let keys = self.keys.read();
        let of_tenant = |id: &&String| id.rsplit_once('/').is_some_and(|(owner, _)| owner == tenant);
        // Ids begin with the time that they were made at.
        let oldest = keys.by_id.keys().filter(of_tenant).min()?;
        let key = keys.by_id[oldest].key.as_slice();
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
        mac.update(b"deskstream/tenant-secret/");
        mac.update(label.as_bytes());
        Some(Zeroizing::new(mac.finalize().into_bytes().into()))
    }

    /// Decrypts a value; `aad` must be what it was sealed with.
    pub fn open(&self, sealed: &Sealed, aad: &[u8]) -> Result<Vec<u8>, OpenError> {
        let (prefix, suffix) = halves(&sealed.nonce).ok_or(OpenError::Tampered)?;
        let cipher = self.reader(&sealed.key_id, prefix)?;
        xaes::open(&cipher, &suffix, aad, &sealed.ciphertext).ok_or(OpenError::Tampered)
    }

    /// Makes a data key for the tenant, as the control entity that brings it to every process.
    pub fn new_data_key(&self, tenant: &str, key_id: &str, made_by: &str) -> ControlEntity {
        let mut key = Zeroizing::new([0u8; 32]);
        rand::rng().fill_bytes(key.as_mut_slice());
        let id = format!("{tenant}/{key_id}");
        let (nonce, suffix) = self.nonce();
        let wrapper = xaes::derive(&self.master.key, &self.prefix);
        let ciphertext =
            xaes::seal(&wrapper, &suffix, format!("{DATA_KEY_KIND}/{id}").as_bytes(), key.as_slice())
                .expect("32 bytes are not too large for the cipher");
        ControlEntity {
            kind: DATA_KEY_KIND.to_owned(),
            id,
            tenant: tenant.to_owned(),
            version: 1,
            updated_at: now_ms(),
            updated_by: made_by.to_owned(),
            body: "{}".to_owned(),
            secret: Some(Sealed { key_id: self.master.id.clone(), nonce, ciphertext }),
        }
    }

    /// Takes a data key in from its control entity.
    pub fn learn(&self, entity: &ControlEntity) -> Result<(), OpenError> {
        let sealed = entity.secret.as_ref().ok_or(OpenError::Tampered)?;
        if sealed.key_id != self.master.id {
            return Err(OpenError::UnknownKey(sealed.key_id.clone()));
        }
        let (prefix, suffix) = halves(&sealed.nonce).ok_or(OpenError::Tampered)?;
        let wrapper = xaes::derive(&self.master.key, &prefix);
        let plain = xaes::open(&wrapper, &suffix, entity.key().as_bytes(), &sealed.ciphertext)
            .map(Zeroizing::new)
            .ok_or(OpenError::Tampered)?;
        let key: [u8; 32] = plain.as_slice().try_into().map_err(|_| OpenError::Tampered)?;
        let writer = xaes::derive(&key, &self.prefix);
        let mut keys = self.keys.write();
        keys.by_id.insert(entity.id.clone(), Arc::new(DataKey { key: Zeroizing::new(key), writer }));
        let newer = keys
            .active
            .get(&entity.tenant)
            .is_none_or(|(at, id)| (*at, id.as_str()) < (entity.updated_at, entity.id.as_str()));
        if newer {
            keys.active.insert(entity.tenant.clone(), (entity.updated_at, entity.id.clone()));
        }
        Ok(())
    }

    /// Forgets a data key: what it sealed can't be opened any more.
    pub fn forget(&self, id: &str) {
        let mut keys = self.keys.write();
        keys.by_id.remove(id);
        keys.active.retain(|_, (_, active)| active != id);
        self.derived.write().retain(|(key_id, _), _| key_id != id);
    }

    fn reader(&self, key_id: &str, prefix: Prefix) -> Result<Arc<Aes256Gcm>, OpenError> {
        let name = (key_id.to_owned(), prefix);
        if let Some(cipher) = self.derived.read().get(&name) {
            return Ok(Arc::clone(cipher));
        }
        let key = self.keys.read().by_id.get(key_id).cloned();
        let key = key.ok_or_else(|| OpenError::UnknownKey(key_id.to_owned()))?;
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
        let mut nonce = Vec::with_capacity(NONCE_BYTES);
        nonce.extend_from_slice(&self.prefix);
        nonce.extend_from_slice(&suffix);
        (nonce, suffix)
    }
}

fn halves(nonce: &[u8]) -> Option<(Prefix, Prefix)> {
    if nonce.len() != NONCE_BYTES {
        return None;
    }
    Some((nonce[..12].try_into().ok()?, nonce[12..].try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(seed: u8) -> Vault {
        Vault::new(MasterKey::from_base64(&STANDARD.encode([seed; 32])).unwrap())
    }

    #[test]
    fn another_process_opens_what_one_sealed() {
        let (writer, reader) = (vault(1), vault(1));
        let key = writer.new_data_key("acme", "k1", "test");
        writer.learn(&key).unwrap();
        let sealed = writer.seal("acme", b"record 1", b"secret").unwrap();
        assert_eq!(reader.open(&sealed, b"record 1"), Err(OpenError::UnknownKey("acme/k1".into())));
        reader.learn(&key).unwrap();
        assert_eq!(reader.open(&sealed, b"record 1").unwrap(), b"secret");
        assert_eq!(reader.open(&sealed, b"record 2"), Err(OpenError::Tampered));
        reader.forget("acme/k1");
        assert!(matches!(reader.open(&sealed, b"record 1"), Err(OpenError::UnknownKey(_))));
    }

    #[test]
    fn another_master_key_opens_nothing() {
        let key = vault(1).new_data_key("acme", "k1", "test");
        assert!(vault(2).learn(&key).is_err());
    }

    #[test]
    fn a_tenants_secret_outlives_rotation_and_is_nobody_elses() {
        let vault = vault(1);
        assert!(vault.tenant_secret("acme", "a").is_none());
        vault.learn(&vault.new_data_key("acme", "k1", "test")).unwrap();
        vault.learn(&vault.new_data_key("other", "k1", "test")).unwrap();
        let secret = vault.tenant_secret("acme", "a").unwrap();
        vault.learn(&vault.new_data_key("acme", "k2", "test")).unwrap();
        assert_eq!(*vault.tenant_secret("acme", "a").unwrap(), *secret);
        assert_ne!(*vault.tenant_secret("acme", "b").unwrap(), *secret);
        assert_ne!(*vault.tenant_secret("other", "a").unwrap(), *secret);
        vault.forget("acme/k1");
        vault.forget("acme/k2");
        assert!(vault.tenant_secret("acme", "a").is_none());
    }

    #[test]
    fn no_two_nonces_are_alike() {
        let vault = vault(1);
        vault.learn(&vault.new_data_key("acme", "k1", "test")).unwrap();
        let nonces: std::collections::HashSet<_> =
            (0..1000).map(|_| vault.seal("acme", b"", b"x").unwrap().nonce).collect();
        assert_eq!(nonces.len(), 1000);
    }

    #[test]
    fn the_newest_key_seals_and_older_ones_still_open() {
        let vault = vault(1);
        let mut old = vault.new_data_key("acme", "k1", "test");
        old.updated_at = 1;
        vault.learn(&old).unwrap();
        let sealed = vault.seal("acme", b"", b"x").unwrap();
        vault.learn(&vault.new_data_key("acme", "k2", "test")).unwrap();
        assert_eq!(vault.seal("acme", b"", b"x").unwrap().key_id, "acme/k2");
        assert_eq!(vault.open(&sealed, b"").unwrap(), b"x");
    }
}
