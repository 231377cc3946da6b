//! Layers of encoding over a text, and the one place that looks through them.
//!
//! First the text is read as it is, or folded if it holds characters that hide values ([`view`]). If it holds escapes
//! ([`decode`]: entities, quoted-printable, percent and backslash escapes, emphasis) the unescaped text is read once
//! more. Each run of base64 that decodes to text is read by itself, and hidden whole if anything is found in it.
//! What is found in any layer is reported on the original text, through the maps of the layers.
//!
//! Cost stays linear: there are two readings of a text at most, a blob is decoded once, to three quarters of its
//! length, and blobs in blobs are followed [`DEPTH`] times.

use crate::detect::{self, Detectors};
use crate::finding::Span;
use crate::redactor::Scratch;
use crate::{base64, decode, view};

/// How deep blobs in blobs are followed. Mail gateways nest once.
const DEPTH: usize = 2;

/// Finds everything in `text` and its layers and appends it to `spans`, unsorted and possibly overlapping.
/// Tells whether a layer below the text itself held any of it.
pub(crate) fn inspect(
    detectors: &Detectors,
    text: &str,
    scratch: &mut Scratch,
    spans: &mut Vec<Span>,
) -> bool {
    inspect_to(DEPTH, detectors, text, scratch, spans)
}

fn inspect_to(
    depth: usize,
    detectors: &Detectors,
    text: &str,
    scratch: &mut Scratch,
    spans: &mut Vec<Span>,
) -> bool {
    let from = spans.len();
    if view::is_needed(text) {
        let (mut folded, mut map) = (std::mem::take(&mut scratch.view), std::mem::take(&mut scratch.map));
        view::build(text, &mut folded, &mut map);
        let layered = plain_and_decoded(depth, detectors, &folded, scratch, spans);
        for span in &mut spans[from..] {
            (span.start, span.end) = view::to_original(text, &map, span.start, span.end);
        }
        folded.clear();
        (scratch.view, scratch.map) = (folded, map);
        layered
    } else {
        plain_and_decoded(depth, detectors, text, scratch, spans)
    }
}

fn plain_and_decoded(
    depth: usize,
    detectors: &Detectors,
    text: &str,
    scratch: &mut Scratch,
    spans: &mut Vec<Span>,
) -> bool {
    detect::run(detectors, text, scratch, spans);
    let plain = spans.len();
    if decode::is_needed(text) {
        let (decoded, map) = decode::build(text);
        // What was found in another layer stands elsewhere there: it is no barrier in this one.
        let mut found = Vec::new();
        detect::run(detectors, &decoded, scratch, &mut found);
        blobs(depth, detectors, &decoded, scratch, &mut found);
        spans.extend(found.into_iter().map(|span| {
            let (start, end) = map.to_original(span.start, span.end);
            Span { start, end, ..span }
        }));
    }
    blobs(depth, detectors, text, scratch, spans);
    spans.len() > plain
}

/// Hides the blobs in whose text something is found, under the surest finding.
fn blobs(depth: usize, detectors: &Detectors, text: &str, scratch: &mut Scratch, spans: &mut Vec<Span>) {
    if depth == 0 {
        return;
    }
    let mut at = 0;
    let mut found = Vec::new();
    while let Some(blob) = base64::next(text.as_bytes(), at) {
        at = blob.end;
        let Some(inner) = base64::decode(&text.as_bytes()[blob.clone()]) else { continue };
        found.clear();
        inspect_to(depth - 1, detectors, &inner, scratch, &mut found);
        let surest = found.iter().copied().max_by(|a, b| a.score.total_cmp(&b.score));
        if let Some(span) = surest {
            spans.push(Span { start: blob.start as u32, end: blob.end as u32, ..span });
        }
    }
}
