//! The sealed part of an entity, bound to what the entity is called and to the data key of its tenant.

use super::Control;
use crate::seal::{OpenError, SealError, Vault};
use crate::time::now_ms;
use deskstream_schemas::ControlEntity;
use zeroize::Zeroizing;

/// The sealed part of an entity could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SealedError {
    /// It has none.
    #[error("its sealed part is missing")]
    Missing,
    /// It is sealed for somebody else, and none of this tenant's.
    #[error("it is sealed by another tenant's key")]
    OtherTenant,
    /// It can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl Control {
    /// What [`Control::put`] would write as the next version of an entity, with nothing sealed yet.
    pub fn next(&self, (kind, id, tenant): (&str, &str, &str), by: &str, body: String) -> ControlEntity {
        ControlEntity {
            kind: kind.to_owned(),
            id: id.to_owned(),
            tenant: tenant.to_owned(),
            version: self.get(kind, id).map_or(1, |old| old.version + 1),
            updated_at: now_ms(),
            updated_by: by.to_owned(),
            body,
            secret: None,
        }
    }
}

/// Seals `plain` into an entity under its tenant's data key.
pub fn seal(vault: &Vault, entity: &mut ControlEntity, plain: &[u8]) -> Result<(), SealError> {
    entity.secret = Some(vault.seal(&entity.tenant, entity.key().as_bytes(), plain)?);
    Ok(())
}

/// Opens what is sealed in an entity.
pub fn open(vault: &Vault, entity: &ControlEntity) -> Result<Zeroizing<Vec<u8>>, SealedError> {
    let sealed = entity.secret.as_ref().ok_or(SealedError::Missing)?;
    if sealed.key_id.rsplit_once('/').is_none_or(|(tenant, _)| tenant != entity.tenant) {
        return Err(SealedError::OtherTenant);
    }
    Ok(Zeroizing::new(vault.open(sealed, entity.key().as_bytes())?))
}
