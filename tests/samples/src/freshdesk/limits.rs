//! Rate limits by minute, counted in credits, and the headers that tell of them.
//!
//! Windows are fixed and begin with their first request. A refused request counts as well: invalid ones do, too.

use http::{HeaderMap, HeaderValue};
use parking_lot::Mutex;

/// The limits in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Credits per minute of the account (50 on trial, 200 Growth, 400 Pro, 700 Enterprise); none for no limit,
    /// and so no headers.
    pub per_minute: Option<u32>,
    /// Of these, updates of tickets (80 Growth, 160 Pro, 280 Enterprise).
    pub updates_per_minute: Option<u32>,
    /// And lists of tickets (20 Growth, 100 Pro, 200 Enterprise).
    pub lists_per_minute: Option<u32>,
}

impl Default for Limits {
    /// The documented limits of an Enterprise account.
    fn default() -> Self {
        Self { per_minute: Some(700), updates_per_minute: Some(280), lists_per_minute: Some(200) }
    }
}

impl Limits {
    /// No limits.
    pub fn none() -> Self {
        Self { per_minute: None, updates_per_minute: None, lists_per_minute: None }
    }
}

/// What a request counts against, besides the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Update,
    List,
    Other,
}

#[derive(Debug, Clone, Copy, Default)]
struct Window {
    ends: i64,
    used: u32,
}

impl Window {
    /// Takes credits; the wait in seconds if there are not enough left.
    fn take(&mut self, limit: Option<u32>, credits: u32, now: i64) -> Option<i64> {
        if self.ends <= now {
            *self = Self { ends: now + 60, used: 0 };
        }
        self.used = self.used.saturating_add(credits);
        limit.filter(|limit| self.used > *limit).map(|_| self.ends - now)
    }
}

#[derive(Debug, Default)]
struct Windows {
    account: Window,
    updates: Window,
    lists: Window,
}

#[derive(Debug, Default)]
pub(super) struct Limiter {
    windows: Mutex<Windows>,
}

/// Headers for the answer, and the wait if it is a refusal.
pub(super) struct Verdict {
    pub(super) headers: HeaderMap,
    pub(super) wait: Option<i64>,
}

impl Limiter {
    pub(super) fn admit(&self, limits: Limits, endpoint: Endpoint, credits: u32, now: i64) -> Verdict {
        let mut windows = self.windows.lock();
        let of_endpoint = match endpoint {
            Endpoint::Update => windows.updates.take(limits.updates_per_minute, 1, now),
            Endpoint::List => windows.lists.take(limits.lists_per_minute, 1, now),
            Endpoint::Other => None,
        };
        let of_account = windows.account.take(limits.per_minute, credits, now);
        let mut headers = HeaderMap::new();
        if let Some(limit) = limits.per_minute {
            let remaining = limit.saturating_sub(windows.account.used);
            for (name, value) in [
                ("x-ratelimit-total", limit),
                ("x-ratelimit-remaining", remaining),
                ("x-ratelimit-used-currentrequest", credits),
            ] {
                headers.insert(name, HeaderValue::from(value));
            }
        }
        Verdict { headers, wait: of_account.max(of_endpoint) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credits_and_endpoints_are_counted_apart_and_told() {
        let limits = Limits { per_minute: Some(10), updates_per_minute: Some(1), lists_per_minute: None };
        let limiter = Limiter::default();
        let first = limiter.admit(limits, Endpoint::Update, 1, 100);
        assert!(first.wait.is_none());
        assert_eq!(first.headers["x-ratelimit-remaining"], "9");
        assert_eq!(limiter.admit(limits, Endpoint::Update, 1, 110).wait, Some(50));
        let list = limiter.admit(limits, Endpoint::List, 5, 110);
        assert!(list.wait.is_none());
        assert_eq!(list.headers["x-ratelimit-used-currentrequest"], "5");
        assert_eq!(list.headers["x-ratelimit-remaining"], "3");
        assert_eq!(limiter.admit(limits, Endpoint::Other, 4, 115).wait, Some(45));
        assert!(limiter.admit(limits, Endpoint::Other, 4, 160).wait.is_none(), "a new window");
    }
}
