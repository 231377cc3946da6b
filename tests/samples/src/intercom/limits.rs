//! The rate limit, by windows of ten seconds, and the headers that tell of it.

use http::{HeaderMap, HeaderValue};
use parking_lot::Mutex;

/// Seconds of a window.
const WINDOW: i64 = 10;

#[derive(Debug, Clone, Copy, Default)]
struct Window {
    ends: i64,
    used: u32,
}

#[derive(Debug, Default)]
pub(super) struct Limiter {
    window: Mutex<Window>,
}

impl Limiter {
    /// Headers for the answer, and whether it is a refusal.
    pub(super) fn admit(&self, limit: Option<u32>, now: i64) -> (HeaderMap, bool) {
        let Some(limit) = limit else { return (HeaderMap::new(), false) };
        let mut window = self.window.lock();
        if window.ends <= now {
            *window = Window { ends: now + WINDOW, used: 0 };
        }
        window.used = window.used.saturating_add(1);
        let remaining = limit.saturating_sub(window.used);
        let headers = [
            ("x-ratelimit-limit", HeaderValue::from(limit)),
            ("x-ratelimit-remaining", HeaderValue::from(remaining)),
            ("x-ratelimit-reset", HeaderValue::from(window.ends)),
        ];
        let headers = headers.into_iter().map(|(name, value)| (http::HeaderName::from_static(name), value));
        (headers.collect(), window.used > limit)
    }
}
