//! The console's settings.

use super::validate::Check;
use super::{ByteSize, Secret};
use serde::Deserialize;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented in defaults.toml")]
pub struct ConsoleConfig {
    pub listen: SocketAddr,
    pub public_url: Option<Url>,
    pub certificate: Option<PathBuf>,
    pub private_key: Option<Secret>,
    #[serde(with = "humantime_serde")]
    pub access_token_ttl: Duration,
    #[serde(with = "humantime_serde")]
    pub session_idle: Duration,
    #[serde(with = "humantime_serde")]
    pub session_max: Duration,
    #[serde(with = "humantime_serde")]
    pub signing_key_age: Duration,
    pub requests_per_minute: NonZeroU32,
    pub anonymous_per_minute: NonZeroU32,
    pub max_body: ByteSize,
}

impl ConsoleConfig {
    /// Whether browsers reach the console by https: by its own certificate, or by a proxy in front of it.
    pub fn https(&self) -> bool {
        self.certificate.is_some() || self.public_url.as_ref().is_some_and(|url| url.scheme() == "https")
    }

    pub(super) fn check(&self, check: &mut Check) {
        let minute = Duration::from_secs(60);
        check.that(
            self.certificate.is_some() == self.private_key.is_some(),
            "console.certificate",
            "is half of a pair",
            "give console.certificate and console.private_key, or neither",
        );
        if let Some(key) = &self.private_key {
            check.secret("console.private_key", key);
        }
        check.that(
            self.listen.ip().is_loopback() || self.https(),
            "console.listen",
            "is no loopback address, and nothing speaks TLS",
            "passwords travel here: give console.certificate, or with a proxy in front console.public_url",
        );
        check.that(
            (Duration::from_secs(1)..=60 * minute).contains(&self.access_token_ttl),
            "console.access_token_ttl",
            "is under 1s or over 1h",
            "give 5m to 15m",
        );
        check.that(
            self.session_idle >= self.access_token_ttl,
            "console.session_idle",
            "is shorter than console.access_token_ttl",
            "give hours, e.g. 12h",
        );
        check.that(
            self.session_max >= self.session_idle,
            "console.session_max",
            "is shorter than console.session_idle",
            "give days, e.g. 7d",
        );
        check.that(
            self.signing_key_age >= minute,
            "console.signing_key_age",
            "is under 1m",
            "give hours or days, e.g. 24h",
        );
        check.that(
            (1024..=16 << 20).contains(&self.max_body.0),
            "console.max_body",
            "is under 1 KiB or over 16 MiB",
            "\"256 KiB\" is a good start",
        );
    }
}
