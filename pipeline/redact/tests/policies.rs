//! What a tenant's policy does to a text: treatments, fields, lists and patterns.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use deskstream_redact::{Field, PiiKind, PseudonymKey, RedactConfig, Redacted, Redactor, TicketNames};

fn key(seed: u8) -> PseudonymKey {
    PseudonymKey::new([seed; 32])
}

fn redactor(policy: &str) -> Redactor {
    Redactor::with_key(&toml::from_str(policy).unwrap(), &key(1)).unwrap()
}

fn redacted(policy: &str, text: &str) -> String {
    let mut out = Redacted::default();
    redactor(policy).redact(text, &mut out);
    out.text
}

const STRUCTURED: &str = "entities = false\n";

#[test]
fn each_treatment_leaves_what_it_says() {
    let policy = format!(
        "{STRUCTURED}[policies]\nEMAIL = \"pseudonym\"\nPHONE = \"hash\"\nIBAN = \"partial\"\nIP_ADDRESS = \"keep\"\nUS_SSN = \"off\"\n"
    );
    let text = "ana@example.com, +44 20 7946 0018, DE89370400440532013000, 203.0.113.7, ssn 536-22-8726, card 4111111111111111";
    let expected = format!(
        "[EMAIL {}], [PHONE #{}], [IBAN ****3000], 203.0.113.7, ssn 536-22-8726, card [PAYMENT_CARD]",
        key(1).pseudonym(PiiKind::Email, "ana@example.com"),
        key(1).hash(PiiKind::Phone, "+442079460018"),
    );
    assert_eq!(redacted(&policy, text), expected);
}

#[test]
fn a_value_has_one_pseudonym_in_all_texts_of_a_tenant_and_another_one_elsewhere() {
    let config: RedactConfig =
        toml::from_str("[policies]\nEMAIL = \"pseudonym\"\nPERSON = \"pseudonym\"").unwrap();
    let base = Redactor::new(&RedactConfig::default()).unwrap();
    let run = |seed: u8, text: &str| {
        let mut out = Redacted::default();
        base.derive(&config, Some(&key(seed))).unwrap().redact(text, &mut out);
        out.text
    };
    let one = run(1, "Write to ana@example.com");
    let two = run(1, "ANA@example.com, again");
    let mask = one.strip_prefix("Write to ").unwrap();
    assert!(two.starts_with(mask), "{one} {two}");
    assert!(!run(2, "Write to ana@example.com").contains(mask));
    assert!(base.derive(&config, None).is_err(), "there is no key");
}

#[test]
fn fields_may_differ() {
    let policy =
        "[policies]\nPERSON = \"mask\"\n[fields.tag]\nEMAIL = \"off\"\n[fields.subject]\nEMAIL = \"keep\"\n";
    let redactor = redactor(policy);
    let (mut names, mut out) = (TicketNames::default(), Redacted::default());
    let mut run = |field, spans: usize| {
        redactor.redact_field(field, "to ana@example.com", &mut names, &mut out);
        assert_eq!(out.spans.len(), spans, "{field:?}");
        out.text.clone()
    };
    assert_eq!(run(Field::Body, 1), "to [EMAIL]");
    assert_eq!(run(Field::Subject, 1), "to ana@example.com");
    assert_eq!(run(Field::Tag, 0), "to ana@example.com");
}

#[test]
fn lists_decide_before_detectors() {
    let policy = r#"
        allow = ["*@acme.com", "+44 20 7946 0018", { value = "Acme Corp", kinds = ["ORGANIZATION"] }]
        deny = ["Project Falcon", { value = "Jürgen K", kind = "PERSON" }, "boss@acme.com"]
    "#;
    let text = "help@acme.com or boss@acme.com or ana@example.com, +44 20 7946 0018; ask JÜRGEN K about project falcon.";
    let expected = "help@acme.com or [CUSTOM] or [EMAIL], +44 20 7946 0018; ask [PERSON] about [CUSTOM].";
    let mut out = Redacted::default();
    let redactor = redactor(policy);
    redactor.redact(text, &mut out);
    assert_eq!(out.text, expected);
    // A value that hides is found like any other.
    redactor.redact("about Project\u{A0}Falc\u{200B}on", &mut out);
    assert_eq!(out.text, "about [CUSTOM]");
}

const ORDERS: &str = r#"
entities = false
[[patterns]]
name = "ORDER_ID"
pattern = '\bORD-[0-9]{8}\b'
policy = "partial"
examples = ["where is ORD-12345678"]

[[patterns]]
name = "CUSTOMER"
pattern = '\b[0-9]{6}\b'
near = ["customer"]
policy = "hash"
examples = ["customer no 123456"]
counter_examples = ["room 123456"]

[[patterns]]
name = "STAFF_PASS"
pattern = '\bS[0-9]{7}X\b'
kind = "PASSPORT"
examples = ["S1234567X"]
"#;

#[test]
fn patterns_are_treated_as_they_say_and_named() {
    let redactor = redactor(ORDERS);
    let mut out = Redacted::default();
    redactor.redact("ORD-87654321 of customer 424242, badge S7654321X\nroom 424242", &mut out);
    let hash = key(1).hash(PiiKind::Custom, "424242");
    assert_eq!(
        out.text,
        format!(
            "[CUSTOM ORDER_ID ****4321] of customer [CUSTOM CUSTOMER #{hash}], badge [PASSPORT]\nroom 424242"
        )
    );
    let names: Vec<_> = out.spans.iter().map(|span| redactor.pattern_name(span)).collect();
    assert_eq!(names, [Some("ORDER_ID"), Some("CUSTOMER"), Some("STAFF_PASS")]);
    // In a blob and in full-width digits as well.
    redactor.redact("ORD-８７６５４３２１", &mut out);
    assert_eq!(out.text, "[CUSTOM ORDER_ID ****４３２１]");
}

#[test]
fn a_pattern_that_looks_like_our_masks_does_not_eat_them() {
    let policy = r#"
        [[patterns]]
        name = "CAPITALS"
        pattern = '[A-Z]{3,20}'
        examples = ["ABC"]
    "#;
    let once = redacted(policy, "ABC wrote to ana@example.com");
    assert_eq!(once, "[CUSTOM CAPITALS] wrote to [EMAIL]");
    assert_eq!(redacted(policy, &once), once);
}
