//! The endpoint: connections, routes, and the steps of one request. See the module's contract.

use super::metrics;
use super::receiver::{FetchError, Reading, Receiver, SignatureError, Unreadable};
use super::replay::{Claim, Replays};
use super::source::{self, Peer};
use super::verdict::Verdict;
use crate::kafka::{Refusal, SendError, Sinks};
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::Response;
use axum::routing::post;
use axum::{Extension, Router};
use deskstream_runtime::Process;
use deskstream_runtime::health::Part;
use deskstream_schemas::{Platform, Stage};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use std::borrow::Cow;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a sender may take to send a body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Most bytes of bodies in memory at the same time.
pub const BODY_BUDGET_BYTES: usize = 128 * 1024 * 1024;

/// How long a sender may take to send the headers, and to begin its next request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);

/// How long open requests may take to end on shutdown.
const DRAIN: Duration = Duration::from_secs(10);

/// More connections than requests may be in flight: senders keep them open.
const CONNECTIONS_PER_REQUEST: usize = 2;

/// The budget is counted in these.
const UNIT_BYTES: usize = 1024;

/// Enough for five minutes at 1,000 requests/s, in about 30 MB.
const REPLAYS: usize = 300_000;

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken, or not ours.
    #[error("listen for webhooks on {address}: free it, or set http.webhooks")]
    Bind {
        /// The configured address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// The accounts that are served, by platform and tenant.
#[derive(Default)]
pub struct Receivers {
    by_tenant: HashMap<(Platform, String), Arc<dyn Receiver>>,
}

impl Receivers {
    /// Serves an account of a tenant.
    pub fn add(&mut self, tenant: &str, receiver: Arc<dyn Receiver>) {
        self.by_tenant.insert((receiver.platform(), tenant.to_owned()), receiver);
    }
}

/// A running server.
pub struct Webhooks {
    /// Where it listens.
    pub address: SocketAddr,
    /// Ends after shutdown, when open requests have ended.
    pub ended: JoinHandle<()>,
}

/// Binds `http.webhooks` (port 0 takes a free one) and serves until shutdown.
pub async fn serve(process: &Process, sinks: Sinks, receivers: Receivers) -> Result<Webhooks, ServeError> {
    let address = process.config.http.webhooks;
    let listener = TcpListener::bind(address).await.map_err(|source| ServeError::Bind { address, source })?;
    let bound = listener.local_addr().map_err(|source| ServeError::Bind { address, source })?;
    let part = process.health.part("webhooks");
    part.ready();
    let http = &process.config.http;
    let shared = Arc::new(Shared {
        sinks,
        receivers,
        max_body: http.max_body.0,
        trust_forwarded_for: http.trust_forwarded_for,
        in_flight: Semaphore::new(http.max_in_flight),
        budget: Arc::new(Semaphore::new(BODY_BUDGET_BYTES.max(2 * http.max_body.0) / UNIT_BYTES)),
        replays: Replays::new(REPLAYS),
        broker: Broker { part, away: AtomicBool::new(false) },
    });
    let router =
        Router::new().route("/webhooks/{platform}/{tenant}", post(receive).head(exists)).with_state(shared);
    let connections = Arc::new(Semaphore::new(http.max_in_flight * CONNECTIONS_PER_REQUEST));
    tracing::info!(address = %bound, "receiving webhooks");
    let ended = tokio::spawn(accept(listener, router, connections, process.shutdown.clone()));
    Ok(Webhooks { address: bound, ended })
}

async fn accept(
    listener: TcpListener,
    router: Router,
    connections: Arc<Semaphore>,
    shutdown: CancellationToken,
) {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    let graceful = GracefulShutdown::new();
    loop {
        let place = Arc::clone(&connections).acquire_owned();
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = async { (place.await, listener.accept().await) } => accepted,
        };
        let (Ok(place), Ok((stream, peer))) = accepted else {
            // Out of file descriptors, most likely: those in use must first be given back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let router = router.clone().layer(Extension(Peer(peer.ip())));
        serve_connection(&server, &graceful, stream, router, place);
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("webhook requests did not end in time: their senders will repeat them");
    }
}

fn serve_connection(
    server: &auto::Builder<TokioExecutor>,
    graceful: &GracefulShutdown,
    stream: TcpStream,
    router: Router,
    place: OwnedSemaphorePermit,
) {
    drop(stream.set_nodelay(true));
    let service = TowerToHyperService::new(router);
    let connection = server.serve_connection(TokioIo::new(stream), service).into_owned();
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        metrics::CONNECTIONS.inc();
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a webhook connection broke");
        }
        metrics::CONNECTIONS.dec();
        drop(place);
    });
}

struct Shared {
    sinks: Sinks,
    receivers: Receivers,
    max_body: usize,
    trust_forwarded_for: bool,
    in_flight: Semaphore,
    budget: Arc<Semaphore>,
    replays: Replays,
    broker: Broker,
}

/// Whether the broker acknowledges, as readiness tells it.
struct Broker {
    part: Part,
    away: AtomicBool,
}

impl Broker {
    fn acknowledges(&self, does: bool) {
        if self.away.swap(!does, Ordering::Relaxed) == does {
            if does { self.part.ready() } else { self.part.not_ready("the broker does not acknowledge") }
        }
    }
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    Path((platform, tenant)): Path<(String, String)>,
    request: Request<Body>,
) -> Response {
    let started = Instant::now();
    metrics::IN_FLIGHT.inc();
    let found = platform_named(&platform)
        .and_then(|platform| shared.receivers.by_tenant.get(&(platform, tenant.clone())));
    let (label, verdict) = match found {
        None => ("unknown", Verdict::UnknownTenant),
        Some(receiver) => (tenant.as_str(), shared.take(&tenant, receiver.as_ref(), request).await),
    };
    metrics::IN_FLIGHT.dec();
    metrics::REQUESTS.with_label_values(&[label, verdict.name()]).inc();
    metrics::SECONDS.with_label_values(&[label]).observe(started.elapsed().as_secs_f64());
    verdict.response(rand::random())
}

/// Whether the account is served: Intercom asks so when an endpoint is entered.
async fn exists(
    State(shared): State<Arc<Shared>>,
    Path((platform, tenant)): Path<(String, String)>,
) -> StatusCode {
    let served = platform_named(&platform)
        .is_some_and(|platform| shared.receivers.by_tenant.contains_key(&(platform, tenant)));
    if served { StatusCode::OK } else { StatusCode::NOT_FOUND }
}

fn platform_named(name: &str) -> Option<Platform> {
    [Platform::Zendesk, Platform::Freshdesk, Platform::Intercom].into_iter().find(|p| p.as_str() == name)
}

impl Shared {
    async fn take(&self, tenant: &str, receiver: &dyn Receiver, request: Request<Body>) -> Verdict {
        let Ok(_place) = self.in_flight.try_acquire() else { return Verdict::Busy };
        let (parts, body) = request.into_parts();
        if !receiver.admits(source::of(&parts, self.trust_forwarded_for)) {
            return Verdict::ForeignSource;
        }
        let (_room, body) = match self.read(body).await {
            Ok(read) => read,
            Err(verdict) => return verdict,
        };
        let now = Timestamp::now();
        let signed = match receiver.verify(&parts.headers, &body, now) {
            Ok(signed) => signed,
            Err(SignatureError::Missing) => return Verdict::Unsigned,
            Err(SignatureError::Wrong) => return Verdict::BadSignature,
            Err(SignatureError::Stale) => return Verdict::Stale,
        };
        let turn = match signed {
            None => None,
            Some(signed) => match self.replays.claim(signed.mac, signed.fresh_until).await {
                Claim::First(turn) => Some(turn),
                Claim::Replay => return Verdict::Replayed,
            },
        };
        let mut reading = receiver.read(&body, now.as_millisecond());
        let mut body = body;
        if let Ok(Reading::Named(ticket)) = &reading {
            reading = match receiver.fetch(ticket, now.as_millisecond()).await {
                Ok(read) => Ok(read),
                Err(FetchError::Busy) => return Verdict::Busy,
                Err(FetchError::Away) => return Verdict::HelpdeskAway,
                Err(FetchError::Unreadable { why, payload }) => {
                    body = payload;
                    Err(why)
                }
            };
        }
        let verdict = match reading {
            Ok(Reading::Event(mapped)) => {
                let (event, content) = *mapped;
                let event_id = event.event_id.clone();
                match self.sinks.events.try_send(event, &content).await {
                    Ok(_) => self.acknowledged(),
                    Err(error) if error.retry() => self.not_acknowledged(tenant, &error),
                    Err(error) => {
                        let why = Unreadable { reason: error.reason(), error: error.to_string() };
                        let kept =
                            self.bury(tenant, receiver, &parts.headers, &body, why, Some(event_id)).await;
                        kept.err().unwrap_or(Verdict::Unprocessable)
                    }
                }
            }
            Ok(Reading::Ignored | Reading::Named(_)) => Verdict::Ignored,
            Ok(Reading::OwnUpdate) => Verdict::OwnUpdate,
            Err(why) => {
                let verdict = if why.reason == "not-json" { Verdict::NotJson } else { Verdict::BadShape };
                let kept = self.bury(tenant, receiver, &parts.headers, &body, why, None).await;
                kept.err().unwrap_or(verdict)
            }
        };
        // What failed for the time being may come again under the same signature.
        if let Some(turn) = turn.filter(|_| !matches!(verdict, Verdict::Busy | Verdict::BrokerAway)) {
            turn.acknowledged(now);
        }
        verdict
    }

    /// Reads the body, with the room that it takes in memory.
    async fn read(&self, body: Body) -> Result<(OwnedSemaphorePermit, Bytes), Verdict> {
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > self.max_body {
            return Err(Verdict::TooLarge);
        }
        let most = body
            .size_hint()
            .upper()
            .map_or(self.max_body, |upper| usize::try_from(upper).unwrap_or(usize::MAX).min(self.max_body));
        let units = u32::try_from(most / UNIT_BYTES + 1).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.budget).try_acquire_many_owned(units).map_err(|_| Verdict::Busy)?;
        match tokio::time::timeout(BODY_TIMEOUT, axum::body::to_bytes(body, self.max_body)).await {
            Ok(Ok(bytes)) => Ok((room, bytes)),
            Ok(Err(error)) if is_length_limit(&error) => Err(Verdict::TooLarge),
            Ok(Err(_)) => Err(Verdict::BodyBroken),
            Err(_) => Err(Verdict::BodyTimeout),
        }
    }

    fn acknowledged(&self) -> Verdict {
        self.broker.acknowledges(true);
        Verdict::Accepted
    }

    fn not_acknowledged(&self, tenant: &str, error: &SendError) -> Verdict {
        if matches!(error, SendError::Busy) {
            return Verdict::Busy;
        }
        tracing::warn!(tenant, %error, "a webhook's event is not acknowledged");
        self.broker.acknowledges(false);
        Verdict::BrokerAway
    }

    /// Keeps an authentic body that can't be used. An error is how to answer instead, since it is not kept.
    async fn bury(
        &self,
        tenant: &str,
        receiver: &dyn Receiver,
        headers: &HeaderMap,
        body: &Bytes,
        why: Unreadable,
        event_id: Option<String>,
    ) -> Result<(), Verdict> {
        let delivery = receiver
            .delivery_id(headers)
            .map_or_else(|| format!("{:016x}", xxhash_rust::xxh3::xxh3_64(body)), str::to_owned);
        tracing::warn!(
            tenant,
            delivery,
            reason = why.reason,
            "an authentic webhook can't be used: dead letter"
        );
        let refusal = Refusal {
            tenant,
            stage: Stage::Receive,
            reason: why.reason,
            error: why.error,
            fix: Cow::Borrowed(
                "compare the payload with the helpdesk's documentation; the sender is authentic",
            ),
            source: format!("webhook/{}/{tenant}/{delivery}", receiver.platform()),
            event_id,
            attempts: 1,
            payload: Some(body),
        };
        match self.sinks.dead_letters.try_send(refusal).await {
            Ok(_) => Ok(()),
            Err(error) if error.retry() => Err(self.not_acknowledged(tenant, &error)),
            Err(error) => {
                tracing::error!(tenant, %error, "a dead letter can't be written");
                Ok(())
            }
        }
    }
}

fn is_length_limit(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>())
}
