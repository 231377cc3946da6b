//! IP addresses. Version numbers look like IPv4 and times, MAC addresses and paths like IPv6, so that form,
//! ranges and context decide.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::chars::{skip_all, skip_back, word_at, word_before};
use super::{Sink, names};
use crate::context::Context;
use crate::lexicon::Word;
use crate::mask;

/// RFC 4291 §2.2: 39 bytes in full, 45 with an embedded IPv4 address.
const V6_MAX: usize = 45;

/// The score of four dot-separated octets at `start..end`, if they can be an address.
pub(super) fn score_v4(context: Context<'_>, start: usize, end: usize) -> Option<f32> {
    let bytes = context.bytes;
    // Octal-looking octets are refused by `Ipv4Addr`, as inet_pton does.
    let address: Ipv4Addr = std::str::from_utf8(&bytes[start..end]).ok()?.parse().ok()?;
    let octets = address.octets();
    let is_mask = octets[0] == 255 || address.is_unspecified() || address.is_loopback();
    if is_mask {
        return None;
    }
    // Product/1.2.3.4, v1.2.3.4, -1.2.3.4.dll and file names
    let joined_to = |at: usize| bytes[at - 1].is_ascii_alphabetic() || mask::ends_at(bytes, at);
    if start >= 2 && matches!(bytes[start - 1], b'/' | b'-' | b'_') && joined_to(start - 1) {
        return None;
    }
    let behind_mask = start > 0 && bytes[start - 1] == b'.' && mask::ends_at(bytes, start - 1);
    if behind_mask || word_before(bytes, start) || word_at(bytes, end) || bytes.get(end) == Some(&b'_') {
        return None;
    }
    if bytes.get(end) == Some(&b'.') && word_at(bytes, end + 1) {
        return None;
    }
    if context.label(start, |word| !matches!(word, Word::Version | Word::Ip)) == Some(Word::Version)
        || context.has_after(end, Word::Version)
    {
        return None;
    }
    let supported = context.has_before(start, Word::Ip);
    // 1.2.3.4, 2.10.0.1: four small numbers are a version or a section as often as an address.
    let small = octets.iter().all(|&octet| octet < 32);
    Some(match (small, supported) {
        (_, true) => 0.95,
        (false, false) => 0.8,
        (true, false) => 0.55,
    })
}

/// Finds IPv6 addresses around colons.
pub(super) fn find_v6(context: Context<'_>, colons: &[u32], sink: &mut Sink<'_>) {
    let bytes = context.bytes;
    let mut seen_until = 0;
    let mut run_end = 0;
    for &colon in colons {
        let colon = colon as usize;
        if colon < seen_until {
            continue;
        }
        let is_part = |b: u8| b.is_ascii_hexdigit() || b == b':' || b == b'.';
        // Cheap refusal of nearly every colon of prose: an address goes on directly behind it.
        if !bytes.get(colon + 1).is_some_and(|&b| b.is_ascii_hexdigit() || b == b':') {
            continue;
        }
        let from = skip_back(bytes, colon, V6_MAX, is_part).max(seen_until);
        // After an address inside a longer run the rest of the run is looked at, but not read again.
        let to = if colon < run_end { run_end } else { skip_all(bytes, colon, is_part) };
        run_end = to;
        seen_until = to;
        let (start, end) = trim_v6(bytes, from, to);
        // A dot belongs to an embedded IPv4 address or to the sentence.
        let cut = start + bytes[start..end].iter().position(|&b| b == b'.').unwrap_or(end - start);
        let found = [end, cut].into_iter().find_map(|end| Some((end, score_v6(context, start, end)?)));
        let Some((end, score)) = found else { continue };
        seen_until = end;
        // A zone (RFC 4007) belongs to the address: fe80::1%eth0
        let end = match bytes.get(end) {
            Some(b'%') => skip_all(bytes, end + 1, |b| b.is_ascii_alphanumeric()),
            _ => end,
        };
        sink.push(start, end, names::IPV6, score);
    }
}

/// Takes off the punctuation of the sentence: a single colon at either end, a full stop at the end.
fn trim_v6(bytes: &[u8], mut start: usize, mut end: usize) -> (usize, usize) {
    while start < end && bytes[start] == b'.' {
        start += 1;
    }
    // An IPv4 address only closes an IPv6 one: 192.0.2.1:2001:db8::1 is two.
    if let Some(colon) = bytes[start..end].iter().position(|&b| b == b':')
        && bytes[start..start + colon].contains(&b'.')
    {
        start += colon;
    }
    if bytes[start..end].first() == Some(&b':') && bytes.get(start + 1) != Some(&b':') {
        start += 1;
    }
    while start < end && bytes[end - 1] == b'.' {
        end -= 1;
    }
    if end - start >= 2 && bytes[end - 1] == b':' && bytes[end - 2] != b':' {
        end -= 1;
    }
    (start, end)
}

fn score_v6(context: Context<'_>, start: usize, end: usize) -> Option<f32> {
    let bytes = context.bytes;
    let is_attached = word_before(bytes, start)
        || word_at(bytes, end)
        || bytes.get(end) == Some(&b'_')
        || (bytes.get(end) == Some(&b':') && mask::starts_at(bytes, end + 1))
        || (start > 0
            && (bytes[start - 1] == b'_' || bytes[start - 1] == b':' && mask::ends_at(bytes, start - 1)));
    if is_attached || !(3..=V6_MAX).contains(&(end - start)) {
        return None;
    }
    let form = std::str::from_utf8(&context.bytes[start..end]).ok()?;
    let address: Ipv6Addr = form.parse().ok()?;
    if address.is_unspecified() || address.is_loopback() {
        return None;
    }
    let supported = context.has_before(start, Word::Ip);
    let shortened = form.contains("::");
    let groups = form.split(':').filter(|group| !group.is_empty());
    // Eight groups of two digits are an EUI-64, a piece of a fingerprint or of a serial number.
    if !shortened && groups.clone().all(|group| group.len() <= 2) {
        return supported.then_some(0.7);
    }
    if !shortened {
        return Some(0.95);
    }
    // dead::beef and std::fmt are paths of code; allocated ranges are not.
    let head = address.segments()[0];
    let allocated = matches!(head, 0x2000..=0x3FFF | 0xFC00..=0xFDFF | 0xFE80..=0xFEBF | 0xFF00..=0xFFFF)
        && form.split(':').next().is_some_and(|first| first.len() == 4);
    let has_digit = form.bytes().any(|b| b.is_ascii_digit());
    match (allocated && has_digit, supported) {
        (true, true) => Some(0.95),
        (true, false) => Some(0.8),
        (false, true) if groups.count() >= 2 => Some(0.6),
        _ => None,
    }
}
