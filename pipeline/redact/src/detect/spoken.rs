//! Digits that are spelled out: "four one one one …", "cuatro uno uno …", mixed with written ones. Names of digits stand
//! in every prose, so that a run of seven and more counts, and only as a valid card, or as a social security or phone
//! number near a word for it.

use super::chars::{skip, word_at, word_before};
use super::ids::luhn;
use super::{Sink, card, names, phone_rules};
use crate::context::Context;
use crate::lexicon::Word;

/// The longest number that is read: a card.
const MAX: usize = 19;
const MIN: usize = 7;
/// How far the names of two digits may stand apart, in bytes: "vier, - fünf".
const GAP: usize = 4;
/// The longest name.
const NAME: usize = 8;

/// Names of the digits in English, German, Spanish, French, Portuguese, Italian and Dutch.
const DIGITS: [&[&str]; 10] = [
    &["zero", "oh", "null", "cero", "zéro", "nul"],
    &["one", "eins", "ein", "uno", "un", "une", "um", "uma", "een", "één"],
    &["two", "zwei", "zwo", "dos", "deux", "dois", "duas", "due", "twee"],
    &["three", "drei", "tres", "trois", "três", "tre", "drie"],
    &["four", "vier", "cuatro", "quatre", "quatro", "quattro"],
    &["five", "fünf", "fuenf", "cinco", "cinq", "cinque", "vijf"],
    &["six", "sechs", "seis", "sei", "zes", "meia"],
    &["seven", "sieben", "siete", "sept", "sete", "sette", "zeven"],
    &["eight", "acht", "ocho", "huit", "oito", "otto"],
    &["nine", "neun", "nueve", "neuf", "nove", "negen"],
];

/// A run of digits with where each starts and ends.
struct Run {
    digits: [u8; MAX],
    len: usize,
    spelled: usize,
    end: usize,
}

/// Where the last run ended: the names inside of it are not looked at again.
#[derive(Default)]
pub(super) struct Cursor {
    until: usize,
}

/// Looks at the run around the name of a digit at `hits[index]`.
pub(super) fn find(context: Context<'_>, index: usize, cursor: &mut Cursor, sink: &mut Sink<'_>) {
    let bytes = context.bytes;
    let at = context.hits[index].start as usize;
    if at < cursor.until {
        return;
    }
    let start = run_start(bytes, at, cursor.until);
    let run = read(bytes, start);
    cursor.until = run.end.max(at + 1);
    if run.len < MIN || run.spelled < 4 || context.is_blocked(start, run.end) {
        return;
    }
    let digits = &run.digits[..run.len];
    if digits.iter().all(|b| b == &digits[0]) {
        return;
    }
    let label = context.label(start, |word| matches!(word, Word::Digit | Word::PhonePlace));
    let near = |word: Word| label == Some(word) || context.has_before(start, word);
    let is_card =
        (13..=MAX).contains(&run.len) && luhn(digits) && (card::is_usual(digits) || near(Word::Card));
    let detector = if is_card {
        Some((names::SPOKEN_CARD, 0.9))
    } else if run.len == 9 && near(Word::Ssn) {
        Some((names::SPOKEN_SSN, 0.9))
    } else if run.len <= 15
        && !matches!(label, Some(Word::Reference | Word::Card | Word::Version))
        && (near(Word::Phone) || phone_rules::is_valid_international(digits) && run.len >= 11)
    {
        Some((names::SPOKEN_PHONE, 0.75))
    } else {
        None
    };
    if let Some((detector, score)) = detector {
        sink.push(start, run.end, detector, score);
    }
}

/// The digit that a name or a figure at `at` stands for; where it ends.
fn digit_at(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    if word_before(bytes, at) {
        return None;
    }
    let end = skip(bytes, at, NAME + 1, |b| b.is_ascii_alphabetic() || b >= 0x80);
    let word = &bytes[at..end];
    if word.len() < 2 || word_at(bytes, end) {
        return None;
    }
    let value =
        DIGITS.iter().position(|list| list.iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes())))?;
    Some((b'0' + value as u8, end))
}

/// What separates digits.
fn is_gap(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b',' | b'.' | b'\n')
}

/// Steps back over names before `at`: the lexicon doesn't list those that are words of their own ("one", "un").
fn run_start(bytes: &[u8], at: usize, until: usize) -> usize {
    let mut start = at;
    for _ in 0..MAX {
        let gap = super::chars::skip_back(bytes, start, GAP, is_gap);
        if gap == start {
            break;
        }
        let word = super::chars::skip_back(bytes, gap, NAME, |b| b.is_ascii_alphanumeric() || b >= 0x80);
        let is_figure = gap > word && gap - word <= 4 && bytes[word..gap].iter().all(u8::is_ascii_digit);
        let is_name = digit_at(bytes, word).is_some_and(|(_, end)| end == gap);
        if word < until || word == gap || word_before(bytes, word) || !(is_figure || is_name) {
            break;
        }
        start = word;
    }
    start
}

fn read(bytes: &[u8], start: usize) -> Run {
    let mut run = Run { digits: [0; MAX], len: 0, spelled: 0, end: start };
    let mut at = start;
    while run.len < MAX {
        let figures = skip(bytes, at, 5, |b| b.is_ascii_digit());
        let is_figure =
            (1..=4).contains(&(figures - at)) && !word_at(bytes, figures) && run.len + figures - at <= MAX;
        if is_figure {
            run.digits[run.len..run.len + figures - at].copy_from_slice(&bytes[at..figures]);
            run.len += figures - at;
            run.end = figures;
        } else if let Some(times) = [("double ", 2), ("triple ", 3), ("doppel ", 2)]
            .iter()
            .find(|(word, _)| super::chars::starts_with(bytes, at, word))
            && let Some((digit, end)) = digit_at(bytes, at + times.0.len())
            && run.len + times.1 <= MAX
        {
            run.digits[run.len..run.len + times.1].fill(digit);
            run.len += times.1;
            run.spelled += 1;
            run.end = end;
        } else if let Some((digit, end)) = digit_at(bytes, at) {
            run.digits[run.len] = digit;
            run.len += 1;
            run.spelled += 1;
            run.end = end;
        } else {
            break;
        }
        let next = skip(bytes, run.end, GAP, is_gap);
        if next == run.end {
            break;
        }
        at = next;
    }
    run
}
