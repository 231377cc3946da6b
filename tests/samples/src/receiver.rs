//! A sample receiver of Deskstream's signed webhook, as `docs/alert-channels.md` tells others to write one.
//!
//! `POST /alerts` gets 401 unless the signature is that of the secret over timestamp, `.` and body, and the
//! timestamp is within five minutes; 400 unless the body is JSON of version 1 whose `id` is the idempotency key;
//! else 204. A key that came before is answered alike and counted.
//!
//! `/__control/faults`, `/__control/clock`.

use crate::clock::Clock;
use crate::control::common_routes;
use crate::faults::{self, Injector, Script};
use crate::http_server::Server;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use axum::{Router, middleware};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde_json::Value;
use sha2::Sha256;
use std::io;
use std::sync::Arc;

/// How far a timestamp may be from now, in seconds.
const WINDOW: u64 = 300;

/// How to start a [`Receiver`].
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The signing secret.
    pub secret: String,
    /// Time.
    pub clock: Clock,
}

/// What came.
#[derive(Debug, Clone, Default)]
pub struct Received {
    /// Bodies, one for each idempotency key, in the order of their first arrival.
    pub bodies: Vec<Value>,
    /// Requests whose key had come before.
    pub repeats: u64,
    /// Requests with a wrong or old signature.
    pub unsigned: u64,
    /// Bodies that are not as documented.
    pub invalid: u64,
}

struct Shared {
    options: Options,
    script: Script,
    received: Mutex<Received>,
}

/// A running sample receiver. Dropping it ends it.
pub struct Receiver {
    shared: Arc<Shared>,
    server: Server,
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl Receiver {
    /// Starts the service.
    pub async fn start(options: Options) -> io::Result<Self> {
        let port = options.port;
        let shared = Arc::new(Shared { options, script: Script::default(), received: Mutex::default() });
        let router = Router::new()
            .route("/alerts", post(take))
            .merge(common_routes(shared.script.clone(), shared.options.clock.clone()))
            .layer(middleware::from_fn_with_state(Injector::plain(shared.script.clone()), faults::layer))
            .with_state(Arc::clone(&shared));
        let server = Server::start(port, router).await?;
        Ok(Self { shared, server })
    }

    /// Where alerts go.
    pub fn url(&self) -> String {
        format!("{}/alerts", self.server.url())
    }

    /// Its faults.
    pub fn faults(&self) -> &Script {
        &self.shared.script
    }

    /// Its clock.
    pub fn clock(&self) -> &Clock {
        &self.shared.options.clock
    }

    /// What came so far.
    pub fn received(&self) -> Received {
        self.shared.received.lock().clone()
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let now = shared.options.clock.second();
    let mut received = shared.received.lock();
    let timestamp = header("deskstream-timestamp");
    let fresh = timestamp.parse::<i64>().is_ok_and(|at| at.abs_diff(now) <= WINDOW);
    if !fresh || !signed(&shared.options.secret, timestamp, header("deskstream-signature"), &body) {
        received.unsigned += 1;
        return StatusCode::UNAUTHORIZED;
    }
    let key = header("idempotency-key");
    let value: Value = serde_json::from_slice(&body).unwrap_or_default();
    if value["version"] != 1 || key.is_empty() || value["id"] != key {
        received.invalid += 1;
        return StatusCode::BAD_REQUEST;
    }
    if received.bodies.iter().any(|known| known["id"] == key) {
        received.repeats += 1;
    } else {
        received.bodies.push(value);
    }
    StatusCode::NO_CONTENT
}

/// Compares in constant time, as a receiver should.
fn signed(secret: &str, timestamp: &str, header: &str, body: &[u8]) -> bool {
    let Some(given) = header.strip_prefix("v1=").and_then(unhex) else { return false };
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.verify_slice(&given).is_ok()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    if digits.len().is_multiple_of(2) { digits.chunks(2).map(pair).collect() } else { None }
}
