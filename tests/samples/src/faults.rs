//! Faults on demand: what a sample service does wrong, on which route, how often.
//!
//! A [`Script`] holds [`Rule`]s. Each request meets the first rule that matches it and has uses left; without
//! one it is answered as usual. Scripts can be changed while the service runs, in process or by
//! `POST /__control/faults` with a rule as JSON.

use crate::http_server::HangUp;
use crate::zendesk::AgentEdit;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// Answers with this status; nothing is applied.
    Status {
        /// HTTP status code.
        status: u16,
        /// Seconds for a `Retry-After` header, if any.
        #[serde(default)]
        retry_after: Option<u64>,
        /// The body; by default an HTML page such as a proxy in front of the service sends.
        #[serde(default)]
        body: Option<String>,
    },
    /// Waits, then answers as usual.
    Delay {
        /// How long, in ms.
        ms: u64,
    },
    /// Closes the connection; nothing is applied.
    DropBefore,
    /// Applies the request, then closes the connection without an answer: the client cannot know.
    DropAfter,
    /// Applies the request, then sends only half of its answer's body, as valid HTTP.
    Malformed,
    /// Applies the request, then ends the connection in the middle of its answer's body.
    Reset,
    /// Applies the request, then sends its answer's body byte by byte.
    Drip {
        /// Between two bytes, in ms.
        ms: u64,
    },
    /// Helpdesks only: an agent edits the ticket that the request names, just before the request is applied,
    /// hence between a client's read and its write.
    AgentEdit {
        /// What the agent does.
        edit: AgentEdit,
    },
}

/// When to apply a fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// HTTP method; any if absent.
    #[serde(default)]
    pub method: Option<String>,
    /// Path such as `/api/v2/tickets/*`: `*` stands for one segment, a last `**` for any rest.
    pub path: String,
    /// How many matching requests pass unharmed first.
    #[serde(default)]
    pub skip: u32,
    /// How many requests it hits after those; all if absent.
    #[serde(default)]
    pub times: Option<u32>,
    /// What happens to them.
    #[serde(flatten)]
    pub fault: Fault,
}

impl Rule {
    /// Hits the next request of `method` to `path`, once.
    pub fn once(method: &str, path: &str, fault: Fault) -> Self {
        Self { method: Some(method.to_owned()), path: path.to_owned(), skip: 0, times: Some(1), fault }
    }

    /// Hits `times` requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Hits every request until the script is cleared.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.times = None;
        self
    }

    /// Lets `skip` matching requests pass first.
    #[must_use]
    pub fn after(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        self.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && path_matches(&self.path, path)
    }
}

fn path_matches(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    for wanted in pattern.split('/') {
        match (wanted, segments.next()) {
            ("**", _) => return true,
            ("*", Some(_)) => {}
            (wanted, Some(segment)) if wanted == segment => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

/// The rules of one service. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Script {
    rules: Arc<Mutex<Vec<Rule>>>,
    injected: Arc<AtomicU64>,
}

impl Script {
    /// Adds a rule after those already there.
    pub fn add(&self, rule: Rule) {
        self.rules.lock().push(rule);
    }

    /// Removes every rule.
    pub fn clear(&self) {
        self.rules.lock().clear();
    }

    /// The rules with what is left of them.
    pub fn rules(&self) -> Vec<Rule> {
        self.rules.lock().clone()
    }

    /// How many requests were hit so far.
    pub fn injected(&self) -> u64 {
        self.injected.load(Ordering::Relaxed)
    }

    fn take(&self, method: &str, path: &str) -> Option<Fault> {
        let mut rules = self.rules.lock();
        for rule in rules.iter_mut() {
            if !rule.matches(method, path) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            match &mut rule.times {
                Some(0) => continue,
                Some(left) => *left -= 1,
                None => {}
            }
            let fault = rule.fault.clone();
            rules.retain(|rule| rule.times != Some(0));
            self.injected.fetch_add(1, Ordering::Relaxed);
            return Some(fault);
        }
        None
    }
}

/// What performs an [`Fault::AgentEdit`]: gets the request's path and the edit.
pub(crate) type EditHook = Arc<dyn Fn(&str, &AgentEdit) + Send + Sync>;

/// State of the [`layer`].
#[derive(Clone)]
pub(crate) struct Injector {
    pub(crate) script: Script,
    pub(crate) edit: EditHook,
}

impl Injector {
    /// For services without tickets.
    pub(crate) fn plain(script: Script) -> Self {
        Self { script, edit: Arc::new(|_, _| {}) }
    }
}

/// Middleware that applies the script to every request but those to `/__control`.
pub(crate) async fn layer(State(injector): State<Injector>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path.starts_with("/__control") {
        return next.run(request).await;
    }
    match injector.script.take(request.method().as_str(), path) {
        None => next.run(request).await,
        Some(Fault::Status { status, retry_after, body }) => scripted_status(status, retry_after, body),
        Some(Fault::Delay { ms }) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            next.run(request).await
        }
        Some(Fault::DropBefore) => hang_up(),
        Some(Fault::DropAfter) => {
            next.run(request).await;
            hang_up()
        }
        Some(Fault::Malformed) => halved(next.run(request).await).await,
        Some(Fault::Reset) => broken(next.run(request).await).await,
        Some(Fault::Drip { ms }) => dripping(next.run(request).await, Duration::from_millis(ms)).await,
        Some(Fault::AgentEdit { edit }) => {
            (injector.edit)(path, &edit);
            next.run(request).await
        }
    }
}

fn hang_up() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(HangUp);
    response
}

fn scripted_status(status: u16, retry_after: Option<u64>, body: Option<String>) -> Response {
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = body.unwrap_or_else(|| format!("<html><body><h1>{code}</h1></body></html>\r\n"));
    let kind = if body.starts_with('<') { "text/html" } else { "application/json; charset=utf-8" };
    let mut response = (code, [(header::CONTENT_TYPE, kind)], body).into_response();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

async fn halved(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    Response::from_parts(parts, Body::from(bytes.slice(..bytes.len() / 2)))
}

/// The length is told, and not kept.
async fn broken(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    let half = bytes.slice(..bytes.len() / 2);
    let chunks = [Ok(half), Err(std::io::Error::other("reset by script"))];
    Response::from_parts(parts, Body::from_stream(futures::stream::iter(chunks)))
}

async fn dripping(response: Response, pause: Duration) -> Response {
    let (mut parts, body) = response.into_parts();
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    let drops = futures::stream::unfold((bytes, 0), move |(bytes, at)| async move {
        if at == bytes.len() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let drop = bytes.slice(at..=at);
        Some((Ok::<_, std::io::Error>(drop), (bytes, at + 1)))
    });
    Response::from_parts(parts, Body::from_stream(drops))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_by_segment() {
        assert!(path_matches("/api/v2/tickets/*", "/api/v2/tickets/17"));
        assert!(!path_matches("/api/v2/tickets/*", "/api/v2/tickets/17/tags"));
        assert!(path_matches("/api/v2/tickets/**", "/api/v2/tickets/17/tags"));
        assert!(!path_matches("/api/v2/tickets/*", "/api/v2/tickets"));
    }

    #[test]
    fn a_rule_skips_then_hits_then_is_spent() {
        let script = Script::default();
        script.add(Rule::once("PUT", "/t/*", Fault::DropAfter).after(1).times(2));
        let hits: Vec<bool> = (0..5).map(|_| script.take("PUT", "/t/1").is_some()).collect();
        assert_eq!(hits, [false, true, true, false, false]);
        assert!(script.rules().is_empty());
        assert_eq!(script.injected(), 2);
        assert!(script.take("GET", "/t/1").is_none());
    }

    #[test]
    fn rules_read_from_json() {
        let rule: Rule = serde_json::from_str(
            r#"{"method":"PUT","path":"/api/v2/tickets/*","fault":"status","status":503,"retry_after":2}"#,
        )
        .unwrap();
        assert_eq!(rule.fault, Fault::Status { status: 503, retry_after: Some(2), body: None });
        assert_eq!(rule.times, None);
    }
}
