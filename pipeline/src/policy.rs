//! Redaction policies in the `control` topic: one for the installation (tenant `*`), and one for each tenant that has
//! its own, which then stands for the installation's as a whole.
//!
//! Allow and deny lists may hold personal data, so the policy is sealed under the tenant's data key like everything
//! else of the tenant, and goes with that key. In clear there is only what an operator has to see: how many rules.

use deskstream_redact::{ConfigError, PseudonymKey, RedactConfig, Redactor};
use deskstream_runtime::control::sealed::{self, SealedError};
use deskstream_runtime::control::{Control, ControlError};
use deskstream_runtime::seal::{SealError, Vault};
use deskstream_runtime::time::now_ms;
use deskstream_schemas::ControlEntity;
use serde_json::json;

/// Kind of the control entities that hold redaction policies; their id is the tenant, `*` for the installation.
pub const POLICY_KIND: &str = "redaction-policy";

/// What the pseudonym key of a tenant is derived for.
const KEY_LABEL: &str = "redaction-pseudonyms";

/// A policy can't be stored or used. No message holds anything of a policy's lists.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It is no policy at all.
    #[error("it is no policy of this version: unreadable at line {line}, column {column}")]
    Unreadable {
        /// Line of the JSON text, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// It could not be opened.
    #[error(transparent)]
    Open(#[from] SealedError),
    /// It could not be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// It could not be written.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// It has no JSON form.
    #[error("it can't be written as JSON")]
    Encode(#[source] serde_json::Error),
}

/// The key under which the tenant's values become pseudonyms; none if the tenant has no data key. It comes from the
/// tenant's oldest data key, so that it outlives rotations and ends with the tenant.
pub fn pseudonym_key(vault: &Vault, tenant: &str) -> Option<PseudonymKey> {
    vault.tenant_secret(tenant, KEY_LABEL).map(|secret| PseudonymKey::new(*secret))
}

/// Checks the policy and makes it the tenant's (`*` for the installation's). Returns its version.
///
/// # Errors
/// If it can't be used, or not be written.
pub async fn store(
    control: &Control,
    vault: &Vault,
    tenant: &str,
    by: &str,
    policy: &RedactConfig,
) -> Result<i64, PolicyError> {
    Redactor::check(policy)?;
    control.ensure_data_key(tenant, by).await?;
    let version = control.get(POLICY_KIND, tenant).map_or(1, |old| old.version + 1);
    control.put(&entity(vault, tenant, version, by, policy)?).await?;
    Ok(version)
}

/// The policy as it stands in the `control` topic.
pub(crate) fn entity(
    vault: &Vault,
    tenant: &str,
    version: i64,
    by: &str,
    policy: &RedactConfig,
) -> Result<ControlEntity, PolicyError> {
    let plain = serde_json::to_vec(policy).map_err(PolicyError::Encode)?;
    let mut entity = ControlEntity {
        kind: POLICY_KIND.to_owned(),
        id: tenant.to_owned(),
        tenant: tenant.to_owned(),
        version,
        updated_at: now_ms(),
        updated_by: by.to_owned(),
        body: json!({
            "patterns": policy.patterns.len(),
            "allow": policy.allow.len(),
            "deny": policy.deny.len(),
            "keyed": policy.needs_key(),
        })
        .to_string(),
        secret: None,
    };
    sealed::seal(vault, &mut entity, &plain)?;
    Ok(entity)
}

/// Reads a policy from its entity.
///
/// # Errors
/// If it can't be opened or understood.
pub fn read(vault: &Vault, entity: &ControlEntity) -> Result<RedactConfig, PolicyError> {
    let plain = sealed::open(vault, entity)?;
    serde_json::from_slice(&plain)
        // The message of the error may quote a value.
        .map_err(|error| PolicyError::Unreadable { line: error.line(), column: error.column() })
}
