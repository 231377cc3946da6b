//! Makes redacting twice equal redacting once where a finding changes what stands beside another one.
//!
//! A mask is no context and takes part in no word, so that a text with masks may show a value that its original hid:
//! `…Q29t=card 1 85 05 78`, where the blob before `card` was attached to it. Detectors of plain values see to this by
//! themselves. Those of values in layers and of identifiers with long look-around can't, so after their findings the
//! redacted text is read again, until nothing new is found. Few texts need it, and nearly all of these once.

use crate::finding::Span;
use crate::kind::PiiKind;

/// Each round finds something that no round before has found, and rounds that find anything are rare.
pub(crate) const ROUNDS: usize = 6;

/// Whether a text with these findings has to be read again.
pub(crate) fn is_needed(layered: bool, spans: &[Span]) -> bool {
    // The kinds that were there first have detectors that see to it.
    layered || spans.iter().any(|span| span.kind.index() > PiiKind::DrivingLicence.index())
}

/// Adds to `spans` of `text` what was `found` in `redacted`, in which each of them takes `len(span)` bytes. Tells
/// whether that was anything new.
pub(crate) fn add_found(
    text: &str,
    found: Vec<Span>,
    spans: &mut Vec<Span>,
    len: impl Fn(&Span) -> usize,
) -> bool {
    if found.is_empty() {
        return false;
    }
    // Where the spans stand in the redacted text.
    let mut places = Vec::with_capacity(spans.len());
    let (mut done, mut at) = (0, 0);
    for span in spans.iter() {
        let start = at + (span.start as usize - done);
        at = start + len(span);
        done = span.end as usize;
        places.push((start, at));
    }
    let known = spans.len();
    for new in found {
        let (start, end) = (new.start as usize, new.end as usize);
        let from = places.partition_point(|&(_, end)| end <= start);
        let to = places.partition_point(|&(start, _)| start < end);
        // What was kept in the text is found again.
        if to == from + 1 && places[from].0 <= start && end <= places[from].1 {
            continue;
        }
        let original = |at: usize, behind: usize| match behind.checked_sub(1) {
            Some(last) => spans[last].end as usize + (at - places[last].1.min(at)),
            None => at,
        };
        let start = if from < to { original(start.min(places[from].0), from) } else { original(start, from) };
        let end = if from < to { original(end.max(places[to - 1].1), to) } else { original(end, from) };
        if start < end && end <= text.len() && text.is_char_boundary(start) && text.is_char_boundary(end) {
            spans.push(Span { start: start as u32, end: end as u32, ..new });
        }
    }
    spans.len() > known
}
