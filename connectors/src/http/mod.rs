//! Outbound HTTP to one account of one service: limits, retry, circuit breaker, and a clear answer to the only
//! question that matters after a failure: *may the request have been applied?*
//!
//! # One call
//! [`Client::call`] sends a [`Call`] up to [`ClientOptions::attempts`] times within its deadline:
//! 1. It waits for the circuit breaker, the budget of its endpoint if that has one, a place among the account's
//!    concurrent requests, and the account's rate limit. Both rates start at what the options assume
//!    ([`ClientOptions::per_window`], [`Budget::per_window`]) and follow what the service's own headers say. Clients of
//!    one account share them ([`Rates`]).
//! 2. It sends. Each attempt has a deadline of its own.
//! 3. A failure that left the request **not applied** ([`Effect::None`]: never connected, 429, 503 with
//!    `Retry-After`) is tried again after jittered exponential backoff, or when `Retry-After` says.
//! 4. A failure that leaves it **uncertain** ([`Effect::Unknown`]: timeout, lost connection, other 5xx) is tried
//!    again only if the call is [`Repeat::Safe`]. Otherwise the caller gets the error at once and must look
//!    before it tries again.
//!
//! An answer below 400 is [`Ok`]; so is a status that the call lists in [`Call::accept`].
//!
//! # Safety
//! Requests go to the configured origin only: redirects are not followed, absolute URLs of another origin are
//! refused before anything is sent. Answers are bounded in size. Credentials are marked sensitive and never
//! logged; errors hold neither URL queries nor bodies.

mod backoff;
mod breaker;
mod call;
mod client;
mod error;
mod gate;
mod limits;
mod metrics;
mod options;
mod read;
mod throttle;

pub use backoff::Backoff;
pub use call::{Answer, Call, Repeat};
pub use client::Client;
pub use error::{CallError, Cause, Domain, Effect, Hint, SetupError};
pub use gate::Turn;
pub use limits::{EndpointLimit, RateLimits, retry_after};
pub use options::{Budget, ClientOptions};
pub use throttle::Rates;
