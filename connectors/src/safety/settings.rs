//! What holds for a tenant's write-backs now.
//!
//! The kill switch holds if anybody has thrown it; of fields those may be written that everybody allows; of dry run and
//! ceiling the word that is nearest to the tenant counts: the tenant's in `control`, everybody's there, the tenant's
//! in the configuration, everybody's there.

use deskstream_runtime::config::{
    DraftPolicy, PriorityPolicy, TenantWriteBackConfig, WriteBackConfig, WriteBackField,
};
use deskstream_runtime::control::{Control, ControlError};
use deskstream_schemas::EVERY_TENANT;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::num::NonZeroU32;

/// Kind of the control entities that hold [`Settings`]; their id is the tenant, or `*` for all.
pub const WRITE_BACK_KIND: &str = "write-back";

/// What a write-back may touch.
pub use deskstream_runtime::config::WriteBackField as Field;

/// What is set; unset leaves it to others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The kill switch, with the reason of who threw it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// Decide and record, but do not write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
    /// What may be written; what is not in it stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<BTreeSet<Field>>,
    /// Most updates in a clock hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_per_hour: Option<NonZeroU32>,
}

/// Stored settings can't be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each variant wraps the error of one step")]
pub enum SettingsError {
    #[error("the settings of write-backs in control ({0}) can't be read: set them again")]
    Unreadable(String),
    #[error(transparent)]
    Control(#[from] ControlError),
}

impl From<&TenantWriteBackConfig> for Settings {
    fn from(config: &TenantWriteBackConfig) -> Self {
        Self {
            stopped: None,
            dry_run: config.dry_run,
            fields: config.fields.as_ref().map(|fields| fields.iter().copied().collect()),
            max_per_hour: config.max_per_hour,
        }
    }
}

impl Settings {
    /// The settings that are stored for a tenant, or for `*`.
    ///
    /// # Errors
    /// If they can't be read.
    pub fn stored(control: &Control, tenant: &str) -> Result<Self, SettingsError> {
        match control.get(WRITE_BACK_KIND, tenant) {
            None => Ok(Self::default()),
            Some(entity) => serde_json::from_str(&entity.body)
                .map_err(|_| SettingsError::Unreadable(format!("{WRITE_BACK_KIND}/{tenant}"))),
        }
    }

    /// These, with what `others` say where these say nothing. Restrictions add up.
    fn or(self, others: Self) -> Self {
        let fields = match (self.fields, others.fields) {
            (Some(these), Some(those)) => Some(these.intersection(&those).copied().collect()),
            (these, those) => these.or(those),
        };
        Self {
            stopped: self.stopped.or(others.stopped),
            dry_run: self.dry_run.or(others.dry_run),
            fields,
            max_per_hour: self.max_per_hour.or(others.max_per_hour),
        }
    }

    /// The policy that comes of them.
    pub(super) fn policy(&self, config: &WriteBackConfig) -> WriteBackConfig {
        let may = |field| self.fields.as_ref().is_none_or(|fields| fields.contains(&field));
        WriteBackConfig {
            dry_run: self.dry_run.unwrap_or(config.dry_run),
            tags: config.tags && may(WriteBackField::Tags),
            note: config.note && may(WriteBackField::Note),
            priority: if may(WriteBackField::Priority) { config.priority } else { PriorityPolicy::Never },
            draft: if may(WriteBackField::Draft) { config.draft } else { DraftPolicy::Never },
            custom_fields: config.custom_fields && may(WriteBackField::CustomFields),
            ..config.clone()
        }
    }
}

/// What holds now; `own` is the tenant's part of the configuration.
pub(super) fn now(control: &Control, tenant: &str, own: &Settings) -> Result<Settings, SettingsError> {
    let every = Settings::stored(control, EVERY_TENANT)?;
    Ok(Settings::stored(control, tenant)?.or(every).or(own.clone()))
}

/// Stores settings for a tenant, or for `*`; running processes take them in at once.
///
/// # Errors
/// If `control` can't be written.
pub async fn store(
    control: &Control,
    tenant: &str,
    by: &str,
    settings: &Settings,
) -> Result<(), SettingsError> {
    let body = serde_json::to_value(settings).expect("texts and numbers are JSON");
    Ok(control.put_json(WRITE_BACK_KIND, tenant, tenant, by, &body).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::helpdesk::decision::tests::policy;

    fn settings(json: &str) -> Settings {
        serde_json::from_str(json).unwrap()
    }

    fn config() -> WriteBackConfig {
        WriteBackConfig { max_per_hour: NonZeroU32::new(100), ..policy() }
    }

    #[test]
    fn the_nearest_word_counts_and_restrictions_add_up() {
        let tenant = settings(r#"{"dry_run": false, "fields": ["tags", "note"]}"#);
        let every = settings(r#"{"dry_run": true, "fields": ["note", "priority"], "max_per_hour": 7}"#);
        let own = settings(r#"{"max_per_hour": 9}"#);
        let all = tenant.or(every).or(own);
        assert_eq!(all, settings(r#"{"dry_run": false, "fields": ["note"], "max_per_hour": 7}"#));
        let policy = all.policy(&config());
        assert_eq!(
            (policy.dry_run, policy.tags, policy.note, policy.priority),
            (false, false, true, PriorityPolicy::Never)
        );
    }

    #[test]
    fn whoever_throws_the_switch_throws_it() {
        for (tenant, every) in [("{\"stopped\": \"a\"}", "{}"), ("{}", "{\"stopped\": \"a\"}")] {
            assert_eq!(settings(tenant).or(settings(every)).stopped.as_deref(), Some("a"));
        }
    }

    #[test]
    fn without_settings_the_configuration_stands() {
        let policy = Settings::default().policy(&config());
        assert!(policy.tags && policy.note && !policy.dry_run && policy.priority == PriorityPolicy::IfUnset);
    }

    #[test]
    fn what_is_no_setting_is_refused() {
        for bad in [r#"{"stoped": "typo"}"#, r#"{"fields": ["subject"]}"#, r#"{"max_per_hour": 0}"#] {
            assert!(serde_json::from_str::<Settings>(bad).is_err(), "{bad}");
        }
    }
}
