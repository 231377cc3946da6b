//! The account's turn: so many requests at once, so many a minute, and none while the service wants a pause.
//!
//! The rate is learned. A service's own limit, once it told one, replaces the configured guess; we use
//! [`SHARE`] of it, since an account's other integrations live from the same one.

use super::limits::RateLimits;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota};
use parking_lot::Mutex;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// Part of a service's limit that we use.
const SHARE: f64 = 0.8;

/// Requests that may go at once after a quiet time: a tenth of a window's.
const BURST_PART: u32 = 10;

struct State {
    per_window: u32,
    limiter: Arc<DefaultDirectRateLimiter>,
    paused_until: Option<Instant>,
}

pub(super) struct Throttle {
    window: Duration,
    places: Semaphore,
    state: Mutex<State>,
    clock: DefaultClock,
}

impl Throttle {
    pub(super) fn new(places: usize, per_window: u32, window: Duration) -> Self {
        let state = State { per_window, limiter: Arc::new(limiter(per_window, window)), paused_until: None };
        Self {
            window,
            places: Semaphore::new(places.max(1)),
            state: Mutex::new(state),
            clock: DefaultClock::default(),
        }
    }

    /// Waits for a turn, which lasts as long as what it gives; `None` if none comes before the deadline.
    pub(super) async fn turn(&self, deadline: Instant) -> Option<SemaphorePermit<'_>> {
        let place = tokio::time::timeout_at(deadline, self.places.acquire()).await.ok()?.ok()?;
        loop {
            let until = self.next_turn();
            match until {
                None => return Some(place),
                Some(until) if until > deadline => return None,
                Some(until) => tokio::time::sleep_until(until).await,
            }
        }
    }

    /// Takes a turn, or says when to ask again.
    fn next_turn(&self) -> Option<Instant> {
        let now = Instant::now();
        let limiter = {
            let mut state = self.state.lock();
            match state.paused_until {
                Some(until) if until > now => return Some(until),
                _ => state.paused_until = None,
            }
            Arc::clone(&state.limiter)
        };
        limiter.check().err().map(|denied| now + denied.wait_time_from(self.clock.now()))
    }

    /// No request goes out for so long.
    pub(super) fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut state = self.state.lock();
        state.paused_until = Some(state.paused_until.map_or(until, |earlier| earlier.max(until)));
    }

    /// Takes in what an answer said.
    pub(super) fn learn(&self, limits: &RateLimits) {
        if let Some(limit) = limits.limit.filter(|limit| *limit > 0) {
            self.set_rate(((f64::from(limit) * SHARE) as u32).max(1));
        }
        if let Some(wait) = limits.exhausted(self.window) {
            self.pause(wait.min(self.window));
        }
    }

    fn set_rate(&self, per_window: u32) {
        let mut state = self.state.lock();
        if state.per_window != per_window {
            state.per_window = per_window;
            state.limiter = Arc::new(limiter(per_window, self.window));
        }
    }

    #[cfg(test)]
    fn per_window(&self) -> u32 {
        self.state.lock().per_window
    }
}

fn limiter(per_window: u32, window: Duration) -> DefaultDirectRateLimiter {
    let per_window = per_window.max(1);
    let burst = NonZeroU32::new(per_window / BURST_PART).unwrap_or(NonZeroU32::MIN);
    let period = (window / per_window).max(Duration::from_nanos(1));
    let quota = Quota::with_period(period).expect("the period is not zero").allow_burst(burst);
    DefaultDirectRateLimiter::direct(quota)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn the_burst_goes_at_once_and_the_rest_waits() {
        let throttle = Throttle::new(8, 100, MINUTE);
        let soon = Instant::now() + Duration::from_millis(50);
        for _ in 0..10 {
            assert!(throttle.turn(soon).await.is_some());
        }
        assert!(throttle.turn(soon).await.is_none(), "the eleventh must wait 0.6 s");
    }

    #[tokio::test]
    async fn the_rate_follows_the_service() {
        let throttle = Throttle::new(8, 100, MINUTE);
        throttle.learn(&RateLimits { limit: Some(700), remaining: Some(600), ..RateLimits::default() });
        assert_eq!(throttle.per_window(), 560);
        throttle.learn(&RateLimits::default());
        assert_eq!(throttle.per_window(), 560);
    }

    #[tokio::test]
    async fn nothing_goes_out_during_a_pause() {
        let throttle = Throttle::new(8, 6000, MINUTE);
        throttle.learn(&RateLimits {
            remaining: Some(0),
            resets_in: Some(Duration::from_secs(30)),
            ..RateLimits::default()
        });
        assert!(throttle.turn(Instant::now() + Duration::from_secs(1)).await.is_none());
    }

    #[tokio::test]
    async fn a_place_is_given_back() {
        let throttle = Throttle::new(1, 6000, MINUTE);
        let soon = || Instant::now() + Duration::from_millis(20);
        let place = throttle.turn(soon()).await.unwrap();
        assert!(throttle.turn(soon()).await.is_none());
        drop(place);
        assert!(throttle.turn(soon()).await.is_some());
    }
}
