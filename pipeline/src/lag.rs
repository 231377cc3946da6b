//! How many records of the events topic wait to be enriched: for dashboards, alert rules and the console.

use crate::source::{AssignError, committed, partition_count};
use deskstream_runtime::Process;
use deskstream_runtime::kafka;
use deskstream_schemas::Topic;
use rdkafka::consumer::BaseConsumer;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Measures until shutdown, on a thread of its own, since librdkafka's queries wait. `told` hears each measurement; none
/// if there is no answer.
///
/// # Errors
/// If the thread can't be started.
pub fn watch(
    process: &Process,
    interval: Duration,
    mut told: impl FnMut(Option<i64>) + Send + 'static,
) -> std::io::Result<()> {
    let process = process.clone();
    std::thread::Builder::new().name("lag".to_owned()).spawn(move || {
        let group = format!("{}-enrich", process.config.pipeline.group);
        let topic = process.topics.name(Topic::Events);
        let probe: BaseConsumer = match kafka::consumer(&process.config.kafka, &group).create() {
            Ok(probe) => probe,
            Err(error) => return tracing::error!(%error, "the lag can't be measured"),
        };
        // A topic's partitions are as many for ever.
        let mut partitions = None;
        while !process.shutdown.is_cancelled() {
            partitions = partitions.or_else(|| partition_count(&probe, &topic).ok());
            told(partitions.and_then(|count| measure(&probe, &topic, count).ok()));
            std::thread::park_timeout(interval);
        }
    })?;
    Ok(())
}

fn measure(probe: &BaseConsumer, topic: &str, partitions: i32) -> Result<i64, AssignError> {
    let all: Vec<i32> = (0..partitions).collect();
    let committed = committed(probe, topic, &all)?;
    let mut lag = 0;
    for partition in all {
        let (low, high) = kafka::watermarks(probe, topic, partition, TIMEOUT)
            .map_err(|source| AssignError::Kafka { topic: topic.to_owned(), source })?;
        let at = committed.get(&partition).map_or(low, |(at, _)| *at);
        lag += (high - at).max(0);
    }
    Ok(lag)
}
