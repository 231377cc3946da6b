//! API keys: `dsk_` and 256 random bits, of which the SHA-256 is kept; with so many bits a slower hash adds nothing.
//! A key belongs to a tenant, has permissions of its own and an end.

use super::permissions::Permission;
use super::seal;
use crate::http::error::ApiError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use deskstream_runtime::Process;
use deskstream_runtime::time::now_ms;
use deskstream_schemas::{ControlEntity, EVERY_TENANT};
use rand::Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Kind of the control entities that hold API keys.
pub const API_KEY_KIND: &str = "api-key";

const PREFIX: &str = "dsk_";

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Body {
    name: String,
    permissions: Vec<Permission>,
    sha256: String,
    created_at: i64,
    expires_at: i64,
    created_by: String,
}

/// An API key, without what it is proved by.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Its id.
    pub id: String,
    /// Its tenant.
    pub tenant: String,
    /// What it is called.
    pub name: String,
    /// What it may do.
    pub permissions: Vec<Permission>,
    /// When it was made.
    pub created_at: i64,
    /// When it ends.
    pub expires_at: i64,
    /// Who made it.
    pub created_by: String,
}

fn read(entity: &ControlEntity) -> Option<(ApiKey, String)> {
    let body: Body = seal::body(entity)?;
    let key = ApiKey {
        id: entity.id.clone(),
        tenant: entity.tenant.clone(),
        name: body.name,
        permissions: body.permissions,
        created_at: body.created_at,
        expires_at: body.expires_at,
        created_by: body.created_by,
    };
    Some((key, body.sha256))
}

/// Whether it looks like one of our keys.
pub fn is_key(token: &str) -> bool {
    token.starts_with(PREFIX)
}

/// The key that is presented, if it is one and has not ended.
pub fn verify(process: &Process, presented: &str) -> Option<ApiKey> {
    let (id, secret) = presented.strip_prefix(PREFIX)?.split_once('_')?;
    let (key, expected) = read(&*process.control.get(API_KEY_KIND, id)?)?;
    let is = hex::encode(Sha256::digest(secret.as_bytes()));
    let same: bool = is.as_bytes().ct_eq(expected.as_bytes()).into();
    (same && key.expires_at > now_ms()).then_some(key)
}

/// The keys of a tenant (`*`: all).
pub fn list(process: &Process, tenant: &str) -> Vec<ApiKey> {
    let keys = process.control.list(API_KEY_KIND).into_iter().filter_map(|entity| read(&entity));
    keys.map(|(key, _)| key).filter(|key| tenant == EVERY_TENANT || key.tenant == tenant).collect()
}

/// Makes a key; gives its id and what it is presented as, which is nowhere else.
pub async fn create(
    process: &Process,
    tenant: &str,
    name: &str,
    permissions: &[Permission],
    expires_at: i64,
    by: &str,
) -> Result<(String, String), ApiError> {
    let mut secret = Zeroizing::new([0u8; 32]);
    rand::rng().fill_bytes(secret.as_mut_slice());
    let secret = URL_SAFE_NO_PAD.encode(secret.as_slice());
    // No underscore, which parts it from the secret.
    let id = uuid::Uuid::new_v4().simple().to_string();
    let body = Body {
        name: name.to_owned(),
        permissions: permissions.to_vec(),
        sha256: hex::encode(Sha256::digest(secret.as_bytes())),
        created_at: now_ms(),
        expires_at,
        created_by: by.to_owned(),
    };
    process.control.put(&seal::entity(process, (API_KEY_KIND, &id, tenant), by, &body, None)?).await?;
    let presented = format!("{PREFIX}{id}_{secret}");
    Ok((id, presented))
}

/// Ends a key.
pub async fn revoke(process: &Process, id: &str) -> Result<(), ApiError> {
    Ok(process.control.remove(API_KEY_KIND, id).await?)
}
