//! The rules' expression language.
//!
//! ```text
//! condition  = condition "or" condition | condition "and" condition | "not" condition
//!            | quantity (">" | ">=" | "<" | "<=" | "==" | "!=") quantity | "(" condition ")"
//! quantity   = quantity ("+" | "-" | "*" | "/") quantity | "-" quantity | number ["%"]
//!            | metric ["[" duration "]"] | "(" quantity ")"
//! ```
//!
//! Binding from loose to tight: `or`, `and`, `not`, comparisons (which do not chain), `+ -`, `* /`, unary `-`.
//!
//! A quantity may be unknown: a share of nothing, a gauge without a recent value, a division by zero. What is
//! computed from it is unknown too, and so is a comparison with it. `and`, `or` and `not` follow Kleene's
//! logic: `false and unknown` is false, `true or unknown` is true.

mod check;
mod lexer;
mod parser;
mod value;

pub use parser::ExpressionError;
pub(super) use value::{Reading, Source};

use super::metric::{Metric, Shape};
use std::fmt;
use value::{Condition, Quantity};

/// Longer expressions are refused: it bounds recursion, and no human reads them.
const MAX_CHARS: usize = 1000;

/// Most minutes that a range may cover: a day.
pub(super) const MAX_RANGE_MINUTES: u32 = 24 * 60;

/// A checked condition over metrics.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    source: String,
    condition: Condition,
}

impl Expression {
    /// Parses and checks an expression. `grouped` says whether it is asked for each group of a rule.
    pub fn parse(source: &str, grouped: bool) -> Result<Self, ExpressionError> {
        let tree = parser::parse(source)?;
        let condition = check::condition(source, &tree, grouped)?;
        Ok(Self { source: source.to_owned(), condition })
    }

    /// The expression as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What it says of the present values.
    pub(super) fn read(&self, source: &impl Source) -> Reading {
        self.condition.read(source)
    }

    /// Every metric it speaks of, with its range in minutes.
    pub fn metrics(&self) -> Vec<(Metric, Option<u32>)> {
        let mut found = Vec::new();
        self.condition.visit(&mut |quantity| {
            if let Quantity::Metric { metric, minutes } = quantity {
                found.push((*metric, *minutes));
            }
        });
        found
    }

    /// Whether it speaks of gauges alone.
    pub(super) fn gauges_only(&self) -> bool {
        self.metrics().iter().all(|(metric, _)| metric.shape() == Shape::Gauge)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

#[cfg(test)]
mod tests;
