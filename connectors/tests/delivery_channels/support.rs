//! A platform, both services, and alerts to deliver.

use deskstream_connectors::delivery;
use deskstream_connectors::delivery::DeliveryOptions;
use deskstream_connectors::http::Backoff;
use deskstream_connectors::kafka::{Producer, ProducerOptions, Sink};
use deskstream_embedded::{Kafka, KafkaOptions, Registry, RegistryOptions};
use deskstream_runtime::config::Config;
use deskstream_runtime::{Process, config, kafka};
use deskstream_samples::faults::Fault;
use deskstream_samples::pagerduty::Incident;
use deskstream_samples::{PagerDuty, Slack, pagerduty, slack};
use deskstream_schemas::*;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub const PATIENCE: Duration = Duration::from_secs(60);
pub const ROUTING_KEY: &str = "0123456789abcdef0123456789abcdef";
pub const ENQUEUE: &str = "/v2/enqueue";
pub const HOOK: &str = "/services/**";

/// One broker and registry for all tests of this file, each of which has topics of its own. They live in a
/// runtime that outlives any test's; their guard ends them with the process.
pub struct Platform {
    pub bootstrap: String,
    pub registry: String,
}

pub static PLATFORM: LazyLock<Platform> = LazyLock::new(|| {
    deskstream_runtime::install_crypto_provider();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let directory = tempfile::Builder::new().prefix("deskstream-delivery-").tempdir().unwrap().keep();
            let options = KafkaOptions { ephemeral: true, ..KafkaOptions::new(directory) };
            let kafka = Kafka::start(options).await.unwrap();
            let registry = Registry::start(RegistryOptions::new(kafka.bootstrap())).await.unwrap();
            sender.send(Platform { bootstrap: kafka.bootstrap(), registry: registry.url() }).unwrap();
            std::future::pending::<()>().await;
        });
    });
    receiver.recv().unwrap()
});

pub async fn platform() -> &'static Platform {
    tokio::task::spawn_blocking(|| &*PLATFORM).await.unwrap()
}

pub async fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// PagerDuty and Slack, a configuration that names them, and topics of its own.
pub struct Scene {
    pub pagerduty: PagerDuty,
    pub slack: Slack,
    pub directory: tempfile::TempDir,
    /// Further channels, as TOML.
    pub channels: String,
    pub prefix: &'static str,
    pub platform: &'static Platform,
}

impl Scene {
    pub async fn new(prefix: &'static str) -> Self {
        let slack = Slack::start(slack::Options::default()).await.unwrap();
        Self::with_slack(prefix, slack).await
    }

    pub async fn with_slack(prefix: &'static str, slack: Slack) -> Self {
        let platform = platform().await;
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        write("master", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
        write("routing", ROUTING_KEY);
        write("hook", &slack.webhook_url());
        let pagerduty = PagerDuty::start(pagerduty::Options::default()).await.unwrap();
        Self { pagerduty, slack, directory, channels: String::new(), prefix, platform }
    }

    /// Keeps a secret in a file, and gives what the configuration says of it.
    pub fn secret(&self, name: &str, text: &str) -> String {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        format!("file:{}", path.display())
    }

    pub fn config(&self, group: &str) -> Config {
        let file = |name: &str| format!("file:{}", self.directory.path().join(name).display());
        let set = |key: &str, value: String| (key.to_owned(), value);
        let overrides = vec![
            set("kafka.bootstrap", self.platform.bootstrap.clone()),
            set("kafka.topic_prefix", format!("{}.", self.prefix)),
            set("registry.url", self.platform.registry.clone()),
            set("keys.master", file("master")),
            set("pipeline.group", group.to_owned()),
            set("alerts.channels.pager.kind", "pagerduty".into()),
            set("alerts.channels.pager.routing_key", file("routing")),
            set("alerts.channels.pager.url", format!("{}{ENQUEUE}", self.pagerduty.url())),
            set("alerts.channels.chat.kind", "slack".into()),
            set("alerts.channels.chat.url", file("hook")),
        ];
        let file = self.directory.path().join("channels.toml");
        std::fs::write(&file, &self.channels).unwrap();
        config::load(Some(&file), &overrides).unwrap()
    }

    pub async fn run(&self) -> Run {
        self.run_with(self.prefix, Duration::from_millis(500)).await
    }

    pub async fn run_with(&self, group: &str, longest_wait: Duration) -> Run {
        let wait = Backoff { first: longest_wait / 10, most: longest_wait };
        self.run_as(group, &DeliveryOptions { wait, ..DeliveryOptions::default() }).await
    }

    /// Delivery in a process of its own, as far as Kafka can tell.
    pub async fn run_as(&self, group: &str, options: &DeliveryOptions) -> Run {
        let config = Arc::new(self.config(group));
        let channels = config.alerts.channels.len();
        let process = Process::start(config, CancellationToken::new()).await.unwrap();
        let tasks = delivery::spawn_with(&process, options).await.unwrap();
        assert!(tasks.len() >= channels, "a task for each channel");
        let producer = Producer::new(&process, ProducerOptions::records()).unwrap();
        let alerts = Sink::new(&process, producer);
        Run { process, tasks, alerts }
    }

    pub fn incidents(&self) -> Vec<Incident> {
        self.pagerduty.incidents()
    }

    /// First words of the notification texts that arrived.
    pub fn messages(&self) -> Vec<String> {
        let messages = self.slack.messages();
        messages.iter().map(|m| m.payload["text"].as_str().unwrap().to_owned()).collect()
    }
}

pub struct Run {
    pub process: Process,
    pub tasks: JoinSet<()>,
    pub alerts: Sink<Alert>,
}

impl Run {
    pub async fn tell(&self, alert: &Alert) {
        self.alerts.send(&alert.key(), alert).await.unwrap();
    }

    pub async fn stop(self) {
        self.process.shutdown.cancel();
        self.tasks.join_all().await;
    }

    /// Ends it as `kill -9` would: nothing is committed, nothing runs to its end.
    pub async fn kill(mut self) {
        self.tasks.shutdown().await;
        self.process.shutdown.cancel();
    }

    /// Reads a topic from its beginning until it has so many records that `concern` the test.
    pub async fn read<T: Record>(&self, topic: Topic, count: usize, concern: fn(&T) -> bool) -> Vec<T> {
        let process = self.process.clone();
        let read = move || {
            let name = process.topics.name(topic);
            let consumer: BaseConsumer =
                kafka::consumer(&process.config.kafka, "test-reader").create().unwrap();
            let metadata = consumer.fetch_metadata(Some(&name), PATIENCE).unwrap();
            let mut list = TopicPartitionList::new();
            for partition in metadata.topics()[0].partitions() {
                list.add_partition_offset(&name, partition.id(), Offset::Beginning).unwrap();
            }
            consumer.assign(&list).unwrap();
            let decoder: Decoder<T> = Decoder::new(Arc::clone(&process.registry));
            let (mut records, deadline) = (Vec::new(), Instant::now() + PATIENCE);
            while records.len() < count {
                assert!(Instant::now() < deadline, "{name}: only {} of {count} records came", records.len());
                if let Some(message) = consumer.poll(Duration::from_millis(50)) {
                    let record = decoder.decode(message.unwrap().payload().unwrap()).unwrap();
                    records.extend(Some(record).filter(concern));
                }
            }
            records
        };
        tokio::task::spawn_blocking(read).await.unwrap()
    }

    pub async fn outcomes(&self, count: usize) -> Vec<Outcome> {
        self.read(Topic::Outcomes, count, |_: &Outcome| true).await
    }
}

pub fn firing(rule: &str, tenant: &str, at: i64, channels: &[&str]) -> Alert {
    Alert {
        dedup_key: format!("deskstream/{rule}/{tenant}//{at}"),
        rule: rule.into(),
        tenant: tenant.into(),
        group: String::new(),
        state: AlertState::Firing,
        severity: Severity::Critical,
        value: 0.07,
        threshold: 0.05,
        summary: format!("7 % of the events of {tenant} failed <!channel>"),
        channels: channels.iter().map(|c| (*c).to_owned()).collect(),
        started_at: at,
        changed_at: at,
        labels: BTreeMap::new(),
    }
}

pub fn resolved(firing: &Alert) -> Alert {
    Alert { state: AlertState::Resolved, changed_at: firing.changed_at + 1000, ..firing.clone() }
}

pub const AT: i64 = 1_795_435_200_000;
pub const BOTH: &[&str] = &["pager", "chat"];

pub fn status(status: u16, retry_after: Option<u64>) -> Fault {
    Fault::Status { status, retry_after, body: None }
}

pub fn is_alert_audit(record: &AuditRecord) -> bool {
    record.action == "deliver.alert"
}
