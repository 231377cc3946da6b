//! What a process sets up before its own work: clients, topics, schemas, keys.

use crate::config::Config;
use crate::control::{Control, ControlError};
use crate::health::Health;
use crate::kafka::{self, KafkaError};
use crate::seal::{KeysError, Vault, Wraps};
use deskstream_schemas::{Registry, RegistryError, RegistryOptions, SchemaIds, Topics};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The process could not start.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each variant wraps the error of one step")]
pub enum StartError {
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Control(#[from] ControlError),
}

/// Chooses the TLS implementation for the whole process; harmless when called again.
pub fn install_crypto_provider() {
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// What every part of a process shares.
#[derive(Clone)]
pub struct Process {
    /// The validated configuration.
    pub config: Arc<Config>,
    /// Topic names.
    pub topics: Topics,
    /// The schema registry's client.
    pub registry: Arc<Registry>,
    /// Ids of our schemas.
    pub ids: Arc<SchemaIds>,
    /// Data keys.
    pub vault: Arc<Vault>,
    /// The materialised `control` topic.
    pub control: Control,
    /// Health, part by part.
    pub health: Health,
    /// Cancelled when the process shall end.
    pub shutdown: CancellationToken,
}

impl Process {
    /// Reaches Kafka and the registry, makes sure of topics and schemas, and reads `control` to its end.
    pub async fn start(config: Arc<Config>, shutdown: CancellationToken) -> Result<Self, StartError> {
        install_crypto_provider();
        deskstream_schemas::limit_allocations();
        let health = Health::default();
        let topics = Topics::new(config.kafka.topic_prefix.clone());
        kafka::reachable(&config.kafka).await?;
        kafka::ensure_topics(&config.kafka, &topics).await?;
        let registry = Arc::new(Registry::new(&registry_options(&config))?);
        let ids = Arc::new(registry.register_all(&topics).await?);
        let keys = config.keys.clone();
        let wraps = tokio::task::spawn_blocking(move || Wraps::load(&keys))
            .await
            .expect("reading master keys does not panic")?;
        let vault = Arc::new(Vault::with_wrap(Box::new(wraps)));
        let control = Control::start(
            &config.kafka,
            &topics,
            &registry,
            &ids,
            Arc::clone(&vault),
            &health,
            shutdown.clone(),
        )
        .await?;
        Ok(Self { config, topics, registry, ids, vault, control, health, shutdown })
    }
}

/// How the registry's client is set up from the configuration.
pub fn registry_options(config: &Config) -> RegistryOptions {
    use secrecy::ExposeSecret;
    RegistryOptions {
        url: config.registry.url.as_str().trim_end_matches('/').to_owned(),
        basic_auth: config.registry.user.clone().map(|user| {
            let password = config.registry.password.as_ref().map(|p| p.expose().expose_secret().to_owned());
            (user, password.unwrap_or_default())
        }),
        timeout: Duration::from_secs(10),
    }
}
