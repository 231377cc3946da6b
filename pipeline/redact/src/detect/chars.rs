//! Small questions about bytes that several detectors ask.

use crate::mask;

/// A letter, digit or part of a non-ASCII character.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// Whether a word or a mask ends directly before `at`.
pub(super) fn word_before(bytes: &[u8], at: usize) -> bool {
    at > 0 && (is_word(bytes[at - 1]) || mask::ends_at(bytes, at))
}

/// Whether a word or a mask goes on at `at`.
pub(super) fn word_at(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_some_and(|&b| is_word(b) || mask::starts_at(bytes, at))
}

/// The first place from `at` on, at most `limit` bytes away, whose byte isn't in the set.
pub(super) fn skip(bytes: &[u8], at: usize, limit: usize, in_set: impl Fn(u8) -> bool) -> usize {
    let stop = bytes.len().min(at.saturating_add(limit));
    let at = at.min(bytes.len());
    at + bytes[at..stop].iter().take_while(|&&b| in_set(b)).count()
}

/// Like [`skip`], without a limit.
pub(super) fn skip_all(bytes: &[u8], at: usize, in_set: impl Fn(u8) -> bool) -> usize {
    skip(bytes, at, usize::MAX, in_set)
}

/// The place, at most `limit` bytes before `end`, from which on all bytes up to `end` are in the set.
pub(super) fn skip_back(bytes: &[u8], end: usize, limit: usize, in_set: impl Fn(u8) -> bool) -> usize {
    let from = end.saturating_sub(limit);
    end - bytes[from..end].iter().rev().take_while(|&&b| in_set(b)).count()
}

/// Whether `bytes[at..]` starts with `word` in any ASCII case.
pub(super) fn starts_with(bytes: &[u8], at: usize, word: &str) -> bool {
    bytes.get(at..at + word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()))
}

/// Whether `bytes` ends with `word` in any ASCII case.
pub(super) fn ends_with(bytes: &[u8], word: &str) -> bool {
    bytes.len().checked_sub(word.len()).is_some_and(|at| starts_with(bytes, at, word))
}

/// The largest character boundary of `text` that is not behind `at`.
pub(super) fn floor_boundary(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The smallest character boundary of `text` that is not before `at`.
pub(super) fn ceil_boundary(text: &str, mut at: usize) -> usize {
    while at < text.len() && !text.is_char_boundary(at) {
        at += 1;
    }
    at.min(text.len())
}
