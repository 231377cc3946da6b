//! Names, places and addresses: golden sentences in five languages, and what must hold for every text.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use deskstream_redact::{Field, PiiKind, RedactConfig, Redacted, Redactor, TicketNames};
use proptest::prelude::*;
use std::sync::LazyLock;

fn redacted(text: &str) -> String {
    let mut out = Redacted::default();
    Redactor::new(&RedactConfig::default()).unwrap().redact(text, &mut out);
    out.text
}

#[test]
fn a_text_ends_with_a_name_and_not_with_a_noun() {
    let signed = [
        ("Der Chat war leider nicht besetzt.\n\nMfG Lena Weiß", "MfG [PERSON]"),
        ("IS THERE ANYTHING ELSE WE CAN HELP WITH? NOAH MOORE", "WITH? [PERSON]"),
        ("Muchas gracias de antemano, Carlos López\n-- \nid 7", "antemano, [PERSON]\n-- \nid 7"),
    ];
    for (text, end) in signed {
        assert!(redacted(text).ends_with(end), "{}", redacted(text));
    }
    for text in ["See the manual. Release Notes", "Best regards, Support Team"] {
        assert_eq!(redacted(text), text);
    }
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

/// Masks names first where a field gives them away, then where they recur in small letters.
#[test]
fn whoever_is_greeted_is_known_below() {
    for (text, name) in [
        ("Dear Ms Whitfield,\nthe invoice is attached. I asked whitfield yesterday.", "whitfield"),
        ("Sehr geehrte Frau Schneider,\ndie Rechnung fehlt. schneider wollte anrufen.", "schneider"),
        ("Estimada Sra. Etxeberria:\nfalta la factura. etxeberria prometió llamar.", "etxeberria"),
        ("Bonjour Mme Dubois,\nla facture manque. dubois devait appeler.", "dubois"),
        ("Prezada Sra. Oliveira,\na fatura não chegou. oliveira ficou de ligar.", "oliveira"),
    ] {
        let out = redacted(text);
        assert!(!out.to_lowercase().contains(name), "{text} → {out}");
    }
}

#[test]
fn whoever_signs_is_masked() {
    for (text, names) in [
        ("It fails.\n\nBest regards,\nMargaret Holloway\nNorthfield Logistics Ltd", ["Margaret", "Holloway"]),
        ("Es geht nicht.\n\nMit freundlichen Grüßen\nJana Schröder\nMuster GmbH", ["Jana", "Schröder"]),
        ("Sigue igual.\n\nUn cordial saludo,\nPaula Jiménez\nJefa de compras", ["Paula", "Jiménez"]),
        ("Cela ne marche pas.\n\nCordialement,\nÉlodie Marchand", ["Élodie", "Marchand"]),
        ("Continua sem funcionar.\n\nAtenciosamente,\nBeatriz Carvalho", ["Beatriz", "Carvalho"]),
    ] {
        let out = redacted(text);
        assert!(!names.iter().any(|name| out.contains(name)), "{text} → {out}");
    }
}

/// The helpdesk sends no names of agents and of people in copy: only the text has them.
#[test]
fn agents_and_people_in_copy_are_masked_too() {
    for (text, names) in [
        ("Hi Ana,\nI have reset your password.\nBest,\nTom\nCustomer Support", &["Ana", "Tom"][..]),
        ("Vielen Dank für Ihre Nachricht. Viele Grüße, Ihre Lena vom Kundenservice", &["Lena"]),
        ("On Tuesday Tom Becker wrote:\n> please restart it\nI did, becker.", &["Tom", "Becker", "becker"]),
        (
            "From: Tom Becker <tom.becker@example.com>\nCc: Sven Olsen <s.olsen@example.org>\n\ntom says olsen comes.",
            &["Tom", "Becker", "Sven", "Olsen", "tom", "olsen"],
        ),
    ] {
        let out = redacted(text);
        assert!(!names.iter().any(|name| out.contains(name)), "{text} → {out}");
    }
}

#[test]
fn an_address_before_its_at_sign_tells_a_name() {
    for text in [
        "write to krueger.jana@example.com, jana will answer, or KRUEGER",
        "write to jana_krueger87@example.com, jana will answer, or Krueger",
        "write to jana-krueger+desk@example.com, jana will answer, or krueger",
    ] {
        let out = redacted(text).to_lowercase();
        assert!(!out.contains("jana") && !out.contains("krueger"), "{text} → {out}");
    }
    // A role is nobody.
    assert!(redacted("write to support@example.com, support will answer").contains("support will answer"));
}

#[test]
fn technical_text_names_nobody() {
    for text in [
        "voucher ZBLI-7467-BZMS\ntimeout of 25248 ms\nplease advise",
        "Moreover, the Analytics Dashboard is slow. Additionally, Jenkins reports an error.",
        "Die Zugriffskontrollen und die Patientendaten-Übersicht in Kubernetes fallen seit dem Update aus.",
        "Trotz mehrerer Neustarts bleibt der Verbindungsfehler im Kunden-Portal bestehen.",
    ] {
        assert_eq!(redacted(text), text);
    }
    // A line break that an export wrote as two characters glues no word to the next.
    assert_eq!(
        redacted("It is slow.\\nDespite the update.\\n\\nWe waited."),
        "It is slow.\\nDespite the update.\\n\\nWe waited."
    );
}

/// Reading the model takes longer than redacting a text.
static DEFAULT: LazyLock<Redactor> = LazyLock::new(|| Redactor::new(&RedactConfig::default()).unwrap());

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
        let redactor = &*DEFAULT;
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
