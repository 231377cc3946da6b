//! What wraps data keys: master keys from the configuration, or a key management service.

use super::master::{LocalMaster, MasterKeyError};
use super::transit::{Transit, TransitError};
use crate::config::{KeysConfig, Kms};
use deskstream_schemas::Sealed;
use zeroize::Zeroizing;

/// A data key could not be wrapped or unwrapped.
#[derive(Debug, thiserror::Error)]
pub enum WrapError {
    /// No key that is configured has wrapped it.
    #[error(
        "it was wrapped by {0}, which is not configured: name it in keys.master, keys.older or keys.vault, or restore \
         the configuration that wrapped it"
    )]
    UnknownKey(String),
    /// It was changed, or belongs to another place.
    #[error("it was changed, or is another key's: only a backup of the control topic brings it back")]
    Tampered,
    /// The key management service did not do it.
    #[error(transparent)]
    Kms(#[from] TransitError),
}

impl WrapError {
    /// Whether the same may succeed later.
    pub fn transient(&self) -> bool {
        matches!(self, Self::Kms(error) if error.transient())
    }
}

/// What wraps data keys can't be set up.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each variant wraps the error of one kind")]
pub enum KeysError {
    #[error(transparent)]
    Local(#[from] MasterKeyError),
    #[error(transparent)]
    Kms(TransitError),
}

/// Wraps and unwraps 32-byte keys.
///
/// `name` is authenticated with the key, so that a wrapped key put in the place of another does not unwrap. Calls may
/// wait for a network: not for async code.
pub trait KeyWrap: Send + Sync {
    /// Id of the key that wraps now.
    fn current(&self) -> String;
    /// Whether this is what has wrapped under that id.
    fn has(&self, id: &str) -> bool;
    /// Wraps a key.
    fn wrap(&self, name: &str, key: &[u8; 32]) -> Result<Sealed, WrapError>;
    /// Unwraps what any key it knows has wrapped.
    fn unwrap(&self, name: &str, wrapped: &Sealed) -> Result<Zeroizing<[u8; 32]>, WrapError>;
}

/// One that wraps, and others that still unwrap: so a master key is rotated, and exchanged for a service or back.
pub struct Wraps {
    newest: Box<dyn KeyWrap>,
    older: Vec<Box<dyn KeyWrap>>,
}

impl Wraps {
    /// `newest` wraps; all unwrap.
    pub fn new(newest: Box<dyn KeyWrap>, older: Vec<Box<dyn KeyWrap>>) -> Self {
        Self { newest, older }
    }

    /// What the configuration says; a service is asked whether it can be used. Not for async code.
    pub fn load(config: &KeysConfig) -> Result<Self, KeysError> {
        let older = LocalMaster::older(config)?.map(|local| Box::new(local) as Box<dyn KeyWrap>);
        let transit = || match &config.vault {
            Some(vault) => Transit::connect(vault).map(Some).map_err(KeysError::Kms),
            None => Ok(None),
        };
        match config.kms {
            Kms::Local => {
                let service = transit()?.map(|transit| Box::new(transit) as Box<dyn KeyWrap>);
                Ok(Self::new(
                    Box::new(LocalMaster::load(config)?),
                    older.into_iter().chain(service).collect(),
                ))
            }
            Kms::Vault => {
                let transit = transit()?.ok_or(KeysError::Kms(TransitError::NotConfigured))?;
                Ok(Self::new(Box::new(transit), older.into_iter().collect()))
            }
        }
    }
}

impl KeyWrap for Wraps {
    fn current(&self) -> String {
        self.newest.current()
    }

    fn has(&self, id: &str) -> bool {
        self.newest.has(id) || self.older.iter().any(|older| older.has(id))
    }

    fn wrap(&self, name: &str, key: &[u8; 32]) -> Result<Sealed, WrapError> {
        self.newest.wrap(name, key)
    }

    fn unwrap(&self, name: &str, wrapped: &Sealed) -> Result<Zeroizing<[u8; 32]>, WrapError> {
        let mut all = std::iter::once(&self.newest).chain(&self.older);
        let wrap = all
            .find(|wrap| wrap.has(&wrapped.key_id))
            .ok_or_else(|| WrapError::UnknownKey(wrapped.key_id.clone()))?;
        wrap.unwrap(name, wrapped)
    }
}
