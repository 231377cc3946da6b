//! Entities of `control` with a part that is sealed: made, read, written.

use crate::http::error::ApiError;
use deskstream_runtime::Process;
use deskstream_runtime::control::sealed::{self, SealedError};
use deskstream_schemas::ControlEntity;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// The next version of an entity, with `secret` sealed under the tenant's data key.
pub fn entity(
    process: &Process,
    identity: (&str, &str, &str),
    by: &str,
    body: &impl Serialize,
    secret: Option<&[u8]>,
) -> Result<ControlEntity, ApiError> {
    let body = serde_json::to_string(body).map_err(|_| ApiError::Internal)?;
    let mut entity = process.control.next(identity, by, body);
    if let Some(secret) = secret {
        sealed::seal(&process.vault, &mut entity, secret).map_err(|error| {
            tracing::error!(%error, kind = entity.kind, "an entity can't be sealed");
            ApiError::Internal
        })?;
    }
    Ok(entity)
}

/// The open part of an entity; none, and a line in the log, if it is not one that we wrote.
pub fn body<T: DeserializeOwned>(entity: &ControlEntity) -> Option<T> {
    let body = serde_json::from_str(&entity.body);
    body.inspect_err(|_| tracing::error!(kind = entity.kind, id = entity.id, "an entity can't be read")).ok()
}

/// The sealed part of an entity.
pub fn open(process: &Process, entity: &ControlEntity) -> Option<Zeroizing<Vec<u8>>> {
    let opened = sealed::open(&process.vault, entity);
    let told = |error: &SealedError| tracing::error!(%error, kind = entity.kind, id = entity.id, "an entity can't be opened");
    opened.inspect_err(told).ok()
}
