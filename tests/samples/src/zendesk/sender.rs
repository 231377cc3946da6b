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
use super::delivery::Delivery;
use super::events::Event;
use super::server::Shared;
use super::stats::count;
use crate::ids;
use axum::body::Bytes;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, mpsc};

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

    pub(super) fn finish(&self) {
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
pub(super) async fn run(shared: Arc<Shared>, mut events: mpsc::Receiver<Event>) {
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
            account
                .webhooks
                .values()
                .filter(|hook| hook.wants(event.kind))
                .map(|hook| hook.id.clone())
                .collect()
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
        let flight =
            if held_back.is_none() { Arc::clone(&self.flights).acquire_owned().await.ok() } else { None };
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
