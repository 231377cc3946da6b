//! Checked expressions and their values.

use crate::alerts::metric::{Metric, Unit};

/// Where an expression's values come from.
pub(in crate::alerts) trait Source {
    /// The value of a metric, over that many minutes unless it is a gauge. Finite; `None` where it is unknown.
    fn value(&self, metric: Metric, minutes: Option<u32>) -> Option<f64>;
}

/// What an expression says of the present values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::alerts) struct Reading {
    /// Whether the condition holds; `None` if what is known does not tell.
    pub(in crate::alerts) holds: Option<bool>,
    /// The first comparison, or of alternatives the one that holds; `None` if it is unknown.
    pub(in crate::alerts) telling: Option<Compared>,
}

/// Both sides of a comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::alerts) struct Compared {
    /// The side with the metric.
    pub(in crate::alerts) value: f64,
    /// What it is compared with.
    pub(in crate::alerts) threshold: f64,
    /// What both count.
    pub(in crate::alerts) unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Arithmetic {
    pub(super) fn parse(sign: &str) -> Option<Self> {
        Some(match sign {
            "+" => Self::Add,
            "-" => Self::Subtract,
            "*" => Self::Multiply,
            "/" => Self::Divide,
            _ => return None,
        })
    }

    /// Whether it would divide by `right` that is always zero.
    pub(super) fn divides_by_zero(self, right: &Quantity) -> bool {
        self == Self::Divide && right.constant() == Some(0.0)
    }

    fn apply(self, left: f64, right: f64) -> Option<f64> {
        let value = match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
        };
        // A division by zero is unknown, and so is an overflow.
        value.is_finite().then_some(value)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
}

impl Comparison {
    pub(super) fn parse(sign: &str) -> Option<Self> {
        Some(match sign {
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            "==" => Self::Equal,
            "!=" => Self::NotEqual,
            _ => return None,
        })
    }

    /// The comparison that says the same with its sides exchanged.
    pub(super) fn flipped(self) -> Self {
        match self {
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            same => same,
        }
    }

    fn apply(self, left: f64, right: f64) -> bool {
        match self {
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Equal => left == right,
            Self::NotEqual => left != right,
        }
    }
}

/// What has a number as its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Quantity {
    Number(f64),
    Metric { metric: Metric, minutes: Option<u32> },
    Negate(Box<Self>),
    Arithmetic(Arithmetic, Box<Self>, Box<Self>),
}

impl Quantity {
    pub(super) fn value(&self, source: &impl Source) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Metric { metric, minutes } => source.value(*metric, *minutes),
            Self::Negate(inner) => inner.value(source).map(|value| -value),
            Self::Arithmetic(arithmetic, left, right) => {
                arithmetic.apply(left.value(source)?, right.value(source)?)
            }
        }
    }

    pub(super) fn visit(&self, visitor: &mut impl FnMut(&Self)) {
        visitor(self);
        match self {
            Self::Number(_) | Self::Metric { .. } => {}
            Self::Negate(inner) => inner.visit(visitor),
            Self::Arithmetic(_, left, right) => {
                left.visit(visitor);
                right.visit(visitor);
            }
        }
    }

    /// Its value, if it speaks of no metric.
    pub(super) fn constant(&self) -> Option<f64> {
        struct Nothing;
        impl Source for Nothing {
            fn value(&self, _: Metric, _: Option<u32>) -> Option<f64> {
                None
            }
        }
        self.value(&Nothing)
    }
}

/// What holds or does not.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    Compare { comparison: Comparison, left: Quantity, right: Quantity, unit: Unit },
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
}

impl Condition {
    pub(super) fn read(&self, source: &impl Source) -> Reading {
        match self {
            Self::Compare { comparison, left, right, unit } => {
                match (left.value(source), right.value(source)) {
                    (Some(value), Some(threshold)) => Reading {
                        holds: Some(comparison.apply(value, threshold)),
                        telling: Some(Compared { value, threshold, unit: *unit }),
                    },
                    _ => Reading { holds: None, telling: None },
                }
            }
            Self::Not(inner) => {
                let inner = inner.read(source);
                Reading { holds: inner.holds.map(|holds| !holds), telling: inner.telling }
            }
            Self::And(left, right) => {
                let (left, right) = (left.read(source), right.read(source));
                let holds = match (left.holds, right.holds) {
                    (Some(false), _) | (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                };
                Reading { holds, telling: left.telling }
            }
            Self::Or(left, right) => {
                let (left, right) = (left.read(source), right.read(source));
                let holds = match (left.holds, right.holds) {
                    (Some(true), _) | (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                };
                let right_alone = left.holds != Some(true) && right.holds == Some(true);
                Reading { holds, telling: if right_alone { right.telling } else { left.telling } }
            }
        }
    }

    pub(super) fn visit(&self, visitor: &mut impl FnMut(&Quantity)) {
        match self {
            Self::Compare { left, right, .. } => {
                left.visit(visitor);
                right.visit(visitor);
            }
            Self::Not(inner) => inner.visit(visitor),
            Self::And(left, right) | Self::Or(left, right) => {
                left.visit(visitor);
                right.visit(visitor);
            }
        }
    }
}
