//! Searches everything that the product leaves behind for values that must not be there in clear.
#![allow(dead_code, reason = "each test uses its part")]

use super::bed::PATIENCE;
use aho_corasick::AhoCorasick;
use clickhouse::Client;
use deskstream_runtime::{Process, kafka};
use deskstream_schemas::Topic;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

/// Looks for many values at once, in whatever case.
pub struct Search {
    values: Vec<String>,
    matcher: AhoCorasick,
}

impl Search {
    pub fn new(values: &[&str]) -> Self {
        let matcher = AhoCorasick::builder().ascii_case_insensitive(true).build(values).unwrap();
        Self { values: values.iter().map(|value| (*value).to_owned()).collect(), matcher }
    }

    /// The values that the bytes hold. Overlapping matches count: one value may begin within another.
    pub fn found(&self, bytes: &[u8]) -> BTreeSet<&str> {
        self.matcher.find_overlapping_iter(bytes).map(|hit| self.values[hit.pattern()].as_str()).collect()
    }

    /// Values found in the files below a folder, each as `value in place`; so many files were read.
    pub fn in_files(&self, folder: &Path, hits: &mut Vec<String>) -> usize {
        let mut read = 0;
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                read += self.in_files(&path, hits);
            } else if let Ok(bytes) = std::fs::read(&path) {
                read += 1;
                hits.extend(self.found(&bytes).iter().map(|value| format!("{value} in {}", path.display())));
            }
        }
        read
    }

    /// Values found in the topics.
    pub fn in_topics(&self, process: &Process, hits: &mut Vec<String>) -> usize {
        let mut read = 0;
        for topic in Topic::ALL {
            for (key, payload) in records(process, topic) {
                read += 1;
                let found = self.found(&key).into_iter().chain(self.found(&payload));
                hits.extend(found.map(|value| format!("{value} in topic {topic}")));
            }
        }
        read
    }

    /// Values found in any column of any table.
    pub async fn in_tables(&self, client: &Client, hits: &mut Vec<String>) -> usize {
        let tables =
            "SELECT name FROM system.tables WHERE database = 'deskstream' AND engine LIKE '%MergeTree'";
        let tables: Vec<String> = client.query(tables).fetch_all().await.unwrap();
        for table in &tables {
            for value in &self.values {
                let sql = format!(
                    "SELECT count() FROM (SELECT formatRow('JSONEachRow', *) AS row FROM {table}) \
                     WHERE positionCaseInsensitive(row, ?) > 0"
                );
                let rows = client.query(&sql).bind(value).fetch_one::<u64>().await.unwrap();
                if rows > 0 {
                    hits.push(format!("{value} in {rows} rows of {table}"));
                }
            }
        }
        tables.len()
    }
}

/// Keys and payloads of everything that lies in a topic, decompressed, records of aborted transactions too.
pub fn records(process: &Process, topic: Topic) -> Vec<(Vec<u8>, Vec<u8>)> {
    let topic = process.topics.name(topic);
    let consumer: BaseConsumer = kafka::consumer(&process.config.kafka, "test-search")
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
