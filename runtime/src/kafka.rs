//! Kafka clients with the settings that the guarantees rest on, and the topics.

mod polled;

pub use polled::polled;

use crate::config::KafkaConfig;
use deskstream_schemas::{Cleanup, Topic, Topics};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode;
use secrecy::ExposeSecret;
use std::time::{Duration, Instant};

const REACH_TIMEOUT: Duration = Duration::from_secs(10);

/// A broker that is only just up answers metadata before it can create topics.
const ADMIN_TIMEOUT: Duration = Duration::from_secs(30);

const LEADER_RETRY: Duration = Duration::from_millis(50);

/// Kafka could not be reached or refused.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    /// No broker answered.
    #[error("can't reach Kafka at {bootstrap} within {}s: start it, or set kafka.bootstrap (--kafka)", REACH_TIMEOUT.as_secs())]
    Unreachable {
        /// The configured address.
        bootstrap: String,
        /// Why.
        #[source]
        source: rdkafka::error::KafkaError,
    },
    /// A client could not be made: a property is wrong.
    #[error("set up a Kafka client: check kafka.properties")]
    Client(#[source] rdkafka::error::KafkaError),
    /// A topic could not be created.
    #[error("create topic {topic}: {code}; create it by hand, or let the user create topics")]
    CreateTopic {
        /// Full name.
        topic: String,
        /// The broker's error code.
        code: RDKafkaErrorCode,
    },
}

/// Settings that every client shares.
pub fn client(config: &KafkaConfig) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", &config.bootstrap)
        .set("client.id", "deskstream")
        // Brokers that restart are found again soon, and those that are gone do not flood the log.
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "2000")
        .set("log.connection.close", "false");
    for (key, value) in &config.properties {
        client.set(key, value);
    }
    if let Some(password) = &config.sasl_password {
        client.set("sasl.password", password.expose().expose_secret());
    }
    client
}

/// A producer's settings: durable (acks=all), without duplicates on retry, compressed.
pub fn producer(config: &KafkaConfig) -> ClientConfig {
    let mut client = client(config);
    client
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("compression.type", "lz4")
        .set("message.max.bytes", MAX_MESSAGE_BYTES.to_string());
    client
}

/// A consumer's settings: explicit offsets, committed records only, no metadata surprises.
pub fn consumer(config: &KafkaConfig, group: &str) -> ClientConfig {
    let mut client = client(config);
    client
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("isolation.level", "read_committed")
        .set("fetch.message.max.bytes", MAX_MESSAGE_BYTES.to_string())
        // The broker answers as soon as there is a record: a short wait would only have it asked in vain, by a dozen
        // idle consumers, fifty times a second each. (Measured on two cores: 0.3 cores for nothing.)
        .set("fetch.wait.max.ms", "500")
        // A full queue is looked at again after a second by default, long after it was emptied.
        .set("fetch.queue.backoff.ms", "20")
        .set("fetch.error.backoff.ms", "100");
    client
}

/// Largest record: a ticket of 5 MiB in its envelope, encrypted.
pub const MAX_MESSAGE_BYTES: usize = 8 * 1024 * 1024;

/// Fails with one clear line if no broker answers.
pub async fn reachable(config: &KafkaConfig) -> Result<(), KafkaError> {
    let probe: BaseConsumer = client(config).create().map_err(KafkaError::Client)?;
    let bootstrap = config.bootstrap.clone();
    tokio::task::spawn_blocking(move || probe.fetch_metadata(None, REACH_TIMEOUT).map(drop))
        .await
        .expect("fetching metadata does not panic")
        .map_err(|source| KafkaError::Unreachable { bootstrap, source })
}

/// The first and the next offset of a partition. Waits (blocking) while a topic just made gets its leader.
pub fn watermarks<X: ConsumerContext, C: Consumer<X>>(
    consumer: &C,
    topic: &str,
    partition: i32,
    timeout: Duration,
) -> Result<(i64, i64), rdkafka::error::KafkaError> {
    use RDKafkaErrorCode::{
        LeaderNotAvailable, NotLeaderForPartition, OffsetNotAvailable, UnknownPartition,
        UnknownTopicOrPartition,
    };
    let deadline = Instant::now() + timeout;
    loop {
        match consumer.fetch_watermarks(topic, partition, timeout) {
            Err(error)
                if Instant::now() < deadline
                    && matches!(
                        error.rdkafka_error_code(),
                        Some(
                            LeaderNotAvailable
                                | NotLeaderForPartition
                                | OffsetNotAvailable
                                | UnknownPartition
                                | UnknownTopicOrPartition
                        )
                    ) =>
            {
                std::thread::park_timeout(LEADER_RETRY);
            }
            result => return result,
        }
    }
}

/// Creates the topics that are missing. Those that exist keep their settings.
pub async fn ensure_topics(config: &KafkaConfig, topics: &Topics) -> Result<(), KafkaError> {
    let admin: AdminClient<DefaultClientContext> = client(config).create().map_err(KafkaError::Client)?;
    let names: Vec<_> = Topic::ALL.iter().map(|t| (*t, topics.name(*t))).collect();
    let settings: Vec<_> = names.iter().map(|(topic, _)| topic_settings(*topic)).collect();
    let wanted: Vec<_> = names
        .iter()
        .zip(&settings)
        .map(|((topic, name), settings)| {
            let partitions = if topic.scales() { config.partitions } else { 1 };
            let new = NewTopic::new(name, partitions, TopicReplication::Fixed(config.replication));
            settings.iter().fold(new, |new, (key, value)| new.set(key, value))
        })
        .collect();
    let options =
        AdminOptions::new().operation_timeout(Some(ADMIN_TIMEOUT)).request_timeout(Some(ADMIN_TIMEOUT));
    for created in admin.create_topics(&wanted, &options).await.map_err(KafkaError::Client)? {
        match created {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(KafkaError::CreateTopic { topic, code }),
        }
    }
    Ok(())
}

/// What a tombstone erases is off the broker's disks after this and a run of its cleaner: by default a segment in use
/// would be kept for a week, and a destroyed key with it.
const ERASED_WITHIN_MS: i64 = 60 * 60 * 1000;

fn topic_settings(topic: Topic) -> Vec<(&'static str, String)> {
    let mut settings = vec![("max.message.bytes", MAX_MESSAGE_BYTES.to_string())];
    match topic.cleanup() {
        Cleanup::Delete(ms) => {
            settings.push(("cleanup.policy", "delete".into()));
            settings.push(("retention.ms", ms.to_string()));
        }
        Cleanup::Compact => {
            settings.push(("cleanup.policy", "compact".into()));
            settings.push(("max.compaction.lag.ms", ERASED_WITHIN_MS.to_string()));
        }
        Cleanup::CompactDelete(ms) => {
            settings.push(("cleanup.policy", "compact,delete".into()));
            settings.push(("retention.ms", ms.to_string()));
        }
    }
    settings
}
