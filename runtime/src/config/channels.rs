//! Alert channels: what each kind needs, and what types can't say of it.

use super::Secret;
use super::validate::Check;
use serde::Deserialize;
use std::time::Duration;
use url::Url;

/// Where alerts go.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum ChannelConfig {
    /// PagerDuty Events v2.
    PagerDuty {
        /// The service's integration key.
        routing_key: Secret,
        /// Another endpoint than PagerDuty's own.
        #[serde(default)]
        url: Option<Url>,
    },
    /// A Slack incoming webhook.
    Slack {
        /// The webhook's URL, which is itself the credential.
        url: Secret,
    },
    /// Prometheus Alertmanager.
    Alertmanager(AlertmanagerConfig),
}

/// An Alertmanager, or anything that takes its API v2.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertmanagerConfig {
    /// Its address, with the path that it is served under.
    pub url: Url,
    /// User, where it asks for one.
    #[serde(default)]
    pub user: Option<String>,
    /// The user's password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// A bearer token instead.
    #[serde(default)]
    pub token: Option<Secret>,
    /// What alerts link to as their source.
    #[serde(default)]
    pub generator_url: Option<Url>,
    /// How long it goes on firing without hearing of an alert again.
    #[serde(default = "hold", with = "humantime_serde")]
    pub hold: Duration,
}

/// An hour: longer than anyone takes to restart Deskstream, and what it left behind is gone the same day.
fn hold() -> Duration {
    Duration::from_secs(60 * 60)
}

/// Shorter than this, a few lost repeats would look like a resolve.
const SHORTEST_HOLD: Duration = Duration::from_secs(5 * 60);

impl ChannelConfig {
    /// Its `kind`, as in the configuration and as the service's name in outcomes.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::PagerDuty { .. } => "pagerduty",
            Self::Slack { .. } => "slack",
            Self::Alertmanager(_) => "alertmanager",
        }
    }

    /// Checks the settings below `alerts.channels.NAME`.
    pub(super) fn check(&self, name: &str, check: &mut Check) {
        let field = |setting: &str| format!("alerts.channels.{name}.{setting}");
        match self {
            Self::PagerDuty { routing_key, .. } => check.secret(&field("routing_key"), routing_key),
            Self::Slack { url } => check.secret(&field("url"), url),
            Self::Alertmanager(config) => config.check(field, check),
        }
    }
}

impl AlertmanagerConfig {
    fn check(&self, field: impl Fn(&str) -> String, check: &mut Check) {
        let url = &self.url;
        check.that(
            matches!(url.scheme(), "http" | "https") && url.has_host(),
            &field("url"),
            "is no http(s) URL",
            "give e.g. \"https://alertmanager.example.com\"",
        );
        check.that(
            url.username().is_empty() && url.password().is_none(),
            &field("url"),
            "holds a user or a password",
            "give them as user and password",
        );
        check.that(
            self.user.is_some() == self.password.is_some(),
            &field(if self.user.is_some() { "password" } else { "user" }),
            "is not set",
            "give both user and password, or neither",
        );
        check.that(
            self.user.is_none() || self.token.is_none(),
            &field("token"),
            "is set besides user and password",
            "give one of the two",
        );
        let secret = self.password.is_some() || self.token.is_some();
        check.that(
            url.scheme() != "http" || !secret || loopback(url),
            &field("url"),
            "is not https",
            "credentials travel with every request: use https",
        );
        check.that(self.hold >= SHORTEST_HOLD, &field("hold"), "is under 5m", "give 5m or more, e.g. \"1h\"");
        for (setting, secret) in [("password", &self.password), ("token", &self.token)] {
            if let Some(secret) = secret {
                check.secret(&field(setting), secret);
            }
        }
    }
}

fn loopback(url: &Url) -> bool {
    matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"))
}

#[cfg(test)]
mod tests {
    use crate::config::load;

    /// What is wrong with a channel of these settings; a test's secrets are in the file `key`.
    fn complaint(settings: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("key");
        std::fs::write(&key, "hunter2-hunter2-hunter2").unwrap();
        let file = format!("file:{}", key.display());
        let path = dir.path().join("deskstream.toml");
        let text =
            format!("[keys]\nmaster = \"{file}\"\n[alerts.channels.x]\n{}", settings.replace("KEY", &file));
        std::fs::write(&path, text).unwrap();
        let complaint =
            load(Some(&path), &Vec::new()).map_or_else(|error| error.to_string(), |_| String::new());
        assert!(!complaint.contains("hunter2"), "{complaint}");
        complaint
    }

    #[test]
    fn an_alertmanager_is_checked() {
        let of = |settings: &str| complaint(&format!("kind = \"alertmanager\"\n{settings}"));
        assert_eq!(of("url = \"http://alertmanager:9093\""), "");
        assert_eq!(of("url = \"https://a.example/am\"\ntoken = \"KEY\"\nhold = \"10m\""), "");
        for (settings, start) in [
            ("", "alerts.channels.x.url: is not set"),
            ("url = \"ftp://a\"", "alerts.channels.x.url: is no http(s) URL"),
            ("url = \"https://me:hunter2@a\"", "alerts.channels.x.url: holds a user or a password"),
            ("url = \"http://a\"\ntoken = \"KEY\"", "alerts.channels.x.url: is not https"),
            ("url = \"https://a\"\nuser = \"me\"", "alerts.channels.x.password: is not set"),
            ("url = \"https://a\"\npassword = \"KEY\"", "alerts.channels.x.user: is not set"),
            (
                "url = \"https://a\"\nuser = \"me\"\npassword = \"KEY\"\ntoken = \"KEY\"",
                "alerts.channels.x.token: is set besides user and password",
            ),
            ("url = \"https://a\"\nhold = \"1m\"", "alerts.channels.x.hold: is under 5m"),
            ("url = \"https://a\"\ntoken = \"hunter2\"", "alerts.channels.x.token: a secret is not written"),
            ("url = \"https://a\"\nurls = \"b\"", "alerts.channels.x"),
        ] {
            let complaint = of(settings);
            assert!(complaint.starts_with(start), "{settings}: {complaint}");
        }
    }
}
