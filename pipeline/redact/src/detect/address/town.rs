//! What follows a street: the unit in the house, postal code, town and state.

use super::super::chars::{skip, skip_all, starts_with, word_at};

/// The longest town.
const TOWN: usize = 40;

/// ", Apt. 864", " Suite 5B", " #12", ", 3rd Floor"
pub(super) fn unit(bytes: &[u8], at: usize) -> Option<usize> {
    const UNITS: &[&str] = &[
        "apartment",
        "apt.",
        "apt",
        "suite",
        "ste.",
        "ste",
        "unit",
        "flat",
        "floor",
        "room",
        "rm",
        "studio",
        "#",
        "piso",
        "puerta",
        "esc.",
        "bloque",
        "apto.",
        "apto",
        "bloco",
        "appartement",
        "appt",
        "bât.",
        "étage",
        "interno",
        "int.",
        "whg.",
        "wohnung",
        "og",
        "building",
        "bldg.",
        "bldg",
        "lot",
        "box",
    ];
    let start = skip(bytes, at, 3, |b| matches!(b, b',' | b' ' | b'\n'));
    if start == at {
        return None;
    }
    let word = UNITS.iter().find(|unit| starts_with(bytes, start, unit))?;
    let value = skip(bytes, start + word.len(), 2, |b| matches!(b, b' ' | b'#' | b'.'));
    let end = skip(bytes, value, 6, |b| b.is_ascii_alphanumeric() || b == b'-');
    let is_value = end > value && bytes[value..end].iter().any(u8::is_ascii_digit) || end == value + 1;
    (is_value && !word_at(bytes, end) && (value > start + word.len() || *word == "#")).then_some(end)
}

/// "12345 Berlin", "London SW1A 1AA", "Springfield, IL 62704-1234", "75002 Paris": the end.
pub(super) fn town(bytes: &[u8], start: usize) -> Option<usize> {
    if bytes.get(start)?.is_ascii_digit() {
        let code = postal_code(bytes, start)?;
        let town = skip(bytes, code, 2, |b| b == b' ' || b == b',');
        let capital = bytes.get(town).is_some_and(|b| b.is_ascii_uppercase() || *b >= 0xC3);
        let name = if capital && town > code { name_end(bytes, town) } else { code };
        return Some(name.max(code));
    }
    let name = name_end(bytes, start);
    if name == start {
        return None;
    }
    let next = skip(bytes, name, 4, |b| matches!(b, b',' | b' ' | b'\n' | b'\r'));
    if next > name
        && let Some(code) = postal_code(bytes, next)
    {
        return Some(code);
    }
    // The last word of the name may be the state ("Springfield IL 62704") or follow a comma.
    let state_end = skip(bytes, next, 24, |b| b.is_ascii_alphabetic());
    let code_at = skip(bytes, state_end, 3, |b| matches!(b, b',' | b' ' | b'\n'));
    let is_state = bytes.get(next).is_some_and(u8::is_ascii_uppercase) && state_end > next;
    if is_state
        && code_at > state_end
        && let Some(code) = postal_code(bytes, code_at)
    {
        return Some(code);
    }
    let is_abbreviation = state_end == next + 2 && bytes[next..state_end].iter().all(u8::is_ascii_uppercase);
    (is_abbreviation && !word_at(bytes, state_end)).then_some(state_end)
}

/// Up to three capitalised words, also joined by particles.
fn name_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    let mut end = start;
    for _ in 0..4 {
        let word_end =
            skip(bytes, at, 24, |b| b.is_ascii_alphabetic() || b >= 0x80 || b == b'-' || b == b'\'');
        let capital = bytes.get(at).is_some_and(|b| b.is_ascii_uppercase() || *b >= 0xC3);
        if word_end == at || word_end - start > TOWN || !(capital || word_end - at <= 4 && end > start) {
            break;
        }
        // A British postcode begins with letters, too.
        if bytes.get(word_end).is_some_and(u8::is_ascii_digit) {
            break;
        }
        if capital {
            end = word_end;
        }
        let dot = usize::from(bytes.get(word_end) == Some(&b'.') && word_end - at <= 3);
        if bytes.get(word_end + dot) != Some(&b' ') {
            break;
        }
        at = word_end + dot + 1;
    }
    end
}

/// The end of a postal code at `at`.
fn postal_code(bytes: &[u8], at: usize) -> Option<usize> {
    let digits = skip(bytes, at, 8, |b| b.is_ascii_digit());
    let end = match digits - at {
        4..=6 => {
            let plus = skip(bytes, digits + 1, 5, |b| b.is_ascii_digit());
            let dutch = digits - at == 4
                && bytes.get(digits) == Some(&b' ')
                && bytes.get(digits + 1..digits + 3).is_some_and(|l| l.iter().all(u8::is_ascii_uppercase))
                && !word_at(bytes, digits + 3);
            if dutch {
                digits + 3
            } else if bytes.get(digits) == Some(&b'-') && matches!(plus - digits, 4 | 5) {
                plus
            } else {
                digits
            }
        }
        3 => {
            // Sweden, Greece, Slovakia: 111 52
            let end = skip(bytes, digits + 1, 3, |b| b.is_ascii_digit());
            if bytes.get(digits) != Some(&b' ') || end != digits + 3 {
                return None;
            }
            end
        }
        0 => british(bytes, at)?,
        _ => return None,
    };
    let goes_on = matches!(bytes.get(end), Some(b'.' | b',' | b'/' | b':' | b'-'))
        && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
    (!word_at(bytes, end) && !goes_on).then_some(end)
}

/// `SW1A 1AA`, `K1A 0B1`
fn british(bytes: &[u8], at: usize) -> Option<usize> {
    let outward = skip_all(&bytes[..bytes.len().min(at + 4)], at, |b| b.is_ascii_alphanumeric());
    let inward = skip(bytes, outward, 1, |b| b == b' ');
    let rest = bytes.get(inward..inward + 3)?;
    let head = &bytes[at..outward];
    let letters = head.iter().take_while(|b| b.is_ascii_uppercase()).count();
    let is_british = (1..=2).contains(&letters)
        && head.get(letters).is_some_and(u8::is_ascii_digit)
        && rest[0].is_ascii_digit()
        && rest[1..].iter().all(u8::is_ascii_uppercase);
    let is_canadian = matches!(head, [a, b, c] if a.is_ascii_uppercase() && b.is_ascii_digit() && c.is_ascii_uppercase())
        && rest[0].is_ascii_digit()
        && rest[1].is_ascii_uppercase()
        && rest[2].is_ascii_digit();
    ((is_british || is_canadian) && inward > outward).then_some(inward + 3)
}
