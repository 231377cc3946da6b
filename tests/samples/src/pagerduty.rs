//! A sample PagerDuty: Events API v2.
//!
//! - `POST /v2/enqueue` answers 202 with the dedup key, or 400 with what is wrong with the event.
//! - The same dedup key under the same routing key is the same incident while it is open; an acknowledge or
//!   resolve without an open incident is dropped silently with 202; a trigger after a resolve opens another
//!   incident.
//! - Throttling (429, no `Retry-After`: none is documented) starts above a set number of events per minute
//!   and routing key.
//!
//! `GET /__control/incidents`, `GET /__control/stats`, `/__control/faults`, `/__control/clock`.

use crate::clock::Clock;
use crate::control::common_routes;
use crate::faults::{self, Injector, Script};
use crate::http_server::Server;
use crate::ids;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use http::StatusCode;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

/// Largest event, in bytes.
const LARGEST_EVENT: usize = 512 * 1024;
/// The oldest resolved incidents are forgotten above this count.
const INCIDENTS_KEPT: usize = 10_000;

/// How to start a [`PagerDuty`].
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Events per minute and routing key before 429; unlimited if absent.
    pub events_per_minute: Option<u32>,
    /// Time.
    pub clock: Clock,
}

/// Where an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are the vendor's own terms")]
pub enum IncidentStatus {
    Triggered,
    Acknowledged,
    Resolved,
}

/// One event that an incident took in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// When, RFC 3339.
    pub at: String,
    /// `trigger`, `acknowledge` or `resolve`.
    pub action: String,
    /// The whole event.
    pub event: Value,
}

/// What a person on call would see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Number, from 1.
    pub id: u64,
    /// Integration key of the service.
    pub routing_key: String,
    /// Key of the episode.
    pub dedup_key: String,
    /// Where it stands.
    pub status: IncidentStatus,
    /// Summary of the first trigger.
    pub summary: String,
    /// Severity of the first trigger.
    pub severity: String,
    /// Source of the first trigger.
    pub source: String,
    /// All events, oldest first.
    pub history: Vec<HistoryEntry>,
}

/// Counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Events answered with 202.
    pub accepted: u64,
    /// Events refused with 400.
    pub invalid: u64,
    /// Events refused with 429.
    pub throttled: u64,
    /// Triggers that opened an incident.
    pub opened: u64,
    /// Triggers that went into an open incident.
    pub merged: u64,
    /// Resolves that closed an incident.
    pub resolved: u64,
    /// Acknowledges that took effect.
    pub acknowledged: u64,
    /// Acknowledges and resolves without an open incident.
    pub dropped: u64,
    /// Requests hit by the fault script.
    pub faults_injected: u64,
}

#[derive(Default)]
struct Desk {
    incidents: Vec<Incident>,
    /// Open incidents by routing and dedup key: their id.
    open: HashMap<(String, String), u64>,
    opened: u64,
    stats: Stats,
    /// By routing key: end of the minute and events in it.
    minutes: HashMap<String, (i64, u32)>,
}

struct Shared {
    options: Options,
    script: Script,
    desk: Mutex<Desk>,
}

impl Shared {
    fn stats(&self) -> Stats {
        Stats { faults_injected: self.script.injected(), ..self.desk.lock().stats.clone() }
    }
}

/// A running sample PagerDuty. Dropping it ends it.
pub struct PagerDuty {
    shared: Arc<Shared>,
    server: Server,
}

impl std::fmt::Debug for PagerDuty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PagerDuty").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl PagerDuty {
    /// Starts the service.
    pub async fn start(options: Options) -> io::Result<Self> {
        let port = options.port;
        let shared = Arc::new(Shared { options, script: Script::default(), desk: Mutex::default() });
        let router = Router::new()
            .route("/v2/enqueue", post(enqueue))
            .route(
                "/__control/incidents",
                get(async |State(shared): App| Json(shared.desk.lock().incidents.clone())),
            )
            .route("/__control/stats", get(async |State(shared): App| Json(shared.stats())))
            .merge(common_routes(shared.script.clone(), shared.options.clock.clone()))
            // The size is checked by `read`, which answers as the service does.
            .layer(DefaultBodyLimit::max(4 * LARGEST_EVENT))
            .layer(middleware::from_fn_with_state(Injector::plain(shared.script.clone()), faults::layer))
            .with_state(Arc::clone(&shared));
        let server = Server::start(port, router).await?;
        Ok(Self { shared, server })
    }

    /// Base address; events go to `/v2/enqueue` below it.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Its faults.
    pub fn faults(&self) -> &Script {
        &self.shared.script
    }

    /// Its clock.
    pub fn clock(&self) -> &Clock {
        &self.shared.options.clock
    }

    /// All incidents, oldest first.
    pub fn incidents(&self) -> Vec<Incident> {
        self.shared.desk.lock().incidents.clone()
    }

    /// All counts.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// Ends the service and waits until its tasks are gone.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
    }
}

type App = State<Arc<Shared>>;

async fn enqueue(State(shared): App, body: Bytes) -> Response {
    let event = match read(&body) {
        Ok(event) => event,
        Err(errors) => {
            shared.desk.lock().stats.invalid += 1;
            let body =
                json!({"status": "invalid event", "message": "Event object is invalid", "errors": errors});
            return (StatusCode::BAD_REQUEST, Json(body)).into_response();
        }
    };
    let mut desk = shared.desk.lock();
    if let Some(limit) = shared.options.events_per_minute
        && !desk.admit(&event.routing_key, limit, shared.options.clock.second())
    {
        desk.stats.throttled += 1;
        let body = json!({"status": "throttle exceeded", "message": "Requests for this service are arriving too quickly. Please retry later."});
        return (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response();
    }
    desk.stats.accepted += 1;
    let dedup_key = event.dedup_key.clone();
    desk.take(event, shared.options.clock.now().to_string());
    let body = json!({"status": "success", "message": "Event processed", "dedup_key": dedup_key});
    (StatusCode::ACCEPTED, Json(body)).into_response()
}

impl Desk {
    fn admit(&mut self, routing_key: &str, limit: u32, now: i64) -> bool {
        let minute = self.minutes.entry(routing_key.to_owned()).or_insert((now + 60, 0));
        if minute.0 <= now {
            *minute = (now + 60, 0);
        }
        minute.1 += 1;
        minute.1 <= limit
    }

    fn take(&mut self, event: Event, at: String) {
        let key = (event.routing_key.clone(), event.dedup_key.clone());
        let entry = HistoryEntry { at, action: event.action.clone(), event: event.whole };
        // Ids rise in the list, whose oldest entries may be gone.
        let open = self
            .open
            .get(&key)
            .and_then(|id| self.incidents.iter_mut().rev().find(|incident| incident.id == *id));
        match (event.action.as_str(), open) {
            ("trigger", Some(incident)) => {
                incident.history.push(entry);
                self.stats.merged += 1;
            }
            ("trigger", None) => {
                self.opened += 1;
                self.stats.opened += 1;
                self.open.insert(key, self.opened);
                self.incidents.push(Incident {
                    id: self.opened,
                    routing_key: event.routing_key,
                    dedup_key: event.dedup_key,
                    status: IncidentStatus::Triggered,
                    summary: event.summary,
                    severity: event.severity,
                    source: event.source,
                    history: vec![entry],
                });
                self.forget_oldest();
            }
            ("acknowledge", Some(incident)) => {
                incident.status = IncidentStatus::Acknowledged;
                incident.history.push(entry);
                self.stats.acknowledged += 1;
            }
            (_, Some(incident)) => {
                incident.status = IncidentStatus::Resolved;
                incident.history.push(entry);
                self.stats.resolved += 1;
                self.open.remove(&key);
            }
            (_, None) => self.stats.dropped += 1,
        }
    }

    fn forget_oldest(&mut self) {
        if self.incidents.len() > INCIDENTS_KEPT {
            let oldest =
                self.incidents.iter().position(|incident| incident.status == IncidentStatus::Resolved);
            self.incidents.remove(oldest.unwrap_or(0));
        }
    }
}

struct Event {
    routing_key: String,
    dedup_key: String,
    action: String,
    summary: String,
    severity: String,
    source: String,
    whole: Value,
}

/// Reads and checks an event; gives every fault it finds.
fn read(body: &[u8]) -> Result<Event, Vec<String>> {
    if body.len() > LARGEST_EVENT {
        return Err(vec![format!("Event size exceeds {LARGEST_EVENT} bytes")]);
    }
    let Ok(whole) = serde_json::from_slice::<Value>(body) else {
        return Err(vec!["JSON parse error".to_owned()]);
    };
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
    let mut errors = Vec::new();
    let routing_key = text(&whole, "routing_key");
    if routing_key.is_empty() {
        errors.push("'routing_key' is missing or blank".to_owned());
    } else if routing_key.len() != 32 || !routing_key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        errors.push("Length of 'routing_key' is incorrect (should be 32 characters)".to_owned());
    }
    let action = text(&whole, "event_action");
    if !["trigger", "acknowledge", "resolve"].contains(&action.as_str()) {
        errors.push("'event_action' must be one of trigger, acknowledge, resolve".to_owned());
    }
    let mut dedup_key = text(&whole, "dedup_key");
    if dedup_key.chars().count() > 255 {
        errors.push("'dedup_key' is too long (maximum is 255 characters)".to_owned());
    }
    if dedup_key.is_empty() {
        if action == "trigger" {
            dedup_key = ids::hex(32);
        } else {
            errors.push("'dedup_key' is missing or blank".to_owned());
        }
    }
    let payload = whole.get("payload").unwrap_or(&Value::Null);
    if action == "trigger" {
        check_payload(payload, &mut errors);
    }
    check_links(&whole, &mut errors);
    if !errors.is_empty() {
        return Err(errors);
    }
    let (summary, severity, source) =
        (text(payload, "summary"), text(payload, "severity"), text(payload, "source"));
    Ok(Event { routing_key, dedup_key, action, summary, severity, source, whole })
}

fn check_payload(payload: &Value, errors: &mut Vec<String>) {
    if !payload.is_object() {
        errors.push("'payload' is missing or blank".to_owned());
        return;
    }
    for name in ["summary", "source"] {
        if payload.get(name).and_then(Value::as_str).is_none_or(|text| text.trim().is_empty()) {
            errors.push(format!("'payload.{name}' is missing or blank"));
        }
    }
    let summary = payload.get("summary").and_then(Value::as_str).unwrap_or("");
    if summary.chars().count() > 1_024 {
        errors.push("'payload.summary' is too long (maximum is 1024 characters)".to_owned());
    }
    let severity = payload.get("severity").and_then(Value::as_str).unwrap_or("");
    if !["critical", "error", "warning", "info"].contains(&severity) {
        errors.push("'payload.severity' must be one of critical, error, warning, info".to_owned());
    }
    // ISO 8601, whose zone may come without a colon (`+0000`): its date and time are enough here.
    let timestamp = payload.get("timestamp");
    let dated = |value: &Value| {
        value
            .as_str()
            .and_then(|text| text.get(..19))
            .is_some_and(|text| text.parse::<jiff::civil::DateTime>().is_ok())
    };
    if timestamp.is_some_and(|value| !dated(value)) {
        errors.push("'payload.timestamp' is not a date and time".to_owned());
    }
    if payload.get("custom_details").is_some_and(|details| !details.is_object()) {
        errors.push("'payload.custom_details' must be an object".to_owned());
    }
}

fn check_links(whole: &Value, errors: &mut Vec<String>) {
    let items = |name: &str| whole.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    if items("links").iter().any(|link| link.get("href").and_then(Value::as_str).is_none()) {
        errors.push("'links' must have an href each".to_owned());
    }
    let secure = |image: &Value| {
        image.get("src").and_then(Value::as_str).is_some_and(|src| src.starts_with("https://"))
    };
    if !items("images").iter().all(secure) {
        errors.push("'images' must have a src each, served by https".to_owned());
    }
}
