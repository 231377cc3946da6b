//! Refuses what reaches out of the data directory: files, URLs, other databases, programs.
//!
//! The engine runs inside this process as a local tool would, with the rights of its user over every file.
//! Three layers keep a client of the HTTP port from using that:
//!
//! 1. the engine's own grants (see [`crate::profile`]): no source access (`FILE`, `URL`, `REMOTE`, `S3`, …), no
//!    access management, no BACKUP, no SHUTDOWN;
//! 2. this guard, for what grants do not cover: the scalar function `file`, table engines that run programs or
//!    open paths, dictionary sources, `INTO OUTFILE`, disks, format templates. It reads tokens, not text, so
//!    strings and comments neither trip nor fool it;
//! 3. the engine's judgement of each statement (one statement, of a known class): see [`crate::session`].
//!
//! Names are refused by default: everything the engine registers that is not on a list here, so that a newer
//! engine's new table function is not open until somebody thought about it.

use std::collections::HashSet;

use crate::exception::{Code, Exception};
use crate::lexer::{Kind, Token, tokens};

/// Table functions that stay inside the engine.
const TABLE_FUNCTIONS: &[&str] = &[
    "dictionary",
    "format",
    "generate_series",
    "generaterandom",
    "generateseries",
    "input",
    "loop",
    "merge",
    "mergetreeanalyzeindexes",
    "mergetreeanalyzeindexesuuid",
    "mergetreeindex",
    "mergetreeprojection",
    "mergetreetextindex",
    "null",
    "numbers",
    "numbers_mt",
    "primes",
    "sqlstandardvalues",
    "values",
    "view",
    "viewexplain",
    "viewifpermitted",
    "zeros",
    "zeros_mt",
];

/// Table and database engines that keep their data in the data directory or in memory.
const ENGINES: &[&str] = &[
    "aggregatingmergetree",
    "alias",
    "atomic",
    "buffer",
    "coalescingmergetree",
    "collapsingmergetree",
    "dictionary",
    "generaterandom",
    "graphitemergetree",
    "join",
    "log",
    "materializedview",
    "memory",
    "merge",
    "mergetree",
    "null",
    "ordinary",
    "replacingmergetree",
    "set",
    "stripelog",
    "summingmergetree",
    "tinylog",
    "versionedcollapsingmergetree",
    "view",
    "windowview",
];

/// Functions that open files or call out. The first is also a table function.
const FUNCTIONS: &[&str] = &[
    "file",
    "catboostevaluate",
    "aiclassify",
    "aiembed",
    "aiextract",
    "aigenerate",
    "aitranslate",
    // `disk(type = …)` in a table's SETTINGS defines a disk anywhere.
    "disk",
];

/// Settings whose value is a path the engine would read or write.
const PATH_SETTINGS: &[&str] = &[
    "format_schema",
    "format_schema_source",
    "format_template_resultset",
    "format_template_row",
    "output_format_schema",
];

/// Settings whose value is SQL, which is guarded like SQL.
const SQL_SETTINGS: &[&str] =
    &["additional_result_filter", "additional_table_filters", "parallel_replicas_custom_key"];

/// Statements that read or write archives and files beside the engine's own.
const STATEMENTS: &[&str] = &["BACKUP", "RESTORE", "COPY", "SNAPSHOT", "EXECUTE"];

/// How deep SQL may stand in settings in SQL.
const MAX_DEPTH: usize = 4;

/// The names refused, made once from what the engine registers.
#[derive(Debug)]
pub struct Guard {
    functions: HashSet<String>,
    engines: HashSet<String>,
}

impl Guard {
    /// A guard for an engine with these table functions and (table and database) engines.
    pub fn new<'n>(
        table_functions: impl IntoIterator<Item = &'n str>,
        engines: impl IntoIterator<Item = &'n str>,
    ) -> Self {
        let refused = |registered: &str, allowed: &[&str]| {
            let name = registered.to_ascii_lowercase();
            (!allowed.contains(&name.as_str())).then_some(name)
        };
        let mut functions: HashSet<String> =
            table_functions.into_iter().filter_map(|name| refused(name, TABLE_FUNCTIONS)).collect();
        functions.extend(FUNCTIONS.iter().map(|&name| name.to_owned()));
        Self { functions, engines: engines.into_iter().filter_map(|name| refused(name, ENGINES)).collect() }
    }

    /// Refuses a statement (or an expression, or the rows of `VALUES`) that reaches out.
    pub fn check(&self, sql: &str) -> Result<(), Exception> {
        self.check_nested(sql, 0)
    }

    /// Refuses a setting given beside the statement whose value reaches out.
    pub fn check_setting(&self, name: &str, value: &str) -> Result<(), Exception> {
        if PATH_SETTINGS.iter().any(|setting| name.eq_ignore_ascii_case(setting)) {
            return Err(refused(format_args!("setting {name}")));
        }
        if SQL_SETTINGS.iter().any(|setting| name.eq_ignore_ascii_case(setting)) {
            // A map of strings, or an expression: both are SQL, and strings in them may be.
            self.check_strings_too(value, 0)?;
        }
        Ok(())
    }

    fn check_nested(&self, sql: &str, depth: usize) -> Result<(), Exception> {
        let tokens = read(sql)?;
        if self.check_tokens(&tokens)? {
            self.check_strings(&tokens, depth)?;
        }
        Ok(())
    }

    fn check_strings_too(&self, sql: &str, depth: usize) -> Result<(), Exception> {
        let tokens = read(sql)?;
        self.check_tokens(&tokens)?;
        self.check_strings(&tokens, depth)
    }

    fn check_strings(&self, tokens: &[Token<'_>], depth: usize) -> Result<(), Exception> {
        if depth >= MAX_DEPTH {
            return Err(Exception::new(
                Code::AccessDenied,
                "SQL in settings is nested too deep to be judged",
            ));
        }
        for text in tokens.iter().filter(|token| token.kind == Kind::Text) {
            // Ordinary text need not be SQL; what does not read as tokens cannot run either.
            if crate::lexer::tokens(&text.value).is_ok() {
                self.check_strings_too(&text.value, depth + 1)?;
            }
        }
        Ok(())
    }

    /// Judges the tokens; true if a setting among them carries SQL in a string.
    fn check_tokens(&self, tokens: &[Token<'_>]) -> Result<bool, Exception> {
        let mut carries_sql = false;
        if let Some(statement) =
            STATEMENTS.iter().find(|word| tokens.first().is_some_and(|token| token.is(word)))
        {
            return Err(refused(format_args!("{statement}")));
        }
        let attaches = tokens.first().is_some_and(|token| token.is("ATTACH"));
        for (at, token) in tokens.iter().enumerate() {
            let next = tokens.get(at + 1);
            let opens = next.is_some_and(|next| next.symbol(b'('));
            let qualified = at > 0 && tokens[at - 1].symbol(b'.');
            if !token.names() {
                continue;
            }
            let name = token.value.to_ascii_lowercase();
            if opens && !qualified && self.functions.contains(&name) {
                return Err(refused(format_args!("function {}", token.value)));
            }
            if SQL_SETTINGS.contains(&name.as_str()) {
                carries_sql = true;
            }
            if PATH_SETTINGS.contains(&name.as_str()) {
                return Err(refused(format_args!("setting {name}")));
            }
            if token.kind != Kind::Word {
                continue;
            }
            match name.as_str() {
                "engine" => {
                    let engine = tokens[at + 1..].iter().find(|token| !token.symbol(b'='));
                    if let Some(engine) = engine
                        && engine.names()
                        && self.engines.contains(&engine.value.to_ascii_lowercase())
                    {
                        return Err(refused(format_args!("engine {}", engine.value)));
                    }
                }
                "into" if next.is_some_and(|next| next.is("OUTFILE")) => {
                    return Err(refused(format_args!("INTO OUTFILE")));
                }
                "from" if next.is_some_and(|next| next.is("INFILE")) => {
                    return Err(refused(format_args!("FROM INFILE")));
                }
                "from" if attaches && next.is_some_and(|next| next.kind == Kind::Text) => {
                    return Err(refused(format_args!("ATTACH … FROM a path")));
                }
                "source" if opens => {
                    let source = tokens.get(at + 2).map_or("", |token| token.value.as_ref());
                    let local =
                        source.eq_ignore_ascii_case("CLICKHOUSE") || source.eq_ignore_ascii_case("NULL");
                    let elsewhere = tokens[at + 1..].iter().any(|token| token.is("HOST"));
                    if !local || elsewhere {
                        return Err(refused(format_args!("dictionary source {source}")));
                    }
                }
                _ => {}
            }
        }
        Ok(carries_sql)
    }
}

fn read(sql: &str) -> Result<Vec<Token<'_>>, Exception> {
    tokens(sql).map_err(|error| Exception::new(Code::SyntaxError, format_args!("Syntax error: {error}")))
}

fn refused(what: std::fmt::Arguments<'_>) -> Exception {
    Exception::new(
        Code::AccessDenied,
        format_args!(
            "{what} reaches out of the data directory, which the embedded engine refuses: use a ClickHouse server of your own for it"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        Guard::new(
            [
                "file",
                "url",
                "s3",
                "remote",
                "mysql",
                "postgresql",
                "executable",
                "hdfs",
                "numbers",
                "generateRandom",
                "sqlite",
            ],
            [
                "MergeTree",
                "URL",
                "File",
                "Executable",
                "EmbeddedRocksDB",
                "MySQL",
                "Filesystem",
                "Memory",
                "Atomic",
            ],
        )
    }

    #[test]
    fn what_reaches_out_is_refused() {
        for sql in [
            "SELECT * FROM file('/etc/passwd')",
            "SELECT FILE ( '/etc/passwd' )",
            "SELECT `file`('/etc/passwd')",
            r"SELECT `f\x69le`('/etc/passwd')",
            "SELECT \"file\" /* x */ ('/etc/passwd')",
            "SELECT * FROM url('http://x', 'CSV', 'a Int32')",
            "SELECT * FROM S3('http://x')",
            "SELECT 1 WHERE 1 IN (SELECT a FROM remote('h', 'd', 't'))",
            "INSERT INTO FUNCTION url('http://x') SELECT 1",
            "INSERT INTO t VALUES (file('/etc/passwd'))",
            "CREATE TABLE t (a String DEFAULT file('/etc/passwd')) ENGINE = Memory",
            "CREATE TABLE t (a Int8) ENGINE = URL('http://x')",
            "CREATE TABLE t (a Int8) ENGINE Executable('x.sh', 'CSV')",
            "CREATE TABLE t (a Int8) ENGINE=`File`(CSV)",
            "CREATE DATABASE d ENGINE = Filesystem('/')",
            "CREATE TABLE t (a Int8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = local, path = '/tmp')",
            "CREATE DICTIONARY d (a UInt64) PRIMARY KEY a SOURCE(HTTP(URL 'http://x' FORMAT 'CSV')) LAYOUT(FLAT())",
            "CREATE DICTIONARY d (a UInt64) PRIMARY KEY a SOURCE(CLICKHOUSE(HOST 'h' TABLE 't')) LAYOUT(FLAT())",
            "SELECT 1 INTO OUTFILE '/tmp/x'",
            "INSERT INTO t FROM INFILE '/tmp/x' FORMAT CSV",
            "ATTACH TABLE t FROM '/var/lib' (a Int8) ENGINE = MergeTree ORDER BY a",
            "BACKUP DATABASE d TO File('/tmp/x')",
            "RESTORE DATABASE d FROM File('/tmp/x')",
            "SELECT 1 FORMAT Template SETTINGS format_template_row = '/etc/passwd'",
            "SELECT 1 SETTINGS additional_result_filter = 'file(''/etc/passwd'') != '''''",
            r"SELECT 1 SETTINGS additional_table_filters = {'t': 'a = f\x69le(\'/etc/passwd\')'}",
        ] {
            let error = guard().check(sql).expect_err(sql);
            assert_eq!(error.code(), Code::AccessDenied as u32, "{sql}: {error}");
        }
    }

    #[test]
    fn ordinary_statements_pass() {
        for sql in [
            "SELECT 'file(', \"url\", s3 FROM t -- file('/etc/passwd')",
            "SELECT engine FROM system.tables WHERE engine = 'File'",
            "SELECT engine, file FROM d.file (a)",
            "SELECT * FROM numbers(10)",
            "SELECT source FROM t WHERE source IN ('file(')",
            "CREATE TABLE t (engine String, file String) ENGINE = MergeTree ORDER BY tuple()",
            "CREATE DICTIONARY d (a UInt64) PRIMARY KEY a SOURCE(CLICKHOUSE(TABLE 't')) LAYOUT(FLAT())",
            "SELECT 1 SETTINGS additional_table_filters = {'t': 'tenant = ''acme'''}",
            "ALTER TABLE t ATTACH PARTITION 1 FROM u",
        ] {
            guard().check(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
    }

    #[test]
    fn settings_given_beside_the_statement_are_judged() {
        let guard = guard();
        assert!(guard.check_setting("max_threads", "file(").is_ok());
        assert!(guard.check_setting("format_template_row", "/etc/passwd").is_err());
        assert!(guard.check_setting("additional_result_filter", "file('/etc/passwd') = ''").is_err());
        assert!(guard.check_setting("additional_table_filters", "{'t': 'url(\\'http://x\\') = 1'}").is_err());
        assert!(guard.check_setting("additional_table_filters", "{'t': 'tenant = \\'acme\\''}").is_ok());
    }
}
