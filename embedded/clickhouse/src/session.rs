//! A connection made ready for one request: its database, its settings, and the judgement whether its statement
//! may run. Everything here blocks.

use std::time::Duration;

use crate::auth::Access;
use crate::exception::{Code, Exception};
use crate::ffi::{Connection, Engine, StatementClass};
use crate::guard::Guard;
use crate::lexer::tokens;
use crate::request::Request;
use crate::statement::literal;

/// What a request's connection needs, apart from the request.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The statement's id.
    pub query_id: String,
    /// What the account may do.
    pub access: Access,
    /// The longest a statement may run where the client sets nothing shorter.
    pub max_execution: Duration,
    /// The largest answer held whole, in bytes of the engine's memory format.
    pub max_whole_answer: u64,
}

/// Statements of class CONTROL that may run: they act on the session, on other statements, or on tables. ALTER is of that
/// class where it changes rows (`DELETE`, `UPDATE`).
const CONTROL: &[&str] = &["SET", "USE", "KILL", "SYSTEM", "ATTACH", "DETACH", "ALTER"];

/// Opens a connection with the request's database and settings.
pub fn open(
    engine: &Engine,
    guard: &Guard,
    request: &Request,
    terms: &Terms,
) -> Result<Connection, Exception> {
    let mut connection = engine.connect()?;
    if let Some(database) = &request.database {
        let name = database.replace('\\', "\\\\").replace('`', "\\`");
        run(&mut connection, &format!("USE `{name}`"))?;
    }
    // The first line of the comment is how the statement is found again, to be shown or stopped.
    let comment = match request.setting("log_comment") {
        Some(comment) => format!("{}\n{comment}", terms.query_id),
        None => terms.query_id.clone(),
    };
    set(&mut connection, "log_comment", &comment)?;
    let seconds = terms.max_execution.as_secs_f64();
    set(&mut connection, "max_execution_time", &format!("{seconds}"))?;
    if terms.access == Access::ReadOnly {
        set(&mut connection, "readonly", "1")?;
    }
    for (name, value) in &request.settings {
        if matches!(name.as_str(), "readonly" | "log_comment") {
            continue;
        }
        guard.check_setting(name, value)?;
        if name == "max_execution_time" && !within(value, seconds) {
            continue;
        }
        set(&mut connection, name, value)?;
    }
    // Last, since it forbids changing settings. A GET may not write unless it says so, as in ClickHouse.
    match request.setting("readonly") {
        Some("1") if terms.access == Access::ReadOnly => {}
        Some(level) => set(&mut connection, "readonly", level)?,
        None if request.is_get && terms.access == Access::Full => set(&mut connection, "readonly", "2")?,
        None => {}
    }
    Ok(connection)
}

/// Whether a client's time limit is shorter than ours; 0 means none. What is no number goes on, to be refused by the
/// engine with its own words.
fn within(value: &str, most: f64) -> bool {
    value.parse::<f64>().map_or(true, |seconds| seconds > 0.0 && seconds <= most)
}

/// Refuses to hold an answer above the limit, where neither the client nor its read-only level says otherwise.
pub fn bound_whole_answer(
    connection: &mut Connection,
    request: &Request,
    terms: &Terms,
) -> Result<(), Exception> {
    let may_set =
        terms.access == Access::Full && !matches!(request.setting("readonly"), Some(level) if level != "0");
    if may_set && request.setting("max_result_bytes").is_none() {
        set(connection, "max_result_bytes", &terms.max_whole_answer.to_string())?;
    }
    Ok(())
}

fn set(connection: &mut Connection, name: &str, value: &str) -> Result<(), Exception> {
    run(connection, &format!("SET {name} = {}", literal(value)))
}

fn run(connection: &mut Connection, sql: &str) -> Result<(), Exception> {
    connection.query(sql, "Null", &[]).map(drop).map_err(Exception::from)
}

/// Judges a statement by the engine's own parser: one statement, of a class this account may run.
///
/// A text of several statements would be run up to the first that fails, so only what parses whole goes on.
pub fn admit(connection: &mut Connection, sql: &str, access: Access) -> Result<StatementClass, Exception> {
    let analysis = connection.classify(sql)?;
    if analysis.statements > 1 {
        return Err(Exception::new(Code::SyntaxError, "Syntax error: Multi-statements are not allowed"));
    }
    match analysis.class {
        StatementClass::Unknown => Err(explain_unknown(connection, sql)),
        class if access == Access::ReadOnly && class != StatementClass::ReadOnly => {
            Err(Exception::new(Code::AccessDenied, "Not enough privileges: this user may only read"))
        }
        StatementClass::Control if !is_allowed_control(sql) => Err(Exception::new(
            Code::AccessDenied,
            "Not enough privileges: the embedded engine does not run statements of this kind",
        )),
        class => Ok(class),
    }
}

fn is_allowed_control(sql: &str) -> bool {
    let Ok(tokens) = tokens(sql) else { return false };
    tokens.first().is_some_and(|first| CONTROL.iter().any(|word| first.is(word)))
}

/// The engine's reason for not understanding a text. Its streaming call refuses, unrun, several statements and
/// everything that is no SELECT, so asking it does nothing else.
fn explain_unknown(connection: &mut Connection, sql: &str) -> Exception {
    match connection.select(sql, "Null", &[]) {
        Err(error) => Exception::from(error),
        Ok(_) => Exception::new(Code::SyntaxError, "Syntax error: the statement is not understood"),
    }
}
