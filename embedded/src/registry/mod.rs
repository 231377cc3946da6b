//! A schema registry with Confluent's public API, for Avro, with its state in the broker.
//!
//! Contract:
//! - State is a compacted topic with one partition (`_schemas`), in the record format of Confluent's registry, so
//!   that one can be put in our place on the same topic.
//! - A change is answered only after it is committed with `acks=all` and has come back through the consumer that
//!   builds the state in memory: there is one way in which state changes, at start and in operation.
//! - An id, once given, means the same schema for ever: over restarts, `kill -9` and deletions.
//! - One registry writes at a time. Each takes the topic's transactional id at start, which fences the one before
//!   it; a fenced one still answers reads and refuses writes with 50003. The newest wins.
//!
//! ```text
//! http (api) → service: checks against State, one change at a time
//!                ├ writer thread: one transaction per change ──→ topic _schemas
//!                └ State ←── apply ←── reader thread ←───────────────┘
//! ```
//!
//! AVRO only; other schema types are refused with 42201. Not there, as the embedded default does not need them:
//! contexts, exporters, rule sets, IMPORT mode, and forwarding to a leader.

mod api;
mod avro;
mod error;
mod log;
mod proposal;
mod record;
mod service;
mod state;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use url::Url;

use self::service::Service;
use crate::{Error, Result};

pub use self::avro::Compatibility;

/// How the registry is run.
#[derive(Clone, Debug)]
pub struct RegistryOptions {
    /// The Kafka cluster that holds the schemas.
    pub bootstrap: String,
    /// Client properties for it, such as `security.protocol`.
    pub properties: Vec<(String, String)>,
    /// Where to listen; there is no authentication, so anything but loopback needs a proxy in front.
    pub listen: SocketAddr,
    /// The topic that holds the schemas.
    pub topic: String,
    /// The compatibility level where none is set.
    pub compatibility: Compatibility,
    /// How long the start, and then each change, may take.
    pub timeout: Duration,
}

impl RegistryOptions {
    /// Confluent's defaults, on a free loopback port.
    pub fn new(bootstrap: impl Into<String>) -> Self {
        Self {
            bootstrap: bootstrap.into(),
            properties: Vec::new(),
            listen: crate::ports::loopback(0),
            topic: "_schemas".into(),
            compatibility: Compatibility::Backward,
            timeout: Duration::from_secs(30),
        }
    }
}

/// A running registry. Dropping it ends it.
#[derive(Debug)]
pub struct Registry {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

impl Registry {
    /// Starts the registry on the current runtime; returns when it has all of the topic in memory and serves.
    pub async fn start(options: RegistryOptions) -> Result<Self> {
        let listener = TcpListener::bind(options.listen).await.map_err(|source| Error::Unreachable {
            what: "registry",
            url: options.listen.to_string(),
            detail: format!("could not listen: {source}"),
        })?;
        let address = listener.local_addr().map_err(Error::file("read the address of", "the registry"))?;
        let service = Arc::new(Service::open(&options).await?);
        let (stop, stopped) = oneshot::channel();
        let router = api::router(service);
        let server = tokio::spawn(async move {
            let shutdown = async move {
                // Both a word and a dropped sender mean the end.
                let _ = stopped.await;
            };
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(shutdown).await {
                tracing::error!(%error, "schema registry ended");
            }
        });
        tracing::info!(%address, topic = options.topic, "schema registry serves");
        Ok(Self { address, stop: Some(stop), server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL, without a slash at the end: what `schema_registry_converter` wants.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Finishes the requests that run, then ends.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        // A client that keeps its connection open must not keep us.
        if tokio::time::timeout(Duration::from_secs(5), &mut self.server).await.is_err() {
            self.server.abort();
        }
    }

    /// Runs until it ends by itself, which it does not.
    pub async fn wait(&mut self) {
        let _ = (&mut self.server).await;
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Checks that a registry answers at `url`, with a user and password if it wants them.
pub async fn check(url: &Url, login: Option<(&str, &SecretString)>) -> Result<()> {
    let subjects = format!("{}/subjects", url.as_str().trim_end_matches('/'));
    let unreachable = |detail: String| Error::Unreachable {
        what: "schema registry",
        url: crate::http::origin(url),
        detail,
    };
    let mut request = crate::http::client()?.get(subjects).timeout(Duration::from_secs(5));
    if let Some((user, password)) = login {
        request = request.basic_auth(user, Some(password.expose_secret()));
    }
    let answer = request.send().await.map_err(|error| unreachable(crate::http::reason(error)))?;
    if !answer.status().is_success() {
        return Err(unreachable(format!("GET /subjects answered {}", answer.status())));
    }
    answer.json::<Vec<String>>().await.map(drop).map_err(|error| unreachable(crate::http::reason(error)))
}
