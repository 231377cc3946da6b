//! International bank account numbers (ISO 13616): mod 97 checksum and the country's account format.

use super::chars::{word_at, word_before};
use super::{Sink, names};
use crate::context::Context;
use crate::scan::{Group, TAKEN};

/// ISO 13616: 34 characters at most; the shortest in the registry (Norway) has 15.
const MAX: usize = 34;
const MIN: usize = 15;

/// Looks at each digit group that follows two letters, as check digits follow the country code.
pub(super) fn find(context: Context<'_>, groups: &mut [Group], sink: &mut Sink<'_>) {
    let bytes = context.bytes;
    let mut done = 0;
    for i in 0..groups.len() {
        let digits_start = groups[i].start as usize;
        if groups[i].len() < 2 || digits_start < done + 2 {
            continue;
        }
        let start = digits_start - 2;
        let is_country = bytes[start].is_ascii_alphabetic() && bytes[start + 1].is_ascii_alphabetic();
        if !is_country || word_before(bytes, start) || (start > 0 && bytes[start - 1] == b'_') {
            continue;
        }
        let Some(end) = end_of(bytes, start) else { continue };
        if sink.push(start, end, names::IBAN, 0.98) {
            done = end;
            for group in groups[i..].iter_mut().take_while(|group| (group.start as usize) < end) {
                group.flags |= TAKEN;
            }
        }
    }
}

/// The end of the longest valid IBAN at `start`, if any.
fn end_of(bytes: &[u8], start: usize) -> Option<usize> {
    let mut electronic = [0; MAX];
    let mut len = 0;
    let mut at = start;
    let mut best = None;
    while len < MAX {
        match bytes.get(at) {
            Some(b) if b.is_ascii_alphanumeric() => {
                electronic[len] = b.to_ascii_uppercase();
                len += 1;
                at += 1;
                if len >= MIN
                    && !word_at(bytes, at)
                    && bytes.get(at) != Some(&b'_')
                    && is_valid(&electronic[..len])
                {
                    best = Some(at);
                }
            }
            // One separator between characters, two after the habit of some forms ("- ").
            Some(b) if is_separator(*b) => {
                at += 1;
                if bytes.get(at).is_some_and(|&b| is_separator(b)) {
                    at += 1;
                }
                if !bytes.get(at).is_some_and(u8::is_ascii_alphanumeric) {
                    break;
                }
            }
            _ => break,
        }
    }
    best
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.')
}

fn is_valid(electronic: &[u8]) -> bool {
    std::str::from_utf8(electronic).is_ok_and(|text| text.parse::<iban::Iban>().is_ok())
}
