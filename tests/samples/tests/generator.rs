//! The ticket generator: what it plants is there, is valid, and comes again from the same seed.
#![allow(clippy::unwrap_used, reason = "clippy does not see that the helpers here are tests too")]

use deskstream_samples::tickets::{Cause, Generator, Language, PiiKind, Settings};
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};

/// Luhn's check, written apart from the generator's.
fn passes_luhn(number: &str) -> bool {
    let digits: Vec<u32> = number.chars().filter_map(|c| c.to_digit(10)).collect();
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, digit)| match (i % 2, digit * 2) {
            (0, _) => *digit,
            (_, doubled) => doubled / 10 + doubled % 10,
        })
        .sum();
    (13..=19).contains(&digits.len()) && sum.is_multiple_of(10)
}

fn valid(kind: PiiKind, value: &str, language: Language) -> bool {
    match kind {
        PiiKind::PaymentCard => passes_luhn(value),
        PiiKind::Iban => value.parse::<iban::Iban>().is_ok(),
        PiiKind::IpV4 => value.parse::<std::net::Ipv4Addr>().is_ok(),
        PiiKind::IpV6 => value.parse::<std::net::Ipv6Addr>().is_ok(),
        PiiKind::Phone => {
            use phonenumber::country::Id;
            let countries: &[Id] = match language {
                Language::English => &[Id::US, Id::GB],
                Language::German => &[Id::DE],
                Language::Spanish => &[Id::ES],
                Language::French => &[Id::FR],
                Language::Portuguese => &[Id::BR, Id::PT],
            };
            countries.iter().any(|country| {
                phonenumber::parse(Some(*country), value).is_ok_and(|number| number.is_valid())
            })
        }
        PiiKind::Email => {
            value.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
        }
        PiiKind::Ssn => {
            value.len() == 11
                && !value.starts_with("000")
                && !value.starts_with("666")
                && !value.starts_with('9')
        }
        PiiKind::CredentialUrl => value.split_once("://").is_some_and(|(_, rest)| rest.contains('@')),
        _ => !value.is_empty(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn planted_values_are_in_the_text_and_valid(seed in any::<u64>(), index in 0_u64..1_000_000) {
        let ticket = Generator::new(seed).at(index);
        for planted in &ticket.planted {
            prop_assert!(
                ticket.body.contains(&planted.value) || ticket.subject.contains(&planted.value),
                "{planted:?} is not in {ticket:#?}"
            );
            prop_assert!(valid(planted.kind, &planted.value, ticket.language), "{planted:?} in {:?}", ticket.language);
        }
        prop_assert!((150..=4_300).contains(&ticket.body.len()), "{} bytes", ticket.body.len());
        let unexpanded = ticket.subject.contains(['[', '{', '|']) || ticket.body.contains("{}");
        prop_assert!(!unexpanded, "template marks left");
        prop_assert_eq!(&ticket, &Generator::new(seed).at(index));
    }

    #[test]
    fn follow_ups_contain_what_they_plant(seed in any::<u64>()) {
        let (text, planted) = Generator::new(seed).next_follow_up();
        for planted in planted {
            prop_assert!(text.contains(&planted.value));
            prop_assert!(valid(planted.kind, &planted.value, Language::English));
        }
    }
}

#[test]
fn a_seed_is_a_stream_and_another_seed_another() {
    let first: Vec<_> = Generator::new(5).take(50).collect();
    let again: Vec<_> = (0..50).map(|index| Generator::new(5).at(index)).collect();
    assert_eq!(first, again);
    let other: Vec<_> = Generator::new(6).take(50).collect();
    assert!(first.iter().zip(&other).all(|(one, two)| one.body != two.body));
}

#[test]
fn the_mixture_is_as_described() {
    let tickets: Vec<_> = Generator::new(42).take(4_000).collect();
    let mean =
        tickets.iter().map(|ticket| ticket.subject.len() + ticket.body.len()).sum::<usize>() / tickets.len();
    assert!((750..=1_150).contains(&mean), "mean size is {mean}");
    assert!(tickets.iter().any(|ticket| ticket.body.len() > 3_000));
    assert!(tickets.iter().any(|ticket| ticket.body.len() < 350));

    let mut languages: HashMap<Language, usize> = HashMap::new();
    let mut causes: HashMap<Cause, usize> = HashMap::new();
    let mut kinds: HashMap<PiiKind, usize> = HashMap::new();
    for ticket in &tickets {
        *languages.entry(ticket.language).or_default() += 1;
        *causes.entry(ticket.cause).or_default() += 1;
        for planted in &ticket.planted {
            *kinds.entry(planted.kind).or_default() += 1;
        }
    }
    assert!((2_600..=3_000).contains(&languages[&Language::English]), "{languages:?}");
    assert!(Language::ALL.iter().all(|language| languages[language] > 100), "{languages:?}");
    assert!(Cause::ALL.iter().all(|cause| causes[cause] > 150), "{causes:?}");
    assert_eq!(kinds.len(), 14, "every kind occurs: {kinds:?}");
    assert!(kinds.values().all(|count| *count > 30), "{kinds:?}");

    let bodies: HashSet<&str> = tickets.iter().map(|ticket| ticket.body.as_str()).collect();
    assert!(bodies.len() > 3_990, "texts repeat: {} of 4000 differ", bodies.len());
}

#[test]
fn nothing_structured_is_planted_when_asked_so() {
    let settings = Settings { pii_share: 0.0, ..Settings::default() };
    for ticket in Generator::with_settings(1, settings).take(500) {
        assert!(ticket.planted.iter().all(|planted| !planted.kind.structured()), "{:?}", ticket.planted);
        assert!(!ticket.body.contains('@'));
    }
}

#[test]
fn an_incident_is_one_outage_told_in_many_ways() {
    let mut generator = Generator::new(9);
    let outage = generator.next_outage();
    let tickets: Vec<_> = (0..40).map(|_| generator.next_incident_ticket(&outage)).collect();
    assert!(tickets.iter().all(|ticket| ticket.cause == Cause::Outage));
    let english: Vec<_> = tickets.iter().filter(|ticket| ticket.language == Language::English).collect();
    assert!(english.len() > 25);
    let subjects: HashSet<&str> = english.iter().map(|ticket| ticket.subject.as_str()).collect();
    assert!(subjects.len() > 10, "{subjects:?}");
}
