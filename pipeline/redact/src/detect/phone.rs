//! Phone numbers: libphonenumber's rules decide whether digits can be a number; notation and context decide
//! whether they are meant as one.
//!
//! Ten digits are a valid number in nearly every country, so that validity alone would mask every order number.
//! A national number therefore needs a notation that people use for phones (`(415) 555-2671`, `030 1234567`) or
//! a phone word nearby. Behind `+` and a known calling code no context is asked for.

use super::chars::{skip, starts_with, word_before};
use super::numbers::{TIGHT, UNUSABLE, digits, starts_chain};
use super::{Sink, names, phone_rules};
use crate::context::Context;
use crate::finding::Detector;
use crate::lexicon::Word;
use crate::scan::{Group, TAKEN};

/// Digits of a window: 15 of E.164 and an international prefix.
const MAX: usize = 18;
/// Local numbers have six digits and more in many places; fewer say little without the place.
const MIN: usize = 6;
const SUPPORT: f32 = 0.4;
/// How many groups before a window may belong to the same long number: a parcel's 22 digits in fours.
const MAX_PIECES: usize = 6;

pub(super) fn find(context: Context<'_>, cluster: &mut [Group], sink: &mut Sink<'_>) {
    let mut i = 0;
    while i < cluster.len() {
        i = match window(context, cluster, i, sink) {
            Some(end) => {
                cluster[i..end].iter_mut().for_each(|group| group.flags |= TAKEN);
                end
            }
            None => i + 1,
        };
    }
}

/// Everything about a window's start that its ends share.
struct Start {
    /// Where the span starts: at `+` or an opening bracket before the digits.
    at: usize,
    plus: bool,
    bracket: bool,
    /// A phone word stands directly before.
    labelled: bool,
    /// A phone word stands near.
    supported: bool,
    /// The digits are called an order, an invoice, ...
    reference: bool,
}

fn window(context: Context<'_>, cluster: &[Group], first: usize, sink: &mut Sink<'_>) -> Option<usize> {
    if !starts_chain(cluster, first) || cluster[first].has(UNUSABLE) {
        return None;
    }
    let mut ends = [0_usize; MAX + 1];
    let (mut count, mut total, mut last) = (0, 0, first);
    while last < cluster.len() && !cluster[last].has(UNUSABLE) {
        total += cluster[last].len();
        if total > MAX {
            break;
        }
        last += 1;
        if total >= MIN && !cluster[last - 1].has(TIGHT) {
            ends[count] = last;
            count += 1;
        }
    }
    if count == 0 {
        return None;
    }
    let mut start = start(context, cluster, first);
    let mut best: Option<(usize, Detector, f32)> = None;
    for &end in ends[..count].iter().rev() {
        let behind = cluster[end - 1].end as usize;
        let window = &cluster[first..end];
        start.supported |= !start.reference
            && (context.has_after(behind, Word::Phone) || context.has_after(behind, Word::PhonePlace));
        let Some((detector, score)) = judge(context, window, &start, sink.regions()) else { continue };
        // The longest window wins, but one that the rules know beats one that only looks right.
        let is_known = detector == names::PHONE_INTERNATIONAL || detector == names::PHONE_NATIONAL;
        if score >= sink.min_score() && (best.is_none() || is_known) {
            best = Some((end, detector, score));
            if is_known {
                break;
            }
        }
    }
    let (end, detector, score) = best?;
    let behind = extension_end(context.bytes, cluster[end - 1].end as usize);
    sink.push(start.at, behind, detector, score).then_some(end)
}

fn start(context: Context<'_>, cluster: &[Group], first: usize) -> Start {
    let bytes = context.bytes;
    let digits_at = cluster[first].start as usize;
    let before = |n: usize| digits_at.checked_sub(n).map(|at| bytes[at]);
    let closes = bytes.get(cluster[first].end as usize) == Some(&b')');
    let (at, plus) = match (before(1), before(2)) {
        (Some(b'+'), Some(b'(')) if closes => (digits_at - 2, true),
        (Some(b'+'), _) => (digits_at - 1, true),
        (Some(b'('), Some(b'+')) => (digits_at - 2, true),
        (Some(b' '), Some(b'+')) => (digits_at - 2, true),
        (Some(b'('), _) if closes => (digits_at - 1, false),
        _ => (digits_at, false),
    };
    // a+49: a sum, not a number
    let is_sum = plus && word_before(bytes, at);
    let plus = plus && !is_sum;
    let label = context.label(at, |word| {
        !matches!(word, Word::Phone | Word::PhonePlace | Word::Reference | Word::Card | Word::Ssn)
    });
    let behind_colon = || bytes[..at].iter().rev().find(|&&b| b != b' ') == Some(&b':');
    let labelled = label == Some(Word::Phone) || (label == Some(Word::PhonePlace) && behind_colon());
    // What a longer number in pieces is called holds for its pieces, too.
    let inherited = (1..=MAX_PIECES).contains(&first)
        && !cluster[..first].iter().any(|group| group.has(TAKEN))
        && !labelled
        && context
            .label(cluster[0].start as usize, |_| false)
            .is_some_and(|word| matches!(word, Word::Reference | Word::Card));
    let reference = matches!(label, Some(Word::Reference | Word::Card | Word::Ssn))
        || before(1) == Some(b'#')
        || inherited
        || is_sum;
    let supported = labelled || (!reference && context.has_before(at, Word::Phone));
    Start {
        at: if plus || before(1) == Some(b'(') { at } else { digits_at },
        plus,
        bracket: closes && before(1) == Some(b'('),
        labelled,
        supported,
        reference,
    }
}

fn judge(
    context: Context<'_>,
    window: &[Group],
    start: &Start,
    regions: &[&'static phone_rules::Region],
) -> Option<(Detector, f32)> {
    let mut buffer = [0; MAX];
    let digits = digits(context.bytes, window, &mut buffer)?;
    if digits.iter().all(|b| b == &digits[0]) {
        return None;
    }
    if start.plus {
        if phone_rules::is_valid_international(digits) {
            return Some((names::PHONE_INTERNATIONAL, 0.95));
        }
        let possible = (9..=15).contains(&digits.len()) && phone_rules::calling_code(digits).is_some();
        return (possible && !start.reference)
            .then_some((names::PHONE_SHAPE, if start.supported { 0.8 } else { 0.6 }));
    }
    if start.reference {
        return None;
    }
    // The prefix for calls abroad: 00 nearly everywhere, 011 from North America.
    let dials_north_america = regions.iter().any(|region| region.code() == 1);
    let abroad =
        digits.strip_prefix(b"00").or_else(|| digits.strip_prefix(b"011").filter(|_| dials_north_america));
    if let Some(rest) = abroad
        && phone_rules::is_valid_international(rest)
    {
        return Some((names::PHONE_INTERNATIONAL, if start.supported { 0.9 } else { 0.7 }));
    }
    let notation = notation(context.bytes, window, digits, start, dials_north_america);
    let score = notation + if start.supported { SUPPORT } else { 0.0 };
    if score >= 0.5 && regions.iter().any(|region| region.is_valid(digits)) {
        return Some((names::PHONE_NATIONAL, score.min(0.95)));
    }
    if notation >= NORTH_AMERICAN && is_north_american(digits) {
        return Some((names::PHONE_SHAPE, (score - 0.1).min(0.9)));
    }
    (start.labelled && (7..=15).contains(&digits.len())).then_some((names::PHONE_LABELLED, 0.55))
}

const NORTH_AMERICAN: f32 = 0.7;

/// How much the notation alone looks like a phone number.
fn notation(bytes: &[u8], window: &[Group], digits: &[u8], start: &Start, north_america: bool) -> f32 {
    let mut sizes = [0; MAX];
    for (size, group) in sizes.iter_mut().zip(window) {
        *size = group.len();
    }
    let sizes = &sizes[..window.len()];
    let spaced_only = window[..window.len() - 1].iter().all(|group| bytes[group.end as usize] == b' ');
    let leads_with_zero = digits[0] == b'0';
    match sizes {
        [3, 3, 4] | [1, 3, 3, 4]
            if north_america && (sizes.len() == 3 || digits[0] == b'1') && !leads_with_zero =>
        {
            if start.bracket || !spaced_only { NORTH_AMERICAN } else { 0.55 }
        }
        _ if start.bracket && window.len() >= 2 => 0.6,
        // (0)30 1234567 and 0 30 … are unusual; 0-306-40615-2 is a book.
        [first, _, ..] if leads_with_zero && *first >= 2 && (9..=12).contains(&digits.len()) => 0.6,
        [_] if leads_with_zero && (10..=12).contains(&digits.len()) => 0.4,
        [_, _, _, ..] => 0.35,
        _ => 0.3,
    }
}

/// The digits have the form of the North American plan, whether or not the area is assigned: 555-123-4567.
fn is_north_american(digits: &[u8]) -> bool {
    let digits = if digits.len() == 11 { digits.strip_prefix(b"1").unwrap_or(digits) } else { digits };
    digits.len() == 10 && digits[0] >= b'2' && digits[3] >= b'1'
}

/// The end of an extension behind `at`: "x12", "ext. 12", "Durchwahl 12"; `at` if there is none.
fn extension_end(bytes: &[u8], at: usize) -> usize {
    let word = skip(bytes, at, 2, |b| b == b' ' || b == b',');
    let Some(found) = ["extension", "ext.", "ext", "x.", "x", "durchwahl", "poste", "ramal", "anexo", "int."]
        .iter()
        .find(|w| starts_with(bytes, word, w))
    else {
        return at;
    };
    let number = skip(bytes, word + found.len(), 2, |b| b == b' ' || b == b':' || b == b'#');
    let end = skip(bytes, number, 7, |b| b.is_ascii_digit());
    let is_extension =
        (1..=6).contains(&(end - number)) && !bytes.get(end).is_some_and(u8::is_ascii_alphabetic);
    if is_extension { end } else { at }
}
