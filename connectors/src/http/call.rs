//! One call and its answer.

use super::gate::Turn;
use super::limits::RateLimits;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tokio::time::Instant;

/// Whether a call may be sent again after an attempt of unknown effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Yes: it changes nothing, or always to the same.
    Safe,
    /// No: the caller looks first.
    Unsafe,
}

/// One call.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// Name in metrics and errors: the route without its ids.
    pub endpoint: &'static str,
    /// Method.
    pub method: Method,
    /// Path and query relative to the base, or an absolute URL of the same origin.
    pub url: &'a str,
    /// JSON body.
    pub body: Option<Bytes>,
    /// Headers of its own, besides those of every call.
    pub headers: &'a [(HeaderName, HeaderValue)],
    /// Whether it may be repeated blindly.
    pub repeat: Repeat,
    /// Statuses that are an answer, not an error, besides those below 300.
    pub accept: &'a [StatusCode],
    /// A deadline earlier than [`ClientOptions::total`](super::ClientOptions::total) allows.
    pub deadline: Option<Instant>,
    /// Which of [`ClientOptions::budgets`](super::ClientOptions::budgets) it takes from, besides the account's.
    pub budget: Option<&'static str>,
    /// A turn at that budget that was [reserved](super::Client::reserve): the first attempt need not wait for one.
    pub turn: Option<&'a Turn<'a>>,
}

impl<'a> Call<'a> {
    /// A `GET`.
    pub fn get(endpoint: &'static str, url: &'a str) -> Self {
        Self {
            endpoint,
            method: Method::GET,
            url,
            body: None,
            headers: &[],
            repeat: Repeat::Safe,
            accept: &[],
            deadline: None,
            budget: None,
            turn: None,
        }
    }

    /// A call with a JSON body that must not be repeated blindly.
    pub fn write(endpoint: &'static str, method: Method, url: &'a str, body: Bytes) -> Self {
        Self { method, body: Some(body), repeat: Repeat::Unsafe, ..Self::get(endpoint, url) }
    }

    /// Takes these statuses as answers too.
    #[must_use]
    pub fn accepting(mut self, accept: &'a [StatusCode]) -> Self {
        self.accept = accept;
        self
    }
}

/// What the service answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Whole body.
    pub body: Bytes,
    /// Requests sent for it.
    pub attempts: u32,
    /// What the service said of its limits.
    pub limits: RateLimits,
}
