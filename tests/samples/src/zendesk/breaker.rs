//! The sender's circuit breaker.
//!
//! Documented: at least 70 % errors, or more than 1000 errors, within 5 minutes, never under 100 requests,
//! pauses sending for 5 s. Assumed, since undocumented: after the pause one request is tried; its success
//! closes the circuit and forgets the past, its failure pauses again.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// When the breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BreakerOptions {
    /// The time looked back on, in seconds.
    pub window_seconds: u64,
    /// Requests within the window below which it stays closed.
    pub least_requests: u64,
    /// Share of errors that opens it.
    pub error_share: f64,
    /// Number of errors above which it opens.
    pub most_errors: u64,
    /// How long it stays open, in ms.
    pub pause_ms: u64,
}

impl Default for BreakerOptions {
    fn default() -> Self {
        Self {
            window_seconds: 300,
            least_requests: 100,
            error_share: 0.7,
            most_errors: 1_000,
            pause_ms: 5_000,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Closed,
    Open {
        until: Instant,
    },
    /// One request is on its way to find out.
    Trying,
}

#[derive(Debug, Clone, Copy)]
struct Second {
    at: Instant,
    requests: u64,
    errors: u64,
}

#[derive(Debug)]
pub(super) struct Breaker {
    state: State,
    seconds: VecDeque<Second>,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { state: State::Closed, seconds: VecDeque::new() }
    }
}

impl Breaker {
    /// Lets an attempt pass, or says how long to wait.
    pub(super) fn admit(&mut self, options: &BreakerOptions, now: Instant) -> Result<(), Duration> {
        match self.state {
            State::Closed => Ok(()),
            State::Open { until } if now < until => Err(until - now),
            State::Open { .. } => {
                self.state = State::Trying;
                Ok(())
            }
            State::Trying => Err(Duration::from_millis(options.pause_ms.max(10))),
        }
    }

    /// Records how an admitted attempt ended.
    pub(super) fn record(&mut self, options: &BreakerOptions, error: bool, now: Instant) {
        let open = State::Open { until: now + Duration::from_millis(options.pause_ms) };
        if self.state == State::Trying {
            if error {
                self.state = open;
            } else {
                *self = Self::default();
            }
            return;
        }
        let window = Duration::from_secs(options.window_seconds);
        while self.seconds.front().is_some_and(|second| now.duration_since(second.at) > window) {
            self.seconds.pop_front();
        }
        match self.seconds.back_mut().filter(|second| now.duration_since(second.at) < Duration::from_secs(1))
        {
            Some(second) => {
                second.requests += 1;
                second.errors += u64::from(error);
            }
            None => self.seconds.push_back(Second { at: now, requests: 1, errors: u64::from(error) }),
        }
        let (requests, errors) = self
            .seconds
            .iter()
            .fold((0, 0), |(requests, errors), second| (requests + second.requests, errors + second.errors));
        let many = errors as f64 >= requests as f64 * options.error_share || errors > options.most_errors;
        if self.state == State::Closed && error && requests >= options.least_requests && many {
            self.state = open;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_at_seventy_percent_but_never_under_a_hundred() {
        let (options, now) = (BreakerOptions::default(), Instant::now());
        let mut breaker = Breaker::default();
        for _ in 0..99 {
            breaker.record(&options, true, now);
        }
        assert!(breaker.admit(&options, now).is_ok());
        breaker.record(&options, true, now);
        assert_eq!(breaker.admit(&options, now), Err(Duration::from_secs(5)));
    }

    #[test]
    fn a_low_share_opens_only_above_a_thousand_errors() {
        let (options, now) = (BreakerOptions::default(), Instant::now());
        let mut breaker = Breaker::default();
        for i in 0..5_000 {
            breaker.record(&options, i % 5 == 0, now);
        }
        assert!(breaker.admit(&options, now).is_ok(), "1000 errors are not more than 1000");
        breaker.record(&options, true, now);
        assert!(breaker.admit(&options, now).is_err());
    }

    #[test]
    fn after_the_pause_one_try_decides() {
        let (options, start) = (BreakerOptions::default(), Instant::now());
        let mut breaker = Breaker::default();
        for _ in 0..100 {
            breaker.record(&options, true, start);
        }
        let later = start + Duration::from_secs(5);
        assert!(breaker.admit(&options, later).is_ok());
        assert!(breaker.admit(&options, later).is_err(), "only one at a time");
        breaker.record(&options, true, later);
        assert_eq!(breaker.admit(&options, later), Err(Duration::from_secs(5)));
        let again = later + Duration::from_secs(5);
        assert!(breaker.admit(&options, again).is_ok());
        breaker.record(&options, false, again);
        assert!(breaker.admit(&options, again).is_ok());
    }
}
