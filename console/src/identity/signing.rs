//! The keys that sign access tokens: Ed25519, made by a console, sealed in `control`, so that every console signs with
//! and knows the same. A new one signs after `console.signing_key_age`; an old one verifies until what it signed has
//! expired, then it is removed.

use super::seal;
use crate::http::error::ApiError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use deskstream_runtime::Process;
use deskstream_runtime::time::now_ms;
use deskstream_schemas::EVERY_TENANT;
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Kind of the control entities that hold signing keys.
pub const SIGNING_KEY_KIND: &str = "signing-key";

/// `jsonwebtoken` on ring, for the one algorithm that we use; every other is refused here already.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| match algorithm {
        Algorithm::EdDSA => {
            let pair = Ed25519KeyPair::from_pkcs8(key.as_bytes())
                .map_err(|_| refused(ErrorKind::InvalidEddsaKey))?;
            Ok(Box::new(Signer(pair)))
        }
        _ => Err(refused(ErrorKind::InvalidAlgorithm)),
    },
    verifier_factory: |algorithm, key| match algorithm {
        Algorithm::EdDSA => Ok(Box::new(Verifier(key.try_get_as_bytes()?.to_vec()))),
        _ => Err(refused(ErrorKind::InvalidAlgorithm)),
    },
    key_utils: KeyUtils::new_unimplemented(),
};

fn refused(kind: ErrorKind) -> Error {
    kind.into()
}

struct Signer(Ed25519KeyPair);

impl signature::Signer<Vec<u8>> for Signer {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

impl JwtSigner for Signer {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

struct Verifier(Vec<u8>);

impl signature::Verifier<Vec<u8>> for Verifier {
    fn verify(&self, message: &[u8], signed: &Vec<u8>) -> Result<(), signature::Error> {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signed).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Verifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

/// Chooses what signs and verifies, for the whole process; harmless when called again.
pub fn install() {
    // It is there already where a process does this twice.
    let _ = PROVIDER.install_default();
}

#[derive(Serialize, Deserialize)]
struct Body {
    public: String,
    made_at: i64,
}

/// A public key in a set (RFC 7517, RFC 8037).
#[derive(Debug, Serialize, ToSchema)]
pub struct Jwk {
    kty: &'static str,
    crv: &'static str,
    alg: &'static str,
    #[serde(rename = "use")]
    purpose: &'static str,
    kid: String,
    x: String,
}

/// Every key that verifies now.
pub fn public_keys(process: &Process) -> Vec<Jwk> {
    let keys = process.control.list(SIGNING_KEY_KIND).into_iter();
    keys.filter_map(|entity| {
        let body: Body = seal::body(&entity)?;
        Some(Jwk {
            kty: "OKP",
            crv: "Ed25519",
            alg: "EdDSA",
            purpose: "sig",
            kid: entity.id.clone(),
            x: body.public,
        })
    })
    .collect()
}

/// The key that verifies what `id` signed.
pub fn verifying(process: &Process, id: &str) -> Option<DecodingKey> {
    let entity = process.control.get(SIGNING_KEY_KIND, id)?;
    // The public key is read from what is sealed: who could write to the topic must not be able to sign.
    let pair = seal::open(process, &entity)?;
    let pair = Ed25519KeyPair::from_pkcs8(&pair).ok()?;
    Some(DecodingKey::from_ed_der(pair.public_key().as_ref()))
}

/// The key that signs now, with its id.
pub fn signing(process: &Process) -> Result<(String, EncodingKey), ApiError> {
    let mut keys = process.control.list(SIGNING_KEY_KIND);
    keys.sort_by_key(|key| key.updated_at);
    for key in keys.iter().rev() {
        if let Some(pair) = seal::open(process, key) {
            return Ok((key.id.clone(), EncodingKey::from_ed_der(&pair)));
        }
    }
    tracing::error!("there is no signing key");
    Err(ApiError::Internal)
}

/// Makes a key if there is none that is young enough, and removes those that nothing valid can be signed with.
pub async fn rotate(process: &Process) -> Result<(), ApiError> {
    let config = &process.config.console;
    let age = |ms: i64| std::time::Duration::from_millis(u64::try_from(now_ms() - ms).unwrap_or_default());
    process.control.ensure_data_key(EVERY_TENANT, "console").await?;
    let keys = process.control.list(SIGNING_KEY_KIND);
    if !keys
        .iter()
        .any(|key| age(key.updated_at) < config.signing_key_age && seal::open(process, key).is_some())
    {
        let pair = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| ApiError::Internal)?;
        let public = Ed25519KeyPair::from_pkcs8(pair.as_ref()).map_err(|_| ApiError::Internal)?;
        let body = Body { public: URL_SAFE_NO_PAD.encode(public.public_key()), made_at: now_ms() };
        let id = uuid::Uuid::now_v7().to_string();
        let identity = (SIGNING_KEY_KIND, id.as_str(), EVERY_TENANT);
        process.control.put(&seal::entity(process, identity, "console", &body, Some(pair.as_ref()))?).await?;
        tracing::info!(key = id, "a new key signs access tokens");
    }
    // One console may sign with the key before until it has heard of the new one: hence twice the time.
    let last = config.signing_key_age + 2 * config.access_token_ttl;
    for key in keys.iter().filter(|key| age(key.updated_at) > last) {
        process.control.remove(SIGNING_KEY_KIND, &key.id).await?;
    }
    Ok(())
}
