//! What the tagger sees of a token: rows of the weight table, by hashing.
//!
//! Training and tagging share this file, and the model file records [`VERSION`]: a change here needs a new model.

use super::clusters::{Path, prefix};
use super::token::{Shape, Token, gap};
use super::words::flag;

/// Of this set of features.
pub(crate) const VERSION: u32 = 2;

/// How many rows a token has.
pub(crate) const COUNT: usize = 44;

/// Of the whole text, without what is covered: says whether capitals mean anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// Some words are written with a capital.
    Mixed,
    /// None is.
    Lower,
    /// All are in capitals.
    Upper,
    /// Common words are written with a capital too: German, or a headline.
    Nouns,
}

/// So many capitals for each of a common word say that capitals are common.
const CAPITALS_TO_NOUNS: usize = 3;

impl Case {
    pub(crate) fn of(tokens: &[Token]) -> Self {
        let (mut lower, mut upper, mut capital) = (0_usize, 0_usize, 0_usize);
        // Capitals that begin no sentence, and those of common words among them.
        let (mut inner, mut nouns) = (0_usize, 0_usize);
        let mut before = Token::OUTSIDE;
        for token in tokens {
            if token.shape == Shape::CAPITAL && before.shape.is_word() && token.gap == gap::SPACE {
                inner += 1;
                nouns += usize::from(token.has(flag::COMMON | flag::FREQUENT) && !token.has(flag::NAME));
            }
            before = *token;
            match token.shape {
                Shape::LOWER => lower += 1,
                // A lone capital may be `I`; a word in capitals an abbreviation.
                Shape::UPPER => upper += 1,
                Shape::CAPITAL | Shape::MIXED => capital += 1,
                _ => {}
            }
        }
        if capital == 0 && lower >= upper {
            Self::Lower
        } else if upper > 3 * (lower + capital) {
            Self::Upper
        } else if nouns > 1 && CAPITALS_TO_NOUNS * nouns >= inner {
            Self::Nouns
        } else {
            Self::Mixed
        }
    }
}

/// The lower-cased bytes of a word's two ends.
struct Ends {
    head: [u8; 4],
    tail: [u8; 4],
}

impl Ends {
    fn of(text: &str, token: Token) -> Self {
        let mut ends = Self { head: [0; 4], tail: [0; 4] };
        let word = text.get(token.start as usize..token.end as usize).unwrap_or_default();
        if word.is_ascii() {
            let bytes = word.as_bytes();
            let n = bytes.len().min(4);
            for i in 0..n {
                ends.head[i] = bytes[i].to_ascii_lowercase();
                ends.tail[i] = bytes[bytes.len() - 1 - i].to_ascii_lowercase();
            }
        } else {
            // One byte of each character is enough to tell most apart.
            let small = |c: char| c.to_lowercase().next().map_or(0, |c| c as u32 as u8);
            for (slot, c) in ends.head.iter_mut().zip(word.chars()) {
                *slot = small(c);
            }
            for (slot, c) in ends.tail.iter_mut().zip(word.chars().rev()) {
                *slot = small(c);
            }
        }
        ends
    }
}

#[inline(always)]
fn mix(template: u32, a: u32, b: u32) -> u32 {
    let h = (u64::from(a) ^ (u64::from(template) << 40)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let h = (h.rotate_left(29) ^ u64::from(b)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    (h >> 32) as u32
}

/// The features of token `at` as hashes; the caller takes as many of the upper bits as its table has. `paths` are those
/// of `tokens`; what lies beyond them, or isn't filled in, has none.
pub(crate) fn of(text: &str, tokens: &[Token], paths: &[Path], at: usize, case: Case) -> [u32; COUNT] {
    let token = |offset: isize| {
        at.checked_add_signed(offset).and_then(|i| tokens.get(i)).copied().unwrap_or(Token::OUTSIDE)
    };
    let [p2, p1, t, n1, n2] = [token(-2), token(-1), token(0), token(1), token(2)];
    let shape = |t: Token| u32::from(t.shape.0);
    let value = |t: Token| u32::from(t.value);
    // A mark stands for itself where a word has its knowledge.
    let know = |t: Token| if t.shape == Shape::MARK { t.hash } else { (value(t) << 4) | shape(t) };
    let names = |t: Token| {
        if t.shape == Shape::MARK {
            t.hash
        } else {
            u32::from(t.value & (flag::NAME | flag::COMMON)) << 4 | shape(t)
        }
    };
    let class = |t: Token| {
        let class = t.value & (flag::CLASS_MASK | flag::COMPANY | flag::STREET);
        if t.shape == Shape::MARK { t.hash } else { u32::from(class) }
    };
    let case = case as u32;
    let s0 = shape(t) | case << 4;
    let gaps = u32::from(t.gap) | u32::from(n1.gap) << 2 | u32::from(p1.gap) << 4;
    let shapes = |a: Token, b: Token, c: Token| shape(a) | shape(b) << 4 | shape(c) << 8 | case << 12;
    let ends = Ends::of(text, t);
    let [h0, h1, h2, h3] = ends.head;
    let [t0, t1, t2, t3] = ends.tail;
    let length = t.len().min(15) as u32;
    let path =
        |offset: isize| at.checked_add_signed(offset).and_then(|i| paths.get(i)).copied().unwrap_or_default();
    let [c_p2, c_p1, c, c_n1, c_n2] = [path(-2), path(-1), path(0), path(1), path(2)];
    [
        mix(1, t.hash, 0),
        mix(2, t.hash, s0),
        mix(3, p1.hash, u32::from(t.gap)),
        mix(4, n1.hash, u32::from(n1.gap)),
        mix(5, p2.hash, 0),
        mix(6, n2.hash, 0),
        mix(7, p1.hash, t.hash),
        mix(8, t.hash, n1.hash),
        mix(9, p2.hash, p1.hash ^ s0.wrapping_mul(0x85EB_CA6B)),
        mix(10, p1.hash, know(t)),
        mix(11, n1.hash, know(t)),
        mix(12, u32::from_le_bytes([h0, h1, h2, 0]), case),
        mix(13, u32::from_le_bytes([h0, h1, h2, h3]), 0),
        mix(14, u32::from_le_bytes([t0, t1, 0, 0]), s0),
        mix(15, u32::from_le_bytes([t0, t1, t2, 0]), case),
        mix(16, u32::from_le_bytes([t0, t1, t2, t3]), 0),
        mix(17, shapes(p1, t, n1), gaps),
        mix(18, know(t), case),
        mix(19, know(p1), know(t)),
        mix(20, know(t), know(n1)),
        mix(21, know(p1) ^ know(t).rotate_left(16), know(n1) | case << 28),
        mix(22, names(p1) ^ names(p2).rotate_left(16), names(t)),
        mix(23, names(n1) ^ names(n2).rotate_left(16), names(t)),
        mix(24, s0 | length << 8, u32::from(t.value & flag::COMMON)),
        mix(25, gaps | s0 << 8, names(t)),
        mix(26, class(p1) ^ class(p2).rotate_left(12), s0 | u32::from(t.gap) << 8),
        mix(27, class(p1) ^ class(p2).rotate_left(12), names(t)),
        mix(28, class(n1) ^ class(n2).rotate_left(12), names(t)),
        mix(29, shapes(p2, p1, t), 0),
        mix(30, shapes(t, n1, n2), 0),
        mix(31, class(token(-3)) ^ class(p2).rotate_left(12), names(p1) ^ names(t).rotate_left(16)),
        mix(32, p2.hash, names(t)),
        mix(33, c, s0),
        mix(34, prefix(c, 4), s0),
        mix(35, prefix(c, 7), s0),
        mix(36, prefix(c, 10), names(t)),
        mix(37, c_p1, s0),
        mix(38, c_n1, s0),
        mix(39, prefix(c_p1, 8), prefix(c, 8)),
        mix(40, prefix(c, 8), prefix(c_n1, 8)),
        mix(41, prefix(c_p1, 6) ^ prefix(c_n1, 6).rotate_left(12), prefix(c, 6) | case << 30),
        mix(42, c_p2, s0),
        mix(43, c_n2, s0),
        mix(44, prefix(c_p2, 6) ^ prefix(c_p1, 6).rotate_left(12), s0 | prefix(c_n1, 4) << 8),
    ]
}
