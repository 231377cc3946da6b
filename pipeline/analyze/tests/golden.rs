//! What the shipped model says about a few tickets. They are in no training set, but the seed set was written
//! with such tickets in mind: this notices changes, it measures nothing. A change here is a change of behaviour
//! that users see: read it before accepting it.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use deskstream_analyze::{Analyzer, Head, Label, Scratch};

const TICKETS: &[(&str, &str)] = &[
    (
        "Where is my parcel?",
        "Hello,\n\nI ordered a pair of boots on [DATE_OF_BIRTH] and the tracking page has said \"in transit\" for nine days. Nobody at the courier picks up the phone. Please find out where it is.\n\nRegards\n[PERSON_1]",
    ),
    (
        "Charged two times",
        "I see the same payment twice on my statement for order 4711. Please return one of them.",
    ),
    (
        "URGENT - API down",
        "Since 08:40 UTC every request to your API ends in a 503. None of our 200 agents can work. We need this fixed immediately!",
    ),
    ("", "hey how do i invite a colleague to my workspace"),
    (
        "Kündigung",
        "Guten Tag, hiermit kündige ich mein Abonnement zum nächstmöglichen Zeitpunkt. Bitte bestätigen Sie die Kündigung schriftlich.",
    ),
    (
        "Remboursement",
        "Bonjour, j'ai retourné le colis il y a trois semaines et je n'ai rien reçu. C'est vraiment honteux.",
    ),
    ("No puedo entrar", "He cambiado de móvil y ya no puedo iniciar sesión, el código no me llega."),
    (
        "Stolen card",
        "My card [CREDIT_CARD] was stolen an hour ago and someone is withdrawing cash with it. Block it now!!",
    ),
    ("Thanks", "Just a note to say thank you, your colleague was wonderful and solved it in minutes."),
    (
        "Payment declined",
        "The shop tells me that my card payment was declined although there is enough money on the account.",
    ),
    ("Idea", "It would be lovely if the calendar could show week numbers. No rush."),
    ("", "[EMAIL] [PHONE]"),
    ("", ""),
];

fn show(label: &Label) -> String {
    let sure = if label.abstained { "guess" } else { "sure" };
    format!("{} {:.2} {sure}", label.name, label.confidence)
}

#[test]
fn shipped_model_on_hand_written_tickets() {
    let analyzer = Analyzer::shipped().unwrap();
    let mut scratch = Scratch::default();
    let mut out = String::new();
    for (subject, body) in TICKETS {
        let a = analyzer.analyze(subject, body, &mut scratch);
        out += &format!(
            "{subject} | {}\n  root cause: {}\n  urgency: {} {:?}\n  sentiment: {} ({:+.2})\n  industry: {}\n  language: {} {:.2}\n  summary: {}\n\n",
            body.replace('\n', " ").chars().take(60).collect::<String>(),
            show(&a.root_cause),
            show(&a.urgency),
            a.urgency_reasons,
            show(&a.sentiment),
            a.sentiment_score,
            show(&a.industry),
            a.language.code,
            a.language.confidence,
            a.summary,
        );
    }
    insta::assert_snapshot!(out);
}

#[test]
fn empty_text_is_abstained_from() {
    let analyzer = Analyzer::shipped().unwrap();
    for text in ["", " \t\n", "...", "\u{200B}", "!?", "[EMAIL] [PERSON_2]"] {
        let a = analyzer.analyze(text, text, &mut Scratch::default());
        for label in [&a.root_cause, &a.urgency, &a.sentiment, &a.industry] {
            assert!(label.abstained && label.confidence == 0.0, "{text:?}");
        }
        assert_eq!((a.language.code, a.sentiment_score, a.summary.as_str()), ("und", 0.0, ""));
    }
}

#[test]
fn label_sets_come_from_the_model() {
    let analyzer = Analyzer::shipped().unwrap();
    assert_eq!(analyzer.labels(Head::RootCause).len(), 12);
    assert_eq!(
        analyzer.labels(Head::Urgency).iter().map(|l| &**l).collect::<Vec<_>>(),
        ["low", "normal", "high", "critical"]
    );
    assert!(analyzer.version().starts_with("tickets-"));
}

#[test]
fn masks_do_not_disturb() {
    let analyzer = Analyzer::shipped().unwrap();
    let mut scratch = Scratch::default();
    let bare = analyzer.analyze(
        "",
        "my card was stolen please block it right now, I did not make these payments",
        &mut scratch,
    );
    let masked = analyzer.analyze("", "[PERSON_1] [EMAIL] [PHONE] my card was stolen please block it right now, I did not make these payments [CREDIT_CARD] [IBAN]", &mut scratch);
    assert_eq!(bare.root_cause.name, masked.root_cause.name);
    assert!((bare.root_cause.confidence - masked.root_cause.confidence).abs() < 0.15);
    assert_eq!(bare.language.code, masked.language.code);
}
