//! A broker, a registry and a job for the tests of this crate.
#![allow(dead_code, reason = "each test uses its part")]

use deskstream_embedded as embedded;
use deskstream_pipeline::{Job, JobOptions, alerts};
use deskstream_runtime::config::{self, Config};
use deskstream_runtime::{Process, kafka, time::now_ms};
use deskstream_schemas::*;
use embedded::{Kafka, KafkaOptions};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(60);

/// A broker and a registry; each test has topics of its own by prefix.
pub struct Bed {
    kafka: Kafka,
    registry: embedded::Registry,
    dir: tempfile::TempDir,
}

impl Bed {
    pub async fn start() -> Self {
        deskstream_runtime::install_crypto_provider();
        let dir = tempfile::tempdir().unwrap();
        let kafka = Kafka::start(KafkaOptions::new(dir.path().join("kafka"))).await.unwrap();
        let registry =
            embedded::Registry::start(embedded::RegistryOptions::new(kafka.bootstrap())).await.unwrap();
        let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        std::fs::write(dir.path().join("master"), key).unwrap();
        Self { kafka, registry, dir }
    }

    pub fn config(&self, prefix: &str) -> Config {
        let set = |k: &str, v: String| (k.to_owned(), v);
        let overrides = vec![
            set("kafka.bootstrap", self.kafka.bootstrap()),
            set("kafka.topic_prefix", format!("{prefix}.")),
            set("registry.url", self.registry.url()),
            set("keys.master", format!("file:{}", self.dir.path().join("master").display())),
            set("pipeline.group", prefix.to_owned()),
            set("pipeline.window_interval", "100ms".to_owned()),
        ];
        config::load(None, &overrides).unwrap()
    }

    pub async fn process(&self, prefix: &str) -> Process {
        Process::start(Arc::new(self.config(prefix)), CancellationToken::new()).await.unwrap()
    }

    pub async fn stop(self) {
        self.registry.stop().await;
        self.kafka.stop().await;
    }
}

pub async fn start(process: &Process, workers: usize) -> Job {
    let rules = alerts::configured(&process.config.alerts).unwrap().rules;
    let options = JobOptions { workers, process: 0, hosts: vec![], rules };
    deskstream_pipeline::start(process.clone(), options).await.unwrap()
}

pub async fn stop(process: Process, job: Job) {
    process.shutdown.cancel();
    tokio::task::spawn_blocking(move || job.join()).await.unwrap().unwrap();
}

pub struct Writer {
    process: Process,
    producer: FutureProducer,
    pub events: Encoder<TicketEvent>,
    pub contents: Encoder<TicketContent>,
}

impl Writer {
    pub async fn new(process: &Process) -> Self {
        process.control.ensure_data_key("acme", "test").await.unwrap();
        Self {
            producer: kafka::producer(&process.config.kafka).create().unwrap(),
            events: Encoder::new(&process.ids),
            contents: Encoder::new(&process.ids),
            process: process.clone(),
        }
    }

    pub fn event(&self, ticket: u64, version: i64, body: &str) -> TicketEvent {
        let now = now_ms();
        let mut event = TicketEvent {
            event_id: format!("e-{ticket}-{version}"),
            tenant: "acme".into(),
            platform: Platform::Zendesk,
            ticket_id: ticket.to_string(),
            kind: EventKind::Created,
            origin: Origin::Webhook,
            occurred_at: now,
            received_at: now,
            created_at: now,
            version,
            status: TicketStatus::New,
            priority: None,
            ticket_type: None,
            channel: None,
            requester_ref: None,
            assignee_ref: None,
            group_ref: None,
            organization_ref: None,
            content: Sealed { key_id: String::new(), nonce: vec![], ciphertext: vec![] },
        };
        let content = TicketContent { subject: "Help".into(), body: body.into(), ..TicketContent::default() };
        let plain = self.contents.encode(&content).unwrap();
        event.content = self.process.vault.seal("acme", event.content_aad().as_bytes(), &plain).unwrap();
        event
    }

    pub async fn send(&self, event: &TicketEvent) {
        self.send_raw(&event.key(), &self.events.encode(event).unwrap()).await;
    }

    pub async fn send_raw(&self, key: &str, payload: &[u8]) {
        let topic = self.process.topics.name(Topic::Events);
        self.producer.send(FutureRecord::to(&topic).key(key).payload(payload), PATIENCE).await.unwrap();
    }
}

/// Reads a topic from its beginning, committed records only, until `done` says so.
pub async fn read_until<T: Record>(
    process: &Process,
    topic: Topic,
    done: impl Fn(&[T]) -> bool + Send + 'static,
) -> Vec<T> {
    let process = process.clone();
    tokio::task::spawn_blocking(move || {
        let name = process.topics.name(topic);
        let consumer: BaseConsumer = kafka::consumer(&process.config.kafka, "test-reader").create().unwrap();
        let metadata = consumer.fetch_metadata(Some(&name), PATIENCE).unwrap();
        let mut list = TopicPartitionList::new();
        for partition in metadata.topics()[0].partitions() {
            list.add_partition_offset(&name, partition.id(), Offset::Beginning).unwrap();
        }
        consumer.assign(&list).unwrap();
        let decoder: Decoder<T> = Decoder::new(Arc::clone(&process.registry));
        let (mut records, deadline) = (Vec::new(), Instant::now() + PATIENCE);
        while !done(&records) {
            assert!(Instant::now() < deadline, "{name}: only {} records came", records.len());
            if let Some(message) = consumer.poll(Duration::from_millis(50)) {
                records.push(decoder.decode(message.unwrap().payload().unwrap()).unwrap());
            }
        }
        records
    })
    .await
    .unwrap()
}
