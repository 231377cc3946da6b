//! Which partitions a worker reads, and from where.

use deskstream_runtime::config::KafkaConfig;
use deskstream_runtime::{Process, kafka};
use deskstream_schemas::{DecodeError, Decoder, Record, Topic};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(30);

/// A source could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum AssignError {
    /// Kafka refused.
    #[error("open topic {topic}")]
    Kafka {
        /// The topic.
        topic: String,
        /// Why.
        #[source]
        source: rdkafka::error::KafkaError,
    },
    /// The topic has no partitions.
    #[error("topic {0} does not exist: run `deskstream migrate`")]
    NoTopic(String),
}

fn error(topic: &str) -> impl FnOnce(rdkafka::error::KafkaError) -> AssignError {
    move |source| AssignError::Kafka { topic: topic.to_owned(), source }
}

/// Number of partitions of a topic.
pub fn partition_count(consumer: &BaseConsumer, topic: &str) -> Result<i32, AssignError> {
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT).map_err(error(topic))?;
    let count = metadata.topics().first().map_or(0, |t| t.partitions().len());
    if count == 0 {
        return Err(AssignError::NoTopic(topic.to_owned()));
    }
    Ok(i32::try_from(count).unwrap_or(i32::MAX))
}

/// The partitions that worker `index` of `peers` reads.
pub fn own_partitions(partitions: i32, index: usize, peers: usize) -> Vec<i32> {
    (0..partitions).filter(|p| usize::try_from(*p).is_ok_and(|p| p % peers == index)).collect()
}

/// The group's committed position of each partition and the metadata committed with it, where there is one.
pub fn committed_offsets(
    config: &KafkaConfig,
    group: &str,
    topic: &str,
    partitions: &[i32],
) -> Result<BTreeMap<i32, (i64, String)>, AssignError> {
    let probe: BaseConsumer = kafka::consumer(config, group).create().map_err(error(topic))?;
    committed(&probe, topic, partitions)
}

/// As [`committed_offsets`], by a consumer of the group.
pub fn committed(
    probe: &BaseConsumer,
    topic: &str,
    partitions: &[i32],
) -> Result<BTreeMap<i32, (i64, String)>, AssignError> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(topic, *partition);
    }
    let committed = probe.committed_offsets(list, TIMEOUT).map_err(error(topic))?;
    Ok(committed
        .elements()
        .iter()
        .filter_map(|e| match e.offset() {
            Offset::Offset(offset) => Some((e.partition(), (offset, e.metadata().to_owned()))),
            _ => None,
        })
        .collect())
}

/// A consumer that reads the given partitions from the given positions.
pub fn open(
    config: &KafkaConfig,
    group: &str,
    topic: &str,
    positions: &BTreeMap<i32, Offset>,
) -> Result<BaseConsumer, AssignError> {
    let consumer: BaseConsumer = kafka::consumer(config, group)
        // What is fetched ahead of the dataflow is bounded too, per worker.
        .set("queued.max.messages.kbytes", "32768")
        .set("queued.min.messages", "4000")
        .create()
        .map_err(error(topic))?;
    let mut list = TopicPartitionList::new();
    for (partition, offset) in positions {
        list.add_partition_offset(topic, *partition, *offset).map_err(error(topic))?;
    }
    consumer.assign(&list).map_err(error(topic))?;
    Ok(consumer)
}

/// Reads a topic from its beginning to its present end: key and payload of each record, no payload being a tombstone.
pub fn read_to_end(
    config: &KafkaConfig,
    topic: &str,
    mut each: impl FnMut(&[u8], Option<&[u8]>),
) -> Result<(), AssignError> {
    let consumer: BaseConsumer =
        kafka::consumer(config, "deskstream-read-to-end").create().map_err(error(topic))?;
    let mut ends = BTreeMap::new();
    for partition in 0..partition_count(&consumer, topic)? {
        let (low, high) = kafka::watermarks(&consumer, topic, partition, TIMEOUT).map_err(error(topic))?;
        if low < high {
            ends.insert(partition, high);
        }
    }
    let mut list = TopicPartitionList::new();
    for partition in ends.keys() {
        list.add_partition_offset(topic, *partition, Offset::Beginning).map_err(error(topic))?;
    }
    consumer.assign(&list).map_err(error(topic))?;
    let mut deadline = Instant::now() + TIMEOUT;
    while !ends.is_empty() {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                each(message.key().unwrap_or_default(), message.payload());
                deadline = Instant::now() + TIMEOUT;
            }
            Some(Err(source)) => return Err(AssignError::Kafka { topic: topic.to_owned(), source }),
            None if Instant::now() > deadline => {
                let source = rdkafka::error::KafkaError::Canceled;
                return Err(AssignError::Kafka { topic: topic.to_owned(), source });
            }
            None => {}
        }
        // Transaction markers and compaction leave gaps at the end: the position tells, not the last record.
        let positions = consumer.position().map_err(error(topic))?;
        for element in positions.elements() {
            if let Offset::Offset(at) = element.offset()
                && ends.get(&element.partition()).is_some_and(|end| at >= *end)
            {
                ends.remove(&element.partition());
            }
        }
    }
    Ok(())
}

/// Reads a topic to its end: the latest record of each key, unless that is a tombstone. What can't be read is passed over.
///
/// # Errors
/// As [`read_to_end`].
pub fn latest_of<T: Record>(process: &Process, topic: Topic) -> Result<Vec<T>, AssignError> {
    let name = process.topics.name(topic);
    let decoder: Decoder<T> = Decoder::new(Arc::clone(&process.registry));
    let mut latest: BTreeMap<Vec<u8>, T> = BTreeMap::new();
    read_to_end(&process.config.kafka, &name, |key, payload| {
        match payload.map(|payload| patiently(|| decoder.decode(payload))) {
            Some(Ok(record)) => drop(latest.insert(key.to_owned(), record)),
            Some(Err(error)) => {
                tracing::warn!(topic = %name, %error, "a record that can't be read is passed over");
            }
            None => drop(latest.remove(key)),
        }
    })?;
    Ok(latest.into_values().collect())
}

/// Decodes again while the schema is on its way.
///
/// # Errors
/// As the decoder.
pub fn patiently<T>(mut decode: impl FnMut() -> Result<T, DecodeError>) -> Result<T, DecodeError> {
    const PAUSE: Duration = Duration::from_millis(10);
    const TRIES: usize = 1000;
    for _ in 1..TRIES {
        match decode() {
            Err(DecodeError::Pending { .. }) => std::thread::park_timeout(PAUSE),
            decoded => return decoded,
        }
    }
    decode()
}

#[cfg(test)]
mod tests {
    use super::own_partitions;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_partition_has_exactly_one_worker(partitions in 1..64i32, peers in 1..16usize) {
            let mut all: Vec<_> = (0..peers).flat_map(|w| own_partitions(partitions, w, peers)).collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..partitions).collect::<Vec<_>>());
        }
    }
}
