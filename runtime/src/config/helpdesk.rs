//! Accounts at helpdesks: what each kind needs, and what is assumed of its limits.

use super::{Network, Secret};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;
use url::Url;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented in defaults.toml")]
pub struct ZendeskConfig {
    pub url: Url,
    pub email: Option<String>,
    pub api_token: Option<Secret>,
    pub oauth_token: Option<Secret>,
    pub webhook_secret: Secret,
    #[serde(default, with = "humantime_serde::option")]
    pub poll: Option<Duration>,
    #[serde(default = "requests_per_minute")]
    pub requests_per_minute: NonZeroU32,
    #[serde(default = "updates_per_minute")]
    pub updates_per_minute: NonZeroU32,
    #[serde(default)]
    pub fields: BTreeMap<String, u64>,
    #[serde(default)]
    pub batch: bool,
}

/// The API rate limit of Zendesk's smallest plan (Suite Team).
fn requests_per_minute() -> NonZeroU32 {
    const { NonZeroU32::new(200).unwrap() }
}

/// Zendesk's limit of "Update Ticket" for an account without the High Volume add-on, whatever its plan.
fn updates_per_minute() -> NonZeroU32 {
    const { NonZeroU32::new(100).unwrap() }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented in defaults.toml")]
pub struct FreshdeskConfig {
    pub url: Url,
    pub api_key: Secret,
    pub webhook_secret: Secret,
    #[serde(default)]
    pub webhook_sources: Vec<Network>,
    #[serde(default, with = "humantime_serde::option")]
    pub poll: Option<Duration>,
    pub unset_priority: Option<FreshdeskPriority>,
    #[serde(default = "freshdesk_requests_per_minute")]
    pub requests_per_minute: NonZeroU32,
    #[serde(default = "freshdesk_updates_per_minute")]
    pub updates_per_minute: NonZeroU32,
    #[serde(default = "freshdesk_lists_per_minute")]
    pub lists_per_minute: NonZeroU32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented in defaults.toml")]
pub struct IntercomConfig {
    #[serde(default = "intercom_url")]
    pub url: Url,
    pub access_token: Secret,
    pub client_secret: Secret,
    #[serde(default, with = "humantime_serde::option")]
    pub poll: Option<Duration>,
    pub priority_attribute: Option<String>,
    #[serde(default = "intercom_requests_per_minute")]
    pub requests_per_minute: NonZeroU32,
}

/// Intercom's address for workspaces in the United States.
fn intercom_url() -> Url {
    Url::parse("https://api.intercom.io").expect("this is an address")
}

/// The default limit of a private app.
fn intercom_requests_per_minute() -> NonZeroU32 {
    const { NonZeroU32::new(10_000).unwrap() }
}

/// A priority in Freshdesk's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are the helpdesk's own terms")]
pub enum FreshdeskPriority {
    Low,
    Medium,
    High,
    Urgent,
}

/// The limit of all requests of Freshdesk's smallest paid plan with an API (Growth).
fn freshdesk_requests_per_minute() -> NonZeroU32 {
    const { NonZeroU32::new(200).unwrap() }
}

/// That plan's limit of ticket updates.
fn freshdesk_updates_per_minute() -> NonZeroU32 {
    const { NonZeroU32::new(80).unwrap() }
}

/// That plan's limit of ticket lists.
fn freshdesk_lists_per_minute() -> NonZeroU32 {
    const { NonZeroU32::new(20).unwrap() }
}
