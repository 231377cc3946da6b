//! Writes the redacted text in one pass over the original and its merged spans, and knows its masks again.
//!
//! A mask is one of `[KIND]`, `[KIND ****1234]`, `[KIND lusab-babad-gutih]` and `[KIND #<32 letters>]`, where `KIND` is
//! a kind's name, for the tenant's own patterns `CUSTOM NAME`. Masks are known by exactly this grammar, so that
//! nothing that somebody writes in brackets can hide more than four characters.

use crate::config::Policy;
use crate::finding::Span;
use crate::keyed;
use crate::kind::PiiKind;
use crate::policies::Treatment;
use crate::rules;

/// How many characters `partial` shows, and how many letters and digits a value must have for it.
const SHOWN: usize = 4;
const SHOWN_FROM: usize = 8;

/// Appends to `out` the text with every span treated by its policy. Spans are sorted and disjoint.
pub(crate) fn write(text: &str, spans: &[Span], treatment: &Treatment<'_>, out: &mut String) {
    let mut done = 0;
    for span in spans {
        let (start, end) = (span.start as usize, span.end as usize);
        let policy = treatment.of(span);
        if policy == Policy::Keep {
            continue;
        }
        out.push_str(&text[done..start]);
        done = end;
        let value = &text[start..end];
        out.push('[');
        out.push_str(span.kind.as_str());
        if let (PiiKind::Custom, Some(name)) = (span.kind, treatment.name(span)) {
            out.push(' ');
            out.push_str(name);
        }
        match (policy, treatment.keyed) {
            (Policy::Partial, _) => push_last_four(value, out),
            (Policy::Pseudonym, Some(keyed)) => {
                out.push(' ');
                keyed.push_pseudonym(span.kind, value, out);
            }
            (Policy::Hash, Some(keyed)) => {
                out.push_str(" #");
                keyed.push_hash(span.kind, value, out);
            }
            _ => {}
        }
        out.push(']');
    }
    out.push_str(&text[done..]);
}

/// No mask is longer, in bytes: `[CUSTOM `, a name, ` #`, a hash, and the bracket.
pub(crate) const LONGEST: usize = 8 + rules::LONGEST_NAME + 2 + 32 + 1;

/// Whether a mask of this crate starts at `at`.
pub(crate) fn starts_at(bytes: &[u8], at: usize) -> bool {
    end_of(bytes, at).is_some()
}

/// The end of the mask of this crate that starts at `at`.
pub(crate) fn end_of(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?.strip_prefix(b"[")?;
    if !rest.first()?.is_ascii_uppercase() {
        return None;
    }
    let after =
        PiiKind::ALL.iter().find_map(|kind| Some((kind, rest.strip_prefix(kind.as_str().as_bytes())?)));
    let (kind, mut rest) = after?;
    if *kind == PiiKind::Custom
        && let Some(named) = rest.strip_prefix(b" ")
        && let Some(length) = rules::name_at(named)
    {
        rest = &named[length..];
    }
    if let Some(shown) = rest.strip_prefix(b" ") {
        let length = match shown {
            [b'*', b'*', b'*', b'*', last @ ..] => 4 + last_four_at(last)?,
            [b'#', hash @ ..] => 1 + keyed::hash_at(hash)?,
            word => keyed::pseudonym_at(word)?,
        };
        rest = &shown[length..];
    }
    (rest.first() == Some(&b']')).then(|| bytes.len() - rest.len() + 1)
}

/// The length of the four characters that `partial` shows.
fn last_four_at(bytes: &[u8]) -> Option<usize> {
    // Four characters have at most sixteen bytes.
    let end = bytes.iter().take(17).position(|&b| b == b']')?;
    let shown = std::str::from_utf8(&bytes[..end]).ok()?;
    (shown.chars().count() == SHOWN && shown.chars().all(char::is_alphanumeric)).then_some(end)
}

/// Whether a mask of this crate ends directly before `at`.
///
/// Matchers treat a mask beside a candidate as a letter: something stood there that was attached to it. So
/// redacting twice finds what redacting once has found.
pub(crate) fn ends_at(bytes: &[u8], at: usize) -> bool {
    at > 0 && bytes[at - 1] == b']' && holds(bytes, at - 1)
}

/// Whether `at` lies inside a mask of this crate or on its closing bracket.
pub(crate) fn holds(bytes: &[u8], at: usize) -> bool {
    let from = at.saturating_sub(LONGEST);
    let open = bytes[from..at].iter().rposition(|&b| b == b'[' || b == b']');
    open.and_then(|open| end_of(bytes, from + open)).is_some_and(|end| end > at)
}

fn push_last_four(value: &str, out: &mut String) {
    let total = value.chars().filter(|c| c.is_alphanumeric()).count();
    if total < SHOWN_FROM {
        return;
    }
    out.push_str(" ****");
    out.extend(value.chars().filter(|c| c.is_alphanumeric()).skip(total - SHOWN));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_known_and_what_looks_like_one_is_not() {
        let hash = "k".repeat(32);
        let named = format!("[CUSTOM {} #{hash}]", "N".repeat(rules::LONGEST_NAME));
        assert_eq!(named.len(), LONGEST);
        let masks = [
            "[EMAIL]",
            "[IBAN ****3000]",
            "[IBAN ****é০00]",
            "[PERSON lusab-babad-gutih]",
            &format!("[EMAIL #{hash}]"),
            "[CUSTOM]",
            "[CUSTOM ORDER_ID]",
            "[CUSTOM ORDER_ID ****1234]",
            "[CUSTOM ****1234]",
            &named,
        ];
        for mask in masks {
            let text = format!("x{mask}y");
            let bytes = text.as_bytes();
            assert_eq!(end_of(bytes, 1), Some(1 + mask.len()), "{mask}");
            assert!(ends_at(bytes, 1 + mask.len()) && holds(bytes, 2) && holds(bytes, mask.len()), "{mask}");
            assert!(!holds(bytes, 1) && !holds(bytes, 1 + mask.len()), "{mask}");
        }
        for other in [
            "[EMAIL",
            "[EMAILS]",
            "[email]",
            "[IBAN ****4111 1111 1111 1111]",
            "[IBAN ****300]",
            "[EMAIL #0123456789abcdef0123456789abcdef]",
            "[PERSON Ana Ruiz]",
            "[CUSTOM order]",
            "[EMAIL ORDER_ID]",
        ] {
            assert_eq!(end_of(other.as_bytes(), 0), None, "{other}");
        }
    }
}
