//! Values of personal data: right in form and check digits, nobody's in fact.
//!
//! Phone numbers lie in ranges that regulators keep for fiction where such a range also passes libphonenumber's
//! rules, else in ordinary ones; cards are the payment providers' public test numbers or made-up ones under
//! the same prefixes; addresses on the internet are those reserved for documentation. Keys in the forms of
//! known providers are put together here at run time, so that no secret scanner trips over this source.

use super::names::{self, MAIL_HOSTS};
use super::spin::pick;
use super::{Language, PiiKind, Planted, Random, Requester};
use rand::RngExt;

/// A value of this kind, as a person of this language writes it. A URL gives its secret as well.
pub(super) fn plant(
    random: &mut Random,
    kind: PiiKind,
    language: Language,
    requester: &Requester,
) -> Vec<Planted> {
    let value = match kind {
        PiiKind::Email => email(random, language, requester),
        PiiKind::Phone => phone(random, language),
        PiiKind::PaymentCard => card(random),
        PiiKind::Iban => iban(random, language),
        PiiKind::Ssn => ssn(random),
        PiiKind::IpV4 => ip_v4(random),
        PiiKind::IpV6 => ip_v6(random),
        PiiKind::ApiKey => api_key(random),
        PiiKind::DateOfBirth => date_of_birth(random, language),
        PiiKind::Passport => passport(random, language),
        PiiKind::DrivingLicence => driving_licence(random),
        PiiKind::PersonName => requester.name.clone(),
        PiiKind::CredentialUrl | PiiKind::UrlSecret => {
            let (url, secret) = credential_url(random);
            return vec![
                Planted { kind: PiiKind::CredentialUrl, value: url },
                Planted { kind: PiiKind::UrlSecret, value: secret },
            ];
        }
    };
    vec![Planted { kind, value }]
}

fn digits(random: &mut Random, count: usize) -> String {
    (0..count).map(|_| char::from(b'0' + random.random_range(0..10))).collect()
}

fn from_set(random: &mut Random, set: &str, count: usize) -> String {
    let set: Vec<char> = set.chars().collect();
    (0..count).map(|_| pick(random, &set)).collect()
}

const ALPHANUMERIC: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

fn email(random: &mut Random, language: Language, requester: &Requester) -> String {
    if random.random_bool(0.5) {
        return requester.email.clone();
    }
    let name = name(random, language);
    address(random, &name)
}

pub(super) fn name(random: &mut Random, language: Language) -> String {
    format!("{} {}", pick(random, names::given(language)), pick(random, names::family(language)))
}

/// An address for a name.
pub(super) fn address(random: &mut Random, name: &str) -> String {
    let (given, family) = name.split_once(' ').unwrap_or((name, "x"));
    let (given, family) = (names::ascii(given), names::ascii(family));
    let initial = &given[..1];
    let user = match random.random_range(0..6) {
        0 => format!("{given}.{family}"),
        1 => format!("{initial}{family}{}", random.random_range(1..99)),
        2 => format!("{given}_{family}"),
        3 => format!("{given}.{family}+support"),
        4 => format!("{given}{}", random.random_range(1950..2008)),
        _ => format!("{initial}.{family}"),
    };
    format!("{user}@{}", pick(random, &MAIL_HOSTS))
}

/// A number that libphonenumber takes for valid in its country.
fn phone(random: &mut Random, language: Language) -> String {
    let d = |random: &mut Random, count| digits(random, count);
    match language {
        Language::English => match random.random_range(0..6) {
            // 555-0100 to 555-0199 is kept for fiction in North America.
            0 => format!("+1 ({}) 555-01{}", us_area(random), d(random, 2)),
            1 => format!("({}) 555-01{}", us_area(random), d(random, 2)),
            2 => format!("+1-{}-555-01{}", us_area(random), d(random, 2)),
            3 => format!("{}.555.01{}", us_area(random), d(random, 2)),
            // Ofcom keeps 020 7946 0000 to 0999 for drama.
            4 => format!("+44 20 7946 0{}", d(random, 3)),
            _ => format!("020 7946 0{}", d(random, 3)),
        },
        // Bundesnetzagentur: (0)30 23125 000 to 999 for drama.
        Language::German => match random.random_range(0..3) {
            0 => format!("+49 30 23125{}", d(random, 3)),
            1 => format!("030 23125 {}", d(random, 3)),
            _ => format!("+49 171 39200{}", d(random, 2)),
        },
        Language::Spanish => match random.random_range(0..2) {
            0 => format!("+34 612 34 {} {}", d(random, 2), d(random, 2)),
            _ => format!("+34 912 34 {} {}", d(random, 2), d(random, 2)),
        },
        // ARCEP keeps 01 99 00 for fiction.
        Language::French => match random.random_range(0..3) {
            0 => format!("+33 1 99 00 {} {}", d(random, 2), d(random, 2)),
            1 => format!("01 99 00 {} {}", d(random, 2), d(random, 2)),
            _ => format!("06 12 34 {} {}", d(random, 2), d(random, 2)),
        },
        Language::Portuguese => match random.random_range(0..3) {
            0 => format!("+351 912 345 {}", d(random, 3)),
            1 => format!("+55 11 96123-4{}", d(random, 3)),
            _ => format!("(11) 96123-4{}", d(random, 3)),
        },
    }
}

fn us_area(random: &mut Random) -> u32 {
    pick(random, &[212, 415, 206, 312, 617, 303, 512, 702, 404, 503])
}

/// Public test numbers of payment providers.
const TEST_CARDS: [&str; 8] = [
    "4242424242424242",
    "4111111111111111",
    "4000056655665556",
    "5555555555554444",
    "5105105105105100",
    "378282246310005",
    "6011111111111117",
    "3530111333300000",
];
/// Prefixes of test numbers, to be filled up and checked.
const TEST_PREFIXES: [&str; 4] = ["424242", "411111", "555555", "510510"];

fn card(random: &mut Random) -> String {
    let number = if random.random_bool(0.5) {
        pick(random, &TEST_CARDS).to_owned()
    } else {
        let mut number = format!("{}{}", pick(random, &TEST_PREFIXES), digits(random, 9));
        let check = luhn_digit(&number);
        number.push(check);
        number
    };
    let separator = match random.random_range(0..3) {
        0 => return number,
        1 => " ",
        _ => "-",
    };
    // American Express groups 4-6-5, all others by four.
    let groups: &[usize] = if number.len() == 15 { &[4, 6, 5] } else { &[4, 4, 4, 4] };
    let mut rest = number.as_str();
    let mut parts = Vec::new();
    for group in groups {
        let (part, after) = rest.split_at(*group);
        parts.push(part);
        rest = after;
    }
    parts.join(separator)
}

/// The digit that makes `number` pass Luhn's check (ISO/IEC 7812-1).
fn luhn_digit(number: &str) -> char {
    let sum: u32 = number
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, digit)| {
            let value = u32::from(digit - b'0');
            if i % 2 == 0 { if value > 4 { value * 2 - 9 } else { value * 2 } } else { value }
        })
        .sum();
    char::from(b'0' + u8::try_from((10 - sum % 10) % 10).unwrap_or(0))
}

fn iban(random: &mut Random, language: Language) -> String {
    let (country, bban) = match language {
        Language::English => {
            ("GB", format!("{}{}", from_set(random, "ABCDEFGHIJKLMNOPQRSTUVWXYZ", 4), digits(random, 14)))
        }
        Language::German => ("DE", digits(random, 18)),
        Language::Spanish => ("ES", digits(random, 20)),
        Language::French => (
            "FR",
            format!(
                "{}{}{}",
                digits(random, 10),
                from_set(random, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 11),
                digits(random, 2)
            ),
        ),
        Language::Portuguese => ("PT", digits(random, 21)),
    };
    let compact = format!("{country}{:02}{bban}", iban_check(country, &bban));
    if random.random_bool(0.3) {
        return compact;
    }
    let characters: Vec<char> = compact.chars().collect();
    characters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

/// Check digits (ISO 13616): 98 − (BBAN, country and 00 as a number, letters as 10 to 35) mod 97.
fn iban_check(country: &str, bban: &str) -> u32 {
    let remainder = format!("{bban}{country}00").chars().fold(0, |remainder, c| match c.to_digit(36) {
        Some(value) if value > 9 => (remainder * 100 + value) % 97,
        Some(value) => (remainder * 10 + value) % 97,
        None => remainder,
    });
    98 - remainder
}

fn ssn(random: &mut Random) -> String {
    // Never 000, 666 or 9xx; no group 00, no serial 0000.
    let area = random.random_range(100..666);
    format!("{area:03}-{:02}-{:04}", random.random_range(1..100), random.random_range(1..10_000))
}

fn ip_v4(random: &mut Random) -> String {
    // RFC 5737.
    let net = pick(random, &["192.0.2", "198.51.100", "203.0.113"]);
    format!("{net}.{}", random.random_range(1..255))
}

fn ip_v6(random: &mut Random) -> String {
    let group = |random: &mut Random| format!("{:x}", random.random_range(1..0xffff));
    // RFC 3849.
    if random.random_bool(0.5) {
        format!("2001:db8:{}::{}", group(random), group(random))
    } else {
        let groups: Vec<String> = (0..6).map(|_| group(random)).collect();
        format!("2001:db8:{}", groups.join(":"))
    }
}

fn credential_url(random: &mut Random) -> (String, String) {
    let secret = from_set(random, ALPHANUMERIC, 14);
    let user = pick(random, &["admin", "svc_sync", "reporting", "deploy"]);
    let url = match random.random_range(0..4) {
        0 => format!("https://{user}:{secret}@files.example.com/exports/latest.csv"),
        1 => format!("postgres://{user}:{secret}@db.internal.example:5432/orders"),
        2 => format!("ftp://{user}:{secret}@ftp.example.net/in"),
        _ => format!("https://{user}:{secret}@api.example.org/v2/hooks"),
    };
    (url, secret)
}

fn api_key(random: &mut Random) -> String {
    let tail = |random: &mut Random, count| from_set(random, ALPHANUMERIC, count);
    match random.random_range(0..8) {
        // AWS's own documentation uses this id.
        0 => ["AKIA", "IOSFODNN7", "EXAMPLE"].concat(),
        1 => ["sk", "_test_", &tail(random, 24)].concat(),
        2 => ["gh", "p_", &tail(random, 36)].concat(),
        3 => ["xo", "xb-", &digits(random, 12), "-", &digits(random, 12), "-", &tail(random, 24)].concat(),
        4 => ["AI", "za", &from_set(random, ALPHANUMERIC, 35)].concat(),
        5 => ["gl", "pat-", &tail(random, 20)].concat(),
        6 => ["AKIA", &from_set(random, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)].concat(),
        _ => {
            let part = |random: &mut Random, count| from_set(random, ALPHANUMERIC, count);
            // A JSON Web Token: header and payload begin with the base64 of `{"`.
            ["ey", "J", &part(random, 33), ".", "ey", "J", &part(random, 60), ".", &part(random, 43)].concat()
        }
    }
}

fn date_of_birth(random: &mut Random, language: Language) -> String {
    let (year, month, day) =
        (random.random_range(1940..2006), random.random_range(1..=12), random.random_range(1..=28));
    match language {
        Language::English => match random.random_range(0..3) {
            0 => format!("{year}-{month:02}-{day:02}"),
            1 => format!("{month:02}/{day:02}/{year}"),
            _ => format!("{day} {} {year}", MONTHS[month - 1]),
        },
        Language::German => format!("{day:02}.{month:02}.{year}"),
        Language::Spanish | Language::French | Language::Portuguese => format!("{day:02}/{month:02}/{year}"),
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

fn passport(random: &mut Random, language: Language) -> String {
    match language {
        // The United States' form (a letter and eight digits) and the United Kingdom's.
        Language::English => {
            if random.random_bool(0.5) {
                format!("A{}", digits(random, 8))
            } else {
                format!("5{}", digits(random, 8))
            }
        }
        // Germany leaves out letters that look like digits.
        Language::German => format!("C{}", from_set(random, "CFGHJKLMNPRTVWXYZ0123456789", 8)),
        Language::Spanish => format!("PA{}", from_set(random, "ABCDEF", 1)) + &digits(random, 6),
        Language::French => {
            format!("{}{}{}", digits(random, 2), from_set(random, "ABCDEFGHKLMNPRT", 2), digits(random, 5))
        }
        Language::Portuguese => format!("{}{}", from_set(random, "CFGP", 2), digits(random, 6)),
    }
}

fn driving_licence(random: &mut Random) -> String {
    // California: a letter and seven digits.
    format!("{}{}", from_set(random, "BCDEFGHJKLMNPRSTVWXYZ", 1), digits(random, 7))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_agree_with_public_examples() {
        assert_eq!(luhn_digit("424242424242424"), '2');
        assert_eq!(luhn_digit("37828224631000"), '5');
        // ISO 13616's example for the United Kingdom, and the German Bundesbank's.
        assert_eq!(iban_check("GB", "WEST12345698765432"), 82);
        assert_eq!(iban_check("DE", "370400440532013000"), 89);
    }
}
