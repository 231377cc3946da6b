//! What to look for and what to do with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::detect::phone_rules;
use crate::kind::PiiKind;

/// Settings of a [`Redactor`](crate::Redactor). Unknown keys are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RedactConfig {
    /// What to do with each kind; kinds that are not named are masked.
    pub policies: BTreeMap<PiiKind, Policy>,
    /// Regions whose national number formats are recognised without a country code (ISO 3166 alpha-2). Numbers
    /// with `+` are recognised for every country. Each region more costs a little speed and precision.
    pub phone_regions: Vec<String>,
    /// Whether people, organisations, places and free-form addresses are looked for by the entity model. Without it only
    /// what has a form of its own is found, at several times the speed.
    pub entities: bool,
    /// Findings that score below this are dropped, 0 to 1. The default keeps what a validator or a context word
    /// supports.
    pub min_score: f32,
}

impl Default for RedactConfig {
    fn default() -> Self {
        Self {
            policies: BTreeMap::new(),
            // The countries behind the languages that the detectors' context words cover.
            phone_regions: ["US", "GB", "DE", "FR", "ES", "IT", "NL", "PT", "BR"].map(str::to_owned).to_vec(),
            entities: true,
            min_score: 0.5,
        }
    }
}

/// What happens to a found value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Replaced by its kind: `[IBAN]`.
    #[default]
    Mask,
    /// Replaced by its kind and its last four characters: `[IBAN ****3000]`. A value of fewer than eight letters
    /// and digits is masked, since four would be half of it.
    Partial,
    /// Left in the text, but reported as a span.
    Keep,
    /// Not looked for.
    Off,
}

/// A [`RedactConfig`] that can't be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A phone region that libphonenumber's metadata doesn't have.
    #[error("unknown phone region `{0}` in `phone_regions`, expected an ISO 3166 code such as `US` or `DE`")]
    UnknownRegion(String),
    /// `partial` for a kind whose last characters would give it away or mean nothing.
    #[error("policy `partial` can't be used for {0}, use `mask`")]
    PartialNotPossible(PiiKind),
    /// A score outside 0..=1.
    #[error("`min_score` is {0}, expected a number from 0 to 1")]
    MinScore(f32),
    /// The model of named entities can't be used.
    #[error(transparent)]
    Entities(#[from] crate::EntityModelError),
}

impl RedactConfig {
    /// The default without the entity model.
    #[must_use]
    pub fn structured() -> Self {
        Self { entities: false, ..Self::default() }
    }

    pub(crate) fn policy_table(&self) -> Result<[Policy; PiiKind::ALL.len()], ConfigError> {
        let mut table = [Policy::Mask; PiiKind::ALL.len()];
        for (&kind, &policy) in &self.policies {
            if policy == Policy::Partial && !kind.allows_partial() {
                return Err(ConfigError::PartialNotPossible(kind));
            }
            table[kind.index()] = policy;
        }
        Ok(table)
    }

    pub(crate) fn checked_min_score(&self) -> Result<f32, ConfigError> {
        if (0.0..=1.0).contains(&self.min_score) {
            Ok(self.min_score)
        } else {
            Err(ConfigError::MinScore(self.min_score))
        }
    }

    pub(crate) fn regions(&self) -> Result<Vec<&'static phone_rules::Region>, ConfigError> {
        let mut regions = Vec::with_capacity(self.phone_regions.len());
        for name in &self.phone_regions {
            let region = phone_rules::region(name).ok_or_else(|| ConfigError::UnknownRegion(name.clone()))?;
            if !regions.iter().any(|known: &&phone_rules::Region| std::ptr::eq(*known, region)) {
                regions.push(region);
            }
        }
        Ok(regions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Redactor;

    #[test]
    fn reads_kinds_in_any_case_and_refuses_unknown_keys() {
        let config: RedactConfig =
            toml::from_str("min_score = 0.7\n[policies]\nEMAIL = \"keep\"\npayment_card = \"partial\"")
                .unwrap();
        assert_eq!(config.policies[&PiiKind::Email], Policy::Keep);
        assert_eq!(config.policies[&PiiKind::PaymentCard], Policy::Partial);
        assert_eq!(config.phone_regions, RedactConfig::default().phone_regions);

        let unknown = toml::from_str::<RedactConfig>("masks = 1").unwrap_err().to_string();
        assert!(unknown.contains("masks"), "{unknown}");
        let kind = toml::from_str::<RedactConfig>("[policies]\nFAX = \"mask\"").unwrap_err().to_string();
        assert!(kind.contains("`FAX`") && kind.contains("PAYMENT_CARD"), "{kind}");
    }

    #[test]
    fn names_what_is_wrong() {
        let bad = |config: RedactConfig| Redactor::new(&config).unwrap_err().to_string();
        let region = bad(RedactConfig { phone_regions: vec!["UK".into()], ..RedactConfig::default() });
        assert!(region.contains("`UK`"), "{region}");
        let partial = bad(RedactConfig {
            policies: [(PiiKind::Secret, Policy::Partial)].into(),
            ..RedactConfig::default()
        });
        assert!(partial.contains("SECRET"), "{partial}");
        assert!(bad(RedactConfig { min_score: f32::NAN, ..RedactConfig::default() }).contains("min_score"));
    }
}
