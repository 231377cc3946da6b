//! How many tokens a question has, what they cost, and how many may go out in a minute.

use deskstream_runtime::config::PriceConfig;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use std::num::NonZeroU32;
use std::time::Duration;
use tokio::time::Instant;

/// No tokenizer that is in use makes more tokens of ordinary text than one for two bytes. What a server then tells is what
/// counts; this is what is held back beforehand.
pub(super) fn most_tokens(bytes: usize) -> u64 {
    /// What a chat's format adds.
    const ENVELOPE: u64 = 64;
    bytes as u64 / 2 + ENVELOPE
}

/// Rounded up, so that nothing is free that has a price.
pub(super) fn cost_microusd(price: &PriceConfig, tokens_in: u64, tokens_out: u64) -> i64 {
    // Dollars for a million tokens are millionths of a dollar for one.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "tokens of one request times a price below a million are far below 2^53"
    )]
    let cost = (tokens_in as f64 * price.input_per_million_usd
        + tokens_out as f64 * price.output_per_million_usd)
        // A sum such as 0.1 + 0.2 is not to cost a millionth more.
        .mul_add(1.0, -1e-9)
        .ceil()
        .max(0.0) as i64;
    cost
}

/// So many tokens a minute. A minute's worth may go at once after a quiet time.
pub(super) struct TokenBucket {
    limiter: DefaultDirectRateLimiter,
    most: NonZeroU32,
    clock: DefaultClock,
}

/// The tokens would not be there before the deadline.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoTokens;

impl TokenBucket {
    pub(super) fn new(per_minute: NonZeroU32) -> Self {
        Self {
            limiter: RateLimiter::direct(Quota::per_minute(per_minute)),
            most: per_minute,
            clock: DefaultClock::default(),
        }
    }

    /// Waits until so many tokens are there, and takes them.
    pub(super) async fn take(&self, tokens: u64, deadline: Instant) -> Result<(), NoTokens> {
        // One question that is larger than the bucket goes when the bucket is full.
        let tokens = u32::try_from(tokens).unwrap_or(u32::MAX).min(self.most.get());
        let Some(tokens) = NonZeroU32::new(tokens) else { return Ok(()) };
        loop {
            let wait = match self.limiter.check_n(tokens) {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(denied)) => denied.wait_time_from(self.clock.now()),
                // Not for a number within the bucket's size.
                Err(_) => return Ok(()),
            };
            let until = Instant::now() + wait.max(Duration::from_millis(1));
            if until > deadline {
                return Err(NoTokens);
            }
            tokio::time::sleep_until(until).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(input: f64, output: f64) -> PriceConfig {
        PriceConfig {
            input_per_million_usd: input,
            output_per_million_usd: output,
            as_of: "2026-11-01".into(),
        }
    }

    #[test]
    fn costs_are_rounded_up_once() {
        assert_eq!(cost_microusd(&price(0.15, 0.6), 600, 60), 126);
        assert_eq!(cost_microusd(&price(0.15, 0.6), 1, 0), 1);
        assert_eq!(cost_microusd(&price(0.1, 0.2), 1000, 1000), 300);
        assert_eq!(cost_microusd(&price(0.0, 0.0), 1_000_000, 1_000_000), 0);
    }

    #[tokio::test]
    async fn tokens_that_are_not_there_in_time_are_not_waited_for() {
        let bucket = TokenBucket::new(NonZeroU32::new(600).unwrap());
        let soon = || Instant::now() + Duration::from_millis(50);
        assert_eq!(bucket.take(600, soon()).await, Ok(()));
        assert_eq!(bucket.take(100, soon()).await, Err(NoTokens));
        let started = Instant::now();
        assert_eq!(bucket.take(1, started + Duration::from_secs(1)).await, Ok(()));
        assert!(started.elapsed() > Duration::from_millis(20), "ten tokens a second come back");
    }

    #[tokio::test]
    async fn a_question_larger_than_the_bucket_goes_alone() {
        let bucket = TokenBucket::new(NonZeroU32::new(10).unwrap());
        assert_eq!(bucket.take(5000, Instant::now() + Duration::from_millis(10)).await, Ok(()));
    }
}
