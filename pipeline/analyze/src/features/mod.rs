//! Text to feature rows: the one featuriser that training and inference share.
//!
//! A ticket is folded once into 16-bit character codes and cut into tokens; each token yields its word, the
//! bigram with the token before it, and parts of the word: character n-grams, prefixes and suffixes. Every
//! feature is a row number in one hashed table ([`FeatureParams::bits`] bits, no dictionary, collisions accepted), so all heads read
//! the same rows. Nothing is allocated once the scratch vectors have grown.
//!
//! Folding: letters are lower-cased and lose the diacritics of Latin-1 and Latin Extended-A (people leave
//! them out when they are in a hurry), digits become `0`, apostrophes vanish (`don't` = `dont`). `!`, `?` and
//! each emoji are tokens; each Han, kana or Thai character is a token. A mask such as `[EMAIL]` or
//! `[PERSON_3]` is exactly one token (its number dropped), without character n-grams; `@name` and a URL are
//! one token each, whatever they contain.

mod fold;
mod parts;

use fold::{ASCII, BIGRAM, Char, MUL, MUL2, classify};
use serde::{Deserialize, Serialize};

pub(crate) use fold::{fold, mask_len};

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
    /// How much one feature counts in a text of many.
    #[serde(default, skip_serializing_if = "Norms::is_joint")]
    pub norms: Norms,
}

/// How much one feature counts in a text of many: the vector of its features is brought to length 1 before it is weighed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Norms {
    /// All features together.
    #[default]
    Joint,
    /// Words (and their bigrams) for themselves, and parts of words for themselves: the parts are several times as many and
    /// would have nearly all the say.
    ByKind,
}

impl Norms {
    /// The factors of words and of parts, for so many of each.
    pub(crate) fn of(self, [words, parts]: [usize; 2]) -> [f32; 2] {
        let norm = |count: usize| (count.max(1) as f32).sqrt().recip();
        match self {
            Self::Joint => [norm(words + parts); 2],
            Self::ByKind => [norm(words), norm(parts)],
        }
    }

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "what serde hands over")]
    fn is_joint(&self) -> bool {
        *self == Self::Joint
    }
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

/// A word of the text whose parts are features too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spelled {
    /// Of its letters.
    pub hash: u64,
    start: u32,
    len: u32,
}

/// Rows of one text. Reused between texts.
#[derive(Debug, Default)]
pub(crate) struct Features {
    /// Rows of words and word bigrams, in the order of the text.
    pub words: Vec<u32>,
    /// Words that have parts, in the order of the text.
    pub spelled: Vec<Spelled>,
    /// Number of parts of all of them.
    pub parts: usize,
    /// The letters of these words, one word after the other.
    letters: Vec<u16>,
    /// Tokens that are words, characters or emoji, not masks, mentions or exclamation marks.
    pub plain: usize,
    /// Sentences of the part added last by [`Features::add`], in order.
    pub sentences: Vec<Sentence>,
}

/// More sentences than this are not candidates for a summary: it comes from the start of a ticket anyway.
const MAX_SENTENCES: usize = 48;
/// A word is cut here, so that a base64 blob does not become thousands of n-grams.
const MAX_WORD: usize = 32;

/// The letters of the word being read.
struct Word {
    letters: [u16; MAX_WORD],
    len: usize,
    /// Of the letters so far.
    hash: u64,
    seed: u64,
}

impl Word {
    fn new(seed: u64) -> Self {
        Self { letters: [0; MAX_WORD], len: 0, hash: seed, seed }
    }

    fn clear(&mut self) {
        self.len = 0;
        self.hash = self.seed;
    }

    #[inline(always)]
    fn push(&mut self, code: u16) {
        if let Some(slot) = self.letters.get_mut(self.len) {
            *slot = code;
            self.len += 1;
            self.hash = (self.hash ^ u64::from(code)).wrapping_mul(MUL2);
        }
    }

    #[inline(always)]
    fn as_slice(&self) -> &[u16] {
        &self.letters[..self.len]
    }
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
        self.spelled.clear();
        self.parts = 0;
        self.letters.clear();
        self.sentences.clear();
    }

    /// Appends the rows of a word's parts. They are not kept beside the word, since most words are met again and
    /// again: whoever sums rows remembers the sum.
    pub fn parts_of(&self, word: Spelled, params: &FeatureParams, rows: &mut Vec<u32>) {
        parts::rows(&self.letters[word.start as usize..][..word.len as usize], params, rows);
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
            word: Word::new(params.seed),
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
                let letters = self.letters(&bytes[i..]);
                i = if letters > 0 { i + letters } else { self.punctuation(bytes, i) };
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
                self.word.clear();
                self.url();
                return i + bytes[i..].iter().take_while(|b| !b.is_ascii_whitespace()).count();
            }
            _ => self.end_word(),
        }
        i + 1
    }

    /// Takes in the ASCII letters and digits that come next; says how many they are.
    #[inline(always)]
    fn letters(&mut self, bytes: &[u8]) -> usize {
        let codes = bytes.iter().map(|&b| ASCII.get(usize::from(b)).copied().unwrap_or(0));
        codes.take_while(|&code| code != 0).inspect(|&code| self.word.push(u16::from(code))).count()
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
        let h = self.word.hash;
        let parts = parts::count(self.params, len);
        if parts > 0 {
            let start = self.out.letters.len() as u32;
            self.out.letters.extend_from_slice(self.word.as_slice());
            self.out.spelled.push(Spelled { hash: h, start, len: len as u32 });
            self.out.parts += parts;
        }
        self.word.clear();
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

fn is_scheme(word: &[u16]) -> bool {
    let is = |s: &[u8]| word.len() == s.len() && word.iter().zip(s).all(|(&a, &b)| a == u16::from(b));
    is(b"http") || is(b"https")
}

#[cfg(test)]
mod tests;
