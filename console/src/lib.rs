//! The console: a REST API and a web UI for operators, tenants' admins, agents, reviewers and auditors.
//!
//! - State (users, sessions, keys, settings, reviews) lives in the `control` topic, sealed where it is personal or
//!   secret, and is materialised in memory. There is no further database. One console writes at a time what needs
//!   "read, then write" (ETags, refresh tokens): run one for each installation.
//! - Questions about the past go to ClickHouse, see [`history`].
//! - Every request passes the [`guard`]; who may do what is in [`routes`] and [`identity::permissions`] alone.

pub mod api;
pub mod audit;
pub mod guard;
pub mod history;
pub mod http;
pub mod identity;
mod lag;
pub mod reviews;
pub mod routes;
mod server;
mod ui;

pub use server::{ServeError, Server};

use self::http::error::ApiError;
use self::http::idempotency::Idempotency;
use self::http::rate::Rate;
use axum::response::IntoResponse;
use axum::{Router, middleware};
use deskstream_connectors::kafka::{AuditSink, Producer, ProducerOptions};
use deskstream_runtime::Process;
use deskstream_runtime::health::Part;
use deskstream_runtime::kafka::KafkaError;
use history::History;
use identity::bootstrap::Bootstrap;
use identity::lockout::Lockout;
use identity::{sessions, signing, users};
use reviews::Labels;
use secrecy::SecretString;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

/// Signing keys and ended sessions are looked after so often.
const CARE: Duration = Duration::from_secs(60);

/// More streams of numbers than this are refused.
const STREAMS: usize = 1000;

/// Why the console could not start.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each variant wraps the error of one step")]
pub enum StartError {
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    #[error("read the model's labels")]
    Model(#[from] deskstream_analyze::ModelError),
    #[error("make sure of a key that signs access tokens: {0}")]
    SigningKey(ApiError),
    #[error("start the thread that measures the lag")]
    Thread(#[source] std::io::Error),
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// What every handler shares.
#[derive(Clone)]
pub struct App(Arc<Shared>);

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// See [`App`].
pub struct Shared {
    /// The process: configuration, control topic, keys.
    pub process: Process,
    /// ClickHouse.
    pub history: History,
    /// The audit trail.
    pub audit: AuditSink,
    /// Held by whoever reads, then writes.
    pub changes: Mutex<()>,
    /// Requests of users and keys.
    pub callers: Rate<String>,
    /// Requests of addresses that are not signed in.
    pub anonymous: Rate<IpAddr>,
    /// Failed sign-ins.
    pub lockout: Lockout,
    /// Answers to requests that may be sent again.
    pub idempotency: Idempotency,
    /// Knows the bootstrap token.
    pub bootstrap: Bootstrap,
    /// What a reviewer may say.
    pub labels: Labels,
    /// The overview's answers of the last second.
    pub answers: api::overview::Answers,
    /// How far the pipeline is behind.
    pub lag: lag::Lag,
    /// Room for streams.
    pub streams: Arc<Semaphore>,
}

/// A running console.
pub struct Console {
    /// The server.
    pub server: Server,
    /// With this the first operator is made; none if there is one.
    pub bootstrap: Option<SecretString>,
    /// To be told when the token is where somebody can read it.
    pub part: Part,
}

/// Starts the console, and serves until the process shall end.
pub async fn start(process: &Process) -> Result<Console, StartError> {
    let part = process.health.part("console");
    signing::install();
    signing::rotate(process).await.map_err(StartError::SigningKey)?;
    let config = &process.config.console;
    let (bootstrap, token) = Bootstrap::new();
    let app = App(Arc::new(Shared {
        history: History::new(&process.config.clickhouse),
        audit: AuditSink::new(process, Producer::new(process, ProducerOptions::records())?),
        changes: Mutex::default(),
        callers: Rate::per_minute(config.requests_per_minute),
        anonymous: Rate::per_minute(config.anonymous_per_minute),
        lockout: Lockout::default(),
        idempotency: Idempotency::default(),
        bootstrap,
        labels: Labels::load(&process.config.pipeline)?,
        answers: api::overview::answers(),
        lag: lag::Lag::watch(process).map_err(StartError::Thread)?,
        streams: Arc::new(Semaphore::new(STREAMS)),
        process: process.clone(),
    }));
    tokio::spawn(care(process.clone()));
    let server = server::serve(config, router(app), process.shutdown.clone())?;
    tracing::info!(address = %server.address, "the console is up");
    let bootstrap = (!users::any_operator(process)).then_some(token);
    Ok(Console { server, bootstrap, part })
}

fn router(app: App) -> Router {
    let https = app.process.config.console.https();
    let secured = middleware::from_fn(move |request, next| http::headers::add(https, request, next));
    api::router(&app)
        .fallback(ui::serve)
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            tracing::error!("a request's handler panicked");
            ApiError::Internal.into_response()
        }))
        .layer(CompressionLayer::new())
        .layer(secured)
        .with_state(app)
}

async fn care(process: Process) {
    let mut ticks = tokio::time::interval(CARE);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = process.shutdown.cancelled() => return,
        }
        let cared = async {
            signing::rotate(&process).await?;
            sessions::sweep(&process).await
        };
        if let Err(error) = cared.await {
            tracing::warn!(%error, "signing keys and sessions can't be looked after now");
        }
    }
}
