//! Rate limits as documented, and the headers that tell of them.
//!
//! Every request counts against the account's limit per minute; writes to tickets also against 100 per
//! minute for the account and 30 per ten minutes for one user and ticket; exports, webhook management and
//! webhook tests have their own. A refused request gets 429 with `Retry-After` and counts for nothing.
//! Windows are fixed and start at their first request, by the sample's clock.

use http::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The limits in force; `None` is unlimited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// All requests per minute (200 Team, 400 Growth and Professional, 700 Enterprise, 2500 Enterprise Plus).
    pub account_per_minute: Option<u32>,
    /// Writes to tickets per minute.
    pub updates_per_minute: Option<u32>,
    /// Writes to one ticket by one user per ten minutes.
    pub updates_per_ticket: Option<u32>,
    /// Incremental exports per minute.
    pub exports_per_minute: Option<u32>,
    /// Webhook management requests per minute.
    pub webhooks_per_minute: Option<u32>,
    /// Webhook tests per minute.
    pub webhook_tests_per_minute: Option<u32>,
    /// Spells headers as recordings of 2023 do: `rate-limit…`, `zendesk-rate-limit-…`.
    pub old_spelling: bool,
}

impl Default for Limits {
    /// The documented limits of an Enterprise account.
    fn default() -> Self {
        Self {
            account_per_minute: Some(700),
            updates_per_minute: Some(100),
            updates_per_ticket: Some(30),
            exports_per_minute: Some(10),
            webhooks_per_minute: Some(100),
            webhook_tests_per_minute: Some(20),
            old_spelling: false,
        }
    }
}

impl Limits {
    /// An account with higher limits, as large customers buy them: so many requests and so many writes to tickets
    /// per minute; all else as documented.
    pub fn raised(account_per_minute: u32, updates_per_minute: u32) -> Self {
        Self {
            account_per_minute: Some(account_per_minute),
            updates_per_minute: Some(updates_per_minute),
            ..Self::default()
        }
    }

    /// No limits, and so no headers that tell of them, as behind a proxy that drops those.
    pub fn none() -> Self {
        Self {
            account_per_minute: None,
            updates_per_minute: None,
            updates_per_ticket: None,
            exports_per_minute: None,
            webhooks_per_minute: None,
            webhook_tests_per_minute: None,
            old_spelling: false,
        }
    }
}

/// The kinds of request that have a limit of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Endpoint {
    TicketUpdate,
    Export,
    Webhooks,
    WebhookTest,
}

impl Endpoint {
    fn header_part(self) -> &'static str {
        match self {
            Self::TicketUpdate => "tickets-update",
            Self::Export => "incremental-exports",
            Self::Webhooks => "webhooks",
            Self::WebhookTest => "webhooks-test",
        }
    }

    /// Which limit a request falls under, and the ticket it writes to.
    pub(super) fn of(method: &http::Method, path: &str) -> (Option<Self>, Option<u64>) {
        let Some(rest) = path.strip_prefix("/api/v2/") else { return (None, None) };
        let segments: Vec<&str> = rest.split('/').collect();
        match segments.as_slice() {
            ["webhooks", "test"] => (Some(Self::WebhookTest), None),
            ["webhooks", ..] => (Some(Self::Webhooks), None),
            ["incremental", ..] => (Some(Self::Export), None),
            ["tickets", id] | ["tickets", id, "tags"]
                if method != http::Method::GET && method != http::Method::HEAD =>
            {
                match id.parse() {
                    Ok(id) => (Some(Self::TicketUpdate), Some(id)),
                    Err(_) => (None, None),
                }
            }
            _ => (None, None),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Bucket {
    Account,
    Endpoint(Endpoint),
    Ticket { user: u64, ticket: u64 },
}

#[derive(Debug, Clone, Copy)]
struct Window {
    ends: i64,
    used: u32,
}

/// What is left of a limit.
#[derive(Debug, Clone, Copy)]
struct Share {
    total: u32,
    remaining: u32,
    resets: i64,
}

/// The verdict on a request: headers for its answer, and the wait if it is refused.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) headers: HeaderMap,
    pub(super) wait: Option<i64>,
}

#[derive(Debug, Default)]
pub(super) struct Limiter {
    windows: Mutex<HashMap<Bucket, Window>>,
}

/// Per-ticket windows are dropped when ended; looked for only above this count.
const WINDOWS_BEFORE_SWEEP: usize = 10_000;

impl Limiter {
    /// Counts a request, or refuses it without counting.
    pub(super) fn admit(
        &self,
        limits: &Limits,
        user: u64,
        method: &http::Method,
        path: &str,
        now: i64,
    ) -> Verdict {
        let (endpoint, ticket) = Endpoint::of(method, path);
        let mut wanted = Vec::with_capacity(3);
        if let Some(total) = limits.account_per_minute {
            wanted.push((Bucket::Account, total, 60));
        }
        if let Some(endpoint) = endpoint {
            let total = match endpoint {
                Endpoint::TicketUpdate => limits.updates_per_minute,
                Endpoint::Export => limits.exports_per_minute,
                Endpoint::Webhooks => limits.webhooks_per_minute,
                Endpoint::WebhookTest => limits.webhook_tests_per_minute,
            };
            wanted.extend(total.map(|total| (Bucket::Endpoint(endpoint), total, 60)));
        }
        if let (Some(ticket), Some(total)) = (ticket, limits.updates_per_ticket) {
            wanted.push((Bucket::Ticket { user, ticket }, total, 600));
        }

        let mut windows = self.windows.lock();
        if windows.len() > WINDOWS_BEFORE_SWEEP {
            windows.retain(|_, window| window.ends > now);
        }
        let wait = wanted
            .iter()
            .filter_map(|(bucket, total, _)| {
                let window = windows.get(bucket).filter(|window| window.ends > now)?;
                (window.used >= *total).then_some(window.ends - now)
            })
            .max();
        let mut headers = HeaderMap::new();
        for (bucket, total, seconds) in wanted {
            let window = windows.entry(bucket).or_insert(Window { ends: now + seconds, used: 0 });
            if window.ends <= now {
                *window = Window { ends: now + seconds, used: 0 };
            }
            if wait.is_none() {
                window.used += 1;
            }
            let share =
                Share { total, remaining: total.saturating_sub(window.used), resets: window.ends - now };
            put_headers(&mut headers, bucket, share, limits.old_spelling);
        }
        Verdict { headers, wait }
    }
}

fn put_headers(headers: &mut HeaderMap, bucket: Bucket, share: Share, old: bool) {
    let Share { total, remaining, resets } = share;
    match bucket {
        Bucket::Account => {
            let prefix = if old { "rate-limit" } else { "ratelimit" };
            headers.insert("x-rate-limit", HeaderValue::from(total));
            headers.insert("x-rate-limit-remaining", HeaderValue::from(remaining));
            for (part, value) in
                [("limit", i64::from(total)), ("remaining", i64::from(remaining)), ("reset", resets)]
            {
                insert(headers, &format!("{prefix}-{part}"), &value.to_string());
            }
        }
        Bucket::Endpoint(endpoint) => {
            let prefix = if old { "zendesk-rate-limit" } else { "zendesk-ratelimit" };
            let value = format!("total={total}; remaining={remaining}; resets={resets}");
            insert(headers, &format!("{prefix}-{}", endpoint.header_part()), &value);
        }
        // The vendor tells of this one only by refusing.
        Bucket::Ticket { .. } => {}
    }
}

fn insert(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;

    const TICKET: &str = "/api/v2/tickets/7";

    fn admit(limiter: &Limiter, limits: &Limits, method: &Method, path: &str, now: i64) -> Verdict {
        limiter.admit(limits, 1, method, path, now)
    }

    #[test]
    fn the_thirty_first_write_to_a_ticket_waits_for_its_ten_minutes() {
        let (limiter, limits) = (Limiter::default(), Limits::default());
        for i in 0..30 {
            assert!(admit(&limiter, &limits, &Method::PUT, TICKET, i).wait.is_none());
        }
        assert_eq!(admit(&limiter, &limits, &Method::PUT, TICKET, 30).wait, Some(570));
        assert!(admit(&limiter, &limits, &Method::PUT, "/api/v2/tickets/8", 30).wait.is_none());
        assert!(
            limiter.admit(&limits, 2, &Method::PUT, TICKET, 30).wait.is_none(),
            "another user has its own"
        );
        assert!(admit(&limiter, &limits, &Method::PUT, TICKET, 600).wait.is_none());
    }

    #[test]
    fn updates_and_account_are_counted_apart_and_told() {
        let limits = Limits { updates_per_minute: Some(2), ..Limits::default() };
        let limiter = Limiter::default();
        admit(&limiter, &limits, &Method::PUT, TICKET, 100);
        let second = admit(&limiter, &limits, &Method::PUT, "/api/v2/tickets/8/tags", 110);
        assert_eq!(second.headers["zendesk-ratelimit-tickets-update"], "total=2; remaining=0; resets=50");
        assert_eq!(second.headers["x-rate-limit"], "700");
        assert_eq!(second.headers["ratelimit-remaining"], "698");
        assert_eq!(admit(&limiter, &limits, &Method::PUT, TICKET, 120).wait, Some(40));
        let read = admit(&limiter, &limits, &Method::GET, TICKET, 120);
        assert!(read.wait.is_none());
        assert_eq!(read.headers["x-rate-limit-remaining"], "697", "refused requests count for nothing");
    }

    #[test]
    fn the_old_spelling_is_available() {
        let limits = Limits { old_spelling: true, ..Limits::default() };
        let verdict = admit(&Limiter::default(), &limits, &Method::PUT, TICKET, 0);
        assert!(verdict.headers.contains_key("zendesk-rate-limit-tickets-update"));
        assert!(verdict.headers.contains_key("rate-limit-remaining"));
    }
}
