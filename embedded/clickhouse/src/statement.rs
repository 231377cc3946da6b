//! What must be known of a statement before it is run: whether it is an INSERT fed with data, the format of
//! its answer, and which ids a KILL names.

use crate::lexer::{Kind, LexError, Lexer, Token, tokens};

/// An INSERT whose rows come as data, split as the engine's streaming call wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InsertHead {
    /// The statement without `FORMAT …` or `VALUES`.
    pub sql: String,
    /// The format of the data; `Values` where the statement has none.
    pub format: String,
    /// Where in the text the data begins.
    pub data_at: usize,
}

/// Splits an INSERT from its data. `None`: it is not an INSERT, or one that takes no data (INSERT … SELECT).
///
/// Only the head is read: what follows may be binary. The data begins after the format's name and one line
/// end, as in ClickHouse's `ParserInsertQuery`.
pub fn insert_head(source: &str) -> Result<Option<InsertHead>, LexError> {
    let mut lexer = Lexer::new(source);
    match lexer.next()? {
        Some(token) if token.is("INSERT") => {}
        _ => return Ok(None),
    }
    let mut depth = 0_i32;
    let mut end_of_head = source.len();
    let mut is_after_format = None::<usize>;
    loop {
        let token = match lexer.next() {
            Ok(Some(token)) => token,
            Ok(None) => break,
            Err(error) => return Err(error),
        };
        if let Some(head) = is_after_format {
            let rest = &source[token.end..];
            // A SETTINGS clause may stand between the format and the data.
            let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\r']).len();
            let line_end = usize::from(rest[blanks..].starts_with('\n'));
            return Ok(Some(InsertHead {
                sql: source[..head].trim_end().to_owned(),
                format: token.value.into_owned(),
                data_at: token.end + blanks + line_end,
            }));
        }
        match token.kind {
            Kind::Symbol(b'(') if depth == 0 && follows_select(source, token.end) => return Ok(None),
            Kind::Symbol(b'(') => depth += 1,
            Kind::Symbol(b')') => depth -= 1,
            Kind::Symbol(b';') if depth == 0 => {
                end_of_head = token.start;
                break;
            }
            Kind::Word if depth == 0 => {
                if ["SELECT", "WITH", "WATCH", "FROM"].iter().any(|word| token.is(word)) {
                    return Ok(None);
                }
                if token.is("FORMAT") {
                    is_after_format = Some(token.start);
                } else if token.is("VALUES") {
                    return Ok(Some(InsertHead {
                        sql: source[..token.start].trim_end().to_owned(),
                        format: "Values".to_owned(),
                        data_at: token.end,
                    }));
                }
            }
            _ => {}
        }
    }
    Ok(Some(InsertHead {
        sql: source[..end_of_head].trim_end().to_owned(),
        format: "Values".to_owned(),
        data_at: source.len(),
    }))
}

/// Whether a bracket opens a subquery: `INSERT INTO t (SELECT …)`.
fn follows_select(source: &str, at: usize) -> bool {
    matches!(Lexer::new(&source[at..]).next(), Ok(Some(token)) if token.is("SELECT") || token.is("WITH"))
}

/// The format an answer will have: the statement's own FORMAT clause, or the default.
///
/// `None` when the text has more than one candidate, so that the caller takes the safe way.
pub fn answer_format<'a>(tokens: &'a [Token<'_>], default: &'a str) -> Option<&'a str> {
    let mut depth = 0_i32;
    let mut found = None;
    for pair in tokens.windows(2) {
        match pair[0].kind {
            Kind::Symbol(b'(') => depth += 1,
            Kind::Symbol(b')') => depth -= 1,
            Kind::Word if depth == 0 && pair[0].is("FORMAT") && pair[1].kind == Kind::Word => {
                if found.is_some() {
                    return None;
                }
                found = Some(pair[1].value.as_ref());
            }
            _ => {}
        }
    }
    Some(found.unwrap_or(default))
}

/// Makes `KILL QUERY WHERE query_id = …` name the ids clients gave.
///
/// The engine gives every statement an id of its own. The client's id travels in the setting `log_comment`
/// (first line), which `system.processes` shows, so the column's name is replaced by that expression.
pub fn rewrite_kill(sql: &str) -> Result<Option<String>, LexError> {
    let tokens = tokens(sql)?;
    if !(tokens.first().is_some_and(|token| token.is("KILL"))
        && tokens.get(1).is_some_and(|token| token.is("QUERY")))
    {
        return Ok(None);
    }
    let mut out = String::with_capacity(sql.len() + 64);
    let mut copied = 0;
    for token in &tokens {
        if token.names() && token.value == "query_id" {
            out.push_str(&sql[copied..token.start]);
            out.push_str("splitByChar('\\n', Settings['log_comment'])[1]");
            copied = token.end;
        }
    }
    out.push_str(&sql[copied..]);
    Ok(Some(out))
}

/// A string literal of ClickHouse.
pub fn literal(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('\'');
    for character in value.chars() {
        match character {
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\0' => out.push_str("\\0"),
            other => out.push(other),
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(sql: &str) -> Option<(String, String, String)> {
        insert_head(sql).unwrap().map(|head| (head.sql, head.format, sql[head.data_at..].to_owned()))
    }

    #[test]
    fn an_insert_is_split_from_its_data() {
        let some = |sql: &str, format: &str, data: &str| Some((sql.into(), format.into(), data.into()));
        assert_eq!(head("INSERT INTO t(a,b) FORMAT RowBinary"), some("INSERT INTO t(a,b)", "RowBinary", ""));
        assert_eq!(
            head("insert into t format JSONEachRow\n{\"a\":1}"),
            some("insert into t", "JSONEachRow", "{\"a\":1}")
        );
        assert_eq!(head("INSERT INTO t VALUES (1),(2)"), some("INSERT INTO t", "Values", " (1),(2)"));
        assert_eq!(head("INSERT INTO t"), some("INSERT INTO t", "Values", ""));
        assert_eq!(head("INSERT INTO t;"), some("INSERT INTO t", "Values", ""));
        assert_eq!(
            head("INSERT INTO `format` (values) SETTINGS a=1 FORMAT CSV \n1"),
            some("INSERT INTO `format` (values) SETTINGS a=1", "CSV", "1")
        );
        assert_eq!(head("INSERT INTO t FORMAT CSV \n'unclosed"), some("INSERT INTO t", "CSV", "'unclosed"));
    }

    #[test]
    fn other_statements_are_left_alone() {
        for sql in [
            "SELECT 1",
            "INSERT INTO t SELECT 1",
            "INSERT INTO t (SELECT 1)",
            "INSERT INTO t WITH 1 AS x SELECT x",
            "-- INSERT\nSELECT 1",
        ] {
            assert_eq!(head(sql), None, "{sql}");
        }
    }

    #[test]
    fn the_answer_format_is_the_statements_own() {
        let format = |sql: &str| answer_format(&tokens(sql).unwrap(), "TabSeparated").map(str::to_owned);
        assert_eq!(format("SELECT 1").as_deref(), Some("TabSeparated"));
        assert_eq!(
            format("SELECT format('{}', 1) FORMAT JSON SETTINGS max_threads = 1").as_deref(),
            Some("JSON")
        );
        assert_eq!(format("SELECT ' FORMAT JSON '").as_deref(), Some("TabSeparated"));
        assert_eq!(format("SELECT 1 AS format UNION ALL SELECT 2 FORMAT JSON"), None);
    }

    #[test]
    fn a_kill_names_the_clients_id() {
        assert_eq!(
            rewrite_kill("KILL QUERY WHERE query_id = 'query_id' SYNC").unwrap().unwrap(),
            "KILL QUERY WHERE splitByChar('\\n', Settings['log_comment'])[1] = 'query_id' SYNC"
        );
        assert_eq!(rewrite_kill("SELECT query_id FROM system.processes").unwrap(), None);
    }

    #[test]
    fn a_literal_is_escaped() {
        assert_eq!(literal("it's \\ \n"), r"'it\'s \\ \n'");
    }
}
