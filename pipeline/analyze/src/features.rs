//! Text to feature rows: the one featuriser that training and inference share.
//!
//! A ticket is folded once into 16-bit character codes and cut into tokens; each token yields its word, the
//! bigram with the token before it, and parts of the word: character n-grams, prefixes and suffixes. Every feature is a row number
//! in one hashed table ([`FeatureParams::bits`] bits, no dictionary, collisions accepted), so all heads read
//! the same rows. Nothing is allocated once the scratch vectors have grown.
//!
//! Folding: letters are lower-cased and lose the diacritics of Latin-1 and Latin Extended-A (people leave
//! them out when they are in a hurry), digits become `0`, apostrophes vanish (`don't` = `dont`). `!`, `?` and
//! each emoji are tokens; each Han, kana or Thai character is a token. A mask such as `[EMAIL]` or
//! `[PERSON_3]` is exactly one token (its number dropped), without character n-grams; `@name` and a URL are
//! one token each, whatever they contain.

use serde::{Deserialize, Serialize};

/// How text becomes rows. Stored in the model file: weights mean nothing under other parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureParams {
    /// The table has `2^bits` rows.
    pub bits: u8,
    /// Mixed into every hash.
    pub seed: u64,
    /// Whether adjacent tokens yield a feature of their own.
    pub word_bigrams: bool,
    /// Lengths of the character n-grams, each 2 to 8, of the word padded by one mark on either side.
    pub char_ngrams: Vec<u8>,
    /// Lengths of prefixes and suffixes of longer words, each 2 to 8: the endings and stems that n-grams would
    /// find, for a fraction of the rows read.
    pub affixes: Vec<u8>,
    /// Bytes of a text that are read: three quarters from its start, one quarter from its end.
    pub max_bytes: u32,
}

impl FeatureParams {
    /// Number of rows of the table.
    #[must_use]
    pub fn rows(&self) -> usize {
        1 << self.bits
    }
}

/// One sentence of the text: where it lies and which word features it holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sentence {
    pub start: u32,
    pub end: u32,
    pub first_word: u32,
    pub end_word: u32,
}

/// Rows of one text. Reused between texts.
#[derive(Debug, Default)]
pub(crate) struct Features {
    /// Rows of words and word bigrams, in the order of the text.
    pub words: Vec<u32>,
    /// Rows of character n-grams.
    pub grams: Vec<u32>,
    /// Tokens that are words, characters or emoji, not masks, mentions or exclamation marks.
    pub plain: usize,
    /// Sentences of the part added last by [`Features::add`], in order.
    pub sentences: Vec<Sentence>,
}

/// More sentences than this are not candidates for a summary: it comes from the start of a ticket anyway.
const MAX_SENTENCES: usize = 48;
/// A word is cut here, so that a base64 blob does not become thousands of n-grams.
const MAX_WORD: usize = 32;
/// A longer bracketed run is text, not a mask of the redactor.
const MAX_MASK: usize = 40;

/// The letters of the word being read.
struct Word {
    letters: [u16; MAX_WORD],
    len: usize,
}

impl Word {
    #[inline(always)]
    fn push(&mut self, code: u16) {
        if let Some(slot) = self.letters.get_mut(self.len) {
            *slot = code;
            self.len += 1;
        }
    }

    #[inline(always)]
    fn as_slice(&self) -> &[u16] {
        &self.letters[..self.len]
    }
}

const MUL: u64 = 0x9E37_79B9_7F4A_7C15; // 2^64 / golden ratio (Knuth, TAOCP 6.4: multiplicative hashing)
const MUL2: u64 = 0xD6E8_FEB8_6659_FD93;
const BIGRAM: u64 = 0xA076_1D64_78BD_642F;

/// Code of an ASCII byte: 0 separates, otherwise the folded letter.
const ASCII: [u8; 128] = {
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

enum Char {
    Separator,
    Skip,
    Letter(u16),
    Token(u16),
}

fn classify(c: char) -> Char {
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

/// The part of a text that is read: all of it, or its start and its end.
pub(crate) fn window(text: &str, max_bytes: usize) -> (&str, &str) {
    if text.len() <= max_bytes {
        return (text, "");
    }
    let head = text.floor_char_boundary(max_bytes / 4 * 3);
    let tail = text.ceil_char_boundary(text.len() - max_bytes / 4);
    (&text[..head], &text[tail..])
}

impl Features {
    pub fn clear(&mut self) {
        self.plain = 0;
        self.words.clear();
        self.grams.clear();
        self.sentences.clear();
    }

    /// Number of features, the `n` of the `1/sqrt(n)` normalisation.
    pub fn len(&self) -> usize {
        self.words.len() + self.grams.len()
    }

    /// Adds the features of `text`, and notes its sentences in place of those of the part before.
    pub fn add(&mut self, text: &str, params: &FeatureParams) {
        self.sentences.clear();
        Cursor::new(self, params).run(text);
    }
}

struct Cursor<'a> {
    out: &'a mut Features,
    word: Word,
    params: &'a FeatureParams,
    shift: u32,
    previous: u64,
    sentence_start: usize,
    sentence_words: usize,
}

impl<'a> Cursor<'a> {
    fn new(out: &'a mut Features, params: &'a FeatureParams) -> Self {
        let sentence_words = out.words.len();
        Cursor {
            shift: 64 - u32::from(params.bits),
            word: Word { letters: [0; MAX_WORD], len: 0 },
            out,
            params,
            previous: 0,
            sentence_start: 0,
            sentence_words,
        }
    }

    fn run(mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut i = 0;
        while i < bytes.len() {
            let b = bytes[i];
            if b < 128 {
                let code = ASCII[b as usize];
                if code != 0 {
                    self.letter(u16::from(code));
                    i += 1;
                } else {
                    i = self.punctuation(bytes, i);
                }
                continue;
            }
            let c = text[i..].chars().next().unwrap_or(' ');
            match classify(c) {
                Char::Letter(code) => self.letter(code),
                Char::Skip => {}
                Char::Token(code) => {
                    self.end_word();
                    self.out.plain += 1;
                    self.token(u64::from(code));
                }
                Char::Separator => {
                    self.end_word();
                    // ideographic full stop, full-width ! and ?, danda
                    if matches!(c, '\u{3002}' | '\u{FF01}' | '\u{FF1F}' | '\u{0964}') {
                        self.end_sentence(i + c.len_utf8());
                    }
                }
            }
            i += c.len_utf8();
        }
        self.end_word();
        self.end_sentence(bytes.len());
    }

    /// Handles a separating ASCII byte; returns where to read on.
    fn punctuation(&mut self, bytes: &[u8], i: usize) -> usize {
        match bytes[i] {
            b'\'' => return i + 1,
            b'!' | b'?' => {
                self.end_word();
                let run = bytes[i..].iter().take_while(|&&b| b == bytes[i]).count();
                // one, or several: the number beyond that is temper, not meaning
                self.token(u64::from(bytes[i]) | (u64::from(run > 1) << 8));
                self.end_sentence(i + run);
                return i + run;
            }
            b'.' => {
                self.end_word();
                if bytes.get(i + 1).is_none_or(u8::is_ascii_whitespace) {
                    self.end_sentence(i + 1);
                }
            }
            b'\n' => {
                self.end_word();
                self.end_sentence(i);
            }
            b'[' => {
                self.end_word();
                if let Some((len, name)) = mask_len(&bytes[i + 1..]) {
                    let mut h = u64::from(b'[');
                    for &b in &bytes[i + 1..i + 1 + name] {
                        h = (h ^ u64::from(b)).wrapping_mul(MUL2);
                    }
                    self.token(h);
                    return i + 1 + len;
                }
            }
            b'@' if self.word.len == 0 => {
                let len =
                    bytes[i + 1..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
                if len > 0 {
                    self.token(u64::from(b'@'));
                    return i + 1 + len;
                }
            }
            b':' if bytes[i..].starts_with(b"://") && is_scheme(self.word.as_slice()) => {
                self.word.len = 0;
                self.url();
                return i + bytes[i..].iter().take_while(|b| !b.is_ascii_whitespace()).count();
            }
            _ => self.end_word(),
        }
        i + 1
    }

    #[inline(always)]
    fn letter(&mut self, code: u16) {
        self.word.push(code);
    }

    fn url(&mut self) {
        // the same word as a bare "http", which is how published tweet corpora mask links
        for &b in b"http" {
            self.word.push(u16::from(b));
        }
        self.end_word();
    }

    #[inline(always)]
    fn end_word(&mut self) {
        let len = self.word.len;
        if len == 0 {
            return;
        }
        let word = &self.word.letters[..len];
        let mut h = self.params.seed;
        for &c in word {
            h = (h ^ u64::from(c)).wrapping_mul(MUL2);
        }
        // a word shorter than an n-gram would only repeat itself
        if len >= 4 {
            for &n in &self.params.char_ngrams {
                let salt = self.params.seed ^ u64::from(n).wrapping_mul(BIGRAM);
                if n <= 4 {
                    short_grams(word, n, salt, self.shift, &mut self.out.grams);
                } else {
                    long_grams(word, n, salt, self.shift, &mut self.out.grams);
                }
            }
        }
        for &n in &self.params.affixes {
            let n = usize::from(n);
            if len > n {
                let salt = self.params.seed ^ (n as u64).wrapping_mul(MUL2);
                let hash = |mark: u64, part: &[u16]| {
                    let h = part.iter().fold(salt ^ mark, |h, &c| (h ^ u64::from(c)).wrapping_mul(MUL2));
                    ((h ^ (h >> 29)).wrapping_mul(MUL) >> self.shift) as u32
                };
                self.out.grams.push(hash(1 << 32, &word[..n]));
                self.out.grams.push(hash(2 << 32, &word[len - n..]));
            }
        }
        self.word.len = 0;
        self.out.plain += 1;
        self.token_hashed(h);
    }

    fn token(&mut self, key: u64) {
        self.token_hashed((key ^ self.params.seed ^ 0x5EED_0000_0000).wrapping_mul(MUL2));
    }

    #[inline(always)]
    fn token_hashed(&mut self, h: u64) {
        let h = h ^ (h >> 31);
        self.out.words.push((h.wrapping_mul(MUL) >> self.shift) as u32);
        if self.params.word_bigrams && self.previous != 0 {
            let pair = self.previous.rotate_left(21).wrapping_mul(BIGRAM) ^ h;
            self.out.words.push(((pair ^ (pair >> 32)).wrapping_mul(MUL) >> self.shift) as u32);
        }
        self.previous = h;
    }

    fn end_sentence(&mut self, end: usize) {
        let words = self.out.words.len();
        if words > self.sentence_words && self.out.sentences.len() < MAX_SENTENCES {
            self.out.sentences.push(Sentence {
                start: self.sentence_start as u32,
                end: end as u32,
                first_word: self.sentence_words as u32,
                end_word: words as u32,
            });
        }
        self.sentence_start = end;
        self.sentence_words = words;
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

fn is_scheme(word: &[u16]) -> bool {
    let is = |s: &[u8]| word.len() == s.len() && word.iter().zip(s).all(|(&a, &b)| a == u16::from(b));
    is(b"http") || is(b"https")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params() -> FeatureParams {
        FeatureParams {
            bits: 18,
            seed: 7,
            word_bigrams: true,
            char_ngrams: vec![4],
            affixes: vec![],
            max_bytes: 4096,
        }
    }

    fn features(text: &str) -> Features {
        let mut f = Features::default();
        f.add(text, &params());
        f
    }

    #[test]
    fn case_diacritics_and_apostrophes_fold() {
        let plain = features("i dont know your uber cafe 000");
        let fancy = features("I don't know your Über CAFÉ 427");
        assert_eq!(plain.words, fancy.words);
        assert_eq!(plain.grams, fancy.grams);
        assert_eq!(features("I don\u{2019}t know").words, features("i dont know").words);
    }

    #[test]
    fn the_latin_table_folds_letter_by_letter() {
        for (c, folded) in [
            ('À', b'a'),
            ('Ö', b'o'),
            ('ß', b's'),
            ('ö', b'o'),
            ('ÿ', b'y'),
            ('Ł', b'l'),
            ('ł', b'l'),
            ('ń', b'n'),
            ('œ', b'o'),
            ('ř', b'r'),
            ('š', b's'),
            ('ű', b'u'),
            ('Ź', b'z'),
            ('ž', b'z'),
            ('ě', b'e'),
            ('ğ', b'g'),
            ('ı', b'i'),
            ('Ā', b'a'),
            ('ŧ', b't'),
            ('ŵ', b'w'),
        ] {
            match classify(c) {
                Char::Letter(code) => assert_eq!(code, u16::from(folded), "{c}"),
                _ => panic!("{c} is a letter"),
            }
        }
        assert!(matches!(classify('×'), Char::Separator));
    }

    #[test]
    fn a_mask_is_one_token() {
        let f = features("[PERSON_3]");
        assert_eq!((f.words.len(), f.grams.len()), (1, 0));
        assert_eq!(f.words, features("[PERSON]").words);
        assert_eq!(f.words, features("[PERSON_12]").words);
        assert_ne!(f.words, features("[EMAIL]").words);
        assert_eq!(features("mail [EMAIL] now").words.len(), 5);
        // not a mask: brackets are only punctuation
        assert_eq!(features("[sic]").words, features("sic").words);
        assert_eq!(features("[UNCLOSED").words, features("unclosed").words);
    }

    #[test]
    fn character_ngrams_are_those_of_the_padded_word() {
        // <refund> has <ref refu efun fund und> of four, <refu refun efund fund> of five
        for (n, count) in [(2, 7), (3, 6), (4, 5), (5, 4), (8, 1)] {
            let params = FeatureParams { char_ngrams: vec![n], ..params() };
            let mut f = Features::default();
            f.add("refund", &params);
            assert_eq!(f.grams.len(), count, "{n}");
            // refunds shares all but those that reach its end
            let mut g = Features::default();
            g.add("refunds", &params);
            assert_eq!(f.grams[..count - 1], g.grams[..count - 1], "{n}");
            assert_ne!(f.grams[count - 1], g.grams[count - 1], "{n}");
        }
    }

    #[test]
    fn affixes_are_the_ends_of_longer_words() {
        let params = FeatureParams { char_ngrams: vec![], affixes: vec![3], ..params() };
        let grams = |text: &str| {
            let mut f = Features::default();
            f.add(text, &params);
            f.grams
        };
        let (refund, refused, fund) = (grams("refund"), grams("refused"), grams("fund"));
        assert_eq!(refund.len(), 2);
        assert_eq!(refund[0], refused[0], "prefix ref");
        assert_eq!(refund[1], fund[1], "suffix und");
        assert_ne!(grams("undo")[0], refund[1], "a prefix is no suffix");
        assert!(grams("the").is_empty());
    }

    #[test]
    fn links_and_mentions_are_one_token() {
        assert_eq!(features("see https://a.example/x?y=1 now").words, features("see http now").words);
        assert_eq!(features("@someone_else").words, features("@user").words);
        assert_eq!(features("@someone").words.len(), 1);
    }

    #[test]
    fn scripts_without_spaces_yield_characters() {
        assert_eq!(features("返金").words.len(), 3);
        assert_eq!(features("👍").words.len(), 1);
        assert!(features(" \n\t .,;").words.is_empty());
    }

    #[test]
    fn sentences_cover_the_words() {
        let text = "Hello there. My order v1.2 is late! Why\nThanks";
        let f = features(text);
        let cut: Vec<&str> =
            f.sentences.iter().map(|s| text[s.start as usize..s.end as usize].trim()).collect();
        assert_eq!(cut, ["Hello there.", "My order v1.2 is late!", "Why", "Thanks"]);
        assert_eq!(f.sentences.last().unwrap().end_word as usize, f.words.len());
    }

    #[test]
    fn a_long_text_is_read_at_both_ends() {
        let text = "ä".repeat(10_000);
        let (head, tail) = window(&text, 4096);
        assert_eq!((head.len(), tail.len()), (3072, 1024));
        assert_eq!(window("short", 4096), ("short", ""));
    }
}
