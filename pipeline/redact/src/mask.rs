//! Writes the redacted text in one pass over the original and its merged spans.

use crate::config::Policy;
use crate::kind::{PiiKind, Span};

/// How many characters `partial` shows, and how many letters and digits a value must have for it.
const SHOWN: usize = 4;
const SHOWN_FROM: usize = 8;

/// Appends to `out` the text with every span treated by its policy. Spans are sorted and disjoint.
pub(crate) fn write(text: &str, spans: &[Span], policies: &[Policy; PiiKind::ALL.len()], out: &mut String) {
    let mut done = 0;
    for span in spans {
        let (start, end) = (span.start as usize, span.end as usize);
        let policy = policies[span.kind.index()];
        if policy == Policy::Keep {
            continue;
        }
        out.push_str(&text[done..start]);
        done = end;
        out.push('[');
        out.push_str(span.kind.as_str());
        if policy == Policy::Partial {
            push_last_four(&text[start..end], out);
        }
        out.push(']');
    }
    out.push_str(&text[done..]);
}

/// No mask is longer, in bytes: `[DRIVING_LICENCE ****`, four characters of at most four bytes, and the bracket.
pub(crate) const LONGEST: usize = 40;

/// Whether a mask of this crate starts at `at`.
pub(crate) fn starts_at(bytes: &[u8], at: usize) -> bool {
    bytes.get(at) == Some(&b'[')
        && PiiKind::ALL.iter().any(|kind| {
            let rest = &bytes[at + 1..];
            rest.strip_prefix(kind.as_str().as_bytes())
                .is_some_and(|rest| rest.first() == Some(&b']') || rest.starts_with(b" ****"))
        })
}

/// The end of the mask of this crate that starts at `at`.
pub(crate) fn end_of(bytes: &[u8], at: usize) -> Option<usize> {
    if !starts_at(bytes, at) {
        return None;
    }
    let limit = bytes.len().min(at + LONGEST);
    bytes[at..limit].iter().position(|&b| b == b']').map(|n| at + n + 1)
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
    open.is_some_and(|open| starts_at(bytes, from + open))
}

fn push_last_four(value: &str, out: &mut String) {
    let total = value.chars().filter(|c| c.is_alphanumeric()).count();
    if total < SHOWN_FROM {
        return;
    }
    out.push_str(" ****");
    out.extend(value.chars().filter(|c| c.is_alphanumeric()).skip(total - SHOWN));
}
