//! Searches everything that the product leaves behind for values that must not be there in clear.
#![allow(dead_code, reason = "each test uses its part")]

use super::bed::{Bed, PATIENCE};
use deskstream_runtime::kafka;
use deskstream_schemas::Topic;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// Whether the bytes hold the value, in whatever case.
pub fn holds(bytes: &[u8], value: &str) -> bool {
    let value = value.to_lowercase();
    let first = value.as_bytes()[0];
    bytes
        .windows(value.len())
        .any(|window| window[0].eq_ignore_ascii_case(&first) && window.eq_ignore_ascii_case(value.as_bytes()))
}

/// Values found in the files below a folder, each as `value in place`; so many files were read.
pub fn in_files(folder: &Path, values: &[&str], hits: &mut Vec<String>) -> usize {
    let mut read = 0;
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            read += in_files(&path, values, hits);
        } else if let Ok(bytes) = std::fs::read(&path) {
            read += 1;
            let found = values.iter().filter(|value| holds(&bytes, value));
            hits.extend(found.map(|value| format!("{value} in {}", path.display())));
        }
    }
    read
}

/// Keys and payloads of everything that lies in a topic, decompressed, records of aborted transactions too.
pub fn records(bed: &Bed, topic: Topic) -> Vec<(Vec<u8>, Vec<u8>)> {
    let topic = bed.process.topics.name(topic);
    let consumer: BaseConsumer = kafka::consumer(&bed.process.config.kafka, "test-search")
        .set("isolation.level", "read_uncommitted")
        .create()
        .unwrap();
    let metadata = consumer.fetch_metadata(Some(&topic), PATIENCE).unwrap();
    let (mut list, mut ends) = (TopicPartitionList::new(), BTreeMap::new());
    for partition in metadata.topics()[0].partitions() {
        let (low, high) = kafka::watermarks(&consumer, &topic, partition.id(), PATIENCE).unwrap();
        list.add_partition_offset(&topic, partition.id(), Offset::Beginning).unwrap();
        if low < high {
            ends.insert(partition.id(), high);
        }
    }
    consumer.assign(&list).unwrap();
    let (mut all, deadline) = (Vec::new(), Instant::now() + PATIENCE);
    while !ends.is_empty() {
        assert!(Instant::now() < deadline, "{topic}: not read to its end: {ends:?}");
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) {
            let bytes = |part: Option<&[u8]>| part.unwrap_or_default().to_vec();
            all.push((bytes(message.key()), bytes(message.payload())));
        }
        for element in consumer.position().unwrap().elements() {
            if let Offset::Offset(at) = element.offset() {
                ends.retain(|partition, end| *partition != element.partition() || at < *end);
            }
        }
    }
    all
}

/// Values found in the topics.
pub fn in_topics(bed: &Bed, values: &[&str], hits: &mut Vec<String>) -> usize {
    let mut read = 0;
    for topic in Topic::ALL {
        for (key, payload) in records(bed, topic) {
            read += 1;
            let found = values.iter().filter(|value| holds(&key, value) || holds(&payload, value));
            hits.extend(found.map(|value| format!("{value} in topic {topic}")));
        }
    }
    read
}

/// Values found in any column of any table.
pub async fn in_tables(bed: &Bed, values: &[&str], hits: &mut Vec<String>) -> usize {
    let tables = "SELECT name FROM system.tables WHERE database = 'deskstream' AND engine LIKE '%MergeTree'";
    let tables: Vec<String> = bed.client.query(tables).fetch_all().await.unwrap();
    for table in &tables {
        for value in values {
            let sql = format!(
                "SELECT count() FROM (SELECT formatRow('JSONEachRow', *) AS row FROM {table}) \
                 WHERE positionCaseInsensitive(row, ?) > 0"
            );
            let rows = bed.client.query(&sql).bind(value).fetch_one::<u64>().await.unwrap();
            if rows > 0 {
                hits.push(format!("{value} in {rows} rows of {table}"));
            }
        }
    }
    tables.len()
}
