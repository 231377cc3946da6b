//! Realistic tickets in the languages of the product, and what is left of them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write;

use deskstream_redact::{PiiKind, Policy, RedactConfig, Redacted, Redactor, VERSION};

fn render(redactor: &Redactor, text: &str) -> String {
    let mut out = Redacted::default();
    redactor.redact(text, &mut out);
    let mut all = format!("{}\n", out.text);
    for span in &out.spans {
        write!(
            all,
            "\n{:>4}..{:<4} {:<16} {:<24} {:.2}",
            span.start,
            span.end,
            span.kind,
            span.detector.as_str(),
            span.score
        )
        .unwrap();
    }
    all
}

#[test]
fn tickets_in_several_languages() {
    let redactor = Redactor::new(&RedactConfig::default()).unwrap();
    let tickets = [
        (
            "en",
            "Hi team,\n\nmy order #100234567 from 2024-03-01 was charged twice on my card 4111 1111 1111 1111 (exp 12/26).\n\
             Please call me at (415) 555-2671 or write to jane.doe+help@example.com. My login is jane, password: Tr0ub4dor&3.\n\
             Tracking 9400 1000 0000 0000 0000 00, app version 10.4.2.1, IP 203.0.113.77.\n\nJane Doe, born 03/12/1985, SSN 536-22-8726",
        ),
        (
            "de",
            "Guten Tag,\n\nRechnungsnummer 2024001234 ist falsch. Bitte überweisen Sie auf DE89 3704 0044 0532 0130 00.\n\
             Telefon: 030 1234567, mobil +49 151 12345678, E-Mail müller@beispiel.de.\n\
             Geburtsdatum: 12. März 1985, Reisepassnummer C01X00T47, Führerschein B072RRE2I55.\nTermin am 12.03.2024 um 10:30 Uhr.",
        ),
        (
            "es",
            "Hola, mi pedido 40012345 no ha llegado. Llámame al 612 345 678 o a ana@ejemplo.es.\n\
             Mi tarjeta es 5555 5555 5555 4444 y mi contraseña es Perro#12. Fecha de nacimiento: 3 de mayo de 1990.",
        ),
        (
            "fr",
            "Bonjour, la commande 7788990011 n'est pas arrivée. Mon portable : 06\u{A0}12\u{A0}34\u{A0}56\u{A0}78, née le 1er juin 1990.\n\
             IBAN : FR14 2004 1010 0505 0001 3M02 606. Mot de passe : soleil99. Total : 1 250,00 €.",
        ),
        (
            "ops",
            "2024-03-01T10:30:00Z ERROR host=10.0.0.12 req=550e8400-e29b-41d4-a716-446655440000 \
             db=postgres://app:s3cr3t@db.internal:5432/app build 1.24.3.9 commit 9fceb02d0ae598e95dc970b74767f19372d61af8 \
             callback https://example.com/cb?access_token=abcdef123456&x=1 took 00:01:12",
        ),
        (
            "hidden",
            "card ４１１１ １１１１ １１１１ １１１１, mail jane (at) example (dot) com, 4\u{200B}15–555–2671 ok",
        ),
        (
            "clean",
            "The export button does nothing since version 4.2.1.0, see screenshot 3. We are 12 users in 2 offices.",
        ),
    ];
    for (name, text) in tickets {
        insta::assert_snapshot!(name, render(&redactor, text));
    }
}

#[test]
fn policies_decide_what_stays() {
    let config = RedactConfig {
        policies: [
            (PiiKind::PaymentCard, Policy::Partial),
            (PiiKind::Iban, Policy::Partial),
            (PiiKind::Email, Policy::Keep),
            (PiiKind::IpAddress, Policy::Off),
        ]
        .into(),
        ..RedactConfig::default()
    };
    let redactor = Redactor::new(&config).unwrap();
    insta::assert_snapshot!(
        "policies",
        render(
            &redactor,
            "4111 1111 1111 1111, DE89370400440532013000, ana@example.com, 203.0.113.77, https://u:ana@example.com/"
        )
    );
}

#[test]
fn debug_output_holds_no_text() {
    let redactor = Redactor::new(&RedactConfig::default()).unwrap();
    let mut out = Redacted::default();
    redactor.redact("SECRETWORD ana\u{200B}@example.com", &mut out);
    let debug = format!("{redactor:?} {out:?} {:?}", out.spans);
    assert!(!debug.contains("SECRETWORD") && !debug.contains("example"), "{debug}");
    assert!(debug.contains("EMAIL") || debug.contains("Email"), "{debug}");
    assert!(!VERSION.is_empty());
}

#[test]
fn a_redactor_is_shared_between_threads() {
    fn shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    shared(&Redactor::new(&RedactConfig::default()).unwrap());
}
