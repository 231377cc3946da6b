//! A sample Prometheus Alertmanager: API v2, as far as clients that post alerts use it.
//!
//! - `POST /api/v2/alerts` takes an array of alerts and answers 200, or 400 with a JSON string that says what is
//!   wrong: no labels, a label name beyond letters, digits and underscores, an end before the start.
//! - Alerts with the same labels are one alert, whose latest telling counts. It fires until its `endsAt`; without
//!   one, until five minutes after it was last told (`resolve_timeout`).
//! - `GET /api/v2/alerts` lists what fires.
//! - Everything is kept in memory only: [`Alertmanager::restart`] forgets it, as the real one does.
//! - With [`Options::authorization`] everything else gets 401, as from the real one's `--web.config.file`.
//!
//! `/__control/faults`, `/__control/clock`.

use crate::clock::Clock;
use crate::control::common_routes;
use crate::faults::{self, Injector, Script};
use crate::http_server::Server;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router, middleware};
use http::{HeaderMap, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// `resolve_timeout`'s default.
const RESOLVE_TIMEOUT: SignedDuration = SignedDuration::from_mins(5);

/// How to start an [`Alertmanager`].
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The one `Authorization` header that it takes; any and none if absent.
    pub authorization: Option<String>,
    /// Time.
    pub clock: Clock,
}

/// An alert as posted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    starts_at: Option<Timestamp>,
    #[serde(default)]
    ends_at: Option<Timestamp>,
    #[serde(default, rename = "generatorURL")]
    generator_url: String,
}

/// An alert as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// What it is known by.
    pub labels: BTreeMap<String, String>,
    /// What was last said of it.
    pub annotations: BTreeMap<String, String>,
    /// Since when.
    pub starts_at: Timestamp,
    /// Until when, if nothing more is told of it.
    pub ends_at: Timestamp,
    /// Where it comes from.
    #[serde(rename = "generatorURL")]
    pub generator_url: String,
    /// How often it was told.
    #[serde(skip)]
    pub told: u64,
    /// How often it began to fire: more than once would notify again.
    #[serde(skip)]
    pub fired: u64,
}

impl Alert {
    /// Whether it fires at that time.
    pub fn fires(&self, at: Timestamp) -> bool {
        self.ends_at > at
    }
}

#[derive(Default)]
struct Memory {
    alerts: BTreeMap<BTreeMap<String, String>, Alert>,
    posts: u64,
}

struct Shared {
    options: Options,
    script: Script,
    memory: Mutex<Memory>,
}

/// A running sample Alertmanager. Dropping it ends it.
pub struct Alertmanager {
    shared: Arc<Shared>,
    server: Server,
}

impl std::fmt::Debug for Alertmanager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Alertmanager").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl Alertmanager {
    /// Starts the service.
    pub async fn start(options: Options) -> io::Result<Self> {
        let port = options.port;
        let shared = Arc::new(Shared { options, script: Script::default(), memory: Mutex::default() });
        let router = Router::new()
            .route("/api/v2/alerts", post(take).get(list))
            .merge(common_routes(shared.script.clone(), shared.options.clock.clone()))
            .layer(middleware::from_fn_with_state(Injector::plain(shared.script.clone()), faults::layer))
            .with_state(Arc::clone(&shared));
        let server = Server::start(port, router).await?;
        Ok(Self { shared, server })
    }

    /// Base address.
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

    /// Every alert that it remembers, also those that have ended, by labels.
    pub fn alerts(&self) -> Vec<Alert> {
        self.shared.memory.lock().alerts.values().cloned().collect()
    }

    /// Those that fire.
    pub fn firing(&self) -> Vec<Alert> {
        let now = self.shared.options.clock.now();
        self.alerts().into_iter().filter(|alert| alert.fires(now)).collect()
    }

    /// Requests that were taken.
    pub fn posts(&self) -> u64 {
        self.shared.memory.lock().posts
    }

    /// Forgets every alert, as a restart does.
    pub fn restart(&self) {
        *self.shared.memory.lock() = Memory::default();
    }

    /// Ends the service and waits until its tasks are gone.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
    }
}

type App = State<Arc<Shared>>;

fn refused(shared: &Shared, headers: &HeaderMap) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    shared.options.authorization.as_deref().is_some_and(|wanted| given != Some(wanted))
}

async fn list(State(shared): App, headers: HeaderMap) -> Response {
    if refused(&shared, &headers) {
        return (StatusCode::UNAUTHORIZED, "Unauthorized\n").into_response();
    }
    let now = shared.options.clock.now();
    let memory = shared.memory.lock();
    let firing: Vec<Value> = memory
        .alerts
        .values()
        .filter(|alert| alert.fires(now))
        .map(|alert| {
            let mut shown = json!(alert);
            shown["status"] = json!({"state": "active", "inhibitedBy": [], "mutedBy": [], "silencedBy": []});
            shown
        })
        .collect();
    Json(firing).into_response()
}

async fn take(State(shared): App, headers: HeaderMap, body: Bytes) -> Response {
    if refused(&shared, &headers) {
        return (StatusCode::UNAUTHORIZED, "Unauthorized\n").into_response();
    }
    let now = shared.options.clock.now();
    let taken =
        serde_json::from_slice::<Vec<Posted>>(&body).map_err(|error| error.to_string()).and_then(|posted| {
            posted.into_iter().map(|alert| checked(alert, now)).collect::<Result<Vec<_>, _>>()
        });
    match taken {
        Err(problem) => (StatusCode::BAD_REQUEST, Json(problem)).into_response(),
        Ok(alerts) => {
            let mut memory = shared.memory.lock();
            memory.posts += 1;
            for alert in alerts {
                memory.merge(alert, now);
            }
            StatusCode::OK.into_response()
        }
    }
}

impl Memory {
    fn merge(&mut self, alert: Alert, now: Timestamp) {
        let fires = alert.fires(now);
        match self.alerts.get_mut(&alert.labels) {
            None => {
                let fired = u64::from(fires);
                self.alerts.insert(alert.labels.clone(), Alert { told: 1, fired, ..alert });
            }
            Some(known) => {
                let began = u64::from(fires && !known.fires(now));
                let starts_at = known.starts_at.min(alert.starts_at);
                *known = Alert { told: known.told + 1, fired: known.fired + began, starts_at, ..alert };
            }
        }
    }
}

/// What the real one checks before it takes any alert of a request.
fn checked(posted: Posted, now: Timestamp) -> Result<Alert, String> {
    let starts_at = posted.starts_at.unwrap_or(now);
    let ends_at = posted.ends_at.unwrap_or(now + RESOLVE_TIMEOUT);
    if ends_at < starts_at {
        return Err("start time must be before end time".to_owned());
    }
    let labels: BTreeMap<_, _> = posted.labels.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    if labels.is_empty() {
        return Err("at least one label pair required".to_owned());
    }
    for name in labels.keys().chain(posted.annotations.keys()) {
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if name.is_empty() || !plain || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(format!("invalid name {name:?}"));
        }
    }
    let (annotations, generator_url) = (posted.annotations, posted.generator_url);
    Ok(Alert { labels, annotations, starts_at, ends_at, generator_url, told: 0, fired: 0 })
}
