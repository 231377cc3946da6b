//! How long to wait between tries.

use backon::{BackoffBuilder, ExponentialBuilder};
use std::time::Duration;

/// Jittered exponential waiting: each wait is drawn from one to two times the step, and the step doubles.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// First step.
    pub first: Duration,
    /// Largest step.
    pub most: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(200), most: Duration::from_secs(10) }
    }
}

impl Backoff {
    /// The waits, without end.
    pub fn waits(self) -> impl Iterator<Item = Duration> + Send {
        ExponentialBuilder::new()
            .with_min_delay(self.first)
            .with_max_delay(self.most)
            .with_factor(2.0)
            .with_jitter()
            .without_max_times()
            .build()
    }

    /// The wait before try number `tries` (from 1).
    pub fn wait(self, tries: u32) -> Duration {
        self.waits().nth(tries.saturating_sub(1).min(64) as usize).unwrap_or(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_bound() {
        let backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_secs(1) };
        let waits: Vec<_> = backoff.waits().take(8).collect();
        assert!(waits[0] >= Duration::from_millis(100) && waits[0] <= Duration::from_millis(200));
        assert!(waits.iter().all(|wait| *wait <= Duration::from_secs(2)), "{waits:?}");
        assert!(backoff.wait(1000) >= Duration::from_secs(1));
    }
}
