//! Calls that may never come back.
//!
//! librdkafka's transactional calls end within the timeout they are given, except when they do not: with a broker
//! frozen again and again, `rd_kafka_send_offsets_to_transaction` was seen to wait for ever for an operation that
//! nobody would finish (librdkafka 2.x; `tests/broker_frozen.rs`). Such a call can't be cancelled. It is left behind on
//! a thread of its own, and whoever made it goes on with another producer, which fences the one left behind.

use crate::metrics;
use crossbeam_channel::bounded;
use std::time::Duration;

/// The call did not come back in time.
#[derive(Debug)]
pub struct Overdue;

/// Makes a call on a thread of its own, and waits so long for it.
pub fn within<T: Send + 'static>(
    limit: Duration,
    what: &'static str,
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Overdue> {
    let (done, answer) = bounded(1);
    let made = std::thread::Builder::new().name("transaction".to_owned()).spawn(move || {
        // Nobody waits any more: what it gave is dropped here.
        let _ = done.send(call());
    });
    if let Err(error) = made {
        tracing::warn!(what, %error, "no thread to be had");
        return Err(Overdue);
    }
    answer.recv_timeout(limit).map_err(|_| {
        metrics::CALLS_LEFT_BEHIND.inc();
        tracing::warn!(
            what,
            seconds = limit.as_secs(),
            "a call to the broker does not come back, it is left behind"
        );
        Overdue
    })
}

/// Drops something whose end may take as long as it likes.
pub fn let_go<T: Send + 'static>(thing: T) {
    let dropping = std::thread::Builder::new().name("letting-go".to_owned()).spawn(move || drop(thing));
    if let Err(error) = dropping {
        tracing::warn!(%error, "no thread to be had");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn what_comes_back_is_given_and_what_does_not_is_left_behind() {
        assert_eq!(within(Duration::from_secs(30), "test", || 7).unwrap(), 7);
        let (release, wait) = mpsc::channel::<()>();
        assert!(within(Duration::from_millis(20), "test", move || wait.recv()).is_err());
        drop(release);
        assert!(within(Duration::from_secs(30), "test", || panic!("as a bug would")).is_err());
    }
}
