//! Identifiers behind a word that names them.

use super::super::chars::{skip, word_at, word_before};
use super::super::{Sink, names};
use super::{Id, checks, wallet};
use crate::context::Context;
use crate::finding::Detector;
use crate::lexicon::{Hit, Word};

/// How far behind its word an identifier may start: "social insurance number of my late father is ".
const GAP: usize = 44;
/// How far if nothing but the word says what it is: ": ", " number is ", " Nr. ".
const DIRECT: usize = 20;
/// Letters and digits of the longest identifier (an account number with its bank), and the separators between.
const MAX: usize = 24;

/// A form that an identifier may have.
struct Form {
    detector: Detector,
    /// Letters and digits.
    len: std::ops::RangeInclusive<usize>,
    check: fn(&[u8]) -> bool,
    /// Marks that may stand inside, one between two characters.
    separators: &'static [u8],
    /// Only in capitals, since any word would do.
    capitals: bool,
    /// Has no checksum: must stand directly behind its word.
    direct: bool,
    score: f32,
}

const fn form(
    detector: Detector,
    len: std::ops::RangeInclusive<usize>,
    separators: &'static [u8],
    check: fn(&[u8]) -> bool,
) -> Form {
    Form { detector, len, check, separators, capitals: false, direct: false, score: 0.95 }
}

const fn direct(
    detector: Detector,
    len: std::ops::RangeInclusive<usize>,
    separators: &'static [u8],
    check: fn(&[u8]) -> bool,
    score: f32,
) -> Form {
    Form { detector, len, check, separators, capitals: false, direct: true, score }
}

const fn in_capitals(form: Form) -> Form {
    Form { capitals: true, ..form }
}

fn digits_only(id: &[u8]) -> bool {
    id.iter().all(u8::is_ascii_digit)
}

fn account(id: &[u8]) -> bool {
    let digits = id.iter().filter(|b| b.is_ascii_digit()).count();
    digits >= 6 && digits + 3 >= id.len()
}

fn sort_code(id: &[u8]) -> bool {
    digits_only(id)
}

/// Letters in front, and at least four digits.
fn medical(id: &[u8]) -> bool {
    id.iter().filter(|b| b.is_ascii_digit()).count() >= 4
}

/// Letters and digits mixed, or the seven or eight digits of some countries' plates.
fn plate(id: &[u8]) -> bool {
    let digits = id.iter().filter(|b| b.is_ascii_digit()).count();
    digits >= 1 && (digits < id.len() || id.len() >= 6)
}

/// Postal codes by country: digits, or the British, Irish, Canadian, Dutch and Argentine forms.
fn postal(id: &[u8]) -> bool {
    if id.iter().all(u8::is_ascii_digit) {
        return matches!(id.len(), 3..=9);
    }
    let form: [u8; 10] =
        std::array::from_fn(|i| id.get(i).map_or(b' ', |b| if b.is_ascii_digit() { b'9' } else { b'A' }));
    let form = &form[..id.len().min(10)];
    matches!(
        form,
        b"9999AA"
            | b"A9A9A9"
            | b"A9999AAA"
            | b"A99AAAA"
            | b"A999A9A"
            | b"AD999"
            | b"AA9999"
            | b"A9999"
            | b"AA99999"
    ) || (id.len() <= 7
        && id.len() >= 5
        && form.ends_with(b"9AA")
        && form[0] == b'A'
        && form[..id.len() - 3].contains(&b'9'))
        || (id.len() == 7 && form[0] == b'A' && form[1] == b'9')
}

fn mac(id: &[u8]) -> bool {
    id.iter().all(u8::is_ascii_hexdigit) && id.iter().any(u8::is_ascii_digit)
}

const SPACED: &[u8] = b" -./";
const NONE: &[u8] = b"";

const ITIN: Form = form(names::US_ITIN, 9..=9, SPACED, checks::us_itin);
const EIN: Form = direct(names::US_EIN, 9..=9, b"- ", checks::us_ein, 0.8);
const BIC: Form = in_capitals(form(names::BIC, 8..=11, b" ", checks::bic));
const ROUTING: Form = form(names::US_ROUTING, 9..=9, b"- ", checks::us_routing);
const MAC: Form = form(names::MAC, 12..=12, b":-.", mac);
const NHS: Form = form(names::UK_NHS, 10..=10, SPACED, checks::uk_nhs);
const NINO: Form = form(names::UK_NINO, 9..=9, SPACED, checks::uk_nino);
/// What somebody calls a national insurance number is one, mistyped or made up as it may be.
const CALLED_NINO: Form = form(names::UK_NINO, 9..=9, SPACED, checks::uk_nino_form);
const DE_TAX: Form = form(names::DE_TAX_ID, 11..=11, SPACED, checks::de_tax_id);
const DE_CARD: Form = form(names::DE_ID_CARD, 9..=10, b" ", checks::de_id_card);
const NIR: Form = form(names::FR_NIR, 15..=15, SPACED, checks::fr_nir);
const NIF: Form = form(names::ES_NIF, 9..=9, SPACED, checks::es_nif);
const FISCAL_CODE: Form = form(names::IT_FISCAL_CODE, 16..=16, b" -", checks::it_fiscal_code);
const BSN: Form = form(names::NL_BSN, 9..=9, SPACED, checks::nl_bsn);
const PESEL: Form = form(names::PL_PESEL, 11..=11, b" -", checks::pl_pesel);
const CPF: Form = form(names::BR_CPF, 11..=11, SPACED, checks::br_cpf);
const CNPJ: Form = form(names::BR_CNPJ, 14..=14, SPACED, checks::br_cnpj);
const AADHAAR: Form = form(names::IN_AADHAAR, 12..=12, b" -", checks::in_aadhaar);
const INDIAN_PAN: Form = form(names::IN_PAN, 10..=10, NONE, checks::in_pan);
const SIN: Form = form(names::CA_SIN, 9..=9, b" -.", checks::ca_sin);
const TFN: Form = form(names::AU_TFN, 8..=9, b" -.", checks::au_tfn);
const MEDICARE: Form = form(names::AU_MEDICARE, 10..=11, b" -/", checks::au_medicare);
const MEDICAL: Form = direct(names::MEDICAL_RECORD, 5..=14, b"-", medical, 0.8);
const ACCOUNT: Form = direct(names::BANK_ACCOUNT, 6..=20, b" -./", account, 0.8);
const SORT_CODE: Form = direct(names::SORT_CODE, 6..=6, b" -", sort_code, 0.8);
const PLATE: Form = in_capitals(direct(names::VEHICLE_PLATE, 4..=10, b" -.", plate, 0.75));
const VIN: Form = form(names::VIN, 17..=17, NONE, checks::vin_form);
const POSTAL: Form = direct(names::POSTAL_CODE, 3..=9, b" -", postal, 0.75);

/// The forms that a word asks for, likeliest first.
fn forms(id: Id) -> &'static [Form] {
    match id {
        Id::National => {
            const {
                &[
                    FISCAL_CODE,
                    NIR,
                    CNPJ,
                    AADHAAR,
                    CPF,
                    DE_TAX,
                    PESEL,
                    NHS,
                    INDIAN_PAN,
                    ITIN,
                    NIF,
                    NINO,
                    BSN,
                    SIN,
                    DE_CARD,
                ]
            }
        }
        Id::Itin => const { &[ITIN] },
        Id::Ein => const { &[ITIN, EIN] },
        Id::Bic => const { &[BIC] },
        Id::Routing => const { &[ROUTING] },
        Id::Mac => const { &[MAC] },
        Id::Nhs => const { &[NHS] },
        Id::Nino => const { &[CALLED_NINO] },
        Id::DeTax => const { &[DE_TAX] },
        Id::DeCard => const { &[DE_CARD] },
        Id::Nir => const { &[NIR] },
        Id::Nif => const { &[NIF] },
        Id::FiscalCode => const { &[FISCAL_CODE] },
        Id::Bsn => const { &[BSN] },
        Id::Pesel => const { &[PESEL] },
        Id::Cpf => const { &[CPF, CNPJ] },
        Id::Cnpj => const { &[CNPJ, CPF] },
        Id::Aadhaar => const { &[AADHAAR] },
        Id::IndianPan => const { &[INDIAN_PAN] },
        Id::Sin => const { &[SIN] },
        Id::Tfn => const { &[TFN] },
        Id::Medicare => const { &[MEDICARE] },
        Id::Medical => const { &[MEDICAL] },
        Id::Account => const { &[ACCOUNT] },
        Id::SortCode => const { &[SORT_CODE] },
        Id::Plate => const { &[PLATE] },
        Id::Vin => const { &[VIN] },
        Id::Postal => const { &[POSTAL] },
        Id::Wallet | Id::Gps => &[],
    }
}

/// Reads behind `hits[index]`, whose word is `id`: each word in reach is tried, up to the first that holds a digit.
pub(in crate::detect) fn find(context: Context<'_>, index: usize, id: Id, sink: &mut Sink<'_>) {
    let bytes = context.bytes;
    let hit = context.hits[index];
    let forms = forms(id);
    if !forms.iter().any(|form| sink.is_on(form.detector.kind())) && id != Id::Wallet {
        return;
    }
    let from = hit.end as usize;
    let stop = bytes.len().min(from + GAP);
    let other = claimed_from(&context.hits[index + 1..], hit);
    let mut at = from;
    let mut lines = 0;
    while at < stop && at < other {
        let byte = bytes[at];
        if byte.is_ascii_alphanumeric() && !word_before(bytes, at) && !context.is_blocked(from, at + 1) {
            let is_direct = at - from <= DIRECT;
            let tried = if id == Id::Wallet {
                wallet::find(bytes, at, sink)
            } else {
                forms
                    .iter()
                    .any(|form| (is_direct || !form.direct) && try_form(context, from, at, form, sink))
            };
            let end = skip(bytes, at, GAP, |b| b.is_ascii_alphanumeric());
            if tried || bytes[at..end].iter().any(u8::is_ascii_digit) {
                return;
            }
            at = end;
            continue;
        }
        match byte {
            b'\n' => lines += 1,
            b'.' | b'!' | b'?' | b';' if ends_sentence(bytes, at) => return,
            b'[' | b']' if context.is_blocked(from, at + 1) => return,
            _ => {}
        }
        if lines > 1 {
            return;
        }
        at += 1;
    }
}

/// Where a word stands that claims what follows for something else.
fn claimed_from(behind: &[Hit], hit: Hit) -> usize {
    behind
        .iter()
        .take_while(|next| (next.start as usize) < hit.end as usize + GAP)
        .find(|next| {
            next.word != hit.word
                && next.word != Word::Id(Id::National)
                && matches!(
                    next.word,
                    Word::Phone
                        | Word::Reference
                        | Word::Birth
                        | Word::Password
                        | Word::Version
                        | Word::Ssn
                        | Word::Id(_)
                )
        })
        .map_or(usize::MAX, |next| next.start as usize)
}

fn try_form(context: Context<'_>, from: usize, start: usize, form: &Form, sink: &mut Sink<'_>) -> bool {
    let bytes = context.bytes;
    let word = skip(bytes, start, 8, |b| b.is_ascii_alphabetic());
    if form.direct && word > start && is_filler(&bytes[start..word]) && !word_at(bytes, word) {
        return false;
    }
    let mut id = [0_u8; MAX];
    let mut len = 0;
    let mut at = start;
    let mut best = None;
    while len < *form.len.end() {
        match bytes.get(at) {
            Some(b) if b.is_ascii_alphanumeric() => {
                if form.capitals && b.is_ascii_lowercase() {
                    break;
                }
                id[len] = b.to_ascii_uppercase();
                len += 1;
                at += 1;
                if form.len.contains(&len)
                    && ends(bytes, at)
                    && (form.check)(&id[..len])
                    && !context.is_blocked(from, at)
                {
                    best = Some(at);
                }
            }
            Some(b) if len > 0 && form.separators.contains(b) => {
                // "12 - 34" is written, "12   34" are two columns.
                at = skip(bytes, at, 3, |b| form.separators.contains(&b));
                if !bytes.get(at).is_some_and(u8::is_ascii_alphanumeric) || is_prose(bytes, at) {
                    break;
                }
            }
            _ => break,
        }
    }
    // Capitals may as well shout: "the swift answer is REQUIRED".
    if form.detector == names::BIC
        && !id[..len].iter().any(u8::is_ascii_digit)
        && !is_filler(&bytes[from..start])
    {
        return false;
    }
    best.is_some_and(|end| sink.push(start, end, form.detector, form.score))
}

/// Whether nothing but words that lead to a value stand between its name and it.
fn is_filler(gap: &[u8]) -> bool {
    const FILLERS: &[&str] = &[
        "code", "is", "no", "number", "nr", "ist", "lautet", "es", "est", "the", "my", "de", "del", "della",
        "do", "du", "da", "bank", "banco", "banque", "banca", "of", "our", "bic", "swift", "address", "und",
        "and", "or", "for", "e",
    ];
    gap.split(|b| !b.is_ascii_alphabetic())
        .filter(|word| !word.is_empty())
        .all(|word| FILLERS.iter().any(|filler| word.eq_ignore_ascii_case(filler.as_bytes())))
}

/// Whether a word of small letters starts at `at`, which is no part of an identifier: "12345 and".
fn is_prose(bytes: &[u8], at: usize) -> bool {
    let end = skip(bytes, at, 3, |b| b.is_ascii_lowercase());
    end - at >= 2
}

/// Whether an identifier may end before `at`: at no word, mask, decimal or date.
fn ends(bytes: &[u8], at: usize) -> bool {
    let goes_on = matches!(bytes.get(at), Some(b'/' | b'.' | b',' | b':' | b'-' | b'_' | b'@'))
        && word_at(bytes, at + 1);
    !goes_on && !word_at(bytes, at)
}

/// A full stop behind a word of more than three letters; "no." and "nr." go on.
fn ends_sentence(bytes: &[u8], at: usize) -> bool {
    let spaced = bytes.get(at + 1).is_none_or(u8::is_ascii_whitespace);
    let word = bytes[..at].iter().rev().take(5).take_while(|b| b.is_ascii_alphanumeric()).count();
    spaced && (bytes[at] != b'.' || word > 3)
}
