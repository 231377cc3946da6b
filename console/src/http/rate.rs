//! How many requests an address or a caller may make. Memory is bounded: keys that have their full budget are forgotten.

use super::error::ApiError;
use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

/// After so many requests the keys that are full again are forgotten.
const SWEEP_EVERY: u32 = 4096;

/// A budget for each key.
pub struct Rate<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock>,
    clock: DefaultClock,
    since_sweep: AtomicU32,
}

impl<K: Hash + Eq + Clone> Rate<K> {
    /// So many a minute; a tenth of that at once, and at least 20.
    pub fn per_minute(limit: NonZeroU32) -> Self {
        let burst = NonZeroU32::new((limit.get() / 10).max(20)).unwrap_or(limit);
        let quota = Quota::per_minute(limit).allow_burst(burst);
        Self {
            limiter: RateLimiter::keyed(quota),
            clock: DefaultClock::default(),
            since_sweep: AtomicU32::new(0),
        }
    }

    /// Takes one from the key's budget.
    pub fn take(&self, key: &K) -> Result<(), ApiError> {
        if self.since_sweep.fetch_add(1, Ordering::Relaxed) >= SWEEP_EVERY {
            self.since_sweep.store(0, Ordering::Relaxed);
            self.limiter.retain_recent();
        }
        self.limiter.check_key(key).map_err(|not_until| ApiError::TooMany {
            what: "too many requests",
            after: not_until.wait_time_from(self.clock.now()),
        })
    }
}
