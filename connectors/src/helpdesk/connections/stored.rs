//! The entity of an account in `control`: read, checked, written.

use super::super::account::{self, Account};
use super::super::{intake, own_user, state};
use deskstream_runtime::Process;
use deskstream_runtime::config::{self, AccountSettings, ConfigError, Helpdesk, Secrets, TenantConfig};
use deskstream_runtime::control::ControlError;
use deskstream_runtime::control::sealed::{self, SealedError};
use deskstream_runtime::seal::SealError;
use deskstream_schemas::{ControlEntity, Platform};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Kind of the control entities that hold an account; their id is `tenant/helpdesk`.
pub const CONNECTION_KIND: &str = "connection";

/// An account in `control` was not read or written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ConnectionError {
    #[error("`{0}` is no account: write tenant/helpdesk, as in acme/zendesk")]
    Name(String),
    #[error("{0} is in the configuration file, which counts: change it there")]
    InFile(String),
    #[error("{0} is registered already: `set` changes it")]
    Exists(String),
    #[error("{0} is not registered")]
    Unknown(String),
    #[error("the entity of {0} in control can't be read: register it again")]
    Unreadable(String),
    #[error("the secrets of {name} can't be opened")]
    Locked {
        name: String,
        #[source]
        source: SealedError,
    },
    #[error(transparent)]
    Settings(#[from] ConfigError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Control(#[from] ControlError),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    settings: AccountSettings,
    secrets: Vec<String>,
}

/// An account as it is kept, but for its secrets.
#[derive(Debug, Clone, PartialEq)]
pub struct Connection {
    /// `tenant/helpdesk`.
    pub name: String,
    /// Whose it is.
    pub tenant: String,
    /// Where.
    pub helpdesk: Helpdesk,
    /// Plain settings.
    pub settings: AccountSettings,
    /// Which settings are secrets that are set.
    pub secrets: Vec<String>,
    /// Grows with every change.
    pub version: i64,
    /// When it was changed, in ms since the Unix epoch.
    pub changed_at: i64,
    /// Who changed it.
    pub changed_by: String,
}

/// Tenant and helpdesk of an account's name.
///
/// # Errors
/// If it is none.
pub fn named(name: &str) -> Result<(String, Helpdesk), ConnectionError> {
    let parts = name.split_once('/').filter(|(tenant, _)| !tenant.is_empty() && !tenant.contains('*'));
    let found = parts.and_then(|(tenant, helpdesk)| Some((tenant.to_owned(), Helpdesk::named(helpdesk)?)));
    found.ok_or_else(|| ConnectionError::Name(name.to_owned()))
}

pub(super) fn platform(helpdesk: Helpdesk) -> Platform {
    match helpdesk {
        Helpdesk::Zendesk => Platform::Zendesk,
        Helpdesk::Freshdesk => Platform::Freshdesk,
        Helpdesk::Intercom => Platform::Intercom,
    }
}

/// Whether the configuration file has the account.
pub(super) fn in_file(process: &Process, tenant: &str, helpdesk: Helpdesk) -> bool {
    process.config.tenants.get(tenant).is_some_and(|config| match helpdesk {
        Helpdesk::Zendesk => config.zendesk.is_some(),
        Helpdesk::Freshdesk => config.freshdesk.is_some(),
        Helpdesk::Intercom => config.intercom.is_some(),
    })
}

impl Connection {
    /// Reads the entity.
    ///
    /// # Errors
    /// If it is not as this version writes it.
    pub fn read(entity: &ControlEntity) -> Result<Self, ConnectionError> {
        let unreadable = || ConnectionError::Unreadable(entity.id.clone());
        let (tenant, helpdesk) = named(&entity.id)?;
        let body: Body = serde_json::from_str(&entity.body).map_err(|_| unreadable())?;
        // The id is what the secrets are tied to; the tenant beside it is not.
        if tenant != entity.tenant {
            return Err(unreadable());
        }
        Ok(Self {
            name: entity.id.clone(),
            tenant,
            helpdesk,
            settings: body.settings,
            secrets: body.secrets,
            version: entity.version,
            changed_at: entity.updated_at,
            changed_by: entity.updated_by.clone(),
        })
    }

    /// The stored account of that name.
    ///
    /// # Errors
    /// If there is none, or it can't be read.
    pub fn stored(process: &Process, name: &str) -> Result<Self, ConnectionError> {
        let entity = process.control.get(CONNECTION_KIND, name);
        Self::read(&*entity.ok_or_else(|| ConnectionError::Unknown(name.to_owned()))?)
    }
}

/// Opens the secrets of an entity.
fn open(process: &Process, entity: &ControlEntity) -> Result<Secrets, ConnectionError> {
    let locked = |source| ConnectionError::Locked { name: entity.id.clone(), source };
    let plain = sealed::open(&process.vault, entity).map_err(locked)?;
    serde_json::from_slice(&plain).map_err(|_| ConnectionError::Unreadable(entity.id.clone()))
}

/// The account that an entity describes, as a configuration file would.
pub(super) fn config_of(process: &Process, entity: &ControlEntity) -> Result<TenantConfig, ConnectionError> {
    let kept = Connection::read(entity)?;
    let (secrets, hosts) = (open(process, entity)?, &process.config.connectors.hosts);
    Ok(config::account(&kept.tenant, kept.helpdesk, &kept.settings, &secrets, hosts)?)
}

/// What shall be otherwise.
#[derive(Default)]
pub struct Change {
    /// Plain settings to set.
    pub settings: AccountSettings,
    /// Settings to take away, plain or secret.
    pub unset: Vec<String>,
    /// Secrets to set.
    pub secrets: Secrets,
}

/// An account that was checked and is not stored yet.
pub struct Draft {
    name: String,
    tenant: String,
    helpdesk: Helpdesk,
    settings: AccountSettings,
    secrets: Secrets,
    config: TenantConfig,
    before: Option<Connection>,
}

impl Draft {
    /// A new account.
    ///
    /// # Errors
    /// If there is one of that name, or it can't be used so.
    pub fn new(process: &Process, name: &str, change: Change) -> Result<Self, ConnectionError> {
        named(name)?;
        match process.control.get(CONNECTION_KIND, name).map(|entity| Connection::read(&entity)) {
            Some(Ok(_)) => Err(ConnectionError::Exists(name.to_owned())),
            // Registering it again is the way out of an entity that can't be read.
            Some(Err(_)) | None => Self::checked(process, name, change.settings, change.secrets, None),
        }
    }

    /// A stored account, changed.
    ///
    /// # Errors
    /// If there is none, or it could not be used so.
    pub fn of(process: &Process, name: &str, change: Change) -> Result<Self, ConnectionError> {
        let before = Connection::stored(process, name)?;
        let mut settings = before.settings.clone();
        settings.extend(change.settings);
        settings.retain(|setting, _| !change.unset.contains(setting));
        // Whoever gives all of them anew needs none of before, which may be lost with their key.
        let all_anew = before.secrets.iter().all(|secret| change.secrets.contains_key(secret));
        let mut secrets = Secrets::new();
        if !all_anew {
            let entity = process.control.get(CONNECTION_KIND, name);
            secrets = open(process, &*entity.ok_or_else(|| ConnectionError::Unknown(name.to_owned()))?)?;
        }
        secrets.extend(change.secrets);
        secrets.retain(|secret, _| !change.unset.contains(secret));
        Self::checked(process, name, settings, secrets, Some(before))
    }

    fn checked(
        process: &Process,
        name: &str,
        settings: AccountSettings,
        secrets: Secrets,
        before: Option<Connection>,
    ) -> Result<Self, ConnectionError> {
        let (tenant, helpdesk) = named(name)?;
        if in_file(process, &tenant, helpdesk) {
            return Err(ConnectionError::InFile(name.to_owned()));
        }
        let hosts = &process.config.connectors.hosts;
        let config = config::account(&tenant, helpdesk, &settings, &secrets, hosts)?;
        Ok(Self { name: name.to_owned(), tenant, helpdesk, settings, secrets, config, before })
    }

    /// The account, to try it.
    pub fn account(&self) -> Box<dyn Account> {
        let mut accounts = account::of_tenant(&self.tenant, &self.config);
        accounts.pop().expect("the configuration was made with this one account in it")
    }

    /// Stores it; running processes take it in at once.
    ///
    /// # Errors
    /// If `control` can't be written.
    pub async fn store(self, process: &Process, by: &str) -> Result<(), ConnectionError> {
        let control = &process.control;
        control.ensure_data_key(&self.tenant, by).await?;
        let names: Vec<String> = self.secrets.keys().cloned().collect();
        let values: BTreeMap<&str, &str> =
            self.secrets.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
        let plain = Zeroizing::new(serde_json::to_vec(&values).expect("texts are JSON"));
        let elsewhere =
            self.before.as_ref().is_some_and(|before| before.settings.get("url") != self.settings.get("url"));
        let body = Body { settings: self.settings, secrets: names };
        let body = serde_json::to_string(&body).expect("texts and numbers are JSON");
        let mut entity = control.next((CONNECTION_KIND, &self.name, &self.tenant), by, body);
        sealed::seal(&process.vault, &mut entity, &plain)?;
        if elsewhere {
            forget(process, &self.tenant, self.helpdesk).await?;
        }
        control.put(&entity).await?;
        Ok(())
    }
}

/// Removes an account, with where its poll stood and who we were there: running processes serve it no longer.
///
/// # Errors
/// If there is none, or `control` can't be written.
pub async fn remove(process: &Process, name: &str) -> Result<(), ConnectionError> {
    let (tenant, helpdesk) = named(name)?;
    if process.control.get(CONNECTION_KIND, name).is_none() {
        let in_file = in_file(process, &tenant, helpdesk);
        let name = name.to_owned();
        return Err(if in_file { ConnectionError::InFile(name) } else { ConnectionError::Unknown(name) });
    }
    process.control.remove(CONNECTION_KIND, name).await?;
    if !in_file(process, &tenant, helpdesk) {
        forget(process, &tenant, helpdesk).await?;
    }
    Ok(())
}

/// What was learned of an account at one address is not true of one at another.
async fn forget(process: &Process, tenant: &str, helpdesk: Helpdesk) -> Result<(), ControlError> {
    let id = format!("{tenant}/{}", platform(helpdesk));
    let backfill = format!("{id}/backfill");
    let learned = [
        (intake::CURSOR_KIND, &id),
        (intake::CURSOR_KIND, &backfill),
        (own_user::KIND, &id),
        (state::PAUSED_KIND, &id),
    ];
    for (kind, id) in learned {
        if process.control.get(kind, id).is_some() {
            process.control.remove(kind, id).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_a_tenant_and_a_helpdesk() {
        assert_eq!(named("acme/zendesk").unwrap(), ("acme".to_owned(), Helpdesk::Zendesk));
        for bad in ["acme", "/zendesk", "acme/", "acme/import", "*/zendesk", "acme/zendesk/x"] {
            assert!(named(bad).is_err(), "{bad}");
        }
    }
}
