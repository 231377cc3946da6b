//! Pseudonyms and keyed hashes: the same value gives the same word, and only who has the key can tell which.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::kind::PiiKind;
use crate::view;

/// The secret under which a tenant's values become pseudonyms and hashes.
///
/// Both are taken from `HMAC-SHA256(key, KIND ‖ 0x00 ‖ normal form)` (RFC 2104, FIPS 198-1). The normal form folds
/// what the folded view folds (full-width digits, characters without width …), and then
///
/// * of numbers keeps letters and digits, in upper case (`DE89 3704…` is `DE893704…`);
/// * of phone numbers keeps digits and a leading `+`;
/// * of everything else collapses white space and takes lower case.
///
/// A hash shows the first 128 bits in hexadecimal, whose digits `0` to `9` are written `g` to `p`: what has no
/// digits is taken for no number, here or by whoever reads the text next. A pseudonym shows the first 48 bits as
/// three proquints (D. S. Wilkerson, "A Proposal for Proquints", arXiv:0901.4016), which people can tell apart and
/// say; among a million values of a tenant two share one with a probability of 1 in 560.
#[derive(Clone)]
pub struct PseudonymKey(Zeroizing<[u8; 32]>);

impl PseudonymKey {
    /// A key from its bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// What a value of the kind is shown as under [`Policy::Hash`](crate::Policy::Hash), without the mask around it.
    #[must_use]
    pub fn hash(&self, kind: PiiKind, value: &str) -> String {
        let mut out = String::new();
        Keyed::new(self).push_hash(kind, value, &mut out);
        out
    }

    /// What a value of the kind is shown as under [`Policy::Pseudonym`](crate::Policy::Pseudonym).
    #[must_use]
    pub fn pseudonym(&self, kind: PiiKind, value: &str) -> String {
        let mut out = String::new();
        Keyed::new(self).push_pseudonym(kind, value, &mut out);
        out
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PseudonymKey")
    }
}

/// The key, ready for use.
#[derive(Clone)]
pub(crate) struct Keyed(Hmac<Sha256>);

const HASH_BYTES: usize = 16;
const CONSONANTS: &[u8; 16] = b"bdfghjklmnprstvz";
const VOWELS: &[u8; 4] = b"aiou";

impl Keyed {
    pub(crate) fn new(key: &PseudonymKey) -> Self {
        Self(Hmac::new_from_slice(&*key.0).expect("HMAC takes keys of any length"))
    }

    fn digest(&self, kind: PiiKind, value: &str) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(kind.as_str().as_bytes());
        mac.update(&[0]);
        mac.update(normal_form(kind, value).as_bytes());
        mac.finalize().into_bytes().into()
    }

    pub(crate) fn push_hash(&self, kind: PiiKind, value: &str, out: &mut String) {
        let letter = |nibble: u8| char::from(if nibble < 10 { b'g' + nibble } else { b'a' + nibble - 10 });
        for byte in &self.digest(kind, value)[..HASH_BYTES] {
            out.push(letter(byte >> 4));
            out.push(letter(byte & 15));
        }
    }

    pub(crate) fn push_pseudonym(&self, kind: PiiKind, value: &str, out: &mut String) {
        let digest = self.digest(kind, value);
        for (i, pair) in digest[..6].chunks_exact(2).enumerate() {
            if i > 0 {
                out.push('-');
            }
            push_quint(u16::from_be_bytes([pair[0], pair[1]]), out);
        }
    }
}

fn push_quint(bits: u16, out: &mut String) {
    let consonant = |shift: u16| char::from(CONSONANTS[usize::from(bits >> shift & 15)]);
    let vowel = |shift: u16| char::from(VOWELS[usize::from(bits >> shift & 3)]);
    out.extend([consonant(12), vowel(10), consonant(6), vowel(4), consonant(0)]);
}

/// The length of the hash that `bytes` start with.
pub(crate) fn hash_at(bytes: &[u8]) -> Option<usize> {
    let length = 2 * HASH_BYTES;
    bytes.get(..length)?.iter().all(|b| (b'a'..=b'p').contains(b)).then_some(length)
}

/// The length of the pseudonym that `bytes` start with.
pub(crate) fn pseudonym_at(bytes: &[u8]) -> Option<usize> {
    let is_quint = |quint: &[u8]| {
        quint
            .iter()
            .enumerate()
            .all(|(i, b)| if i % 2 == 0 { CONSONANTS.contains(b) } else { VOWELS.contains(b) })
    };
    let word = bytes.get(..17)?;
    let parts = [&word[..5], &word[6..11], &word[12..]];
    (word[5] == b'-' && word[11] == b'-' && parts.into_iter().all(is_quint)).then_some(17)
}

fn normal_form(kind: PiiKind, value: &str) -> String {
    let folded = view::folded(value);
    if kind == PiiKind::Phone {
        let plus = folded.trim_start_matches(|c: char| !c.is_ascii_digit() && c != '+').starts_with('+');
        let digits = folded.chars().filter(char::is_ascii_digit);
        return plus.then_some('+').into_iter().chain(digits).collect();
    }
    if kind.is_number() {
        return folded.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect();
    }
    text_form(&folded)
}

/// Words in lower case with one space between them.
pub(crate) fn text_form(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().flat_map(char::to_lowercase));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use PiiKind::{Email, Iban, Person, Phone};

    fn key(seed: u8) -> PseudonymKey {
        PseudonymKey::new([seed; 32])
    }

    #[test]
    fn a_hash_is_what_its_documentation_says() {
        let mut mac = Hmac::<Sha256>::new_from_slice(&[7; 32]).unwrap();
        mac.update(b"EMAIL\0ana@example.com");
        let digest = mac.finalize().into_bytes();
        let hex: String = digest[..16].iter().map(|b| format!("{b:02x}")).collect();
        let letters: String =
            hex.chars().map(|c| c.to_digit(10).map_or(c, |digit| char::from(b'g' + digit as u8))).collect();
        assert_eq!(key(7).hash(Email, " Ana@Example.com"), letters);
        assert_eq!(hash_at(letters.as_bytes()), Some(32));
    }

    #[test]
    fn a_pseudonym_is_three_proquints() {
        // The example of the proposal: 127.0.0.1 is lusab-babad.
        let mut out = String::new();
        [0x7f00, 0x0001].into_iter().for_each(|bits| push_quint(bits, &mut out));
        assert_eq!(out, "lusabbabad");
        let word = key(7).pseudonym(Person, "Ana Ruiz");
        assert_eq!(pseudonym_at(word.as_bytes()), Some(17), "{word}");
        assert_eq!(word, key(7).pseudonym(Person, "ANA\n ruiz"));
    }

    #[test]
    fn forms_of_one_value_are_alike_and_kinds_and_tenants_are_not() {
        let own = key(1);
        assert_eq!(own.hash(Iban, "DE89 3704 0044 0532 0130 00"), own.hash(Iban, "de89370400440532013000"));
        assert_eq!(own.hash(Phone, "+44 20 7946-0018"), own.hash(Phone, "(+44) 20 79460018"));
        assert_ne!(own.hash(Phone, "+1 2"), own.hash(Phone, "12"));
        assert_eq!(own.hash(Email, "ana＠example.com"), own.hash(Email, "ana@example.com"));
        assert_ne!(own.hash(Person, "ana"), own.hash(Email, "ana"));
        assert_ne!(own.hash(Person, "ana"), key(2).hash(Person, "ana"));
    }
}
