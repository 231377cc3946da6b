//! Characters as the featuriser sees them: folded into 16-bit codes, separators, masks.

/// A longer bracketed run is text, not a mask of the redactor.
const MAX_MASK: usize = 40;

pub(super) const MUL: u64 = 0x9E37_79B9_7F4A_7C15; // 2^64 / golden ratio (Knuth, TAOCP 6.4: multiplicative hashing)
pub(super) const MUL2: u64 = 0xD6E8_FEB8_6659_FD93;
pub(super) const BIGRAM: u64 = 0xA076_1D64_78BD_642F;

/// Code of an ASCII byte: 0 separates, otherwise the folded letter.
pub(super) const ASCII: [u8; 128] = {
    let mut table = [0u8; 128];
    let mut i = 0;
    while i < 128 {
        let b = i as u8;
        table[i] = if b.is_ascii_alphabetic() {
            b.to_ascii_lowercase()
        } else if b.is_ascii_digit() {
            b'0'
        } else {
            0
        };
        i += 1;
    }
    table
};

/// U+00C0 to U+017F without case and diacritics; a space separates.
const LATIN: &[u8; 192] = b"aaaaaaaceeeeiiiidnooooo ouuuuytsaaaaaaaceeeeiiiidnooooo ouuuuyty\
aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkklllllll\
lllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

pub(super) enum Char {
    Separator,
    Skip,
    Letter(u16),
    Token(u16),
}

pub(super) fn classify(c: char) -> Char {
    let code = c as u32;
    match code {
        0xC0..=0x17F => match LATIN[(code - 0xC0) as usize] {
            b' ' => Char::Separator,
            b => Char::Letter(u16::from(b)),
        },
        // typographic apostrophes, combining marks, Arabic vowel signs, joiners, variation selectors
        0x2018 | 0x2019 | 0x02BC | 0x0300..=0x036F | 0x064B..=0x065F | 0x200B..=0x200D | 0xFE00..=0xFE0F => {
            Char::Skip
        }
        // Indic blocks: vowel signs and viramas belong to the word though they are not alphabetic
        0x0900..=0x0963 | 0x0971..=0x0DFF => Char::Letter(code as u16),
        // Thai and Lao, kana, Han, Hangul excluded (it is written with spaces)
        0x0E01..=0x0EFF | 0x3041..=0x30FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0x20000..=0x3FFFF => {
            Char::Token(fold16(code))
        }
        // arrows, symbols, dingbats, emoji; skin tones say nothing
        0x1F3FB..=0x1F3FF => Char::Skip,
        0x2600..=0x27BF | 0x1F000..=0x1FAFF => Char::Token(fold16(code)),
        _ if c.is_alphabetic() => Char::Letter(fold16(c.to_lowercase().next().unwrap_or(c) as u32)),
        _ if c.is_numeric() => Char::Letter(u16::from(b'0')),
        _ => Char::Separator,
    }
}

/// A character as the featuriser sees it, for comparing words outside of it: `None` separates.
pub(crate) fn fold(c: char) -> Option<char> {
    if c.is_ascii() {
        return (ASCII[c as usize] != 0).then(|| char::from(ASCII[c as usize]));
    }
    match classify(c) {
        Char::Separator | Char::Skip => None,
        Char::Letter(code) if code < 128 => Some(char::from(code as u8)),
        Char::Letter(_) | Char::Token(_) => Some(c),
    }
}

fn fold16(code: u32) -> u16 {
    (code ^ (code >> 16)) as u16
}

/// Length in bytes of a mask `[A-Z][A-Z0-9_ ]*]` after the opening bracket, with the bracket that closes it,
/// and of its name without a trailing `_3`.
pub(crate) fn mask_len(after_bracket: &[u8]) -> Option<(usize, usize)> {
    if !after_bracket.first()?.is_ascii_uppercase() {
        return None;
    }
    let close = after_bracket.iter().take(MAX_MASK).position(|&b| b == b']')?;
    let name = &after_bracket[..close];
    if !name.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_' || *b == b' ') {
        return None;
    }
    let trimmed = name.iter().rposition(|b| !b.is_ascii_digit() && *b != b'_').map_or(0, |i| i + 1);
    Some((close + 1, trimmed))
}
