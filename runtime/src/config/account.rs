//! An account at a helpdesk whose settings come from elsewhere than the file: plain values and secrets apart.
//!
//! The settings are those of `[tenants.NAME.HELPDESK]`, by the same names. What is a secret never stands among the plain
//! ones. Since whoever brings such an account need not be who installed the product, its address has to be one of the
//! helpdesk's own, or of `connectors.hosts`: nobody makes us send requests, and credentials, into the network around us.

use super::load::{ConfigError, explain};
use super::validate::{Problem, problems_of_tenant};
use super::{FreshdeskConfig, IntercomConfig, Secret, TenantConfig, ZendeskConfig};
use figment::Figment;
use figment::providers::Serialized;
use secrecy::SecretString;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use url::Url;

/// Plain settings by name.
pub type AccountSettings = Map<String, Value>;

/// Secrets by the name of their setting.
pub type Secrets = BTreeMap<String, SecretString>;

/// Where such a secret comes from, as [`Secret::origin`] tells it.
const ORIGIN: &str = "control";

/// Stands for a secret until it is put in its place.
const PLACEHOLDER: &str = "env:";

/// A helpdesk, as far as its settings differ from others'.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Helpdesk {
    /// Zendesk Support.
    Zendesk,
    /// Freshdesk.
    Freshdesk,
    /// Intercom.
    Intercom,
}

impl Helpdesk {
    /// Every helpdesk.
    pub const ALL: [Self; 3] = [Self::Freshdesk, Self::Intercom, Self::Zendesk];

    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Zendesk => "zendesk",
            Self::Freshdesk => "freshdesk",
            Self::Intercom => "intercom",
        }
    }

    /// The helpdesk of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|helpdesk| helpdesk.name() == name)
    }

    /// Which of its settings are secrets.
    pub fn secrets(self) -> &'static [&'static str] {
        match self {
            Self::Zendesk => &["api_token", "oauth_token", "webhook_secret"],
            Self::Freshdesk => &["api_key", "webhook_secret"],
            Self::Intercom => &["access_token", "client_secret"],
        }
    }

    /// Whether a host is the helpdesk's own.
    fn owns(self, host: &str) -> bool {
        let account_of = |domain: &str| {
            host.strip_suffix(domain).is_some_and(|name| {
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            })
        };
        match self {
            Self::Zendesk => account_of(".zendesk.com"),
            Self::Freshdesk => account_of(".freshdesk.com"),
            Self::Intercom => {
                matches!(host, "api.intercom.io" | "api.eu.intercom.io" | "api.au.intercom.io")
            }
        }
    }
}

/// The tenant's configuration with this one account in it.
///
/// # Errors
/// If the account can't be used so: every problem, by the name that the setting would have in the file.
pub fn account(
    tenant: &str,
    helpdesk: Helpdesk,
    settings: &AccountSettings,
    secrets: &Secrets,
    hosts: &[String],
) -> Result<TenantConfig, ConfigError> {
    let field = format!("tenants.{tenant}.{}", helpdesk.name());
    let mut problems = problems_of_tenant(tenant, &TenantConfig::default());
    let mut problem = |name: &str, problem: &str, fix: String| {
        problems.push(Problem { field: format!("{field}.{name}"), problem: problem.to_owned(), fix });
    };
    for name in settings.keys().filter(|name| helpdesk.secrets().contains(&name.as_str())) {
        problem(name, "is a secret, which is not given in clear", format!("--secret {name}=env:VARIABLE"));
    }
    for name in secrets.keys().filter(|name| !helpdesk.secrets().contains(&name.as_str())) {
        problem(name, "is no secret", format!("the secrets here are {}", helpdesk.secrets().join(", ")));
    }
    if !problems.is_empty() {
        return Err(ConfigError { problems });
    }
    let placeholders = secrets.keys().map(|name| (name.clone(), Value::from(PLACEHOLDER)));
    let all: AccountSettings =
        settings.iter().map(|(name, value)| (name.clone(), value.clone())).chain(placeholders).collect();
    let figment = Figment::from(Serialized::default(&field, Value::Object(all)));
    let mut config: TenantConfig = figment.extract_inner(&format!("tenants.{tenant}")).map_err(|errors| {
        let told = |mut error: figment::Error| {
            // Where in our own code the values were put together is no help.
            error.metadata = None;
            let mut problem = explain(error);
            let outer = ["tenants", tenant, helpdesk.name()];
            // Figment's path of a value that is taken from within another is neither's; its end is the setting.
            let is_setting = |part: &&str| !outer.contains(part) && part.parse::<usize>().is_err();
            let setting = problem.field.rsplit('.').find(is_setting);
            problem.field = setting.map_or_else(|| field.clone(), |setting| format!("{field}.{setting}"));
            problem
        };
        ConfigError { problems: errors.into_iter().map(told).collect() }
    })?;
    for (name, secret) in places(&mut config) {
        if let Some(value) = secrets.get(name) {
            *secret = Secret::kept(ORIGIN, value.clone());
        }
    }
    let mut problems = problems_of_tenant(tenant, &config);
    if let Some(url) = address(&config) {
        problems.extend(elsewhere(&field, helpdesk, url, hosts));
    }
    if problems.is_empty() { Ok(config) } else { Err(ConfigError { problems }) }
}

/// Where the secrets of a tenant's account stand.
fn places(config: &mut TenantConfig) -> Vec<(&'static str, &mut Secret)> {
    let mut places = Vec::new();
    if let Some(ZendeskConfig { api_token, oauth_token, webhook_secret, .. }) = &mut config.zendesk {
        places.extend(api_token.as_mut().map(|secret| ("api_token", secret)));
        places.extend(oauth_token.as_mut().map(|secret| ("oauth_token", secret)));
        places.push(("webhook_secret", webhook_secret));
    }
    if let Some(FreshdeskConfig { api_key, webhook_secret, .. }) = &mut config.freshdesk {
        places.extend([("api_key", api_key), ("webhook_secret", webhook_secret)]);
    }
    if let Some(IntercomConfig { access_token, client_secret, .. }) = &mut config.intercom {
        places.extend([("access_token", access_token), ("client_secret", client_secret)]);
    }
    places
}

fn address(config: &TenantConfig) -> Option<&Url> {
    let zendesk = config.zendesk.as_ref().map(|account| &account.url);
    let freshdesk = config.freshdesk.as_ref().map(|account| &account.url);
    let intercom = config.intercom.as_ref().map(|account| &account.url);
    zendesk.or(freshdesk).or(intercom)
}

fn elsewhere(field: &str, helpdesk: Helpdesk, url: &Url, hosts: &[String]) -> Vec<Problem> {
    let host = url.host_str().unwrap_or_default();
    let listed = hosts.iter().any(|listed| listed == host);
    let own = helpdesk.owns(host) && url.port().is_none() && url.scheme() == "https";
    let mut problems = Vec::new();
    if !listed && !own {
        problems.push(Problem {
            field: format!("{field}.url"),
            problem: format!("is no address of {}", helpdesk.name()),
            fix: "give the account's own, or let whoever installed this list its host in connectors.hosts"
                .to_owned(),
        });
    }
    if !url.username().is_empty() || url.password().is_some() {
        problems.push(Problem {
            field: format!("{field}.url"),
            problem: "holds a user or a password".to_owned(),
            fix: "give them as secrets".to_owned(),
        });
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use serde_json::json;

    fn settings(value: &Value) -> AccountSettings {
        value.as_object().unwrap().clone()
    }

    fn secrets(names: &[&str]) -> Secrets {
        names.iter().map(|name| ((*name).to_owned(), SecretString::from("hunter2-hunter2-hunter2"))).collect()
    }

    fn zendesk(url: &str, hosts: &[String]) -> Result<TenantConfig, ConfigError> {
        let plain = settings(&json!({"url": url, "email": "bot@acme.example", "poll": "30s"}));
        account("acme", Helpdesk::Zendesk, &plain, &secrets(&["api_token", "webhook_secret"]), hosts)
    }

    #[test]
    fn secrets_come_to_their_places() {
        let config = zendesk("https://acme.zendesk.com", &[]).unwrap();
        let zendesk = config.zendesk.unwrap();
        assert_eq!(zendesk.api_token.unwrap().expose().expose_secret(), "hunter2-hunter2-hunter2");
        assert_eq!(zendesk.webhook_secret.origin(), "control");
        assert_eq!(zendesk.poll, Some(std::time::Duration::from_secs(30)));
        let plain = settings(&json!({"url": "https://acme.freshdesk.com", "requests_per_minute": 500}));
        let names = secrets(&["api_key", "webhook_secret"]);
        let config = account("acme", Helpdesk::Freshdesk, &plain, &names, &[]).unwrap();
        assert_eq!(config.freshdesk.unwrap().requests_per_minute.get(), 500);
        let names = secrets(&["access_token", "client_secret"]);
        let config = account("acme", Helpdesk::Intercom, &settings(&json!({})), &names, &[]).unwrap();
        assert!(config.intercom.unwrap().client_secret.problem().is_none());
    }

    #[test]
    fn an_address_is_the_helpdesks_own() {
        let listed = ["127.0.0.1".to_owned()];
        assert!(zendesk("http://127.0.0.1:8080", &listed).is_ok());
        for url in [
            "http://127.0.0.1:8080",
            "https://169.254.169.254/",
            "https://acme.zendesk.com.evil.example",
            "https://zendesk.com",
            "https://a.b.zendesk.com",
            "https://acme.zendesk.com:8443",
            "http://acme.zendesk.com",
            "https://acme.freshdesk.com",
        ] {
            let error = zendesk(url, &[]).unwrap_err().to_string();
            assert!(error.contains("tenants.acme.zendesk.url: is no address of zendesk"), "{url}: {error}");
        }
        let error = zendesk("https://bot:hunter2@acme.zendesk.com", &[]).unwrap_err().to_string();
        assert!(error.contains("holds a user") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_named_and_no_secret_is_told() {
        let tell = |plain: &Value, names: &[&str]| {
            let told = account("acme", Helpdesk::Zendesk, &settings(plain), &secrets(names), &[]);
            let told = told.unwrap_err().to_string();
            assert!(!told.contains("hunter2"), "{told}");
            told
        };
        let url = "https://acme.zendesk.com";
        let both = ["api_token", "webhook_secret"];
        for (plain, names, wanted) in [
            (json!({"url": url, "api_token": "hunter2"}), &["webhook_secret"][..], "api_token: is a secret"),
            (json!({"url": url}), &["password", "webhook_secret"], "password: is no secret"),
            (json!({"url": url, "email": "a@b.example"}), &["api_token"], "webhook_secret: is not set"),
            (
                json!({"url": url, "emial": "a@b.example"}),
                &both,
                "tenants.acme.zendesk.emial: no such setting",
            ),
            (json!({"url": url}), &both, "tenants.acme.zendesk: does not say who we are"),
            (json!({"url": url, "email": "x", "poll": "often"}), &both, "tenants.acme.zendesk"),
        ] {
            let told = tell(&plain, names);
            assert!(told.contains(wanted), "{wanted}: {told}");
        }
    }
}
