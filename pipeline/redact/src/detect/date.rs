//! Dates of birth: a calendar date beside a birth word, in the notations of the languages of the lexicon. Dates
//! without a birth word are no personal data and stay.

use super::chars::{skip, skip_back, starts_with, word_at, word_before};
use super::{Sink, names};
use crate::context::Context;
use crate::lexicon::Hit;

/// How far behind the birth word the date may start: "Geburtsdatum der Versicherten Person: ".
const GAP: usize = 40;

/// No one alive was born before; later years are mistaken, or a system's "never".
const YEARS: std::ops::RangeInclusive<u32> = 1890..=2059;

pub(super) fn find_birth(context: Context<'_>, hit: Hit, sink: &mut Sink<'_>) {
    let bytes = context.bytes;
    let from = hit.end as usize;
    let stop = bytes.len().min(from + GAP);
    let mut lines = 0;
    for at in from..stop {
        match bytes[at] {
            b'0'..=b'9' => {
                if !word_before(bytes, at)
                    && let Some(end) = date_end(bytes, at)
                    && !context.is_blocked(from, end)
                {
                    sink.push(at, end, names::BIRTH_DATE, 0.9);
                    return;
                }
                break;
            }
            b'\n' => {
                lines += 1;
                if lines > 2 {
                    break;
                }
            }
            b if b.is_ascii_alphabetic() && !word_before(bytes, at) => {
                if let Some(end) = month_first_end(bytes, at)
                    && !context.is_blocked(from, end)
                {
                    sink.push(at, end, names::BIRTH_DATE, 0.9);
                    return;
                }
            }
            _ => {}
        }
    }
    // "on 2024-03-01, born [DATE_OF_BIRTH]": the word has its date, the one before is another's.
    if !context.is_blocked(from, stop) {
        find_before(bytes, hit.start as usize, sink);
    }
}

/// "1985-03-12 (date of birth)"
fn find_before(bytes: &[u8], word: usize, sink: &mut Sink<'_>) {
    let end = skip_back(bytes, word, 3, |b| b" (,-:".contains(&b));
    let start = skip_back(bytes, end, 10, |b| b.is_ascii_digit() || b"-./".contains(&b));
    if end - start >= 6 && !word_before(bytes, start) && date_end(bytes, start) == Some(end) {
        sink.push(start, end, names::BIRTH_DATE, 0.7);
    }
}

fn number(bytes: &[u8], at: usize, max_len: usize) -> Option<(u32, usize)> {
    let end = skip(bytes, at, max_len, |b| b.is_ascii_digit());
    (end > at && !bytes.get(end).is_some_and(u8::is_ascii_digit))
        .then(|| (bytes[at..end].iter().fold(0, |n, b| n * 10 + u32::from(b - b'0')), end))
}

/// The end of a date that starts with a digit at `at`.
fn date_end(bytes: &[u8], at: usize) -> Option<usize> {
    if let Some((value, end)) = number(bytes, at, 8)
        && end - at == 8
    {
        let iso = is_date(value / 10_000, value / 100 % 100, value % 100);
        let european = is_date(value % 10_000, value / 10_000 % 100, value / 1_000_000);
        let american = is_date(value % 10_000, value / 1_000_000, value / 10_000 % 100);
        return ((iso || european || american) && !word_at(bytes, end)).then_some(end);
    }
    let (first, behind) = number(bytes, at, 4)?;
    numeric_end(bytes, first, behind, behind - at).or_else(|| day_first_end(bytes, first, behind))
}

/// Behind the first number: "-03-12", "/3/1985", ". 3. 85"
fn numeric_end(bytes: &[u8], first: u32, at: usize, first_len: usize) -> Option<usize> {
    let separator = *bytes.get(at).filter(|b| b"-./ ".contains(b))?;
    let part = |at: usize, max: usize| {
        let at = if bytes.get(at) == Some(&separator) { at + 1 } else { return None };
        // ". " as Germans write it
        let at = if separator == b'.' && bytes.get(at) == Some(&b' ') { at + 1 } else { at };
        number(bytes, at, max).map(|(value, end)| (value, end, end - at))
    };
    let (second, end, _) = part(at, 2)?;
    let (third, end, third_len) = part(end, 4)?;
    let valid = match (first_len, third_len) {
        (4, 1 | 2) => is_date(first, second, third),
        (1 | 2, 4) => is_date(third, second, first) || is_date(third, first, second),
        (1 | 2, 2) if separator != b' ' => {
            let year = full_year(third);
            is_date(year, second, first) || is_date(year, first, second)
        }
        _ => false,
    };
    // A time may follow: 1985-03-12T00:00:00
    let closed = !word_at(bytes, end) || matches!(bytes[end], b'T' | b't');
    (valid && closed).then_some(end)
}

/// Behind the day: " March 1985", "th of March, 1985", ". März 1985", " de marzo de 1985"
fn day_first_end(bytes: &[u8], day: u32, at: usize) -> Option<usize> {
    let at = ["st", "nd", "rd", "th", "er", "re", "º", "ª", "°", "."]
        .iter()
        .find(|suffix| starts_with(bytes, at, suffix))
        .map_or(at, |suffix| at + suffix.len());
    let at = skip(bytes, at, 2, |b| b" -/".contains(&b));
    let at = skip_particle(bytes, at);
    let (month, at) = month(bytes, at)?;
    year_end(bytes, at, day, month)
}

/// "March 12, 1985", "März 12 1985"
fn month_first_end(bytes: &[u8], at: usize) -> Option<usize> {
    let (month, at) = month(bytes, at)?;
    let at = skip(bytes, at, 2, |b| b" .-".contains(&b));
    let (day, at) = number(bytes, at, 2)?;
    let at = ["st", "nd", "rd", "th"]
        .iter()
        .find(|suffix| starts_with(bytes, at, suffix))
        .map_or(at, |s| at + s.len());
    year_end(bytes, at, day, month)
}

fn year_end(bytes: &[u8], at: usize, day: u32, month: u32) -> Option<usize> {
    let at = skip(bytes, at, 3, |b| b" .,-/".contains(&b));
    let at = skip_particle(bytes, at);
    let (year, end) = number(bytes, at, 4)?;
    let year = match end - at {
        4 => year,
        2 => full_year(year),
        _ => return None,
    };
    (is_date(year, month, day) && !word_at(bytes, end)).then_some(end)
}

/// The year that two digits mean.
fn full_year(two_digits: u32) -> u32 {
    if 2000 + two_digits <= *YEARS.end() { 2000 + two_digits } else { 1900 + two_digits }
}

fn skip_particle(bytes: &[u8], at: usize) -> usize {
    ["of ", "de ", "del ", "di ", "do ", "d'"]
        .iter()
        .find(|particle| starts_with(bytes, at, particle))
        .map_or(at, |particle| at + particle.len())
}

/// First letters of the months in English, German, Spanish, French, Portuguese, Italian and Dutch.
const MONTHS: &[(&str, u32)] = &[
    ("jan", 1),
    ("ene", 1),
    ("gen", 1),
    ("jän", 1),
    ("feb", 2),
    ("fév", 2),
    ("fev", 2),
    ("mar", 3),
    ("mär", 3),
    ("maa", 3),
    ("mrt", 3),
    ("maer", 3),
    ("apr", 4),
    ("abr", 4),
    ("avr", 4),
    ("may", 5),
    ("mai", 5),
    ("mag", 5),
    ("mei", 5),
    ("jun", 6),
    ("juin", 6),
    ("giu", 6),
    ("jul", 7),
    ("juil", 7),
    ("lug", 7),
    ("aug", 8),
    ("ago", 8),
    ("aoû", 8),
    ("aou", 8),
    ("sep", 9),
    ("set", 9),
    ("oct", 10),
    ("okt", 10),
    ("ott", 10),
    ("out", 10),
    ("nov", 11),
    ("dec", 12),
    ("déc", 12),
    ("dez", 12),
    ("dic", 12),
];

/// Reads the name of a month; tells its number and where the word ends.
fn month(bytes: &[u8], at: usize) -> Option<(u32, usize)> {
    let &(stem, month) = MONTHS.iter().find(|(stem, _)| starts_with(bytes, at, stem))?;
    // "septiembre" has ten letters, "settembre" nine.
    let end = skip(bytes, at + stem.len(), 9, |b| b.is_ascii_alphabetic() || b >= 0x80);
    (!word_at(bytes, end) || bytes[end].is_ascii_digit()).then_some((month, end))
}

fn is_date(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let last = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        1..=12 => 31,
        _ => return false,
    };
    YEARS.contains(&year) && (1..=last).contains(&day)
}

/// Whether eight digits read as year, month and day.
pub(super) fn is_compact_date(digits: &[u8]) -> bool {
    number(digits, 0, 8).is_some_and(|(value, end)| {
        end == 8 && digits.len() == 8 && is_date(value / 10_000, value / 100 % 100, value % 100)
    })
}
