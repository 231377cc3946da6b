use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

/// Values by name; a range is part of the name, as in `tickets[5m]`.
struct Values(HashMap<String, f64>);

impl Source for Values {
    fn value(&self, metric: Metric, minutes: Option<u32>) -> Option<f64> {
        let name = metric.name();
        self.0.get(&minutes.map_or(name.to_owned(), |m| format!("{name}[{m}m]"))).copied()
    }
}

fn values(pairs: &[(&str, f64)]) -> Values {
    Values(pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect())
}

fn holds(expression: &str, pairs: &[(&str, f64)]) -> Option<bool> {
    Expression::parse(expression, false).unwrap().read(&values(pairs)).holds
}

fn error(expression: &str) -> String {
    Expression::parse(expression, false).unwrap_err().to_string()
}

#[test]
fn operators_bind_as_one_expects() {
    let data = [("tickets[5m]", 10.0), ("errors[5m]", 4.0), ("queue_depth", 2.0)];
    for (expression, expected) in [
        ("tickets[5m] - errors[5m] * 2 == 2", true),
        ("(tickets[5m] - errors[5m]) * 2 == 12", true),
        ("tickets[5m] - errors[5m] - 1 == 5", true),
        ("tickets[5m] / errors[5m] / 2 == 1.25", true),
        ("-tickets[5m] + 11 == 1", true),
        ("tickets[5m] > 1 or tickets[5m] > 1 and errors[5m] > 99", true),
        ("(tickets[5m] > 1 or tickets[5m] > 1) and errors[5m] > 99", false),
        ("not tickets[5m] > 99 and errors[5m] == 4", true),
        ("not (tickets[5m] > 99 or errors[5m] == 4)", false),
        ("not not queue_depth >= 2", true),
        ("queue_depth != 2", false),
        ("3 > queue_depth", true),
        ("queue_depth <= 2", true),
    ] {
        assert_eq!(holds(expression, &data), Some(expected), "{expression}");
    }
}

#[test]
fn what_is_unknown_stays_unknown_unless_the_rest_decides() {
    let data = [("tickets[15m]", 3.0)];
    for (expression, expected) in [
        ("negative_share[15m] > 0.3", None),
        ("not negative_share[15m] > 0.3", None),
        ("negative_share[15m] > 0.3 and tickets[15m] >= 20", Some(false)),
        ("negative_share[15m] > 0.3 and tickets[15m] >= 1", None),
        ("negative_share[15m] > 0.3 or tickets[15m] >= 1", Some(true)),
        ("negative_share[15m] > 0.3 or tickets[15m] >= 20", None),
        ("tickets[15m] / queue_depth > 1", None),
    ] {
        assert_eq!(holds(expression, &data), expected, "{expression}");
    }
    assert_eq!(holds("tickets[5m] / queue_depth > 1", &[("tickets[5m]", 1.0), ("queue_depth", 0.0)]), None);
}

#[test]
fn the_telling_comparison_has_its_metric_on_the_left() {
    let reading = |expression: &str, pairs: &[(&str, f64)]| {
        let telling = Expression::parse(expression, false).unwrap().read(&values(pairs)).telling.unwrap();
        (telling.value, telling.threshold)
    };
    let data = [("negative_share[15m]", 0.5), ("tickets[15m]", 40.0)];
    assert_eq!(reading("negative_share[15m] > 30% and tickets[15m] >= 20", &data), (0.5, 0.3));
    assert_eq!(reading("30% < negative_share[15m]", &data), (0.5, 0.3));
    // Of alternatives, the one that holds.
    assert_eq!(reading("negative_share[15m] > 90% or tickets[15m] > 30", &data), (40.0, 30.0));
    assert_eq!(reading("negative_share[15m] > 90% or tickets[15m] > 90", &data), (0.5, 0.9));
}

#[test]
fn metrics_and_ranges_are_listed() {
    let expression =
        Expression::parse("error_rate[1h30m] > 5% and queue_depth > 1 + events[5m]", false).unwrap();
    assert_eq!(
        expression.metrics(),
        [(Metric::ErrorRate, Some(90)), (Metric::QueueDepth, None), (Metric::Events, Some(5))]
    );
    assert!(!expression.gauges_only());
    assert!(Expression::parse("queue_depth > 1 or api_usage > 80%", false).unwrap().gauges_only());
}

#[test]
fn errors_name_the_place_and_the_fix() {
    let expressions = [
        "",
        "   ",
        "eror_rate[5m] > 5%",
        "temperature > 5",
        "error_rate > 5%",
        "error_rate[5m > 5%",
        "error_rate[5] > 5%",
        "error_rate[90s] > 5%",
        "error_rate[25h] > 5%",
        "error_rate[5x] > 5%",
        "error_rate[5m] > 5",
        "error_rate[5m] > 500",
        "queue_depth[5m] > 100",
        "tickets[5m]",
        "tickets[5m] + 1",
        "tickets[5m] > ",
        "tickets[5m] > 5m",
        "tickets[5m] > 1 tickets[5m] < 9",
        "1 < tickets[5m] < 9",
        "(tickets[5m] > 1",
        "tickets[5m] > 1)",
        "tickets[5m] > 1 && errors[5m] > 1",
        "tickets[5m] = 1",
        "tickets[5m] > 1 and errors[5m]",
        "(tickets[5m] > 1) + 1 > 2",
        "and tickets[5m] > 1",
        "1 > 0",
        "tickets[5m] / 0 > 1",
        "tickets[5m] > 1.2.3",
        "ticket_share[5m] > 50%",
        "ticke\u{301}ts[5m] > 1 €",
        "tickets[5m] > 1\nand eror_rate[5m] > 5%",
    ];
    let report: Vec<_> = expressions.iter().map(|e| format!("{e:?}\n{}\n", error(e))).collect();
    insta::assert_snapshot!(report.join("\n"));
}

#[test]
fn groups_know_only_their_tickets() {
    assert!(Expression::parse("ticket_share[5m] > 50% and tickets[5m] > 9", true).is_ok());
    let error = Expression::parse("error_rate[5m] > 5%", true).unwrap_err();
    assert!(error.fix.contains("tickets or ticket_share"), "{error}");
}

#[test]
fn size_and_depth_are_bounded() {
    let deep = format!("{}tickets[5m] > 1{}", "(".repeat(60), ")".repeat(60));
    assert!(error(&deep).contains("nested more than 50 deep"));
    let long = format!("tickets[5m] > {}1", "1 + ".repeat(500));
    assert!(error(&long).contains("more than 1000 characters"));
    let fits = format!("tickets[5m] > {}1", "1 + ".repeat(200));
    assert_eq!(holds(&fits, &[("tickets[5m]", 202.0)]), Some(true));
}

/// Expressions that are valid by construction, with what they must say of one fixed set of values.
fn quantity() -> impl Strategy<Value = (String, Option<f64>)> {
    let leaf = prop_oneof![
        (1u32..100).prop_map(|n| (n.to_string(), Some(f64::from(n)))),
        Just(("tickets[5m]".to_owned(), Some(12.0))),
        Just(("errors[5m]".to_owned(), Some(3.0))),
        Just(("error_rate[5m]".to_owned(), None)),
    ];
    leaf.prop_recursive(4, 32, 2, |inner| {
        (inner.clone(), prop_oneof!["[+*/-]"], inner).prop_map(|((lt, l), sign, (rt, r))| {
            let value = l.zip(r).and_then(|(l, r)| {
                let value = match sign.as_str() {
                    "+" => l + r,
                    "-" => l - r,
                    "*" => l * r,
                    _ => l / r,
                };
                value.is_finite().then_some(value)
            });
            (format!("({lt} {sign} {rt})"), value)
        })
    })
}

proptest! {
    #[test]
    fn no_text_breaks_the_parser(text in "\\PC{0,60}") {
        if let Err(error) = Expression::parse(&text, false) {
            prop_assert!(text.get(error.span.clone()).is_some(), "{:?}", error.span);
            let _shown = error.to_string();
        }
    }

    #[test]
    fn no_sequence_of_tokens_breaks_the_parser(
        words in proptest::collection::vec(
            prop_oneof!["tickets", "error_rate", "queue_depth", "\\[5m\\]", "and", "or", "not", "[()<>=%*/+-]", "[0-9]{1,3}"],
            0..30,
        )
    ) {
        if let Err(error) = Expression::parse(&words.join(" "), false) {
            let _shown = error.to_string();
        }
    }

    #[test]
    fn arithmetic_agrees_with_a_direct_computation((text, expected) in quantity()) {
        // Constants alone, and divisions by a constant zero, are refused at once.
        if let Ok(expression) = Expression::parse(&format!("tickets[5m] * 0 + {text} > 7"), false) {
            let reading = expression.read(&values(&[("tickets[5m]", 12.0), ("errors[5m]", 3.0)]));
            prop_assert_eq!(reading.holds, expected.map(|value| value > 7.0));
        }
    }
}
