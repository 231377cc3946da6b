//! The circuit breaker: an account whose service keeps failing is asked now and then only.

use super::metrics;
use failsafe::failure_policy::{ConsecutiveFailures, consecutive_failures};
use failsafe::{Config, Instrument, StateMachine, backoff};
use std::time::Duration;

/// Failures in a row that open the circuit.
const FAILURES: u32 = 8;

pub(super) type Breaker = StateMachine<ConsecutiveFailures<backoff::EqualJittered>, BreakerGauge>;

/// Tells when the circuit opens and closes.
pub(super) struct BreakerGauge {
    service: &'static str,
    account: String,
}

impl Instrument for BreakerGauge {
    fn on_call_rejected(&self) {}

    fn on_open(&self) {
        tracing::warn!(
            service = self.service,
            account = self.account,
            "circuit opened: requests are held back"
        );
        metrics::CIRCUIT_OPEN.with_label_values(&[self.service, self.account.as_str()]).set(1);
    }

    fn on_half_open(&self) {}

    fn on_closed(&self) {
        metrics::CIRCUIT_OPEN.with_label_values(&[self.service, self.account.as_str()]).set(0);
    }
}

/// The closed circuit of an account.
pub(super) fn breaker(service: &'static str, account: String) -> Breaker {
    metrics::CIRCUIT_OPEN.with_label_values(&[service, account.as_str()]).set(0);
    let waits = backoff::equal_jittered(Duration::from_secs(1), Duration::from_secs(30));
    Config::new()
        .failure_policy(consecutive_failures(FAILURES, waits))
        .instrument(BreakerGauge { service, account })
        .build()
}
