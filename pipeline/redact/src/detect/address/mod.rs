//! Postal addresses by their structure: a number beside a street word, and the unit, postal code and town that follow.
//!
//! Each digit group is a house number if a street stands directly behind it ("12 Main Street", "12 rue de la Paix")
//! or before it ("Hauptstraße 12", "Calle Mayor, 12"). Streets without a street word are for the tagger of names.

mod town;
mod words;

use town::{town, unit};
use words::{BEFORE, FRENCH, LOWER, NO_STREETS, SUFFIX_ENDS, SUFFIXES, SURE, TYPES, is_one_of};

use super::chars::{
    ceil_boundary, ends_with, floor_boundary, skip, skip_back, starts_with, word_at, word_before,
};
use super::{Sink, names};
use crate::context::Context;
use crate::scan::{Group, TAKEN};

/// The longest name of a street that is read, in bytes and in words.
const STREET: usize = 56;
const WORDS: usize = 5;

pub(super) fn find(text: &str, context: Context<'_>, groups: &mut [Group], sink: &mut Sink<'_>) {
    let bytes = context.bytes;
    let mut done = 0;
    for i in 0..groups.len() {
        let group = groups[i];
        let (number, number_end) = (group.start as usize, group.end as usize);
        if number < done || group.len() > 5 || group.has(TAKEN) {
            continue;
        }
        let Some((start, core_end)) = behind_number(text, number, number_end)
            .or_else(|| before_number(text, number, number_end))
            .or_else(|| military(bytes, number, number_end))
        else {
            continue;
        };
        if context.is_blocked(start, core_end) || word_before(bytes, floor_boundary(text, start)) {
            continue;
        }
        // Names are read up to a limit, which may cut a character.
        let start = floor_boundary(text, start);
        let end = ceil_boundary(text, extend(context, core_end));
        if sink.push(start, end, names::ADDRESS, if end > core_end { 0.9 } else { 0.75 }) {
            done = end;
            for group in groups[i..].iter_mut().take_while(|group| (group.start as usize) < end) {
                group.flags |= TAKEN;
            }
        }
    }
}

/// A letter, or a byte of a character that isn't ASCII, or a mark inside of a name.
fn in_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b >= 0x80 || b == b'\'' || b == b'-'
}

/// "12 Main Street", "12-14 N. 5th Ave.", "12 bis, rue de la Paix"
fn behind_number(text: &str, number: usize, number_end: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    // Most figures stand before other figures, or before what no street begins with.
    let next = bytes.get(number_end..bytes.len().min(number_end + 5)).unwrap_or_default();
    let may_go_on = match next {
        [b' ', b'0'..=b'9', rest @ ..] => rest.iter().any(u8::is_ascii_alphabetic),
        [b' ', b, ..] => b.is_ascii_alphabetic() || *b >= 0xC3,
        [b',', b' ', ..] | [b'-', b'0'..=b'9', ..] => true,
        [b, b' ' | b',', ..] => b.is_ascii_alphabetic(),
        _ => false,
    };
    if !may_go_on {
        return None;
    }
    let attached = number > 0
        && (matches!(bytes[number - 1], b'.' | b'/' | b':' | b'$' | b'_' | b'@' | b'=' | b'&' | b',')
            && (number < 2 || bytes[number - 2] != b' '));
    if attached || word_before(bytes, number) || bytes[number] == b'0' {
        return None;
    }
    // 221B, 12-14
    let mut at = number_end;
    if bytes.get(at) == Some(&b'-') {
        at = skip(bytes, at + 1, 5, |b| b.is_ascii_digit());
    }
    if bytes.get(at).is_some_and(u8::is_ascii_alphabetic) && !bytes.get(at + 1).is_some_and(|&b| in_name(b)) {
        at += 1;
    }
    let start = if number >= 2 && bytes[number - 1] == b'-' && bytes[number - 2].is_ascii_digit() {
        skip_back(bytes, number - 1, 5, |b| b.is_ascii_digit())
    } else {
        number
    };
    let mut at = match (bytes.get(at)?, bytes.get(at + 1)?) {
        (b' ', b) if in_name(*b) => at + 1,
        (b',', b' ') => at + 2,
        _ => return None,
    };
    let suffixes: &[&str] = if matches!(bytes.get(at), Some(b'b' | b't' | b'B' | b'T')) {
        &["bis, ", "bis ", "ter, ", "ter "]
    } else {
        &[]
    };
    for suffix in suffixes {
        if starts_with(bytes, at, suffix) {
            at += suffix.len();
        }
    }
    let first_end = skip(bytes, at, 24, |b| in_name(b) || b == b'.');
    if first_end > at
        && FRENCH.has(&bytes[at..first_end])
        && bytes.get(first_end) == Some(&b' ')
        && let Some(end) = french_name(bytes, first_end + 1)
    {
        return Some((start, end));
    }
    english_name(text, at).map(|end| (start, end))
}

/// "de la Paix", "Victor Hugo", "du 8 mai 1945": the end of the name.
fn french_name(bytes: &[u8], start: usize) -> Option<usize> {
    const PARTICLES: &[&str] =
        &["de", "du", "des", "la", "le", "les", "l'", "d'", "et", "à", "aux", "au", "en", "sur"];
    let mut at = start;
    let mut end = None;
    let mut after_particle = false;
    for _ in 0..WORDS {
        let elided = ["l'", "d'", "l’", "d’"].iter().find(|e| starts_with(bytes, at, e));
        if let Some(elided) = elided {
            at += elided.len();
            after_particle = true;
        }
        let word_end = skip(bytes, at, 32, |b| in_name(b) || b == b'.');
        let word = &bytes[at..word_end];
        let word = word.strip_suffix(b".").unwrap_or(word);
        if word.is_empty() || word_end - start > STREET {
            break;
        }
        if is_one_of(word, PARTICLES) {
            after_particle = true;
        } else if word[0].is_ascii_uppercase() || word[0] >= 0xC3 || after_particle {
            end = Some(at + word.len());
            after_particle = false;
        } else {
            break;
        }
        if bytes.get(word_end) != Some(&b' ') {
            break;
        }
        at = word_end + 1;
    }
    end
}

/// Up to four words of a name, and a street word: the end of it with its direction ("NW").
fn english_name(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = start;
    let mut capitals = true;
    let mut best = None;
    for i in 0..WORDS {
        let word_end = skip(bytes, at, 32, in_name);
        // A rule of dashes is no part of a name.
        let word_end =
            bytes[at..word_end].windows(2).position(|pair| pair == b"--").map_or(word_end, |n| at + n);
        if word_end == at || word_end - start > STREET {
            break;
        }
        let word = &bytes[at..word_end];
        let stop = bytes.get(word_end) == Some(&b'.');
        let capital = word[0].is_ascii_uppercase() || word[0] >= 0xC3 || is_ordinal(word);
        // Prose ends here: it goes on in small letters behind a figure.
        if i > 0 && !(capital && capitals) {
            let is_lower = LOWER.has(word) && is_lower_name(&bytes[start..at]);
            if is_lower && !is_device(&bytes[start..at], word) {
                return Some(word_end);
            }
        }
        if !capital && (capitals && i > 0 || i > 1 || word[0].is_ascii_digit()) {
            break;
        }
        if i > 0
            && capitals
            && let Some(kind) = TYPES.position(word)
        {
            let is_place = kind < SURE || names_a_place(bytes, word_end);
            if is_place && !is_device(&bytes[start..at], word) {
                let abbreviated = stop && word.len() <= 4;
                best = Some(direction(bytes, word_end + usize::from(abbreviated)));
            }
        }
        capitals &= capital;
        // "N. Main", "St. James"
        let next = if stop && word.len() <= 3 { word_end + 1 } else { word_end };
        if bytes.get(next) != Some(&b' ') || !bytes.get(next + 1).is_some_and(|&b| in_name(b)) {
            break;
        }
        at = next + 1;
    }
    best
}

/// "5th", "42nd"
fn is_ordinal(word: &[u8]) -> bool {
    word[0].is_ascii_digit() && ["st", "nd", "rd", "th"].iter().any(|end| ends_with(word, end))
}

/// A unit, a line end or a comma and a capital behind a street.
fn names_a_place(bytes: &[u8], at: usize) -> bool {
    let next = skip(bytes, at, 3, |b| b == b',' || b == b' ' || b == b'\n');
    next > at
        && (unit(bytes, at).is_some()
            || bytes[at..next].iter().any(|b| matches!(b, b',' | b'\n'))
                && bytes.get(next).is_some_and(u8::is_ascii_uppercase)
                && town(bytes, next).is_some())
}

/// "5 minutes down the road", "2 lane street": small words that no street is called by.
fn is_lower_name(name: &[u8]) -> bool {
    const NO_NAMES: &[&str] = &[
        "the",
        "a",
        "an",
        "this",
        "that",
        "of",
        "on",
        "in",
        "at",
        "down",
        "from",
        "same",
        "my",
        "our",
        "your",
        "their",
        "his",
        "her",
        "every",
        "each",
        "minutes",
        "times",
        "blocks",
        "lane",
        "way",
        "more",
        "different",
        "other",
        "to",
        "for",
        "and",
        "or",
        "miles",
        "km",
        "m",
        "days",
        "hours",
        "separate",
        "new",
        "side",
        "two",
        "long",
        "off",
        "fast",
        "per",
    ];
    name.split(|b| *b == b' ')
        .filter(|word| !word.is_empty())
        .all(|word| word.len() >= 2 && !is_one_of(word, NO_NAMES) && word.iter().any(u8::is_ascii_alphabetic))
}

/// "500 GB Drive", "2 Hard Drive"
fn is_device(name: &[u8], kind: &[u8]) -> bool {
    const DEVICES: &[&str] = &[
        "hard", "flash", "usb", "google", "gb", "tb", "mb", "ssd", "hdd", "disk", "thumb", "one", "wheel",
        "tape", "pen", "shared", "network", "test", "external", "two", "solid", "state", "zip", "team",
        "cloud", "backup",
    ];
    let last = name.split(|b| *b == b' ').rfind(|word| !word.is_empty()).unwrap_or_default();
    (is_one_of(kind, &["drive", "way", "dr", "run", "st", "ct", "pl"]) && is_one_of(last, DEVICES))
        || is_one_of(last, &["am", "pm", "et", "pt"])
}

fn direction(bytes: &[u8], at: usize) -> usize {
    ["NW", "NE", "SW", "SE", "North", "South", "East", "West", "N", "S", "E", "W"]
        .iter()
        .find(|d| {
            bytes.get(at) == Some(&b' ')
                && bytes[at + 1..].starts_with(d.as_bytes())
                && !word_at(bytes, at + 1 + d.len())
        })
        .map_or(at, |d| at + 1 + d.len())
}

/// "Hauptstraße 12a", "Calle Mayor, 12", "ul. Długa 5/7", "PO Box 123"
fn before_number(text: &str, number: usize, number_end: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    if number < 4 || bytes[number - 1] != b' ' {
        return None;
    }
    let last = bytes[number - 2];
    if !(last.is_ascii_alphabetic() || matches!(last, b'.' | b',' | b'/') || last >= 0x80) {
        return None;
    }
    let mut end = number_end;
    // 12a, 12-14, 5/7, 12 b
    if matches!(bytes.get(end), Some(b'-' | b'/')) {
        end = skip(bytes, end + 1, 4, |b| b.is_ascii_digit()).max(end);
    }
    if bytes.get(end).is_some_and(u8::is_ascii_alphabetic) && !bytes.get(end + 1).is_some_and(|&b| in_name(b))
    {
        end += 1;
    }
    if word_at(bytes, end)
        || matches!(bytes.get(end), Some(b'.' | b',' | b':' | b'/' | b'%')) && word_at(bytes, end + 1)
    {
        return None;
    }
    let mut name_end = number - 1;
    // "nº 12", "Nr. 12", "n. 12"
    let marked = matches!(bytes[name_end - 1], b'.' | b'o' | b'O') || bytes[name_end - 1] >= 0x80;
    for mark in ["nº", "n.º", "n°", "nr.", "no.", "n.", "número", "num."] {
        if marked && name_end > mark.len() && ends_with(&bytes[..name_end], mark) {
            name_end = skip_back(bytes, name_end - mark.len(), 1, |b| b == b' ');
            break;
        }
    }
    if name_end == 0 {
        return None;
    }
    if bytes[name_end - 1] == b',' {
        name_end -= 1;
    }
    let from = floor_boundary(text, name_end.saturating_sub(STREET));
    let line = bytes[from..name_end]
        .iter()
        .rposition(|b| matches!(b, b'\n' | b';' | b':'))
        .map_or(from, |at| from + at + 1);
    let word_start = skip_back(bytes, name_end, name_end - line, |b| in_name(b) || b == b'.');
    let word = &bytes[word_start..name_end];
    if word.is_empty() {
        return None;
    }
    if let Some(start) = post_box(bytes, line, word_start, word) {
        return Some((start, end));
    }
    if number_end - number <= 4
        && let Some(start) = with_suffix(bytes, line, word_start, word)
    {
        return Some((with_block(bytes, line, start), end));
    }
    let start = type_before(bytes, line, name_end, bytes[name_end] == b',')
        .or_else(|| before_unit(bytes, line, word_start, word, end))?;
    Some((with_block(bytes, line, start), end))
}

/// Any capitalised word before a number is a street if a flat stands behind: "Edeby 55, Apt. 297".
fn before_unit(bytes: &[u8], line: usize, word_start: usize, word: &[u8], end: usize) -> Option<usize> {
    let mark = skip(bytes, end, 3, |b| matches!(b, b',' | b' ' | b'\n' | b'.'));
    let is_flat =
        ["apt", "suite", "ste.", "flat ", "unit "].iter().any(|flat| starts_with(bytes, mark, flat));
    let capital = word[0].is_ascii_uppercase() || word[0] >= 0xC3;
    if !is_flat || !capital || word.len() < 3 || unit(bytes, end).is_none() {
        return None;
    }
    let before = skip_back(bytes, word_start, 1, |b| b == b' ');
    let earlier = skip_back(bytes, before, (before - line).min(24), in_name);
    let is_name = before < word_start
        && bytes[earlier..before].first().is_some_and(|b| b.is_ascii_uppercase() || *b >= 0xC3);
    Some(if is_name { earlier } else { word_start })
}

/// A number in front of a street that has its number behind: "450 Hauptstraße 12".
fn with_block(bytes: &[u8], line: usize, start: usize) -> usize {
    let space = skip_back(bytes, start, 1, |b| b == b' ');
    let digits = skip_back(bytes, space, 6, |b| b.is_ascii_digit());
    let is_number = space < start && (1..=5).contains(&(space - digits)) && digits >= line;
    if is_number && (digits == 0 || matches!(bytes[digits - 1], b' ' | b'\n')) { digits } else { start }
}

/// Post of the armed forces: "PSC 1234, Box 5678", "Unit 4719 Box 7394", "CMR 450, Box 12".
fn military(bytes: &[u8], number: usize, number_end: usize) -> Option<(usize, usize)> {
    if number < 4 || !matches!(bytes[number - 2..number], [b'C' | b't' | b'R' | b'T', b' ']) {
        return None;
    }
    let unit = ["PSC ", "Unit ", "CMR ", "UNIT "].iter().find(|unit| {
        number
            .checked_sub(unit.len())
            .is_some_and(|at| bytes[at..].starts_with(unit.as_bytes()) && !word_before(bytes, at))
    })?;
    let post = skip(bytes, number_end, 2, |b| matches!(b, b',' | b' '));
    let digits = post + "Box ".len();
    let end = skip(bytes, digits, 5, |b| b.is_ascii_digit());
    (starts_with(bytes, post, "Box ") && end > digits && !word_at(bytes, end))
        .then_some((number - unit.len(), end))
}

/// "PO Box", "P.O. Box", "Postfach", "Apartado"
fn post_box(bytes: &[u8], line: usize, word_start: usize, word: &[u8]) -> Option<usize> {
    if is_one_of(word, &["postfach", "apartado", "postbus"]) {
        return Some(word_start);
    }
    if !is_one_of(word, &["box"]) {
        return None;
    }
    let before = skip_back(bytes, word_start, 1, |b| b == b' ');
    let start = skip_back(bytes, before, before.saturating_sub(line).min(12), |b| {
        b.is_ascii_alphabetic() || b == b'.'
    });
    is_one_of(&bytes[start..before], &["po", "p.o.", "p.o", "post.office", "postal", "pob"]).then_some(start)
}

fn with_suffix(bytes: &[u8], line: usize, word_start: usize, word: &[u8]) -> Option<usize> {
    let [.., before, last] = word else { return None };
    if SUFFIX_ENDS[usize::from(last & 31)] >> (before & 31) & 1 == 0 {
        return None;
    }
    let is_street = |suffix: &&&str| ends_with(word, suffix);
    let suffix = SUFFIXES.iter().find(is_street)?;
    let first = word[0];
    if NO_STREETS.has(word) && word.len() != suffix.len() {
        return None;
    }
    let sure = matches!(
        *suffix,
        "straße" | "strasse" | "straat" | "str." | "gatan" | "vägen" | "gasse" | "allee" | "gracht" | "utca"
    );
    let capital = first.is_ascii_uppercase() || first >= 0xC3;
    if word.len() > suffix.len() + 1 && word[word.len() - suffix.len() - 1] != b'-' {
        return (capital || sure).then_some(word_start);
    }
    if word.len() != suffix.len() && word[word.len() - suffix.len() - 1] != b'-' || !capital {
        return None;
    }
    // "Berliner Straße 5", "Am Alten Markt 3": one or two capitalised words before.
    let mut start = word_start;
    let mut words = usize::from(word.len() > suffix.len());
    for _ in 0..2 {
        let before = skip_back(bytes, start, 1, |b| b == b' ');
        let earlier = skip_back(bytes, before, (before - line).min(24), |b| in_name(b) || b == b'.');
        if before == start
            || earlier == before
            || !(bytes[earlier].is_ascii_uppercase() || bytes[earlier] >= 0xC3)
        {
            break;
        }
        start = earlier;
        words += 1;
    }
    (words > 0 && sure || words > 1).then_some(start)
}

/// A street word up to five words before the number, with a capitalised name behind it.
fn type_before(bytes: &[u8], line: usize, name_end: usize, comma: bool) -> Option<usize> {
    let mut end = name_end;
    let mut capitals = 0;
    for i in 0..=WORDS {
        let start = skip_back(bytes, end, (end - line).min(24), |b| in_name(b) || b == b'.' || b == b'/');
        if start == end {
            return None;
        }
        let word = &bytes[start..end];
        let capital = word[0].is_ascii_uppercase() || word[0] >= 0xC3;
        let known = i > 0 && capitals > 0 && BEFORE.has(word);
        // "via Roma" is how Italians write; "via E-mail 2" is English. Short forms need a capital or a comma.
        if known && (capital || comma || word.len() > 4) && !starts_with(word, 0, "via e") {
            return Some(start);
        }
        capitals += usize::from(capital);
        let is_particle = word.len() <= 3 && !capital;
        if !capital && !is_particle {
            return None;
        }
        if start <= line || bytes[start - 1] != b' ' {
            return None;
        }
        end = start - 1;
    }
    None
}

/// What follows a street: unit, postal code and town in either order, state.
fn extend(context: Context<'_>, core_end: usize) -> usize {
    let bytes = context.bytes;
    let mut end = core_end;
    for _ in 0..2 {
        match unit(bytes, end) {
            Some(unit_end) if !context.is_blocked(end, unit_end) => end = unit_end,
            _ => break,
        }
    }
    let next = skip(bytes, end, 4, |b| matches!(b, b',' | b' ' | b'\n' | b'\r' | b'-'));
    if next == end {
        return end;
    }
    match town(bytes, next) {
        Some(town_end) if !context.is_blocked(end, town_end) => town_end,
        _ => end,
    }
}
