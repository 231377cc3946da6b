//! From disk to the broker.
//!
//! One entry goes first, until the broker acknowledges it; then [`BATCH`] at a time, in order within a ticket, which is
//! as far as Kafka's order reaches. When little is left, newcomers wait for as long as that takes, so that they find
//! the spool empty and nothing overtakes anything.

use super::entry::{EntryError, Unsealed, seal_of};
use super::store::Entry;
use super::{Spool, metrics};
use crate::http::Backoff;
use crate::kafka::{Refusal, SendError};
use deskstream_runtime::time::now_ms;
use deskstream_schemas::{DeadLetter, Stage};
use futures::{StreamExt, stream};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Entries of one round.
const BATCH: usize = 512;

/// Most memory of one round.
const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// Tickets whose entries are sent at the same time.
const CONCURRENCY: usize = 128;

const AWAY: Backoff = Backoff { first: Duration::from_millis(250), most: Duration::from_secs(5) };

/// Nothing to read, though something is on its way.
const SOON: Duration = Duration::from_millis(5);

/// Replays whatever there is until shutdown.
pub(super) async fn run(spool: Spool, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = spool.shared.arrived.notified() => {}
            () = shutdown.cancelled() => return,
        }
        tokio::select! {
            () = empty(&spool) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// Until nothing is left.
async fn empty(spool: &Spool) {
    // The first entry asks whether the broker is there.
    let (mut failures, mut last, mut replayed) = (1, false, 0);
    while spool.engaged() {
        let gate = if last { Some(spool.shared.gate.write().await) } else { None };
        let most = if failures > 0 { 1 } else { BATCH };
        let entries = match spool.shared.store.read(most, BATCH_BYTES).await {
            Ok(entries) => entries,
            Err(error) => {
                tracing::error!(%error, "the spool can't be read");
                failures += 1;
                drop(gate);
                last = false;
                tokio::time::sleep(AWAY.wait(failures)).await;
                continue;
            }
        };
        let count = entries.len();
        if count == 0 {
            drop(gate);
            last = false;
            tokio::time::sleep(SOON).await;
            continue;
        }
        let sent = spool.replay(entries);
        let done = match &gate {
            // Nobody waits at the gate for longer than for the broker.
            Some(_) => tokio::time::timeout(spool.shared.after, sent).await.unwrap_or(0),
            None => sent.await,
        };
        drop(gate);
        replayed += done;
        if done == count {
            last = failures == 0 && count < BATCH;
            failures = 0;
        } else {
            failures += 1;
            last = false;
            tokio::time::sleep(AWAY.wait(failures)).await;
        }
    }
    if replayed > 0 {
        tracing::info!(replayed, "the spool is empty: webhooks go straight to the broker");
    }
}

impl Spool {
    /// Sends entries and removes those that are acknowledged; gives how many those were.
    async fn replay(&self, entries: Vec<(u64, Entry)>) -> usize {
        let mut by_ticket: HashMap<String, Vec<(u64, usize, String, Replay)>> = HashMap::new();
        for (number, entry) in entries {
            let (bytes, tenant) = (entry.bytes(), entry.tenant.clone());
            let replay = match self.shared.codec.open(&self.shared.vault, &entry).await {
                Ok(Unsealed::Event(event)) => Replay::Event(event),
                Ok(Unsealed::Letter(letter)) => Replay::Letter(letter, "replayed"),
                Err(error) => Replay::Letter(Box::new(unreadable(number, &entry, &error)), "dead_letter"),
            };
            let lane = match &replay {
                Replay::Event(event) => event.0.key(),
                Replay::Letter(letter, _) => letter.source.clone(),
            };
            by_ticket.entry(lane).or_default().push((number, bytes, tenant, replay));
        }
        let done: Vec<Vec<(u64, usize, String)>> = stream::iter(by_ticket.into_values())
            .map(|entries| async move {
                let mut done = Vec::with_capacity(entries.len());
                for (number, bytes, tenant, replay) in entries {
                    if !self.send(replay).await {
                        break;
                    }
                    done.push((number, bytes, tenant));
                }
                done
            })
            .buffer_unordered(CONCURRENCY)
            .collect()
            .await;
        let done: Vec<_> = done.into_iter().flatten().collect();
        if done.is_empty() {
            return 0;
        }
        // What was begun is finished, also if the caller gives up: the count of entries has to be right.
        let shared = Arc::clone(&self.shared);
        let removed = tokio::spawn(async move {
            let numbers = done.iter().map(|(number, _, _)| *number).collect();
            if let Err(error) = shared.store.remove(numbers).await {
                // They stay, and are sent again under the same ids.
                tracing::error!(%error, "replayed entries can't be removed from the spool");
                return 0;
            }
            for (_, bytes, tenant) in &done {
                shared.gone(tenant, *bytes);
            }
            done.len()
        });
        removed.await.unwrap_or(0)
    }

    /// Whether the broker has it now.
    async fn send(&self, replay: Replay) -> bool {
        let sinks = &self.shared.sinks;
        let (sent, result) = match replay {
            Replay::Event(event) => {
                let (event, content) = *event;
                let (tenant, event_id) = (event.tenant.clone(), event.event_id.clone());
                match sinks.events.send(event, &content).await {
                    Err(error) if !error.retry() => {
                        (self.bury(&tenant, event_id, &error).await, "dead_letter")
                    }
                    sent => (sent.map(drop), "replayed"),
                }
            }
            Replay::Letter(letter, result) => {
                (sinks.dead_letters.send_record(&letter).await.map(drop), result)
            }
        };
        match sent {
            Ok(()) => {
                metrics::REPLAYED.with_label_values(&[result]).inc();
                true
            }
            Err(error) => {
                tracing::debug!(%error, "an entry of the spool is not acknowledged");
                false
            }
        }
    }

    /// Keeps in the dead letter what the broker will never take.
    async fn bury(&self, tenant: &str, event_id: String, error: &SendError) -> Result<(), SendError> {
        let refusal = Refusal {
            tenant,
            stage: Stage::Receive,
            reason: error.reason(),
            error: error.to_string(),
            fix: Cow::Borrowed("read the ticket at the helpdesk: its event is larger than the broker takes"),
            source: format!("spool/{tenant}/{event_id}"),
            event_id: Some(event_id),
            attempts: 1,
            payload: None,
        };
        self.shared.sinks.dead_letters.send(refusal).await.map(drop)
    }
}

enum Replay {
    Event(Box<(deskstream_schemas::TicketEvent, deskstream_schemas::TicketContent)>),
    /// With what it counts as.
    Letter(Box<DeadLetter>, &'static str),
}

/// What can't be opened is kept as it is: the key may be one of another installation, and come back.
fn unreadable(number: u64, entry: &Entry, error: &EntryError) -> DeadLetter {
    tracing::error!(tenant = entry.tenant, number, %error, "an entry of the spool can't be used: dead letter");
    DeadLetter {
        tenant: entry.tenant.clone(),
        stage: Stage::Receive,
        reason: error.reason().into(),
        error: error.to_string(),
        fix: "if the tenant was erased this is as it should be; else the spool belongs to other keys".into(),
        source: format!("spool/{}/{number}", entry.tenant),
        event_id: None,
        failed_at: now_ms(),
        attempts: 1,
        payload: Some(seal_of(entry)),
        payload_bytes: i64::try_from(entry.ciphertext.len()).unwrap_or(i64::MAX),
    }
}
