//! What can be wrong with a key management service, and what to do.

use std::path::PathBuf;
use std::time::Duration;

/// Vault's Transit engine did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum TransitError {
    /// It was chosen without being described.
    #[error("keys.kms is \"vault\" and keys.vault is missing: give its address, token and key")]
    NotConfigured,
    /// The client could not be made.
    #[error("make a client for Vault")]
    Client(#[source] reqwest::Error),
    /// The certificates that it shall trust can't be used.
    #[error("read keys.vault.ca {path}")]
    Ca {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No thread, or none any more.
    #[error("run the client for Vault")]
    Thread(#[source] std::io::Error),
    /// A setting that a header can't carry.
    #[error("{0} has characters that a header can't carry")]
    Header(&'static str),
    /// No connection.
    #[error("can't reach Vault at {base}: start it, or set keys.vault.address")]
    Unreachable {
        /// Its address.
        base: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// No answer in time.
    #[error(
        "Vault at {base} does not answer within {after:?}: check keys.vault.address, or raise keys.vault.timeout"
    )]
    Timeout {
        /// Its address.
        base: String,
        /// `keys.vault.timeout`.
        after: Duration,
    },
    /// 403.
    #[error(
        "Vault refuses keys.vault.token on {path}: it is wrong or has ended, or its policy lacks read on \
         MOUNT/keys/KEY, update on MOUNT/encrypt/KEY or on MOUNT/decrypt/KEY"
    )]
    Denied {
        /// What was asked for.
        path: String,
    },
    /// 404.
    #[error("Vault has no {path}: check keys.vault.mount and keys.vault.namespace")]
    NotFound {
        /// What was asked for.
        path: String,
    },
    /// There is no such key.
    #[error(
        "Vault has no key {path}: make it by `vault write -f {path} type=aes256-gcm96`, or check keys.vault.key, \
         keys.vault.mount and keys.vault.namespace"
    )]
    NoKey {
        /// Where it would be.
        path: String,
    },
    /// The key can't authenticate what a data key belongs to.
    #[error("Vault's key {key} is of type {kind}: it has to be aes256-gcm96 or chacha20-poly1305")]
    WrongType {
        /// Its name.
        key: String,
        /// Its type.
        kind: String,
    },
    /// 503.
    #[error("Vault is sealed or not set up: unseal it")]
    Sealed,
    /// A standby that sends its callers elsewhere.
    #[error(
        "Vault answers with a redirect: name the active node, or a load balancer before it, in keys.vault.address"
    )]
    Redirect,
    /// The ciphertext does not belong to the key and its associated data.
    #[error("Vault finds the wrapped key changed, or another's")]
    Unauthentic,
    /// Any other refusal.
    #[error("Vault answers {status} on {path}: {said}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What was asked for.
        path: String,
        /// Its own words.
        said: String,
    },
    /// It is something else that answers.
    #[error("keys.vault.address answers like no Vault: {0}")]
    Answer(&'static str),
}

impl TransitError {
    /// Whether asking again at once may help.
    pub(super) fn retry(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Sealed => true,
            Self::Refused { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }

    /// Whether it may be put right while this process goes on.
    pub fn transient(&self) -> bool {
        self.retry() || matches!(self, Self::Denied { .. } | Self::Redirect)
    }
}
