//! Who signs heads, and by which public keys a signature is checked. Ed25519, RFC 8032.
//!
//! The key pair is an entity `audit-key` of the control topic, made by the first process that chains: the public key is its
//! body, the private key is sealed with the installation's data key.

use super::chain::{ChainId, End};
use super::digest::head_message;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use deskstream_runtime::Process;
use deskstream_runtime::control::ControlError;
use deskstream_runtime::control::sealed::{self, SealedError};
use deskstream_runtime::seal::SealError;
use deskstream_schemas::{AuditHead, ControlEntity, EVERY_TENANT};
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Kind of the entities that hold keys.
pub const AUDIT_KEY_KIND: &str = "audit-key";

/// No key could be had.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The control topic failed.
    #[error("read or write the key that signs the audit trail")]
    Control(#[from] ControlError),
    /// The private key could not be sealed.
    #[error("seal the key that signs the audit trail")]
    Seal(#[from] SealError),
    /// The private key could not be opened.
    #[error("open audit-key {id}: is keys.master that of the process that made it?")]
    Open {
        /// Which.
        id: String,
        /// Why.
        #[source]
        source: SealedError,
    },
    /// An entity is none of ours.
    #[error("audit-key {0} in the control topic is not an Ed25519 key")]
    Malformed(String),
    /// The system gives no random numbers.
    #[error("make a key that signs the audit trail: the system gives no random numbers")]
    Random,
}

/// Signs heads.
pub struct Signer {
    id: String,
    pair: Ed25519KeyPair,
}

impl Signer {
    /// The newest key, or a new one if there is none.
    pub async fn ready(process: &Process, by: &str) -> Result<Self, SigningError> {
        match newest(process) {
            Some(entity) => Self::open(process, &entity),
            None => Self::rotate(process, by).await,
        }
    }

    /// Makes a key that every process signs with from now on. The keys before it go on vouching for what they signed.
    pub async fn rotate(process: &Process, by: &str) -> Result<Self, SigningError> {
        process.control.ensure_data_key(EVERY_TENANT, by).await?;
        let document =
            Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| SigningError::Random)?;
        let id = uuid::Uuid::now_v7().to_string();
        let pair =
            Ed25519KeyPair::from_pkcs8(document.as_ref()).map_err(|_| SigningError::Malformed(id.clone()))?;
        let public = BASE64_STANDARD.encode(pair.public_key());
        let body = serde_json::json!({"algorithm": "Ed25519", "public_key": public}).to_string();
        let mut entity = process.control.next((AUDIT_KEY_KIND, &id, EVERY_TENANT), by, body);
        sealed::seal(&process.vault, &mut entity, document.as_ref())?;
        process.control.put(&entity).await?;
        tracing::info!(key = %id, "made a key that signs the audit trail");
        Ok(Self { id, pair })
    }

    /// Changes to the newest key, if another one has been made since. One that can't be opened changes nothing: an unchained
    /// trail would be worse than one that the key before signs.
    pub(super) fn renew(&mut self, process: &Process) {
        let Some(entity) = newest(process).filter(|entity| entity.id != self.id) else { return };
        match Self::open(process, &entity) {
            Ok(signer) => {
                tracing::info!(key = %signer.id, "the audit trail is signed with another key");
                *self = signer;
            }
            Err(error) => tracing::warn!(%error, "the newest key of the audit trail can't be used"),
        }
    }

    /// The key's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn open(process: &Process, entity: &ControlEntity) -> Result<Self, SigningError> {
        let opened = sealed::open(&process.vault, entity)
            .map_err(|source| SigningError::Open { id: entity.id.clone(), source })?;
        let pair =
            Ed25519KeyPair::from_pkcs8(&opened).map_err(|_| SigningError::Malformed(entity.id.clone()))?;
        Ok(Self { id: entity.id.clone(), pair })
    }

    pub(super) fn sign(&self, id: &ChainId, end: &End) -> AuditHead {
        let message = head_message(&id.tenant, id.retention, end.sequence, &end.hash, end.chained_at);
        AuditHead {
            tenant: id.tenant.clone(),
            retention: id.retention,
            sequence: end.sequence,
            hash: end.hash.to_vec(),
            chained_at: end.chained_at,
            key_id: self.id.clone(),
            signature: self.pair.sign(&message).as_ref().to_vec(),
        }
    }
}

fn newest(process: &Process) -> Option<Arc<ControlEntity>> {
    process
        .control
        .list(AUDIT_KEY_KIND)
        .into_iter()
        .max_by(|a, b| (a.updated_at, &a.id).cmp(&(b.updated_at, &b.id)))
}

/// Public keys by their ids.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct PublicKeys(BTreeMap<String, String>);

impl PublicKeys {
    /// Those of the control topic.
    pub fn of(process: &Process) -> Result<Self, SigningError> {
        let keys = process.control.list(AUDIT_KEY_KIND).into_iter().map(|entity: Arc<ControlEntity>| {
            let body: serde_json::Value = serde_json::from_str(&entity.body).unwrap_or_default();
            let key = body["public_key"].as_str().map(str::to_owned);
            Ok((entity.id.clone(), key.ok_or_else(|| SigningError::Malformed(entity.id.clone()))?))
        });
        Ok(Self(keys.collect::<Result<_, SigningError>>()?))
    }

    /// Whether a head is what the holder of a known key has signed.
    pub fn vouch(&self, head: &AuditHead) -> bool {
        let Some(key) = self.0.get(&head.key_id).and_then(|key| BASE64_STANDARD.decode(key).ok()) else {
            return false;
        };
        let message = head_message(&head.tenant, head.retention, head.sequence, &head.hash, head.chained_at);
        UnparsedPublicKey::new(&ED25519, key).verify(&message, &head.signature).is_ok()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use deskstream_schemas::Retention;

    pub(in super::super) fn signer() -> (Signer, PublicKeys) {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        let public = BASE64_STANDARD.encode(pair.public_key());
        (Signer { id: "k".into(), pair }, PublicKeys([("k".into(), public)].into()))
    }

    #[test]
    fn a_head_that_was_changed_or_signed_by_another_is_not_vouched_for() {
        let (signer, keys) = signer();
        let id = ChainId { tenant: "acme".into(), retention: Retention::Audit };
        let head = signer.sign(&id, &End { sequence: 7, hash: [3; 32], chained_at: 9 });
        assert!(keys.vouch(&head));
        assert!(!keys.vouch(&AuditHead { sequence: 8, ..head.clone() }));
        assert!(!keys.vouch(&AuditHead { hash: vec![4; 32], ..head.clone() }));
        assert!(!keys.vouch(&AuditHead { chained_at: 10, ..head.clone() }));
        assert!(!keys.vouch(&AuditHead { tenant: "zeta".into(), ..head.clone() }));
        assert!(!keys.vouch(&AuditHead { retention: Retention::Processing, ..head.clone() }));
        assert!(!keys.vouch(&AuditHead { key_id: "other".into(), ..head.clone() }));
        let (_, others) = self::signer();
        assert!(!others.vouch(&head));
    }
}
