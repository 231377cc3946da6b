//! E-mail addresses: plain (`ana@example.com`), spaced (`ana @ example.com`) and spelled
//! (`ana (at) example (dot) com`).
//!
//! Follows what mail systems deliver rather than all of RFC 5322: no quoted local parts, no comments; letters of
//! the Latin, Greek and Cyrillic blocks are taken in both parts (RFC 6531).

use super::chars::{ceil_boundary, floor_boundary, skip, skip_back, starts_with};
use super::{Sink, names};
use crate::context::has_mask;
use crate::lexicon::Hit;
use crate::mask;

/// RFC 5321 allows 64 bytes before the `@`; more is taken, so that no rest of an odd one stays.
const LOCAL_MAX: usize = 256;
const DOMAIN_MAX: usize = 255;
/// How far before a spelled address the word "mail" may stand.
const ANNOUNCED: usize = 40;

/// Last labels that are file name extensions far more often than anything else: `logo@2x.png`.
const FILE_EXTENSIONS: &[&str] = &[
    "png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "css", "js", "mjs", "jsx", "tsx", "json", "xml",
    "html", "htm", "php", "exe", "dll", "log", "txt", "pdf", "csv", "yml", "yaml", "jar",
];

pub(super) fn find(text: &str, ats: &[u32], sink: &mut Sink<'_>) {
    let bytes = text.as_bytes();
    for &at in ats {
        let at = at as usize;
        let spaced = at >= 2 && bytes[at - 1] == b' ' && bytes.get(at + 1) == Some(&b' ');
        let (local_end, domain_start) = if spaced { (at - 1, at + 2) } else { (at, at + 1) };
        let Some(start) = local_start(text, local_end) else { continue };
        let Some(domain) = domain(text, domain_start, true) else { continue };
        // "see you @ Milano.Bring shoes"
        if spaced && bytes[domain_start..domain.end].iter().any(u8::is_ascii_uppercase) {
            continue;
        }
        // The user of an SSH remote is no person: git@github.com:org/repo.git
        if bytes[start..local_end].eq_ignore_ascii_case(b"git") && !spaced {
            continue;
        }
        let (detector, score) = match (domain.spelled, spaced) {
            (true, _) => (names::EMAIL_SPELLED, 0.8),
            (false, true) => (names::EMAIL, 0.6),
            (false, false) => (names::EMAIL, 1.0),
        };
        sink.push(start, domain.end, detector, score);
    }
}

/// The longest address with a space behind each letter.
const LETTERS: usize = 160;

/// Finds addresses with a space between all characters: `a n a @ e x a m p l e . c o m`.
pub(super) fn find_letters(text: &str, ats: &[u32], sink: &mut Sink<'_>) {
    let bytes = text.as_bytes();
    for &at in ats {
        let at = at as usize;
        let alone = |at: usize| bytes.get(at).is_some_and(|&b| is_local(b) || b == b'.');
        let spaced = |at: usize| bytes.get(at) == Some(&b' ');
        // One letter on either side, alone.
        if at < 2 || !spaced(at - 1) || !spaced(at + 1) || !alone(at - 2) || !alone(at + 2) {
            continue;
        }
        let mut start = at;
        while start >= 2
            && at - start < LETTERS
            && spaced(start - 1)
            && alone(start - 2)
            && (start < 3 || !is_attached(bytes[start - 3]))
        {
            start -= 2;
        }
        let mut end = at + 1;
        let mut dots = 0;
        let mut since_dot = 0;
        while end - at < LETTERS
            && spaced(end)
            && alone(end + 1)
            && !bytes.get(end + 2).is_some_and(|&b| is_attached(b))
        {
            if bytes[end + 1] == b'.' {
                (dots, since_dot) = (dots + 1, 0);
            } else {
                since_dot += 1;
            }
            end += 2;
        }
        if dots > 0 && since_dot >= 2 && start < at && !has_mask(&bytes[start..end]) {
            sink.push(start, end, names::EMAIL_LETTERS, 0.85);
        }
    }
}

/// Part of a word, an address or a mask.
fn is_attached(byte: u8) -> bool {
    is_local(byte) || byte >= 0x80 || matches!(byte, b'@' | b'[' | b']')
}

/// Finds an address around a spelled `@`.
pub(super) fn find_spelled(text: &str, hit: Hit, sink: &mut Sink<'_>) {
    let bytes = text.as_bytes();
    // In other languages the word means nothing else: arroba, chiocciola.
    let bracketed = !bytes[hit.start as usize..hit.end as usize].eq_ignore_ascii_case(b" at ");
    let local_end = skip_back(bytes, hit.start as usize, 2, |b| b == b' ');
    let domain_start = skip(bytes, hit.end as usize, 2, |b| b == b' ');
    let Some(domain) = domain(text, domain_start, true) else { return };
    // " at " is an English word: only a spelled dot behind it makes it an address.
    if !bracketed && !domain.spelled {
        return;
    }
    let Some(mut start) = local_start(text, local_end) else { return };
    for _ in 0..3 {
        let Some(before) = spelled_dot_before(bytes, start) else { break };
        let Some(earlier) = local_start(text, before) else { break };
        start = earlier;
    }
    // "bought at amazon dot com": without brackets it must be told that an address comes, or look like a name.
    if !bracketed {
        let before = &bytes[start.saturating_sub(ANNOUNCED)..start];
        let announced = !has_mask(before) && before.windows(4).any(|word| word.eq_ignore_ascii_case(b"mail"));
        let named = bytes[start..local_end].iter().any(|b| b.is_ascii_digit() || matches!(b, b'.' | b'_'));
        if !announced && !named {
            return;
        }
    }
    sink.push(start, domain.end, names::EMAIL_SPELLED, if bracketed { 0.9 } else { 0.8 });
}

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._%+-'&~!#$*^`{|}".contains(&byte)
}

/// Steps back over a local part that ends at `end`; `None` if there is none.
fn local_start(text: &str, end: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut start = end;
    while start > 0 && end - start < LOCAL_MAX {
        let byte = bytes[start - 1];
        if is_local(byte) {
            start -= 1;
        } else if start >= 2 && !text.is_char_boundary(start - 1) && matches!(bytes[start - 2], 0xC3..=0xD4) {
            start -= 2;
        } else {
            break;
        }
    }
    // Punctuation in front belongs to the sentence.
    let is_edge = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80;
    let lead = bytes[start..end].iter().position(|&b| is_edge(b))?;
    Some(floor_boundary(text, start + lead))
}

struct Domain {
    end: usize,
    spelled: bool,
}

/// Reads a domain at `start`: labels and dots up to the last label that can be a top-level domain.
fn domain(text: &str, start: usize, allow_spelled: bool) -> Option<Domain> {
    let bytes = text.as_bytes();
    if bytes.get(start) == Some(&b'[') {
        return literal(text, start);
    }
    let stop = start + DOMAIN_MAX;
    let mut best: Option<Domain> = None;
    let mut at = start;
    let mut labels = 0;
    let mut spelled = false;
    let mut previous_is_lower = false;
    loop {
        let label_end = label_end(bytes, at, stop);
        let label = &bytes[at..label_end];
        if label.is_empty() || label[0] == b'-' {
            break;
        }
        labels += 1;
        if labels >= 2 {
            let head = label.iter().take_while(|b| b.is_ascii_alphabetic() || **b >= 0x80).count();
            let is_punycode = starts_with(bytes, at, "xn--");
            // A number that was stuck to the address is hidden with it: ana@example.com12
            let stem = head + label[head..].iter().take_while(|b| b.is_ascii_digit()).count();
            let closes = match label.get(stem) {
                Some(next) => *next == b'-',
                None => !mask::starts_at(bytes, label_end),
            };
            // "ana@example.com.Thanks": a capital behind a lower-case label starts the next sentence.
            let next_sentence = best.is_some() && previous_is_lower && label[0].is_ascii_uppercase();
            if next_sentence {
                break;
            }
            if is_punycode {
                best = Some(Domain { end: label_end, spelled });
            } else if closes && (2..=24).contains(&head) {
                best = Some(Domain { end: ceil_boundary(text, at + stem), spelled });
            }
        }
        previous_is_lower = label.iter().all(|b| !b.is_ascii_uppercase());
        match dot(bytes, label_end, allow_spelled) {
            Some((next, was_spelled)) if next < stop => {
                at = next;
                spelled |= was_spelled;
            }
            _ => break,
        }
    }
    best.filter(|domain| {
        let last = bytes[start..domain.end].rsplit(|&b| b == b'.').next().unwrap_or_default();
        domain.spelled || !FILE_EXTENSIONS.iter().any(|ext| last.eq_ignore_ascii_case(ext.as_bytes()))
    })
}

/// `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3).
fn literal(text: &str, start: usize) -> Option<Domain> {
    let bytes = text.as_bytes();
    let inner = start + 1;
    let inner = if starts_with(bytes, inner, "IPv6:") { inner + 5 } else { inner };
    let close = skip(bytes, inner, 45, |b| b.is_ascii_hexdigit() || b == b'.' || b == b':');
    let is_address =
        bytes.get(close) == Some(&b']') && text[inner..close].parse::<std::net::IpAddr>().is_ok();
    is_address.then_some(Domain { end: close + 1, spelled: false })
}

fn label_end(bytes: &[u8], mut at: usize, stop: usize) -> usize {
    while at < stop {
        match bytes.get(at) {
            Some(b) if b.is_ascii_alphanumeric() || *b == b'-' => at += 1,
            Some(0xC3..=0xD4) => at += 2,
            _ => break,
        }
    }
    at
}

const DOT_WORDS: &[&str] = &["dot", "punkt", "punto", "point", "ponto", "punt", "d0t", "."];

/// Reads a dot between two labels; tells where the next label starts and whether the dot was spelled.
fn dot(bytes: &[u8], at: usize, allow_spelled: bool) -> Option<(usize, bool)> {
    if bytes.get(at) == Some(&b'.') {
        return Some((at + 1, false));
    }
    if !allow_spelled {
        return None;
    }
    let word = skip(bytes, at, 2, |b| b == b' ');
    let close = match bytes.get(word)? {
        b'(' => Some(b')'),
        b'[' => Some(b']'),
        b'{' => Some(b'}'),
        b'<' => Some(b'>'),
        _ if word > at => None,
        _ => return None,
    };
    let inner = if close.is_some() { skip(bytes, word + 1, 1, |b| b == b' ') } else { word };
    let spelled = DOT_WORDS.iter().find(|dot| starts_with(bytes, inner, dot))?;
    let mut end = inner + spelled.len();
    match close {
        Some(close) => {
            end = skip(bytes, end, 1, |b| b == b' ');
            if bytes.get(end) != Some(&close) {
                return None;
            }
            end += 1;
        }
        // "at this point and": as a bare word only what is no English word.
        None if bytes.get(end) != Some(&b' ') || matches!(*spelled, "." | "point" | "punt") => return None,
        None => {}
    }
    Some((skip(bytes, end, 2, |b| b == b' '), true))
}

/// Where the label before a bracketed dot ends, if one ends at `at`: `ana (dot) `.
fn spelled_dot_before(bytes: &[u8], at: usize) -> Option<usize> {
    // Longest form: two spaces, bracket, space, five letters, space, bracket, two spaces.
    const LONGEST: usize = 13;
    let from = at.saturating_sub(LONGEST);
    (from..at)
        .rev()
        .find(|&start| {
            matches!(bytes[start], b'(' | b'[' | b'{' | b'<')
                && dot(bytes, start, true).is_some_and(|(end, spelled)| spelled && end == at)
        })
        .map(|open| skip_back(bytes, open, 2, |b| b == b' '))
}
