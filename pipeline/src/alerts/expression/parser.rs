//! Tokens to a tree, by precedence climbing (V. Pratt, "Top down operator precedence", 1973).

use super::MAX_CHARS;
use super::lexer::{Span, Token, tokens};
use super::value::{Arithmetic, Comparison};
use crate::alerts::metric::{Metric, nearest};
use std::fmt;

/// Deeper nesting is refused, so that no expression can exhaust the stack.
const MAX_DEPTH: usize = 50;

/// What is wrong with an expression, where, and what to write instead.
///
/// Displays one line that says it all, then the expression with a caret under the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionError {
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub fix: String,
    /// Where: bytes of the expression.
    pub span: Span,
    source: String,
}

impl ExpressionError {
    pub(super) fn new(source: &str, span: Span, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { problem: problem.into(), fix: fix.into(), span, source: source.to_owned() }
    }
}

impl std::error::Error for ExpressionError {}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {}); {}", self.problem, self.span.start, self.fix)?;
        // Several lines come from YAML block scalars: only the one that matters is shown.
        let line_start = self.source[..self.span.start].rfind('\n').map_or(0, |at| at + 1);
        let line = self.source[line_start..].lines().next().unwrap_or_default();
        let before = self.source[line_start..self.span.start].chars().count();
        let after = line.chars().count().saturating_sub(before).max(1);
        let marked = self.source[self.span.clone()].chars().count().clamp(1, after);
        write!(f, "\n    {line}\n    {}{}", " ".repeat(before), "^".repeat(marked))
    }
}

/// A node of the tree, not yet checked for types.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Number(f64),
    Metric { metric: Metric, range: Option<(String, Span)> },
    Negate(Box<Node>),
    Not(Box<Node>),
    Arithmetic(Arithmetic, Box<Node>, Box<Node>),
    Compare(Comparison, Box<Node>, Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
}

/// How tightly operators bind; larger is tighter.
mod power {
    pub(super) const OR: u8 = 1;
    pub(super) const AND: u8 = 2;
    pub(super) const NOT: u8 = 3;
    pub(super) const COMPARISON: u8 = 4;
    pub(super) const SUM: u8 = 5;
    pub(super) const PRODUCT: u8 = 6;
    pub(super) const NEGATION: u8 = 7;
}

#[derive(Clone, Copy)]
enum Infix {
    Or,
    And,
    Compare(Comparison),
    Arithmetic(Arithmetic),
}

impl Infix {
    fn of(token: &Token<'_>) -> Option<(Self, u8)> {
        Some(match token {
            Token::Name("or") => (Self::Or, power::OR),
            Token::Name("and") => (Self::And, power::AND),
            Token::Sign(sign) => {
                if let Some(comparison) = Comparison::parse(sign) {
                    (Self::Compare(comparison), power::COMPARISON)
                } else {
                    let arithmetic = Arithmetic::parse(sign)?;
                    let sum = matches!(arithmetic, Arithmetic::Add | Arithmetic::Subtract);
                    (Self::Arithmetic(arithmetic), if sum { power::SUM } else { power::PRODUCT })
                }
            }
            _ => return None,
        })
    }
}

/// The tree of an expression.
pub(super) fn parse(source: &str) -> Result<Node, ExpressionError> {
    if source.chars().count() > MAX_CHARS {
        let problem = format!("the expression has more than {MAX_CHARS} characters");
        return Err(ExpressionError::new(source, 0..0, problem, "split it into several rules"));
    }
    let mut parser = Parser { source, tokens: tokens(source)?, next: 0, depth: 0 };
    if *parser.peek() == Token::End {
        let fix = "write a condition, e.g. error_rate[5m] > 5%";
        return Err(ExpressionError::new(source, 0..0, "the expression is empty", fix));
    }
    let node = parser.expression(0)?;
    match parser.peek() {
        Token::End => Ok(node),
        Token::Sign(")") => {
            Err(parser.error("`)` closes nothing".to_owned(), "take it out, or add the `(` before"))
        }
        other => {
            let problem = format!("{} follows a complete expression", other.describe());
            Err(parser.error(problem, "join conditions with `and` or `or`"))
        }
    }
}

struct Parser<'a> {
    source: &'a str,
    tokens: Vec<(Token<'a>, Span)>,
    next: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> &Token<'a> {
        &self.tokens[self.next].0
    }

    fn span(&self) -> Span {
        self.tokens[self.next].1.clone()
    }

    /// Takes the next token; the end is never passed.
    fn take(&mut self) -> (Token<'a>, Span) {
        let taken = self.tokens[self.next].clone();
        if self.next + 1 < self.tokens.len() {
            self.next += 1;
        }
        taken
    }

    fn error(&self, problem: String, fix: &str) -> ExpressionError {
        ExpressionError::new(self.source, self.span(), problem, fix)
    }

    fn expression(&mut self, loosest: u8) -> Result<Node, ExpressionError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(
                self.error(format!("nested more than {MAX_DEPTH} deep"), "split it into several rules")
            );
        }
        let mut left = self.operand()?;
        let mut compared = false;
        while let Some((infix, binding)) = Infix::of(self.peek()) {
            if binding <= loosest {
                break;
            }
            if compared && binding == power::COMPARISON {
                let problem = "comparisons do not chain".to_owned();
                return Err(self.error(problem, "write each on its own: `0.1 < x and x < 0.5`"));
            }
            compared = binding == power::COMPARISON;
            self.take();
            let right = self.expression(binding)?;
            let span = left.span.start..right.span.end;
            let (left_box, right_box) = (Box::new(left), Box::new(right));
            let kind = match infix {
                Infix::Or => Kind::Or(left_box, right_box),
                Infix::And => Kind::And(left_box, right_box),
                Infix::Compare(comparison) => Kind::Compare(comparison, left_box, right_box),
                Infix::Arithmetic(arithmetic) => Kind::Arithmetic(arithmetic, left_box, right_box),
            };
            left = Node { kind, span };
        }
        self.depth -= 1;
        Ok(left)
    }

    fn operand(&mut self) -> Result<Node, ExpressionError> {
        let span = self.span();
        match *self.peek() {
            Token::Number(number) => {
                self.take();
                let percent = *self.peek() == Token::Sign("%");
                let end = if percent { self.take().1.end } else { span.end };
                let value = if percent { number / 100.0 } else { number };
                Ok(Node { kind: Kind::Number(value), span: span.start..end })
            }
            Token::Duration(text) => {
                let problem = format!("`{text}` is no number");
                Err(self.error(problem, "durations stand in brackets behind a metric: `tickets[5m]`"))
            }
            Token::Name("not") => {
                self.take();
                let inner = self.expression(power::NOT - 1)?;
                let span = span.start..inner.span.end;
                Ok(Node { kind: Kind::Not(Box::new(inner)), span })
            }
            Token::Name(name @ ("and" | "or")) => Err(self.missing_operand(&format!("`{name}`"))),
            Token::Name(name) => self.metric(name, span),
            Token::Sign("-") => {
                self.take();
                let inner = self.expression(power::NEGATION)?;
                let span = span.start..inner.span.end;
                Ok(Node { kind: Kind::Negate(Box::new(inner)), span })
            }
            Token::Sign("(") => {
                self.take();
                let inner = self.expression(0)?;
                if *self.peek() != Token::Sign(")") {
                    let problem = format!("expected `)`, found {}", self.peek().describe());
                    return Err(self.error(problem, "close the parenthesis"));
                }
                let end = self.take().1.end;
                Ok(Node { kind: inner.kind, span: span.start..end })
            }
            ref other => Err(self.missing_operand(&other.describe())),
        }
    }

    fn missing_operand(&self, found: &str) -> ExpressionError {
        self.error(
            format!("expected a number or a metric, found {found}"),
            "write e.g. `error_rate[5m] > 5%`",
        )
    }

    fn metric(&mut self, name: &str, span: Span) -> Result<Node, ExpressionError> {
        let Some(metric) = Metric::parse(name) else {
            let names = || Metric::ALL.iter().map(|m| m.name());
            let fix = match nearest(name, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the metrics are {}", names().collect::<Vec<_>>().join(", ")),
            };
            return Err(self.error(format!("unknown metric `{name}`"), &fix));
        };
        self.take();
        if *self.peek() != Token::Sign("[") {
            return Ok(Node { kind: Kind::Metric { metric, range: None }, span });
        }
        self.take();
        let (text, at) = match self.take() {
            (Token::Duration(text), at) => (text.to_owned(), at),
            (other, at) => {
                let problem = format!("{} is no duration", other.describe());
                return Err(ExpressionError::new(self.source, at, problem, "write e.g. `[5m]` or `[1h]`"));
            }
        };
        if *self.peek() != Token::Sign("]") {
            let problem = format!("expected `]`, found {}", self.peek().describe());
            return Err(self.error(problem, "close the bracket"));
        }
        let end = self.take().1.end;
        Ok(Node { kind: Kind::Metric { metric, range: Some((text, at)) }, span: span.start..end })
    }
}
