//! The parts of a word: character n-grams, prefixes and suffixes.

use super::FeatureParams;
use super::fold::{BIGRAM, MUL, MUL2};

/// A shorter word has no n-grams: they would only repeat it.
const MIN_LETTERS: usize = 4;

/// How many rows [`rows`] gives for a word of that many letters.
#[inline(always)]
pub(super) fn count(params: &FeatureParams, letters: usize) -> usize {
    let affixes = params.affixes.iter().filter(|&&n| letters > usize::from(n)).count() * 2;
    if letters < MIN_LETTERS || params.char_ngrams.is_empty() {
        return affixes;
    }
    let grams = params.char_ngrams.iter().map(|&n| (letters + 3).saturating_sub(usize::from(n)));
    affixes + grams.sum::<usize>()
}

/// Appends the rows of a word's parts.
pub(super) fn rows(word: &[u16], params: &FeatureParams, out: &mut Vec<u32>) {
    let shift = 64 - u32::from(params.bits);
    let len = word.len();
    if len >= MIN_LETTERS {
        for &n in &params.char_ngrams {
            let salt = params.seed ^ u64::from(n).wrapping_mul(BIGRAM);
            if n <= 4 {
                short_grams(word, n, salt, shift, out);
            } else {
                long_grams(word, n, salt, shift, out);
            }
        }
    }
    for &n in &params.affixes {
        let n = usize::from(n);
        if len > n {
            let salt = params.seed ^ (n as u64).wrapping_mul(MUL2);
            let hash = |mark: u64, part: &[u16]| {
                let h = part.iter().fold(salt ^ mark, |h, &c| (h ^ u64::from(c)).wrapping_mul(MUL2));
                ((h ^ (h >> 29)).wrapping_mul(MUL) >> shift) as u32
            };
            out.push(hash(1 << 32, &word[..n]));
            out.push(hash(2 << 32, &word[len - n..]));
        }
    }
}

/// Marks the end of a word in its n-grams; 1 marks its start.
const END: [u16; 1] = [2];

/// N-grams of up to four letters: they fit 64 bits.
#[inline(always)]
fn short_grams(word: &[u16], n: u8, salt: u64, shift: u32, out: &mut Vec<u32>) {
    let keep = u64::MAX >> (64 - 16 * u32::from(n));
    let (first, rest) = word.split_at(usize::from(n).saturating_sub(2).min(word.len()));
    let mut window = first.iter().fold(1u64, |window, &c| (window << 16) | u64::from(c));
    out.extend(rest.iter().chain(&END).map(|&c| {
        window = (window << 16) | u64::from(c);
        let mixed = (window & keep) ^ salt;
        ((mixed ^ (mixed >> 29)).wrapping_mul(MUL) >> shift) as u32
    }));
}

/// N-grams of five to eight letters.
fn long_grams(word: &[u16], n: u8, salt: u64, shift: u32, out: &mut Vec<u32>) {
    let keep = u128::MAX >> (128 - 16 * u32::from(n));
    if word.len() + 2 < usize::from(n) {
        return;
    }
    let (first, rest) = word.split_at(usize::from(n) - 2);
    let mut window = first.iter().fold(1u128, |window, &c| (window << 16) | u128::from(c));
    out.extend(rest.iter().chain(&END).map(|&c| {
        window = (window << 16) | u128::from(c);
        let key = window & keep;
        let mixed = ((key >> 64) as u64).wrapping_mul(MUL2) ^ (key as u64) ^ salt;
        ((mixed ^ (mixed >> 29)).wrapping_mul(MUL) >> shift) as u32
    }));
}
