//! Alert channels: what each kind needs, and what types can't say of it.

use super::Secret;
use super::validate::Check;
use secrecy::ExposeSecret;
use serde::Deserialize;
use std::path::PathBuf;
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
    /// Slack: an incoming webhook, or a bot.
    Slack(SlackConfig),
    /// Prometheus Alertmanager.
    Alertmanager(AlertmanagerConfig),
    /// A signed webhook to a receiver of one's own.
    Webhook(WebhookConfig),
    /// Mails over SMTP.
    Email(EmailConfig),
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

/// A channel at Slack: `url` of an incoming webhook, or `token` and `channel` of a bot, which can answer in threads.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlackConfig {
    /// The webhook's URL, which is itself the credential.
    #[serde(default)]
    pub url: Option<Secret>,
    /// The bot's token, with the scope `chat:write`.
    #[serde(default)]
    pub token: Option<Secret>,
    /// Id of the channel that the bot writes to.
    #[serde(default)]
    pub channel: Option<String>,
    /// Another address of the Web API than Slack's own.
    #[serde(default)]
    pub api: Option<Url>,
}

/// A receiver of signed webhooks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Its whole URL, which often is a credential too.
    pub url: Secret,
    /// What requests are signed with.
    pub secret: Secret,
}

/// Recipients of mails, and the server that takes them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// Name of the mail server, which its certificate must bear.
    pub server: String,
    /// Its port, if it is not the usual one of `tls`.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection is protected.
    #[serde(default)]
    pub tls: SmtpTls,
    /// Certificates to trust instead of the system's, as PEM.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// User, where the server asks for one.
    #[serde(default)]
    pub user: Option<String>,
    /// The user's password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// The sender's address.
    pub from: String,
    /// The recipients' addresses.
    pub to: Vec<String>,
}

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// It starts in the clear, and goes no further without TLS.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// Not at all: only for a server on this machine.
    None,
}

/// An hour: longer than anyone takes to restart Deskstream, and what it left behind is gone the same day.
fn hold() -> Duration {
    Duration::from_secs(60 * 60)
}

/// Shorter than this, a few lost repeats would look like a resolve.
const SHORTEST_HOLD: Duration = Duration::from_secs(5 * 60);

/// Shorter than this, a signing secret can be guessed from one signed message.
const SHORTEST_SECRET: usize = 16;

impl ChannelConfig {
    /// Its `kind`, as in the configuration and as the service's name in outcomes.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::PagerDuty { .. } => "pagerduty",
            Self::Slack(_) => "slack",
            Self::Alertmanager(_) => "alertmanager",
            Self::Webhook(_) => "webhook",
            Self::Email(_) => "email",
        }
    }

    /// Checks the settings below `alerts.channels.NAME`.
    pub(super) fn check(&self, name: &str, check: &mut Check) {
        let field = |setting: &str| format!("alerts.channels.{name}.{setting}");
        match self {
            Self::PagerDuty { routing_key, .. } => check.secret(&field("routing_key"), routing_key),
            Self::Slack(config) => config.check(field, check),
            Self::Alertmanager(config) => config.check(field, check),
            Self::Webhook(config) => config.check(field, check),
            Self::Email(config) => config.check(field, check),
        }
    }
}

impl SlackConfig {
    fn check(&self, field: impl Fn(&str) -> String, check: &mut Check) {
        for (setting, secret) in [("url", &self.url), ("token", &self.token)] {
            if let Some(secret) = secret {
                check.secret(&field(setting), secret);
            }
        }
        let channel = self.channel.as_deref().unwrap_or_default();
        let by_bot = (self.token.is_some(), self.channel.is_some());
        check.that(
            matches!((self.url.is_some(), by_bot), (true, (false, false)) | (false, (true, true))),
            &field("url"),
            "does not say in one way where to write to",
            "give url of an incoming webhook, or token and channel of a bot",
        );
        check.that(
            self.channel.is_none()
                || (1..=64).contains(&channel.len()) && channel.bytes().all(|b| b.is_ascii_alphanumeric()),
            &field("channel"),
            "is no id of a channel",
            "give its id, as in C0123456789: in Slack below the channel's details",
        );
        check.that(
            self.api.is_none() || self.url.is_none(),
            &field("api"),
            "is set besides url",
            "it is for a bot only",
        );
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

impl WebhookConfig {
    fn check(&self, field: impl Fn(&str) -> String, check: &mut Check) {
        check.secret(&field("url"), &self.url);
        check.secret(&field("secret"), &self.secret);
        let length = self.secret.expose().expose_secret().len();
        check.that(
            self.secret.problem().is_some() || length >= SHORTEST_SECRET,
            &field("secret"),
            "is under 16 characters",
            "make one with `openssl rand -base64 32`, and give it to the receiver",
        );
    }
}

impl EmailConfig {
    /// The port, or the usual one.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            SmtpTls::Starttls => 587,
            SmtpTls::Implicit => 465,
            SmtpTls::None => 25,
        })
    }

    fn check(&self, field: impl Fn(&str) -> String, check: &mut Check) {
        let name = self.server.chars().all(|c| c.is_ascii_alphanumeric() || ".-:".contains(c));
        let numeric = self.server.parse::<std::net::Ipv6Addr>().is_ok();
        check.that(
            !self.server.is_empty() && name && (numeric || !self.server.contains(':')),
            &field("server"),
            "is no host name",
            "give the name alone, e.g. \"smtp.example.com\", and the port as port",
        );
        check.that(
            self.tls != SmtpTls::None || matches!(self.server.as_str(), "127.0.0.1" | "localhost" | "::1"),
            &field("tls"),
            "is none for another machine",
            "give \"starttls\" or \"implicit\"",
        );
        check.that(
            self.ca.is_none() || self.tls != SmtpTls::None,
            &field("ca"),
            "is set without TLS",
            "take it out, or give \"starttls\" or \"implicit\" as tls",
        );
        check.that(!self.to.is_empty(), &field("to"), "is empty", "give the addresses to write to");
        check.that(
            self.user.is_some() == self.password.is_some(),
            &field(if self.user.is_some() { "password" } else { "user" }),
            "is not set",
            "give both user and password, or neither",
        );
        if let Some(password) = &self.password {
            check.secret(&field("password"), password);
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
        let short = format!("{file}.short");
        std::fs::write(dir.path().join("key.short"), "hunter2").unwrap();
        let path = dir.path().join("deskstream.toml");
        let text = format!(
            "[keys]\nmaster = \"{file}\"\n[alerts.channels.x]\n{}",
            settings.replace("KEY", &file).replace("SHORT", &short)
        );
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

    #[test]
    fn a_webhook_is_checked() {
        let of = |settings: &str| complaint(&format!("kind = \"webhook\"\n{settings}"));
        assert_eq!(of("url = \"KEY\"\nsecret = \"KEY\""), "");
        for (settings, start) in [
            ("secret = \"KEY\"", "alerts.channels.x.url: is not set"),
            ("url = \"KEY\"\nsecret = \"hunter2\"", "alerts.channels.x.secret: a secret is not written"),
            ("url = \"KEY\"\nsecret = \"SHORT\"", "alerts.channels.x.secret: is under 16 characters"),
        ] {
            let complaint = of(settings);
            assert!(complaint.starts_with(start), "{settings}: {complaint}");
        }
    }

    #[test]
    fn a_mail_server_is_checked() {
        let of = |settings: &str| complaint(&format!("kind = \"email\"\nfrom = \"a@b.example\"\n{settings}"));
        let to = "to = [\"c@d.example\"]\n";
        assert_eq!(of(&format!("{to}server = \"smtp.example.com\"\nuser = \"u\"\npassword = \"KEY\"")), "");
        assert_eq!(of(&format!("{to}server = \"localhost\"\ntls = \"none\"\nport = 2525")), "");
        for (settings, start) in [
            ("server = \"smtp.example.com:25\"", "alerts.channels.x.server: is no host name"),
            ("server = \"a\"\ntls = \"none\"", "alerts.channels.x.tls: is none for another machine"),
            ("server = \"::1\"\ntls = \"none\"\nca = \"f\"", "alerts.channels.x.ca: is set without TLS"),
            ("server = \"a\"\nuser = \"u\"", "alerts.channels.x.password: is not set"),
        ] {
            let complaint = of(&format!("{to}{settings}"));
            assert!(complaint.starts_with(start), "{settings}: {complaint}");
        }
        assert!(of("server = \"a\"\nto = []").starts_with("alerts.channels.x.to: is empty"));
    }
}
