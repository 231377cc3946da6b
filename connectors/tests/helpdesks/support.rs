//! A Kafka and a registry for all tests of this binary, and a connector process of its own for each.

use deskstream_connectors::kafka::Sinks;
use deskstream_connectors::spool::Spool;
use deskstream_connectors::{helpdesk, webhook};
use deskstream_embedded::{Kafka, KafkaOptions, Registry, RegistryOptions};
use deskstream_runtime::Process;
use deskstream_runtime::config::{self, Config};
use deskstream_samples::freshdesk::{self as sample, Freshdesk};
use deskstream_samples::intercom::{self as chat, Intercom};
use deskstream_samples::zendesk::{Limits, NewTicket, Options, Zendesk};
use deskstream_schemas::{
    Command, DeadLetter, Decoder, Platform, Priority, Record, Subject, TicketContent, TicketEvent, Topic,
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Message, Offset, TopicPartitionList};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub const TENANT: &str = "acme";
/// The tenant with the sample Freshdesk.
pub const FRESH: &str = "fresh";
/// The tenant with the sample Intercom.
pub const CHAT: &str = "chat";
pub const SECRET: &str = "a-webhook-secret-of-the-tests";
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Where a process finds its platform.
#[derive(Clone)]
pub struct Backbone {
    pub bootstrap: String,
    pub registry: String,
}

/// The platform that tests share; it ends with the test process.
pub fn shared() -> Backbone {
    static SHARED: OnceLock<Backbone> = OnceLock::new();
    SHARED
        .get_or_init(|| {
            let started = std::thread::spawn(|| {
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(1)
                    .enable_all()
                    .build()
                    .unwrap();
                let backbone = runtime.block_on(async {
                    let (kafka, registry, backbone) = backbone().await;
                    std::mem::forget((kafka, registry));
                    backbone
                });
                std::mem::forget(runtime);
                backbone
            });
            started.join().unwrap()
        })
        .clone()
}

/// A platform of one's own, to break.
pub async fn backbone() -> (Kafka, Registry, Backbone) {
    deskstream_runtime::install_crypto_provider();
    let directory = tempfile::Builder::new().prefix("deskstream-connectors-").tempdir().unwrap().keep();
    let options = KafkaOptions { ephemeral: true, heap_mib: 320, ..KafkaOptions::new(directory) };
    let kafka = Kafka::start(options).await.unwrap();
    let registry = Registry::start(RegistryOptions::new(kafka.bootstrap())).await.unwrap();
    let backbone = Backbone { bootstrap: kafka.bootstrap(), registry: registry.url() };
    (kafka, registry, backbone)
}

/// Limits that are told and not met.
pub fn ample() -> Limits {
    Limits { exports_per_minute: None, updates_per_ticket: None, ..Limits::raised(100_000, 100_000) }
}

/// A connector process with a sample Zendesk as the account of [`TENANT`], a sample Freshdesk as that of [`FRESH`], and a
/// sample Intercom as that of [`CHAT`].
pub struct World {
    pub process: Process,
    pub sinks: Sinks,
    pub zendesk: Arc<Zendesk>,
    pub freshdesk: Arc<Freshdesk>,
    pub intercom: Arc<Intercom>,
    pub tasks: TaskTracker,
    pub backbone: Backbone,
    pub spool: std::sync::Mutex<Option<Spool>>,
    overrides: Vec<(String, String)>,
    secrets: Arc<TempDir>,
}

impl World {
    pub async fn new() -> Self {
        Self::configured(&[]).await
    }

    pub async fn configured(overrides: &[(&str, &str)]) -> Self {
        Self::with(shared(), Options { limits: ample(), ..Options::default() }, overrides).await
    }

    pub async fn with(backbone: Backbone, options: Options, overrides: &[(&str, &str)]) -> Self {
        Self::with_samples(backbone, options, sample::Options::default(), overrides).await
    }

    pub async fn with_freshdesk(options: sample::Options, overrides: &[(&str, &str)]) -> Self {
        let zendesk = Options { limits: ample(), ..Options::default() };
        Self::with_samples(shared(), zendesk, options, overrides).await
    }

    async fn with_samples(
        backbone: Backbone,
        options: Options,
        fresh: sample::Options,
        overrides: &[(&str, &str)],
    ) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let zendesk = Arc::new(Zendesk::start(options).await.unwrap());
        let freshdesk = Arc::new(Freshdesk::start(fresh).await.unwrap());
        let intercom = Intercom::start(chat::Options::default()).await.unwrap();
        intercom.define_attribute("Urgency");
        let prefix = format!("t{}.", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut all = vec![("kafka.topic_prefix".to_owned(), prefix)];
        all.extend(overrides.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        let samples = (zendesk, freshdesk, Arc::new(intercom));
        Self::start(backbone, samples, all, Arc::new(TempDir::new().unwrap())).await
    }

    async fn start(
        backbone: Backbone,
        (zendesk, freshdesk, intercom): (Arc<Zendesk>, Arc<Freshdesk>, Arc<Intercom>),
        overrides: Vec<(String, String)>,
        secrets: Arc<TempDir>,
    ) -> Self {
        let config = configuration(&backbone, (&zendesk, &freshdesk, &intercom), &overrides, &secrets);
        let process = Process::start(Arc::new(config), CancellationToken::new()).await.unwrap();
        let sinks = Sinks::start(&process, "test").await.unwrap();
        let (tasks, spool) = (TaskTracker::new(), std::sync::Mutex::default());
        Self { process, sinks, zendesk, freshdesk, intercom, tasks, backbone, spool, overrides, secrets }
    }

    /// Ends the process, as an orderly stop would, and starts another in its place.
    pub async fn restarted(self) -> Self {
        self.stop().await;
        let samples = (Arc::clone(&self.zendesk), Arc::clone(&self.freshdesk), Arc::clone(&self.intercom));
        Self::start(self.backbone.clone(), samples, self.overrides.clone(), Arc::clone(&self.secrets)).await
    }

    pub async fn stop(&self) {
        self.process.shutdown.cancel();
        self.tasks.close();
        within(PATIENCE, self.tasks.wait()).await;
    }

    pub async fn serve(&self) -> SocketAddr {
        let receivers =
            helpdesk::receivers(&self.process, &helpdesk::accounts(&self.process.config)).unwrap();
        let spool = Spool::start(&self.process, &self.sinks, &self.tasks).await.unwrap();
        self.spool.lock().unwrap().clone_from(&spool);
        let served = webhook::serve(&self.process, self.sinks.clone(), spool, receivers).await.unwrap();
        self.tasks.spawn(async move { served.ended.await.unwrap() });
        served.address
    }

    /// As `connect` does: serves every account of the file and of `control`, and follows changes.
    pub async fn serve_accounts(&self) -> SocketAddr {
        let served = helpdesk::connections::Served::start(&self.process, &self.sinks, &self.tasks).unwrap();
        let server =
            webhook::serve(&self.process, self.sinks.clone(), None, served.receivers()).await.unwrap();
        self.tasks.spawn(served.follow());
        self.tasks.spawn(async move { server.ended.await.unwrap() });
        server.address
    }

    /// Every payload of a topic, as it lies there.
    pub async fn payloads(&self, topic: Topic) -> Vec<Vec<u8>> {
        let (topic, kafka) = (self.process.topics.name(topic), self.process.config.kafka.clone());
        tokio::task::spawn_blocking(move || payloads(&kafka, &topic)).await.unwrap()
    }

    /// The spool of the server that was started last.
    pub fn spool(&self) -> Spool {
        self.spool.lock().unwrap().clone().unwrap()
    }

    pub fn connect(&self) {
        self.connect_to(Platform::Zendesk);
    }

    pub fn connect_freshdesk(&self) {
        self.connect_to(Platform::Freshdesk);
    }

    pub fn connect_intercom(&self) {
        self.connect_to(Platform::Intercom);
    }

    pub fn connect_to(&self, platform: Platform) {
        for account in helpdesk::accounts(&self.process.config) {
            if account.platform() == platform {
                helpdesk::spawn(&self.process, &self.sinks, &self.tasks, account.as_ref()).unwrap();
            }
        }
    }

    /// The first `count` records of a topic, in the order of their partitions.
    pub async fn records<T: Record>(&self, count: usize) -> Vec<T> {
        let decoder = Decoder::<T>::new(Arc::clone(&self.process.registry));
        eventually(&format!("{count} records of {:?}", T::SUBJECT), || async {
            let records = self.present::<T>(&decoder).await;
            (records.len() >= count).then_some(records)
        })
        .await
    }

    /// Every record of a topic now.
    pub async fn now<T: Record>(&self) -> Vec<T> {
        self.present(&Decoder::<T>::new(Arc::clone(&self.process.registry))).await
    }

    async fn present<T: Record>(&self, decoder: &Decoder<T>) -> Vec<T> {
        let Subject::Value(topic) = T::SUBJECT else { unreachable!() };
        let (topic, kafka) = (self.process.topics.name(topic), self.process.config.kafka.clone());
        let payloads = tokio::task::spawn_blocking(move || payloads(&kafka, &topic)).await.unwrap();
        let mut records = Vec::new();
        for payload in payloads {
            records.push(eventually("a decoded record", || async { decoder.decode(&payload).ok() }).await);
        }
        records
    }

    pub fn open(&self, event: &TicketEvent) -> TicketContent {
        let plain = self.process.vault.open(&event.content, event.content_aad().as_bytes()).unwrap();
        Decoder::new(Arc::clone(&self.process.registry)).decode(&plain).unwrap()
    }

    pub fn open_dead(&self, letter: &DeadLetter) -> Vec<u8> {
        self.process.vault.open(letter.payload.as_ref().unwrap(), letter.source.as_bytes()).unwrap()
    }

    pub fn ticket(&self, tags: &[&str]) -> u64 {
        self.zendesk.create_ticket(NewTicket {
            subject: "Charged twice".into(),
            body: "Please refund one of the two payments.".into(),
            requester_name: "Sam Sample".into(),
            requester_email: "sam@customer.example".into(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            ..NewTicket::default()
        })
    }

    pub fn command(&self, ticket: u64, number: u32) -> Command {
        let now = deskstream_runtime::time::now_ms();
        Command {
            command_id: format!("command-{ticket}-{number}"),
            tenant: TENANT.into(),
            platform: Platform::Zendesk,
            ticket_id: ticket.to_string(),
            event_id: format!("event-{number}"),
            version: i64::from(number),
            issued_at: now,
            received_at: now,
            tag_prefix: "ds_".into(),
            tags: vec!["ds_cause_refund".into(), format!("ds_round_{number}")],
            note: Some(format!(r#"{{"root_cause":"refund","round":{number}}}"#)),
            priority: Some(Priority::High),
            draft: None,
            fields: [("root_cause".to_owned(), "refund".to_owned())].into(),
        }
    }

    pub fn fresh_ticket(&self, tags: &[&str]) -> u64 {
        self.freshdesk.create_ticket(sample::NewTicket {
            subject: "Charged twice".into(),
            description: "<div>Please refund <b>one</b> of the two payments.</div>".into(),
            requester_name: "Sam Sample".into(),
            requester_email: "sam@customer.example".into(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            ..sample::NewTicket::default()
        })
    }

    /// Begins a conversation with the sample Intercom.
    pub fn chat(&self, tags: &[&str]) -> u64 {
        self.intercom.create_conversation(chat::NewConversation {
            body: "<p>Please refund <b>one</b> of the two payments.</p>".into(),
            contact_name: "Sam Sample".into(),
            contact_email: "sam@customer.example".into(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            ..chat::NewConversation::default()
        })
    }

    pub fn tags(&self, ticket: u64) -> Vec<String> {
        self.zendesk.ticket(ticket).unwrap().tags.into_iter().collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.process.shutdown.cancel();
    }
}

fn configuration(
    backbone: &Backbone,
    (zendesk, freshdesk, intercom): (&Zendesk, &Freshdesk, &Intercom),
    overrides: &[(String, String)],
    secrets: &TempDir,
) -> Config {
    use base64::Engine;
    let write = |name: &str, value: &str| {
        let path = secrets.path().join(name);
        std::fs::write(&path, value).unwrap();
        format!("file:{}", path.display())
    };
    let master = write("master", &base64::engine::general_purpose::STANDARD.encode([7u8; 32]));
    let key = write("key", &freshdesk.options().api_key);
    let bearer = write("bearer", &intercom.options().access_token);
    let signs = write("signs", &intercom.options().client_secret);
    let (token, secret) = (write("token", &zendesk.options().api_token), write("webhook", SECRET));
    let text = format!(
        r#"
        [kafka]
        bootstrap = "{}"
        partitions = 2
        [registry]
        url = "{}"
        [keys]
        master = "{master}"
        [http]
        webhooks = "127.0.0.1:0"
        [tenants.{TENANT}.zendesk]
        url = "{}"
        email = "{}"
        api_token = "{token}"
        webhook_secret = "{secret}"
        [tenants.{FRESH}.freshdesk]
        url = "{}"
        api_key = "{key}"
        webhook_secret = "{secret}"
        unset_priority = "low"
        [tenants.{CHAT}.intercom]
        url = "{}"
        access_token = "{bearer}"
        client_secret = "{signs}"
        priority_attribute = "Urgency"
        "#,
        backbone.bootstrap,
        backbone.registry,
        zendesk.url(),
        zendesk.options().email,
        freshdesk.url(),
        intercom.url(),
    );
    let path = secrets.path().join("deskstream.toml");
    std::fs::write(&path, text).unwrap();
    let mut config = config::load(Some(&path), &Vec::new()).unwrap_or_else(|error| panic!("{error}"));
    for (key, value) in overrides {
        match key.as_str() {
            "kafka.topic_prefix" => config.kafka.topic_prefix.clone_from(value),
            "http.max_in_flight" => config.http.max_in_flight = value.parse().unwrap(),
            "spool.directory" => config.spool.directory = Some(value.into()),
            "spool.max_bytes" => config.spool.max_bytes.0 = value.parse().unwrap(),
            "spool.after" => config.spool.after = Duration::from_millis(value.parse().unwrap()),
            "http.max_body" => config.http.max_body.0 = value.parse().unwrap(),
            "write_back.enabled" => config.write_back.enabled = value.parse().unwrap(),
            "write_back.dry_run" => config.write_back.dry_run = value.parse().unwrap(),
            "requests_per_minute" => zendesk_of(&mut config).requests_per_minute = value.parse().unwrap(),
            "updates_per_minute" => zendesk_of(&mut config).updates_per_minute = value.parse().unwrap(),
            "http.trust_forwarded_for" => config.http.trust_forwarded_for = value.parse().unwrap(),
            "webhook_sources" => {
                let networks =
                    value.split(',').map(|network| serde_json::from_value(network.into()).unwrap());
                freshdesk_of(&mut config).webhook_sources = networks.collect();
            }
            "write_back.draft" => {
                config.write_back.draft = serde_json::from_value(value.as_str().into()).unwrap();
            }
            "zendesk.batch" => zendesk_of(&mut config).batch = value.parse().unwrap(),
            "zendesk.root_cause" => {
                zendesk_of(&mut config).fields = [("root_cause".to_owned(), value.parse().unwrap())].into();
            }
            "write_back.note" => config.write_back.note = value.parse().unwrap(),
            other => panic!("no override for {other}"),
        }
    }
    config.connectors.hosts = vec!["127.0.0.1".to_owned()];
    // Groups are the cluster's, topics ours: tests on one broker must not share them.
    config.pipeline.group = format!("{}deskstream", config.kafka.topic_prefix);
    config
}

fn zendesk_of(config: &mut Config) -> &mut config::ZendeskConfig {
    config.tenants.get_mut(TENANT).unwrap().zendesk.as_mut().unwrap()
}

fn freshdesk_of(config: &mut Config) -> &mut config::FreshdeskConfig {
    config.tenants.get_mut(FRESH).unwrap().freshdesk.as_mut().unwrap()
}

fn payloads(config: &config::KafkaConfig, topic: &str) -> Vec<Vec<u8>> {
    let mut client = deskstream_runtime::kafka::consumer(config, "observer");
    let consumer: BaseConsumer = client.set("enable.partition.eof", "true").create().unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
    let mut list = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        list.add_partition_offset(topic, partition.id(), Offset::Beginning).unwrap();
    }
    consumer.assign(&list).unwrap();
    let (mut found, mut open, mut refused) = (Vec::new(), list.count(), None);
    let deadline = Instant::now() + PATIENCE;
    while open > 0 && Instant::now() < deadline {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => found.extend(message.payload().map(<[u8]>::to_vec)),
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => open -= 1,
            // A broker that is just back refuses for a moment: it is asked again until the deadline.
            Some(Err(error)) => refused = Some(error),
            None => {}
        }
    }
    assert_eq!(open, 0, "{topic} could not be read to its end: {refused:?}");
    found
}

/// Asks until there is an answer.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited too long for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub async fn within<T>(time: Duration, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(time, work).await.expect("it takes too long")
}

/// A counter's value; 0 if it was never touched.
pub fn counted(name: &str, labels: &[(&str, &str)]) -> f64 {
    let families = prometheus::gather();
    let metrics =
        families.iter().filter(|family| family.name() == name).flat_map(|family| family.get_metric());
    let wanted = metrics.filter(|metric| {
        labels.iter().all(|(name, value)| {
            metric.get_label().iter().any(|label| label.name() == *name && label.value() == *value)
        })
    });
    wanted.map(|metric| metric.get_counter().get_value()).sum()
}
