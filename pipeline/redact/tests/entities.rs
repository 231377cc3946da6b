//! Names, places and addresses: golden sentences in five languages, and what must hold for every text.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use deskstream_redact::{Field, PiiKind, RedactConfig, Redacted, Redactor, TicketNames};
use proptest::prelude::*;

fn redacted(text: &str) -> String {
    let mut out = Redacted::default();
    Redactor::new(&RedactConfig::default()).unwrap().redact(text, &mut out);
    out.text
}

#[test]
fn finds_people_in_five_languages_and_any_case() {
    let sentences = [
        ("My name is Katherine Osborne and I cannot log in.", "Katherine Osborne"),
        ("Mein Name ist Sebastian Krüger und ich kann mich nicht anmelden.", "Sebastian Krüger"),
        ("Me llamo Lucía Fernández y no puedo entrar.", "Lucía Fernández"),
        ("Je m'appelle Camille Lefebvre et je ne peux pas me connecter.", "Camille Lefebvre"),
        ("Meu nome é Thiago Almeida e não consigo entrar.", "Thiago Almeida"),
    ];
    for (text, name) in sentences {
        for (text, name) in [
            (text.to_owned(), name.to_owned()),
            (text.to_lowercase(), name.to_lowercase()),
            (text.to_uppercase(), name.to_uppercase()),
        ] {
            let out = redacted(&text);
            for part in name.split(' ') {
                assert!(!out.contains(part), "{text} → {out}");
            }
        }
    }
}

#[test]
fn leaves_clean_prose_alone() {
    for text in [
        "The printer on the second floor does not print since Monday.",
        "Will you refund me? May I ask when?",
        "Die Anwendung zeigt eine Fehlermeldung beim Öffnen der Datenbank.",
        "No puedo iniciar sesión desde la última actualización.",
    ] {
        assert_eq!(redacted(text), text);
    }
}

#[test]
fn names_of_the_ticket_are_found_where_they_recur() {
    let redactor = Redactor::new(&RedactConfig::default()).unwrap();
    let (mut names, mut out) = (TicketNames::default(), Redacted::default());
    names.add_name("Xaviera Quobly");
    names.add_email("tresk.vannoy+desk@example.com");
    redactor.redact_field(
        Field::Body,
        "the ticket of xaviera is stuck, ask VANNOY; support is slow",
        &mut names,
        &mut out,
    );
    assert!(!out.text.contains("xaviera") && !out.text.contains("VANNOY"), "{}", out.text);
    assert!(out.text.contains("support is slow"), "{}", out.text);
    assert!(
        out.spans.iter().any(|span| span.detector.as_str() == "ticket_name" && span.kind == PiiKind::Person)
    );
    assert!(!format!("{names:?}").to_lowercase().contains("xaviera"));

    // Another ticket knows nothing of it.
    names.clear();
    names.add_name("Will");
    redactor.redact_field(Field::Body, "this will not do", &mut names, &mut out);
    assert_eq!(out.text, "this will not do");
}

proptest! {
    #[test]
    fn spans_are_disjoint_and_a_second_redaction_changes_nothing(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "Hi", "Anna", "Schmidt", "smith", "in", "Berlin", "12", "Main", "Street", ",", ".", "\n", "I", "am", "the",
                "from", "Acme", "GmbH", "Ltd", "[PERSON]", "é", "😀", "name", "is", "Regards", "will", "José", "-", "@",
            ]),
            0..40,
        )
    ) {
        let text = parts.join(" ");
        let redactor = Redactor::new(&RedactConfig::default()).unwrap();
        let (mut once, mut twice) = (Redacted::default(), Redacted::default());
        redactor.redact(&text, &mut once);
        for pair in once.spans.windows(2) {
            prop_assert!(pair[0].end <= pair[1].start);
        }
        for span in &once.spans {
            prop_assert!(text.is_char_boundary(span.start as usize) && text.is_char_boundary(span.end as usize));
        }
        redactor.redact(&once.text, &mut twice);
        prop_assert_eq!(&once.text, &twice.text);
    }
}
