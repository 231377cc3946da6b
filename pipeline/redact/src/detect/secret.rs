//! Secrets: keys of known issuers by their format, private key blocks, bearer tokens, and values that are
//! assigned to a word such as `password` or `api_key`.

use super::chars::{
    ceil_boundary, ends_with, floor_boundary, skip, skip_all, skip_back, starts_with, word_before,
};
use super::{Sink, names};
use crate::context::has_mask;
use crate::lexicon::{Hit, Word};

/// A key format: prefix and what follows it.
pub(crate) struct Format {
    pub prefix: &'static str,
    /// Bytes behind the prefix.
    min: usize,
    max: usize,
    alphabet: fn(u8) -> bool,
}

fn alphanumeric(b: u8) -> bool {
    b.is_ascii_alphanumeric()
}
fn upper(b: u8) -> bool {
    b.is_ascii_uppercase() || b.is_ascii_digit()
}
fn hex(b: u8) -> bool {
    b.is_ascii_hexdigit()
}
fn base64url(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'-' || b == b'_'
}
fn dotted(b: u8) -> bool {
    base64url(b) || b == b'.'
}

const MANY: usize = 512;

const fn format(prefix: &'static str, min: usize, max: usize, alphabet: fn(u8) -> bool) -> Format {
    Format { prefix, min, max, alphabet }
}

/// Formats as their issuers publish them (for secret scanning). `eyJ` is the start of every JWT: `{"` in base64.
pub(crate) const FORMATS: &[Format] = &[
    format("eyJ", 17, usize::MAX, dotted),
    format("AKIA", 16, 16, upper),
    format("ASIA", 16, 16, upper),
    format("ABIA", 16, 16, upper),
    format("AROA", 16, 16, upper),
    format("AIDA", 16, 16, upper),
    format("ghp_", 36, 251, alphanumeric),
    format("gho_", 36, 251, alphanumeric),
    format("ghu_", 36, 251, alphanumeric),
    format("ghs_", 36, 251, alphanumeric),
    format("ghr_", 36, 251, alphanumeric),
    format("github_pat_", 22, 251, base64url),
    format("glpat-", 20, 64, base64url),
    format("xoxa-", 10, 251, base64url),
    format("xoxb-", 10, 251, base64url),
    format("xoxe-", 10, 251, base64url),
    format("xoxe.", 10, 251, dotted),
    format("xoxo-", 10, 251, base64url),
    format("xoxp-", 10, 251, base64url),
    format("xoxr-", 10, 251, base64url),
    format("xoxs-", 10, 251, base64url),
    format("xapp-", 10, 251, base64url),
    format("sk_live_", 10, 251, alphanumeric),
    format("sk_test_", 10, 251, alphanumeric),
    format("rk_live_", 10, 251, alphanumeric),
    format("rk_test_", 10, 251, alphanumeric),
    format("pk_live_", 10, 251, alphanumeric),
    format("pk_test_", 10, 251, alphanumeric),
    format("whsec_", 16, 251, |b| base64url(b) || b"+/=".contains(&b)),
    format("AIza", 35, 35, base64url),
    format("ya29.", 20, MANY, base64url),
    format("GOCSPX-", 20, 64, base64url),
    format("sk-proj-", 20, MANY, base64url),
    format("sk-ant-", 20, MANY, base64url),
    format("sk-", 32, MANY, base64url),
    format("hf_", 30, 64, alphanumeric),
    format("npm_", 36, 36, alphanumeric),
    format("pypi-", 50, MANY, base64url),
    format("SG.", 40, 100, dotted),
    format("dop_v1_", 64, 64, hex),
    format("shpat_", 32, 32, hex),
    format("shpss_", 32, 32, hex),
    format("sq0csp-", 30, 64, base64url),
    format("EAACEdEose0cBA", 10, 251, alphanumeric),
    format("AGE-SECRET-KEY-1", 58, 58, upper),
    format("ATATT3", 40, MANY, |b| base64url(b) || b == b'='),
    format("ATCTT3", 40, MANY, |b| base64url(b) || b == b'='),
    format("lin_api_", 32, 64, alphanumeric),
    format("ntn_", 40, 64, alphanumeric),
    format("PMAK-", 50, 70, base64url),
    format("NRAK-", 27, 27, alphanumeric),
    format("glsa_", 32, 64, |b| b.is_ascii_alphanumeric() || b == b'_'),
    format("glc_", 32, MANY, |b| base64url(b) || b"+/=".contains(&b)),
    format("hvs.", 24, MANY, base64url),
    format("hvb.", 24, MANY, base64url),
    format("dapi", 32, 34, |b| hex(b) || b == b'-'),
    format("doo_v1_", 64, 64, hex),
    format("dor_v1_", 64, 64, hex),
    format("dckr_pat_", 20, 64, base64url),
    format("shpca_", 32, 32, hex),
    format("shppa_", 32, 32, hex),
    format("sq0atp-", 20, 64, base64url),
    format("EAAA", 60, 64, base64url),
    format("EAAB", 100, MANY, alphanumeric),
    format("HRKU-", 36, 64, base64url),
    format("dp.pt.", 40, 64, alphanumeric),
    format("pscale_tkn_", 30, 64, base64url),
    format("sk-svcacct-", 20, MANY, base64url),
    format("sk-or-v1-", 60, 70, hex),
    format("gsk_", 48, 64, alphanumeric),
    format("sbp_", 40, 44, hex),
    format("rubygems_", 48, 48, hex),
    format("pul-", 40, 40, hex),
    format("sntrys_", 40, MANY, |b| base64url(b) || b"+/=".contains(&b)),
    format("sl.", 60, MANY, base64url),
    format("key-", 32, 32, hex),
    format("tfp_", 40, 64, base64url),
    format("figd_", 40, 64, base64url),
    format("xai-", 60, 100, alphanumeric),
    format("r8_", 37, 37, alphanumeric),
    format("phc_", 40, 64, alphanumeric),
    format("AKCp", 69, 69, alphanumeric),
    format("CFPAT-", 40, 64, base64url),
];

/// How far the text has been read for secrets. What was read as one value is not read again as another, which
/// keeps `password=password=…` linear.
#[derive(Default)]
pub(super) struct Cursor {
    until: usize,
    /// From here on there is no end of a private key block.
    no_key_end_from: Option<usize>,
}

pub(super) fn find(text: &str, hit: Hit, cursor: &mut Cursor, sink: &mut Sink<'_>) {
    if (hit.start as usize) < cursor.until {
        return;
    }
    match hit.word {
        Word::Key(index) => known_format(text, hit, &FORMATS[usize::from(index)], cursor, sink),
        Word::Pem => private_key(text, hit, cursor, sink),
        Word::Bearer => bearer(text, hit, cursor, sink),
        _ => assigned(text, hit, cursor, sink),
    }
}

fn known_format(text: &str, hit: Hit, format: &Format, cursor: &mut Cursor, sink: &mut Sink<'_>) {
    let bytes = text.as_bytes();
    let start = hit.start as usize;
    // The lexicon ignores case, issuers don't.
    if !bytes[start..].starts_with(format.prefix.as_bytes()) || word_before(bytes, start) {
        return;
    }
    let from = hit.end as usize;
    let end = skip_all(bytes, from, format.alphabet);
    let end = from + bytes[from..end].len()
        - bytes[from..end].iter().rev().take_while(|b| !b.is_ascii_alphanumeric()).count();
    cursor.until = end;
    if !(format.min..=format.max).contains(&(end - from))
        || bytes.get(end).is_some_and(u8::is_ascii_alphanumeric)
    {
        return;
    }
    if format.prefix == "eyJ" {
        let mut parts = bytes[start..end].split(|&b| b == b'.');
        let long = |part: Option<&[u8]>| part.is_some_and(|part| part.len() >= 10);
        if long(parts.next()) && long(parts.next()) && parts.next().is_some() {
            sink.push(start, end, names::JWT, 0.99);
        }
    } else {
        sink.push(start, end, names::KEY_FORMAT, 0.98);
    }
}

/// `-----BEGIN … PRIVATE KEY-----` up to its end line, or to the end of what looks like its body.
fn private_key(text: &str, hit: Hit, cursor: &mut Cursor, sink: &mut Sink<'_>) {
    let bytes = text.as_bytes();
    let start = hit.start as usize;
    let label = hit.end as usize;
    let label_end = skip(bytes, label, 48, |b| b.is_ascii_alphanumeric() || b == b' ');
    if memchr::memmem::find(&bytes[label..label_end], b"PRIVATE KEY").is_none()
        || !bytes[label_end..].starts_with(b"-----")
    {
        return;
    }
    let body = label_end + 5;
    let closing = match cursor.no_key_end_from {
        Some(from) if body >= from => None,
        _ => memchr::memmem::find(&bytes[body..], b"-----END").map(|at| body + at),
    };
    let end = match closing {
        Some(closing) => {
            let end = skip(bytes, closing + 8, 64, |b| b.is_ascii_alphanumeric() || b == b' ');
            skip(bytes, end, 5, |b| b == b'-')
        }
        None => {
            cursor.no_key_end_from.get_or_insert(body);
            let end = skip_all(bytes, body, |b| b.is_ascii_alphanumeric() || b"+/=\r\n\\ :,-".contains(&b));
            end - bytes[body..end].iter().rev().take_while(|b| b.is_ascii_whitespace()).count()
        }
    };
    cursor.until = end;
    sink.push(start, end, names::PRIVATE_KEY, 1.0);
}

/// `Authorization: Bearer …`, `Basic dXNlcjpwYXNz`
fn bearer(text: &str, hit: Hit, cursor: &mut Cursor, sink: &mut Sink<'_>) {
    let bytes = text.as_bytes();
    let start = skip(bytes, hit.end as usize, 3, |b| b == b' ' || b == b':' || b == b'"');
    if start == hit.end as usize {
        return;
    }
    let end = skip(bytes, start, 4096, |b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b));
    let value = &bytes[start..end];
    let value = &value[..value.len() - value.iter().rev().take_while(|b| **b == b'.').count()];
    let basic = starts_with(bytes, hit.start as usize, "basic");
    let looks_random = if basic {
        value.len() >= 12
            && value.len().is_multiple_of(4)
            && is_mixed(value)
            && (value.ends_with(b"=") || entropy(value) > 3.0)
    } else {
        value.len() >= 16 && is_mixed(value)
    };
    if looks_random && sink.push(start, start + value.len(), names::BEARER, 0.9) {
        cursor.until = start + value.len();
    }
}

/// How the value is joined to its word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Joint {
    /// `password=…`
    Equals,
    /// `password: …`
    Colon,
    /// `password is …`
    Verb,
}

const VERBS: &[&str] = &[
    "is set to",
    "is now",
    "is",
    "was",
    "ist jetzt",
    "ist",
    "lautet",
    "war",
    "es",
    "est",
    "é",
    "è",
    "era",
    "und",
    "to",
    "were",
    "are",
    "sind",
    "son",
    "sont",
    "são",
    "sono",
    "zijn",
    "jest",
    "should be",
    "would be",
    "será",
    "sera",
    "=",
    "reads",
];

/// Whose password it is, in the languages of the lexicon.
const OWNERS: &[&str] = &[
    "my", "mein", "meine", "mi", "mon", "minha", "mia", "mijn", "our", "unser", "your", "the", "das", "la",
    "le", "a", "het", "account", "wifi", "login",
];

/// What people say about passwords that is none.
const SAID_OF_PASSWORDS: &[&str] = &[
    "right",
    "valid",
    "fine",
    "strong",
    "secure",
    "weak",
    "short",
    "simple",
    "lost",
    "known",
    "public",
    "secret",
    "unsafe",
    "there",
    "here",
    "different",
    "gone",
    "broken",
    "active",
    "inactive",
    "okay",
    "visible",
    "present",
    "always",
    "never",
    "still",
    "again",
    "today",
    "yesterday",
    "tomorrow",
    "below",
    "above",
    "attached",
    "richtig",
    "korrekt",
    "sicher",
    "gültig",
    "ungültig",
    "unsicher",
    "unbekannt",
    "bekannt",
    "gleich",
    "falsch",
    "correcta",
    "segura",
    "débil",
    "válida",
    "inválida",
    "correct",
    "faux",
    "bonne",
    "mauvais",
    "perdu",
    "inconnu",
    "valide",
    "invalide",
    "correta",
    "errada",
    "forte",
    "fraca",
    "sbagliata",
    "corretta",
    "giusta",
    "verkeerd",
    "juist",
    "onjuist",
    "geheim",
    "kwijt",
    "ready",
    "clear",
    "enough",
    "required",
    "alphanumeric",
    "numeric",
    "sensitive",
    "private",
    "encrypted",
    "temporary",
    "permanent",
    "default",
    "unique",
    "everything",
    "nothing",
    "something",
    "optional",
];

/// The longest value that is looked at. Longer ones are taken whole if their start is accepted.
const VALUE_MAX: usize = 256;

fn assigned(text: &str, hit: Hit, cursor: &mut Cursor, sink: &mut Sink<'_>) {
    let bytes = text.as_bytes();
    // A cursor into a list is no credential: page_token, nextPageToken
    if hit.word == Word::Token && follows_page(&bytes[..hit.start as usize]) {
        return;
    }
    // Finish the word: passwords, tokens, secret_key, apiKeyId
    let word_end = skip(bytes, hit.end as usize, 16, |b| b.is_ascii_alphanumeric() || b == b'_');
    let Some((joint, at)) = joint(bytes, word_end) else { return };
    let quote = bytes.get(at).copied().filter(|b| matches!(b, b'"' | b'\'' | b'`'));
    let start = at + usize::from(quote.is_some());
    let is_value = |b: u8| match quote {
        Some(quote) => b != quote && b != b'\n' && b != b'\r',
        None => {
            b > b' ' && b != 0x7F && !b"\"'`<>,;[]{}()|".contains(&b) && (joint != Joint::Equals || b != b'&')
        }
    };
    let mut end = skip(bytes, start, VALUE_MAX, is_value);
    if quote.is_some() && bytes.get(end) != quote.as_ref() {
        return;
    }
    if quote.is_none() {
        end = floor_boundary(text, end);
        // Cut short by a mask: what was one value with the masked part is none without it.
        if bytes.get(end) == Some(&b'[') && bytes.get(end + 1).is_some_and(u8::is_ascii_uppercase) {
            return;
        }
        // Punctuation of the sentence; an exclamation mark is part of many passwords.
        end -= bytes[start..end].iter().rev().take_while(|b| matches!(b, b'.' | b':' | b'?' | b'*')).count();
    }
    let value = &bytes[start..end];
    let detector = match hit.word {
        Word::Password if is_password(bytes, start, end, joint, quote.is_some()) => names::PASSWORD,
        Word::Password
            if joint == Joint::Verb
                && quote.is_none()
                && is_password_in_prose(bytes, hit.start as usize, start, end) =>
        {
            names::PASSWORD_PROSE
        }
        Word::Token if is_token(value) => names::HIGH_ENTROPY,
        Word::Pin if (3..=8).contains(&value.len()) && value.iter().all(u8::is_ascii_digit) => names::PIN,
        _ => return,
    };
    if quote.is_none() && end - start + 2 >= VALUE_MAX {
        end = ceil_boundary(text, skip_all(bytes, end, is_value));
    }
    let score = match (detector == names::PASSWORD, joint) {
        (true, Joint::Verb) => 0.7,
        _ => 0.85,
    };
    if sink.push(start, end, detector, score) {
        cursor.until = end;
    }
}

fn follows_page(before: &[u8]) -> bool {
    let before = before.strip_suffix(b"_").or_else(|| before.strip_suffix(b"-")).unwrap_or(before);
    before.len() >= 4 && before[before.len() - 4..].eq_ignore_ascii_case(b"page")
}

/// Reads what joins a word to its value; tells where the value starts.
fn joint(bytes: &[u8], at: usize) -> Option<(Joint, usize)> {
    // A closing quote or bracket of the word itself: "password": …
    let at = skip(bytes, at, 2, |b| matches!(b, b'"' | b'\'' | b'`' | b'*' | b')'));
    let mark = skip(bytes, at, 3, |b| b == b' ' || b == b'\t');
    let behind = |mark: usize| skip(bytes, mark, 3, |b| b == b' ' || b == b'\t');
    match bytes.get(mark)? {
        b'=' => Some((Joint::Equals, behind(skip(bytes, mark, 2, |b| b == b'=' || b == b'>')))),
        b':' => {
            let value = skip(bytes, mark, 2, |b| b == b':' || b == b'=');
            // The value may stand on the next line of a form.
            Some((Joint::Colon, skip(bytes, behind(value), 2, |b| b == b'\n' || b == b'\r')))
        }
        b'-' if bytes.get(mark + 1) == Some(&b'>') => Some((Joint::Equals, behind(mark + 2))),
        _ if mark > at => {
            let verb = VERBS.iter().find(|verb| {
                starts_with(bytes, mark, verb) && matches!(bytes.get(mark + verb.len()), Some(b' ' | b':'))
            })?;
            let value = mark + verb.len();
            Some((Joint::Verb, skip(bytes, value, 3, |b| b == b' ' || b == b':')))
        }
        _ => None,
    }
}

/// What people write behind "password:" when they don't mean one.
const NO_PASSWORDS: &[&str] = &[
    "reset",
    "forgotten",
    "forgot",
    "expired",
    "required",
    "incorrect",
    "invalid",
    "change",
    "changed",
    "wrong",
    "unknown",
    "missing",
    "hidden",
    "none",
    "null",
    "true",
    "false",
    "undefined",
    "redacted",
    "removed",
    "protected",
    "needed",
    "correct",
    "empty",
    "blank",
    "vergessen",
    "abgelaufen",
    "falsch",
    "geändert",
    "olvidada",
    "incorrecta",
    "oublié",
    "expiré",
    "incorrecte",
    "esquecida",
    "errata",
    "vergeten",
    "same as before",
    "see below",
    "not working",
];

fn is_password(bytes: &[u8], start: usize, end: usize, joint: Joint, quoted: bool) -> bool {
    let value = &bytes[start..end];
    if value.len() < 4 || has_mask(value) || is_placeholder(value) {
        return false;
    }
    let lower_word = value.iter().all(|b| b.is_ascii_alphabetic() || *b == b'-' || *b == b'\'' || *b >= 0x80)
        && value[1..].iter().all(|b| !b.is_ascii_uppercase());
    if NO_PASSWORDS.iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes())) {
        return false;
    }
    if !lower_word {
        // 1) needs a change: digits or marks must be joined to something
        return value.iter().any(u8::is_ascii_alphanumeric);
    }
    match joint {
        // A word is a password only where nothing else can stand.
        _ if quoted => value.len() >= 5,
        Joint::Equals => value.len() >= 5,
        Joint::Colon => value.len() >= 6 && bytes.get(end).is_none_or(|b| matches!(b, b'\n' | b'\r')),
        Joint::Verb => false,
    }
}

/// "my password is sunshine." A word that closes a sentence about somebody's own password is the password, unless it is
/// what people say about passwords.
fn is_password_in_prose(bytes: &[u8], word: usize, start: usize, end: usize) -> bool {
    let owner = skip_back(bytes, word, 1, |b| b == b' ');
    let owner_start = skip_back(bytes, owner, 8, |b| b.is_ascii_alphabetic());
    let is_own = OWNERS.iter().any(|own| bytes[owner_start..owner].eq_ignore_ascii_case(own.as_bytes()));
    let closes = match bytes.get(end) {
        None | Some(b'\n' | b'\r' | b',' | b';') => true,
        Some(b'.' | b'!') => bytes.get(end + 1).is_none_or(u8::is_ascii_whitespace),
        _ => false,
    };
    let value = &bytes[start..end];
    let said = |word: &&str| value.eq_ignore_ascii_case(word.as_bytes());
    let inflected = ["ed", "ing", "able", "ly", "ten", "iert", "ado", "ada", "ido", "ida", "ato", "ata"];
    is_own
        && closes
        && (5..=40).contains(&value.len())
        && value.iter().all(|&b| b.is_ascii_alphanumeric() || b >= 0x80)
        && !NO_PASSWORDS.iter().any(said)
        && !SAID_OF_PASSWORDS.iter().any(said)
        && !inflected.iter().any(|tail| ends_with(value, tail))
        && !has_mask(value)
}

/// `********`, `xxxxxx`, `<password>`, `${PASSWORD}`, `%s`
fn is_placeholder(value: &[u8]) -> bool {
    let first = value[0];
    value.iter().all(|&b| b == first)
        || matches!(first, b'<' | b'$' | b'%')
            && value.iter().all(|b| b.is_ascii_alphabetic() || !b.is_ascii_alphanumeric())
        || value.iter().all(|b| b"*.xX-_".contains(b) || *b >= 0x80)
}

/// Random-looking: long with high entropy, or short with letters and digits mixed.
fn is_token(value: &[u8]) -> bool {
    let known = value.iter().all(|&b| b.is_ascii_alphanumeric() || b"+/=_-.~!:$%^@#&*".contains(&b));
    if !known || value.len() < 8 || has_mask(value) || is_placeholder(value) || !is_mixed(value) {
        return false;
    }
    // Words with a number at the end, versions and dates are low; hex digits reach at most 4 bits.
    let bits = entropy(value);
    if value.len() >= 16 {
        bits >= 2.8
    } else {
        bits >= 2.5 && value.iter().filter(|b| b.is_ascii_digit()).count() >= 2
    }
}

/// Holds letters and digits.
fn is_mixed(value: &[u8]) -> bool {
    value.iter().any(u8::is_ascii_digit) && value.iter().any(u8::is_ascii_alphabetic)
}

/// Shannon entropy of the bytes, bits per byte.
fn entropy(value: &[u8]) -> f32 {
    let mut counts = [0_u16; 256];
    for &b in value {
        counts[usize::from(b)] += 1;
    }
    let total = value.len() as f32;
    value.iter().map(|&b| -(f32::from(counts[usize::from(b)]) / total).log2()).sum::<f32>() / total
}
