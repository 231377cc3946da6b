//! What to look for and what to do with it: the redaction policy of an installation or a tenant.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::detect::phone_rules;
use crate::kind::PiiKind;
use crate::policies::Field;
use crate::rules::{AllowEntry, CustomPattern, DenyEntry, RuleError};

/// Settings of a [`Redactor`](crate::Redactor): a redaction policy. Unknown keys are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RedactConfig {
    /// What to do with each kind; kinds that are not named are masked, but for those that are [optional]
    /// (PiiKind::is_optional), which are not looked for.
    pub policies: BTreeMap<PiiKind, Policy>,
    /// What to do otherwise in one field of a ticket.
    pub fields: BTreeMap<Field, BTreeMap<PiiKind, Policy>>,
    /// Regions whose national number formats are recognised without a country code (ISO 3166 alpha-2). Numbers
    /// with `+` are recognised for every country. Each region more costs a little speed and precision.
    pub phone_regions: Vec<String>,
    /// Whether people, organisations, places and free-form addresses are looked for by the entity model. Without it only
    /// what has a form of its own is found, at several times the speed.
    pub entities: bool,
    /// Findings that score below this are dropped, 0 to 1. The default keeps what a validator or a context word
    /// supports.
    pub min_score: f32,
    /// Values that are left in the text although a detector finds them.
    pub allow: Vec<AllowEntry>,
    /// Values that are treated wherever they stand as words of their own.
    pub deny: Vec<DenyEntry>,
    /// The tenant's own patterns, for instance of its order numbers.
    pub patterns: Vec<CustomPattern>,
}

impl Default for RedactConfig {
    fn default() -> Self {
        Self {
            policies: BTreeMap::new(),
            fields: BTreeMap::new(),
            // The countries behind the languages that the detectors' context words cover.
            phone_regions: ["US", "GB", "DE", "FR", "ES", "IT", "NL", "PT", "BR"].map(str::to_owned).to_vec(),
            entities: true,
            min_score: 0.5,
            allow: Vec::new(),
            deny: Vec::new(),
            patterns: Vec::new(),
        }
    }
}

/// What happens to a found value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Replaced by its kind: `[IBAN]`.
    #[default]
    Mask,
    /// Replaced by its kind and its last four characters: `[IBAN ****3000]`. A value of fewer than eight letters
    /// and digits is masked, since four would be half of it.
    Partial,
    /// Replaced by its kind and a word to be pronounced that is the same for the same value of the same tenant:
    /// `[PERSON lusab-babad-gutih]`. See [`PseudonymKey`](crate::PseudonymKey).
    Pseudonym,
    /// Replaced by its kind and a keyed hash, by which the tenant can join its own data:
    /// `[EMAIL #kbjm…]`. See [`PseudonymKey`](crate::PseudonymKey).
    Hash,
    /// Left in the text, but reported as a span.
    Keep,
    /// Not looked for.
    Off,
}

impl Policy {
    /// Whether it needs a [`PseudonymKey`](crate::PseudonymKey).
    #[must_use]
    pub const fn is_keyed(self) -> bool {
        matches!(self, Self::Pseudonym | Self::Hash)
    }
}

/// A [`RedactConfig`] that can't be used. No message holds a value of an allow or deny list.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A phone region that libphonenumber's metadata doesn't have.
    #[error("unknown phone region `{0}` in `phone_regions`, expected an ISO 3166 code such as `US` or `DE`")]
    UnknownRegion(String),
    /// `partial` for a kind whose last characters would give it away or mean nothing.
    #[error("policy `partial` can't be used for {0}, use `mask`")]
    PartialNotPossible(PiiKind),
    /// `pseudonym` or `hash` for a secret.
    #[error(
        "policies `pseudonym` and `hash` can't be used for {0}: that two texts hold the same secret is one, too; use `mask`"
    )]
    LinkingNotPossible(PiiKind),
    /// `pseudonym` or `hash` without a key.
    #[error("policies `pseudonym` and `hash` need a key, and there is none yet")]
    NoKey,
    /// A score outside 0..=1.
    #[error("`min_score` is {0}, expected a number from 0 to 1")]
    MinScore(f32),
    /// A pattern or a list can't be used.
    #[error(transparent)]
    Rule(#[from] RuleError),
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

    /// Whether any treatment of it needs a [`PseudonymKey`](crate::PseudonymKey).
    #[must_use]
    pub fn needs_key(&self) -> bool {
        let by_field = self.fields.values().flat_map(BTreeMap::values);
        let by_pattern = self.patterns.iter().filter_map(|pattern| pattern.policy.as_ref());
        self.policies.values().chain(by_field).chain(by_pattern).any(|policy| policy.is_keyed())
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
        let policy =
            |kind, policy| RedactConfig { policies: [(kind, policy)].into(), ..RedactConfig::default() };
        let region = bad(RedactConfig { phone_regions: vec!["UK".into()], ..RedactConfig::default() });
        assert!(region.contains("`UK`"), "{region}");
        let partial = bad(policy(PiiKind::Secret, Policy::Partial));
        assert!(partial.contains("SECRET"), "{partial}");
        let hash = bad(policy(PiiKind::UrlCredentials, Policy::Hash));
        assert!(hash.contains("URL_CREDENTIALS"), "{hash}");
        assert_eq!(bad(policy(PiiKind::Email, Policy::Pseudonym)), ConfigError::NoKey.to_string());
        assert!(bad(RedactConfig { min_score: f32::NAN, ..RedactConfig::default() }).contains("min_score"));
    }
}
