//! The pipeline's process is killed ten times with SIGKILL under load: nothing is lost, nothing is there twice.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clickhouse::Client;
use deskstream_connectors::clickhouse::QUERIES;
use deskstream_connectors::kafka::{EventSink, unsealed};
use deskstream_embedded::process::{Spec, Supervised};
use deskstream_embedded::{Platform as Embedded, PlatformOptions, Progress};
use deskstream_runtime::config::{self, Config};
use deskstream_runtime::seal::MasterKey;
use deskstream_runtime::{Process, kafka, time::now_ms};
use deskstream_schemas::*;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const KILLS: usize = 10;
const EVENTS_PER_LIFE: usize = 400;
const PATIENCE: Duration = Duration::from_secs(120);

fn write_config(folder: &Path, platform: &Embedded) -> PathBuf {
    let secret = |name: &str, value: &str| {
        let path = folder.join(name);
        std::fs::write(&path, value).unwrap();
        format!("file:{}", path.display())
    };
    let clickhouse = platform.clickhouse();
    let text = format!(
        "[log]\nformat = \"text\"\n[kafka]\nbootstrap = {:?}\npartitions = 4\n[registry]\nurl = {:?}\n\
         [keys]\nmaster = {:?}\n[clickhouse]\nurl = {:?}\nuser = {:?}\npassword = {:?}\n\
         [http]\nwebhooks = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n",
        platform.kafka(),
        platform.registry(),
        secret("master", MasterKey::generate().expose_secret()),
        clickhouse.url.as_str(),
        clickhouse.user,
        secret("password", clickhouse.password.expose_secret()),
    );
    let path = folder.join("deskstream.toml");
    std::fs::write(&path, text).unwrap();
    path
}

fn service(folder: &Path, name: &str) -> Supervised {
    Supervised::spawn(&Spec {
        name: name.to_owned(),
        program: env!("CARGO_BIN_EXE_deskstream").into(),
        args: vec![name.into(), "--config".into(), folder.join("deskstream.toml").into()],
        env: vec![],
        directory: folder.to_owned(),
        log: folder.join(format!("{name}.log")),
        lock: folder.join(format!("{name}.lock")),
        grace: Duration::from_secs(20),
        remove: None,
    })
    .unwrap()
}

fn event(number: usize) -> TicketEvent {
    let now = now_ms();
    TicketEvent {
        event_id: format!("event-{number}"),
        tenant: "acme".into(),
        platform: Platform::Import,
        ticket_id: (number / 2).to_string(),
        kind: if number.is_multiple_of(2) { EventKind::Created } else { EventKind::Updated },
        origin: Origin::Import,
        occurred_at: now,
        received_at: now,
        created_at: now,
        version: now,
        status: TicketStatus::New,
        priority: None,
        ticket_type: None,
        channel: None,
        requester_ref: None,
        assignee_ref: None,
        group_ref: None,
        organization_ref: None,
        content: unsealed(),
    }
}

async fn send(sink: &EventSink, from: usize, to: usize) {
    let sends = (from..to).map(|number| {
        let content = TicketContent {
            subject: "Cannot log in".into(),
            body: format!("Ticket {number}: reset the password of user{number}@example.com please"),
            ..TicketContent::default()
        };
        async move { sink.send(event(number), &content).await.map(drop) }
    });
    futures::future::try_join_all(sends).await.unwrap();
}

/// How often each event id lies in `enriched`, committed records only.
fn enriched_ids(process: &Process) -> BTreeMap<String, usize> {
    let topic = process.topics.name(Topic::Enriched);
    let consumer: BaseConsumer = kafka::consumer(&process.config.kafka, "kill-nine").create().unwrap();
    let metadata = consumer.fetch_metadata(Some(&topic), PATIENCE).unwrap();
    let mut list = TopicPartitionList::new();
    let mut ends = BTreeMap::new();
    for partition in metadata.topics()[0].partitions() {
        let (low, high) = consumer.fetch_watermarks(&topic, partition.id(), PATIENCE).unwrap();
        list.add_partition_offset(&topic, partition.id(), Offset::Beginning).unwrap();
        if low < high {
            ends.insert(partition.id(), high);
        }
    }
    consumer.assign(&list).unwrap();
    let decoder: Decoder<EnrichedTicket> = Decoder::new(Arc::clone(&process.registry));
    let (mut ids, deadline) = (BTreeMap::new(), Instant::now() + PATIENCE);
    while !ends.is_empty() {
        assert!(Instant::now() < deadline, "partitions not read to their end: {ends:?}");
        if let Some(message) = consumer.poll(Duration::from_millis(50)) {
            let ticket = decoder.decode(message.unwrap().payload().unwrap()).unwrap();
            *ids.entry(ticket.event_id).or_default() += 1;
        }
        for element in consumer.position().unwrap().elements() {
            if let Offset::Offset(at) = element.offset() {
                ends.retain(|partition, end| *partition != element.partition() || at < *end);
            }
        }
    }
    ids
}

async fn wait_for_rows(client: &Client, rows: u64) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let there = client.query("SELECT count() FROM ticket_events").fetch_one::<u64>().await.unwrap_or(0);
        if there >= rows {
            return;
        }
        assert!(Instant::now() < deadline, "only {there} of {rows} rows came to ClickHouse");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_kills_under_load_lose_nothing_and_double_nothing() {
    deskstream_runtime::install_crypto_provider();
    let folder = tempfile::tempdir().unwrap();
    let mut options = PlatformOptions::new(folder.path().join("platform"));
    options.progress = Progress::silent();
    options.ephemeral = true;
    let platform = Embedded::start(options).await.unwrap();
    let path = write_config(folder.path(), &platform);
    let config: Config = config::load(Some(&path), &Vec::new()).unwrap();
    let process = Process::start(Arc::new(config), CancellationToken::new()).await.unwrap();
    EventSink::ready_tenant(&process, "acme", "test").await.unwrap();
    let sink = EventSink::new(&process).unwrap();

    let mut connect = service(folder.path(), "connect");
    let mut sent = 0;
    for life in 0..KILLS {
        let before = enriched_ids(&process).len();
        let mut pipeline = service(folder.path(), "run");
        send(&sink, sent, sent + EVENTS_PER_LIFE).await;
        sent += EVENTS_PER_LIFE;
        // Killed at another depth each time: as soon as it works, or some way into its backlog.
        let wanted = before + 1 + life * EVENTS_PER_LIFE / 20;
        let deadline = Instant::now() + PATIENCE;
        while enriched_ids(&process).len() < wanted {
            let log = std::fs::read_to_string(folder.path().join("run.log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "life {life} enriched nothing:\n{log}");
        }
        pipeline.kill();
    }
    let mut pipeline = service(folder.path(), "run");
    let client = Client::default()
        .with_url(platform.clickhouse().url.as_str())
        .with_user(&platform.clickhouse().user)
        .with_password(platform.clickhouse().password.expose_secret())
        .with_database("deskstream");
    wait_for_rows(&client, sent as u64).await;

    let ids = enriched_ids(&process);
    let twice: Vec<_> = ids.iter().filter(|(_, n)| **n > 1).collect();
    assert!(twice.is_empty(), "enriched twice: {twice:?}");
    assert_eq!(ids.len(), sent, "events were lost");
    let (rows, distinct) = client
        .query("SELECT count(), uniqExact(event_id) FROM ticket_events")
        .fetch_one::<(u64, u64)>()
        .await
        .unwrap();
    assert_eq!((rows, distinct), (sent as u64, sent as u64));
    let integrity: Vec<_> = QUERIES.iter().filter(|q| q.name.starts_with("integrity_")).collect();
    assert!(integrity.len() >= 3);
    for query in integrity {
        let sql = format!("SELECT count() FROM ({})", query.sql);
        let asked = query
            .parameters()
            .into_iter()
            .fold(client.query(&sql), |q, (name, _, value)| q.param(name, value));
        assert_eq!(asked.fetch_one::<u64>().await.unwrap(), 0, "{} found something", query.name);
    }
    pipeline.stop();
    connect.stop();
    process.shutdown.cancel();
    platform.shutdown().await;
}
