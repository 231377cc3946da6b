//! What somebody downstream sees: how long after its webhook a ticket can be read from `enriched`, committed.

use crate::commands::demo::setup::Setup;
use crate::commands::demo::summary::Latency;
use anyhow::Context;
use deskstream_runtime::time::now_ms;
use deskstream_runtime::{Process, kafka};
use deskstream_schemas::{DecodeError, Decoder, EnrichedTicket, Topic};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

const POLL: Duration = Duration::from_millis(50);
const METADATA_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads `enriched` from now on.
pub struct Watch {
    process: Process,
    reader: JoinHandle<anyhow::Result<Vec<i64>>>,
}

impl Watch {
    /// Begins behind what is in the topic.
    pub async fn start(setup: &Setup) -> anyhow::Result<Self> {
        let process = super::client(setup).await?;
        let reading = process.clone();
        let reader = std::thread::Builder::new().name("watch".to_owned()).spawn(move || read(&reading))?;
        Ok(Self { process, reader })
    }

    /// Ends it; gives the number of tickets seen and their latencies.
    pub fn stop(self) -> anyhow::Result<(usize, Latency)> {
        self.process.shutdown.cancel();
        let mut seen =
            self.reader.join().map_err(|_| anyhow::anyhow!("the reader of `enriched` panicked"))??;
        seen.sort_unstable();
        let at = |share: f64| {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                clippy::cast_sign_loss,
                reason = "counts and milliseconds are far below 2^52"
            )]
            seen.get((seen.len() as f64 * share) as usize).or(seen.last()).map_or(0.0, |ms| *ms as f64)
        };
        Ok((seen.len(), Latency { p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99) }))
    }
}

fn read(process: &Process) -> anyhow::Result<Vec<i64>> {
    let topic = process.topics.name(Topic::Enriched);
    let consumer: BaseConsumer = kafka::consumer(&process.config.kafka, "bench-watch").create()?;
    let metadata = consumer.fetch_metadata(Some(&topic), METADATA_TIMEOUT)?;
    let partitions = metadata.topics().first().context("the topic `enriched` is missing")?.partitions();
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition_offset(&topic, partition.id(), Offset::End)?;
    }
    consumer.assign(&list)?;
    let decoder: Decoder<EnrichedTicket> = Decoder::new(Arc::clone(&process.registry));
    let mut seen = Vec::new();
    while !process.shutdown.is_cancelled() {
        let Some(message) = consumer.poll(POLL) else { continue };
        let (message, now) = (message?, now_ms());
        let ticket = loop {
            match decoder.decode(message.payload().unwrap_or_default()) {
                Err(DecodeError::Pending { .. }) => std::thread::park_timeout(POLL),
                decoded => break decoded?,
            }
        };
        seen.push(now - ticket.received_at);
    }
    Ok(seen)
}
