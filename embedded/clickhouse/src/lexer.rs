//! ClickHouse SQL cut into tokens, as `src/Parsers/Lexer.cpp` of ClickHouse does, for the guard.
//!
//! A guard that reads a text otherwise than the engine can be slipped past: by a quote one of them takes for
//! the start of a string, or a comment only one of them sees. So this lexer knows ClickHouse's strings,
//! identifiers, here-documents and comments, and refuses the few spellings whose reading differs between
//! versions (nested comments, `//` and `#` comments, typographic quotes, odd here-document tags) instead of
//! guessing.

use std::borrow::Cow;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A keyword or identifier without quotes.
    Word,
    /// An identifier in backticks or double quotes.
    Quoted,
    /// A string literal, of any of the four spellings.
    Text,
    /// The start of a number.
    Number,
    /// One character of anything else.
    Symbol(u8),
}

/// A token, and where it stands in the text.
#[derive(Debug, Clone)]
pub struct Token<'s> {
    /// What it is.
    pub kind: Kind,
    /// Its value: without quotes, escapes resolved.
    pub value: Cow<'s, str>,
    /// Its first byte's position.
    pub start: usize,
    /// The position after its last byte.
    pub end: usize,
}

impl Token<'_> {
    /// Whether it is this keyword, in any case, unquoted.
    pub fn is(&self, keyword: &str) -> bool {
        self.kind == Kind::Word && self.value.eq_ignore_ascii_case(keyword)
    }

    /// Whether it is this symbol.
    pub fn symbol(&self, byte: u8) -> bool {
        self.kind == Kind::Symbol(byte)
    }

    /// Whether it names something: an identifier with or without quotes.
    pub fn names(&self) -> bool {
        matches!(self.kind, Kind::Word | Kind::Quoted)
    }
}

/// Why a text cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at position {}", at + 1)]
pub struct LexError {
    problem: &'static str,
    at: usize,
}

/// Reads tokens one by one, so that an INSERT's binary data behind its head need not be text.
pub struct Lexer<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Lexer<'s> {
    /// A lexer at the start of `source`.
    pub fn new(source: &'s str) -> Self {
        Self { source, at: 0 }
    }

    fn error<T>(&self, problem: &'static str) -> Result<T, LexError> {
        Err(LexError { problem, at: self.at })
    }

    /// The next token, or `None` at the end.
    pub fn next(&mut self) -> Result<Option<Token<'s>>, LexError> {
        self.skip_blanks()?;
        let bytes = self.source.as_bytes();
        let start = self.at;
        let Some(&first) = bytes.get(start) else { return Ok(None) };
        let token = |kind, value, end| Some(Token { kind, value, start, end });
        let found = match first {
            b'\'' => self.quoted(first, Kind::Text)?,
            b'"' | b'`' => self.quoted(first, Kind::Quoted)?,
            b'$' => self.dollar()?,
            b'x' | b'X' | b'b' | b'B' if bytes.get(start + 1) == Some(&b'\'') => {
                let Some(length) = self.source[start + 2..].find('\'') else {
                    return self.error("single quote is not closed");
                };
                let end = start + 2 + length + 1;
                token(Kind::Text, decode_digits(&self.source[start..end]), end)
            }
            b'0'..=b'9' => {
                let end = self.end_of_word(start);
                // Digits followed by letters are an identifier to ClickHouse, unless a number in full.
                let kind =
                    if bytes[start..end].iter().all(u8::is_ascii_digit) { Kind::Number } else { Kind::Word };
                token(kind, Cow::Borrowed(&self.source[start..end]), end)
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                let end = self.end_of_word(start);
                token(Kind::Word, Cow::Borrowed(&self.source[start..end]), end)
            }
            0x80.. if self.source[start..].starts_with(['\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}']) => {
                return self.error("typographic quotes are not taken: use ' or \"");
            }
            _ => {
                let length = self.source[start..].chars().next().map_or(1, char::len_utf8);
                token(Kind::Symbol(first), Cow::Borrowed(&self.source[start..start + length]), start + length)
            }
        };
        if let Some(token) = &found {
            self.at = token.end;
        }
        Ok(found)
    }

    fn end_of_word(&self, start: usize) -> usize {
        let word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$');
        self.source.as_bytes()[start..]
            .iter()
            .position(|byte| !word(byte))
            .map_or(self.source.len(), |n| start + n)
    }

    fn skip_blanks(&mut self) -> Result<(), LexError> {
        let bytes = self.source.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c) => self.at += 1,
                Some(b'-') if bytes.get(self.at + 1) == Some(&b'-') => {
                    let line = self.source[self.at..].find('\n').unwrap_or(self.source.len() - self.at);
                    self.at += line;
                }
                Some(b'/') if bytes.get(self.at + 1) == Some(&b'*') => {
                    let Some(length) = self.source[self.at + 2..].find("*/") else {
                        return self.error("multiline comment is not closed");
                    };
                    if self.source[self.at + 2..self.at + 2 + length].contains("/*") {
                        return self.error("nested comments are not taken");
                    }
                    self.at += 2 + length + 2;
                }
                Some(b'/') if bytes.get(self.at + 1) == Some(&b'/') => {
                    return self.error("comments with // are not taken: use --");
                }
                Some(b'#') => return self.error("comments with # are not taken: use --"),
                _ => return Ok(()),
            }
        }
    }

    fn quoted(&self, quote: u8, kind: Kind) -> Result<Option<Token<'s>>, LexError> {
        let bytes = self.source.as_bytes();
        let start = self.at;
        let mut plain = true;
        let mut at = start + 1;
        loop {
            match bytes.get(at) {
                None => return self.error("quote is not closed"),
                Some(b'\\') => {
                    plain = false;
                    at += 2;
                }
                Some(&byte) if byte == quote => {
                    if bytes.get(at + 1) != Some(&quote) {
                        break;
                    }
                    plain = false;
                    at += 2;
                }
                Some(_) => at += 1,
            }
        }
        let inner = &self.source[start + 1..at];
        let value = if plain { Cow::Borrowed(inner) } else { Cow::Owned(unescape(inner, quote)) };
        Ok(Some(Token { kind, value, start, end: at + 1 }))
    }

    /// `$tag$ … $tag$` is a string; a dollar that opens none is part of a word or stands alone.
    fn dollar(&self) -> Result<Option<Token<'s>>, LexError> {
        let start = self.at;
        let rest = &self.source[start..];
        if let Some(name) = rest[1..].find('$') {
            let tag = &rest[..name + 2];
            if let Some(length) = rest[tag.len()..].find(tag) {
                if !tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$')) {
                    return self.error("a here-document's tag may hold letters and digits only");
                }
                let end = start + tag.len() + length + tag.len();
                let value = Cow::Borrowed(&rest[tag.len()..tag.len() + length]);
                return Ok(Some(Token { kind: Kind::Text, value, start, end }));
            }
        }
        let end = self.end_of_word(start);
        Ok(Some(Token { kind: Kind::Word, value: Cow::Borrowed(&self.source[start..end]), start, end }))
    }
}

/// All tokens of a text.
pub fn tokens(source: &str) -> Result<Vec<Token<'_>>, LexError> {
    let mut lexer = Lexer::new(source);
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next()? {
        tokens.push(token);
    }
    Ok(tokens)
}

/// Resolves backslash escapes and doubled quotes (`parseEscapeSequence` of ClickHouse's `ReadHelpers.cpp`).
fn unescape(inner: &str, quote: u8) -> String {
    let mut out = Vec::with_capacity(inner.len());
    let mut bytes = inner.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if byte == quote {
            bytes.next();
            out.push(quote);
        } else if byte != b'\\' {
            out.push(byte);
        } else {
            match bytes.next() {
                Some(b'b') => out.push(0x08),
                Some(b'f') => out.push(0x0c),
                Some(b'n') => out.push(b'\n'),
                Some(b'r') => out.push(b'\r'),
                Some(b't') => out.push(b'\t'),
                Some(b'0') => out.push(0),
                Some(b'a') => out.push(0x07),
                Some(b'v') => out.push(0x0b),
                Some(b'e') => out.push(0x1b),
                Some(b'x') => {
                    let mut digit =
                        || bytes.next().and_then(|byte| char::from(byte).to_digit(16)).unwrap_or(0);
                    let value = digit() * 16 + digit();
                    out.push(u8::try_from(value).unwrap_or(b'?'));
                }
                Some(other) => out.push(other),
                None => {}
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The bytes of `x'…'` (hexadecimal) or `b'…'` (binary), read from the right as ClickHouse does.
fn decode_digits(literal: &str) -> Cow<'static, str> {
    let (radix, width) = if literal.starts_with(['x', 'X']) { (16, 2) } else { (2, 8) };
    let digits = &literal[2..literal.len() - 1];
    let bytes: Vec<u8> = digits
        .as_bytes()
        .rchunks(width)
        .rev()
        .map(|chunk| {
            std::str::from_utf8(chunk)
                .ok()
                .and_then(|text| u8::from_str_radix(text, radix).ok())
                .unwrap_or(b'?')
        })
        .collect();
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(sql: &str) -> Vec<String> {
        tokens(sql).unwrap().into_iter().map(|token| token.value.into_owned()).collect()
    }

    #[test]
    fn strings_and_comments_hide_what_they_hold() {
        assert_eq!(
            values("SELECT 'file(' -- file(\n, /* file( */ \"a`b\"\"c\""),
            ["SELECT", "file(", ",", "a`b\"c"]
        );
        assert_eq!(values(r"'it\'s' 'it''s' 'f\x69le' `f\x69le`"), ["it's", "it's", "file", "file"]);
        assert_eq!(values("$$ a ' b $$ $t$ $$ $t$"), [" a ' b ", " $$ "]);
        assert_eq!(values("x'66696C65' b'01100110'"), ["file", "f"]);
    }

    #[test]
    fn words_numbers_and_symbols() {
        assert_eq!(values("a_1.b=1.5e3+2x"), ["a_1", ".", "b", "=", "1", ".", "5e3", "+", "2x"]);
        assert_eq!(values("naïve"), ["na", "ï", "ve"]);
        assert_eq!(tokens("12").unwrap()[0].kind, Kind::Number);
    }

    #[test]
    fn readings_that_differ_between_versions_are_refused() {
        for sql in
            ["'a", "`a", "/* a", "/* /* */", "1 // 2", "# a", "\u{2018}a\u{2019}", "$ a $ ' $ a $", r"'a\"]
        {
            assert!(tokens(sql).is_err(), "{sql}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_covers_the_text(sql in "\\PC{0,60}") {
            if let Ok(tokens) = tokens(&sql) {
                let mut last = 0;
                for token in tokens {
                    prop_assert!(token.start >= last && token.end > token.start);
                    prop_assert!(sql.is_char_boundary(token.start) && sql.is_char_boundary(token.end));
                    last = token.end;
                }
            }
        }

        #[test]
        fn a_quoted_value_comes_back(value in "\\PC{0,40}") {
            let quoted = format!("'{}'", value.replace('\\', r"\\").replace('\'', r"\'"));
            let tokens = tokens(&quoted).unwrap();
            prop_assert_eq!(tokens.len(), 1);
            prop_assert_eq!(&tokens[0].value, &value);
        }
    }
}
