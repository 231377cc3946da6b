//! Configuration: defaults < file < environment < flags, each setting documented in `defaults.toml`.
//!
//! Unknown keys are refused, and every complaint names the field and the fix.

mod account;
mod channels;
mod console;
mod helpdesk;
mod load;
mod network;
mod opinions;
mod secret;
mod validate;

pub use account::{AccountSettings, Helpdesk, Secrets, account};
pub use channels::{AlertmanagerConfig, ChannelConfig, EmailConfig, SlackConfig, SmtpTls, WebhookConfig};
pub use console::ConsoleConfig;
pub use helpdesk::{FreshdeskConfig, FreshdeskPriority, IntercomConfig, ZendeskConfig};
pub use load::{ConfigError, Overrides, load};
pub use network::Network;
pub use opinions::{
    Ask, EncoderConfig, OpinionPolicy, OpinionsConfig, PriceConfig, ProviderConfig, ProviderKind,
    TenantOpinions,
};
pub use secret::{Secret, SecretError};
pub use validate::Problem;

use deskstream_schemas::Retention;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// The shipped, annotated defaults.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// The whole configuration; each field is documented in `defaults.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented in defaults.toml, which a test holds to this type")]
pub struct Config {
    pub log: LogConfig,
    pub kafka: KafkaConfig,
    pub registry: RegistryConfig,
    pub clickhouse: ClickHouseConfig,
    pub keys: KeysConfig,
    pub audit: AuditConfig,
    pub http: HttpConfig,
    pub connectors: ConnectorsConfig,
    pub console: ConsoleConfig,
    pub spool: SpoolConfig,
    pub pipeline: PipelineConfig,
    pub alerts: AlertsConfig,
    pub write_back: WriteBackConfig,
    pub opinions: OpinionsConfig,
    pub tenants: BTreeMap<String, TenantConfig>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented in defaults.toml")]
pub struct LogConfig {
    pub format: LogFormat,
    pub filter: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum LogFormat {
    Json,
    Text,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented in defaults.toml")]
pub struct KafkaConfig {
    pub bootstrap: String,
    pub topic_prefix: String,
    pub partitions: i32,
    pub replication: i32,
    pub sasl_password: Option<Secret>,
    pub properties: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented in defaults.toml")]
pub struct RegistryConfig {
    pub url: Url,
    pub user: Option<String>,
    pub password: Option<Secret>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented in defaults.toml")]
pub struct ClickHouseConfig {
    pub url: Url,
    pub database: String,
    pub user: String,
    pub password: Option<Secret>,
    pub batch_rows: usize,
    pub batch_bytes: ByteSize,
    #[serde(with = "humantime_serde")]
    pub batch_age: Duration,
    #[serde(with = "humantime_serde")]
    pub insert_interval: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented in defaults.toml")]
pub struct KeysConfig {
    pub kms: Kms,
    pub master: Secret,
    pub older: Vec<Secret>,
    pub vault: Option<VaultConfig>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented in defaults.toml")]
pub struct AuditConfig {
    #[serde(with = "humantime_serde")]
    pub keep: Duration,
    #[serde(with = "humantime_serde")]
    pub keep_processing: Duration,
    pub archive: String,
}

impl AuditConfig {
    /// How long records of that retention are kept.
    pub fn keeps(&self, retention: Retention) -> Duration {
        match retention {
            Retention::Audit => self.keep,
            Retention::Processing => self.keep_processing,
        }
    }
}

/// What wraps tenants' data keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kms {
    /// `keys.master`.
    Local,
    /// The Transit engine of HashiCorp Vault.
    Vault,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented in defaults.toml")]
pub struct VaultConfig {
    pub address: Url,
    pub token: Secret,
    pub key: String,
    #[serde(default = "transit")]
    pub mount: String,
    #[serde(default)]
    pub namespace: Option<String>,
    #[serde(default)]
    pub ca: Option<PathBuf>,
    #[serde(default = "vault_timeout", with = "humantime_serde")]
    pub timeout: Duration,
}

/// Where `vault secrets enable transit` puts it.
fn transit() -> String {
    "transit".to_owned()
}

/// Wrapping takes milliseconds; this leaves room for a service that changes its leader.
fn vault_timeout() -> Duration {
    Duration::from_secs(5)
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented in defaults.toml")]
pub struct HttpConfig {
    pub webhooks: SocketAddr,
    pub admin: SocketAddr,
    pub max_body: ByteSize,
    #[serde(with = "humantime_serde")]
    pub signature_window: Duration,
    pub max_in_flight: usize,
    pub trust_forwarded_for: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented in defaults.toml")]
pub struct ConnectorsConfig {
    pub hosts: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented in defaults.toml")]
pub struct SpoolConfig {
    pub directory: Option<PathBuf>,
    pub max_bytes: ByteSize,
    #[serde(with = "humantime_serde")]
    pub after: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented in defaults.toml")]
pub struct PipelineConfig {
    pub group: String,
    #[serde(with = "humantime_serde")]
    pub epoch: Duration,
    #[serde(with = "humantime_serde")]
    pub window_interval: Duration,
    pub max_in_flight: usize,
    pub max_text_bytes: usize,
    #[serde(with = "humantime_serde")]
    pub lateness_horizon: Duration,
    #[serde(with = "humantime_serde")]
    pub future_limit: Duration,
    #[serde(with = "humantime_serde")]
    pub past_limit: Duration,
    pub find_names: bool,
    pub model: Option<PathBuf>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented in defaults.toml")]
pub struct AlertsConfig {
    #[serde(with = "humantime_serde")]
    pub tick: Duration,
    pub rules: Option<PathBuf>,
    pub channels: BTreeMap<String, ChannelConfig>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented in defaults.toml")]
pub struct WriteBackConfig {
    pub enabled: bool,
    pub dry_run: bool,
    pub tag_prefix: String,
    pub tags: bool,
    pub priority: PriorityPolicy,
    pub note: bool,
    pub draft: DraftPolicy,
    pub custom_fields: bool,
    pub max_per_hour: Option<NonZeroU32>,
}

/// What becomes of a reply that is proposed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DraftPolicy {
    /// Nothing.
    #[default]
    Never,
    /// It stands in the private note, marked as a draft: an agent sends it, or does not.
    Note,
    /// It is sent to the requester, where the helpdesk lets us (Freshdesk, Intercom); elsewhere as `Note`.
    Reply,
}

/// What of a ticket a write-back may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum WriteBackField {
    Tags,
    Note,
    Priority,
    Draft,
    CustomFields,
}

/// What holds for one tenant's write-backs; unset: what holds for all.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented in defaults.toml")]
pub struct TenantWriteBackConfig {
    pub dry_run: Option<bool>,
    pub fields: Option<Vec<WriteBackField>>,
    pub max_per_hour: Option<NonZeroU32>,
}

/// When a write-back may set a ticket's priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PriorityPolicy {
    /// Never.
    Never,
    /// Where no one has set one.
    IfUnset,
}

/// One tenant.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented in defaults.toml")]
pub struct TenantConfig {
    pub zendesk: Option<ZendeskConfig>,
    pub freshdesk: Option<FreshdeskConfig>,
    pub opinions: Option<TenantOpinions>,
    pub intercom: Option<IntercomConfig>,
    pub write_back: Option<TenantWriteBackConfig>,
}

/// A size such as `16 MiB`, or a plain number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteSize(pub usize);

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Number(u64),
            Text(String),
        }
        let bytes = match Raw::deserialize(deserializer)? {
            Raw::Number(bytes) => bytes,
            Raw::Text(text) => text
                .parse::<bytesize::ByteSize>()
                .map_err(|_| D::Error::custom(format!("`{text}` is not a size: write e.g. \"16 MiB\"")))?
                .as_u64(),
        };
        usize::try_from(bytes).map(Self).map_err(D::Error::custom)
    }
}
