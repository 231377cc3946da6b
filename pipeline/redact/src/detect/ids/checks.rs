//! Checksums and ranges of identifiers, over ASCII digits and capital letters without separators. Each function
//! takes any bytes and only says whether they are one; the sources are the issuers' published rules.

/// Value of a digit; anything else counts as zero, which no checksum below is asked about.
fn value(b: u8) -> u32 {
    if b.is_ascii_digit() { u32::from(b - b'0') } else { 0 }
}

fn are_digits(id: &[u8], len: usize) -> bool {
    id.len() == len && id.iter().all(u8::is_ascii_digit)
}

fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |n, &b| n * 10 + u64::from(value(b)))
}

fn weighted(id: &[u8], weights: &[u32]) -> u32 {
    id.iter().zip(weights).map(|(&b, w)| value(b) * w).sum()
}

/// All digits the same: passes several checksums and belongs to nobody.
fn is_uniform(id: &[u8]) -> bool {
    id.iter().all(|b| Some(b) == id.first())
}

/// Luhn (ISO/IEC 7812-1 annex B).
pub(in crate::detect) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, &b)| {
            let digit = value(b);
            if i % 2 == 0 { digit } else { digit * 2 - if digit > 4 { 9 } else { 0 } }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Individual taxpayer identification number: 9xx, and a group in the ranges that the IRS uses.
pub(in crate::detect) fn us_itin(id: &[u8]) -> bool {
    are_digits(id, 9)
        && id[0] == b'9'
        && matches!(number(&id[3..5]), 50..=65 | 70..=88 | 90..=92 | 94..=99)
        && &id[5..] != b"0000"
}

/// Employer identification number: the campus prefixes that the IRS has assigned.
pub(super) fn us_ein(id: &[u8]) -> bool {
    are_digits(id, 9)
        && !matches!(number(&id[..2]), 0 | 7..=9 | 17..=19 | 28 | 29 | 49 | 69 | 70 | 78 | 79 | 89 | 96 | 97)
        && !is_uniform(id)
}

/// Routing number of the American Bankers Association: district and weighted sum.
pub(super) fn us_routing(id: &[u8]) -> bool {
    are_digits(id, 9)
        && matches!(number(&id[..2]), 0..=12 | 21..=32 | 61..=72 | 80)
        && weighted(id, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
        && !is_uniform(id)
}

/// National Health Service number: mod 11.
pub(super) fn uk_nhs(id: &[u8]) -> bool {
    are_digits(id, 10)
        && !is_uniform(id)
        && match 11 - weighted(&id[..9], &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11 {
            11 => id[9] == b'0',
            10 => false,
            check => value(id[9]) == check,
        }
}

/// The form of a national insurance number: two letters, six digits, suffix A to D.
pub(super) fn uk_nino_form(id: &[u8]) -> bool {
    let [first, second, digits @ .., suffix] = id else { return false };
    are_digits(digits, 6)
        && matches!(suffix, b'A'..=b'D')
        && first.is_ascii_uppercase()
        && second.is_ascii_uppercase()
}

/// National insurance number: prefixes as HMRC allows them, six digits, suffix A to D.
pub(super) fn uk_nino(id: &[u8]) -> bool {
    let [first, second, ..] = id else { return false };
    uk_nino_form(id)
        && !b"DFIQUV".contains(first)
        && !b"DFIOQUV".contains(second)
        && !matches!(&[*first, *second], b"BG" | b"GB" | b"KN" | b"NK" | b"NT" | b"TN" | b"ZZ")
}

/// German tax identification number: one digit stands two or three times among the first ten, ISO 7064 mod 11,10.
pub(super) fn de_tax_id(id: &[u8]) -> bool {
    if !are_digits(id, 11) || id[0] == b'0' {
        return false;
    }
    let mut counts = [0_u8; 10];
    id[..10].iter().for_each(|&b| counts[value(b) as usize] += 1);
    let repeated = counts.iter().filter(|&&n| n > 1).count();
    let most = counts.iter().max().copied().unwrap_or_default();
    let mut product = 10;
    for &b in &id[..10] {
        let sum = match (value(b) + product) % 10 {
            0 => 10,
            sum => sum,
        };
        product = sum * 2 % 11;
    }
    // Ten stands for zero.
    repeated == 1 && most <= 3 && value(id[10]) == (11 - product) % 10
}

/// German identity card: nine characters without vowels, and with a tenth the check digit of ICAO 9303.
pub(super) fn de_id_card(id: &[u8]) -> bool {
    let allowed = |b: &u8| b.is_ascii_digit() || b"CFGHJKLMNPRTVWXYZ".contains(b);
    match id.len() {
        9 => {
            let digits = id.iter().filter(|b| b.is_ascii_digit()).count();
            id.iter().all(allowed) && (3..9).contains(&digits)
        }
        10 => {
            let sum: u32 = id[..9].iter().zip([7, 3, 1].iter().cycle()).map(|(&b, w)| alnum(b) * w).sum();
            id[..9].iter().all(allowed) && id[9].is_ascii_digit() && value(id[9]) == sum % 10
        }
        _ => false,
    }
}

/// A is 10, Z is 35.
fn alnum(b: u8) -> u32 {
    if b.is_ascii_uppercase() { u32::from(b - b'A') + 10 } else { value(b) }
}

/// French NIR: sex, year, month, place, and a key of 97 minus the remainder. Corsica has 2A and 2B.
pub(super) fn fr_nir(id: &[u8]) -> bool {
    if id.len() != 15 || !matches!(id[0], b'1' | b'2' | b'3' | b'4' | b'7' | b'8') {
        return false;
    }
    let mut body = [0; 13];
    body.copy_from_slice(&id[..13]);
    let correction = match id[6] {
        b'A' if id[5] == b'2' => 1_000_000,
        b'B' if id[5] == b'2' => 2_000_000,
        _ => 0,
    };
    if correction > 0 {
        body[6] = b'0';
    }
    let month = number(&id[3..5]);
    body.iter().chain(&id[13..]).all(u8::is_ascii_digit)
        && (matches!(month, 1..=12 | 20 | 30..=42) || month >= 50)
        && 97 - (number(&body) - correction.min(number(&body))) % 97 == number(&id[13..])
}

/// Spanish DNI (eight digits) or NIE (X, Y or Z and seven), with its letter.
pub(super) fn es_nif(id: &[u8]) -> bool {
    if id.len() != 9 || !id[1..8].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let head = match id[0] {
        b'X' => 0,
        b'Y' => 1,
        b'Z' => 2,
        b if b.is_ascii_digit() => u64::from(value(b)),
        _ => return false,
    };
    let body = head * 10_000_000 + number(&id[1..8]);
    b"TRWAGMYFPDXBNJZSQVHLCKE"[(body % 23) as usize] == id[8]
}

/// Italian codice fiscale: letters and digits in their places (digits may be replaced by letters where two people
/// would share a code), month, and the check letter.
pub(super) fn it_fiscal_code(id: &[u8]) -> bool {
    const ODD: [u32; 36] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12,
        14, 16, 10, 22, 25, 24, 23,
    ];
    let replaced = |b: &u8| b.is_ascii_digit() || b"LMNPQRSTUV".contains(b);
    id.len() == 16
        && id[..6].iter().all(u8::is_ascii_uppercase)
        && [6, 7, 9, 10, 12, 13, 14].iter().all(|&i| replaced(&id[i]))
        && b"ABCDEHLMPRST".contains(&id[8])
        && id[11].is_ascii_uppercase()
        && id[15].is_ascii_uppercase()
        && {
            let sum: u32 = id[..15]
                .iter()
                .enumerate()
                .map(|(i, &b)| match (i % 2, b.is_ascii_digit()) {
                    (0, _) => ODD[alnum(b) as usize],
                    (_, true) => value(b),
                    (_, false) => alnum(b) - 10,
                })
                .sum();
            u32::from(id[15] - b'A') == sum % 26
        }
}

/// Dutch citizen service number: the "eleven test" with minus one for the last digit.
pub(super) fn nl_bsn(id: &[u8]) -> bool {
    are_digits(id, 9)
        && number(id) > 0
        && !is_uniform(id)
        && (weighted(&id[..8], &[9, 8, 7, 6, 5, 4, 3, 2]) + 10 * 11 - value(id[8])).is_multiple_of(11)
}

/// Polish PESEL: a date whose month tells the century, and a weighted sum.
pub(super) fn pl_pesel(id: &[u8]) -> bool {
    are_digits(id, 11)
        && (1..=12).contains(&(number(&id[2..4]) % 20))
        && (1..=31).contains(&number(&id[4..6]))
        && weighted(id, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]).is_multiple_of(10)
}

/// The check digit of CPF and CNPJ: mod 11, where 10 counts as 0. CNPJ has letters since 2026, by ASCII code.
fn brazilian(body: &[u8], weights: impl Iterator<Item = u32>) -> u8 {
    let sum: u32 = body.iter().rev().zip(weights).map(|(&b, w)| u32::from(b - b'0') * w).sum();
    match 11 - sum % 11 {
        check @ 0..=9 => b'0' + check as u8,
        _ => b'0',
    }
}

/// Brazilian CPF: two check digits.
pub(super) fn br_cpf(id: &[u8]) -> bool {
    are_digits(id, 11)
        && !is_uniform(id)
        && brazilian(&id[..9], 2..) == id[9]
        && brazilian(&id[..10], 2..) == id[10]
}

/// Brazilian CNPJ: twelve digits or letters and two check digits.
pub(super) fn br_cnpj(id: &[u8]) -> bool {
    let weights = || (2..=9).cycle();
    id.len() == 14
        && id[..12].iter().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
        && id[12..].iter().all(u8::is_ascii_digit)
        && !is_uniform(id)
        && brazilian(&id[..12], weights()) == id[12]
        && brazilian(&id[..13], weights()) == id[13]
}

/// Indian Aadhaar: twelve digits, the first from 2 on, Verhoeff's checksum.
pub(super) fn in_aadhaar(id: &[u8]) -> bool {
    const TIMES: [[u8; 10]; 10] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
        [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
        [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
        [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
        [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
        [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
        [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
        [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
        [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    ];
    const TURN: [[u8; 10]; 8] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
        [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
        [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
        [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
        [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
        [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
        [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
    ];
    are_digits(id, 12)
        && id[0] >= b'2'
        && id
            .iter()
            .rev()
            .enumerate()
            .fold(0_u8, |sum, (i, &b)| TIMES[usize::from(sum)][usize::from(TURN[i % 8][value(b) as usize])])
            == 0
}

/// Indian permanent account number: five letters of which the fourth tells the kind of holder, four digits, a letter.
pub(super) fn in_pan(id: &[u8]) -> bool {
    id.len() == 10
        && id[..5].iter().all(u8::is_ascii_uppercase)
        && b"ABCFGHJLPT".contains(&id[3])
        && id[5..9].iter().all(u8::is_ascii_digit)
        && &id[5..9] != b"0000"
        && id[9].is_ascii_uppercase()
}

/// Canadian social insurance number: Luhn; 0 and 8 aren't issued to people.
pub(super) fn ca_sin(id: &[u8]) -> bool {
    are_digits(id, 9) && !matches!(id[0], b'0' | b'8') && luhn(id) && !is_uniform(id)
}

/// Australian tax file number, of eight or nine digits.
pub(super) fn au_tfn(id: &[u8]) -> bool {
    !is_uniform(id)
        && match id.len() {
            9 => are_digits(id, 9) && weighted(id, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11),
            8 => are_digits(id, 8) && weighted(id, &[10, 7, 8, 4, 6, 3, 5, 1]).is_multiple_of(11),
            _ => false,
        }
}

/// Australian Medicare card: eight digits and their check digit, issue number, and perhaps the person on the card.
pub(super) fn au_medicare(id: &[u8]) -> bool {
    (are_digits(id, 10) || are_digits(id, 11))
        && matches!(id[0], b'2'..=b'6')
        && id[9] != b'0'
        && weighted(&id[..8], &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == value(id[8])
}

/// What letters count in the check digit of a vehicle identification number.
fn vin_value(b: u8) -> Option<u32> {
    Some(match b {
        b'0'..=b'9' => u32::from(b - b'0'),
        b'A'..=b'H' => u32::from(b - b'A') + 1,
        b'J'..=b'N' => u32::from(b - b'J') + 1,
        b'P' => 7,
        b'R' => 9,
        b'S'..=b'Z' => u32::from(b - b'S') + 2,
        _ => return None,
    })
}

/// Seventeen characters of the alphabet of ISO 3779, letters and digits mixed.
pub(super) fn vin_form(id: &[u8]) -> bool {
    id.len() == 17
        && id.iter().all(|&b| vin_value(b).is_some())
        && id.iter().any(u8::is_ascii_digit)
        && id.iter().any(u8::is_ascii_uppercase)
}

/// The check digit at the ninth place, which North American and many other makers set.
pub(super) fn vin_check(id: &[u8]) -> bool {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let sum: u32 = id.iter().zip(WEIGHTS).map(|(&b, w)| vin_value(b).unwrap_or_default() * w).sum();
    let check = match sum % 11 {
        10 => b'X',
        digit => b'0' + digit as u8,
    };
    vin_form(id) && id[8] == check
}

/// ISO 9362: four letters of the bank, a country, two of the place, and perhaps three of the branch.
pub(super) fn bic(id: &[u8]) -> bool {
    const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AR AT AU AW AZ BA BB BD BE BF BG BH BI BJ BM BN BO BR BS BT BW BY BZ CA CD \
        CF CG CH CI CL CM CN CO CR CU CV CW CY CZ DE DJ DK DM DO DZ EC EE EG ER ES ET FI FJ FK FM FO FR GA \
        GB GD GE GF GG GH GI GL GM GN GP GQ GR GT GU GW GY HK HN HR HT HU ID IE IL IM IN IQ IR IS IT JE JM \
        JO JP KE KG KH KI KM KN KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MG MH MK ML MM MN \
        MO MQ MR MS MT MU MV MW MX MY MZ NA NC NE NG NI NL NO NP NR NZ OM PA PE PF PG PH PK PL PM PR PS PT \
        PW PY QA RE RO RS RU RW SA SB SC SD SE SG SI SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TG TH TJ TL \
        TM TN TO TR TT TV TW TZ UA UG US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";
    matches!(id.len(), 8 | 11)
        && id[..6].iter().all(u8::is_ascii_uppercase)
        && id.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        && COUNTRIES.split(' ').any(|country| country.as_bytes() == &id[4..6])
        && !matches!(id[6], b'0' | b'1')
        && id[7] != b'O'
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published examples of the issuers (or of their documentation), and each with one digit changed.
    #[test]
    fn examples_pass_and_their_neighbours_do_not() {
        type Check = fn(&[u8]) -> bool;
        let cases: &[(&str, Check, &[&str])] = &[
            ("routing", us_routing, &["021000021", "011401533", "091000019"]),
            ("nhs", uk_nhs, &["9434765919", "4010232137"]),
            ("tax id", de_tax_id, &["86095742719", "47036892816", "65929970489"]),
            ("nir", fr_nir, &["185057800608491", "255081416802538"]),
            ("nif", es_nif, &["12345678Z", "X1234567L", "Y2345678Z"]),
            ("codice fiscale", it_fiscal_code, &["RSSMRA85T10A562S", "VRDLCU80A01F205J"]),
            ("bsn", nl_bsn, &["111222333", "123456782"]),
            ("pesel", pl_pesel, &["44051401359", "02070803628"]),
            ("cpf", br_cpf, &["52998224725", "11144477735"]),
            ("cnpj", br_cnpj, &["11222333000181", "12ABC34501DE35"]),
            ("aadhaar", in_aadhaar, &["234123412346"]),
            ("sin", ca_sin, &["130692544", "193456787"]),
            ("tfn", au_tfn, &["123456782", "876543210"]),
            ("vin", vin_check, &["1M8GDM9AXKP042788", "1HGCM82633A004352"]),
        ];
        let mut failures = Vec::new();
        for (name, check, examples) in cases {
            for example in *examples {
                if !check(example.as_bytes()) {
                    failures.push(format!("{name} {example} is refused"));
                }
                let mut refused = 0;
                let mut tried = 0;
                for i in 0..example.len() {
                    let mut changed = example.as_bytes().to_vec();
                    if changed[i].is_ascii_digit() {
                        changed[i] = b'0' + (changed[i] - b'0' + 1) % 10;
                        tried += 1;
                        refused += usize::from(!check(&changed));
                    }
                }
                // Remainders of eleven that are written as one digit let one change in eleven pass.
                if refused * 10 < tried * 7 {
                    failures.push(format!("{name} {example}: only {refused} of {tried} changes are refused"));
                }
            }
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }

    #[test]
    fn forms_without_checksum() {
        assert!(
            us_itin(b"912701234")
                && us_itin(b"999880001")
                && !us_itin(b"912491234")
                && !us_itin(b"812701234")
        );
        assert!(us_ein(b"123456789") && !us_ein(b"073456789") && !us_ein(b"1234567"));
        assert!(
            uk_nino(b"AB123456C")
                && !uk_nino(b"QQ123456C")
                && !uk_nino(b"AB123456E")
                && !uk_nino(b"GB123456A")
        );
        assert!(de_id_card(b"T220001293") && de_id_card(b"T22000129") && !de_id_card(b"T220001294"));
        assert!(in_pan(b"ABCPD1234E") && !in_pan(b"ABCXD1234E"));
        assert!(au_medicare(b"2123456701") && !au_medicare(b"2123456711"));
        assert!(
            bic(b"DEUTDEFF")
                && bic(b"DEUTDEFF500")
                && bic(b"NEDSZAJJ")
                && !bic(b"DEUTXXFF")
                && !bic(b"DEUTDE")
        );
    }
}
