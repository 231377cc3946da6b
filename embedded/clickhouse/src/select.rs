//! Statements with an answer: everything but an INSERT fed with data. Runs on a blocking thread.
//!
//! A SELECT in a format that can be joined is sent in chunks, of which at most a few are in memory; other answers
//! are held whole, up to a limit that the engine enforces.

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::exception::{Code, Exception};
use crate::ffi::{Connection, StatementClass, Statistics};
use crate::format::{Join, is_shaped};
use crate::guard::Guard;
use crate::lexer::{Token, tokens};
use crate::request::Request;
use crate::running::Ticket;
use crate::session::{self, Terms};
use crate::statement::{answer_format, rewrite_kill};

/// A statement to run.
pub struct Select {
    /// The statement.
    pub sql: String,
    /// The request it came with.
    pub request: Request,
    /// What it may use.
    pub terms: Terms,
    /// Its place among the running.
    pub ticket: Ticket,
}

/// An answer once its start is known to be good.
pub enum Started {
    /// All of it.
    Whole {
        /// The bytes.
        body: Bytes,
        /// What it took.
        statistics: Statistics,
        /// The format they are in.
        format: String,
    },
    /// The first of several chunks; an error among them ends the answer.
    Stream {
        /// The chunks.
        chunks: mpsc::Receiver<Result<Bytes, Exception>>,
        /// What it took so far.
        statistics: Statistics,
        /// The format they are in.
        format: String,
    },
}

/// The answer's format where neither the statement nor the request names one.
const DEFAULT_FORMAT: &str = "TabSeparated";

/// Statements that begin so may be stopped when their client leaves: they change nothing.
pub fn is_read(sql: &str) -> bool {
    const READS: &[&str] =
        &["SELECT", "WITH", "FROM", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "CHECK"];
    matches!(crate::lexer::Lexer::new(sql).next(), Ok(Some(first))
        if first.symbol(b'(') || READS.iter().any(|word| first.is(word)))
}

/// Runs a statement, and says through `started` how its answer begins.
pub fn run(select: &Select, guard: &Guard, started: oneshot::Sender<Result<Started, Exception>>) {
    let mut started = Some(started);
    if let Err(error) = serve(select, guard, &mut started)
        && let Some(started) = started
    {
        // The client may have gone; then nobody wants to know.
        let _ = started.send(Err(error));
    }
}

type StartedSender = Option<oneshot::Sender<Result<Started, Exception>>>;

fn start(started: &mut StartedSender, answer: Started) {
    if let Some(started) = started.take() {
        let _ = started.send(Ok(answer));
    }
}

fn serve(select: &Select, guard: &Guard, started: &mut StartedSender) -> Result<(), Exception> {
    let Select { request, terms, ticket, .. } = select;
    let syntax = |error| Exception::new(Code::SyntaxError, format_args!("Syntax error: {error}"));
    guard.check(&select.sql)?;
    let rewritten = rewrite_kill(&select.sql).map_err(syntax)?;
    let sql = rewritten.as_deref().unwrap_or(&select.sql);
    let mut connection = session::open(ticket.engine(), guard, request, terms)?;
    let class = session::admit(&mut connection, sql, terms.access)?;

    let tokens = tokens(sql).map_err(syntax)?;
    let default =
        request.default_format.as_deref().filter(|format| !format.is_empty()).unwrap_or(DEFAULT_FORMAT);
    let format = answer_format(&tokens, default);
    let settings = request.settings.iter().map(|(name, _)| name.as_str());
    let join = format.and_then(Join::of).filter(|_| {
        class == StatementClass::ReadOnly
            && is_select(&tokens)
            && !request.wait_end_of_query
            && !is_shaped(&tokens, settings)
    });
    let format = format.unwrap_or(default).to_owned();
    match join {
        Some(join) => stream(&mut connection, select, sql, &format, join, started),
        None => {
            session::bound_whole_answer(&mut connection, request, terms)?;
            let answer = connection.query(sql, default, &request.parameters)?;
            let statistics = answer.statistics();
            start(started, Started::Whole { body: Bytes::from_owner(answer), statistics, format });
            Ok(())
        }
    }
}

fn is_select(tokens: &[Token<'_>]) -> bool {
    tokens
        .first()
        .is_some_and(|first| first.symbol(b'(') || first.is("SELECT") || first.is("WITH") || first.is("FROM"))
}

fn stream(
    connection: &mut Connection,
    select: &Select,
    sql: &str,
    format: &str,
    join: Join,
    started: &mut StartedSender,
) -> Result<(), Exception> {
    let mut answer = connection.select(sql, format, &select.request.parameters)?;
    let format = format.to_owned();
    let mut statistics = Statistics::default();
    let Some(first) = answer.next()? else {
        start(started, Started::Whole { body: Bytes::new(), statistics, format });
        return Ok(());
    };
    statistics.add(&first.statistics());
    let header_length = join.header_length(first.as_ref())?;
    let first = Bytes::from_owner(first);
    // A second look before anything is sent: most answers end here, and then get their length and statistics.
    let Some(second) = answer.next()? else {
        start(started, Started::Whole { body: first, statistics, format });
        return Ok(());
    };
    statistics.add(&second.statistics());

    let (sender, chunks) = mpsc::channel(1);
    start(started, Started::Stream { chunks, statistics, format });
    let header = first.slice(..header_length);
    let without_header = |chunk: Bytes| {
        if chunk.starts_with(&header) {
            Ok(chunk.slice(header.len()..))
        } else {
            Err(Exception::new(Code::LogicalError, "a chunk of the answer has another header than the first"))
        }
    };
    let mut next = Some(without_header(Bytes::from_owner(second)));
    // A send fails when the client has gone; dropping `answer` then cancels the statement.
    if sender.blocking_send(Ok(first)).is_err() {
        return Ok(());
    }
    while let Some(chunk) = next {
        let is_last = chunk.is_err();
        if sender.blocking_send(chunk).is_err() || is_last {
            return Ok(());
        }
        next = match answer.next() {
            Ok(chunk) => chunk.map(|chunk| without_header(Bytes::from_owner(chunk))),
            Err(error) => Some(Err(error.into())),
        };
    }
    Ok(())
}
