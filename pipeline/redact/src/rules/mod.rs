//! What a tenant knows better than we do: its own patterns, values to be treated always, and values to be left.
//!
//! A rule can't make redaction slow or wrong for others: patterns match in linear time and a bounded number of
//! bytes, all of them and the lists are bounded in size, and everything is checked before any of it is used.

mod lists;
mod pattern;

pub use lists::{AllowAs, AllowEntry, DenyAs, DenyEntry};
pub use pattern::CustomPattern;

use crate::config::RedactConfig;
use crate::finding::Span;
use crate::kind::PiiKind;
use crate::mask;
use crate::merge;
use lists::{Allow, Deny};
use pattern::Pattern;

/// The longest name of a pattern, in bytes.
pub(crate) const LONGEST_NAME: usize = 32;

/// A pattern or a list that can't be used: which, why, and what to do. It never holds a value of a list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{place}` {problem}")]
pub struct RuleError {
    /// The key in the configuration, for instance `patterns[2].examples[0]`.
    pub place: String,
    /// What is wrong and what to do.
    pub problem: String,
}

impl RuleError {
    fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { place: place.into(), problem: problem.into() }
    }
}

/// The rules of a configuration, compiled.
pub(crate) struct Rules {
    patterns: Vec<Pattern>,
    deny: Deny,
    allow: Allow,
}

impl Rules {
    /// Nothing, if the configuration has no rules.
    pub(crate) fn new(config: &RedactConfig) -> Result<Option<Self>, RuleError> {
        if config.patterns.is_empty() && config.deny.is_empty() && config.allow.is_empty() {
            return Ok(None);
        }
        let patterns = pattern::compile(&config.patterns)?;
        Ok(Some(Self { patterns, deny: Deny::new(&config.deny)?, allow: Allow::new(&config.allow)? }))
    }

    /// Whether anything is left that is found.
    pub(crate) fn allow_any(&self) -> bool {
        !self.allow.is_empty()
    }

    pub(crate) fn pattern(&self, index: u8) -> Option<&Pattern> {
        self.patterns.get(usize::from(index))
    }

    /// Appends what the patterns and the list of values find.
    pub(crate) fn find(&self, text: &str, spans: &mut Vec<Span>) {
        let from = spans.len();
        for pattern in &self.patterns {
            pattern.find(text, spans);
        }
        self.deny.find(text, spans);
        // A mask is no text of the ticket, though it may look like a tenant's numbers.
        let bytes = text.as_bytes();
        let mut kept = from;
        for i in from..spans.len() {
            if !touches_mask(bytes, spans[i].start as usize, spans[i].end as usize) {
                spans[kept] = spans[i];
                kept += 1;
            }
        }
        spans.truncate(kept);
    }

    /// Takes out what is to be left in the text, and what was found inside of it. What is always to be treated stays.
    pub(crate) fn leave_allowed(&self, text: &str, spans: &mut Vec<Span>) {
        let is_deny = |span: &Span| span.detector == crate::detect::names::DENY_LIST;
        let value = |span: &Span| text.get(span.start as usize..span.end as usize).unwrap_or_default();
        let mut left: Vec<(u32, u32)> = spans
            .iter()
            .filter(|span| !is_deny(span) && self.allow.holds(span.kind, value(span)))
            .map(|span| (span.start, span.end))
            .collect();
        if left.is_empty() {
            return;
        }
        merge::union_of(&mut left);
        spans.retain(|span| {
            let next = left.partition_point(|range| range.1 < span.end);
            is_deny(span) || left.get(next).is_none_or(|range| span.start < range.0)
        });
    }
}

/// Whether any of the range belongs to a mask.
pub(crate) fn touches_mask(bytes: &[u8], start: usize, end: usize) -> bool {
    mask::holds(bytes, start)
        || memchr::memchr_iter(b'[', &bytes[start..end]).any(|at| mask::starts_at(bytes, start + at))
}

/// The length of the name of a pattern that `bytes` start with.
pub(crate) fn name_at(bytes: &[u8]) -> Option<usize> {
    let is_part = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_';
    let length = bytes.iter().take(LONGEST_NAME + 1).take_while(|b| is_part(b)).count();
    (length <= LONGEST_NAME && bytes.first()?.is_ascii_uppercase()).then_some(length)
}

/// Kinds as they are written in an error.
fn kinds(kinds: &[PiiKind]) -> String {
    kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ")
}
