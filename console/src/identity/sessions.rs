//! Sessions and their refresh tokens. A session is one sign-in of one browser.
//!
//! A refresh token is `session.generation.tag`, where the tag is an HMAC of the generation under a key of the session,
//! sealed in `control`. Each refresh moves the session on by one generation. A token of an earlier generation with a
//! right tag was ours once: two hold copies of it, so the whole session ends (RFC 9700, section 4.14.2). A wrong tag
//! has no effect on the session.

use super::seal;
use crate::http::error::ApiError;
use crate::http::request::Origin;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use deskstream_runtime::Process;
use deskstream_runtime::time::now_ms;
use deskstream_schemas::ControlEntity;
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Kind of the control entities that hold sessions.
pub const SESSION_KIND: &str = "session";

/// A user has no more sessions than this; the oldest ends.
const MOST: usize = 20;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Body {
    user: String,
    generation: u64,
    created_at: i64,
    used_at: i64,
    /// The tenant that an operator works in.
    acting: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Private {
    key: String,
    address: String,
    user_agent: String,
}

/// A session.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub user: String,
    /// The user's tenant.
    pub tenant: String,
    /// The tenant that an operator works in.
    pub acting: Option<String>,
    /// When it began.
    pub created_at: i64,
    /// When it was last refreshed.
    pub used_at: i64,
}

fn read(process: &Process, entity: &ControlEntity) -> Option<Session> {
    let body: Body = seal::body(entity)?;
    let config = &process.config.console;
    let within = |since: i64, limit: std::time::Duration| {
        u64::try_from(now_ms() - since).unwrap_or_default()
            < u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)
    };
    let alive = within(body.used_at, config.session_idle) && within(body.created_at, config.session_max);
    alive.then(|| Session {
        id: entity.id.clone(),
        user: body.user,
        tenant: entity.tenant.clone(),
        acting: body.acting,
        created_at: body.created_at,
        used_at: body.used_at,
    })
}

/// A session that has not ended.
pub fn get(process: &Process, id: &str) -> Option<Session> {
    read(process, &*process.control.get(SESSION_KIND, id)?)
}

/// The sessions of a user that have not ended.
pub fn of_user(process: &Process, user: &str) -> Vec<Session> {
    let sessions = process.control.list(SESSION_KIND).into_iter();
    sessions
        .filter(|s| s.body.contains(user))
        .filter_map(|s| read(process, &s))
        .filter(|s| s.user == user)
        .collect()
}

/// Where a session was begun: address and user agent.
pub fn origin(process: &Process, id: &str) -> Option<(String, String)> {
    let private = private(process, &*process.control.get(SESSION_KIND, id)?)?;
    Some((private.address, private.user_agent))
}

fn private(process: &Process, entity: &ControlEntity) -> Option<Private> {
    serde_json::from_slice(&seal::open(process, entity)?).ok()
}

fn tag(key: &str, generation: u64) -> Result<Hmac<Sha256>, ApiError> {
    let key = Zeroizing::new(URL_SAFE_NO_PAD.decode(key).map_err(|_| ApiError::Internal)?);
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| ApiError::Internal)?;
    mac.update(&generation.to_be_bytes());
    Ok(mac)
}

fn token(id: &str, key: &str, generation: u64) -> Result<String, ApiError> {
    let tag = tag(key, generation)?.finalize().into_bytes();
    Ok(format!("{id}.{generation}.{}", URL_SAFE_NO_PAD.encode(tag)))
}

/// Begins a session; gives its id and first refresh token.
pub async fn begin(
    process: &Process,
    user: &str,
    tenant: &str,
    from: &Origin,
) -> Result<(String, String), ApiError> {
    let mut existing = of_user(process, user);
    existing.sort_by_key(|session| session.used_at);
    for old in existing.iter().take((existing.len() + 1).saturating_sub(MOST)) {
        end(process, &old.id).await?;
    }
    let mut key = Zeroizing::new([0u8; 32]);
    rand::rng().fill_bytes(key.as_mut_slice());
    let private = Private {
        key: URL_SAFE_NO_PAD.encode(key.as_slice()),
        address: from.address.to_string(),
        user_agent: from.user_agent.clone().unwrap_or_default(),
    };
    let id = uuid::Uuid::new_v4().to_string();
    let body =
        Body { user: user.to_owned(), generation: 1, created_at: now_ms(), used_at: now_ms(), acting: None };
    let sealed = Zeroizing::new(serde_json::to_vec(&private).map_err(|_| ApiError::Internal)?);
    process.control.ensure_data_key(tenant, "console").await?;
    process
        .control
        .put(&seal::entity(process, (SESSION_KIND, &id, tenant), user, &body, Some(&sealed))?)
        .await?;
    let token = token(&id, &private.key, 1)?;
    Ok((id, token))
}

/// What a refresh token was worth.
pub enum Refreshed {
    /// The session goes on, with another token.
    On(Session, String),
    /// It was used before: the session has ended.
    Reused(Session),
    /// It is none of ours, or its session has ended.
    Unknown,
}

/// Takes a refresh token for the next one. The caller holds the lock of changes: of two with one token one is first.
pub async fn refresh(process: &Process, presented: &str) -> Result<Refreshed, ApiError> {
    let mut parts = presented.splitn(3, '.');
    let (Some(id), Some(generation), Some(presented)) = (parts.next(), parts.next(), parts.next()) else {
        return Ok(Refreshed::Unknown);
    };
    let generation = generation.parse::<u64>().ok();
    let found = process.control.get(SESSION_KIND, id).and_then(|entity| {
        Some((read(process, &entity)?, seal::body::<Body>(&entity)?, private(process, &entity)?, entity))
    });
    let (Some(generation), Some((session, body, private, entity))) = (generation, found) else {
        return Ok(Refreshed::Unknown);
    };
    let presented = URL_SAFE_NO_PAD.decode(presented).unwrap_or_default();
    if tag(&private.key, generation)?.verify_slice(&presented).is_err() {
        return Ok(Refreshed::Unknown);
    }
    if generation != body.generation {
        end(process, id).await?;
        return Ok(Refreshed::Reused(session));
    }
    let next = Body { generation: generation + 1, used_at: now_ms(), ..body };
    store(process, &entity, &next).await?;
    let token = token(id, &private.key, next.generation)?;
    Ok(Refreshed::On(Session { used_at: next.used_at, ..session }, token))
}

/// Lets an operator's session work in a tenant.
pub async fn act_in(process: &Process, id: &str, tenant: Option<String>) -> Result<(), ApiError> {
    let entity = process.control.get(SESSION_KIND, id).ok_or(ApiError::NotFound)?;
    let body: Body = seal::body(&entity).ok_or(ApiError::Internal)?;
    store(process, &entity, &Body { acting: tenant, ..body }).await
}

/// The secret part stays as it is.
async fn store(process: &Process, old: &ControlEntity, body: &Body) -> Result<(), ApiError> {
    let entity = ControlEntity {
        version: old.version + 1,
        updated_at: now_ms(),
        body: serde_json::to_string(body).map_err(|_| ApiError::Internal)?,
        ..old.clone()
    };
    Ok(process.control.put(&entity).await?)
}

/// Ends a session, everywhere.
pub async fn end(process: &Process, id: &str) -> Result<(), ApiError> {
    Ok(process.control.remove(SESSION_KIND, id).await?)
}

/// Ends every session of a user but one.
pub async fn end_all(process: &Process, user: &str, but: Option<&str>) -> Result<usize, ApiError> {
    let ended: Vec<_> =
        of_user(process, user).into_iter().filter(|session| Some(session.id.as_str()) != but).collect();
    for session in &ended {
        end(process, &session.id).await?;
    }
    Ok(ended.len())
}

/// Removes sessions that have ended by themselves.
pub async fn sweep(process: &Process) -> Result<(), ApiError> {
    for entity in process.control.list(SESSION_KIND) {
        if read(process, &entity).is_none() {
            end(process, &entity.id).await?;
        }
    }
    Ok(())
}
