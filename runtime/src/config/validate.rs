//! What types can't say: ranges, relations between settings, secrets that can be read.

use super::{Config, FreshdeskConfig, KeysConfig, Kms, Secret, TenantConfig};
use secrecy::ExposeSecret;
use std::fmt;
use std::time::Duration;
use url::Url;

/// A shared secret that is shorter can be guessed.
const LEAST_SHARED_SECRET: usize = 16;

/// What custom fields can be filled with.
const LABELS: [&str; 5] = ["root_cause", "urgency", "sentiment", "industry", "language"];

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// One thing wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Dotted path of the setting.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
    /// What to do.
    pub fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.field, self.problem, self.fix)
    }
}

/// Everything wrong with `config`.
pub fn problems(config: &Config) -> Vec<Problem> {
    let mut check = Check(Vec::new());
    let kafka = &config.kafka;
    check.that(!kafka.bootstrap.trim().is_empty(), "kafka.bootstrap", "is empty", "give host:port");
    check.that(kafka.partitions > 0, "kafka.partitions", "must be at least 1", "8 is a good start");
    check.that(kafka.replication > 0, "kafka.replication", "must be at least 1", "give 3 in production");
    check.that(
        kafka.topic_prefix.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)),
        "kafka.topic_prefix",
        "has a character that Kafka forbids",
        "use letters, digits, dots, dashes and underscores",
    );
    for reserved in
        ["enable.idempotence", "enable.auto.commit", "isolation.level", "transactional.id", "acks"]
    {
        check.that(
            !kafka.properties.contains_key(reserved),
            &format!("kafka.properties.{reserved}"),
            "would break a guarantee",
            "remove it: Deskstream sets it itself",
        );
    }
    check.secrets(config);
    // A URL is told in errors and logs, and says where it stands in configurations that people show each other.
    for (field, url) in [("registry", &config.registry.url), ("clickhouse", &config.clickhouse.url)] {
        check.that(
            url.username().is_empty() && url.password().is_none(),
            &format!("{field}.url"),
            "holds a user or a password",
            &format!("give them as {field}.user and {field}.password"),
        );
    }

    for (field, kept) in
        [("audit.keep", config.audit.keep), ("audit.keep_processing", config.audit.keep_processing)]
    {
        check.that(kept >= DAY, field, "is under a day", "\"400d\" keeps a year and a month");
    }
    let archive = &config.audit.archive;
    check.that(
        !archive.trim().is_empty(),
        "audit.archive",
        "is empty",
        "give a directory, or s3://BUCKET/PREFIX",
    );

    let clickhouse = &config.clickhouse;
    check.that(
        clickhouse.batch_rows > 0,
        "clickhouse.batch_rows",
        "must be at least 1",
        "20000 is a good start",
    );
    check.that(
        clickhouse.batch_bytes.0 >= 16 * 1024,
        "clickhouse.batch_bytes",
        "is under 16 KiB",
        "\"64 MiB\" is a good start",
    );
    check.that(
        !clickhouse.database.is_empty()
            && clickhouse.database.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'),
        "clickhouse.database",
        "is no plain identifier",
        "use letters, digits and underscores",
    );

    let pipeline = &config.pipeline;
    let epoch = "pipeline.epoch";
    check.that(pipeline.epoch >= Duration::from_millis(5), epoch, "is under 5ms", "give 20ms to 1s");
    check.that(pipeline.epoch <= Duration::from_secs(10), epoch, "is over 10s", "give 20ms to 1s");
    check.that(
        pipeline.max_in_flight > 0,
        "pipeline.max_in_flight",
        "must be at least 1",
        "20000 is a good start",
    );
    check.that(
        pipeline.max_text_bytes >= 1024,
        "pipeline.max_text_bytes",
        "is under 1024",
        "give at least 1024, e.g. 262144",
    );
    check.that(!pipeline.group.is_empty(), "pipeline.group", "is empty", "give a name, e.g. \"deskstream\"");
    check.that(
        config.alerts.tick >= Duration::from_millis(100),
        "alerts.tick",
        "is under 100ms",
        "give 100ms or more, e.g. 1s",
    );
    check.that(
        config.http.max_in_flight > 0,
        "http.max_in_flight",
        "must be at least 1",
        "4096 is a good start",
    );
    check.that(
        config.spool.max_bytes.0 >= 16 * 1024 * 1024,
        "spool.max_bytes",
        "is under 16 MiB",
        "give \"1 GiB\", or unset spool.directory to have no spool",
    );
    check.that(
        (Duration::from_millis(50)..=Duration::from_secs(8)).contains(&config.spool.after),
        "spool.after",
        "is not between 50ms and 8s",
        "\"2s\" is a good start: a sender waits 12 s at most",
    );
    check.that(
        (1..=20).contains(&config.write_back.tag_prefix.len()),
        "write_back.tag_prefix",
        "must have 1 to 20 characters",
        "give a prefix no agent uses, e.g. \"ds_\"",
    );
    super::opinions::check(config, &mut check);
    config.console.check(&mut check);
    for (id, tenant) in &config.tenants {
        check.tenant(id, tenant);
    }
    check.0
}

/// Everything wrong with a tenant's accounts.
pub(super) fn problems_of_tenant(id: &str, tenant: &TenantConfig) -> Vec<Problem> {
    let mut check = Check(Vec::new());
    check.tenant(id, tenant);
    check.0
}

fn is_loopback(url: &Url) -> bool {
    matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"))
}

/// Collects problems.
pub(super) struct Check(Vec<Problem>);

impl Check {
    pub(super) fn that(&mut self, holds: bool, field: &str, problem: &str, fix: &str) {
        if !holds {
            self.0.push(Problem {
                field: field.to_owned(),
                problem: problem.to_owned(),
                fix: fix.to_owned(),
            });
        }
    }

    pub(super) fn https(&mut self, field: &str, url: &Url) {
        let fix = "credentials travel with every request: use https";
        self.that(url.scheme() == "https" || is_loopback(url), field, "is not https", fix);
    }

    fn bare(&mut self, field: &str, url: &Url, fix: &str) {
        self.that(matches!(url.path(), "" | "/"), field, "has a path", fix);
    }

    fn freshdesk(&mut self, field: &str, account: &FreshdeskConfig) {
        self.https(&format!("{field}.url"), &account.url);
        let fix = "give the account's address alone, e.g. \"https://acme.freshdesk.com\"";
        self.bare(&format!("{field}.url"), &account.url, fix);
        let secret = account.webhook_secret.expose();
        self.that(
            // One that can't be read has its own message.
            secret.expose_secret().is_empty() || secret.expose_secret().len() >= LEAST_SHARED_SECRET,
            &format!("{field}.webhook_secret"),
            "has fewer than 16 characters",
            "it is all that authenticates a webhook: make one by `openssl rand -hex 32`",
        );
    }

    pub(super) fn secret(&mut self, field: &str, secret: &Secret) {
        if let Some(problem) = secret.problem() {
            self.that(false, field, problem, "set it, or name another \"env:NAME\" or \"file:PATH\"");
        }
    }

    fn keys(&mut self, keys: &KeysConfig) {
        if keys.kms == Kms::Local {
            self.secret("keys.master", &keys.master);
        }
        for (index, key) in keys.older.iter().enumerate() {
            self.secret(&format!("keys.older[{index}]"), key);
        }
        let Some(vault) = &keys.vault else {
            let fix = "give keys.vault.address, keys.vault.token and keys.vault.key";
            return self.that(
                keys.kms != Kms::Vault,
                "keys.vault",
                "is missing with keys.kms = \"vault\"",
                fix,
            );
        };
        self.secret("keys.vault.token", &vault.token);
        let address = &vault.address;
        self.that(
            address.scheme() == "https" || is_loopback(address),
            "keys.vault.address",
            "is not https",
            "the token and data keys travel with every request: use https",
        );
        self.that(
            address.username().is_empty() && address.password().is_none(),
            "keys.vault.address",
            "holds a user or a password",
            "give a token as keys.vault.token",
        );
        let plain = |text: &str, more: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        let fix = "use letters, digits, dots, dashes and underscores";
        self.that(plain(&vault.key, "._-"), "keys.vault.key", "is no name of a key", fix);
        self.that(plain(&vault.mount, "._-/"), "keys.vault.mount", "is no path of an engine", fix);
        self.that(!vault.timeout.is_zero(), "keys.vault.timeout", "is nothing", "give 1s to 30s");
    }

    /// What is wrong with a tenant's accounts, but for secrets that can't be read.
    fn tenant(&mut self, id: &str, tenant: &TenantConfig) {
        self.that(
            !id.is_empty()
                && id.len() <= 63
                && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
            &format!("tenants.{id}"),
            "is no tenant id",
            "use up to 63 lower-case letters, digits and dashes",
        );
        if let Some(zendesk) = &tenant.zendesk {
            self.https(&format!("tenants.{id}.zendesk.url"), &zendesk.url);
            let by_token = (zendesk.email.is_some(), zendesk.api_token.is_some());
            self.that(
                matches!(
                    (by_token, zendesk.oauth_token.is_some()),
                    ((true, true), false) | ((false, false), true)
                ),
                &format!("tenants.{id}.zendesk"),
                "does not say who we are in one way",
                "give email and api_token, or oauth_token alone",
            );
            for name in zendesk.fields.keys().filter(|name| !LABELS.contains(&name.as_str())) {
                self.that(
                    false,
                    &format!("tenants.{id}.zendesk.fields.{name}"),
                    "is no label of the analysis",
                    "give root_cause, urgency, sentiment, industry or language",
                );
            }
        }
        if let Some(freshdesk) = &tenant.freshdesk {
            self.freshdesk(&format!("tenants.{id}.freshdesk"), freshdesk);
        }
        if let Some(intercom) = &tenant.intercom {
            let field = format!("tenants.{id}.intercom.url");
            self.https(&field, &intercom.url);
            self.bare(
                &field,
                &intercom.url,
                "give the region's address alone, e.g. \"https://api.intercom.io\"",
            );
        }
    }

    fn secrets(&mut self, config: &Config) {
        self.keys(&config.keys);
        let optional = [
            ("kafka.sasl_password", &config.kafka.sasl_password),
            ("registry.password", &config.registry.password),
            ("clickhouse.password", &config.clickhouse.password),
        ];
        for (field, secret) in optional {
            if let Some(secret) = secret {
                self.secret(field, secret);
            }
        }
        for (name, channel) in &config.alerts.channels {
            channel.check(name, self);
        }
        for (id, tenant) in &config.tenants {
            if let Some(zendesk) = &tenant.zendesk {
                let tokens = [("api_token", &zendesk.api_token), ("oauth_token", &zendesk.oauth_token)];
                for (name, token) in tokens {
                    if let Some(token) = token {
                        self.secret(&format!("tenants.{id}.zendesk.{name}"), token);
                    }
                }
                self.secret(&format!("tenants.{id}.zendesk.webhook_secret"), &zendesk.webhook_secret);
            }
            if let Some(freshdesk) = &tenant.freshdesk {
                self.secret(&format!("tenants.{id}.freshdesk.api_key"), &freshdesk.api_key);
                self.secret(&format!("tenants.{id}.freshdesk.webhook_secret"), &freshdesk.webhook_secret);
            }
            if let Some(intercom) = &tenant.intercom {
                self.secret(&format!("tenants.{id}.intercom.access_token"), &intercom.access_token);
                self.secret(&format!("tenants.{id}.intercom.client_secret"), &intercom.client_secret);
            }
        }
    }
}
