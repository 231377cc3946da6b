//! The detectors: each reads candidates of its kinds around a trigger, validates and scores them.
//!
//! A detector reports findings through [`Sink`] on the offsets of the text it was given. It must not look further
//! than a bounded distance from its trigger unless it moves a cursor that never goes back: cost stays linear.

mod card;
mod chars;
mod date;
mod document;
mod email;
mod iban;
mod ip;
pub(crate) mod names;
mod numbers;
mod phone;
pub(crate) mod phone_rules;
mod secret;
mod ssn;
mod url;

use crate::context::Context;
use crate::kind::{Detector, PiiKind, Span};
use crate::lexicon::{Lexicon, Word};
use crate::redactor::Scratch;

/// Everything that is built once per configuration.
pub(crate) struct Detectors {
    lexicon: Lexicon,
    enabled: [bool; PiiKind::ALL.len()],
    regions: Vec<&'static phone_rules::Region>,
    min_score: f32,
}

impl Detectors {
    pub(crate) fn new(
        enabled: [bool; PiiKind::ALL.len()],
        regions: Vec<&'static phone_rules::Region>,
        min_score: f32,
    ) -> Self {
        let prefixes: Vec<&str> = secret::FORMATS.iter().map(|format| format.prefix).collect();
        Self { lexicon: Lexicon::new(&prefixes), enabled, regions, min_score }
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
    let Scratch { hits, triggers, .. } = scratch;
    detectors.lexicon.scan(text, hits);
    triggers.scan(text.as_bytes());
    let context = Context { bytes: text.as_bytes(), hits };
    let mut sink = Sink { detectors, spans };

    if sink.is_on(PiiKind::Email) {
        email::find(text, &triggers.ats, &mut sink);
    }
    if !triggers.colons.is_empty() {
        if sink.is_on(PiiKind::UrlCredentials) {
            url::find(text, &triggers.colons, &mut sink);
        }
        if sink.is_on(PiiKind::IpAddress) {
            ip::find_v6(context, &triggers.colons, &mut sink);
        }
    }
    if !triggers.groups.is_empty() {
        numbers::find(context, &mut triggers.groups, &mut sink);
    }

    let mut secrets = secret::Cursor::default();
    for (i, hit) in context.hits.iter().enumerate() {
        match hit.word {
            Word::Password | Word::Token | Word::Pin | Word::Bearer | Word::Pem | Word::Key(_) => {
                if sink.is_on(PiiKind::Secret) {
                    secret::find(text, *hit, &mut secrets, &mut sink);
                }
            }
            Word::Birth if sink.is_on(PiiKind::DateOfBirth) => date::find_birth(text, *hit, &mut sink),
            Word::Passport | Word::Licence => document::find(context, i, &mut sink),
            Word::At if sink.is_on(PiiKind::Email) => email::find_spelled(text, *hit, &mut sink),
            _ => {}
        }
    }
}
