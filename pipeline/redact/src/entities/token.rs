//! Cuts a text into words and marks for the prefilter and the tagger, and looks each word up on the way.
//!
//! A word is a run of letters and digits; any other visible character is a token of its own. What another detector
//! has found, and every mask of this crate, is one token of shape [`Shape::COVERED`], so that a text and its
//! redaction are cut alike. One pass, no allocation once the vector has grown.

use super::words::{Hasher, Words};
use crate::mask;

/// Form of a token without its letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape(pub u8);

impl Shape {
    pub(crate) const LOWER: Self = Self(0);
    pub(crate) const CAPITAL: Self = Self(1);
    pub(crate) const UPPER: Self = Self(2);
    pub(crate) const INITIAL: Self = Self(3);
    /// `McDonald`, `iPhone`.
    pub(crate) const MIXED: Self = Self(4);
    /// Digits only; `+ 0..5` by their number.
    pub(crate) const DIGITS: Self = Self(5);
    /// `12b`, `3rd`.
    pub(crate) const DIGIT_LETTER: Self = Self(10);
    /// `A4`, `v2`.
    pub(crate) const LETTER_DIGIT: Self = Self(11);
    pub(crate) const MARK: Self = Self(12);
    pub(crate) const COVERED: Self = Self(13);
    /// Before the first and behind the last token.
    pub(crate) const NONE: Self = Self(14);

    pub(crate) fn is_word(self) -> bool {
        self.0 <= Self::MIXED.0
    }

    pub(crate) fn has_capital(self) -> bool {
        (Self::CAPITAL.0..=Self::MIXED.0).contains(&self.0)
    }

    pub(crate) fn is_number(self) -> bool {
        (Self::DIGITS.0..=Self::DIGIT_LETTER.0).contains(&self.0)
    }
}

/// What stands between a token and the one before it.
pub(crate) mod gap {
    pub(crate) const NONE: u8 = 0;
    pub(crate) const SPACE: u8 = 1;
    pub(crate) const LINE: u8 = 2;
    pub(crate) const TEXT: u8 = 3;
}

/// A word, a mark, or a covered range.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub start: u32,
    pub end: u32,
    /// Of the word without case.
    pub hash: u32,
    /// What [`Words`] knows about it.
    pub value: u16,
    pub shape: Shape,
    /// See [`gap`].
    pub gap: u8,
}

impl Token {
    /// Stands for what is outside of the text.
    pub(crate) const OUTSIDE: Self =
        Self { start: 0, end: 0, hash: 0, value: 0, shape: Shape::NONE, gap: gap::TEXT };

    pub(crate) fn has(self, flags: u16) -> bool {
        self.value & flags != 0
    }

    pub(crate) fn is_mark(self, mark: u8) -> bool {
        self.shape == Shape::MARK && self.hash == mark_hash(u32::from(mark))
    }

    pub(crate) fn len(self) -> usize {
        (self.end - self.start) as usize
    }
}

/// Fills `tokens`. `covered` is sorted and disjoint.
pub(crate) fn tokenize(text: &str, covered: &[(u32, u32)], words: &Words, tokens: &mut Vec<Token>) {
    tokens.clear();
    let bytes = text.as_bytes();
    let mut covered = covered.iter().copied().filter(|range| range.0 < range.1).peekable();
    let mut at = 0;
    let mut gap = gap::TEXT;
    while let Some(&byte) = bytes.get(at) {
        if let Some(&(start, end)) = covered.peek()
            && start as usize <= at
        {
            covered.next();
            if end as usize > at {
                tokens.push(covered_token(at, end as usize, gap));
                gap = gap::NONE;
                at = end as usize;
            }
            continue;
        }
        let limit = covered.peek().map_or(bytes.len(), |range| range.0 as usize);
        if byte == b' ' || byte == b'\t' {
            gap = gap.max(gap::SPACE);
            at += 1;
        } else if byte == b'\n' || byte == b'\r' {
            gap = gap.max(gap::LINE);
            at += 1;
        } else if is_written_break(bytes, at) {
            gap = gap.max(gap::LINE);
            at += 2;
        } else if byte.is_ascii_alphanumeric() || byte >= 0x80 {
            let (token, end) = word(text, at, limit, gap, words);
            at = end;
            match token {
                Some(token) => {
                    tokens.push(token);
                    gap = gap::NONE;
                }
                None => gap = gap.max(gap::SPACE),
            }
        } else if byte == b'['
            && let Some(end) = mask::end_of(bytes, at)
        {
            tokens.push(covered_token(at, end, gap));
            gap = gap::NONE;
            at = end;
        } else {
            tokens.push(mark(at, at + 1, u32::from(byte), gap));
            gap = gap::NONE;
            at += 1;
        }
    }
}

/// Makes one covered token of the tokens in each range, as cutting the text anew would, and tells where these are.
/// Ranges are sorted and disjoint, and begin and end with tokens.
pub(crate) fn cover(tokens: &mut Vec<Token>, ranges: &[(u32, u32)], places: &mut Vec<u32>) {
    places.clear();
    let mut ranges = ranges.iter().copied().peekable();
    let mut kept = 0;
    let mut at = 0;
    while let Some(&token) = tokens.get(at) {
        while ranges.next_if(|range| range.1 <= token.start).is_some() {}
        at += 1;
        tokens[kept] = token;
        if let Some((start, end)) = ranges.next_if(|range| range.0 <= token.start) {
            tokens[kept] = covered_token(start as usize, end as usize, token.gap);
            places.push(kept as u32);
            while tokens.get(at).is_some_and(|token| token.start < end) {
                at += 1;
            }
        }
        kept += 1;
    }
    tokens.truncate(kept);
}

/// `\n` as two characters, as exports of helpdesks have it. In `C:\new` a small letter follows.
fn is_written_break(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at..at + 2), Some(b"\\n" | b"\\r" | b"\\t"))
        && bytes.get(at + 2).is_none_or(|next| !next.is_ascii_lowercase() && !next.is_ascii_digit())
}

fn covered_token(start: usize, end: usize, gap: u8) -> Token {
    Token { start: start as u32, end: end as u32, hash: 1, value: 0, shape: Shape::COVERED, gap }
}

fn mark(start: usize, end: usize, code: u32, gap: u8) -> Token {
    // Typographic marks count as their plain forms.
    let code = match char::from_u32(code) {
        Some('’' | '‘' | '´' | '`') => u32::from(b'\''),
        Some('“' | '”' | '„' | '«' | '»') => u32::from(b'"'),
        Some('–' | '—' | '−') => u32::from(b'-'),
        _ => code,
    };
    let hash = mark_hash(code);
    Token { start: start as u32, end: end as u32, hash, value: 0, shape: Shape::MARK, gap }
}

fn mark_hash(code: u32) -> u32 {
    code.wrapping_mul(0x9E37_79B1)
}

/// The word at `start`, or the mark if a non-ASCII character is one; nothing for white space.
fn word(text: &str, start: usize, limit: usize, gap: u8, words: &Words) -> (Option<Token>, usize) {
    let bytes = text.as_bytes();
    let mut hasher = Hasher::new();
    let (mut lower, mut upper, mut digits, mut first_upper) = (0_u32, 0_u32, 0_u32, false);
    let mut at = start;
    while at < limit {
        let byte = bytes[at];
        if byte < 0x80 {
            if byte.is_ascii_lowercase() {
                lower += 1;
                hasher.push(byte);
            } else if byte.is_ascii_uppercase() {
                first_upper |= at == start;
                upper += 1;
                hasher.push(byte | 0x20);
            } else if byte.is_ascii_digit() {
                digits += 1;
                hasher.push(byte);
            } else {
                break;
            }
            at += 1;
            continue;
        }
        let Some(c) = text[at..].chars().next() else { break };
        let next = at + c.len_utf8();
        if c.is_alphanumeric() {
            if c.is_uppercase() {
                first_upper |= at == start;
                upper += 1;
            } else if c.is_numeric() {
                digits += 1;
            } else {
                lower += 1;
            }
            hasher.push_char(c);
        } else if ('\u{300}'..='\u{36F}').contains(&c) && at > start {
            hasher.push_char(c);
        } else if at == start {
            if c.is_whitespace() {
                return (None, next);
            }
            return (Some(mark(start, next, c as u32, gap)), next);
        } else {
            break;
        }
        at = next;
    }
    let shape = match (lower, upper, digits) {
        (_, 0, 0) => Shape::LOWER,
        (0, 0, 1) => Shape::DIGITS,
        (0, 0, 2..=3) => Shape(Shape::DIGITS.0 + 1),
        (0, 0, 4) => Shape(Shape::DIGITS.0 + 2),
        (0, 0, 5) => Shape(Shape::DIGITS.0 + 3),
        (0, 0, _) => Shape(Shape::DIGITS.0 + 4),
        (0, 1, 0) => Shape::INITIAL,
        (0, _, 0) => Shape::UPPER,
        (_, 1, 0) if first_upper => Shape::CAPITAL,
        (_, _, 0) => Shape::MIXED,
        _ if bytes[start].is_ascii_digit() => Shape::DIGIT_LETTER,
        _ => Shape::LETTER_DIGIT,
    };
    let key = hasher.finish();
    let value = if shape.is_word() { words.get(key) } else { 0 };
    let hash = short(key);
    (Some(Token { start: start as u32, end: at as u32, hash, value, shape, gap }), at)
}

/// A word's [`Token::hash`].
pub(crate) fn short(hash: u64) -> u32 {
    (hash ^ (hash >> 32)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, covered: &[(u32, u32)]) -> Vec<(String, u8, u8)> {
        let mut tokens = Vec::new();
        tokenize(text, covered, &Words::default(), &mut tokens);
        let part = |t: &Token| text[t.start as usize..t.end as usize].to_owned();
        tokens.iter().map(|t| (part(t), t.shape.0, t.gap)).collect()
    }

    #[test]
    fn words_marks_and_masks() {
        let parts = |text: &str| cut(text, &[]).into_iter().map(|t| (t.0, t.1)).collect::<Vec<_>>();
        let expect =
            |list: &[(&str, Shape)]| list.iter().map(|(t, s)| ((*t).to_owned(), s.0)).collect::<Vec<_>>();
        assert_eq!(
            parts("Élodie's 12b\u{A0}IBM-x [PERSON]!"),
            expect(&[
                ("Élodie", Shape::CAPITAL),
                ("'", Shape::MARK),
                ("s", Shape::LOWER),
                ("12b", Shape::DIGIT_LETTER),
                ("IBM", Shape::UPPER),
                ("-", Shape::MARK),
                ("x", Shape::LOWER),
                ("[PERSON]", Shape::COVERED),
                ("!", Shape::MARK),
            ])
        );
    }

    #[test]
    fn covering_tokens_gives_what_cutting_anew_gives() {
        let text = "Hi Ana-Maria Ruiz,\n12 Main St. in Oslo!";
        let range = |part: &str| {
            let at = text.find(part).unwrap() as u32;
            (at, at + part.len() as u32)
        };
        for ranges in
            [vec![], vec![range("Ana-Maria Ruiz")], vec![range("Hi"), range("12 Main St."), range("Oslo")]]
        {
            let (mut tokens, mut anew, mut places) = (Vec::new(), Vec::new(), Vec::new());
            tokenize(text, &[], &Words::default(), &mut tokens);
            cover(&mut tokens, &ranges, &mut places);
            tokenize(text, &ranges, &Words::default(), &mut anew);
            assert_eq!(format!("{tokens:?}"), format!("{anew:?}"));
            assert_eq!(places.len(), ranges.len());
            assert!(places.iter().all(|&at| tokens[at as usize].shape == Shape::COVERED));
        }
    }

    #[test]
    fn a_covered_range_and_its_mask_are_cut_alike() {
        let original = cut("Mail ana@x.org\nnow", &[(5, 14)]);
        let redacted = cut("Mail [EMAIL]\nnow", &[]);
        let forms = |tokens: &[(String, u8, u8)]| tokens.iter().map(|t| (t.1, t.2)).collect::<Vec<_>>();
        assert_eq!(forms(&original), forms(&redacted));
    }
}
