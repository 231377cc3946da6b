//! The rules that the configuration asks for.

use super::rules::{RuleErrors, RuleSet, load};
use deskstream_runtime::config::AlertsConfig;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The configured rules can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The file can't be read.
    #[error("alerts.rules: can't read {path}: {source}; name an existing YAML file")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Rules in it are wrong.
    #[error(transparent)]
    Rules(#[from] RuleErrors),
}

/// Rules ready to be evaluated.
#[derive(Debug)]
pub struct Configured {
    /// The rules.
    pub rules: RuleSet,
    /// Channels that the shipped rules name and the configuration does not: they hear nothing. Empty for rules
    /// of the operator's own, which may only name channels that exist.
    pub missing_channels: BTreeSet<String>,
}

/// Reads the configured rules, or the shipped ones, and checks them against the configured channels.
pub fn configured(config: &AlertsConfig) -> Result<Configured, RulesError> {
    let known: BTreeSet<&str> = config.channels.keys().map(String::as_str).collect();
    let Some(path) = &config.rules else {
        let mut rules = RuleSet::shipped();
        let missing_channels = rules.retain_channels(&known);
        return Ok(Configured { rules, missing_channels });
    };
    let yaml =
        std::fs::read_to_string(path).map_err(|source| RulesError::Read { path: path.clone(), source })?;
    let file = path.display().to_string();
    let rules = load(&yaml).map_err(|errors| errors.in_file(&file))?;
    rules.check_channels(&known).map_err(|errors| errors.in_file(&file))?;
    Ok(Configured { rules, missing_channels: BTreeSet::new() })
}
