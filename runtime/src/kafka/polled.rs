//! A producer whose delivery reports are served by a thread of its own.
//!
//! rdkafka's `ThreadedProducer` does the same with a wait of 100 ms, of which it spends the last millisecond asking again
//! and again (0.39 rounds the time left down to whole milliseconds): one hundredth of a core for each producer, also an
//! idle one. Here that is a thousandth.

use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaResult;
use rdkafka::producer::{BaseProducer, ProducerContext};
use std::sync::Arc;
use std::time::Duration;

/// How long one wait for reports takes; the thread sees as late that the producer is no longer wanted.
const WAIT: Duration = Duration::from_secs(1);

/// Makes a producer and serves its delivery reports until the last handle but the thread's is dropped.
///
/// # Errors
/// As `create_with_context`.
///
/// # Panics
/// If the system has no thread to give.
pub fn polled<C: ProducerContext + 'static>(
    config: &ClientConfig,
    context: C,
) -> KafkaResult<Arc<BaseProducer<C>>> {
    let producer: Arc<BaseProducer<C>> = Arc::new(config.create_with_context(context)?);
    let served = Arc::downgrade(&producer);
    std::thread::Builder::new()
        .name("delivery reports".to_owned())
        .spawn(move || {
            while let Some(producer) = served.upgrade() {
                producer.poll(WAIT);
            }
        })
        .expect("the system has threads to give");
    Ok(producer)
}
