//! Numbers: groups of digits and the separators between them, shared by the detectors of cards, social security
//! numbers, phone numbers, bank accounts and IPv4 addresses.
//!
//! Groups joined by one of `-./` form a *chain* that is never cut: a part of `716-446655440000` is no number.
//! Chains joined by spaces or brackets form a *cluster*, in which detectors try windows of whole chains.

use super::{Sink, card, iban, ip, names, phone, ssn};
use crate::context::Context;
use crate::finding::Span;
use crate::kind::PiiKind;
use crate::lexicon::Word;
use crate::mask;
use crate::scan::{GLUED_LEFT, GLUED_RIGHT, Group, NOT_A_NUMBER, TAKEN};

/// The next group follows behind one of `-./`.
pub(super) const TIGHT: u8 = 1 << 4;
/// The next group follows behind a space or brackets.
pub(super) const LOOSE: u8 = 1 << 5;
/// Neither dialled nor paid with.
pub(super) const UNUSABLE: u8 = GLUED_LEFT | GLUED_RIGHT | NOT_A_NUMBER | TAKEN;

/// The shortest number that any of these detectors knows: a local phone number behind a label.
const MIN_DIGITS: usize = 6;

pub(super) fn find(context: Context<'_>, groups: &mut [Group], sink: &mut Sink<'_>) {
    if sink.is_on(PiiKind::Iban) {
        iban::find(context, groups, sink);
    }
    annotate(context, groups);
    let mut rest = groups;
    while !rest.is_empty() {
        let size = 1 + rest.iter().take_while(|group| group.has(TIGHT | LOOSE)).count();
        let (cluster, behind) = rest.split_at_mut(size.min(rest.len()));
        rest = behind;
        for_chains(cluster, |chain| treat_chain(context, chain, sink));
        if cluster.iter().map(Group::len).sum::<usize>() < MIN_DIGITS {
            continue;
        }
        if sink.is_on(PiiKind::PaymentCard) {
            card::find(context, cluster, sink);
        }
        if sink.is_on(PiiKind::UsSsn) || sink.is_on(PiiKind::UsItin) {
            ssn::find(context, cluster, sink);
        }
        if sink.is_on(PiiKind::Phone) {
            phone::find(context, cluster, sink);
        }
    }
}

/// Marks the groups inside of findings.
pub(super) fn take(spans: &[Span], groups: &mut [Group]) {
    for span in spans {
        let from = groups.partition_point(|group| group.end <= span.start);
        groups[from..]
            .iter_mut()
            .take_while(|group| group.start < span.end)
            .for_each(|group| group.flags |= TAKEN);
    }
}

fn for_chains(cluster: &mut [Group], mut treat: impl FnMut(&mut [Group])) {
    let mut rest = cluster;
    while !rest.is_empty() {
        let size = 1 + rest.iter().take_while(|group| group.has(TIGHT)).count();
        let (chain, behind) = rest.split_at_mut(size.min(rest.len()));
        treat(chain);
        rest = behind;
    }
}

/// Marks what stands beside each group and how it is joined to the next.
fn annotate(context: Context<'_>, groups: &mut [Group]) {
    let bytes = context.bytes;
    for i in 0..groups.len() {
        let next_start = groups.get(i + 1).map(|next| next.start as usize);
        let group = &mut groups[i];
        let (start, end) = (group.start as usize, group.end as usize);
        group.flags = (group.flags & !(GLUED_LEFT | GLUED_RIGHT)) | glue(context, start, end);
        if is_time_or_amount(bytes, start, end) {
            group.flags |= NOT_A_NUMBER;
        }
        if let Some(next) = next_start {
            group.flags |= joint(&bytes[end..next]);
        }
    }
}

/// How two groups with `gap` between them are joined.
fn joint(gap: &[u8]) -> u8 {
    match gap {
        [b'-' | b'.' | b'/'] => TIGHT,
        [b' ' | b'(' | b')'] => LOOSE,
        [_] | [] => 0,
        _ if gap.len() <= 4 => {
            let known = gap.iter().all(|b| b" -./()".contains(b));
            let spaces = gap.iter().filter(|&&b| b == b' ').count();
            let marks = gap.iter().filter(|b| b"-./".contains(b)).count();
            let brackets = gap.len() - spaces - marks;
            if known && marks <= 1 && spaces <= 2 && brackets <= 2 && (spaces > 0 || brackets > 0) {
                LOOSE
            } else {
                0
            }
        }
        _ => 0,
    }
}

/// Whether letters are attached: directly, or behind a dash, slash or underscore (`a716-44`, `X-500/22`). A
/// context word may be attached: `tel0301234567`, `card-4111…`.
fn glue(context: Context<'_>, start: usize, end: usize) -> u8 {
    let bytes = context.bytes;
    let is_letter = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    let letter_before = |at: usize| at > 0 && (is_letter(bytes[at - 1]) || mask::ends_at(bytes, at));
    let letter_at = |at: usize| bytes.get(at).is_some_and(|&b| is_letter(b)) || mask::starts_at(bytes, at);
    let mut flags = 0;
    let attached_at = match start.checked_sub(1).map(|at| bytes[at]) {
        Some(b'-' | b'/' | b'\\') if letter_before(start - 1) => Some(start - 1),
        Some(b'.' | b',' | b':') if mask::ends_at(bytes, start - 1) => Some(start - 1),
        Some(b'@' | b'%' | b'\\') => Some(start),
        _ if letter_before(start) => Some(start),
        _ => None,
    };
    if attached_at.is_some_and(|at| !ends_label(context, at)) {
        flags |= GLUED_LEFT;
    }
    let is_extension = |at: usize| {
        matches!(bytes[at], b'x' | b'X')
            && bytes.get(at + 1).is_some_and(|b| b.is_ascii_digit() || *b == b' ')
            || bytes[at..].len() >= 3 && bytes[at..at + 3].eq_ignore_ascii_case(b"ext")
    };
    match bytes.get(end) {
        Some(b'-' | b'/' | b'\\' | b'@') if letter_at(end + 1) && !starts_label(context, end + 1) => {
            flags |= GLUED_RIGHT;
        }
        Some(b'.' | b',' | b':') if mask::starts_at(bytes, end + 1) => flags |= GLUED_RIGHT,
        Some(b'%') => flags |= GLUED_RIGHT,
        Some(_) if letter_at(end) && !is_extension(end) => flags |= GLUED_RIGHT,
        _ => {}
    }
    flags
}

fn starts_label(context: Context<'_>, at: usize) -> bool {
    let i = context.hits.partition_point(|hit| (hit.start as usize) < at);
    context
        .hits
        .get(i)
        .is_some_and(|hit| hit.start as usize == at && matches!(hit.word, Word::Phone | Word::PhonePlace))
}

fn ends_label(context: Context<'_>, at: usize) -> bool {
    let i = context.hits.partition_point(|hit| (hit.end as usize) < at);
    context.hits.get(i).is_some_and(|hit| {
        hit.end as usize == at && matches!(hit.word, Word::Phone | Word::Card | Word::Ssn | Word::Ip)
    })
}

/// `10:30`, `$1200`, `1200 €`.
fn is_time_or_amount(bytes: &[u8], start: usize, end: usize) -> bool {
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let behind =
        start >= 2 && bytes[start - 1] == b':' && (is_digit(start - 2) || mask::ends_at(bytes, start - 1));
    let before = bytes.get(end) == Some(&b':') && (is_digit(end + 1) || mask::starts_at(bytes, end + 1));
    if end - start <= 2 && (behind || before) {
        return true;
    }
    let currency =
        |at: &[u8]| at.starts_with(b"$") || at.starts_with("€".as_bytes()) || at.starts_with("£".as_bytes());
    let before = &bytes[start.saturating_sub(3)..start];
    before.last() == Some(&b'$')
        || before.ends_with("€".as_bytes())
        || before.ends_with("£".as_bytes())
        || currency(&bytes[end..])
        || (bytes.get(end) == Some(&b' ') && currency(&bytes[end + 1..]))
}

/// Spreads marks over the chain, recognises dates, and reports IPv4 addresses.
fn treat_chain(context: Context<'_>, chain: &mut [Group], sink: &mut Sink<'_>) {
    let bytes = context.bytes;
    if sink.is_on(PiiKind::IpAddress) && chain.len() >= 4 {
        find_v4(context, chain, sink);
    }
    if chain.len() == 1 {
        return;
    }
    if is_date(bytes, chain) || is_decimal(bytes, chain) {
        chain.iter_mut().for_each(|group| group.flags |= NOT_A_NUMBER);
    }
    let spread =
        chain.iter().fold(0, |all, group| all | (group.flags & (GLUED_LEFT | GLUED_RIGHT | NOT_A_NUMBER)));
    // An extension may be glued to the end: that is no mark of the chain.
    chain.iter_mut().for_each(|group| group.flags |= spread);
}

fn separator(bytes: &[u8], group: &Group) -> u8 {
    bytes[group.end as usize]
}

/// Runs of exactly four groups joined by dots; `10.0.0.1/24` and `10.0.0.1-10.0.0.9` hold one and two.
fn find_v4(context: Context<'_>, chain: &mut [Group], sink: &mut Sink<'_>) {
    let mut from = 0;
    while from < chain.len() {
        let dots = chain[from..chain.len() - 1]
            .iter()
            .take_while(|group| group.has(TIGHT) && separator(context.bytes, group) == b'.')
            .count();
        let run = &mut chain[from..=from + dots];
        if run.len() == 4 && run.iter().all(|group| group.len() <= 3) {
            let (start, end) = (run[0].start as usize, run[3].end as usize);
            let score = ip::score_v4(context, start, end);
            if score.is_some_and(|score| sink.push(start, end, names::IPV4, score)) {
                run.iter_mut().for_each(|group| group.flags |= TAKEN);
            }
        }
        from += dots + 1;
    }
}

/// Three groups with one separator that can be day, month and year in some order.
fn is_date(bytes: &[u8], chain: &[Group]) -> bool {
    let [a, b, c] = chain else { return false };
    let value = |group: &Group| {
        bytes[group.start as usize..group.end as usize]
            .iter()
            .fold(0_u32, |n, b| n * 10 + u32::from(b - b'0'))
    };
    if separator(bytes, a) != separator(bytes, b) || a.len() > 4 || b.len() > 2 || c.len() > 4 {
        return false;
    }
    let day_and_month = |x: &Group, y: &Group| {
        let (x, y) = (value(x), value(y));
        (1..=31).contains(&x) && (1..=12).contains(&y) || (1..=12).contains(&x) && (1..=31).contains(&y)
    };
    match (a.len(), b.len(), c.len()) {
        // 2024-00-00 stands for a missing date in many systems.
        (4, 2, 2) => (1800..2200).contains(&value(a)),
        (4, 1 | 2, 1 | 2) => day_and_month(b, c) && (1800..2200).contains(&value(a)),
        (1 | 2, 1 | 2, 4) => day_and_month(a, b) && (1800..2200).contains(&value(c)),
        (2, 2, 2) => day_and_month(a, b) || day_and_month(b, c),
        _ => false,
    }
}

/// `40.712812`, `3/4`: two groups that are one figure.
fn is_decimal(bytes: &[u8], chain: &[Group]) -> bool {
    let [whole, fraction] = chain else { return false };
    match separator(bytes, whole) {
        b'.' => true,
        b'/' => whole.len() + fraction.len() < 7,
        _ => false,
    }
}

/// Copies the digits of `groups` into `buffer`; `None` if they don't fit.
pub(super) fn digits<'b>(bytes: &[u8], groups: &[Group], buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let mut len = 0;
    for group in groups {
        let run = &bytes[group.start as usize..group.end as usize];
        buffer.get_mut(len..len + run.len())?.copy_from_slice(run);
        len += run.len();
    }
    Some(&buffer[..len])
}

/// Whether a window of `cluster` may start at `i`: not inside a chain.
pub(super) fn starts_chain(cluster: &[Group], i: usize) -> bool {
    i == 0 || !cluster[i - 1].has(TIGHT)
}
