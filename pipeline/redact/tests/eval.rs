//! The arithmetic of the evaluation, on cases counted by hand.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use deskstream_redact::eval::{
    EvalError, Evaluation, Label, Record, Report, SHIPPED_TYPE_MAP, TypeMap, in_code_points,
};
use deskstream_redact::{PiiKind, RedactConfig, Redacted, Redactor};
use proptest::prelude::*;

fn label(start: usize, end: usize, kind: &str) -> Label {
    Label { start, end, kind: kind.to_owned() }
}

fn record(text: &str, spans: Vec<Label>) -> Record {
    Record { id: "r".to_owned(), text: text.to_owned(), spans }
}

fn shipped() -> TypeMap {
    toml::from_str(SHIPPED_TYPE_MAP).unwrap()
}

fn report(text: &str, labels: Vec<Label>, predicted: &[Label]) -> Report {
    let mut evaluation = Evaluation::new(&shipped(), 100);
    evaluation.add(&record(text, labels), predicted).unwrap();
    evaluation.finish()
}

#[test]
fn every_kind_of_ours_is_its_own_name() {
    // Those that are optional are neutral: a label of them is neither right nor wrong.
    for kind in PiiKind::ALL.into_iter().filter(|kind| !kind.is_optional()) {
        let whole = [label(0, 4, kind.as_str())];
        let report = report("abcd", whole.to_vec(), &whole);
        assert_eq!(report.overall.spans.labelled, 1, "{kind} is not counted");
        assert_eq!(report.overall.spans.exact.f1, 1.0);
        assert!(report.unknown_types.is_empty());
    }
}

#[test]
fn counts_exact_overlap_and_characters_apart() {
    // Of 10 labelled code points 4 are predicted, and 2 more beside them; the second label is missed.
    let labels = vec![label(0, 6, "EMAIL_ADDRESS"), label(10, 14, "PHONE_NUMBER")];
    let report = report(&"ä".repeat(20), labels, &[label(2, 8, "EMAIL")]);
    let spans = &report.overall.spans;
    assert_eq!((spans.overlap.precision, spans.overlap.recall), (1.0, 0.5));
    assert_eq!((spans.exact.precision, spans.exact.recall), (0.0, 0.0));
    assert_eq!(spans.exact.f2, 0.0);
    let characters = &report.overall.characters;
    assert!((characters.precision - 4.0 / 6.0).abs() < 1e-9 && (characters.recall - 0.4).abs() < 1e-9);
    // F2 = 5PR / (4P + R)
    let (p, r) = (4.0 / 6.0, 0.4);
    assert!((characters.f2 - 5.0 * p * r / (4.0 * p + r)).abs() < 1e-9);
    assert_eq!(report.mistakes.len(), 1);
    assert_eq!((report.mistakes[0].start, report.mistakes[0].end), (10, 14));
}

#[test]
fn tells_a_miss_from_a_false_mark_and_from_a_wrong_type() {
    let labels = vec![label(0, 4, "SSN"), label(5, 9, "person")];
    let report = report("1234 anna 5678 ....", labels, &[label(0, 4, "PHONE"), label(10, 14, "PHONE")]);
    let mut confusion: Vec<_> =
        report.confusion.iter().map(|c| (c.expected.as_deref(), c.predicted.as_deref(), c.count)).collect();
    confusion.sort_unstable();
    assert_eq!(
        confusion,
        [(None, Some("PHONE"), 1), (Some("PERSON"), None, 1), (Some("US_SSN"), Some("PHONE"), 1)]
    );
    assert_eq!(report.overall.false_marks, 1);
    // Masked under a wrong name is masked.
    assert_eq!(report.overall.characters.recall, 0.5);
    assert_eq!((report.overall.any_type.precision, report.overall.any_type.recall), (0.5, 0.5));
    assert_eq!(report.overall.spans.overlap.recall, 0.0);
}

#[test]
fn neutral_and_unknown_types_neither_help_nor_harm() {
    let labels = vec![label(0, 4, "AGE"), label(5, 9, "SHOE_SIZE"), label(10, 14, "EMAIL")];
    let report = report(
        "aaaa bbbb cccc dddd",
        labels,
        &[label(0, 4, "PHONE"), label(5, 9, "PHONE"), label(10, 14, "EMAIL"), label(15, 19, "DATE_TIME")],
    );
    assert_eq!((report.overall.spans.labelled, report.overall.spans.predicted), (1, 1));
    assert_eq!(report.overall.characters.f2, 1.0);
    assert_eq!(report.unknown_types["SHOE_SIZE"], 1);
}

#[test]
fn clean_texts_are_counted_by_text() {
    let mut evaluation = Evaluation::new(&shipped(), 0);
    evaluation.add(&record("a b", vec![]), &[label(0, 1, "PHONE"), label(2, 3, "PHONE")]).unwrap();
    evaluation.add(&record("a b", vec![]), &[]).unwrap();
    let report = evaluation.finish();
    assert_eq!((report.overall.clean_records, report.overall.clean_records_marked), (2, 1));
    assert_eq!(report.overall.false_marks, 2);
    assert!(report.mistakes.is_empty(), "none were asked for");
}

#[test]
fn byte_offsets_are_refused_where_they_show() {
    // In bytes the label would end at 8; there are 4 code points.
    let error = Evaluation::new(&shipped(), 0).add(&record("äöüß", vec![label(4, 8, "EMAIL")]), &[]);
    assert!(matches!(error, Err(EvalError::Outside { start: 4, end: 8, length: 4, .. })));
    let error = Evaluation::new(&shipped(), 0).add(&record("abc", vec![]), &[label(2, 2, "EMAIL")]);
    assert!(error.unwrap_err().to_string().contains("predicted"));
}

#[test]
fn our_findings_are_read_as_code_points() {
    let text = "Grüße, ünïcödé@example.com – ana@example.com";
    let redactor = Redactor::new(&RedactConfig::default()).unwrap();
    let mut out = Redacted::default();
    redactor.redact(text, &mut out);
    let labels = in_code_points(text, &out.spans);
    let last = labels.last().unwrap();
    let value: String = text.chars().skip(last.start).take(last.end - last.start).collect();
    assert_eq!(value, "ana@example.com");
}

proptest! {
    #[test]
    fn ratios_are_ratios_and_perfect_predictions_perfect(
        spans in prop::collection::vec((0_usize..60, 1_usize..10, prop::sample::select(vec!["EMAIL", "PERSON", "AGE", "nonsense"])), 0..8),
        others in prop::collection::vec((0_usize..60, 1_usize..10, prop::sample::select(vec!["EMAIL", "PERSON", "URL"])), 0..8),
    ) {
        let labels = |spans: &[(usize, usize, &str)]| -> Vec<Label> {
            spans.iter().map(|&(start, length, kind)| label(start, start + length, kind)).collect()
        };
        let text = "x".repeat(70);
        let same = report(&text, labels(&spans), &labels(&spans));
        prop_assert_eq!(same.overall.spans.overlap.f2, 1.0);
        prop_assert_eq!(same.overall.characters.f2, 1.0);
        let other = report(&text, labels(&spans), &labels(&others));
        for ratios in [&other.overall.spans.overlap, &other.overall.spans.exact, &other.overall.characters] {
            for value in [ratios.precision, ratios.recall, ratios.f1, ratios.f2] {
                prop_assert!((0.0..=1.0 + 1e-12).contains(&value));
            }
        }
    }
}

/// A postal code may be found as a part of an address, or as one: neither type's precision may pass 1.
#[test]
fn no_ratio_passes_one_where_types_count_as_each_other() {
    let mut evaluation = Evaluation::new(&shipped(), 0);
    for kind in ["POSTAL_CODE", "ADDRESS", "ADDRESS"] {
        evaluation.add(&record("10115", vec![label(0, 5, "POSTAL_CODE")]), &[label(0, 5, kind)]).unwrap();
    }
    let report = evaluation.finish();
    for scores in report.types.iter().map(|t| &t.scores).chain([&report.overall.spans]) {
        assert!(scores.exact.precision <= 1.0 && scores.overlap.precision <= 1.0, "{scores:?}");
    }
}
