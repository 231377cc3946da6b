//! The keys in memory: the master key from the environment, data keys from the `control` topic.

use super::master::{KeyWrap, LocalMaster, MasterKey};
use super::requesters::{Requesters, is_requester_key};
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

struct DataKey {
    key: Zeroizing<[u8; 32]>,
    writer: Aes256Gcm,
}

#[derive(Default)]
struct Keys {
    by_id: HashMap<String, Arc<DataKey>>,
    /// Of each tenant, the newest key and when it was made.
    active: HashMap<String, (i64, String)>,
    /// Keys of requesters, wrapped by the tenant's.
    requesters: Requesters,
    /// Keys that were destroyed while this process ran.
    destroyed: HashSet<String>,
}

impl Keys {
    fn absent(&self, key_id: &str) -> OpenError {
        let id = key_id.to_owned();
        if self.destroyed.contains(key_id) { OpenError::Destroyed(id) } else { OpenError::UnknownKey(id) }
    }
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
            if let Some((key_id, key)) = keys.requesters.newest(tenant, requester) {
                let (nonce, suffix) = self.nonce();
                let cipher = xaes::derive(key, &self.prefix);
                let ciphertext = xaes::seal(&cipher, &suffix, aad, plaintext).ok_or(SealError::TooLarge)?;
                return Ok(Sealed { key_id: key_id.to_owned(), nonce, ciphertext });
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
    pub fn master_id(&self) -> &str {
        self.master.current()
    }

    /// The key that seals the tenant's values now.
    pub fn active_key(&self, tenant: &str) -> Option<String> {
        self.keys.read().active.get(tenant).map(|(_, id)| id.clone())
    }

    /// Whether the key can be used by this process.
    pub fn knows(&self, key_id: &str) -> bool {
        let keys = self.keys.read();
        keys.by_id.contains_key(key_id) || keys.requesters.get(key_id).is_some()
    }

    /// Whether the requester has a key.
    pub fn has_requester_key(&self, tenant: &str, requester: &str) -> bool {
        self.keys.read().requesters.newest(tenant, requester).is_some()
    }

    /// Ids of the keys of a requester, or of all the tenant's requesters.
    pub fn requester_keys(&self, tenant: &str, requester: Option<&str>) -> Vec<String> {
        self.keys.read().requesters.ids(tenant, requester)
    }

    /// A keyed hash of a text under the tenant's newest key, with that key's id: the same text can be recognised by
    /// whoever has the key, and guessed by nobody else.
    pub fn fingerprint(&self, tenant: &str, text: &str) -> Option<(String, String)> {
        let keys = self.keys.read();
        let (_, id) = keys.active.get(tenant)?;
        let mac = super::requesters::mac(&keys.by_id.get(id)?.key, text.as_bytes());
        Some((id.clone(), mac.iter().take(16).map(|b| format!("{b:02x}")).collect()))
    }

    /// Makes a data key for the tenant, as the control entity that brings it to every process.
    pub fn new_data_key(&self, tenant: &str, key_id: &str, made_by: &str) -> ControlEntity {
        let key = random_key();
        let id = format!("{tenant}/{key_id}");
        let (_, suffix) = self.nonce();
        let secret = self.master.wrap(&format!("{DATA_KEY_KIND}/{id}"), &key, &self.prefix, &suffix);
        entity(DATA_KEY_KIND, id, tenant, made_by, secret)
    }

    /// Makes a key for a requester, wrapped by the tenant's. The requester's identity travels in it, encrypted.
    pub fn new_requester_key(
        &self,
        tenant: &str,
        requester: &str,
        made_by: &str,
    ) -> Result<ControlEntity, SealError> {
        let id = format!("{tenant}/r/{:016x}", rand::random::<u64>());
        let mut plain = Zeroizing::new(random_key().to_vec());
        plain.extend_from_slice(requester.as_bytes());
        let name = format!("{REQUESTER_KEY_KIND}/{id}");
        let secret = self.seal(tenant, name.as_bytes(), &plain)?;
        Ok(entity(REQUESTER_KEY_KIND, id, tenant, made_by, secret))
    }

    /// The same data key wrapped by the newest master key; none if it is already.
    pub fn rewrap(&self, old: &ControlEntity) -> Result<Option<ControlEntity>, OpenError> {
        let sealed = old.secret.as_ref().ok_or(OpenError::Tampered)?;
        if sealed.key_id == self.master.current() {
            return Ok(None);
        }
        let name = old.key();
        let key = self.master.unwrap(&name, sealed)?;
        let (_, suffix) = self.nonce();
        let secret = Some(self.master.wrap(&name, &key, &self.prefix, &suffix));
        // Its time stays: which of the tenant's keys is the newest follows from it.
        Ok(Some(ControlEntity { version: old.version + 1, secret, ..old.clone() }))
    }

    /// Takes a key in from its control entity.
    pub fn learn(&self, entity: &ControlEntity) -> Result<(), OpenError> {
        let sealed = entity.secret.as_ref().ok_or(OpenError::Tampered)?;
        let name = entity.key();
        if entity.kind == REQUESTER_KEY_KIND {
            let plain = Zeroizing::new(self.open(sealed, name.as_bytes())?);
            let (key, requester) = plain.split_first_chunk::<32>().ok_or(OpenError::Tampered)?;
            let requester = std::str::from_utf8(requester).map_err(|_| OpenError::Tampered)?;
            let mut keys = self.keys.write();
            keys.requesters.insert(&entity.tenant, requester, &entity.id, entity.updated_at, key);
            return Ok(());
        }
        let key = self.master.unwrap(&name, sealed)?;
        let writer = xaes::derive(&key, &self.prefix);
        let mut keys = self.keys.write();
        keys.by_id.insert(entity.id.clone(), Arc::new(DataKey { key, writer }));
        let newer = keys
            .active
            .get(&entity.tenant)
            .is_none_or(|(at, id)| (*at, id.as_str()) < (entity.updated_at, entity.id.as_str()));
        if newer {
            keys.active.insert(entity.tenant.clone(), (entity.updated_at, entity.id.clone()));
        }
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
        keys.active.retain(|_, (_, active)| active != id);
        if let Some((tenant, _)) = id.split_once('/') {
            let of_tenant = format!("{tenant}/");
            if !keys.by_id.keys().any(|known| known.starts_with(&of_tenant)) {
                for gone in keys.requesters.ids(tenant, None) {
                    keys.requesters.remove(&gone);
                    keys.destroyed.insert(gone);
                }
            }
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
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

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
        assert!(matches!(reader.open(&sealed, b"record 1"), Err(OpenError::Destroyed(_))));
    }

    #[test]
    fn another_master_key_opens_nothing() {
        let key = vault(1).new_data_key("acme", "k1", "test");
        assert!(vault(2).learn(&key).is_err());
    }

    #[test]
    fn no_two_nonces_are_alike() {
        let vault = vault(1);
        vault.learn(&vault.new_data_key("acme", "k1", "test")).unwrap();
        let nonces: HashSet<_> = (0..1000).map(|_| vault.seal("acme", b"", b"x").unwrap().nonce).collect();
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

    #[test]
    fn a_requester_is_erased_and_nobody_else() {
        let vault = vault(1);
        vault.learn(&vault.new_data_key("acme", "k1", "test")).unwrap();
        let keys: Vec<_> =
            ["7", "8"].map(|r| vault.new_requester_key("acme", r, "test").unwrap()).into_iter().collect();
        for key in &keys {
            vault.learn(key).unwrap();
            let shown = format!("{key:?}");
            assert!(!shown.contains("\"7\"") && !shown.contains("\"8\""), "{shown}");
        }
        let [seven, eight] = ["7", "8"].map(|r| vault.seal_for("acme", Some(r), b"a", b"x").unwrap());
        let none = vault.seal_for("acme", None, b"a", b"x").unwrap();
        assert_eq!(seven.key_id, keys[0].id);
        assert_eq!(vault.requester_keys("acme", Some("7")), [keys[0].id.clone()]);
        vault.forget(&keys[0].id);
        assert_eq!(vault.open(&seven, b"a"), Err(OpenError::Destroyed(keys[0].id.clone())));
        assert_eq!(vault.open(&eight, b"a").unwrap(), b"x");
        assert_eq!(vault.open(&none, b"a").unwrap(), b"x");
        assert!(!vault.has_requester_key("acme", "7"));
        // A process that never knew the key can't open it either, and one with the tenant's key alone can't make it.
        vault.forget("acme/k1");
        assert_eq!(vault.open(&eight, b"a"), Err(OpenError::Destroyed(keys[1].id.clone())));
        assert!(matches!(vault.seal_for("acme", Some("8"), b"a", b"x"), Err(SealError::NoKey(_))));
    }

    #[test]
    fn a_requesters_key_of_another_tenant_or_under_another_name_is_refused() {
        let vault = vault(1);
        vault.learn(&vault.new_data_key("acme", "k1", "test")).unwrap();
        let mut key = vault.new_requester_key("acme", "7", "test").unwrap();
        key.id = "other/r/0000000000000001".into();
        assert_eq!(vault.learn(&key), Err(OpenError::Tampered));
    }

    #[test]
    fn a_new_master_key_wraps_and_the_old_one_is_no_longer_needed() {
        let text = [7u8, 8].map(|seed| STANDARD.encode([seed; 32]));
        let [old, new] = [0, 1].map(|i: usize| MasterKey::from_base64(&text[i]).unwrap());
        let before = Vault::new(MasterKey::from_base64(&text[0]).unwrap());
        let key = before.new_data_key("acme", "k1", "test");
        before.learn(&key).unwrap();
        let sealed = before.seal("acme", b"", b"x").unwrap();
        let between = Vault::with_wrap(Box::new(LocalMaster::new(new, vec![old])));
        between.learn(&key).unwrap();
        let rewrapped = between.rewrap(&key).unwrap().unwrap();
        assert_eq!((rewrapped.version, rewrapped.updated_at), (2, key.updated_at));
        assert!(between.rewrap(&rewrapped).unwrap().is_none());
        let after = Vault::new(MasterKey::from_base64(&text[1]).unwrap());
        assert!(matches!(after.learn(&key), Err(OpenError::UnknownKey(_))));
        after.learn(&rewrapped).unwrap();
        assert_eq!(after.open(&sealed, b"").unwrap(), b"x");
    }
}
