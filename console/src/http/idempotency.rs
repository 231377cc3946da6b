//! `Idempotency-Key`: a request that is sent again gets the answer of the first, and is not done twice.
//!
//! Answers are kept in memory, for a day and up to a number: after a restart of the console a key is new.

use super::error::ApiError;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use moka::sync::Cache;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

const KEPT: u64 = 10_000;
const DAY: Duration = Duration::from_secs(24 * 3600);
const MAX_KEY: usize = 128;

/// Answers that are larger are not kept; none of ours is.
pub const MAX_ANSWER: usize = 64 * 1024;

#[derive(Clone)]
enum Known {
    Running,
    Done { status: StatusCode, headers: HeaderMap, body: Bytes },
}

/// What is to be done with a request.
pub enum Verdict {
    /// Do it, then tell [`Idempotency::done`] or [`Idempotency::failed`].
    New,
    /// It was done: this is the answer.
    Repeat(Response),
}

/// The answers by caller, key and request.
pub struct Idempotency {
    known: Cache<String, ([u8; 32], Arc<Known>)>,
}

impl Default for Idempotency {
    fn default() -> Self {
        Self { known: Cache::builder().max_capacity(KEPT).time_to_live(DAY).build() }
    }
}

impl Idempotency {
    /// The key of a caller's request, if it has one.
    pub fn key(caller: &str, headers: &HeaderMap) -> Result<Option<String>, ApiError> {
        let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
        let key = key.to_str().ok().filter(|key| (1..=MAX_KEY).contains(&key.len()));
        let wrong =
            || ApiError::field("Idempotency-Key", "is not 1 to 128 visible characters", "send a UUID");
        Ok(Some(format!("{caller}/{}", key.ok_or_else(wrong)?)))
    }

    /// What a request asks for, to tell another one under the same key.
    pub fn fingerprint(method: &str, path: &str, body: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [method.as_bytes(), path.as_bytes(), body] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }

    /// Whether to do it.
    pub fn claim(&self, key: &str, fingerprint: [u8; 32]) -> Result<Verdict, ApiError> {
        let entry = self.known.entry_by_ref(key).or_insert((fingerprint, Arc::new(Known::Running)));
        if entry.is_fresh() {
            return Ok(Verdict::New);
        }
        let (first, known) = entry.into_value();
        if first != fingerprint {
            return Err(ApiError::field("Idempotency-Key", "belongs to another request", "send a new one"));
        }
        match &*known {
            Known::Running => {
                Err(ApiError::Conflict("the request with this Idempotency-Key is still being done"))
            }
            Known::Done { status, headers, body } => {
                let mut response = Response::new(Body::from(body.clone()));
                *response.status_mut() = *status;
                *response.headers_mut() = headers.clone();
                response.headers_mut().insert("idempotency-replayed", "true".parse().expect("a header"));
                Ok(Verdict::Repeat(response))
            }
        }
    }

    /// It was done.
    pub fn done(&self, key: String, fingerprint: [u8; 32], response: &Response, body: Bytes) {
        let (status, headers) = (response.status(), response.headers().clone());
        self.known.insert(key, (fingerprint, Arc::new(Known::Done { status, headers, body })));
    }

    /// It was not done: it may be tried again.
    pub fn failed(&self, key: &str) {
        self.known.invalidate(key);
    }
}
