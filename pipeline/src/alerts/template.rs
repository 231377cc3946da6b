//! An alert's one-line summary: text with `{{placeholders}}`.

use super::metric::{Unit, nearest};
use std::borrow::Cow;

/// What a summary is filled with.
pub(super) struct Facts<'a> {
    pub(super) rule: &'a str,
    pub(super) tenant: &'a str,
    pub(super) group: &'a str,
    pub(super) severity: &'a str,
    pub(super) value: f64,
    pub(super) threshold: f64,
    pub(super) unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placeholder {
    Rule,
    Tenant,
    Group,
    Severity,
    Value,
    Threshold,
}

impl Placeholder {
    const NAMES: [(&'static str, Self); 6] = [
        ("rule", Self::Rule),
        ("tenant", Self::Tenant),
        ("group", Self::Group),
        ("severity", Self::Severity),
        ("value", Self::Value),
        ("threshold", Self::Threshold),
    ];
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Placeholder(Placeholder),
}

/// What is wrong with a template, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TemplateError {
    pub(super) problem: String,
    pub(super) fix: String,
}

/// A checked template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find("{{") {
            if open > 0 {
                pieces.push(Piece::Text(rest[..open].to_owned()));
            }
            let Some(length) = rest[open..].find("}}") else {
                return Err(TemplateError {
                    problem: "`{{` is not closed".to_owned(),
                    fix: "write e.g. {{tenant}}".to_owned(),
                });
            };
            let name = rest[open + 2..open + length].trim();
            let Some((_, placeholder)) = Placeholder::NAMES.into_iter().find(|(known, _)| *known == name)
            else {
                return Err(unknown(name));
            };
            pieces.push(Piece::Placeholder(placeholder));
            rest = &rest[open + length + 2..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    pub(super) fn fill(&self, facts: &Facts<'_>) -> String {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => Cow::Borrowed(text.as_str()),
                Piece::Placeholder(Placeholder::Rule) => Cow::Borrowed(facts.rule),
                Piece::Placeholder(Placeholder::Tenant) => Cow::Borrowed(facts.tenant),
                Piece::Placeholder(Placeholder::Group) => Cow::Borrowed(facts.group),
                Piece::Placeholder(Placeholder::Severity) => Cow::Borrowed(facts.severity),
                Piece::Placeholder(Placeholder::Value) => Cow::Owned(readable(facts.value, facts.unit)),
                Piece::Placeholder(Placeholder::Threshold) => {
                    Cow::Owned(readable(facts.threshold, facts.unit))
                }
            })
            .collect()
    }
}

fn unknown(name: &str) -> TemplateError {
    let names = Placeholder::NAMES.map(|(name, _)| name);
    TemplateError {
        problem: format!("unknown placeholder `{{{{{name}}}}}`"),
        fix: match nearest(name, names) {
            Some(near) => format!("did you mean `{{{{{near}}}}}`?"),
            None => format!("the placeholders are {}", names.join(", ")),
        },
    }
}

/// A number as a human reads it: shares in percent, at most two decimals, no trailing zeros.
pub(super) fn readable(value: f64, unit: Unit) -> String {
    let (scaled, suffix) = match unit {
        Unit::Share => (value * 100.0, " %"),
        Unit::Number => (value, ""),
    };
    let decimals = if scaled.abs() >= 10.0 { 1 } else { 2 };
    let text = format!("{scaled:.decimals$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    let text = if text == "-0" { "0" } else { text };
    format!("{text}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled() {
        let template =
            Template::parse("{{ tenant }}: {{value}} over {{threshold}} ({{rule}}/{{group}})").unwrap();
        let facts = Facts {
            rule: "errors",
            tenant: "acme",
            group: "billing",
            severity: "critical",
            value: 0.0734,
            threshold: 0.05,
            unit: Unit::Share,
        };
        assert_eq!(template.fill(&facts), "acme: 7.34 % over 5 % (errors/billing)");
    }

    #[test]
    fn an_unknown_placeholder_is_named_with_the_nearest() {
        let error = Template::parse("{{tennant}}").unwrap_err();
        assert_eq!(error.problem, "unknown placeholder `{{tennant}}`");
        assert_eq!(error.fix, "did you mean `{{tenant}}`?");
        assert!(Template::parse("{{tenant").unwrap_err().problem.contains("not closed"));
        assert!(Template::parse("{{x}}").unwrap_err().fix.contains("rule, tenant"));
    }

    #[test]
    fn numbers_are_short() {
        let cases =
            [(11.0, "11"), (0.5, "0.5"), (1234.5678, "1234.6"), (1200.0, "1200"), (0.0, "0"), (-0.001, "0")];
        for (value, text) in cases {
            assert_eq!(readable(value, Unit::Number), text);
        }
        assert_eq!(readable(0.333_33, Unit::Share), "33.3 %");
        assert_eq!(readable(1.0, Unit::Share), "100 %");
        assert_eq!(readable(0.000_12, Unit::Share), "0.01 %");
    }
}
