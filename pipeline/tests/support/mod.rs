//! A broker and a registry for the tests of this crate.

use deskstream_embedded::{Kafka, KafkaOptions, Registry, RegistryOptions};
use deskstream_runtime::Process;
use deskstream_runtime::config::{self, Config};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A broker and a registry; each test has topics of its own by prefix.
pub struct Bed {
    kafka: Kafka,
    registry: Registry,
    dir: tempfile::TempDir,
}

impl Bed {
    pub async fn start() -> Self {
        deskstream_runtime::install_crypto_provider();
        let dir = tempfile::tempdir().unwrap();
        let kafka = Kafka::start(KafkaOptions::new(dir.path().join("kafka"))).await.unwrap();
        let registry = Registry::start(RegistryOptions::new(kafka.bootstrap())).await.unwrap();
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
