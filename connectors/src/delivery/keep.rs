//! Alerts that a service forgets are told again: Alertmanager keeps them in memory, until a time that each telling
//! moves on.
//!
//! What fires is in the ledger, so that a restart of Deskstream or a change of partitions leaves no alert out. Every
//! process tells all that fire: Alertmanager merges them. What was resolved is told for another [`AFTERGLOW`], as
//! Prometheus does: a process that had not heard of the resolve yet may have told the alert as firing once more.
//!
//! Within a process no such thing happens: a transition in hand is left out of the round ([`Keeper::take`]), and a
//! round and the sending of a transition exclude each other ([`Keeper::sending`]).

use super::worker::Worker;
use deskstream_runtime::time::now_ms;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::{RwLock, RwLockReadGuard};
use tokio::time::MissedTickBehavior;

/// How long a resolved alert is told again: Prometheus' own figure.
const AFTERGLOW: Duration = Duration::from_secs(15 * 60);

/// Alerts in one request: some 500 KB.
const BATCH: usize = 500;

/// What keeps rounds and transitions apart.
#[derive(Default)]
pub(super) struct Keeper {
    rounds: RwLock<()>,
    in_hand: Mutex<BTreeSet<String>>,
}

/// A transition of this alert is being sent and remembered.
pub(super) struct InHand<'a> {
    keeper: &'a Keeper,
    key: String,
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.keeper.in_hand.lock().remove(&self.key);
    }
}

impl Keeper {
    /// Leaves the alert out of rounds until the guard is dropped.
    pub(super) fn take(&self, key: String) -> InHand<'_> {
        self.in_hand.lock().insert(key.clone());
        InHand { keeper: self, key }
    }

    /// Held while a transition is sent: no round is under way.
    pub(super) async fn sending(&self) -> RwLockReadGuard<'_, ()> {
        self.rounds.read().await
    }
}

/// Tells what fires again and again, until shutdown.
pub(super) async fn run(worker: &Worker, every: Duration) {
    let mut rounds = tokio::time::interval(every);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = worker.shutdown.cancelled() => return,
            _ = rounds.tick() => round(worker).await,
        }
    }
}

async fn round(worker: &Worker) {
    let _alone = worker.keeper.rounds.write().await;
    let standing = worker.ledger.standing(now_ms(), AFTERGLOW);
    let standing: Vec<_> = {
        let in_hand = worker.keeper.in_hand.lock();
        standing.into_iter().filter(|alert| !in_hand.contains(&alert.key())).collect()
    };
    for batch in standing.chunks(BATCH) {
        // The next round is soon; what it can't tell until then goes on firing for `hold`.
        if let Err(failure) = worker.channel.remind(batch).await {
            tracing::warn!(
                channel = worker.name,
                cause = failure.cause,
                "standing alerts were not told again"
            );
            return;
        }
    }
}
