//! The redactor: runs the detectors over one text and writes the result.

use std::fmt;
use std::sync::Arc;

use crate::config::{ConfigError, Policy, RedactConfig};
use crate::detect::Detectors;
use crate::entities::{self, EntityModel, Reach, TicketNames};
use crate::finding::Span;
use crate::keyed::{Keyed, PseudonymKey};
use crate::kind::PiiKind;
use crate::lexicon::Hit;
use crate::policies::{Field, Policies, Treatment};
use crate::rules::Rules;
use crate::scan::Triggers;
use crate::{layers, mask, merge, settle};

/// What stands in the output for a text that can't be addressed by 32-bit offsets.
const TOO_LONG: &str = "[TEXT_TOO_LONG]";

/// Finds and removes personal data. Immutable, `Send + Sync`; cloning shares everything.
#[derive(Clone)]
pub struct Redactor {
    detectors: Arc<Detectors>,
    entities: Option<Arc<EntityModel>>,
    min_score: f32,
    policies: Policies,
    /// Whether a finding may have to be dropped after all: it is off in this field, or allowed.
    may_drop: bool,
    keyed: Option<Keyed>,
}

/// The result of one call, and the memory that the next call uses again.
#[derive(Default)]
pub struct Redacted {
    /// The text with every finding treated by its policy.
    pub text: String,
    /// The findings, sorted and disjoint, as offsets into the original text.
    pub spans: Vec<Span>,
    /// How much of the text reached the entity model.
    pub reach: Reach,
    scratch: Scratch,
}

/// Working memory of a call. It holds text of the ticket while the call runs and is emptied at its end.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) view: String,
    pub(crate) map: Vec<u32>,
    pub(crate) hits: Vec<Hit>,
    pub(crate) triggers: Triggers,
    pub(crate) barriers: Vec<(u32, u32)>,
    entities: entities::Scratch,
}

impl Redactor {
    /// Builds the matchers. Takes milliseconds: do it once per configuration, not per text.
    ///
    /// # Errors
    /// If a phone region is unknown, a policy can't apply to its kind, the score is out of range, a pattern or list
    /// can't be used, or a policy needs a key: then [`with_key`](Self::with_key) is to be called.
    pub fn new(config: &RedactConfig) -> Result<Self, ConfigError> {
        Self::build(config, None, None, None)
    }

    /// Like [`new`](Self::new), with a key for pseudonyms and hashes.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn with_key(config: &RedactConfig, key: &PseudonymKey) -> Result<Self, ConfigError> {
        Self::build(config, Some(key), None, None)
    }

    /// Like [`new`](Self::new), with another model of named entities than the shipped one.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn with_model(config: &RedactConfig, model: EntityModel) -> Result<Self, ConfigError> {
        Self::build(config, None, None, Some(Arc::new(model)))
    }

    /// A redactor for another configuration that shares with this one what is large: words and model. Thousands of
    /// tenants with policies of their own cost little more than their rules.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn derive(&self, config: &RedactConfig, key: Option<&PseudonymKey>) -> Result<Self, ConfigError> {
        Self::build(config, key, Some(self), self.entities.clone())
    }

    /// The same redactor with another key, for another tenant under the same configuration.
    #[must_use]
    pub fn rekeyed(&self, key: &PseudonymKey) -> Self {
        Self { keyed: self.keyed.as_ref().map(|_| Keyed::new(key)), ..self.clone() }
    }

    /// Whether a configuration can be used, key aside.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn check(config: &RedactConfig) -> Result<(), ConfigError> {
        Policies::new(config)?;
        config.checked_min_score()?;
        config.regions()?;
        Rules::new(config)?;
        Ok(())
    }

    /// Shares the words of `known`; without a model the shipped one is read, if names are wanted.
    fn build(
        config: &RedactConfig,
        key: Option<&PseudonymKey>,
        known: Option<&Self>,
        model: Option<Arc<EntityModel>>,
    ) -> Result<Self, ConfigError> {
        let policies = Policies::new(config)?;
        let enabled = policies.enabled();
        let min_score = config.checked_min_score()?;
        let rules = Rules::new(config)?;
        let may_drop = policies.differ_in_off() || rules.as_ref().is_some_and(Rules::allow_any);
        let detectors = match known {
            Some(known) => known.detectors.with(enabled, config.regions()?, min_score, rules),
            None => Detectors::new(enabled, config.regions()?, min_score, rules),
        };
        let named = [PiiKind::Person, PiiKind::Organization, PiiKind::Location, PiiKind::Address];
        let entities = match model {
            _ if !config.entities || !named.iter().any(|kind| enabled[kind.index()]) => None,
            Some(model) => Some(model),
            None => Some(Arc::new(EntityModel::shipped()?)),
        };
        let keyed = if config.needs_key() { Some(Keyed::new(key.ok_or(ConfigError::NoKey)?)) } else { None };
        Ok(Self { detectors: Arc::new(detectors), entities, min_score, policies, may_drop, keyed })
    }

    /// Redacts `text` into `out`, whose former content is cleared.
    ///
    /// A text longer than `u32::MAX` bytes can't be addressed by spans; it is replaced as a whole.
    pub fn redact(&self, text: &str, out: &mut Redacted) {
        self.run(text, None, None, out);
    }

    /// Redacts a field of a ticket whose people are known; adds the people that it finds to `names`.
    pub fn redact_field(&self, field: Field, text: &str, names: &mut TicketNames, out: &mut Redacted) {
        self.run(text, Some(field), Some(names), out);
    }

    /// What the tenant calls the pattern that made a finding, if one of its own did.
    #[must_use]
    pub fn pattern_name(&self, span: &Span) -> Option<&str> {
        Some(self.detectors.rules.as_deref()?.pattern(span.detector.pattern()?)?.name.as_str())
    }

    fn treatment(&self, field: Option<Field>) -> Treatment<'_> {
        Treatment {
            table: self.policies.of(field),
            rules: self.detectors.rules.as_deref(),
            keyed: self.keyed.as_ref(),
        }
    }

    fn run(&self, text: &str, field: Option<Field>, names: Option<&mut TicketNames>, out: &mut Redacted) {
        out.reach = Reach::default();
        out.text.clear();
        out.spans.clear();
        if u32::try_from(text.len()).is_err() {
            out.text.push_str(TOO_LONG);
            return;
        }
        let treatment = self.treatment(field);
        let layered = layers::inspect(&self.detectors, text, &mut out.scratch, &mut out.spans);
        out.reach = self.entities(text, &treatment, names, &mut out.scratch, &mut out.spans);
        self.detectors.find_optional(text, &mut out.spans);
        self.drop_unwanted(text, &treatment, &mut out.spans);
        merge::merge(&mut out.spans, |span| treatment.of(span) == Policy::Keep);
        out.text.reserve(text.len() + out.spans.len() * 8);
        mask::write(text, &out.spans, &treatment, &mut out.text);
        let beyond = self.detectors.go_beyond() && !out.spans.is_empty();
        if beyond || settle::is_needed(layered, &out.spans) {
            self.settle(text, &treatment, beyond, out);
        }
    }

    /// Redacts again until nothing new is found.
    fn settle(&self, text: &str, treatment: &Treatment<'_>, beyond: bool, out: &mut Redacted) {
        for _ in 0..settle::ROUNDS {
            let redacted = std::mem::take(&mut out.text);
            let length = |span: &Span| {
                let mut one = String::new();
                let value = &text[span.start as usize..span.end as usize];
                let whole = Span { start: 0, end: value.len() as u32, ..*span };
                mask::write(value, &[whole], treatment, &mut one);
                one.len()
            };
            let Redacted { spans, scratch, .. } = out;
            let mut found = Vec::new();
            layers::inspect(&self.detectors, &redacted, scratch, &mut found);
            if beyond {
                // A listed value may have stood in the middle of what was taken for something else.
                self.entities(&redacted, treatment, None, scratch, &mut found);
            }
            self.detectors.find_optional(&redacted, &mut found);
            self.drop_unwanted(&redacted, treatment, &mut found);
            if !settle::add_found(text, found, spans, length) {
                out.text = redacted;
                return;
            }
            merge::merge(&mut out.spans, |span| treatment.of(span) == Policy::Keep);
            mask::write(text, &out.spans, treatment, &mut out.text);
        }
    }

    /// Takes out what this field does not look for, and what the tenant allows.
    fn drop_unwanted(&self, text: &str, treatment: &Treatment<'_>, spans: &mut Vec<Span>) {
        if !self.may_drop || spans.is_empty() {
            return;
        }
        spans.retain(|span| treatment.of(span) != Policy::Off);
        if let Some(rules) = treatment.rules {
            rules.leave_allowed(text, spans);
        }
    }

    fn entities(
        &self,
        text: &str,
        treatment: &Treatment<'_>,
        names: Option<&mut TicketNames>,
        scratch: &mut Scratch,
        spans: &mut Vec<Span>,
    ) -> Reach {
        let Some(model) = &self.entities else { return Reach::default() };
        let enabled = treatment.table.map(|policy| policy != Policy::Off);
        entities::find(model, text, &enabled, self.min_score, names, &mut scratch.entities, spans)
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").field("policies", &self.policies).finish_non_exhaustive()
    }
}

impl fmt::Debug for Redacted {
    /// Leaves the text out: what no detector knows may still be in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redacted")
            .field("text_bytes", &self.text.len())
            .field("spans", &self.spans)
            .finish_non_exhaustive()
    }
}
