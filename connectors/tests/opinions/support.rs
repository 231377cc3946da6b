//! A platform, sample servers, and requests for second opinions.

use deskstream_connectors::kafka::{Producer, ProducerOptions, Sink};
use deskstream_connectors::llm;
use deskstream_embedded::Platform;
use deskstream_runtime::config::{self, Config};
use deskstream_runtime::{Process, kafka, time::now_ms};
use deskstream_samples::{Llm, llm as sample};
use deskstream_schemas::{
    Analysis, Decoder, Label, Opinion, OpinionRequest, Platform as Helpdesk, Tier, Topic,
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub const PATIENCE: Duration = Duration::from_secs(120);
pub const KEY: &str = "sk-test-0123456789";

/// Two providers, the first in OpenAI's shape, the second in Ollama's, and topics of its own.
pub struct Scene {
    pub main: Llm,
    pub second: Llm,
    pub directory: tempfile::TempDir,
    /// Settings besides those that every scene has.
    pub settings: Vec<(String, String)>,
    prefix: &'static str,
}

/// A setting: text, or behind a `#` whatever TOML has.
pub fn set(key: &str, value: impl Into<String>) -> (String, String) {
    (key.to_owned(), value.into())
}

impl Scene {
    pub async fn new(prefix: &'static str) -> Self {
        deskstream_runtime::install_crypto_provider();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("master"), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
            .unwrap();
        std::fs::write(directory.path().join("key"), KEY).unwrap();
        let main = sample::Options { api_key: Some(KEY.into()), ..sample::Options::default() };
        Self {
            main: Llm::start(main).await.unwrap(),
            second: Llm::start(sample::Options::default()).await.unwrap(),
            directory,
            settings: Vec::new(),
            prefix,
        }
    }

    pub fn toml(&self) -> String {
        let key = self.directory.path().join("key").display().to_string();
        format!(
            r#"
[opinions]
chain = ["main"]
deadline = "20s"
[opinions.policy]
ask = "always"
[opinions.providers.main]
kind = "openai"
url = "{}/v1"
model = "small"
api_key = "file:{key}"
timeout = "2s"
attempts = 2
price = {{ input_per_million_usd = 0.15, output_per_million_usd = 0.6, as_of = "2026-11-01" }}
[opinions.providers.second]
kind = "ollama"
url = "{}"
model = "llama"
timeout = "2s"
attempts = 2
price = {{ input_per_million_usd = 0.0, output_per_million_usd = 0.0, as_of = "2026-11-01" }}
"#,
            self.main.url(),
            self.second.url()
        )
    }

    pub fn config(&self) -> Config {
        let platform = Platform::for_tests();
        let mut all = vec![
            set("kafka.bootstrap", platform.kafka()),
            set("kafka.topic_prefix", format!("{}.", self.prefix)),
            set("kafka.partitions", "#2"),
            set("registry.url", platform.registry()),
            set("keys.master", format!("file:{}", self.directory.path().join("master").display())),
            set("pipeline.group", self.prefix),
        ];
        all.extend(self.settings.clone());
        let mut root: toml::Table = toml::from_str(&self.toml()).unwrap();
        for (key, value) in all {
            let value = match value.strip_prefix('#') {
                Some(literal) => {
                    toml::from_str::<toml::Table>(&format!("x = {literal}")).unwrap().remove("x").unwrap()
                }
                None => value.into(),
            };
            let (sections, name) = key.rsplit_once('.').unwrap();
            let section = sections.split('.').fold(&mut root, |table, section| {
                let next = table.entry(section).or_insert_with(|| toml::Table::new().into());
                next.as_table_mut().unwrap()
            });
            section.insert(name.to_owned(), value);
        }
        let file = self.directory.path().join("deskstream.toml");
        std::fs::write(&file, toml::to_string(&root).unwrap()).unwrap();
        config::load(Some(&file), &Vec::new()).unwrap()
    }

    pub async fn run(&self) -> Run {
        let process = Process::start(Arc::new(self.config()), CancellationToken::new()).await.unwrap();
        let tasks = llm::spawn(&process).await.unwrap();
        let producer = Producer::new(&process, ProducerOptions::records()).unwrap();
        Run { requests: Sink::new(&process, producer), process, tasks }
    }
}

pub struct Run {
    pub process: Process,
    tasks: JoinSet<()>,
    requests: Sink<OpinionRequest>,
}

impl Run {
    pub async fn ask(&self, request: &OpinionRequest) {
        self.requests.send(&request.key(), request).await.unwrap();
    }

    pub async fn stop(mut self) {
        self.process.shutdown.cancel();
        while self.tasks.join_next().await.is_some() {}
    }

    /// Ends it as `kill -9` would: nothing is committed, nothing is given back.
    pub async fn kill(mut self) {
        self.tasks.shutdown().await;
        self.process.shutdown.cancel();
    }

    /// Reads the opinions from their beginning until there are so many.
    pub async fn opinions(&self, count: usize) -> Vec<Opinion> {
        self.opinions_within(count, PATIENCE).await
    }

    pub async fn opinions_within(&self, count: usize, patience: Duration) -> Vec<Opinion> {
        let process = self.process.clone();
        let read = move || {
            let name = process.topics.name(Topic::Opinions);
            let consumer: BaseConsumer =
                kafka::consumer(&process.config.kafka, "test-reader").create().unwrap();
            let metadata = consumer.fetch_metadata(Some(&name), PATIENCE).unwrap();
            let mut list = TopicPartitionList::new();
            for partition in metadata.topics()[0].partitions() {
                list.add_partition_offset(&name, partition.id(), Offset::Beginning).unwrap();
            }
            consumer.assign(&list).unwrap();
            let decoder: Decoder<Opinion> = Decoder::new(Arc::clone(&process.registry));
            let (mut records, deadline) = (Vec::new(), Instant::now() + patience);
            while records.len() < count {
                assert!(Instant::now() < deadline, "only {} of {count} opinions came", records.len());
                if let Some(message) = consumer.poll(Duration::from_millis(50)) {
                    records.push(decoder.decode(message.unwrap().payload().unwrap()).unwrap());
                }
            }
            records.sort_by(|a: &Opinion, b| a.opinion_id.cmp(&b.opinion_id));
            records
        };
        tokio::task::spawn_blocking(read).await.unwrap()
    }
}

pub fn request(ticket: u32, body: &str) -> OpinionRequest {
    let label = |value: &'static str| Label { value: value.into(), confidence: 0.3, abstained: true };
    OpinionRequest {
        request_id: format!("r-{ticket}"),
        tenant: "acme".into(),
        platform: Helpdesk::Zendesk,
        ticket_id: ticket.to_string(),
        event_id: format!("e-{ticket}"),
        version: 1,
        text_hash: i64::from(ticket),
        asked_at: now_ms(),
        reason: "always".into(),
        value: 0.5,
        language: "en".into(),
        subject: "Help".into(),
        body: body.into(),
        local: Analysis {
            root_cause: label("other"),
            urgency: label("normal"),
            sentiment: label("neutral"),
            sentiment_score: 0.0,
            industry: label("general"),
            language: "en".into(),
            language_confidence: 0.9,
            tier: Tier::Local,
            model: "local/x".into(),
            latency_us: 10,
            tokens_in: 0,
            tokens_out: 0,
            cost_microusd: 0,
        },
    }
}
