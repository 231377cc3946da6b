//! What lies in topics: entries of the compacted `tickets` and `reviews`, and what the ClickHouse sink has not inserted yet.

use super::EraseError;
use deskstream_runtime::{Process, kafka};
use deskstream_schemas::{DecodeError, Decoder, TicketState, Topic};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

const READ_TIMEOUT: Duration = Duration::from_secs(120);
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);

/// The sink catches up within this, or the erasure is run again later.
const SINK_TIMEOUT: Duration = Duration::from_secs(120);
/// A gap of no more than this is looked into: it may be markers alone.
const MARKERS: i64 = 10_000;
const SINK_POLL: Duration = Duration::from_millis(200);

/// Keys and partitions of the tickets that the compacted topic holds.
pub(super) async fn tickets_of(
    process: &Process,
    tenant: &str,
    refs: Option<&BTreeSet<String>>,
) -> Result<Vec<(String, i32)>, EraseError> {
    let (process, tenant, refs) = (process.clone(), tenant.to_owned(), refs.cloned());
    tokio::task::spawn_blocking(move || read_tickets(&process, &tenant, refs.as_ref()))
        .await
        .expect("reading a topic does not panic")
}

fn read_tickets(
    process: &Process,
    tenant: &str,
    refs: Option<&BTreeSet<String>>,
) -> Result<Vec<(String, i32)>, EraseError> {
    let topic = process.topics.name(Topic::Tickets);
    let failed = |source| EraseError::Topic { topic: topic.clone(), source };
    let consumer: BaseConsumer =
        kafka::consumer(&process.config.kafka, "deskstream-erase").create().map_err(failed)?;
    let mut ends = ends(&consumer, &topic).map_err(failed)?;
    ends.retain(|_, (low, high)| low < high);
    let mut list = TopicPartitionList::new();
    for partition in ends.keys() {
        list.add_partition_offset(&topic, *partition, Offset::Beginning).map_err(failed)?;
    }
    consumer.assign(&list).map_err(failed)?;
    let decoder: Decoder<TicketState> = Decoder::new(Arc::clone(&process.registry));
    let of_tenant = format!("{tenant}/");
    let (mut found, deadline) = (HashMap::new(), Instant::now() + READ_TIMEOUT);
    while !ends.is_empty() {
        if Instant::now() > deadline {
            return Err(EraseError::Slow(topic));
        }
        if let Some(message) = consumer.poll(SINK_POLL) {
            let message = message.map_err(failed)?;
            let key = message.key().and_then(|key| std::str::from_utf8(key).ok()).unwrap_or_default();
            if key.starts_with(&of_tenant) {
                // The schema may be on its way to us: it is asked for again, within the deadline.
                let state = message.payload().and_then(|payload| {
                    loop {
                        match decoder.decode(payload) {
                            Err(DecodeError::Pending { .. }) if Instant::now() < deadline => {
                                std::thread::park_timeout(SINK_POLL / 4);
                            }
                            decoded => break decoded.ok(),
                        }
                    }
                });
                match (state, refs) {
                    (Some(_), None) => drop(found.insert(key.to_owned(), message.partition())),
                    (Some(state), Some(refs))
                        if state.requester_ref.as_ref().is_some_and(|r| refs.contains(&r.to_lowercase())) =>
                    {
                        found.insert(key.to_owned(), message.partition());
                    }
                    _ => drop(found.remove(key)),
                }
            }
        }
        for element in consumer.position().map_err(failed)?.elements() {
            if let Offset::Offset(at) = element.offset() {
                ends.retain(|partition, (_, high)| *partition != element.partition() || at < *high);
            }
        }
    }
    Ok(found.into_iter().collect())
}

fn ends(consumer: &BaseConsumer, topic: &str) -> Result<BTreeMap<i32, (i64, i64)>, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), WRITE_TIMEOUT)?;
    let partitions = metadata.topics().first().map(|t| t.partitions()).unwrap_or_default();
    let marks = |id| Ok((id, kafka::watermarks(consumer, topic, id, WRITE_TIMEOUT)?));
    partitions.iter().map(|partition| marks(partition.id())).collect()
}

pub(super) async fn bury(process: &Process, tickets: &[(String, i32)]) -> Result<(), EraseError> {
    let (topic, reviews) = (process.topics.name(Topic::Tickets), process.topics.name(Topic::Reviews));
    let failed = |source| EraseError::Topic { topic: topic.clone(), source };
    let producer: FutureProducer = kafka::producer(&process.config.kafka).create().map_err(failed)?;
    let sends = tickets.iter().map(|(key, partition)| {
        // To the partition it lies in, whoever chose that.
        let record = FutureRecord::<str, [u8]>::to(&topic).partition(*partition).key(key);
        producer.send(record, WRITE_TIMEOUT)
    });
    futures::future::try_join_all(sends).await.map_err(|(source, _)| failed(source))?;
    let sends = tickets.iter().map(|(key, _)| {
        // To the partition that its key leads to: the pipeline leaves the choice to the key.
        producer.send(FutureRecord::<str, [u8]>::to(&reviews).key(key), WRITE_TIMEOUT)
    });
    let failed = |(source, _)| EraseError::Topic { topic: reviews.clone(), source };
    futures::future::try_join_all(sends).await.map_err(failed)?;
    Ok(())
}

/// Waits until the sink of `ticket_events` has inserted everything that lay in `enriched` when this began.
pub(super) async fn wait_for_sink(process: &Process) -> Result<(), EraseError> {
    let (process, deadline) = (process.clone(), Instant::now() + SINK_TIMEOUT);
    tokio::task::spawn_blocking(move || {
        let topic = process.topics.name(Topic::Enriched);
        let failed = |source| EraseError::Topic { topic: topic.clone(), source };
        let group = format!("{}.clickhouse.ticket_events", process.config.pipeline.group);
        let consumer: BaseConsumer =
            kafka::consumer(&process.config.kafka, &group).create().map_err(failed)?;
        let ends = ends(&consumer, &topic).map_err(failed)?;
        let mut list = TopicPartitionList::new();
        for partition in ends.keys() {
            list.add_partition(&topic, *partition);
        }
        loop {
            let committed = consumer.committed_offsets(list.clone(), WRITE_TIMEOUT).map_err(failed)?;
            let gaps: Vec<_> = committed
                .elements()
                .iter()
                .map(|element| {
                    let (low, high) = ends.get(&element.partition()).copied().unwrap_or_default();
                    let at = if let Offset::Offset(at) = element.offset() { at.max(low) } else { low };
                    Gap { partition: element.partition(), at, high }
                })
                .filter(|gap| gap.at < gap.high)
                .collect();
            let behind = gaps.iter().map(|gap| gap.high - gap.at).sum();
            if behind == 0 || (behind <= MARKERS && !any_record(&consumer, &topic, gaps).map_err(failed)?) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(EraseError::SinkBehind(behind));
            }
            std::thread::park_timeout(SINK_POLL);
        }
    })
    .await
    .expect("asking for offsets does not panic")
}

/// Offsets between where the sink stands and the end.
struct Gap {
    partition: i32,
    at: i64,
    high: i64,
}

/// Whether there is a record in the gaps. Markers of transactions, and what aborted ones wrote, are none: the sink stands
/// before them until something follows.
fn any_record(consumer: &BaseConsumer, topic: &str, mut gaps: Vec<Gap>) -> Result<bool, KafkaError> {
    let mut list = TopicPartitionList::new();
    for gap in &gaps {
        list.add_partition_offset(topic, gap.partition, Offset::Offset(gap.at))?;
    }
    consumer.assign(&list)?;
    let deadline = Instant::now() + WRITE_TIMEOUT;
    while !gaps.is_empty() && Instant::now() < deadline {
        if let Some(message) = consumer.poll(SINK_POLL) {
            let message = message?;
            let within = |gap: &Gap| gap.partition == message.partition() && message.offset() < gap.high;
            if gaps.iter().any(within) {
                return Ok(true);
            }
        }
        for element in consumer.position()?.elements() {
            if let Offset::Offset(at) = element.offset() {
                gaps.retain(|gap| gap.partition != element.partition() || at < gap.high);
            }
        }
    }
    // What was not looked at may hold records.
    Ok(!gaps.is_empty())
}
