//! A process's worth of configuration and clients, and events to feed it with.

use clickhouse::Client;
use deskstream_connectors::clickhouse::{QUERIES, SinkOptions, client, migrate, run_all};
use deskstream_connectors::kafka::{DeadLetterSink, Producer, ProducerOptions};
use deskstream_embedded::{ClickHouseEndpoint, Platform};
use deskstream_runtime::config::{Config, load};
use deskstream_runtime::health::Health;
use deskstream_runtime::{Process, kafka};
use deskstream_schemas::Platform as Helpdesk;
use deskstream_schemas::{
    Analysis, Encoder, EnrichedTicket, EventKind, Label, Origin, Priority, Record, Span, SpanField,
    TicketStatus, Tier, Topic,
};
use rdkafka::producer::{BaseRecord, FutureProducer, FutureRecord, Producer as _, ThreadedProducer};
use secrecy::ExposeSecret as _;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub const PATIENCE: Duration = Duration::from_secs(60);
pub const PARTITIONS: i32 = 3;

/// 2026-11-01T00:00:00Z.
pub const START: i64 = 1_793_491_200_000;

/// A process's worth of configuration and clients, on topics and a database of its own.
pub struct World {
    pub process: Process,
    pub client: Client,
    pub options: SinkOptions,
    pub producer: FutureProducer,
}

impl World {
    pub async fn new(name: &str, endpoint: &ClickHouseEndpoint) -> Self {
        let config = Arc::new(config(name, endpoint));
        migrate(&config.clickhouse).await.unwrap();
        let process = Process::start(Arc::clone(&config), CancellationToken::new()).await.unwrap();
        let options = SinkOptions {
            batch_rows: 500,
            batch_bytes: 512 * 1024,
            batch_age: Duration::from_millis(50),
            insert_interval: Duration::ZERO,
            buffer_bytes: 4 << 20,
            drain: Duration::from_secs(5),
            ..SinkOptions::new(&config)
        };
        let producer = kafka::producer(&config.kafka).create().unwrap();
        Self { process, client: client(&config.clickhouse), options, producer }
    }

    pub fn topic(&self, topic: Topic) -> String {
        self.process.topics.name(topic)
    }

    /// Starts all sinks, as a process of its own would.
    pub async fn sinks(&self) -> Sinks {
        let process =
            Process { shutdown: CancellationToken::new(), health: Health::default(), ..self.process.clone() };
        let producer = Producer::new(&process, ProducerOptions::records()).unwrap();
        let dead_letters = DeadLetterSink::start(&process, producer, "test").await.unwrap();
        let (running, options) = (process.clone(), self.options.clone());
        let task =
            tokio::spawn(async move { run_all(&running, &options, Some(dead_letters)).await.unwrap() });
        Sinks { process, task }
    }

    pub async fn count(&self, table: &str) -> u64 {
        self.client
            .query(&format!("SELECT count() FROM {table}"))
            .fetch_one::<u64>()
            .await
            .unwrap_or(u64::MAX)
    }

    /// Waits until a table holds so many rows, and says what it held otherwise.
    pub async fn until_rows(&self, table: &str, expected: u64) {
        eventually(|| async {
            let rows = self.count(table).await;
            if rows == expected { Ok(()) } else { Err(format!("{table} has {rows} rows, not {expected}")) }
        })
        .await;
    }

    /// Every integrity query of the product must find nothing.
    pub async fn assert_integrity(&self) {
        for query in QUERIES.iter().filter(|query| query.name.starts_with("integrity_")) {
            let events = self.topic(Topic::Events);
            let sql = format!("SELECT count() FROM ({})", query.sql);
            let found =
                self.client.query_raw(&sql).param("events_topic", events).fetch_one::<u64>().await.unwrap();
            assert_eq!(found, 0, "{} found something", query.name);
        }
    }

    pub fn encoder<T: Record>(&self) -> Encoder<T> {
        Encoder::new(&self.process.ids)
    }
}

pub struct Sinks {
    pub process: Process,
    pub task: JoinHandle<()>,
}

impl Sinks {
    /// Ends as on SIGTERM.
    pub async fn stop(self) {
        self.process.shutdown.cancel();
        self.task.await.unwrap();
    }

    /// Ends without a chance to finish anything.
    pub async fn crash(self) {
        self.task.abort();
        drop(self.task.await);
    }

    pub fn reason(&self, part: &str) -> String {
        self.process.health.report().1.get(part).map_or_else(String::new, |part| part.reason.clone())
    }
}

pub fn config(name: &str, endpoint: &ClickHouseEndpoint) -> Config {
    let platform = Platform::for_tests();
    let directory = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        let path = directory.path().join(file);
        std::fs::write(&path, text).unwrap();
        path
    };
    let key = write("key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    let password = write("password", endpoint.password.expose_secret());
    let text = format!(
        "[kafka]\nbootstrap = \"{}\"\ntopic_prefix = \"{name}.\"\npartitions = {PARTITIONS}\n\
         [kafka.properties]\n\"session.timeout.ms\" = \"6000\"\n\
         [registry]\nurl = \"{}\"\n\
         [clickhouse]\nurl = \"{}\"\ndatabase = \"{name}\"\nuser = \"{}\"\npassword = \"file:{}\"\n\
         [pipeline]\ngroup = \"{name}\"\n[keys]\nmaster = \"file:{}\"\n",
        platform.kafka(),
        platform.registry(),
        endpoint.url,
        endpoint.user,
        password.display(),
        key.display(),
    );
    let file = write("deskstream.toml", &text);
    load(Some(&file), &Vec::new()).unwrap_or_else(|error| panic!("{error}"))
}

pub async fn eventually<F: Future<Output = Result<(), String>>>(mut condition: impl FnMut() -> F) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match condition().await {
            Ok(()) => return,
            Err(last) => assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {last}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub fn label(value: &'static str) -> Label {
    Label { value: value.into(), confidence: 0.75, abstained: false }
}

/// The `n`th event of a partition. Every tenth goes back a month, as a backfill would.
pub fn event(partition: i32, n: i64) -> EnrichedTicket {
    let occurred_at = START + n * 1000 - if n % 10 == 0 { 31 * 86_400_000 } else { 0 };
    EnrichedTicket {
        event_id: format!("e-{partition}-{n}"),
        tenant: if n % 2 == 0 { "acme" } else { "umbrella" }.into(),
        platform: Helpdesk::Zendesk,
        ticket_id: format!("{}", n / 4),
        kind: if n % 4 == 0 { EventKind::Created } else { EventKind::Updated },
        origin: Origin::Webhook,
        occurred_at,
        received_at: occurred_at + 5,
        created_at: START,
        version: START + n,
        status: TicketStatus::Open,
        priority: (n % 3 == 0).then_some(Priority::High),
        ticket_type: Some("incident".into()),
        channel: None,
        requester_ref: Some("r1".into()),
        assignee_ref: None,
        group_ref: None,
        organization_ref: None,
        enriched_at: occurred_at + 25,
        source_partition: partition,
        source_offset: n,
        tags: vec!["vip".into(), "it's".into()],
        subject: "Refund [EMAIL]".into(),
        body: "x".repeat(600),
        summary: "Wants a refund.".into(),
        spans: vec![Span {
            field: SpanField::Subject,
            start: 7,
            end: 21,
            kind: "email".into(),
            detector: "regex".into(),
            score: 1.0,
        }],
        redactions: BTreeMap::from([("email".into(), 1)]),
        redactor: "1".into(),
        analysis: Analysis {
            root_cause: label("billing"),
            urgency: label("high"),
            sentiment: label("negative"),
            sentiment_score: -0.5,
            industry: label("retail"),
            language: "en".into(),
            language_confidence: 0.9,
            tier: Tier::Local,
            model: "linear-1".into(),
            latency_us: 40,
            tokens_in: 0,
            tokens_out: 0,
            cost_microusd: 0,
        },
        notes: vec!["truncated-text".into()],
        shadow: None,
        urgency_reasons: vec!["right now".into()],
    }
}

/// Writes events in transactions of `size`; every seventh transaction is aborted after its records were sent.
pub fn produce_in_transactions(
    world: &World,
    id: &str,
    partition: i32,
    range: std::ops::Range<i64>,
    size: usize,
) {
    let encoder = world.encoder::<EnrichedTicket>();
    let producer: ThreadedProducer<_> = kafka::producer(&world.process.config.kafka)
        .set("transactional.id", id)
        .set("linger.ms", "1")
        .create()
        .unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    let topic = world.topic(Topic::Enriched);
    let send = |n: i64, body: Option<&str>| {
        let mut event = event(partition, n);
        if let Some(body) = body {
            event.body = body.into();
        }
        let payload = encoder.encode(&event).unwrap();
        let record = BaseRecord::to(&topic).partition(partition).key(&event.ticket_id).payload(&payload);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    };
    let numbers: Vec<i64> = range.collect();
    for (k, chunk) in numbers.chunks(size).enumerate() {
        if k % 7 == 3 {
            producer.begin_transaction().unwrap();
            chunk.iter().for_each(|n| send(*n, Some("aborted")));
            producer.flush(PATIENCE).unwrap();
            producer.abort_transaction(PATIENCE).unwrap();
        }
        producer.begin_transaction().unwrap();
        chunk.iter().for_each(|n| send(*n, None));
        producer.commit_transaction(PATIENCE).unwrap();
    }
}

pub async fn send<T: Record>(world: &World, topic: Topic, partition: i32, key: &str, record: &T) {
    let payload = world.encoder::<T>().encode(record).unwrap();
    send_bytes(world, topic, partition, key, &payload).await;
}

pub async fn send_bytes(world: &World, topic: Topic, partition: i32, key: &str, payload: &[u8]) {
    let topic = world.topic(topic);
    world
        .producer
        .send(FutureRecord::to(&topic).partition(partition).key(key).payload(payload), PATIENCE)
        .await
        .map_err(|(error, _)| error)
        .unwrap();
}
