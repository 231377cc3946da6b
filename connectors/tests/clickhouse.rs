//! The ClickHouse sinks and migrations against real Kafka, a real registry and the real engine.
#![allow(clippy::unwrap_used, missing_docs)] // helpers of tests, which clippy does not see as tests

use clickhouse::Client;
use deskstream_connectors::clickhouse::{MigrateError, QUERIES, SinkOptions, client, migrate, run_all};
use deskstream_connectors::kafka::{DeadLetterSink, Producer, ProducerOptions};
use deskstream_embedded::{ClickHouse, ClickHouseEndpoint, ClickHouseOptions, Platform};
use deskstream_runtime::config::{Config, load};
use deskstream_runtime::health::Health;
use deskstream_runtime::{Process, kafka};
use deskstream_schemas::{
    ActorKind, Alert, AlertState, Analysis, AuditOutcome, AuditRecord, Encoder, EnrichedTicket, EventKind,
    Label, Origin, Outcome, OutcomeKind, OutcomeResult, Platform as Helpdesk, Priority, Record, Severity,
    Span, SpanField, TicketStatus, Tier, Topic, Window,
};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::producer::{BaseRecord, FutureProducer, FutureRecord, Producer as _, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use secrecy::ExposeSecret as _;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(60);
const PARTITIONS: i32 = 3;

/// 2026-11-01T00:00:00Z.
const START: i64 = 1_793_491_200_000;

/// A process's worth of configuration and clients, on topics and a database of its own.
struct World {
    process: Process,
    client: Client,
    options: SinkOptions,
    producer: FutureProducer,
}

impl World {
    async fn new(name: &str, endpoint: &ClickHouseEndpoint) -> Self {
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

    fn topic(&self, topic: Topic) -> String {
        self.process.topics.name(topic)
    }

    /// Starts all sinks, as a process of its own would.
    async fn sinks(&self) -> Sinks {
        let process =
            Process { shutdown: CancellationToken::new(), health: Health::default(), ..self.process.clone() };
        let producer = Producer::new(&process, ProducerOptions::records()).unwrap();
        let dead_letters = DeadLetterSink::start(&process, producer, "test").await.unwrap();
        let (running, options) = (process.clone(), self.options.clone());
        let task =
            tokio::spawn(async move { run_all(&running, &options, Some(dead_letters)).await.unwrap() });
        Sinks { process, task }
    }

    async fn count(&self, table: &str) -> u64 {
        self.client
            .query(&format!("SELECT count() FROM {table}"))
            .fetch_one::<u64>()
            .await
            .unwrap_or(u64::MAX)
    }

    /// Waits until a table holds so many rows, and says what it held otherwise.
    async fn until_rows(&self, table: &str, expected: u64) {
        eventually(|| async {
            let rows = self.count(table).await;
            if rows == expected { Ok(()) } else { Err(format!("{table} has {rows} rows, not {expected}")) }
        })
        .await;
    }

    /// Every integrity query of the product must find nothing.
    async fn assert_integrity(&self) {
        for query in QUERIES.iter().filter(|query| query.name.starts_with("integrity_")) {
            let events = self.topic(Topic::Events);
            let sql = format!("SELECT count() FROM ({})", query.sql);
            let found =
                self.client.query_raw(&sql).param("events_topic", events).fetch_one::<u64>().await.unwrap();
            assert_eq!(found, 0, "{} found something", query.name);
        }
    }

    fn encoder<T: Record>(&self) -> Encoder<T> {
        Encoder::new(&self.process.ids)
    }
}

struct Sinks {
    process: Process,
    task: JoinHandle<()>,
}

impl Sinks {
    /// Ends as on SIGTERM.
    async fn stop(self) {
        self.process.shutdown.cancel();
        self.task.await.unwrap();
    }

    /// Ends without a chance to finish anything.
    async fn crash(self) {
        self.task.abort();
        drop(self.task.await);
    }

    fn reason(&self, part: &str) -> String {
        self.process.health.report().1.get(part).map_or_else(String::new, |part| part.reason.clone())
    }
}

fn config(name: &str, endpoint: &ClickHouseEndpoint) -> Config {
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

async fn eventually<F: Future<Output = Result<(), String>>>(mut condition: impl FnMut() -> F) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match condition().await {
            Ok(()) => return,
            Err(last) => assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {last}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn label(value: &'static str) -> Label {
    Label { value: value.into(), confidence: 0.75, abstained: false }
}

/// The `n`th event of a partition. Every tenth goes back a month, as a backfill would.
fn event(partition: i32, n: i64) -> EnrichedTicket {
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
    }
}

/// Writes events in transactions of `size`; every seventh transaction is aborted after its records were sent.
fn produce_in_transactions(
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

async fn send<T: Record>(world: &World, topic: Topic, partition: i32, key: &str, record: &T) {
    let payload = world.encoder::<T>().encode(record).unwrap();
    send_bytes(world, topic, partition, key, &payload).await;
}

async fn send_bytes(world: &World, topic: Topic, partition: i32, key: &str, payload: &[u8]) {
    let topic = world.topic(topic);
    world
        .producer
        .send(FutureRecord::to(&topic).partition(partition).key(key).payload(payload), PATIENCE)
        .await
        .map_err(|(error, _)| error)
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crashes_of_sink_and_engine_lose_nothing_and_double_nothing() {
    const EVENTS: i64 = 6_000;
    // An engine of its own, to be killed.
    let directory = tempfile::Builder::new().prefix("deskstream-sink-").tempdir().unwrap().keep();
    let options =
        ClickHouseOptions { ephemeral: true, memory_mib: 1024, ..ClickHouseOptions::new(directory) };
    let mut engine = ClickHouse::start(options).await.unwrap();
    let world = Arc::new(World::new("faults", engine.endpoint()).await);

    let producers: Vec<_> = (0..PARTITIONS)
        .map(|partition| {
            let world = Arc::clone(&world);
            tokio::task::spawn_blocking(move || {
                produce_in_transactions(&world, &format!("faults-{partition}"), partition, 0..EVENTS, 100);
            })
        })
        .collect();
    for round in 0..6_u64 {
        let sinks = world.sinks().await;
        // Long enough to take partitions up and to be in the middle of something; another moment each time.
        let before = world.count("ticket_events").await;
        eventually(|| async {
            let rows = world.count("ticket_events").await;
            if rows > before || rows == EVENTS as u64 * PARTITIONS as u64 {
                Ok(())
            } else {
                Err(format!("stuck at {rows}"))
            }
        })
        .await;
        tokio::time::sleep(Duration::from_millis(7 * round)).await;
        if round % 2 == 1 {
            engine.kill();
            // The sinks notice, and are not ready until it is back.
            if round == 3 {
                eventually(|| async {
                    let reason = sinks.reason("ticket_events");
                    if reason.contains("ClickHouse") { Ok(()) } else { Err(format!("ready, {reason:?}")) }
                })
                .await;
                engine.restart().await.unwrap();
                eventually(|| async {
                    let reason = sinks.reason("ticket_events");
                    if reason.is_empty() { Ok(()) } else { Err(reason) }
                })
                .await;
            }
        }
        sinks.crash().await;
        engine.restart().await.unwrap();
    }
    for producer in producers {
        producer.await.unwrap();
    }
    let sinks = world.sinks().await;
    let expected = EVENTS as u64 * PARTITIONS as u64;
    world.until_rows("ticket_events", expected).await;
    sinks.stop().await;
    assert_eq!(world.count("ticket_events").await, expected, "nothing more comes");
    let odd = world.count("ticket_events WHERE body = 'aborted'").await;
    assert_eq!(odd, 0, "records of aborted transactions");
    world.assert_integrity().await;
    // The view saw every event once: the latest state of each ticket is right.
    let tickets = world.count("v_tickets").await;
    assert_eq!(
        tickets,
        EVENTS as u64 / 4 * 2,
        "two tenants share ticket ids, and partitions the same tickets"
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_that_was_planned_is_inserted_again_as_the_same_block() {
    let world = World::new("planned", Platform::for_tests().clickhouse()).await;
    for n in 0..200 {
        send(&world, Topic::Enriched, 0, "k", &event(0, n)).await;
    }
    let world =
        World { options: SinkOptions { batch_age: Duration::from_secs(1), ..world.options }, ..world };
    let sinks = world.sinks().await;
    world.until_rows("ticket_events", 200).await;
    sinks.stop().await;

    // A crash between insert and commit: the plan is there, the rows are there, the offset is not.
    commit_as_group(&world, 0, 0, "to=199");
    let sinks = world.sinks().await;
    // What comes behind the plan is taken after it.
    send(&world, Topic::Enriched, 0, "k", &event(0, 200)).await;
    world.until_rows("ticket_events", 201).await;
    sinks.stop().await;
    assert_eq!(world.count("ticket_events").await, 201);
    world.assert_integrity().await;
}

/// Commits an offset of a partition of `enriched` with metadata, as the sink's group, while no member is in it.
fn commit_as_group(world: &World, partition: i32, next: i64, metadata: &str) {
    let group = format!("{}.ticket_events", world.options.group);
    let consumer: BaseConsumer = kafka::consumer(&world.process.config.kafka, &group).create().unwrap();
    let mut list = TopicPartitionList::new();
    let topic = world.topic(Topic::Enriched);
    {
        let mut element = list.add_partition(&topic, partition);
        element.set_offset(Offset::Offset(next)).unwrap();
        element.set_metadata(metadata);
    }
    consumer.commit(&list, CommitMode::Sync).unwrap();
}

/// Such as those of a process that was killed beside this one, or from before the buffer was made smaller.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plans_that_do_not_fit_into_the_buffer_are_repeated_one_after_another() {
    let world = World::new("large_plans", Platform::for_tests().clickhouse()).await;
    for partition in 0..PARTITIONS {
        for n in 0..60 {
            send(&world, Topic::Enriched, partition, "k", &event(partition, n)).await;
        }
        commit_as_group(&world, partition, 0, "to=49");
    }
    // Each record takes more than 1 KiB: no plan fits.
    let world = World { options: SinkOptions { buffer_bytes: 16 * 1024, ..world.options }, ..world };
    let sinks = world.sinks().await;
    world.until_rows("ticket_events", 60 * PARTITIONS as u64).await;
    sinks.stop().await;
    world.assert_integrity().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_position_that_does_not_join_on_is_refused_and_others_go_on() {
    let world = World::new("refused", Platform::for_tests().clickhouse()).await;
    for n in 0..10 {
        send(&world, Topic::Enriched, 0, "k", &event(0, n)).await;
    }
    let sinks = world.sinks().await;
    world.until_rows("ticket_events", 10).await;
    sinks.stop().await;

    // Retention overtakes the sink: records 10 to 14 come and go while it is away.
    for n in 10..20 {
        send(&world, Topic::Enriched, 0, "k", &event(0, n)).await;
    }
    let admin: AdminClient<DefaultClientContext> =
        kafka::client(&world.process.config.kafka).create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&world.topic(Topic::Enriched), 0, Offset::Offset(15)).unwrap();
    admin.delete_records(&list, &AdminOptions::new()).await.unwrap();

    let sinks = world.sinks().await;
    send(&world, Topic::Enriched, 1, "k", &event(1, 0)).await;
    world.until_rows("ticket_events WHERE kafka_partition = 1", 1).await;
    eventually(|| async {
        let reason = sinks.reason("ticket_events");
        if reason.contains("offsets 10 to 14 are gone") { Ok(()) } else { Err(reason) }
    })
    .await;
    assert_eq!(world.count("ticket_events WHERE kafka_partition = 0").await, 10, "nothing was skipped");
    sinks.stop().await;

    // An operator accepts the loss, as the message says.
    commit_as_group(&world, 0, 15, "");
    let sinks = world.sinks().await;
    world.until_rows("ticket_events WHERE kafka_partition = 0", 15).await;
    sinks.stop().await;
    // The integrity query tells what is missing.
    let missing = QUERIES.iter().find(|query| query.name == "integrity_missing_source_offsets").unwrap();
    let found = world
        .client
        .query_raw(&format!("SELECT first_missing, last_missing FROM ({})", missing.sql))
        .param("events_topic", world.topic(Topic::Events))
        .fetch_all::<(i64, i64)>()
        .await
        .unwrap();
    assert_eq!(found, [(10, 14)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_topic_reaches_its_table_and_every_question_has_an_answer() {
    let world = World::new("tables", Platform::for_tests().clickhouse()).await;
    let now = deskstream_runtime::time::now_ms();
    let mut first = event(0, 4);
    (first.occurred_at, first.created_at, first.tenant) = (now, now, "acme".into());
    // A human's word on the same version, arriving before the model's.
    let mut second = first.clone();
    second.analysis.tier = Tier::Human;
    second.analysis.urgency = label("low");
    second.source_offset = 5;
    send(&world, Topic::Enriched, 0, &second.key(), &second).await;
    send(&world, Topic::Enriched, 0, &first.key(), &first).await;
    for (version, events) in [(1, 10), (3, 12), (2, 11)] {
        let window = Window {
            tenant: "acme".into(),
            size_s: 86_400,
            window_start: now / 86_400_000 * 86_400_000,
            window_end: (now / 86_400_000 + 1) * 86_400_000,
            version,
            is_final: false,
            events,
            errors: 1,
            success_rate: 0.9,
            error_rate: 0.1,
            error_reasons: BTreeMap::from([("bad-avro".into(), 1)]),
            latency_p50_ms: 1.5,
            latency_p95_ms: 2.5,
            latency_p99_ms: 3.5,
            latency_sum_ms: 30,
            latency_sketch: BTreeMap::from([("365".into(), 9), ("391".into(), 1)]),
            redactions: BTreeMap::new(),
            tickets: 3,
            urgency: BTreeMap::from([("high".into(), 3)]),
            sentiment: BTreeMap::from([("negative".into(), 2)]),
            root_causes: BTreeMap::new(),
            industries: BTreeMap::new(),
            languages: BTreeMap::from([("en".into(), 3)]),
            negative_share: 0.67,
            high_urgency: 3,
        };
        send(&world, Topic::Windows, 0, &window.key(), &window).await;
        let hour = Window { size_s: 3600, ..window };
        send(&world, Topic::Windows, 0, &hour.key(), &hour).await;
    }
    for (state, changed_at) in [(AlertState::Firing, now - 60_000), (AlertState::Resolved, now)] {
        let alert = Alert {
            dedup_key: "rule/acme//1".into(),
            rule: "error-rate".into(),
            tenant: "acme".into(),
            group: String::new(),
            state,
            severity: Severity::Critical,
            value: 0.07,
            threshold: 0.05,
            summary: "errors".into(),
            channels: vec!["pager".into()],
            started_at: now - 60_000,
            changed_at,
            labels: BTreeMap::from([("team".into(), "ops".into())]),
        };
        send(&world, Topic::Alerts, 0, &alert.key(), &alert).await;
    }
    let audit = AuditRecord {
        audit_id: "a1".into(),
        tenant: "acme".into(),
        at: now,
        actor_kind: ActorKind::User,
        actor: "kim".into(),
        action: "review.ticket".into(),
        resource: "ticket/1".into(),
        outcome: AuditOutcome::Ok,
        detail: BTreeMap::from([("field".into(), "urgency".into())]),
        source_ip: Some("10.0.0.1".into()),
        user_agent: None,
        request_id: None,
    };
    send(&world, Topic::Audit, 0, "acme", &audit).await;
    let outcome = Outcome {
        kind: OutcomeKind::WriteBack,
        subject: "c1".into(),
        tenant: "acme".into(),
        service: "zendesk".into(),
        ticket_id: Some("1".into()),
        result: OutcomeResult::Applied,
        status: Some(200),
        attempts: 2,
        detail: String::new(),
        received_at: Some(now - 400),
        finished_at: now,
        rate_limit: Some(700),
        rate_remaining: None,
    };
    send(&world, Topic::Outcomes, 0, "c1", &outcome).await;
    // What can't be read goes to the dead letter, and from there to its own table; the stream goes on.
    send_bytes(&world, Topic::Outcomes, 0, "acme/x", b"not avro").await;
    send(&world, Topic::Outcomes, 0, "c2", &Outcome { subject: "c2".into(), received_at: None, ..outcome })
        .await;

    let sinks = world.sinks().await;
    for (table, rows) in [
        ("ticket_events", 2),
        ("v_tickets", 1),
        ("v_window_1d", 1),
        ("v_window_1h", 1),
        ("alerts", 2),
        ("audit", 1),
        ("outcomes", 2),
        ("dead_letters", 1),
    ] {
        world.until_rows(table, rows).await;
    }
    sinks.stop().await;

    let one = |sql: &'static str| world.client.query(sql);
    assert_eq!(
        one("SELECT events FROM v_window_1d").fetch_one::<u64>().await.unwrap(),
        12,
        "the highest version"
    );
    let ticket = one("SELECT tier, urgency, open, redaction_count FROM v_tickets");
    let expected = ("human".to_owned(), "low".to_owned(), true, 1);
    assert_eq!(ticket.fetch_one::<(String, String, bool, u64)>().await.unwrap(), expected);
    let letter =
        one("SELECT tenant, stage, reason, source FROM dead_letters")
            .fetch_one::<(String, String, String, String)>();
    let expected =
        ("acme".to_owned(), "sink".to_owned(), "not-framed".to_owned(), "tables.outcomes/0/1".to_owned());
    assert_eq!(letter.await.unwrap(), expected);
    let episode =
        one("SELECT firing, duration_s FROM v_alert_episodes").fetch_one::<(bool, Option<i64>)>().await;
    assert_eq!(episode.unwrap(), (false, Some(60)));
    let spans =
        one("SELECT `spans.kind`[1], `spans.end`[1] FROM ticket_events LIMIT 1").fetch_one::<(String, u32)>();
    assert_eq!(spans.await.unwrap(), ("email".to_owned(), 21));

    for query in QUERIES {
        let mut asked = world.client.query_raw(query.sql).with_setting("default_format", "JSONEachRow");
        for (name, kind, example) in query.parameters() {
            assert!(matches!(kind, "String" | "UInt32"), "{}: {kind}", query.name);
            asked = asked.with_setting(format!("param_{name}"), example);
        }
        let mut answer =
            asked.fetch_bytes("JSONEachRow").unwrap_or_else(|error| panic!("{}: {error}", query.name));
        let answer = answer.collect().await.unwrap_or_else(|error| panic!("{}: {error}", query.name));
        // Those about a week or a month, a tenant `acme` or a ticket's id have something to say.
        let silent = query.name.starts_with("integrity_") || query.name == "latency_by_day";
        assert_eq!(answer.is_empty(), silent, "{}: {}", query.name, String::from_utf8_lossy(&answer));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_are_applied_once_and_never_changed() {
    let config = config("migrations", Platform::for_tests().clickhouse()).clickhouse;
    let first = migrate(&config).await.unwrap();
    assert_eq!(
        (first.applied.len(), first.already),
        (deskstream_connectors::clickhouse::MIGRATIONS.len(), 0)
    );
    let again = migrate(&config).await.unwrap();
    assert_eq!((again.applied.len(), again.already), (0, first.applied.len()));

    let client = client(&config);
    let record = |version: u32, checksum: &'static str| {
        let sql = "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (?, 'x', ?, now64(3) + 60)";
        client.query(sql).bind(version).bind(checksum.repeat(64)).execute()
    };
    record(2, "0").await.unwrap();
    assert!(matches!(migrate(&config).await, Err(MigrateError::Changed { version: 2, .. })));
    record(9999, "0").await.unwrap();
    let newer = migrate(&config).await.unwrap_err();
    assert!(matches!(newer, MigrateError::Newer { version: 9999, .. }), "{newer}");

    let mut nowhere = config;
    nowhere.url = "http://127.0.0.1:1".parse().unwrap();
    let error = migrate(&nowhere).await.unwrap_err().to_string();
    assert!(error.contains("clickhouse.url") && error.contains("127.0.0.1:1"), "{error}");
}

/// Not a test: how much of a core the sink of `ticket_events` takes. Run it alone, in a release build:
/// `cargo test --release -p deskstream-connectors --test clickhouse -- --ignored --nocapture rows_a_second`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn rows_a_second() {
    const EVENTS: i64 = 60_000;
    let mut world = World::new("speed", Platform::for_tests().clickhouse()).await;
    world.options = SinkOptions::new(&world.process.config);
    let world = Arc::new(world);
    let producers: Vec<_> = (0..PARTITIONS)
        .map(|partition| {
            let world = Arc::clone(&world);
            tokio::task::spawn_blocking(move || {
                produce_in_transactions(&world, &format!("speed-{partition}"), partition, 0..EVENTS, 5000);
            })
        })
        .collect();
    for producer in producers {
        producer.await.unwrap();
    }
    let (started, cpu) = (Instant::now(), cpu_seconds());
    let sinks = world.sinks().await;
    world.until_rows("ticket_events", EVENTS as u64 * PARTITIONS as u64).await;
    let (elapsed, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    sinks.stop().await;
    let rows = EVENTS as f64 * f64::from(PARTITIONS);
    println!(
        "{rows} rows of about 1 KiB in {elapsed:.2} s: {:.0} rows/s; {:.1} µs of CPU a row: {:.2} cores at 20,000 rows/s",
        rows / elapsed,
        cpu / rows * 1e6,
        cpu / rows * 20_000.0
    );
}

/// CPU time of this process: the sink with its Kafka clients, without Kafka, registry and engine.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // utime and stime, in clock ticks of 10 ms.
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}
