//! The detectors: each reads candidates of its kinds around a trigger, validates and scores them.
//!
//! A detector reports findings through [`Sink`] on the offsets of the text it was given. It must not look further
//! than a bounded distance from its trigger unless it moves a cursor that never goes back: cost stays linear.

mod address;
mod card;
mod chars;
mod date;
mod document;
mod email;
mod iban;
mod ids;
mod ip;
pub(crate) mod names;
mod numbers;
mod optional;
mod phone;
pub(crate) mod phone_rules;
mod secret;
mod spoken;
mod ssn;
mod typo;
mod url;

pub(crate) use ids::Id;

use std::sync::Arc;

use crate::context::Context;
use crate::finding::{Detector, Span};
use crate::kind::PiiKind;
use crate::lexicon::{Hit, Lexicon, Word};
use crate::merge;
use crate::redactor::Scratch;
use crate::rules::Rules;
use optional::Optional;

/// Everything that is built once per configuration.
#[derive(Clone)]
pub(crate) struct Detectors {
    lexicon: Arc<Lexicon>,
    pub(crate) rules: Option<Arc<Rules>>,
    optional: Option<Arc<Optional>>,
    enabled: [bool; PiiKind::ALL.len()],
    regions: Vec<&'static phone_rules::Region>,
    min_score: f32,
}

impl Detectors {
    pub(crate) fn new(
        enabled: [bool; PiiKind::ALL.len()],
        regions: Vec<&'static phone_rules::Region>,
        min_score: f32,
        rules: Option<Rules>,
    ) -> Self {
        let prefixes: Vec<&str> = secret::FORMATS.iter().map(|format| format.prefix).collect();
        let lexicon = Arc::new(Lexicon::new(&prefixes));
        Self::over(lexicon, enabled, regions, min_score, rules)
    }

    /// Detectors for other settings that share the words.
    pub(crate) fn with(
        &self,
        enabled: [bool; PiiKind::ALL.len()],
        regions: Vec<&'static phone_rules::Region>,
        min_score: f32,
        rules: Option<Rules>,
    ) -> Self {
        Self::over(Arc::clone(&self.lexicon), enabled, regions, min_score, rules)
    }

    fn over(
        lexicon: Arc<Lexicon>,
        enabled: [bool; PiiKind::ALL.len()],
        regions: Vec<&'static phone_rules::Region>,
        min_score: f32,
        rules: Option<Rules>,
    ) -> Self {
        let optional = Optional::new(&enabled).map(Arc::new);
        Self { lexicon, rules: rules.map(Arc::new), optional, enabled, regions, min_score }
    }

    /// Appends findings of the optional kinds. They come after the names, for which `Dr.` is context.
    pub(crate) fn find_optional(&self, text: &str, spans: &mut Vec<Span>) {
        self.optional.iter().for_each(|optional| optional.find(text, spans));
    }

    /// Whether a tenant's rules or optional kinds are looked for.
    pub(crate) fn go_beyond(&self) -> bool {
        self.rules.is_some() || self.optional.is_some()
    }

    fn is_on(&self, kind: PiiKind) -> bool {
        self.enabled[kind.index()]
    }
}

/// Takes findings and drops those of disabled kinds or with too low a score.
pub(crate) struct Sink<'a> {
    detectors: &'a Detectors,
    spans: &'a mut Vec<Span>,
}

impl Sink<'_> {
    /// Reports a finding; tells whether it was kept.
    fn push(&mut self, start: usize, end: usize, detector: Detector, score: f32) -> bool {
        let kind = detector.kind();
        let keep = self.detectors.is_on(kind) && score >= self.detectors.min_score && start < end;
        if keep {
            self.spans.push(Span {
                start: start as u32,
                end: end as u32,
                kind,
                detector,
                score: score.min(1.0),
            });
        }
        keep
    }

    fn is_on(&self, kind: PiiKind) -> bool {
        self.detectors.is_on(kind)
    }

    fn min_score(&self) -> f32 {
        self.detectors.min_score
    }

    fn regions(&self) -> &[&'static phone_rules::Region] {
        &self.detectors.regions
    }
}

/// Finds everything in `text` and appends it to `spans`, unsorted and possibly overlapping.
pub(crate) fn run(detectors: &Detectors, text: &str, scratch: &mut Scratch, spans: &mut Vec<Span>) {
    let Scratch { hits, triggers, barriers, .. } = scratch;
    detectors.lexicon.scan(text, hits);
    triggers.scan(text.as_bytes());
    typo::add(text.as_bytes(), &triggers.groups, hits);
    let mut sink = Sink { detectors, spans };

    // First what needs no context. What it covers is no context for anything else.
    if sink.is_on(PiiKind::Email) {
        email::find(text, &triggers.ats, &mut sink);
        email::find_letters(text, &triggers.ats, &mut sink);
    }
    if sink.is_on(PiiKind::UrlCredentials) && !triggers.colons.is_empty() {
        url::find(text, &triggers.colons, &mut sink);
    }
    let mut secrets = secret::Cursor::default();
    for hit in hits.iter() {
        match hit.word {
            Word::Password | Word::Token | Word::Pin | Word::Bearer | Word::Pem | Word::Key(_)
                if sink.is_on(PiiKind::Secret) =>
            {
                secret::find(text, *hit, &mut secrets, &mut sink);
            }
            Word::At if sink.is_on(PiiKind::Email) => email::find_spelled(text, *hit, &mut sink),
            _ => {}
        }
    }
    raise_barriers(sink.spans, hits, barriers);

    let context = Context { bytes: text.as_bytes(), hits, barriers };
    if sink.is_on(PiiKind::IpAddress) && !triggers.colons.is_empty() {
        ip::find_v6(context, &triggers.colons, &mut sink);
    }
    let found = sink.spans.len();
    let mut spoken = spoken::Cursor::default();
    for (i, hit) in hits.iter().enumerate() {
        match hit.word {
            Word::Id(id) => ids::find_labelled(context, i, id, &mut sink),
            Word::Digit => spoken::find(context, i, &mut spoken, &mut sink),
            _ => {}
        }
    }
    if sink.is_on(PiiKind::PaymentCard) {
        card::find_wrapped(context, &triggers.groups, &mut sink);
    }
    if triggers.colons.len() >= 5 && sink.is_on(PiiKind::MacAddress) {
        ids::find_mac(context, &triggers.colons, &mut sink);
    }
    if !triggers.groups.is_empty() {
        ids::find_shapes(context, &triggers.groups, &mut sink);
        numbers::take(&sink.spans[found..], &mut triggers.groups);
        if sink.is_on(PiiKind::Address) {
            address::find(text, context, &mut triggers.groups, &mut sink);
        }
        numbers::find(context, &mut triggers.groups, &mut sink);
    }
    for (i, hit) in hits.iter().enumerate() {
        match hit.word {
            Word::Birth if sink.is_on(PiiKind::DateOfBirth) => date::find_birth(context, *hit, &mut sink),
            Word::Passport | Word::Licence => document::find(context, i, &mut sink),
            _ => {}
        }
    }
    if let Some(rules) = &detectors.rules {
        rules.find(text, sink.spans);
    }
}

/// Makes `barriers` the sorted union of the spans, and takes the words inside out of play. Redacted text has
/// masks there, through which no context reaches, and the second look at a text must see what the first saw.
fn raise_barriers(spans: &[Span], hits: &mut [Hit], barriers: &mut Vec<(u32, u32)>) {
    merge::union(spans, barriers);
    for &(start, end) in barriers.iter() {
        let from = hits.partition_point(|hit| hit.end <= start);
        hits[from..].iter_mut().take_while(|hit| hit.start < end).for_each(|hit| hit.word = Word::Covered);
    }
}
