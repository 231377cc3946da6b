//! Payment card numbers: Luhn checksum (ISO/IEC 7812-1 annex B), brand prefix and length.

use super::ids::luhn;
use super::numbers::{TIGHT, UNUSABLE, digits, starts_chain};
use super::{Sink, names};
use crate::context::Context;
use crate::lexicon::Word;
use crate::scan::{Group, TAKEN};

const MIN: usize = 12;
const MAX: usize = 19;

/// How sure a brand is of a length.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Issued {
    /// This is how the brand's cards are numbered.
    Usual,
    /// Issued rarely, or shared with other numbering: needs a card word.
    Rare,
}

/// Brand prefixes with their lengths, from the networks' published BIN ranges.
fn issued(digits: &[u8]) -> Option<Issued> {
    use Issued::{Rare, Usual};
    let head = |n: usize| digits[..n].iter().fold(0_u32, |value, b| value * 10 + u32::from(b - b'0'));
    let len = digits.len();
    match head(4) {
        // Visa
        4000..=4999 => match len {
            16 => Some(Usual),
            13 | 18 | 19 => Some(Rare),
            _ => None,
        },
        // Mastercard, Mir
        5100..=5599 | 2221..=2720 | 2200..=2204 => (len == 16).then_some(Usual),
        // American Express
        3400..=3499 | 3700..=3799 => (len == 15).then_some(Usual),
        // Diners Club
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => match len {
            14 => Some(Usual),
            16 | 19 => Some(Rare),
            _ => None,
        },
        // JCB
        3528..=3589 => match len {
            16 => Some(Usual),
            17..=19 => Some(Rare),
            _ => None,
        },
        2131 | 1800 => (len == 15).then_some(Rare),
        // Discover, UnionPay, RuPay
        6011 | 6440..=6599 | 6200..=6299 | 8100..=8299 | 6000..=6010 | 6012..=6099 => match len {
            16 => Some(Usual),
            17..=19 => Some(Rare),
            _ => None,
        },
        // Elo, Maestro
        5000..=5099 | 5600..=5899 | 6300..=6399 | 6700..=6799 => match len {
            16 => Some(Usual),
            12..=19 => Some(Rare),
            _ => None,
        },
        // Troy
        9792 => (len == 16).then_some(Usual),
        _ => None,
    }
}

/// Whether the digits are numbered as a brand usually does it.
pub(super) fn is_usual(digits: &[u8]) -> bool {
    (MIN..=MAX).contains(&digits.len()) && issued(digits) == Some(Issued::Usual)
}

/// Finds cards whose groups stand on several lines, or between marks that join nothing else: `4111_1111|1111·1111`.
///
/// Four figures of four digits in a column are as often a table, so that more than one line break needs a card word.
pub(super) fn find_wrapped(context: Context<'_>, groups: &[Group], sink: &mut Sink<'_>) {
    let mut done = 0;
    for (i, group) in groups.iter().enumerate() {
        let leads = matches!(context.bytes[group.start as usize], b'2'..=b'6' | b'9') && group.len() >= 4;
        if (group.start as usize) < done || !leads || group.has(TAKEN) {
            continue;
        }
        if let Some((end, score)) = wrapped_at(context, &groups[i..])
            && sink.push(group.start as usize, end, names::CARD_WRAPPED, score)
        {
            done = end;
        }
    }
}

fn wrapped_at(context: Context<'_>, groups: &[Group]) -> Option<(usize, f32)> {
    let bytes = context.bytes;
    let start = groups[0].start as usize;
    let mut digits = [0_u8; MAX];
    let (mut len, mut lines, mut marks) = (0, 0, 0);
    for (i, group) in groups.iter().enumerate().take(8) {
        let (from, to) = (group.start as usize, group.end as usize);
        if i > 0 {
            let gap = &bytes[groups[i - 1].end as usize..from];
            let (breaks, odd) = odd_gap(gap)?;
            lines += breaks;
            marks += odd;
        }
        digits.get_mut(len..len + to - from)?.copy_from_slice(&bytes[from..to]);
        len += to - from;
        let sizes_fit = lines == 1 && marks == 0 || groups[..=i].iter().all(|group| group.len() == 4);
        let closes = lines + marks > 0
            && len >= 14
            && sizes_fit
            && is_usual(&digits[..len])
            && luhn(&digits[..len])
            && !super::chars::word_at(bytes, to);
        if closes {
            let supported = context.has_before(start, Word::Card);
            let is_reference = context.label(start, |_| false) == Some(Word::Reference)
                || start > 0
                    && (super::chars::is_word(bytes[start - 1])
                        || b"#-_/.:=".contains(&bytes[start - 1]) && !supported)
                || digits[..len].iter().all(|b| b == &digits[0]);
            let plausible = supported || lines <= 1 && marks != 1 + lines;
            return (plausible && !is_reference && !context.is_blocked(start, to))
                .then_some((to, if supported { 0.95 } else { 0.7 }));
        }
    }
    None
}

/// Line breaks and unusual marks of a gap between two groups; `None` if it can't stand inside of a card.
fn odd_gap(gap: &[u8]) -> Option<(usize, usize)> {
    let spaces = |bytes: &[u8]| bytes.iter().all(|b| matches!(b, b' ' | b'\t' | b'>' | b'-'));
    match gap {
        [b' ' | b'-' | b'.'] => Some((0, 0)),
        [b'_' | b'|' | b'/' | b',' | b'*' | b'+' | b'~' | b';']
        | [b'\xC2', b'\xB7']
        | [b' ', b'|' | b'-' | b'/' | b',', b' ']
        | [b',', b' '] => Some((0, 1)),
        _ if gap.len() <= 8 => {
            let at = gap.iter().position(|&b| b == b'\n')?;
            let before = gap[..at].strip_suffix(b"\r").unwrap_or(&gap[..at]);
            (spaces(before) && spaces(&gap[at + 1..])).then_some((1, 0))
        }
        _ => None,
    }
}

pub(super) fn find(context: Context<'_>, cluster: &mut [Group], sink: &mut Sink<'_>) {
    let mut i = 0;
    while i < cluster.len() {
        i = match window(context, cluster, i, sink) {
            Some(end) => {
                cluster[i..end].iter_mut().for_each(|group| group.flags |= TAKEN);
                end
            }
            None => i + 1,
        };
    }
}

/// Tries the windows that start at group `first`, longest first; returns the end of the one that was reported.
fn window(context: Context<'_>, cluster: &[Group], first: usize, sink: &mut Sink<'_>) -> Option<usize> {
    if !starts_chain(cluster, first) {
        return None;
    }
    let mut total = 0;
    let mut last = first;
    let mut ends = [0_usize; MAX + 1];
    let mut count = 0;
    while last < cluster.len() && !cluster[last].has(UNUSABLE) {
        total += cluster[last].len();
        if total > MAX {
            break;
        }
        last += 1;
        if total >= MIN && !cluster[last - 1].has(TIGHT) {
            ends[count] = last;
            count += 1;
        }
    }
    ends[..count].iter().rev().copied().find(|&end| {
        score(context, &cluster[first..end], cluster, first, end).is_some_and(|score| {
            sink.push(cluster[first].start as usize, cluster[end - 1].end as usize, names::CARD, score)
        })
    })
}

fn score(context: Context<'_>, window: &[Group], cluster: &[Group], first: usize, end: usize) -> Option<f32> {
    let mut buffer = [0; MAX];
    let digits = digits(context.bytes, window, &mut buffer)?;
    if !luhn(digits) || digits.iter().all(|b| b == &digits[0]) {
        return None;
    }
    let issued = issued(digits);
    let start = window[0].start as usize;
    if context.has_before(start, Word::Card) {
        // A private-label card, or a range that is issued since: the word and the checksum are enough, unless a
        // nearer word calls it something else.
        let is_other = || matches!(context.label(start, |_| false), Some(Word::Reference | Word::Phone));
        return if issued.is_some() { Some(0.99) } else { (!is_other()).then_some(0.7) };
    }
    let issued = issued?;
    // One in ten numbers passes Luhn: what is called an order is one, and an odd grouping is a list of figures.
    let is_reference = context.label(start, |_| false) == Some(Word::Reference)
        || start > 0 && context.bytes[start - 1] == b'#'
        || is_inside_longer(context, cluster, first, end);
    let usual = issued == Issued::Usual && is_usual_grouping(window, cluster, first, end);
    (usual && !is_reference).then_some(0.85)
}

/// Whether the window is cut out of a longer number in fours that is called an order or a parcel.
fn is_inside_longer(context: Context<'_>, cluster: &[Group], first: usize, end: usize) -> bool {
    let goes_on = |i: Option<usize>| i.and_then(|i| cluster.get(i)).is_some_and(|group| group.len() == 4);
    (goes_on(first.checked_sub(1)) || end - first > 1 && goes_on(Some(end)))
        && context.label(cluster[0].start as usize, |_| false) == Some(Word::Reference)
}

/// In one piece, in fours, as printed on American Express (4-6-5) and Diners (4-6-4), or digit by digit.
fn is_usual_grouping(window: &[Group], cluster: &[Group], first: usize, end: usize) -> bool {
    if window.len() == 1 {
        return true;
    }
    let (last, body) = (window[window.len() - 1].len(), &window[..window.len() - 1]);
    if body.iter().all(|group| group.len() == 4) && last <= 4 {
        return true;
    }
    if window.iter().all(|group| group.len() == 1) {
        let alone = |i: Option<usize>| i.and_then(|i| cluster.get(i)).is_none_or(|group| group.len() > 1);
        return alone(first.checked_sub(1)) && alone(Some(end));
    }
    matches!(body, [a, b] if a.len() == 4 && b.len() == 6 && matches!(last, 4 | 5))
}
