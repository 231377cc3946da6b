//! Delivery of webhook events, with the vendor's documented behaviour and its documented unreliability.
//!
//! - A receiver has 12 s; a timeout is retried up to 5 times.
//! - 409 is retried up to 3 times; 429 and 503 only with `Retry-After` below 60 s; any other answer but 2xx is
//!   final. (How often 429 and 503 are retried is undocumented: 5 times here.)
//! - A circuit breaker per webhook ([`BreakerOptions`]).
//! - Delivery is best effort. On demand a share of events is lost, sent twice or overtaken by later ones.
//!
//! With a concurrency of 1 and no reordering, first attempts leave in the order of events.

use super::breaker::BreakerOptions;
use super::events::Event;
use super::server::Shared;
use super::signature::sign;
use super::stats::count;
use super::webhooks::{Attempt, Webhook};
use crate::{clock::second_text, ids};
use axum::body::Bytes;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};

/// How events are delivered. All but the concurrency and the seed may be changed while running.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SenderOptions {
    /// Attempts in flight at once.
    pub concurrency: usize,
    /// Share of events never sent, 0 to 1.
    pub loss: f64,
    /// Share of deliveries sent twice, 0 to 1: the same event id, another invocation id.
    pub duplicates: f64,
    /// Share of deliveries held back, 0 to 1.
    pub reordered: f64,
    /// Longest time a delivery is held back, in ms.
    pub reorder_ms: u64,
    /// How long a receiver has, in ms.
    pub timeout_ms: u64,
    /// Retries after a timeout.
    pub timeout_retries: u32,
    /// Retries after 409.
    pub conflict_retries: u32,
    /// Retries after 429 or 503 with `Retry-After`, and after an open circuit.
    pub throttle_retries: u32,
    /// `Retry-After` must be below this, in seconds.
    pub longest_retry_after: u64,
    /// Wait before a retry that names no time, in ms.
    pub retry_pause_ms: u64,
    /// The circuit breaker.
    pub breaker: BreakerOptions,
    /// Seed of what is lost, doubled and held back.
    pub seed: u64,
}

impl Default for SenderOptions {
    fn default() -> Self {
        Self {
            concurrency: 16,
            loss: 0.0,
            duplicates: 0.0,
            reordered: 0.0,
            reorder_ms: 500,
            timeout_ms: 12_000,
            timeout_retries: 5,
            conflict_retries: 3,
            throttle_retries: 5,
            longest_retry_after: 60,
            retry_pause_ms: 1_000,
            breaker: BreakerOptions::default(),
            seed: 1,
        }
    }
}

/// Events waiting to be sent; more are dropped, since delivery is best effort.
const OUTBOX: usize = 16_384;
/// Deliveries in flight or waiting for a retry.
const DELIVERIES: usize = 16_384;

/// Where changes leave their events.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: mpsc::Sender<Event>,
    pending: AtomicU64,
    finished: Notify,
}

impl Outbox {
    pub(super) fn new() -> (Self, mpsc::Receiver<Event>) {
        let (queue, events) = mpsc::channel(OUTBOX);
        (Self { queue, pending: AtomicU64::new(0), finished: Notify::new() }, events)
    }

    /// False if there was no room.
    pub(super) fn push(&self, event: Event) -> bool {
        self.pending.fetch_add(1, Ordering::AcqRel);
        let pushed = self.queue.try_send(event).is_ok();
        if !pushed {
            self.finish();
        }
        pushed
    }

    pub(super) fn pending(&self) -> u64 {
        self.pending.load(Ordering::Acquire)
    }

    fn finish(&self) {
        self.pending.fetch_sub(1, Ordering::AcqRel);
        self.finished.notify_waiters();
    }

    /// Waits until nothing is queued, in flight or to be retried.
    pub(super) async fn drained(&self) {
        loop {
            let finished = self.finished.notified();
            tokio::pin!(finished);
            finished.as_mut().enable();
            if self.pending() == 0 {
                return;
            }
            finished.await;
        }
    }
}

/// Takes events off the outbox until stopped.
pub(super) async fn run(
shared: Arc<Shared>, mut events: mpsc::Receiver<Event>) {
    let (concurrency, seed) = {
        let options = shared.sender.lock();
        (options.concurrency.max(1), options.seed)
    };
    let dispatcher = Dispatcher {
        flights: Arc::new(Semaphore::new(concurrency)),
        deliveries: Arc::new(Semaphore::new(DELIVERIES)),
        random: Xoshiro256PlusPlus::seed_from_u64(seed),
        shared,
    };
    let stop = dispatcher.shared.stop.clone();
    let work = async move {
        let mut dispatcher = dispatcher;
        while let Some(event) = events.recv().await {
            dispatcher.dispatch(&event).await;
            dispatcher.shared.outbox.finish();
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}

struct Dispatcher {
    shared: Arc<Shared>,
    flights: Arc<Semaphore>,
    deliveries: Arc<Semaphore>,
    random: Xoshiro256PlusPlus,
}

impl Dispatcher {
    async fn dispatch(&mut self, event: &Event) {
        let targets: Vec<String> = {
            let account = self.shared.account.lock();
            account.webhooks.values().filter(|hook| hook.wants(event.kind)).map(|hook| hook.id.clone()).collect()
        };
        if targets.is_empty() {
            return;
        }
        count(&self.shared.counters.events);
        let options = self.shared.sender.lock().clone();
        if self.chance(options.loss) {
            count(&self.shared.counters.lost);
            return;
        }
        let body = Bytes::from(event.body(self.shared.options.account_id, self.shared.clock.now()));
        for target in targets {
            self.start(&target, body.clone(), &options).await;
            if self.chance(options.duplicates) {
                count(&self.shared.counters.duplicated);
                self.start(&target, body.clone(), &options).await;
            }
        }
    }

    fn chance(&mut self, share: f64) -> bool {
        share > 0.0 && self.random.random_bool(share.clamp(0.0, 1.0))
    }

    async fn start(&mut self, webhook: &str, body: Bytes, options: &SenderOptions) {
        let held_back = if self.chance(options.reordered) {
            count(&self.shared.counters.reordered);
            Some(Duration::from_millis(self.random.random_range(1..=options.reorder_ms.max(1))))
        } else {
            None
        };
        // The semaphores are never closed.
        let Ok(place) = Arc::clone(&self.deliveries).acquire_owned().await else { return };
        // Taking the flight here and not in the task keeps first attempts in order.
        let flight = if held_back.is_none() { Arc::clone(&self.flights).acquire_owned().await.ok() } else { None };
        self.shared.outbox.pending.fetch_add(1, Ordering::AcqRel);
        let delivery = Delivery {
            shared: Arc::clone(&self.shared),
            flights: Arc::clone(&self.flights),
            webhook: webhook.to_owned(),
            invocation: ids::ulid(),
            body,
        };
        let stop = self.shared.stop.clone();
        self.shared.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = delivery.run(held_back, flight) => {}
            }
            drop(place);
        });
    }
}

struct Delivery {
    shared: Arc<Shared>,
    flights: Arc<Semaphore>,
    webhook: String,
    invocation: String,
    body: Bytes,
}

enum Next {
    Done,
    Retry(Duration),
    GiveUp,
}

#[derive(Default)]
struct Tries {
    attempts: u32,
    timeouts: u32,
    conflicts: u32,
    throttles: u32,
}

impl Delivery {
    async fn run(self, held_back: Option<Duration>, mut flight: Option<OwnedSemaphorePermit>) {
        if let Some(wait) = held_back {
            tokio::time::sleep(wait).await;
        }
        let mut tries = Tries::default();
        loop {
            let held = match flight.take() {
                Some(held) => Some(held),
                None => Arc::clone(&self.flights).acquire_owned().await.ok(),
            };
            let next = self.attempt(&mut tries).await;
            // A delivery that waits for its retry is not in flight.
            drop(held);
            match next {
                Next::Done => break,
                Next::GiveUp => {
                    count(&self.shared.counters.given_up);
                    break;
                }
                Next::Retry(wait) => tokio::time::sleep(wait).await,
            }
        }
        self.shared.outbox.finish();
    }

    async fn attempt(&self, tries: &mut Tries) -> Next {
        let options = self.shared.sender.lock().clone();
        let Some(request) = self.prepare(&options) else { return Next::GiveUp };
        let (request, headers) = match request {
            Ok(request) => request,
            Err(wait) => {
                count(&self.shared.counters.circuit_broken);
                self.record("circuit broken", None, Vec::new(), String::new());
                tries.throttles += 1;
                let again = tries.throttles <= options.throttle_retries;
                return if again { Next::Retry(wait) } else { Next::GiveUp };
            }
        };
        count(&self.shared.counters.sent);
        if tries.attempts > 0 {
            count(&self.shared.counters.retried);
        }
        tries.attempts += 1;
        let (outcome, answer) = match request.send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                let retry_after = response.headers().get("retry-after");
                let retry_after = retry_after.and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
                // The body must arrive within the time as well.
                match response.text().await {
                    Ok(text) => (Outcome::Answered { status, retry_after }, text),
                    Err(error) => (Outcome::of_error(&error), String::new()),
                }
            }
            Err(error) => (Outcome::of_error(&error), String::new()),
        };
        self.conclude(&options, tries, outcome, headers, answer)
    }

    fn conclude(
        &self,
        options: &SenderOptions,
        tries: &mut Tries,
        outcome: Outcome,
        headers: Vec<(String, String)>,
        answer: String,
    ) -> Next {
        let counters = &self.shared.counters;
        let acknowledged = matches!(outcome, Outcome::Answered { status: 200..=299, .. });
        count(if acknowledged { &counters.acknowledged } else { &counters.refused });
        if matches!(outcome, Outcome::TimedOut) {
            count(&counters.timeouts);
        }
        self.with_webhook(|webhook| webhook.breaker.record(&options.breaker, !acknowledged, Instant::now()));
        let pause = Duration::from_millis(options.retry_pause_ms);
        let next = match outcome {
            Outcome::Answered { status: 200..=299, .. } => Next::Done,
            Outcome::Answered { status: 409, .. } => {
                tries.conflicts += 1;
                if tries.conflicts <= options.conflict_retries { Next::Retry(pause) } else { Next::GiveUp }
            }
            Outcome::Answered { status: 429 | 503, retry_after: Some(seconds) } if seconds < options.longest_retry_after => {
                tries.throttles += 1;
                let again = tries.throttles <= options.throttle_retries;
                if again { Next::Retry(Duration::from_secs(seconds)) } else { Next::GiveUp }
            }
            Outcome::TimedOut => {
                tries.timeouts += 1;
                if tries.timeouts <= options.timeout_retries { Next::Retry(pause) } else { Next::GiveUp }
            }
            Outcome::Answered { .. } | Outcome::Unreachable => Next::GiveUp,
        };
        let status = match (&next, outcome) {
            (Next::Done, _) => "success",
            (Next::Retry(_), Outcome::Answered { .. }) => "throttled",
            (Next::Retry(_), _) => "retrying",
            (Next::GiveUp, _) => "terminated",
        };
        self.record(status, Some(outcome.code()), headers, answer);
        next
    }

    /// The signed request, or the breaker's wait; `None` if the webhook is gone.
    #[allow(clippy::type_complexity, reason = "used once")]
    fn prepare(
        &self,
        options: &SenderOptions,
    ) -> Option<Result<(reqwest::RequestBuilder, Vec<(String, String)>), Duration>> {
        let timestamp = second_text(self.shared.clock.second());
        self.with_webhook(|webhook| {
            webhook.breaker.admit(&options.breaker, Instant::now())?;
            let headers = headers(self.shared.options.account_id, webhook, &self.invocation, &timestamp, &self.body);
            let mut request = self
                .shared
                .client
                .post(&webhook.endpoint)
                .timeout(Duration::from_millis(options.timeout_ms))
                .body(self.body.clone());
            for (name, value) in &headers {
                request = request.header(name, value);
            }
            Ok((request, headers))
        })
    }

    fn with_webhook<T>(&self, action: impl FnOnce(&mut Webhook) -> T) -> Option<T> {
        self.shared.account.lock().webhooks.get_mut(&self.webhook).map(action)
    }

    fn record(&self, status: &'static str, code: Option<u16>, headers: Vec<(String, String)>, answer: String) {
        let attempt = Attempt {
            status,
            status_code: code,
            completed_at: second_text(self.shared.clock.second()),
            headers,
            payload: self.body.clone(),
            answer,
        };
        self.with_webhook(|webhook| webhook.record(&self.invocation, attempt));
    }
}

#[derive(Clone, Copy)]
enum Outcome {
    Answered { status: u16, retry_after: Option<u64> },
    TimedOut,
    Unreachable,
}

impl Outcome {
    fn of_error(error: &reqwest::Error) -> Self {
        if error.is_timeout() { Self::TimedOut } else { Self::Unreachable }
    }

    /// As in the vendor's log, which shows a slow receiver as 504.
    fn code(self) -> u16 {
        match self {
            Self::Answered { status, .. } => status,
            Self::TimedOut => 504,
            Self::Unreachable => 502,
        }
    }
}

/// All headers of a delivery, in the order of a recorded one; also used by webhook tests.
pub(super) fn headers(
    account: u64,
    webhook: &Webhook,
    invocation: &str,
    timestamp: &str,
    body: &[u8],
) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = [
        ("X-Zendesk-Webhook-Signature-Timestamp", timestamp.to_owned()),
        ("X-Zendesk-Webhook-Signature", sign(&webhook.secret, timestamp, body)),
        ("Content-Type", "application/json; charset=utf-8".to_owned()),
        ("User-Agent", "Zendesk Webhook".to_owned()),
        ("X-Zendesk-Account-Id", account.to_string()),
        ("X-Zendesk-Webhook-Id", webhook.id.clone()),
        ("X-Zendesk-Webhook-Invocation-Id", invocation.to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    headers.extend(webhook.own_headers());
    headers
}
