//! Entities of `control` with a part that is sealed: made, read, written.

use crate::http::error::ApiError;
use deskstream_runtime::Process;
use deskstream_runtime::time::now_ms;
use deskstream_schemas::ControlEntity;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// The next version of an entity, with `secret` sealed under the tenant's data key.
pub fn entity(
    process: &Process,
    (kind, id, tenant): (&str, &str, &str),
    by: &str,
    body: &impl Serialize,
    secret: Option<&[u8]>,
) -> Result<ControlEntity, ApiError> {
    let version = process.control.get(kind, id).map_or(1, |old| old.version + 1);
    let mut entity = ControlEntity {
        kind: kind.to_owned(),
        id: id.to_owned(),
        tenant: tenant.to_owned(),
        version,
        updated_at: now_ms(),
        updated_by: by.to_owned(),
        body: serde_json::to_string(body).map_err(|_| ApiError::Internal)?,
        secret: None,
    };
    if let Some(secret) = secret {
        let sealed = process.vault.seal(tenant, entity.key().as_bytes(), secret);
        entity.secret = Some(sealed.map_err(|error| {
            tracing::error!(%error, kind, "an entity can't be sealed");
            ApiError::Internal
        })?);
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
    let sealed = entity.secret.as_ref()?;
    // Sealed for somebody else is none of this tenant's.
    if sealed.key_id.rsplit_once('/').is_none_or(|(tenant, _)| tenant != entity.tenant) {
        tracing::error!(kind = entity.kind, id = entity.id, "an entity is sealed by another tenant's key");
        return None;
    }
    let opened = process.vault.open(sealed, entity.key().as_bytes());
    let opened = opened.inspect_err(
        |error| tracing::error!(%error, kind = entity.kind, id = entity.id, "an entity can't be opened"),
    );
    opened.ok().map(Zeroizing::new)
}
