//! Passport and driving licence numbers. Their formats differ by country and by state and look like anything, so
//! that a context word must stand before, and the value must look like a document number at all.

use super::chars::{skip_all, word_at, word_before};
use super::date::is_compact_date;
use super::{Sink, names};
use crate::context::Context;
use crate::finding::Detector;
use crate::lexicon::Word;
use crate::mask;

/// How far behind the word the number may start: "passport of my daughter has the number ".
const GAP: usize = 44;
/// What directly leads to a number.
const DIRECT: usize = 12;

struct Shape {
    detector: Detector,
    /// Letters and digits of the number.
    len: std::ops::RangeInclusive<usize>,
    /// Whether dashes may stand inside.
    dashes: bool,
}

/// ICAO 9303 leaves nine characters for the number; some countries use fewer.
const PASSPORT: Shape = Shape { detector: names::PASSPORT, len: 6..=9, dashes: false };
/// From five digits (some US states) to the 18 of the United Kingdom with its issue number.
const LICENCE: Shape = Shape { detector: names::DRIVING_LICENCE, len: 5..=18, dashes: true };

/// Looks behind the context word `context.hits[index]`.
pub(super) fn find(context: Context<'_>, index: usize, sink: &mut Sink<'_>) {
    let bytes = context.bytes;
    let hit = context.hits[index];
    let shape = if hit.word == Word::Passport { PASSPORT } else { LICENCE };
    if !sink.is_on(shape.detector.kind()) {
        return;
    }
    // Words in between may claim the number for themselves: "passport and order 12345678".
    let claimed_from = context.hits[index + 1..]
        .iter()
        .take_while(|next| (next.start as usize) < hit.end as usize + GAP)
        .find(|next| {
            // `V1933704` is no version, and `CNH70CYGV` no Brazilian licence.
            let attached = bytes.get(next.end as usize).is_some_and(u8::is_ascii_digit);
            !attached
                && !matches!(next.word, Word::Ip | Word::At | Word::Card | Word::Covered | Word::Digit)
                && next.word != hit.word
        })
        .map_or(usize::MAX, |next| next.start as usize);

    let is_part = |b: u8| b.is_ascii_alphanumeric() || (shape.dashes && b == b'-');
    // Stems stop inside a word: finish it.
    let mut at = skip_all(&bytes[..bytes.len().min(hit.end as usize + GAP)], hit.end as usize, |b| {
        b.is_ascii_alphabetic()
    });
    let stop = bytes.len().min(at + GAP).min(claimed_from);
    let from = at;
    let mut lines = 0;
    while at < stop {
        let byte = bytes[at];
        if is_part(byte) && byte != b'-' && !word_before(bytes, at) {
            let end = skip_all(&bytes[..bytes.len().min(at + 40)], at, is_part);
            let end = if bytes[end - 1] == b'-' { end - 1 } else { end };
            let direct = at - from <= DIRECT;
            let digits = bytes[at..end].iter().any(u8::is_ascii_digit);
            if end - at >= 4 && (digits || (direct && is_german_serial(&bytes[at..end]))) {
                if fits(bytes, at, end, &shape) && !context.is_blocked(from, end) {
                    sink.push(at, end, shape.detector, if direct { 0.85 } else { 0.65 });
                }
                return;
            }
            at = end.max(at + 1);
            continue;
        }
        match byte {
            b'\n' => lines += 1,
            b'.' | b'!' | b'?' if ends_sentence(bytes, at) => return,
            _ => {}
        }
        if lines > 1 {
            return;
        }
        at += 1;
    }
}

fn fits(bytes: &[u8], start: usize, end: usize, shape: &Shape) -> bool {
    let value = &bytes[start..end];
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    let len = value.iter().filter(|b| b.is_ascii_alphanumeric()).count();
    // Dates, amounts, decimals, versions
    let goes_on =
        matches!(bytes.get(end), Some(b'/' | b'.' | b',' | b':' | b'_' | b'@')) && word_at(bytes, end + 1);
    let is_iso_date = value.len() == 10 && value[4] == b'-' && value[7] == b'-';
    let before_mask = bytes.get(end) == Some(&b'-') && mask::starts_at(bytes, end + 1);
    shape.len.contains(&len)
        && !before_mask
        && (digits >= 4 || is_german_serial(value))
        && !goes_on
        && !is_iso_date
        && !is_compact_date(value)
        && !word_at(bytes, end)
}

/// Serial numbers of German documents have nine characters of an alphabet without vowels, so that they are no words
/// though they may have few digits.
fn is_german_serial(value: &[u8]) -> bool {
    value.len() == 9 && value.iter().all(|b| b.is_ascii_digit() || b"CFGHJKLMNPRTVWXYZ".contains(b))
}

/// A full stop behind a word of more than three letters; "no." and "nr." go on.
fn ends_sentence(bytes: &[u8], at: usize) -> bool {
    let spaced = bytes.get(at + 1).is_none_or(|b| b.is_ascii_whitespace());
    let word = bytes[..at].iter().rev().take(5).take_while(|b| b.is_ascii_alphanumeric()).count();
    spaced && (bytes[at] != b'.' || word > 3)
}
