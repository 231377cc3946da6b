//! The endpoint: connections, routes, and the steps of one request. See the module's contract.

use super::metrics;
use super::receiver::{FetchError, Reading, Receiver, SignatureError, Unreadable};
use super::replay::{Claim, Replays};
use super::source::{self, Peer};
use super::verdict::Verdict;
use crate::fair::{Refused, Share, Shares, Turn, Turns};
use crate::kafka::{Refusal, SendError, Sinks};
use crate::spool::{KeepError, Kept, Spool};
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::Response;
use axum::routing::post;
use axum::{Extension, Router};
use deskstream_runtime::Process;
use deskstream_runtime::health::Part;
use deskstream_schemas::{Platform, Stage, TicketContent, TicketEvent};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use parking_lot::RwLock;
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

/// However few requests may be in flight, whoever is refused needs a connection to hear it.
const LEAST_CONNECTIONS: usize = 1024;

/// Requests that are read and written to Kafka at the same time; the others wait for their tenant's turn. At an
/// acknowledgement of 50 ms this is enough for 10,000 a second, and what a quiet tenant waits for is one of these.
const AT_WORK: usize = 512;

/// A turn is waited for no longer than this: with the broker's time there is still an answer within the sender's 12 s.
const TURN_TIMEOUT: Duration = Duration::from_secs(3);

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

type ByTenant = HashMap<(Platform, String), Arc<dyn Receiver>>;

/// The accounts that are served, by platform and tenant. May change while the server runs; cheap to clone.
#[derive(Clone, Default)]
pub struct Receivers {
    by_tenant: Arc<RwLock<ByTenant>>,
}

impl Receivers {
    /// Serves an account of a tenant from the next request on, in place of an earlier one.
    pub fn add(&self, tenant: &str, receiver: Arc<dyn Receiver>) {
        self.by_tenant.write().insert((receiver.platform(), tenant.to_owned()), receiver);
    }

    /// Serves an account no longer: 404 from the next request on.
    pub fn remove(&self, tenant: &str, platform: Platform) {
        self.by_tenant.write().remove(&(platform, tenant.to_owned()));
    }

    fn get(&self, platform: &str, tenant: &str) -> Option<Arc<dyn Receiver>> {
        let account = (platform_named(platform)?, tenant.to_owned());
        self.by_tenant.read().get(&account).cloned()
    }
}

/// A running server.
pub struct Webhooks {
    /// Where it listens.
    pub address: SocketAddr,
    /// Ends after shutdown, when open requests have ended.
    pub ended: JoinHandle<()>,
}

/// Binds `http.webhooks` (port 0 takes a free one) and serves until shutdown. With a spool, what the broker does not
/// acknowledge goes there.
pub async fn serve(
    process: &Process,
    sinks: Sinks,
    spool: Option<Spool>,
    receivers: Receivers,
) -> Result<Webhooks, ServeError> {
    let address = process.config.http.webhooks;
    let listener = TcpListener::bind(address).await.map_err(|source| ServeError::Bind { address, source })?;
    let bound = listener.local_addr().map_err(|source| ServeError::Bind { address, source })?;
    let part = process.health.part("webhooks");
    part.ready();
    let http = &process.config.http;
    let tenants = &sinks.tenants;
    let body_budget = BODY_BUDGET_BYTES.max(2 * http.max_body.0);
    let shared = Arc::new(Shared {
        in_flight: Arc::new(Shares::among(http.max_in_flight, Arc::clone(tenants))),
        budget: Arc::new(Shares::among(body_budget, Arc::clone(tenants))),
        sinks,
        spool,
        receivers,
        max_body: http.max_body.0,
        trust_forwarded_for: http.trust_forwarded_for,
        turns: Arc::new(Turns::new(AT_WORK.min(http.max_in_flight))),
        replays: Replays::new(REPLAYS),
        durability: Durability { part, away: AtomicBool::new(false) },
    });
    let router =
        Router::new().route("/webhooks/{platform}/{tenant}", post(receive).head(exists)).with_state(shared);
    let connections =
        Arc::new(Semaphore::new((http.max_in_flight * CONNECTIONS_PER_REQUEST).max(LEAST_CONNECTIONS)));
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
    spool: Option<Spool>,
    receivers: Receivers,
    max_body: usize,
    trust_forwarded_for: bool,
    in_flight: Arc<Shares>,
    budget: Arc<Shares>,
    turns: Arc<Turns>,
    replays: Replays,
    durability: Durability,
}

/// Whether events become durable, as readiness tells it. On disk is durable: then senders shall go on coming.
struct Durability {
    part: Part,
    away: AtomicBool,
}

impl Durability {
    fn is(&self, there: bool, why_not: &'static str) {
        if self.away.swap(!there, Ordering::Relaxed) == there {
            if there { self.part.ready() } else { self.part.not_ready(why_not) }
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
    let (label, verdict) = match shared.receivers.get(&platform, &tenant) {
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
    if shared.receivers.get(&platform, &tenant).is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND }
}

fn platform_named(name: &str) -> Option<Platform> {
    // No webhook tells of an imported file.
    Platform::named(name).filter(|platform| *platform != Platform::Import)
}

impl Shared {
    async fn take(&self, tenant: &str, receiver: &dyn Receiver, request: Request<Body>) -> Verdict {
        let _place = match self.in_flight.take(tenant, 1) {
            Ok(place) => place,
            Err(refused) => return no_room(refused),
        };
        let (parts, body) = request.into_parts();
        if !receiver.admits(source::of(&parts, self.trust_forwarded_for)) {
            return Verdict::ForeignSource;
        }
        let (_room, body) = match self.read(tenant, body).await {
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
        let claim = match signed {
            None => None,
            Some(signed) => match self.replays.claim(signed.mac, signed.fresh_until).await {
                Claim::First(claim) => Some(claim),
                Claim::Replay => return Verdict::Replayed,
            },
        };
        let verdict = match self.work(tenant, receiver, &parts.headers, body, now).await {
            Ok(verdict) | Err(verdict) => verdict,
        };
        // What failed for the time being may come again under the same signature.
        if let Some(claim) = claim.filter(|_| !verdict.passes()) {
            claim.acknowledged(now);
        }
        verdict
    }

    /// Makes something durable of an authentic body. An error is how to answer when that was not possible.
    async fn work(
        &self,
        tenant: &str,
        receiver: &dyn Receiver,
        headers: &HeaderMap,
        mut body: Bytes,
        now: Timestamp,
    ) -> Result<Verdict, Verdict> {
        let mut turn = self.turn(tenant, body.len()).await?;
        let mut reading = receiver.read(&body, now.as_millisecond());
        if let Ok(Reading::Named(ticket)) = &reading {
            // A slow helpdesk of one tenant holds up no other.
            drop(turn);
            reading = match receiver.fetch(ticket, now.as_millisecond()).await {
                Ok(read) => Ok(read),
                Err(FetchError::Busy) => return Err(Verdict::Busy),
                Err(FetchError::Away) => return Err(Verdict::HelpdeskAway),
                Err(FetchError::Unreadable { why, payload }) => {
                    body = payload;
                    Err(why)
                }
            };
            turn = self.turn(tenant, body.len()).await?;
        }
        let _turn = turn;
        let why = match reading {
            Ok(Reading::Event(mapped)) => {
                let (event, content) = *mapped;
                let event_id = event.event_id.clone();
                let (platform, ticket, version) = (event.platform, event.ticket_id.clone(), event.version);
                match self.keep(event, &content).await {
                    Ok(kept) => {
                        self.sinks.delivered.note(tenant, platform, &ticket, version);
                        return Ok(self.kept(kept));
                    }
                    Err(KeepError::Send(error)) if !error.retry() => {
                        let why = Unreadable { reason: error.reason(), error: error.to_string() };
                        self.bury(tenant, receiver, headers, &body, why, Some(event_id)).await?;
                        return Ok(Verdict::Unprocessable);
                    }
                    Err(error) => return Err(self.not_kept(tenant, &error)),
                }
            }
            Ok(Reading::Ignored | Reading::Named(_)) => return Ok(Verdict::Ignored),
            Ok(Reading::OwnUpdate(change)) => {
                if let Some((ticket, version)) = change {
                    self.sinks.delivered.note(tenant, receiver.platform(), &ticket, version);
                }
                return Ok(Verdict::OwnUpdate);
            }
            Err(why) => why,
        };
        let verdict = if why.reason == "not-json" { Verdict::NotJson } else { Verdict::BadShape };
        self.bury(tenant, receiver, headers, &body, why, None).await?;
        Ok(verdict)
    }

    async fn turn(&self, tenant: &str, cost: usize) -> Result<Turn, Verdict> {
        let turn = tokio::time::timeout(TURN_TIMEOUT, self.turns.turn(tenant, cost)).await;
        turn.map_err(|_| Verdict::Busy)
    }

    async fn keep(&self, event: TicketEvent, content: &TicketContent) -> Result<Kept, KeepError> {
        match &self.spool {
            Some(spool) => spool.event(&event, content).await,
            None => {
                self.sinks.events.try_send(event, content).await?;
                Ok(Kept::Broker)
            }
        }
    }

    /// Reads the body, with the room that it takes in memory.
    async fn read(&self, tenant: &str, body: Body) -> Result<(Share, Bytes), Verdict> {
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > self.max_body {
            return Err(Verdict::TooLarge);
        }
        let most = body
            .size_hint()
            .upper()
            .map_or(self.max_body, |upper| usize::try_from(upper).unwrap_or(usize::MAX).min(self.max_body));
        let room = self.budget.take(tenant, most).map_err(no_room)?;
        match tokio::time::timeout(BODY_TIMEOUT, axum::body::to_bytes(body, self.max_body)).await {
            Ok(Ok(bytes)) => Ok((room, bytes)),
            Ok(Err(error)) if is_length_limit(&error) => Err(Verdict::TooLarge),
            Ok(Err(_)) => Err(Verdict::BodyBroken),
            Err(_) => Err(Verdict::BodyTimeout),
        }
    }

    fn kept(&self, kept: Kept) -> Verdict {
        self.durability.is(true, "");
        match kept {
            Kept::Broker => Verdict::Accepted,
            Kept::Disk => Verdict::Spooled,
        }
    }

    fn not_kept(&self, tenant: &str, error: &KeepError) -> Verdict {
        let (verdict, why) = match error {
            KeepError::Send(SendError::Busy) => return Verdict::Busy,
            KeepError::NoRoom(Refused::OverShare) => return Verdict::OverShare,
            KeepError::NoRoom(Refused::Full) => (Verdict::SpoolFull, "the spool is full"),
            KeepError::Spool(_) => (Verdict::SpoolFull, "the spool can't be written"),
            KeepError::Send(_) | KeepError::Encode(_) | KeepError::Seal(_) => {
                (Verdict::BrokerAway, "the broker does not acknowledge")
            }
        };
        tracing::warn!(tenant, %error, "a webhook's event is not durable");
        self.durability.is(false, why);
        verdict
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
        let kept = match &self.spool {
            Some(spool) => spool.letter(refusal).await.map(drop),
            None => self.sinks.dead_letters.try_send(refusal).await.map(drop).map_err(KeepError::from),
        };
        match kept {
            Ok(()) => Ok(()),
            Err(KeepError::Send(error)) if !error.retry() => {
                tracing::error!(tenant, %error, "a dead letter can't be written");
                Ok(())
            }
            Err(error) => Err(self.not_kept(tenant, &error)),
        }
    }
}

fn no_room(refused: Refused) -> Verdict {
    match refused {
        Refused::Full => Verdict::Busy,
        Refused::OverShare => Verdict::OverShare,
    }
}

fn is_length_limit(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>())
}
