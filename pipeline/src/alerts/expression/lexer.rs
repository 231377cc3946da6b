//! Text to tokens.

use super::parser::ExpressionError;
use std::ops::Range;

/// Bytes of the expression.
pub(super) type Span = Range<usize>;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token<'a> {
    Number(f64),
    /// Digits followed by letters at once, as in `5m`.
    Duration(&'a str),
    Name(&'a str),
    /// An operator or a parenthesis.
    Sign(&'static str),
    End,
}

impl Token<'_> {
    /// How messages call it.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Number(number) => format!("`{number}`"),
            Self::Duration(text) | Self::Name(text) => format!("`{text}`"),
            Self::Sign(sign) => format!("`{sign}`"),
            Self::End => "the end".to_owned(),
        }
    }
}

/// Longer signs stand before their own beginnings.
const SIGNS: [&str; 15] = [">=", "<=", "==", "!=", ">", "<", "+", "-", "*", "/", "(", ")", "[", "]", "%"];

/// What people write who come from other languages.
const FOREIGN: [(&str, &str); 5] = [
    ("&&", "write `and`"),
    ("||", "write `or`"),
    ("=", "write `==`"),
    ("!", "write `not`"),
    ("≥", "write `>=`"),
];

/// Splits an expression; the last token is [`Token::End`].
pub(super) fn tokens(source: &str) -> Result<Vec<(Token<'_>, Span)>, ExpressionError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = source[at..].chars().next() {
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let rest = &source[at..];
        let (token, length) = if first.is_ascii_digit() || first == '.' {
            number(source, at)?
        } else if first.is_ascii_alphabetic() || first == '_' {
            let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            (Token::Name(&rest[..length]), length)
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            (Token::Sign(sign), sign.len())
        } else {
            let (written, fix) = FOREIGN
                .into_iter()
                .find(|(foreign, _)| rest.starts_with(foreign))
                .unwrap_or((&rest[..first.len_utf8()], "take it out"));
            let span = at..at + written.len();
            return Err(ExpressionError::new(source, span, format!("`{written}` means nothing here"), fix));
        };
        tokens.push((token, at..at + length));
        at += length;
    }
    tokens.push((Token::End, source.len()..source.len()));
    Ok(tokens)
}

fn number(source: &str, at: usize) -> Result<(Token<'_>, usize), ExpressionError> {
    let rest = &source[at..];
    let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
    let word =
        rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '_')).unwrap_or(rest.len());
    if word > digits {
        return Ok((Token::Duration(&rest[..word]), word));
    }
    match rest[..digits].parse::<f64>() {
        Ok(number) if number.is_finite() => Ok((Token::Number(number), digits)),
        _ => {
            let written = &rest[..digits];
            Err(ExpressionError::new(
                source,
                at..at + digits,
                format!("`{written}` is no number"),
                "write it like 10 or 0.05 or 5%",
            ))
        }
    }
}
