//! Master keys from the configuration: they wrap tenants' data keys. The newest wraps; older ones still unwrap, so that
//! a new one can be brought in without a moment at which a process can't read (`deskstream keys rewrap`).

use super::wrap::{KeyWrap, WrapError};
use super::xaes::{self, Prefix};
use crate::config::KeysConfig;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use deskstream_schemas::Sealed;
use rand::Rng;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The master key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// It is not 32 bytes in base64.
    #[error("{0} is not 32 bytes in base64: make one by `openssl rand -base64 32`")]
    Malformed(String),
}

/// The key that wraps data keys.
pub struct MasterKey {
    id: String,
    key: Zeroizing<[u8; 32]>,
}

impl MasterKey {
    /// A new master key, as the configuration takes it.
    pub fn generate() -> SecretString {
        let mut key = Zeroizing::new([0u8; 32]);
        rand::rng().fill_bytes(key.as_mut_slice());
        SecretString::from(STANDARD.encode(key.as_slice()))
    }

    /// Reads a key as the configuration has it; `field` is where that stands.
    pub(super) fn from_base64(field: &str, text: &str) -> Result<Self, MasterKeyError> {
        let malformed = || MasterKeyError::Malformed(field.to_owned());
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| malformed())?);
        let key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| malformed())?;
        // The id only tells master keys apart; 32 bits of a hash of 256 random bits reveal nothing.
        let digest = Sha256::digest(key);
        let id = digest.iter().take(4).fold("master-".to_owned(), |id, b| format!("{id}{b:02x}"));
        Ok(Self { id, key: Zeroizing::new(key) })
    }
}

/// Master keys from the configuration.
pub struct LocalMaster {
    newest: MasterKey,
    older: Vec<MasterKey>,
}

impl LocalMaster {
    /// `newest` wraps; all unwrap.
    pub fn new(newest: MasterKey, older: Vec<MasterKey>) -> Self {
        Self { newest, older }
    }

    /// Reads the master keys that the configuration names.
    pub fn load(config: &KeysConfig) -> Result<Self, MasterKeyError> {
        let newest = MasterKey::from_base64("keys.master", config.master.expose().expose_secret())?;
        Ok(Self::new(newest, Self::read_older(config)?))
    }

    /// The older master keys alone; none if there are none.
    pub(super) fn older(config: &KeysConfig) -> Result<Option<Self>, MasterKeyError> {
        let mut older = Self::read_older(config)?.into_iter();
        Ok(older.next().map(|newest| Self::new(newest, older.collect())))
    }

    fn read_older(config: &KeysConfig) -> Result<Vec<MasterKey>, MasterKeyError> {
        let read = |(at, key): (usize, &crate::config::Secret)| {
            MasterKey::from_base64(&format!("keys.older[{at}]"), key.expose().expose_secret())
        };
        config.older.iter().enumerate().map(read).collect()
    }

    fn find(&self, id: &str) -> Option<&MasterKey> {
        std::iter::once(&self.newest).chain(&self.older).find(|master| master.id == id)
    }
}

impl KeyWrap for LocalMaster {
    fn current(&self) -> String {
        self.newest.id.clone()
    }

    fn has(&self, id: &str) -> bool {
        self.find(id).is_some()
    }

    fn wrap(&self, name: &str, key: &[u8; 32]) -> Result<Sealed, WrapError> {
        // Nonces of this size may be drawn at random.
        let (mut prefix, mut suffix) = (Prefix::default(), Prefix::default());
        rand::rng().fill_bytes(&mut prefix);
        rand::rng().fill_bytes(&mut suffix);
        let wrapper = xaes::derive(&self.newest.key, &prefix);
        let ciphertext = xaes::seal(&wrapper, &suffix, name.as_bytes(), key)
            .expect("32 bytes are not too large for the cipher");
        Ok(Sealed { key_id: self.newest.id.clone(), nonce: xaes::join(&prefix, &suffix), ciphertext })
    }

    fn unwrap(&self, name: &str, wrapped: &Sealed) -> Result<Zeroizing<[u8; 32]>, WrapError> {
        let master =
            self.find(&wrapped.key_id).ok_or_else(|| WrapError::UnknownKey(wrapped.key_id.clone()))?;
        let (prefix, suffix) = xaes::halves(&wrapped.nonce).ok_or(WrapError::Tampered)?;
        let wrapper = xaes::derive(&master.key, &prefix);
        let plain = xaes::open(&wrapper, &suffix, name.as_bytes(), &wrapped.ciphertext)
            .map(Zeroizing::new)
            .ok_or(WrapError::Tampered)?;
        Ok(Zeroizing::new(plain.as_slice().try_into().map_err(|_| WrapError::Tampered)?))
    }
}
