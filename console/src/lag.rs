//! How many events wait to be enriched, for the overview: the pipeline counts it for its own metrics, in its own process.

use deskstream_runtime::{Process, kafka};
use deskstream_schemas::Topic;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(5);

/// Nothing was measured, or it can't be now.
const UNKNOWN: i64 = -1;

/// The latest measurement.
#[derive(Debug, Clone)]
pub struct Lag(Arc<AtomicI64>);

impl Lag {
    /// Measures until shutdown, on a thread of its own, since librdkafka's queries wait.
    pub fn watch(process: &Process) -> std::io::Result<Self> {
        let lag = Self(Arc::new(AtomicI64::new(UNKNOWN)));
        let (process, shared) = (process.clone(), Arc::clone(&lag.0));
        std::thread::Builder::new().name("lag".to_owned()).spawn(move || {
            let group = format!("{}-enrich", process.config.pipeline.group);
            let topic = process.topics.name(Topic::Events);
            let probe: BaseConsumer = match kafka::consumer(&process.config.kafka, &group).create() {
                Ok(probe) => probe,
                Err(error) => return tracing::error!(%error, "the lag can't be measured"),
            };
            while !process.shutdown.is_cancelled() {
                shared.store(measure(&probe, &topic).unwrap_or(UNKNOWN), Ordering::Relaxed);
                std::thread::park_timeout(INTERVAL);
            }
        })?;
        Ok(lag)
    }

    /// Events that wait, if it is known.
    pub fn events(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|lag| *lag != UNKNOWN)
    }
}

fn measure(probe: &BaseConsumer, topic: &str) -> Result<i64, KafkaError> {
    let metadata = probe.fetch_metadata(Some(topic), TIMEOUT)?;
    let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(topic, partition.id());
    }
    let mut lag = 0;
    for at in probe.committed_offsets(list, TIMEOUT)?.elements() {
        let (low, high) = kafka::watermarks(probe, topic, at.partition(), TIMEOUT)?;
        let next = if let Offset::Offset(offset) = at.offset() { offset } else { low };
        lag += (high - next).max(0);
    }
    Ok(lag)
}
