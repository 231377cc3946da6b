//! Master keys: they wrap tenants' data keys. The newest wraps; older ones still unwrap, so that a new one can be
//! brought in without a moment at which a process can't read (`deskstream keys rotate-master`).

use super::vault::OpenError;
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
    #[error("keys.master is not 32 bytes in base64: make one by `openssl rand -base64 32`")]
    Malformed,
}

/// Wraps and unwraps 32-byte keys: a master key here, or a key management service.
///
/// `name` is authenticated with the key, so that a wrapped key put in the place of another does not unwrap.
pub trait KeyWrap: Send + Sync {
    /// Id of the key that wraps now.
    fn current(&self) -> &str;
    /// Wraps a key; `prefix` and `suffix` are a nonce that the process never used before.
    fn wrap(&self, name: &str, key: &[u8; 32], prefix: &Prefix, suffix: &Prefix) -> Sealed;
    /// Unwraps what any key it knows has wrapped.
    fn unwrap(&self, name: &str, wrapped: &Sealed) -> Result<Zeroizing<[u8; 32]>, OpenError>;
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

    pub(super) fn from_base64(text: &str) -> Result<Self, MasterKeyError> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| MasterKeyError::Malformed)?);
        let key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| MasterKeyError::Malformed)?;
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
        let older = config.older.iter().map(|key| MasterKey::from_base64(key.expose().expose_secret()));
        Ok(Self::new(MasterKey::load(config)?, older.collect::<Result<_, _>>()?))
    }
}

impl KeyWrap for LocalMaster {
    fn current(&self) -> &str {
        &self.newest.id
    }

    fn wrap(&self, name: &str, key: &[u8; 32], prefix: &Prefix, suffix: &Prefix) -> Sealed {
        let wrapper = xaes::derive(&self.newest.key, prefix);
        let ciphertext = xaes::seal(&wrapper, suffix, name.as_bytes(), key)
            .expect("32 bytes are not too large for the cipher");
        Sealed { key_id: self.newest.id.clone(), nonce: xaes::join(prefix, suffix), ciphertext }
    }

    fn unwrap(&self, name: &str, wrapped: &Sealed) -> Result<Zeroizing<[u8; 32]>, OpenError> {
        let mut known = std::iter::once(&self.newest).chain(&self.older);
        let master = known
            .find(|master| master.id == wrapped.key_id)
            .ok_or_else(|| OpenError::UnknownKey(wrapped.key_id.clone()))?;
        let (prefix, suffix) = xaes::halves(&wrapped.nonce).ok_or(OpenError::Tampered)?;
        let wrapper = xaes::derive(&master.key, &prefix);
        let plain = xaes::open(&wrapper, &suffix, name.as_bytes(), &wrapped.ciphertext)
            .map(Zeroizing::new)
            .ok_or(OpenError::Tampered)?;
        Ok(Zeroizing::new(plain.as_slice().try_into().map_err(|_| OpenError::Tampered)?))
    }
}
