//! The time a sample service lives in: the system's, shifted, or held still by a test.

use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Marks a clock that runs with the system's.
const RUNNING: i64 = i64::MIN;

/// A clock shared by every part of one sample service. Clones show the same time.
///
/// Rate-limit windows, `updated_at`, the export's one-minute margin and signature timestamps all follow it.
#[derive(Debug, Clone)]
pub struct Clock {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Added to the system's time while running, in ms.
    offset_ms: AtomicI64,
    /// The time shown while held still, in ms since the epoch, or [`RUNNING`].
    held_ms: AtomicI64,
}

impl Default for Clock {
    fn default() -> Self {
        Self { shared: Arc::new(Shared { offset_ms: AtomicI64::new(0), held_ms: AtomicI64::new(RUNNING) }) }
    }
}

impl Clock {
    /// A clock that stands at `at` until it is moved.
    pub fn held_at(at: Timestamp) -> Self {
        let clock = Self::default();
        clock.hold(at);
        clock
    }

    /// The present time, to the millisecond.
    pub fn now(&self) -> Timestamp {
        let held = self.shared.held_ms.load(Ordering::Relaxed);
        let ms = if held == RUNNING {
            Timestamp::now().as_millisecond() + self.shared.offset_ms.load(Ordering::Relaxed)
        } else {
            held
        };
        Timestamp::from_millisecond(ms).expect("a clock is moved by hours, not by millennia")
    }

    /// The present time in whole seconds since the epoch: the resolution of the helpdesk's `updated_at`.
    pub fn second(&self) -> i64 {
        self.now().as_second()
    }

    /// Stops the clock at `at`.
    pub fn hold(&self, at: Timestamp) {
        self.shared.held_ms.store(at.as_millisecond(), Ordering::Relaxed);
    }

    /// Lets a held clock run again, from the system's present time plus all advances.
    pub fn run(&self) {
        self.shared.held_ms.store(RUNNING, Ordering::Relaxed);
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4);
        let moved = self.shared.held_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            (held != RUNNING).then_some(held.saturating_add(ms))
        });
        if moved.is_err() {
            self.shared.offset_ms.fetch_add(ms, Ordering::Relaxed);
        }
    }
}

/// `2026-11-23T12:00:00Z`: the form of every time in the helpdesk's REST API.
pub(crate) fn second_text(second: i64) -> String {
    Timestamp::from_second(second).map_or_else(|_| String::from("1970-01-01T00:00:00Z"), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_clock_moves_only_when_told() {
        let clock = Clock::held_at("2026-11-23T12:00:00Z".parse().unwrap());
        let shared = clock.clone();
        clock.advance(Duration::from_secs(61));
        assert_eq!(shared.now().to_string(), "2026-11-23T12:01:01Z");
        assert_eq!(second_text(clock.second()), "2026-11-23T12:01:01Z");
    }

    #[test]
    fn a_running_clock_can_be_shifted() {
        let clock = Clock::default();
        clock.advance(Duration::from_secs(3600));
        assert!(clock.second() >= Timestamp::now().as_second() + 3599);
    }
}
