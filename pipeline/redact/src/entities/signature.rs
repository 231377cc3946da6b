//! Names with which a text, or a line of it, ends: `MfG Lena Weiß`.
//!
//! A last name that is a common word, or a text all in capitals, leaves the tagger in doubt. What stands between the end
//! of a sentence or a closing and the end of the line, begins with a first name and is written like one, is none.

use super::token::{Shape, Token, gap};
use super::words::flag;

/// Words of the longest signature: two first names, a particle, two last names.
const LONGEST: usize = 5;

/// Calls `found` with the tokens of each signature.
pub(super) fn find(tokens: &[Token], mut found: impl FnMut(usize, usize)) {
    for to in 1..=tokens.len() {
        if tokens.get(to).is_some_and(|next| next.gap < gap::LINE) {
            continue;
        }
        let is_part = |token: &Token| token.shape.has_capital() && token.shape != Shape::MIXED;
        let length = tokens[..to].iter().rev().take(LONGEST + 1).take_while(|token| is_part(token)).count();
        if length > LONGEST {
            continue;
        }
        // The longest that begins with a first name, behind whatever closes what was before.
        let begin = (to - length..to - 1).find(|&at| begins(tokens, at) && is_name(&tokens[at..to]));
        if let Some(from) = begin {
            found(from, to);
        }
    }
}

fn begins(tokens: &[Token], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|at| tokens[at]) else { return true };
    let class = before.value & flag::CLASS_MASK;
    let closes = before.is_mark(b'.') || before.is_mark(b'!') || before.is_mark(b'?') || before.is_mark(b',');
    // `MfG`, `VG`, `Rgds`: one word before it on the line.
    let alone = at == 1 || before.gap >= gap::LINE;
    tokens[at].gap >= gap::LINE || closes || alone || matches!(class, flag::GREETING | flag::CLOSING)
}

fn is_name(words: &[Token]) -> bool {
    let [first, .., last] = words else { return false };
    let is_common = |token: &Token| token.has(flag::COMMON | flag::FREQUENT);
    first.len() > 2
        && last.len() > 1
        && first.has(flag::FIRST)
        && !first.has(flag::FREQUENT)
        // Two words that are common and no last name are nobody.
        && (!is_common(first) || !is_common(last) || last.has(flag::LAST))
}
