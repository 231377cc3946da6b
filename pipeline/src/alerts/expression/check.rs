//! A tree to a checked expression: types, ranges, and comparisons that can never be what was meant.

use super::MAX_RANGE_MINUTES;
use super::lexer::Span;
use super::parser::{ExpressionError, Kind, Node};
use super::value::{Comparison, Condition, Quantity};
use crate::alerts::metric::{Metric, Shape, Unit};

/// Checks a whole expression.
pub(super) fn condition(source: &str, node: &Node, grouped: bool) -> Result<Condition, ExpressionError> {
    Check { source, grouped }.condition(node)
}

struct Check<'a> {
    source: &'a str,
    grouped: bool,
}

impl Check<'_> {
    fn error(&self, span: &Span, problem: impl Into<String>, fix: impl Into<String>) -> ExpressionError {
        ExpressionError::new(self.source, span.clone(), problem, fix)
    }

    fn text(&self, span: &Span) -> &str {
        self.source[span.clone()].trim()
    }

    fn condition(&self, node: &Node) -> Result<Condition, ExpressionError> {
        Ok(match &node.kind {
            Kind::Not(inner) => Condition::Not(Box::new(self.condition(inner)?)),
            Kind::And(left, right) => {
                Condition::And(Box::new(self.condition(left)?), Box::new(self.condition(right)?))
            }
            Kind::Or(left, right) => {
                Condition::Or(Box::new(self.condition(left)?), Box::new(self.condition(right)?))
            }
            Kind::Compare(comparison, left, right) => {
                self.comparison(*comparison, left, right, &node.span)?
            }
            Kind::Number(_) | Kind::Metric { .. } | Kind::Negate(_) | Kind::Arithmetic(..) => {
                let written = self.text(&node.span);
                let problem = format!("`{written}` is a number, not a condition");
                return Err(self.error(&node.span, problem, format!("compare it, e.g. `{written} > 10`")));
            }
        })
    }

    fn comparison(
        &self,
        comparison: Comparison,
        left: &Node,
        right: &Node,
        span: &Span,
    ) -> Result<Condition, ExpressionError> {
        let (left, right) = (self.quantity(left)?, self.quantity(right)?);
        // The metric stands on the left: that side is what an alert calls its value.
        let (comparison, left, right) = match (left.constant(), right.constant()) {
            (Some(_), Some(_)) => {
                let problem = "both sides are constants: the comparison never changes";
                return Err(self.error(span, problem, "compare a metric, e.g. `tickets[5m] > 10`"));
            }
            (Some(_), None) => (comparison.flipped(), right, left),
            _ => (comparison, left, right),
        };
        let unit = match &left {
            Quantity::Metric { metric, .. } => metric.unit(),
            _ => Unit::Number,
        };
        if let (Quantity::Metric { metric, .. }, Unit::Share, Some(limit)) = (&left, unit, right.constant())
            && !(0.0..=1.0).contains(&limit)
        {
            let problem = format!("`{}` is a share from 0 to 1, and {limit} is none", metric.name());
            let fix = if (1.0..=100.0).contains(&limit) {
                format!("write {limit}% or {}", limit / 100.0)
            } else {
                "give a limit from 0% to 100%".to_owned()
            };
            return Err(self.error(span, problem, fix));
        }
        Ok(Condition::Compare { comparison, left, right, unit })
    }

    fn quantity(&self, node: &Node) -> Result<Quantity, ExpressionError> {
        Ok(match &node.kind {
            Kind::Number(number) => Quantity::Number(*number),
            Kind::Metric { metric, range } => Quantity::Metric {
                metric: *metric,
                minutes: self.metric(*metric, range.as_ref(), &node.span)?,
            },
            Kind::Negate(inner) => Quantity::Negate(Box::new(self.quantity(inner)?)),
            Kind::Arithmetic(arithmetic, left, right) => {
                let divisor_span = &right.span;
                let (left, right) = (self.quantity(left)?, self.quantity(right)?);
                if arithmetic.divides_by_zero(&right) {
                    return Err(self.error(divisor_span, "this divides by zero", "divide by something else"));
                }
                Quantity::Arithmetic(*arithmetic, Box::new(left), Box::new(right))
            }
            Kind::Not(_) | Kind::And(..) | Kind::Or(..) | Kind::Compare(..) => {
                let problem = format!("`{}` is a condition, not a number", self.text(&node.span));
                return Err(self.error(&node.span, problem, "join conditions with `and` or `or`"));
            }
        })
    }

    /// The range in minutes, if the metric has one.
    fn metric(
        &self,
        metric: Metric,
        range: Option<&(String, Span)>,
        span: &Span,
    ) -> Result<Option<u32>, ExpressionError> {
        let name = metric.name();
        if self.grouped && !metric.known_by_group() {
            let known: Vec<_> = Metric::ALL.iter().filter(|m| m.known_by_group()).map(|m| m.name()).collect();
            let problem = format!("`{name}` is not known for each group");
            let fix = format!("with group_by use {}, or take group_by out", known.join(" or "));
            return Err(self.error(span, problem, fix));
        }
        if !self.grouped && metric == Metric::TicketShare {
            let problem = format!("`{name}` is the share of one group, and the rule has none");
            return Err(self.error(span, problem, "add group_by: root_cause"));
        }
        match (metric.shape(), range) {
            (Shape::Gauge, None) => Ok(None),
            (Shape::Gauge, Some((_, at))) => Err(self.error(
                at,
                format!("`{name}` is a gauge and has no range"),
                format!("write `{name}`"),
            )),
            (_, None) => {
                let problem = format!("`{name}` needs a range");
                Err(self.error(span, problem, format!("write e.g. `{name}[5m]`")))
            }
            (_, Some((text, at))) => self.minutes(text, at).map(Some),
        }
    }

    fn minutes(&self, text: &str, at: &Span) -> Result<u32, ExpressionError> {
        let Ok(duration) = humantime::parse_duration(text) else {
            return Err(self.error(at, format!("`{text}` is no duration"), "write e.g. 5m, 1h or 1h30m"));
        };
        let seconds = duration.as_secs();
        let whole = duration.subsec_nanos() == 0 && seconds > 0 && seconds.is_multiple_of(60);
        match u32::try_from(seconds / 60) {
            Ok(minutes) if whole && minutes <= MAX_RANGE_MINUTES => Ok(minutes),
            _ => {
                let problem = format!("a range of {text} can't be had");
                Err(self.error(at, problem, "give whole minutes, from 1m to 24h"))
            }
        }
    }
}
