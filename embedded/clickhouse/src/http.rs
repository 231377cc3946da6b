//! ClickHouse's HTTP interface: who asks, what for, and the way from a body to a statement.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use uuid::Uuid;

use crate::answer::{self, Body, Head};
use crate::auth::{Access, Accounts};
use crate::compression::decompress;
use crate::exception::{Code, Exception};
use crate::ffi::Statistics;
use crate::guard::Guard;
use crate::insert::{self, Feed, Insert};
use crate::metrics::Metrics;
use crate::multipart;
use crate::request::Request;
use crate::running::Running;
use crate::select::{self, Select, Started};
use crate::session::Terms;
use crate::statement::{InsertHead, insert_head};

/// The bounds of a request.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest body.
    pub max_body: u64,
    /// The longest a statement runs.
    pub request_timeout: Duration,
    /// The longest a client may be silent within a body.
    pub body_idle: Duration,
    /// The largest answer held whole.
    pub max_whole_answer: u64,
}

/// The largest statement (without an INSERT's data), and the largest `VALUES`: both are read whole. The engine has a
/// stricter bound of its own for what it parses (`max_query_size`).
const MAX_SQL: usize = 16 << 20;

/// An INSERT's head ends within this much of a body: the engine's default `max_query_size`.
const MAX_HEAD: usize = 256 << 10;

/// How long after the engine's own time limit we stop a statement ourselves.
const STOP_AFTER: Duration = Duration::from_secs(5);

/// How much of a refused body is still read, so that the client sees the answer and not a reset connection.
const DRAIN_BYTES: usize = 16 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// Chunks of a body between socket and engine.
const FEED_DEPTH: usize = 4;

/// All a request needs.
pub struct App {
    /// The statements under way, and the engine.
    pub running: Arc<Running>,
    /// What is refused.
    pub guard: Arc<Guard>,
    /// Who may ask.
    pub accounts: Accounts,
    /// The bounds.
    pub limits: Limits,
    /// The counters.
    pub metrics: Metrics,
}

/// Answers one request.
pub async fn handle(app: Arc<App>, request: hyper::Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let is_statement =
        parts.method == Method::POST || parts.uri.query().is_some_and(|query| query.contains("query="));
    match (&parts.method, parts.uri.path()) {
        (&Method::GET | &Method::HEAD, "/ping" | "/replicas_status") => {
            return answer::text(StatusCode::OK, "Ok.\n");
        }
        (&Method::GET, "/metrics") => {
            return answer::text(StatusCode::OK, app.metrics.text(app.running.count()));
        }
        (&Method::GET | &Method::HEAD, "/") if !is_statement => return answer::text(StatusCode::OK, "Ok.\n"),
        (&Method::GET | &Method::POST, "/") => {}
        (_, "/") => return answer::text(StatusCode::METHOD_NOT_ALLOWED, "Use GET or POST\n"),
        _ => {
            return answer::text(
                StatusCode::NOT_FOUND,
                "There is no handle for this path. Use / for statements, or /ping for health checks.\n",
            );
        }
    }
    let mut query_id = Uuid::new_v4().to_string();
    let mut body = body;
    match statement(&app, &parts.method, &parts.uri, &parts.headers, &mut body, &mut query_id).await {
        Ok(response) => response,
        Err(error) => {
            tracing::debug!(query_id, code = error.code(), "refused");
            let drained = drain(body).await;
            let mut response = answer::failure(&error, &query_id);
            if !drained {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            response
        }
    }
}

/// Reads a request up to its statement, and runs that.
async fn statement(
    app: &Arc<App>,
    method: &Method,
    uri: &http::Uri,
    headers: &HeaderMap,
    body: &mut Incoming,
    query_id: &mut String,
) -> Result<Response<Body>, Exception> {
    let since = Instant::now();
    let mut request = Request::read(method, uri, headers)?;
    if let Some(id) = &request.query_id {
        query_id.clone_from(id);
    }
    let (user, password) = &request.credentials;
    let access = app.accounts.authenticate(headers, (user.as_deref(), password.as_deref()))?;
    if let Some(encoding) = headers.get(CONTENT_ENCODING)
        && encoding != "identity"
    {
        return Err(Exception::new(
            Code::NotImplemented,
            format_args!(
                "Content-Encoding {encoding:?} is not taken: send plain bytes, or blocks with decompress=1"
            ),
        ));
    }
    let ticket = app.running.enter(query_id)?;
    let terms = Terms {
        query_id: query_id.clone(),
        access,
        max_execution: app.limits.request_timeout,
        max_whole_answer: app.limits.max_whole_answer,
    };
    let mut reader = BodyReader { body, limits: app.limits, taken: 0 };

    let form = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).and_then(multipart::boundary);
    if let Some(boundary) = form {
        let bytes = reader.whole(BytesMut::new()).await?;
        for (name, value) in multipart::fields(&bytes, boundary)? {
            request.set(&name, value)?;
        }
        let sql = std::mem::take(&mut request.query);
        return run_text(app, Select { sql, request, terms, ticket }, since).await;
    }
    if !request.query.trim().is_empty() {
        // The statement is in the URL, and an INSERT's data in the body.
        if let Some(head) = split_insert(&request.query)? {
            let inline = Bytes::copy_from_slice(&request.query.as_bytes()[head.data_at..]);
            let compressed_inline = request.decompress && !inline.is_empty();
            if compressed_inline {
                return Err(Exception::new(Code::BadArguments, "decompress=1 with data in the URL's query"));
            }
            let insert = Insert { head, request, terms, ticket, max_values: MAX_SQL };
            return run_insert(app, insert, inline, Some(&mut reader), since).await;
        }
        let rest = sql_text(&request, &reader.whole(BytesMut::new()).await?)?;
        let mut sql = std::mem::take(&mut request.query);
        if !rest.is_empty() {
            sql.push('\n');
            sql.push_str(&rest);
        }
        return run_text(app, Select { sql, request, terms, ticket }, since).await;
    }
    // The statement is in the body, and with an INSERT its data too.
    let start = reader.up_to(MAX_HEAD).await?;
    if !request.decompress
        && let Some(head) = split_insert(valid_start(&start))?
    {
        let inline = start.freeze().slice(head.data_at..);
        let insert = Insert { head, request, terms, ticket, max_values: MAX_SQL };
        return run_insert(app, insert, inline, Some(&mut reader), since).await;
    }
    let sql = sql_text(&request, &reader.whole(start).await?)?;
    if let Some(head) = split_insert(&sql)? {
        let inline = Bytes::copy_from_slice(&sql.as_bytes()[head.data_at..]);
        // What was compressed is plain now.
        request.decompress = false;
        let insert = Insert { head, request, terms, ticket, max_values: MAX_SQL };
        return run_insert(app, insert, inline, None, since).await;
    }
    run_text(app, Select { sql, request, terms, ticket }, since).await
}

fn split_insert(sql: &str) -> Result<Option<InsertHead>, Exception> {
    insert_head(sql).map_err(|error| Exception::new(Code::SyntaxError, format_args!("Syntax error: {error}")))
}

/// The part of a body's start that is text: data behind an INSERT's head need not be.
fn valid_start(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or(""),
    }
}

fn sql_text(request: &Request, body: &[u8]) -> Result<String, Exception> {
    let plain = if request.decompress { decompress(body)? } else { body.to_vec() };
    String::from_utf8(plain)
        .map_err(|_| Exception::new(Code::SyntaxError, "Syntax error: the statement is not UTF-8"))
}

async fn run_text(app: &Arc<App>, select: Select, since: Instant) -> Result<Response<Body>, Exception> {
    let query_id = select.terms.query_id.clone();
    let encoding = select.request.encoding();
    let mut stop = app.running.stop_on_drop(&query_id);
    if !select::is_read(&select.sql) {
        // What writes goes on without its client, as on a server; the engine's time limit holds.
        stop.disarm();
    }
    let (started, begins) = oneshot::channel();
    let guard = Arc::clone(&app.guard);
    tokio::task::spawn_blocking(move || select::run(&select, &guard, started));
    let outcome = match timeout(app.limits.request_timeout + STOP_AFTER, begins).await {
        Ok(Ok(outcome)) => {
            stop.disarm();
            outcome
        }
        Ok(Err(_)) => {
            Err(Exception::new(Code::LogicalError, "the statement's thread ended without an answer"))
        }
        Err(_) => Err(Exception::new(
            Code::TimeoutExceeded,
            format_args!("Timeout exceeded: elapsed {} seconds", since.elapsed().as_secs()),
        )),
    };
    let seconds = since.elapsed().as_secs_f64();
    let head = |format, statistics| Head { query_id: &query_id, format, encoding, statistics, since };
    match outcome {
        Ok(Started::Whole { body, statistics, format }) => {
            app.metrics.statement("select", 0, seconds, &statistics);
            Ok(answer::whole(&head(&format, statistics), body))
        }
        Ok(Started::Stream { chunks, statistics, format }) => {
            app.metrics.statement("select", 0, seconds, &statistics);
            Ok(answer::streamed(&head(&format, statistics), chunks))
        }
        Err(error) => {
            app.metrics.statement("select", error.code(), seconds, &Statistics::default());
            Err(error)
        }
    }
}

async fn run_insert(
    app: &Arc<App>,
    insert: Insert,
    inline: Bytes,
    mut rest: Option<&mut BodyReader<'_>>,
    since: Instant,
) -> Result<Response<Body>, Exception> {
    let query_id = insert.terms.query_id.clone();
    let format = insert.head.format.clone();
    let (feed, fed) = mpsc::channel(FEED_DEPTH);
    let guard = Arc::clone(&app.guard);
    let work = tokio::task::spawn_blocking(move || insert::run(&insert, &guard, fed));

    // From here on, whatever drops `feed` before `End` (an error below, or the client's going, which drops this
    // future) makes the insert cancel itself.
    let pumped = async {
        if !inline.is_empty() && feed.send(Feed::Data(inline)).await.is_err() {
            return Ok(());
        }
        if let Some(reader) = rest.as_deref_mut() {
            while let Some(data) = reader.next().await? {
                if feed.send(Feed::Data(data)).await.is_err() {
                    // The insert has failed; its result says why.
                    return Ok(());
                }
            }
        }
        // An insert that has failed by now ends all the same.
        let _ = feed.send(Feed::End).await;
        Ok(())
    }
    .await;
    drop(feed);
    let limit = app.limits.request_timeout + STOP_AFTER;
    let mut stop = app.running.stop_on_drop(&query_id);
    let outcome = match timeout(limit, work).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(Exception::new(Code::LogicalError, "the insert's thread ended without a result")),
        Err(_) => Err(Exception::new(Code::TimeoutExceeded, "Timeout exceeded while committing the insert")),
    };
    if !matches!(&outcome, Err(error) if error.code() == Code::TimeoutExceeded as u32) {
        stop.disarm();
    }
    // What was wrong with the body is the reason; that the insert was cancelled follows from it.
    let outcome = pumped.and(outcome);
    let seconds = since.elapsed().as_secs_f64();
    match outcome {
        Ok(statistics) => {
            app.metrics.statement("insert", 0, seconds, &statistics);
            let encoding = crate::compression::Encoding::Plain;
            Ok(answer::whole(
                &Head { query_id: &query_id, format: &format, encoding, statistics, since },
                Bytes::new(),
            ))
        }
        Err(error) => {
            app.metrics.statement("insert", error.code(), seconds, &Statistics::default());
            Err(error)
        }
    }
}

/// A body read under its bounds: of size, and of silence.
struct BodyReader<'b> {
    body: &'b mut Incoming,
    limits: Limits,
    taken: u64,
}

impl BodyReader<'_> {
    /// The next bytes, or `None` at the body's proper end.
    async fn next(&mut self) -> Result<Option<Bytes>, Exception> {
        loop {
            let frame = timeout(self.limits.body_idle, self.body.frame()).await.map_err(|_| {
                Exception::new(
                    Code::TimeoutExceeded,
                    format_args!("Timeout exceeded: no data for {} seconds", self.limits.body_idle.as_secs()),
                )
            })?;
            let data = match frame {
                None => return Ok(None),
                Some(Err(error)) => {
                    return Err(Exception::new(
                        Code::NetworkError,
                        format_args!("reading the request's body: {error}"),
                    ));
                }
                Some(Ok(frame)) => frame.into_data(),
            };
            // Trailers are no data.
            let Ok(data) = data else { continue };
            self.taken += data.len() as u64;
            if self.taken > self.limits.max_body {
                return Err(Exception::new(
                    Code::QueryIsTooLarge,
                    format_args!("the body is larger than {} bytes", self.limits.max_body),
                ));
            }
            return Ok(Some(data));
        }
    }

    /// At least `most` bytes of the body, or all of it.
    async fn up_to(&mut self, most: usize) -> Result<BytesMut, Exception> {
        let mut start = BytesMut::new();
        while start.len() < most {
            match self.next().await? {
                Some(data) => start.extend_from_slice(&data),
                None => break,
            }
        }
        Ok(start)
    }

    /// All of the body, behind what was read of it already.
    async fn whole(&mut self, mut start: BytesMut) -> Result<BytesMut, Exception> {
        while let Some(data) = self.next().await? {
            start.extend_from_slice(&data);
            if start.len() > MAX_SQL {
                return Err(Exception::new(
                    Code::QueryIsTooLarge,
                    format_args!("the statement is larger than {MAX_SQL} bytes"),
                ));
            }
        }
        Ok(start)
    }
}

/// Reads what is left of a body that nobody wants, within bounds; true if all of it.
async fn drain(mut body: Incoming) -> bool {
    let read = async {
        let mut left = DRAIN_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            let Some(less) = left.checked_sub(length) else { return false };
            left = less;
        }
        true
    };
    timeout(DRAIN_TIME, read).await.unwrap_or(false)
}

/// Whether an account can be reached without a password.
pub fn is_open(accounts: &Accounts) -> bool {
    use secrecy::ExposeSecret as _;
    accounts
        .0
        .iter()
        .any(|account| account.password.expose_secret().is_empty() && account.access == Access::Full)
}
