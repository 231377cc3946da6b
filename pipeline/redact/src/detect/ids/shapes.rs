//! Identifiers whose form alone is unmistakable, around digit groups and colons. Each group is asked a few questions
//! about its length and neighbours, which prose answers with no.

use super::super::chars::{skip, skip_back, word_at, word_before};
use super::super::{Sink, names};
use super::{checks, wallet};
use crate::context::Context;
use crate::finding::Detector;
use crate::lexicon::Word;
use crate::mask;
use crate::scan::Group;

/// The longest word that is read: a codice fiscale has 16, a VIN 17.
const WORD: usize = 18;

/// Looks at each digit group.
pub(in crate::detect) fn find(context: Context<'_>, groups: &[Group], sink: &mut Sink<'_>) {
    let bytes = context.bytes;
    let mut done = 0;
    for (i, group) in groups.iter().enumerate() {
        let (start, end) = (group.start as usize, group.end as usize);
        if start < done {
            continue;
        }
        let before = start.checked_sub(1).map_or(b' ', |at| bytes[at]);
        let behind = bytes.get(end).copied().unwrap_or(b' ');
        let found = if before.is_ascii_alphabetic() || behind.is_ascii_alphabetic() {
            in_word(context, start, end, sink)
        } else {
            match (group.len(), behind) {
                (3, b'.') | (2, b'.') => brazilian(context, start, group.len(), sink),
                (1, b' ') | (13 | 15, _) => nir(context, start, sink),
                (4, b' ') if matches!(bytes[start], b'2'..=b'6') => medicare(context, start, sink),
                (2, b' ') if before == b' ' => spaced_nino(context, start, sink),
                (8, b'-' | b' ') => nif(context, start, end, sink),
                (7, b'-') if before == b'-' => nie(context, start, end, sink),
                _ => None,
            }
        };
        let found = found.or_else(|| {
            let dashed =
                group.len() <= 2 && (before == b'-' || behind == b'-' || behind.is_ascii_alphabetic());
            if dashed { dashed_mac(context, start, sink) } else { None }
        });
        if let Some(end) = found {
            done = end;
        } else if i + 1 < groups.len() && behind == b'.' {
            done = coordinates(context, &groups[i..], sink).unwrap_or(done);
        }
    }
}

fn is_reference(context: Context<'_>, start: usize) -> bool {
    matches!(
        context.label(start, |_| false),
        Some(Word::Reference | Word::Version | Word::Licence | Word::Passport)
    ) || start > 0 && matches!(context.bytes[start - 1], b'#' | b'/' | b'-' | b'_' | b'=')
}

/// Copies letters and digits in capitals, without separators; `None` if there are more than fit.
fn compact<const N: usize>(bytes: &[u8]) -> Option<([u8; N], usize)> {
    let mut id = [0; N];
    let mut len = 0;
    for b in bytes.iter().filter(|b| b.is_ascii_alphanumeric()) {
        *id.get_mut(len)? = b.to_ascii_uppercase();
        len += 1;
    }
    Some((id, len))
}

fn push(start: usize, end: usize, detector: Detector, score: f32, sink: &mut Sink<'_>) -> Option<usize> {
    sink.push(start, end, detector, score).then_some(end)
}

/// A word of letters and digits: codice fiscale, PAN, NINO, DNI, NIE, VIN, wallets.
fn in_word(context: Context<'_>, digits: usize, digits_end: usize, sink: &mut Sink<'_>) -> Option<usize> {
    let bytes = context.bytes;
    let start = skip_back(bytes, digits, WORD, |b| b.is_ascii_alphanumeric());
    // Only the first digits of a word, and words that nothing is attached to.
    if bytes[start..digits].iter().any(u8::is_ascii_digit)
        || word_before(bytes, start)
        || start > 0 && bytes[start - 1] == b'_'
    {
        return None;
    }
    let letters = digits - start;
    let is_wallet = match (letters, bytes[digits], digits_end - digits) {
        (0, b'0', 1) => matches!(bytes.get(digits_end), Some(b'x' | b'X')),
        (0, b'1' | b'3', _) => true,
        (2, b'1', 1) => matches!(bytes[start], b'b' | b'B' | b't' | b'T'),
        _ => false,
    };
    if is_wallet && wallet::find(bytes, start, sink) {
        return Some(skip(bytes, start, 100, |b| b.is_ascii_alphanumeric()));
    }
    let end = skip(bytes, digits_end, WORD, |b| b.is_ascii_alphanumeric());
    let len = end - start;
    if !matches!(len, 9 | 10 | 16 | 17) {
        return spaced_word(context, start, digits, digits_end, sink);
    }
    let goes_on = word_at(bytes, end)
        || matches!(bytes.get(end), Some(b'_' | b'@' | b'-' | b'/')) && word_at(bytes, end + 1);
    let (id, _) = compact::<17>(&bytes[start..end])?;
    let id = &id[..len];
    let capitals = !bytes[start..end].iter().any(u8::is_ascii_lowercase);
    if goes_on {
        return None;
    }
    match len {
        16 if letters == 6 && checks::it_fiscal_code(id) => {
            push(start, end, names::IT_FISCAL_CODE, 0.95, sink)
        }
        17 if capitals && checks::vin_check(id) && !is_reference(context, start) => {
            push(start, end, names::VIN, 0.7, sink)
        }
        10 if capitals && letters == 5 && checks::in_pan(id) && !is_reference(context, start) => {
            push(start, end, names::IN_PAN, 0.65, sink)
        }
        9 if capitals && letters == 2 && checks::uk_nino(id) && !is_reference(context, start) => {
            push(start, end, names::UK_NINO, 0.7, sink)
        }
        9 if capitals && letters <= 1 && checks::es_nif(id) && !is_reference(context, start) => {
            push(start, end, names::ES_NIF, 0.65, sink)
        }
        _ => None,
    }
}

/// "AB123456 C", "AB12 34 56 C"
fn spaced_word(
    context: Context<'_>,
    start: usize,
    digits: usize,
    digits_end: usize,
    sink: &mut Sink<'_>,
) -> Option<usize> {
    let is_start = digits - start == 2 && matches!(digits_end - digits, 2 | 6);
    if is_start { nino(context, start, sink) } else { None }
}

/// "AB 12 34 56 C": two capitals before two digits.
fn spaced_nino(context: Context<'_>, digits: usize, sink: &mut Sink<'_>) -> Option<usize> {
    let start = digits.checked_sub(3)?;
    let letters = context.bytes[start..start + 2].iter().all(u8::is_ascii_uppercase);
    if letters && !word_before(context.bytes, start) { nino(context, start, sink) } else { None }
}

fn nino(context: Context<'_>, start: usize, sink: &mut Sink<'_>) -> Option<usize> {
    let bytes = context.bytes;
    let mut at = start;
    let mut id = [0; 9];
    for (i, to) in id.iter_mut().enumerate() {
        // Spaces between pairs only.
        if matches!(i, 2 | 4 | 6 | 8) && matches!(bytes.get(at), Some(b' ' | b'-')) {
            at += 1;
        }
        *to = *bytes.get(at).filter(|b| b.is_ascii_uppercase() || b.is_ascii_digit())?;
        at += 1;
    }
    let goes_on = word_at(bytes, at) || bytes.get(at) == Some(&b'-') && word_at(bytes, at + 1);
    if !goes_on && checks::uk_nino(&id) && !is_reference(context, start) {
        push(start, at, names::UK_NINO, 0.8, sink)
    } else {
        None
    }
}

/// The text at `start` in a form: `9` stands for a digit, anything else for itself. Returns the end.
fn matches_form(bytes: &[u8], start: usize, form: &[u8]) -> Option<usize> {
    let text = bytes.get(start..start + form.len())?;
    let same = text.iter().zip(form).all(|(b, f)| if *f == b'9' { b.is_ascii_digit() } else { b == f });
    let end = start + form.len();
    let goes_on = matches!(bytes.get(end), Some(b'-' | b'.' | b'/' | b'_')) && word_at(bytes, end + 1);
    (same && !word_before(bytes, start) && !word_at(bytes, end) && !goes_on).then_some(end)
}

/// `123.456.789-09` and `12.345.678/0001-95`
fn brazilian(context: Context<'_>, start: usize, len: usize, sink: &mut Sink<'_>) -> Option<usize> {
    let form: &[u8] = if len == 3 { b"999.999.999-99" } else { b"99.999.999/9999-99" };
    let end = matches_form(context.bytes, start, form)?;
    let (id, len) = compact::<14>(&context.bytes[start..end])?;
    match len {
        11 if checks::br_cpf(&id[..11]) => push(start, end, names::BR_CPF, 0.95, sink),
        14 if checks::br_cnpj(&id) => push(start, end, names::BR_CNPJ, 0.95, sink),
        _ => None,
    }
}

/// Fifteen digits of a NIR in one piece or as on the card: `1 85 05 78 006 084 36`.
fn nir(context: Context<'_>, start: usize, sink: &mut Sink<'_>) -> Option<usize> {
    let bytes = context.bytes;
    let forms: &[&[u8]] = &[
        b"999999999999999",
        b"9 99 99 99 999 999 99",
        b"9 99 99 9A 999 999 99",
        b"9 99 99 9B 999 999 99",
        b"9999999999999 99",
    ];
    let end = forms.iter().find_map(|form| matches_form(bytes, start, form))?;
    let (id, len) = compact::<15>(&bytes[start..end])?;
    if len == 15 && matches!(id[0], b'1' | b'2') && checks::fr_nir(&id) && !is_reference(context, start) {
        push(start, end, names::FR_NIR, 0.85, sink)
    } else {
        None
    }
}

/// `2123 45670 1` as printed on the card; the checksum has one digit, so that the form must be exact.
fn medicare(context: Context<'_>, start: usize, sink: &mut Sink<'_>) -> Option<usize> {
    let bytes = context.bytes;
    let end = matches_form(bytes, start, b"9999 99999 9")?;
    let (id, _) = compact::<10>(&bytes[start..end])?;
    let is_list = start >= 2 && bytes[start - 1] == b' ' && is_figure_before(bytes, start - 1)
        || bytes.get(end) == Some(&b' ') && is_figure_at(bytes, end + 1);
    if checks::au_medicare(&id) && !is_list && !is_reference(context, start) {
        push(start, end, names::AU_MEDICARE, 0.6, sink)
    } else {
        None
    }
}

/// A digit, or a mask that may hide one: redacting twice must find what redacting once has found.
fn is_figure_at(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_some_and(u8::is_ascii_digit) || mask::starts_at(bytes, at)
}

fn is_figure_before(bytes: &[u8], at: usize) -> bool {
    at > 0 && bytes[at - 1].is_ascii_digit() || mask::ends_at(bytes, at)
}

/// `12345678-Z`
fn nif(context: Context<'_>, start: usize, digits_end: usize, sink: &mut Sink<'_>) -> Option<usize> {
    let bytes = context.bytes;
    let letter = *bytes.get(digits_end + 1).filter(|b| b.is_ascii_uppercase())?;
    let end = digits_end + 2;
    if bytes[digits_end] != b'-' || word_before(bytes, start) || word_at(bytes, end) {
        return None;
    }
    let mut id = [letter; 9];
    id[..8].copy_from_slice(&bytes[start..digits_end]);
    if checks::es_nif(&id) && !is_reference(context, start) {
        push(start, end, names::ES_NIF, 0.7, sink)
    } else {
        None
    }
}

/// `X-1234567-L`
fn nie(context: Context<'_>, digits: usize, digits_end: usize, sink: &mut Sink<'_>) -> Option<usize> {
    let bytes = context.bytes;
    let start = digits.checked_sub(2)?;
    let letter = *bytes.get(digits_end + 1).filter(|b| b.is_ascii_uppercase())?;
    let end = digits_end + 2;
    if word_before(bytes, start) || word_at(bytes, end) {
        return None;
    }
    let mut id = [letter; 9];
    id[0] = bytes[start];
    id[1..8].copy_from_slice(&bytes[digits..digits_end]);
    if checks::es_nif(&id) && !is_reference(context, start) {
        push(start, end, names::ES_NIF, 0.8, sink)
    } else {
        None
    }
}

/// Six pairs of hex digits with one mark between them, and nothing more of the kind on either side.
fn mac_at(context: Context<'_>, start: usize, mark: u8) -> Option<usize> {
    let bytes = context.bytes;
    let end = start + 17;
    let form = bytes.get(start..end)?;
    let is_form =
        form.iter().enumerate().all(|(i, &b)| if i % 3 == 2 { b == mark } else { b.is_ascii_hexdigit() });
    let mixed = form.iter().any(u8::is_ascii_digit);
    let goes_on =
        bytes.get(end) == Some(&mark) && (word_at(bytes, end + 1) || bytes.get(end + 1) == Some(&mark));
    let comes_from = start > 0 && (bytes[start - 1] == mark || bytes[start - 1] == b'_');
    let uniform = form.iter().step_by(3).all(|b| *b == form[0])
        && form.iter().skip(1).step_by(3).all(|b| *b == form[1]);
    (is_form
        && mixed
        && !uniform
        && !goes_on
        && !comes_from
        && !word_before(bytes, start)
        && !word_at(bytes, end))
    .then_some(end)
}

fn dashed_mac(context: Context<'_>, digits: usize, sink: &mut Sink<'_>) -> Option<usize> {
    let start = skip_back(context.bytes, digits, 17, |b| b.is_ascii_hexdigit() || b == b'-');
    let end = mac_at(context, start, b'-')?;
    // Six pairs of decimal digits are as often a list or a date with a time.
    let letters = context.bytes[start..end].iter().any(u8::is_ascii_alphabetic);
    if letters { push(start, end, names::MAC, 0.8, sink) } else { None }
}

/// Looks around each colon for a MAC address.
pub(in crate::detect) fn find_mac(context: Context<'_>, colons: &[u32], sink: &mut Sink<'_>) {
    let bytes = context.bytes;
    let mut done = 0;
    for (i, &colon) in colons.iter().enumerate() {
        let colon = colon as usize;
        // Five colons three bytes apart
        if colon < done + 2 || colons.get(i + 4).is_none_or(|&last| last as usize != colon + 12) {
            continue;
        }
        if let Some(end) = mac_at(context, colon - 2, b':')
            && !mask::holds(bytes, colon)
            && sink.push(colon - 2, end, names::MAC, 0.9)
        {
            done = end;
        }
    }
}

/// A pair of decimal degrees: `40.7128, -74.0060`. Four decimals are ten metres; fewer need a word for it.
fn coordinates(context: Context<'_>, groups: &[Group], sink: &mut Sink<'_>) -> Option<usize> {
    let bytes = context.bytes;
    let supported = |at: usize| context.has_before(at, Word::Id(super::Id::Gps));
    let (first, start, end) = degrees(bytes, groups)?;
    if word_before(bytes, start) || start > 0 && matches!(bytes[start - 1], b'.' | b',' | b'$' | b'_') {
        return None;
    }
    let gap_end = skip(bytes, end, 10, |b| {
        !b.is_ascii_digit()
            && !b"-+
"
            .contains(&b)
            && (b < 0x80 || b == 0xC2 || b == 0xB0)
    });
    let gap = &bytes[end..gap_end];
    let rest = &groups[2..];
    let (second, second_start, second_end) = degrees(bytes, rest.get(..2)?)?;
    let plain =
        matches!(gap, b"," | b", " | b" , " | b";" | b"; " | b"/" | b" / ") && second_start == gap_end;
    let named = gap.iter().any(u8::is_ascii_alphabetic) || gap.contains(&0xB0) || gap == b" ";
    let second_end = direction(bytes, second_end);
    let goes_on = word_at(bytes, second_end)
        || matches!(bytes.get(second_end), Some(b'.' | b',' | b'%'))
            && bytes.get(second_end + 1).is_some_and(u8::is_ascii_digit)
        || is_list(bytes, second_end);
    let exact = first.decimals >= 4 && second.decimals >= 4;
    let in_range = first.whole <= 90 && second.whole <= 180;
    if context.is_blocked(start, second_end) || goes_on || !in_range || second_start > end + 16 {
        return None;
    }
    let (true, score) = (match (supported(start), plain && exact) {
        (true, true) => (true, 0.95),
        (true, false) if first.decimals >= 2 && second.decimals >= 2 && (plain || named) => (true, 0.8),
        (false, true) if first.whole >= 10 || second.whole >= 10 || second.signed => (true, 0.7),
        _ => (false, 0.0),
    }) else {
        return None;
    };
    push(start, second_end, names::GPS, score, sink)
}

/// The end of a degree sign and a direction behind a figure.
fn direction(bytes: &[u8], at: usize) -> usize {
    let sign = if bytes[at..].starts_with("°".as_bytes()) { at + 2 } else { return at };
    let letter = skip(bytes, sign, 1, |b| b == b' ');
    let is_direction =
        matches!(bytes.get(letter), Some(b'N' | b'S' | b'E' | b'W' | b'O')) && !word_at(bytes, letter + 1);
    if is_direction { letter + 1 } else { sign }
}

/// More figures follow: "1.2345, 2.3456, 3.4567".
fn is_list(bytes: &[u8], at: usize) -> bool {
    let next = skip(bytes, at, 2, |b| b == b',' || b == b' ' || b == b';');
    let next = if bytes.get(next) == Some(&b'-') { next + 1 } else { next };
    let whole = skip(bytes, next, 3, |b| b.is_ascii_digit());
    let is_figure = whole > next
        && bytes.get(whole) == Some(&b'.')
        && bytes.get(whole + 1).is_some_and(u8::is_ascii_digit);
    next > at && (is_figure || mask::starts_at(bytes, next))
}

struct Degrees {
    whole: u32,
    decimals: usize,
    signed: bool,
}

/// Two groups with a point between them; tells where the sign starts and the figure ends.
fn degrees(bytes: &[u8], groups: &[Group]) -> Option<(Degrees, usize, usize)> {
    let [whole, decimals] = groups.get(..2)? else { return None };
    let point = whole.end as usize;
    if whole.len() > 3
        || bytes.get(point) != Some(&b'.')
        || decimals.start as usize != point + 1
        || decimals.len() > 15
    {
        return None;
    }
    let start = whole.start as usize;
    let value = bytes[start..point].iter().fold(0, |n, b| n * 10 + u32::from(b - b'0'));
    let signed = start > 0 && matches!(bytes[start - 1], b'-' | b'+');
    let start = if signed { start - 1 } else { start };
    Some((Degrees { whole: value, decimals: decimals.len(), signed }, start, decimals.end as usize))
}
