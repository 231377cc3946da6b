//! Base64 blobs that are text inside: found by their length, decoded in one pass.

use std::ops::Range;

/// Eighteen characters of text, the shortest e-mail addresses and phone numbers aside. Shorter runs are words.
const MIN: usize = 24;
/// Runs are found by blocks of this length without a space, of which a run of [`MIN`] bytes and more holds one whole
/// if the blocks lie half as far apart as the run is long.
const BLOCK: usize = 12;
/// Lines of MIME have 76 characters, of PEM 64.
const LINE: usize = 60;

fn value(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

fn is_digit(byte: u8) -> bool {
    value(byte).is_some()
}

/// The next run from `at` on that may be a blob: long enough, of the alphabet, with capitals and small letters.
pub(crate) fn next(bytes: &[u8], mut at: usize) -> Option<Range<usize>> {
    // Blocks lie on multiples, counted from where the search starts.
    while let Some(block) = bytes.get(at..at + BLOCK) {
        let spaced = block.iter().fold(false, |any, &b| any | (b <= b' '));
        if spaced {
            at += BLOCK;
            continue;
        }
        if !block.iter().all(|&b| is_digit(b)) {
            at += BLOCK;
            continue;
        }
        let before = bytes[..at].iter().rev().take(BLOCK).take_while(|&&b| is_digit(b)).count();
        let start = at - before;
        let end = run_end(bytes, at);
        // A run that began earlier was looked at already, or is no blob's beginning.
        let begins = start == 0 || !is_digit(bytes[start - 1]);
        if begins && end - start >= MIN && is_mixed(&bytes[start..end]) {
            return Some(start..end);
        }
        at = end.max(at + BLOCK);
    }
    None
}

/// The end of a run, over line breaks between full lines, with its padding.
fn run_end(bytes: &[u8], from: usize) -> usize {
    let mut line = from;
    loop {
        let end = line + bytes[line..].iter().take_while(|&&b| is_digit(b)).count();
        let padding = bytes[end..].iter().take(2).take_while(|&&b| b == b'=').count();
        if padding > 0 {
            return end + padding;
        }
        let rest = &bytes[end..];
        let break_len = if rest.starts_with(b"\r\n") { 2 } else { usize::from(rest.starts_with(b"\n")) };
        let goes_on = rest[break_len..].iter().take(4).take_while(|&&b| is_digit(b)).count() == 4;
        if break_len == 0 || end - line < LINE || !goes_on {
            return end;
        }
        line = end + break_len;
    }
}

fn is_mixed(run: &[u8]) -> bool {
    run.iter().any(u8::is_ascii_uppercase) && run.iter().any(u8::is_ascii_lowercase)
}

/// The text inside, if all of it is text.
pub(crate) fn decode(blob: &[u8]) -> Option<String> {
    let mut out = Vec::with_capacity(blob.len() / 4 * 3 + 3);
    let (mut bits, mut held) = (0_u32, 0);
    for &byte in blob {
        let Some(value) = value(byte) else { continue };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            let byte = (bits >> held) as u8;
            // Most runs are hashes and keys: their first bytes tell.
            if byte < b' ' && !matches!(byte, b'\n' | b'\r' | b'\t') || byte == 0x7F {
                return None;
            }
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        let (mut at, mut found) = (0, Vec::new());
        while let Some(blob) = next(text.as_bytes(), at) {
            at = blob.end;
            found.extend(decode(&text.as_bytes()[blob]));
        }
        found
    }

    #[test]
    fn finds_a_blob_wherever_it_stands() {
        for pad in 0..30 {
            let text =
                format!("{} bXkgbWFpbCBpcyBhbmFAZXhhbXBsZS5jb20= {}", "x ".repeat(pad), "y".repeat(pad));
            assert_eq!(texts(&text), ["my mail is ana@example.com"], "{text}");
        }
        let wrapped =
            "bXkgbWFpbCBpcyBhbmFAZXhhbXBsZS5jb20gYW5kIG15IHBob25lIGlzICsxIDQxNSA1NTUgMjY3\r\nMSBvciBzbw==";
        assert_eq!(texts(wrapped), ["my mail is ana@example.com and my phone is +1 415 555 2671 or so"]);
    }

    #[test]
    fn leaves_words_hashes_and_paths() {
        for text in [
            "Donaudampfschifffahrtsgesellschaftskapitän",
            "9fceb02d0ae598e95dc970b74767f19372d61af8",
            "uNiNk6ZBkqXDUxyWbYyzxA4n0hkyQ1G4pK2yJr2s",
        ] {
            assert_eq!(texts(text), Vec::<String>::new(), "{text}");
        }
    }
}
