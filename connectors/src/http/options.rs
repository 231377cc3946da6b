//! How a service's account is called.

use super::backoff::Backoff;
use super::throttle::Rates;
use http::HeaderMap;
use secrecy::SecretString;
use std::time::Duration;
use url::Url;

/// The limit that some endpoints share, and that [`Call::budget`](super::Call::budget) names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Its name in metrics.
    pub name: &'static str,
    /// Requests per window until the service tells its own limit.
    pub per_window: u32,
}

/// A service's account and how it is called.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Name of the service in metrics and errors.
    pub service: &'static str,
    /// Name of the account in metrics: the tenant.
    pub account: String,
    /// Everything is asked of this origin.
    pub base: Url,
    /// Value of the `Authorization` header, if any.
    pub authorization: Option<SecretString>,
    /// Headers of every request, besides those that say who asks and for what.
    pub headers: HeaderMap,
    /// How long one attempt may take, from its turn to its whole answer.
    pub attempt: Duration,
    /// How long a call may take in all, waits included.
    pub total: Duration,
    /// Most attempts of one call.
    pub attempts: u32,
    /// Waits between attempts.
    pub backoff: Backoff,
    /// Most requests at once.
    pub concurrency: usize,
    /// Requests per window until the service tells its own limit.
    pub per_window: u32,
    /// Endpoints with a limit of their own, besides the account's.
    pub budgets: Vec<Budget>,
    /// The account's rates: those of another client of the same account, or new ones.
    pub rates: Rates,
    /// Whether its requests let those of other clients of the account go first, and leave a part of the limit to them.
    pub background: bool,
    /// The window that the service counts in.
    pub window: Duration,
    /// Most bytes of an answer.
    pub max_answer: usize,
}

impl ClientOptions {
    /// Defaults for a helpdesk's REST API.
    pub fn new(service: &'static str, account: impl Into<String>, base: Url) -> Self {
        Self {
            service,
            account: account.into(),
            base,
            authorization: None,
            headers: HeaderMap::new(),
            attempt: Duration::from_secs(15),
            total: Duration::from_secs(90),
            attempts: 5,
            backoff: Backoff::default(),
            concurrency: 8,
            per_window: 200,
            budgets: Vec::new(),
            rates: Rates::default(),
            background: false,
            window: Duration::from_secs(60),
            max_answer: 32 * 1024 * 1024,
        }
    }
}
