//! Second opinions by language models: `opinions.requests` in, `opinions` out.
//!
//! # Contract
//! * **Every request ends in an opinion**: answered, skipped or failed. Where there is no valid answer the local judgement
//!   stands. Nothing here can hold up the pipeline: it writes requests and goes on.
//! * **Bounded**: `opinions.queue` requests in memory, `opinions.concurrency` in hand. The rest waits in Kafka, and what
//!   has waited for longer than `opinions.max_age` is skipped, so that a slow provider costs opinions and nothing else.
//! * **Providers** are asked in the order of `opinions.chain`. Each has limits of its own on concurrency, requests and
//!   tokens, retries, and a circuit breaker ([`crate::http`]).
//! * **Only what was asked for is believed**: labels of the schema, by strict reading, with one repair (module `answer`).
//! * **Money** is held back before it is spent, and counted as providers tell (modules `budget`, `tokens`).
//! * **At least once**: a crash between a provider's answer and our record of it asks again. What is recorded is
//!   known after a restart, too (module `cache`).
//!
//! | file | what |
//! | --- | --- |
//! | `encoder` | the local encoder, before any provider |
//! | `prompt`, `prompts/` | questions, from versioned files |
//! | `answer` | strict reading |
//! | `provider`, `openai`, `ollama` | protocols |
//! | `endpoint` | one provider with its limits and its price |
//! | `chain` | fallback and repair |
//! | `budget`, `tokens` | money and tokens |
//! | `cache`, `warm` | answers to questions that come again |
//! | `worker` | one request |

mod answer;
mod budget;
mod cache;
mod chain;
mod encoder;
mod endpoint;
mod metrics;
mod ollama;
mod openai;
pub mod prompt;
mod provider;
mod tokens;
mod warm;
mod worker;

use crate::http::{CallError, SetupError};
use crate::kafka::{DeadLetterSink, Feed, FeedError, FeedOptions, Producer, ProducerOptions, Sink};
use budget::Budget;
use cache::Cache;
use chain::Chain;
use deskstream_runtime::Process;
use deskstream_runtime::config::{Config, OpinionsConfig};
use deskstream_runtime::control::ControlError;
use deskstream_runtime::kafka::KafkaError;
use deskstream_runtime::time::now_ms;
use deskstream_schemas::OpinionRequest;
use encoder::Local;
use endpoint::Endpoint;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use worker::Worker;

/// Name in `updated_by`.
const ACTOR: &str = "llm";

/// Second opinions could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LlmError {
    /// A provider's key is missing.
    #[error(
        "opinions.providers.{provider}.api_key: {problem}; set it, or name another \"env:NAME\" or \"file:PATH\""
    )]
    Key {
        /// Name of the provider.
        provider: String,
        /// What is wrong. Never the key.
        problem: String,
    },
    /// A provider's client could not be made.
    #[error("opinions.providers.{provider}: set up its client")]
    Client {
        /// Name of the provider.
        provider: String,
        /// Why.
        #[source]
        source: Box<SetupError>,
    },
    /// A provider of the chain is not described.
    #[error("opinions.chain names `{0}`, which is no provider; describe it as [opinions.providers.{0}]")]
    Unknown(String),
    /// The encoder's files are not there, or others.
    #[error("opinions.encoder")]
    Encoder(#[source] deskstream_analyze::EncoderError),
    /// A head of the encoder can't be used.
    #[error(
        "opinions.encoder.heads: {file}: {problem}; train it again, or leave heads out to use the shipped ones"
    )]
    EncoderHead {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// The fast model that the encoder's heads listen to can't be used.
    #[error("pipeline.model")]
    FastModel(#[source] deskstream_analyze::ModelError),
    /// A producer could not be made.
    #[error(transparent)]
    Producer(#[from] KafkaError),
    /// The control topic could not be written.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The requests could not be subscribed to.
    #[error(transparent)]
    Feed(#[from] FeedError),
}

fn endpoints(config: &OpinionsConfig) -> Result<Vec<Endpoint>, LlmError> {
    let one = |name: &String| {
        let provider = config.providers.get(name).ok_or_else(|| LlmError::Unknown(name.clone()))?;
        Endpoint::new(name, provider)
    };
    config.chain.iter().map(one).collect()
}

/// The encoder, if one is configured.
fn local(config: &Config) -> Result<Option<Arc<Local>>, LlmError> {
    let Some(encoder) = &config.opinions.encoder else { return Ok(None) };
    Ok(Some(Arc::new(Local::open(encoder, config.pipeline.model.as_deref())?)))
}

/// Checks the configured providers without reaching any of them, and the encoder's files.
pub fn check(config: &Config) -> Result<(), LlmError> {
    deskstream_runtime::install_crypto_provider();
    endpoints(&config.opinions)?;
    local(config).map(drop)
}

/// Asks each provider of the chain for its list of models, which costs nothing; gives its name, and what is wrong.
///
/// # Errors
/// If a provider is not described as it must be.
pub async fn reach(
    config: &OpinionsConfig,
    patience: Duration,
) -> Result<Vec<(String, Option<CallError>)>, LlmError> {
    deskstream_runtime::install_crypto_provider();
    let mut reached = Vec::new();
    for endpoint in endpoints(config)? {
        let result = endpoint.reach(Instant::now() + patience).await;
        reached.push((endpoint.name().to_owned(), result.err()));
    }
    Ok(reached)
}

/// Starts answering requests, if providers are configured; ends on the process' shutdown.
pub async fn spawn(process: &Process) -> Result<JoinSet<()>, LlmError> {
    let mut tasks = JoinSet::new();
    let config = &process.config.opinions;
    if config.chain.is_empty() && config.encoder.is_none() {
        return Ok(tasks);
    }
    let endpoints = endpoints(config)?;
    let local = local(&process.config)?;
    let producer = Producer::new(process, ProducerOptions::records())?;
    let dead_letters = DeadLetterSink::start(process, producer.clone(), ACTOR).await?;
    let budget = Arc::new(Budget::new(process.control.clone(), ACTOR));
    budget.tidy(now_ms()).await?;
    let cache = Arc::new(Cache::new(config.cache));
    {
        let (process, cache, capacity) = (process.clone(), Arc::clone(&cache), config.cache.get());
        let warmed = tokio::task::spawn_blocking(move || warm::warm(&process, &cache, capacity)).await;
        match warmed.expect("reading a topic does not panic") {
            Ok(answers) => tracing::info!(answers, "second opinions of before are known"),
            Err(error) => {
                tracing::warn!(%error, "second opinions of before are not known: they are asked again");
            }
        }
    }
    let options = FeedOptions {
        concurrency: config.concurrency.get(),
        queue: config.queue.get(),
        ..FeedOptions::new("opinions", format!("{}-opinions", process.config.pipeline.group))
    };
    let feed: Feed<OpinionRequest> = Feed::new(process, options, dead_letters)?;
    let worker = Arc::new(Worker {
        config: Arc::clone(&process.config),
        chain: Chain { endpoints, budget: Arc::clone(&budget) },
        local,
        cache,
        opinions: Sink::new(process, producer),
        shutdown: process.shutdown.clone(),
    });
    tasks.spawn(async move {
        feed.run(move |received| {
            let worker = Arc::clone(&worker);
            async move { worker.handle(&received).await }
        })
        .await;
        budget.close().await;
    });
    Ok(tasks)
}
