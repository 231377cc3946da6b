//! Waits until brokers serve, judged by what a client sees.

use std::{
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::KafkaError,
};

use crate::{Error, Result};

/// A client whose failed attempts are expected, and so not logged.
pub(crate) struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, _level: RDKafkaLogLevel, _facility: &str, _message: &str) {}
    fn error(&self, _error: KafkaError, _reason: &str) {}
}

impl ConsumerContext for Quiet {}

const POLL: Duration = Duration::from_millis(25);

/// Waits until a metadata request names `expected` brokers.
///
/// `alive` is asked between attempts and its error ends the wait. The inner error is the last answer at the
/// deadline.
pub(super) fn wait(
    bootstrap: &str,
    addresses: &[SocketAddr],
    expected: usize,
    deadline: Instant,
    mut alive: impl FnMut() -> Result<()>,
) -> Result<Result<(), String>> {
    // Plain connects first: librdkafka backs off for longer and longer, and would be late to notice.
    for address in addresses {
        while let Err(error) = TcpStream::connect_timeout(address, Duration::from_millis(200)) {
            alive()?;
            if Instant::now() >= deadline {
                return Ok(Err(format!("{address}: {error}")));
            }
            thread::sleep(POLL);
        }
    }
    let consumer: BaseConsumer<Quiet> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("reconnect.backoff.ms", "20")
        .set("reconnect.backoff.max.ms", "200")
        .create_with_context(Quiet)
        .map_err(Error::kafka("create a client for the broker's health check"))?;
    loop {
        alive()?;
        let answer = match consumer.fetch_metadata(None, Duration::from_secs(1)) {
            Ok(metadata) if metadata.brokers().len() == expected => return Ok(Ok(())),
            Ok(metadata) => format!("{} of {expected} brokers are up", metadata.brokers().len()),
            Err(error) => error.to_string(),
        };
        if Instant::now() >= deadline {
            return Ok(Err(answer));
        }
        thread::sleep(POLL);
    }
}
