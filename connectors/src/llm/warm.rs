//! Fills the cache from the end of the `opinions` topic.

use super::cache::Cache;
use super::worker::learn;
use deskstream_runtime::{Process, kafka};
use deskstream_schemas::{DecodeError, Decoder, Opinion, Topic};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(10);

/// A start is not held up for longer: what is missing is asked again.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);

/// Reads as many of the latest opinions as the cache holds.
pub(super) fn warm(process: &Process, cache: &Cache, capacity: usize) -> Result<usize, KafkaError> {
    let topic = process.topics.name(Topic::Opinions);
    let consumer: BaseConsumer = kafka::consumer(&process.config.kafka, "deskstream-opinions").create()?;
    let metadata = consumer.fetch_metadata(Some(&topic), TIMEOUT)?;
    let partitions: Vec<i32> =
        metadata.topics().iter().flat_map(|topic| topic.partitions()).map(|p| p.id()).collect();
    let share = i64::try_from(capacity / partitions.len().max(1)).unwrap_or(i64::MAX).max(1);
    let mut ends = HashMap::new();
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        let (low, high) = kafka::watermarks(&consumer, &topic, partition, TIMEOUT)?;
        if high > low {
            list.add_partition_offset(&topic, partition, Offset::Offset(low.max(high - share)))?;
            ends.insert(partition, high);
        }
    }
    consumer.assign(&list)?;
    let decoder: Decoder<Opinion> = Decoder::new(Arc::clone(&process.registry));
    let deadline = Instant::now() + PATIENCE;
    while !ends.is_empty() && Instant::now() < deadline && !process.shutdown.is_cancelled() {
        let Some(message) = consumer.poll(POLL) else { continue };
        let message = message?;
        let opinion = loop {
            match message.payload().map(|payload| decoder.decode(payload)) {
                Some(Err(DecodeError::Pending { .. })) if Instant::now() < deadline => {
                    std::thread::park_timeout(POLL);
                }
                decoded => break decoded.and_then(Result::ok),
            }
        };
        opinion.iter().for_each(|opinion| learn(cache, opinion));
        if ends.get(&message.partition()).is_some_and(|end| message.offset() + 1 >= *end) {
            ends.remove(&message.partition());
        }
    }
    Ok(cache.len())
}
