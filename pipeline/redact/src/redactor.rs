//! The redactor: runs the detectors over one text and writes the result.

use std::fmt;
use std::sync::Arc;

use crate::config::{ConfigError, Policy, RedactConfig};
use crate::detect::Detectors;
use crate::entities::{self, EntityModel, EntityModelError, Reach, TicketNames};
use crate::kind::{PiiKind, Span};
use crate::lexicon::Hit;
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
    policies: [Policy; PiiKind::ALL.len()],
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
    /// If a phone region is unknown, a policy can't apply to its kind, or the score is out of range.
    pub fn new(config: &RedactConfig) -> Result<Self, ConfigError> {
        Self::build(config, EntityModel::shipped)
    }

    /// Like [`new`](Self::new), with another model of named entities than the shipped one.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn with_model(config: &RedactConfig, model: EntityModel) -> Result<Self, ConfigError> {
        Self::build(config, || Ok(model))
    }

    fn build(
        config: &RedactConfig,
        model: impl FnOnce() -> Result<EntityModel, EntityModelError>,
    ) -> Result<Self, ConfigError> {
        let policies = config.policy_table()?;
        let enabled = policies.map(|policy| policy != Policy::Off);
        let min_score = config.checked_min_score()?;
        let detectors = Detectors::new(enabled, config.regions()?, min_score);
        let named = [PiiKind::Person, PiiKind::Organization, PiiKind::Location, PiiKind::Address];
        let wanted = config.entities && named.iter().any(|kind| enabled[kind.index()]);
        let entities = if wanted { Some(Arc::new(model()?)) } else { None };
        Ok(Self { detectors: Arc::new(detectors), entities, min_score, policies })
    }

    /// Redacts `text` into `out`, whose former content is cleared.
    ///
    /// A text longer than `u32::MAX` bytes can't be addressed by spans; it is replaced as a whole.
    pub fn redact(&self, text: &str, out: &mut Redacted) {
        self.run(text, None, out);
    }

    /// Redacts a field of a ticket whose people are known; adds the people that it finds to `names`.
    pub fn redact_with(&self, text: &str, names: &mut TicketNames, out: &mut Redacted) {
        self.run(text, Some(names), out);
    }

    fn run(&self, text: &str, names: Option<&mut TicketNames>, out: &mut Redacted) {
        out.reach = Reach::default();
        out.text.clear();
        out.spans.clear();
        if u32::try_from(text.len()).is_err() {
            out.text.push_str(TOO_LONG);
            return;
        }
        let layered = layers::inspect(&self.detectors, text, &mut out.scratch, &mut out.spans);
        self.entities(text, names, out);
        merge::merge(&mut out.spans, &self.policies);
        out.text.reserve(text.len() + out.spans.len() * 8);
        mask::write(text, &out.spans, &self.policies, &mut out.text);
        if settle::is_needed(layered, &out.spans) {
            self.settle(text, out);
        }
    }

    /// Redacts again until nothing new is found.
    fn settle(&self, text: &str, out: &mut Redacted) {
        for _ in 0..settle::ROUNDS {
            let redacted = std::mem::take(&mut out.text);
            let length = |span: &Span| {
                let mut one = String::new();
                let value = &text[span.start as usize..span.end as usize];
                let whole = Span { start: 0, end: value.len() as u32, ..*span };
                mask::write(value, &[whole], &self.policies, &mut one);
                one.len()
            };
            let Redacted { spans, scratch, .. } = out;
            let more = settle::add_found(&self.detectors, (text, &redacted), spans, scratch, length);
            if !more {
                out.text = redacted;
                return;
            }
            merge::merge(&mut out.spans, &self.policies);
            mask::write(text, &out.spans, &self.policies, &mut out.text);
        }
    }

    fn entities(&self, text: &str, names: Option<&mut TicketNames>, out: &mut Redacted) {
        let Some(model) = &self.entities else { return };
        let enabled = self.policies.map(|policy| policy != Policy::Off);
        let Redacted { spans, scratch, .. } = out;
        out.reach =
            entities::find(model, text, &enabled, self.min_score, names, &mut scratch.entities, spans);
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
