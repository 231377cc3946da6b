//! What must be found, kind by kind, and exactly how far each span reaches.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use deskstream_redact::{PiiKind, RedactConfig, Redacted, Redactor};

/// Redacts and renders each finding as `KIND:text`, in order.
fn found(redactor: &Redactor, text: &str) -> Vec<String> {
    let mut out = Redacted::default();
    redactor.redact(text, &mut out);
    out.spans.iter().map(|s| format!("{}:{}", s.kind, &text[s.start as usize..s.end as usize])).collect()
}

/// In each case the text between `⟦` and `⟧` must be found as `kind`, and nothing else.
fn check(kind: PiiKind, cases: &[&str]) {
    let redactor = Redactor::new(&RedactConfig::structured()).unwrap();
    let mut failures = Vec::new();
    for case in cases {
        let text = case.replace(['⟦', '⟧'], "");
        let expected: Vec<String> = case
            .split('⟦')
            .skip(1)
            .map(|rest| format!("{kind}:{}", rest.split('⟧').next().unwrap()))
            .collect();
        let found = found(&redactor, &text);
        if found != expected {
            failures.push(format!("{case}\n    found {found:?}"));
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

#[test]
fn email() {
    check(
        PiiKind::Email,
        &[
            "write to ⟦ana.maria+shop@mail.example.co.uk⟧.",
            "<⟦a@b.io⟧>, mailto:⟦o'brien@example.ie⟧?subject=x",
            "email=⟦x_1@sub-domain.example.museum⟧;",
            "⟦jürgen@müller-bäckerei.de⟧ schrieb",
            "⟦ana@example.com⟧.Thanks for all",
            "⟦ana@example.com⟧-sent from my phone",
            "⟦ana @ example.com⟧ is me",
            "⟦ana (at) example (dot) com⟧ or ⟦bob[at]example[dot]co[dot]uk⟧",
            "my email is ⟦ana at example dot com⟧ please",
            "⟦ana.lopez at example dot com⟧",
            "⟦ana.lopez (arroba) ejemplo (punto) es⟧",
            "⟦ana (dot) lopez (at) example.com⟧",
            "⟦ana＠example．com⟧ and ⟦a\u{200B}na@exam\u{200B}ple.com⟧",
            "⟦user@[192.0.2.1]⟧ and ⟦ПОЧТА@пример.рф⟧",
            "meet at noon dot. ⟦x@y.zz⟧",
        ],
    );
}

#[test]
fn phone() {
    check(
        PiiKind::Phone,
        &[
            "call ⟦+1 415 555 2671⟧ now",
            "⟦+49 (0)30 1234567⟧, ⟦+44 20 7946 0018⟧ / ⟦+33.6.12.34.56.78⟧",
            "⟦+4915112345678⟧",
            "⟦0049 30 1234567⟧ von daheim",
            "⟦(415) 555-2671⟧ or ⟦415-555-2671⟧ or ⟦1-800-555-1234⟧",
            "⟦415.555.2671 ext. 12⟧ and ⟦(415)555-2671 x99⟧",
            "Telefonnummer: ⟦030 1234567⟧",
            "Tel. ⟦089/1234567⟧",
            "mon portable: ⟦06 12 34 56 78⟧, fixe ⟦01.42.68.53.00⟧",
            "llámame al ⟦612 345 678⟧",
            "meu celular ⟦(11) 91234-5678⟧",
            "bel me op ⟦06-12345678⟧",
            "my number is ⟦(555) 123-4567⟧",
            "phone:⟦4155552671⟧",
            "Phone:\n⟦358 0594⟧\n",
            "WhatsApp ⟦＋４９ １５１ １２３４５６７８⟧",
            "⟦+1\u{A0}(415)\u{A0}555–2671⟧",
            "⟦655 437 108⟧ office",
            "tel⟦0301234567⟧",
        ],
    );
}

#[test]
fn payment_card() {
    check(
        PiiKind::PaymentCard,
        &[
            "⟦4111 1111 1111 1111⟧",
            "⟦4111-1111-1111-1111⟧ exp 12/25",
            "⟦4111.1111.1111.1111⟧",
            "paid with ⟦5555555555554444⟧ yesterday",
            "⟦3782 822463 10005⟧ and ⟦378282246310005⟧",
            "⟦30569309025904⟧",
            "⟦6011 1111 1111 1117⟧, ⟦3530111333300000⟧",
            "⟦2223003122003222⟧",
            "my card is ⟦4222222222222⟧",
            "Kreditkarte ⟦4111 11111111 1111⟧",
            "card number: ⟦6304 0000 0000 0000⟧",
            "⟦４１１１　１１１１　１１１１　１１１１⟧",
            "⟦4111\u{200B}1111\u{200B}1111\u{200B}1111⟧",
            "⟦4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1⟧",
            "card ⟦4111-1111 11111111⟧ for order 77",
            "12/25 ⟦4111 1111 1111 1111⟧ 123",
        ],
    );
}

#[test]
fn us_ssn() {
    check(
        PiiKind::UsSsn,
        &[
            "⟦536-22-8726⟧",
            "my SSN is ⟦536 22 8726⟧.",
            "social security number: ⟦536228726⟧",
            "ssn ⟦536.22.8726⟧",
            "ssn ⟦536–22–8726⟧",
        ],
    );
}

#[test]
fn iban() {
    check(
        PiiKind::Iban,
        &[
            "⟦DE89 3704 0044 0532 0130 00⟧",
            "IBAN:⟦GB29NWBK60161331926819⟧.",
            "iban ⟦fr14 2004 1010 0505 0001 3m02 606⟧ merci",
            "⟦NL91-ABNA-0417-1643-00⟧",
            "⟦ES91 2100 0418 4502 0005 1332⟧ und ⟦NO93 8601 1117 947⟧",
            "⟦DE89\u{A0}3704\u{A0}0044\u{A0}0532\u{A0}0130\u{A0}00⟧",
            "⟦IT60 X054 2811 1010 0000 0123 456⟧",
        ],
    );
}

#[test]
fn ip_address() {
    check(
        PiiKind::IpAddress,
        &[
            "from ⟦203.0.113.77⟧ at noon",
            "host ⟦10.0.0.1⟧/24, range ⟦10.0.0.1⟧-⟦10.0.0.9⟧",
            "http://⟦198.51.100.7⟧:8080/x",
            "|⟦36.106.174.11⟧|",
            "ping ⟦2001:db8:85a3::8a2e:370:7334⟧ fails",
            "⟦6e40:4041:c617:e898:c11:40d2:c669:2eb4⟧",
            "[⟦2001:db8::1⟧]:443 and ⟦fe80::1%eth0⟧",
            "ip:⟦fd12:3456:789a::1⟧.",
        ],
    );
}

#[test]
fn url_credentials() {
    check(
        PiiKind::UrlCredentials,
        &[
            "⟦https://ana:hunter2@example.com/x?y=1⟧.",
            "(⟦postgres://app:s3cr3t@db.internal:5432/app⟧)",
            "⟦https://example.com/cb?state=1&access_token=abcdef123456⟧",
            "⟦https://b.s3.amazonaws.com/k?X-Amz-Credential=AK&X-Amz-Signature=0a1b2c3d4e⟧ ok",
            "⟦https://a.example/#id_token=abc.def.ghi⟧",
            "⟦https://acc.blob.core.windows.net/c?sv=2020&sig=abc%2Fdef%3D⟧",
            "⟦https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXX⟧",
            "⟦https://maps.example.com/?key=AbCd1234EfGh5678Ij⟧",
            "https://example.com/reset?redirect=⟦https://u:pw@inner.example/⟧",
        ],
    );
}

#[test]
fn secret() {
    // Split, so that scanners of this repository don't take the examples for real.
    let keys = [
        concat!("⟦AKIA", "IOSFODNN7EXAMPLE⟧ is the id"),
        concat!("aws_secret_access_key = ⟦wJalrXUtnFEMI/K7MDENG/", "bPxRfiCYEXAMPLEKEY⟧"),
        concat!("⟦ghp_", "16C7e42F292c6912E7710c838347Ae178B4a⟧"),
        concat!("⟦xoxb-", "123456789012-abcdefghijkl⟧"),
        concat!("key ⟦sk_live_", "4eC39HqLyjWDarjtT1zdp7dc⟧."),
        concat!("⟦AIza", "SyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe⟧"),
        concat!(
            "⟦eyJ",
            "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U⟧"
        ),
        "Authorization: Bearer ⟦mF_9.B5f-4.1JqMabcdef⟧",
        "Authorization: Basic ⟦dXNlcjpwYXNzd29yZA==⟧",
        "password: ⟦hunter2!⟧ thanks",
        "my password is ⟦Tr0ub4dor&3⟧.",
        "DB_PASSWORD=⟦correcthorse⟧",
        "{\"password\": \"⟦correct horse battery⟧\"}",
        "Passwort: ⟦Geheim2024⟧",
        "mot de passe : ⟦soleil99⟧",
        "contraseña es ⟦Perro#12⟧",
        "Password: ⟦sunshine⟧\nthanks",
        "api_key: ⟦9f86d081884c7d659a2feaa0c55ad015⟧",
        "client_secret=⟦Zx81-Qq92_Lm73⟧&x=1",
        "your PIN is ⟦4821⟧ and CVV: ⟦123⟧",
        "-> token: ⟦a8f5f167f44f4964e6c998dee827110c⟧",
        "⟦-----BEGIN RSA PRIVATE KEY-----\nMIIEow+/=\nabc\n-----END RSA PRIVATE KEY-----⟧ end",
        "⟦-----BEGIN PRIVATE KEY-----\nMIIEowIBAAKCAQEA⟧",
    ];
    check(PiiKind::Secret, &keys);
}

#[test]
fn date_of_birth() {
    check(
        PiiKind::DateOfBirth,
        &[
            "born on ⟦12/03/1985⟧ in Rome",
            "DOB: ⟦1985-03-12⟧",
            "d.o.b. ⟦03.12.85⟧",
            "date of birth is ⟦March 12, 1985⟧.",
            "born ⟦12th of March 1985⟧, born ⟦12 Mar 1985⟧",
            "Geburtsdatum: ⟦12. März 1985⟧ und geb. am ⟦1.2.1990⟧",
            "fecha de nacimiento ⟦12 de marzo de 1985⟧",
            "née le ⟦1er juin 1990⟧",
            "data de nascimento: ⟦12/03/1985⟧",
            "nato il ⟦12 settembre 1985⟧",
            "geboortedatum ⟦12-03-1985⟧",
            "⟦1985-03-12⟧ (date of birth)",
            "birthday ⟦19850312⟧",
            "dob ⟦１２/０３/１９８５⟧",
        ],
    );
}

#[test]
fn passport() {
    check(
        PiiKind::Passport,
        &[
            "passport number ⟦C01X00T47⟧",
            "Reisepassnummer ist ⟦C1H5G1FMW⟧.",
            "my passport is ⟦123456789⟧",
            "Reisepassnummer: ⟦C4J5K6L78⟧",
            "passport no. ⟦X1234567⟧.",
            "pasaporte ⟦AAB123456⟧",
            "n° de passeport : ⟦12AB34567⟧",
            "passaporto n. ⟦YA1234567⟧",
            "paspoortnummer ⟦NX12345C6⟧",
            "passaporte ⟦fz123456⟧",
        ],
    );
}

#[test]
fn driving_licence() {
    check(
        PiiKind::DrivingLicence,
        &[
            "driver's license number is ⟦U62928788557186⟧",
            "driver’s licence: ⟦MORGA657054SM9IJ⟧",
            "Her driver's license number is ⟦2270-66-1551⟧.",
            "Führerschein Nr. ⟦B072RRE2I55⟧",
            "permis de conduire ⟦12AA34567⟧",
            "permiso de conducir: ⟦12345678Z⟧",
            "patente di guida ⟦U1K23456L⟧",
            "rijbewijsnummer ⟦5123456789⟧",
            "CNH ⟦12345678900⟧",
        ],
    );
}
