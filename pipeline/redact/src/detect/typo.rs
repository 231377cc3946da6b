//! Misspelled context words: `date of biirth`, `Pasport no.`, `driver's liccense`.
//!
//! One letter too many, too few, wrong, or two exchanged. Only the words before a number are looked at, each once, and
//! only for labels of values that have no form by which they would be found without one.

use super::chars::word_before;
use crate::lexicon::{Hit, Word};
use crate::mask;
use crate::scan::Group;

/// How far before a number a label may begin, in bytes.
const REACH: usize = 56;

/// Labels of one word.
const LABELS: &[(Word, &[u8])] = &[
    (Word::Birth, b"birthday"),
    (Word::Birth, b"birthdate"),
    (Word::Birth, b"geburtsdatum"),
    (Word::Birth, b"geburtstag"),
    (Word::Birth, b"geboren"),
    (Word::Birth, b"nacimiento"),
    (Word::Birth, b"naissance"),
    (Word::Birth, b"nascimento"),
    (Word::Birth, b"nascita"),
    (Word::Passport, b"passport"),
    (Word::Passport, b"reisepass"),
    (Word::Passport, b"reisepassnummer"),
    (Word::Passport, b"passnummer"),
    (Word::Passport, b"pasaporte"),
    (Word::Passport, b"passeport"),
    (Word::Passport, b"passaporte"),
    (Word::Passport, b"passaporto"),
    (Word::Passport, b"paspoort"),
    (Word::Licence, "führerschein".as_bytes()),
    (Word::Licence, b"fuehrerschein"),
    (Word::Licence, b"fahrerlaubnis"),
    (Word::Licence, b"rijbewijs"),
];

type Spellings = &'static [&'static [u8]];

/// Labels of two words, of which either may be misspelled. By itself neither says anything.
const PAIRS: &[(Word, Spellings, Spellings)] = &[
    (Word::Birth, &[b"of"], &[b"birth"]),
    (Word::Birth, &[b"nasci", b"nascido", b"nascida"], &[b"em", b"a"]),
    (Word::Licence, &[b"driving", b"driver's", b"drivers", b"driver"], &[b"licence", b"license"]),
];

/// Adds hits for misspelled labels before the numbers of the text; `hits` stay sorted.
pub(super) fn add(bytes: &[u8], groups: &[Group], hits: &mut Vec<Hit>) {
    let mut done = 0;
    let known = hits.len();
    for group in groups {
        let end = group.start as usize;
        let from = end.saturating_sub(REACH).max(done);
        if from < end {
            look(bytes, from, end, hits);
        }
        done = end;
    }
    if hits.len() > known {
        hits.sort_by_key(|hit| hit.start);
    }
}

fn look(bytes: &[u8], from: usize, to: usize, hits: &mut Vec<Hit>) {
    let is_letter = |b: u8| b.is_ascii_alphabetic() || b >= 0x80 || b == b'\'';
    let mut at = from;
    // Starting inside a word: it was looked at, or begins too far away.
    while at < to && at > 0 && is_letter(bytes[at - 1]) {
        at += 1;
    }
    let mut before: Option<(usize, usize)> = None;
    while at < to {
        if !is_letter(bytes[at]) {
            at += 1;
            continue;
        }
        let start = at;
        while at < to && is_letter(bytes[at]) {
            at += 1;
        }
        // Few words are near a label: the bytes around are looked at only then.
        let is_apart =
            || !word_before(bytes, start) && !mask::starts_at(bytes, at) && !mask::holds(bytes, start);
        if let Some((word, begin)) = label(bytes, before, (start, at))
            && is_apart()
        {
            hits.push(Hit { start: begin as u32, end: at as u32, word });
        }
        before = Some((start, at));
    }
}

fn label(bytes: &[u8], before: Option<(usize, usize)>, word: (usize, usize)) -> Option<(Word, usize)> {
    let text = &bytes[word.0..word.1];
    if let Some(&(kind, _)) = LABELS.iter().find(|(_, label)| is_near(text, label)) {
        return Some((kind, word.0));
    }
    let before = before.filter(|before| word.0 - before.1 == 1)?;
    let first = &bytes[before.0..before.1];
    let fits = |word: &[u8], labels: Spellings| {
        labels
            .iter()
            .any(|label| word.eq_ignore_ascii_case(label) || (label.len() > 4 && is_near(word, label)))
    };
    let &(kind, ..) = PAIRS.iter().find(|(_, firsts, seconds)| fits(text, seconds) && fits(first, firsts))?;
    Some((kind, before.0))
}

/// Whether exactly one letter is too many, too few or wrong, or two neighbours are exchanged.
fn is_near(word: &[u8], label: &[u8]) -> bool {
    if word.len().abs_diff(label.len()) > 1 {
        return false;
    }
    let same = |a: &u8, b: &u8| a.eq_ignore_ascii_case(b);
    let front = word.iter().zip(label).take_while(|(a, b)| same(a, b)).count();
    let (word, label) = (&word[front..], &label[front..]);
    let back = word.iter().rev().zip(label.iter().rev()).take_while(|(a, b)| same(a, b)).count();
    match (word.len() - back, label.len() - back) {
        (1, 0) | (0, 1) | (1, 1) => true,
        (2, 2) => same(&word[0], &label[1]) && same(&word[1], &label[0]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mistake_is_near_and_none_or_two_are_not() {
        for word in ["pasport", "Passsport", "PASSPROT", "pxssport", "assport", "passportt"] {
            assert!(is_near(word.as_bytes(), b"passport"), "{word}");
        }
        for word in ["passport", "PASSPORT", "password", "passprt1", "pasporrt", ""] {
            assert!(!is_near(word.as_bytes(), b"passport"), "{word}");
        }
    }
}
