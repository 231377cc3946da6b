//! How many records of the events topic wait to be enriched: a gauge for dashboards and alert rules.

use crate::metrics;
use crate::source::committed;
use deskstream_runtime::Process;
use deskstream_runtime::kafka;
use deskstream_schemas::Topic;
use rdkafka::consumer::BaseConsumer;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(5);

/// Measures once a second until shutdown, on a thread of its own, since librdkafka's queries wait.
pub fn watch(process: &Process, depth: Arc<AtomicI64>, partitions: i32) -> std::io::Result<()> {
    let process = process.clone();
    std::thread::Builder::new().name("lag".to_owned()).spawn(move || {
        let group = format!("{}-enrich", process.config.pipeline.group);
        let topic = process.topics.name(Topic::Events);
        let probe: BaseConsumer = match kafka::consumer(&process.config.kafka, &group).create() {
            Ok(probe) => probe,
            Err(error) => return tracing::error!(%error, "the lag can't be measured"),
        };
        while !process.shutdown.is_cancelled() {
            if let Some(lag) = measure(&probe, &topic, partitions) {
                depth.store(lag, Ordering::Relaxed);
                metrics::LAG.set(lag);
            }
            std::thread::park_timeout(INTERVAL);
        }
    })?;
    Ok(())
}

fn measure(probe: &BaseConsumer, topic: &str, partitions: i32) -> Option<i64> {
    let all: Vec<i32> = (0..partitions).collect();
    let committed = committed(probe, topic, &all).ok()?;
    let mut lag = 0;
    for partition in all {
        let (low, high) = kafka::watermarks(probe, topic, partition, TIMEOUT).ok()?;
        let at = committed.get(&partition).map_or(low, |(at, _)| *at);
        lag += (high - at).max(0);
    }
    Some(lag)
}
