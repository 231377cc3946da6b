//! What tests of the whole product share: a platform, the product's own processes on it, events, and what became of
//! them.
#![allow(dead_code, reason = "each test uses its part")]

use clickhouse::Client;
use deskstream_connectors::clickhouse::QUERIES;
use deskstream_connectors::kafka::{EventSink, Producer, ProducerOptions, unsealed};
use deskstream_embedded::process::{Spec, Supervised};
use deskstream_embedded::{ClickHouseEndpoint, Platform as Embedded, PlatformOptions, Progress};
use deskstream_runtime::config::{self, Config};
use deskstream_runtime::seal::MasterKey;
use deskstream_runtime::{Process, kafka, time::now_ms};
use deskstream_schemas::*;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use secrecy::ExposeSecret;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Whatever is waited for comes within this time, on a busy machine too.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A platform, a configuration for it, and this process as a client of it.
pub struct Bed {
    pub folder: tempfile::TempDir,
    pub platform: Embedded,
    pub process: Process,
    pub sink: EventSink,
    pub client: Client,
    /// Added to the text of each ticket.
    pub filler: String,
}

impl Bed {
    /// `settings` is added to the section `clickhouse` of the configuration file.
    pub async fn start(settings: &str) -> Self {
        Self::start_with(settings, |_| {}).await
    }

    /// On a platform of which the caller has parts of its own.
    pub async fn start_with(settings: &str, given: impl FnOnce(&mut PlatformOptions)) -> Self {
        deskstream_runtime::install_crypto_provider();
        let folder = tempfile::tempdir().unwrap();
        let mut options = PlatformOptions::new(folder.path().join("platform"));
        options.progress = Progress::silent();
        options.ephemeral = true;
        given(&mut options);
        let platform = Embedded::start(options).await.unwrap();
        let path = write_config(folder.path(), &platform, settings);
        let config: Config = config::load(Some(&path), &Vec::new()).unwrap();
        let process = Process::start(Arc::new(config), CancellationToken::new()).await.unwrap();
        EventSink::ready_tenant(&process, "acme", "test").await.unwrap();
        // An event whose fate is unknown can't be sent again: it might be there twice then.
        let patient = ProducerOptions { timeout: PATIENCE, ..ProducerOptions::events() };
        let sink = EventSink::with_producer(&process, Producer::new(&process, patient).unwrap());
        let client = client(platform.clickhouse());
        Self { folder, platform, process, sink, client, filler: String::new() }
    }

    /// Starts one of the product's processes: `name` is that of its log, `args` begin with the command.
    pub fn service(&self, name: &str, args: &[&str]) -> Supervised {
        let mut all: Vec<std::ffi::OsString> = args.iter().map(Into::into).collect();
        all.extend(["--config".into(), self.folder.path().join("deskstream.toml").into()]);
        Supervised::spawn(&Spec {
            name: name.to_owned(),
            program: env!("CARGO_BIN_EXE_deskstream").into(),
            args: all,
            env: vec![],
            directory: self.folder.path().to_owned(),
            log: self.folder.path().join(format!("{name}.log")),
            lock: self.folder.path().join(format!("{name}.lock")),
            grace: Duration::from_secs(20),
            remove: None,
        })
        .unwrap()
    }

    /// What a process has logged.
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(format!("{name}.log"))).unwrap_or_default()
    }

    /// Waits until a process has logged this.
    pub async fn wait_for_log(&self, name: &str, what: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log(name).contains(what) {
            assert!(Instant::now() < deadline, "{name} does not say {what:?}:\n{}", self.log(name));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Sends the events of these numbers; returns when all are acknowledged.
    pub async fn send(&self, numbers: std::ops::Range<usize>) {
        let sends = numbers.map(|number| {
            let content = TicketContent {
                subject: "Cannot log in".into(),
                body: format!(
                    "Ticket {number}: reset the password of user{number}@example.com please {}",
                    self.filler
                ),
                ..TicketContent::default()
            };
            async move { self.sink.send(event(number), &content).await.map(drop) }
        });
        futures::future::try_join_all(sends).await.unwrap();
    }

    /// How often each event id lies in `enriched`, committed records only.
    pub fn enriched_ids(&self) -> BTreeMap<String, usize> {
        let mut ids = BTreeMap::new();
        for ticket in self.enriched() {
            *ids.entry(ticket.event_id).or_default() += 1;
        }
        ids
    }

    /// What lies in `enriched`, committed records only.
    pub fn enriched(&self) -> Vec<EnrichedTicket> {
        let process = &self.process;
        let topic = process.topics.name(Topic::Enriched);
        let consumer: BaseConsumer = kafka::consumer(&process.config.kafka, "test-reader").create().unwrap();
        let metadata = consumer.fetch_metadata(Some(&topic), PATIENCE).unwrap();
        let mut list = TopicPartitionList::new();
        let mut ends = BTreeMap::new();
        for partition in metadata.topics()[0].partitions() {
            let (low, high) = kafka::watermarks(&consumer, &topic, partition.id(), PATIENCE).unwrap();
            list.add_partition_offset(&topic, partition.id(), Offset::Beginning).unwrap();
            if low < high {
                ends.insert(partition.id(), high);
            }
        }
        consumer.assign(&list).unwrap();
        let decoder: Decoder<EnrichedTicket> = Decoder::new(Arc::clone(&process.registry));
        let (mut tickets, deadline) = (Vec::new(), Instant::now() + PATIENCE);
        let mut trouble = None;
        while !ends.is_empty() {
            assert!(Instant::now() < deadline, "partitions not read to their end: {ends:?}, {trouble:?}");
            match consumer.poll(Duration::from_millis(50)) {
                Some(Ok(message)) => tickets.push(decoder.decode(message.payload().unwrap()).unwrap()),
                // A broker that was frozen is away for a moment longer: the consumer goes on by itself.
                Some(Err(error)) => trouble = Some(error),
                None => {}
            }
            for element in consumer.position().unwrap().elements() {
                if let Offset::Offset(at) = element.offset() {
                    ends.retain(|partition, end| *partition != element.partition() || at < *end);
                }
            }
        }
        tickets
    }

    /// Waits until so many events are in `enriched`; `logs` are shown if they don't come.
    pub fn wait_for_enriched(&self, wanted: usize, logs: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let there = self.enriched_ids().len();
            if there >= wanted {
                return;
            }
            if Instant::now() > deadline {
                let logs: Vec<_> = logs.iter().map(|name| self.log(name)).collect();
                panic!("only {there} of {wanted} events were enriched:\n{}", logs.join("\n---\n"));
            }
        }
    }

    /// Waits until a query has this answer.
    pub async fn wait_for_answer(&self, sql: &str, wanted: u64) {
        self.wait_longer_for_answer(sql, wanted, PATIENCE).await;
    }

    /// As [`Bed::wait_for_answer`], for as long as it may take.
    pub async fn wait_longer_for_answer(&self, sql: &str, wanted: u64, patience: Duration) {
        let deadline = Instant::now() + patience;
        loop {
            let answer = self.client.query(sql).fetch_one::<u64>().await;
            if answer.as_ref().is_ok_and(|there| *there == wanted) {
                return;
            }
            assert!(Instant::now() < deadline, "{sql}: {answer:?} in place of {wanted}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Every event of 0 to `sent` is once in `enriched` and once in ClickHouse, offsets are whole, and the day's windows
    /// have counted each event and each ticket once.
    pub async fn assert_each_exactly_once(&self, sent: usize) {
        let rows = u64::try_from(sent).unwrap();
        self.wait_for_answer("SELECT count() FROM ticket_events", rows).await;
        let ids = self.enriched_ids();
        let twice: Vec<_> = ids.iter().filter(|(_, n)| **n > 1).collect();
        assert!(twice.is_empty(), "enriched twice: {twice:?}");
        let expected: BTreeSet<_> = (0..sent).map(event_id).collect();
        let missing: Vec<_> = expected.iter().filter(|id| !ids.contains_key(*id)).collect();
        assert!(missing.is_empty(), "lost: {missing:?}");
        assert_eq!(ids.len(), sent, "something else is in enriched");
        let (rows_there, distinct) = self
            .client
            .query("SELECT count(), uniqExact(event_id) FROM ticket_events")
            .fetch_one::<(u64, u64)>()
            .await
            .unwrap();
        assert_eq!((rows_there, distinct), (rows, rows));
        for (count, wanted) in [("events", rows), ("tickets", rows.div_ceil(2))] {
            let sql = format!("SELECT toUInt64(sum({count})) FROM v_window_1d WHERE tenant = 'acme'");
            self.wait_for_answer(&sql, wanted).await;
        }
        self.assert_integrity().await;
    }

    /// The product's own integrity queries find nothing.
    pub async fn assert_integrity(&self) {
        let integrity: Vec<_> = QUERIES.iter().filter(|q| q.name.starts_with("integrity_")).collect();
        assert!(integrity.len() >= 3);
        for query in integrity {
            let sql = format!("SELECT count() FROM ({})", query.sql);
            let asked = query
                .parameters()
                .into_iter()
                .fold(self.client.query(&sql), |q, (name, _, value)| q.param(name, value));
            assert_eq!(asked.fetch_one::<u64>().await.unwrap(), 0, "{} found something", query.name);
        }
    }

    /// Ends everything.
    pub async fn shutdown(self) {
        self.process.shutdown.cancel();
        self.platform.shutdown().await;
    }
}

/// Events that go in for as long as it is not stopped, at most 200 a second.
pub struct Traffic {
    stop: CancellationToken,
    sent: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Traffic {
    /// `sent` is the number of the first event.
    pub fn start(bed: &Arc<Bed>, sent: usize) -> Self {
        let (stop, sent) = (CancellationToken::new(), Arc::new(AtomicUsize::new(sent)));
        let (bed, stopped, count) = (Arc::clone(bed), stop.clone(), Arc::clone(&sent));
        let task = tokio::spawn(async move {
            while !stopped.is_cancelled() {
                let from = count.load(Ordering::Acquire);
                bed.send(from..from + 4).await;
                count.store(from + 4, Ordering::Release);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        Self { stop, sent, task }
    }

    /// The number of the next event.
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::Acquire)
    }

    /// Stops; gives the number of the event that would have been next.
    pub async fn stop(self) -> usize {
        self.stop.cancel();
        self.task.await.unwrap();
        self.sent.load(Ordering::Acquire)
    }
}

/// A client of the product's tables.
fn client(endpoint: &ClickHouseEndpoint) -> Client {
    Client::default()
        .with_url(endpoint.url.as_str())
        .with_user(&endpoint.user)
        .with_password(endpoint.password.expose_secret())
        .with_database("deskstream")
}

fn write_config(folder: &Path, platform: &Embedded, settings: &str) -> PathBuf {
    let secret = |name: &str, value: &str| {
        let path = folder.join(name);
        std::fs::write(&path, value).unwrap();
        format!("file:{}", path.display())
    };
    let clickhouse = platform.clickhouse();
    let text = format!(
        "[log]\nformat = \"text\"\n[kafka]\nbootstrap = {:?}\npartitions = 4\n[registry]\nurl = {:?}\n\
         [keys]\nmaster = {:?}\n[http]\nwebhooks = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n\
         [clickhouse]\nurl = {:?}\nuser = {:?}\npassword = {:?}\n{settings}\n",
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

pub fn event_id(number: usize) -> String {
    format!("event-{number}")
}

/// Two events a ticket.
pub fn event(number: usize) -> TicketEvent {
    let now = now_ms();
    TicketEvent {
        event_id: event_id(number),
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
