//! Layers the configuration and turns what is wrong with it into lines that name the field and the fix.

use super::validate::{Problem, problems};
use super::{Config, DEFAULTS};
use figment::Figment;
use figment::error::Kind;
use figment::providers::{Env, Format, Serialized, Toml};
use std::fmt;
use std::path::{Path, PathBuf};

/// The configuration can't be used. Displays one line for each problem.
#[derive(Debug)]
pub struct ConfigError {
    /// Every problem found, not only the first.
    pub problems: Vec<Problem>,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

/// Settings given as flags: dotted key and value.
pub type Overrides = Vec<(String, String)>;

/// Loads and validates the configuration.
pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Config, ConfigError> {
    let mut figment = Figment::from(Toml::string(DEFAULTS));
    if let Some(path) = file {
        if !path.is_file() {
            return Err(one(
                "--config",
                format!("{} is not a file", path.display()),
                "name an existing TOML file",
            ));
        }
        figment = figment.merge(Toml::file_exact(PathBuf::from(path)));
    }
    // A double underscore marks a setting; other DESKSTREAM_ variables (such as the master key) are none.
    figment = figment.merge(Env::prefixed("DESKSTREAM_").filter(|k| k.as_str().contains("__")).split("__"));
    for (key, value) in overrides {
        figment = figment.merge(Serialized::default(key, value));
    }
    let config: Config =
        figment.extract().map_err(|e| ConfigError { problems: e.into_iter().map(explain).collect() })?;
    let problems = problems(&config);
    if problems.is_empty() { Ok(config) } else { Err(ConfigError { problems }) }
}

fn one(field: &str, problem: String, fix: &str) -> ConfigError {
    ConfigError { problems: vec![Problem { field: field.to_owned(), problem, fix: fix.to_owned() }] }
}

pub(super) fn explain(error: figment::Error) -> Problem {
    let path = error.path.join(".");
    let origin = error
        .metadata
        .as_ref()
        .map(|m| m.source.as_ref().map_or_else(|| m.name.to_string(), ToString::to_string))
        .map_or(String::new(), |name| format!(" (in {name})"));
    match error.kind {
        Kind::UnknownField(field, known) => {
            let nearest = known.iter().max_by(|a, b| similarity(a, &field).total_cmp(&similarity(b, &field)));
            // Figment's path ends in the unknown field itself where serde met it inside a table.
            let full = if error.path.last() == Some(&field) || path.is_empty() {
                if path.is_empty() { field.clone() } else { path }
            } else {
                format!("{path}.{field}")
            };
            Problem {
                field: full,
                problem: format!("no such setting{origin}"),
                fix: match nearest {
                    Some(near) if similarity(near, &field) > 0.7 => format!("did you mean `{near}`?"),
                    _ => format!("the settings here are {}", known.join(", ")),
                },
            }
        }
        Kind::MissingField(field) => Problem {
            field: if path.is_empty() { field.to_string() } else { format!("{path}.{field}") },
            problem: "is not set".to_owned(),
            fix: "add it".to_owned(),
        },
        Kind::InvalidType(actual, expected) => {
            Problem { field: path, problem: format!("is {actual}{origin}"), fix: format!("give {expected}") }
        }
        other => Problem {
            field: if path.is_empty() { "configuration".to_owned() } else { path },
            problem: format!("{other}{origin}"),
            fix: "see `deskstream validate --defaults` for every setting and its form".to_owned(),
        },
    }
}

fn similarity(a: &str, b: &str) -> f64 {
    strsim::jaro_winkler(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(text: &str) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deskstream.toml");
        let key = dir.path().join("key");
        std::fs::write(&key, "x").unwrap();
        std::fs::write(&path, text).unwrap();
        load(Some(&path), &vec![("keys.master".to_owned(), format!("file:{}", key.display()))])
    }

    #[test]
    fn the_defaults_are_valid() {
        let config = load_text("").unwrap();
        assert_eq!(config.clickhouse.batch_bytes.0, 64 * 1024 * 1024);
    }

    #[test]
    fn an_unknown_key_is_named_with_the_nearest_known_one() {
        let error = load_text("[kafka]\nbootstrp = \"x:1\"\n").unwrap_err().to_string();
        assert!(error.starts_with("kafka.bootstrp: no such setting"), "{error}");
        assert!(error.contains("did you mean `bootstrap`?"), "{error}");
    }

    #[test]
    fn a_wrong_type_names_the_field() {
        let error = load_text("[kafka]\npartitions = \"many\"\n").unwrap_err().to_string();
        assert!(error.starts_with("kafka.partitions: "), "{error}");
    }

    #[test]
    fn flags_win_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        std::fs::write(&path, "[kafka]\nbootstrap = \"file:1\"\n[keys]\nmaster = \"env:PATH\"\n").unwrap();
        let config = load(Some(&path), &vec![("kafka.bootstrap".into(), "flag:2".into())]).unwrap();
        assert_eq!(config.kafka.bootstrap, "flag:2");
    }

    #[test]
    fn a_freshdesk_account_that_would_not_do_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, value: &str| {
            std::fs::write(dir.path().join(name), value).unwrap();
            format!("file:{}", dir.path().join(name).display())
        };
        let (short, long) = (write("short", "hunter2"), write("long", "0123456789abcdef"));
        let account = |url: &str, secret: &str, more: &str| {
            load_text(&format!(
                "[tenants.acme.freshdesk]\nurl = \"{url}\"\napi_key = \"{long}\"\nwebhook_secret = \"{secret}\"\n{more}"
            ))
        };
        let good = "https://acme.freshdesk.com";
        let config =
            account(good, &long, "webhook_sources = [\"10.0.0.0/8\"]\nunset_priority = \"low\"\n").unwrap();
        let freshdesk = config.tenants["acme"].freshdesk.as_ref().unwrap();
        assert!(freshdesk.webhook_sources[0].contains("10.9.9.9".parse().unwrap()));
        for (url, secret, more, told) in [
            ("http://acme.freshdesk.com", &long, "", "tenants.acme.freshdesk.url: is not https"),
            ("https://acme.freshdesk.com/api/v2", &long, "", "tenants.acme.freshdesk.url: has a path"),
            (good, &short, "", "tenants.acme.freshdesk.webhook_secret: has fewer than 16 characters"),
            (good, &"env:NO_SUCH_VARIABLE_HERE".to_owned(), "", "tenants.acme.freshdesk.webhook_secret: "),
            (good, &long, "webhook_sources = [\"10.0.0.0/33\"]\n", "is no network"),
        ] {
            let error = account(url, secret, more).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_zendesk_account_has_one_way_to_say_who_we_are() {
        let account = |credentials: &str| {
            load_text(&format!(
                "[tenants.acme.zendesk]\nurl = \"https://acme.zendesk.com\"\nwebhook_secret = \"env:PATH\"\n{credentials}"
            ))
        };
        let (email, token, oauth) =
            ("email = \"a@b.example\"\n", "api_token = \"env:PATH\"\n", "oauth_token = \"env:PATH\"\n");
        for good in [format!("{email}{token}"), oauth.to_owned()] {
            assert!(account(&good).is_ok(), "{good}");
        }
        for bad in [String::new(), email.to_owned(), token.to_owned(), format!("{email}{token}{oauth}")] {
            let error = account(&bad).unwrap_err().to_string();
            assert!(error.contains("give email and api_token, or oauth_token alone"), "{error}");
        }
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let error = load_text("[kafka]\npartitions = 0\nreplication = 0\n").unwrap_err();
        assert_eq!(error.problems.len(), 2, "{error}");
    }

    #[test]
    fn a_key_management_service_has_to_be_described_and_reached_safely() {
        let error = load_text("[keys]\nkms = \"vault\"\n").unwrap_err().to_string();
        assert!(error.contains("keys.vault: is missing"), "{error}");
        let text = "[keys.vault]\naddress = \"http://vault:8200\"\ntoken = \"hvs.hunter2\"\nkey = \"a/b\"\n";
        let error = load_text(text).unwrap_err().to_string();
        for told in
            ["keys.vault.address: is not https", "keys.vault.key: ", "keys.vault.token: a secret is not"]
        {
            assert!(error.contains(told), "{told}: {error}");
        }
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_url_holds_no_secret_and_it_is_not_told() {
        for section in ["registry", "clickhouse"] {
            let text = format!("[{section}]\nurl = \"http://someone:hunter2@host:1\"\n");
            let error = load_text(&text).unwrap_err().to_string();
            assert!(error.contains(&format!("{section}.url: holds a user or a password")), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
