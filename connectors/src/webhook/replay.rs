//! Requests that were answered before: the same signature is taken once.
//!
//! A signature is remembered until it would be stale anyway, and not before its event was acknowledged: while the
//! first request with it is under way, another waits for what becomes of it. If it fails, the next one has its
//! turn. The memory is bounded; should it overflow, the oldest signature is forgotten, and a replay of it is an
//! event whose id downstream stages have seen.

use jiff::Timestamp;
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use tokio::sync::watch;

type Key = [u8; 32];

enum Entry {
    /// Under way; the channel closes when it is over.
    Pending(watch::Receiver<()>),
    /// Acknowledged.
    Done,
}

#[derive(Default)]
struct Memory {
    entries: HashMap<Key, Entry>,
    /// Acknowledged ones, oldest first.
    order: VecDeque<(Timestamp, Key)>,
}

/// Signatures that were answered, or are being.
pub(super) struct Replays {
    memory: Arc<Mutex<Memory>>,
    capacity: usize,
}

/// What a signature is to us.
pub(super) enum Claim {
    /// New: take the request in, then say [`Turn::acknowledged`].
    First(Turn),
    /// It was answered before.
    Replay,
}

/// The right to take a request in. Dropped without acknowledgement, it goes to the next with that signature.
pub(super) struct Turn {
    memory: Arc<Mutex<Memory>>,
    capacity: usize,
    key: Key,
    fresh_until: Timestamp,
    over: bool,
    _ends: watch::Sender<()>,
}

impl Replays {
    pub(super) fn new(capacity: usize) -> Self {
        Self { memory: Arc::default(), capacity: capacity.max(1) }
    }

    /// Claims a signature; waits while another request with it is under way.
    pub(super) async fn claim(&self, key: Key, fresh_until: Timestamp) -> Claim {
        loop {
            let mut pending = {
                let mut memory = self.memory.lock();
                match memory.entries.get(&key) {
                    Some(Entry::Done) => return Claim::Replay,
                    Some(Entry::Pending(ends)) => ends.clone(),
                    None => {
                        let (sender, ends) = watch::channel(());
                        memory.entries.insert(key, Entry::Pending(ends));
                        return Claim::First(Turn {
                            memory: Arc::clone(&self.memory),
                            capacity: self.capacity,
                            key,
                            fresh_until,
                            over: false,
                            _ends: sender,
                        });
                    }
                }
            };
            // An error means that the sender is gone: that one is over.
            while pending.changed().await.is_ok() {}
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.memory.lock().entries.len()
    }
}

impl Turn {
    /// The event is durable: from now on this signature is a replay.
    pub(super) fn acknowledged(mut self, now: Timestamp) {
        self.over = true;
        let mut memory = self.memory.lock();
        while let Some((fresh_until, key)) = memory.order.front().copied() {
            if fresh_until >= now && memory.order.len() < self.capacity {
                break;
            }
            memory.order.pop_front();
            memory.entries.remove(&key);
        }
        memory.entries.insert(self.key, Entry::Done);
        memory.order.push_back((self.fresh_until, self.key));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.over {
            self.memory.lock().entries.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    async fn first(replays: &Replays, key: u8, until: i64) -> Turn {
        match replays.claim([key; 32], at(until)).await {
            Claim::First(turn) => turn,
            Claim::Replay => panic!("{key} was answered before"),
        }
    }

    async fn is_replay(replays: &Replays, key: u8) -> bool {
        matches!(replays.claim([key; 32], at(0)).await, Claim::Replay)
    }

    #[tokio::test]
    async fn only_what_was_acknowledged_is_a_replay() {
        let replays = Replays::new(10);
        drop(first(&replays, 1, 100).await);
        first(&replays, 1, 100).await.acknowledged(at(0));
        assert!(is_replay(&replays, 1).await);
        assert!(!is_replay(&replays, 2).await);
    }

    #[tokio::test]
    async fn the_second_waits_for_what_becomes_of_the_first() {
        let replays = Arc::new(Replays::new(10));
        let turn = first(&replays, 1, 100).await;
        let again = Arc::clone(&replays);
        let mut second = tokio::spawn(async move { is_replay(&again, 1).await });
        assert!(tokio::time::timeout(Duration::from_millis(30), &mut second).await.is_err());
        turn.acknowledged(at(0));
        assert!(second.await.unwrap());
    }

    #[tokio::test]
    async fn after_a_failure_the_second_has_its_turn() {
        let replays = Arc::new(Replays::new(10));
        let turn = first(&replays, 1, 100).await;
        let again = Arc::clone(&replays);
        let second = tokio::spawn(async move { is_replay(&again, 1).await });
        tokio::task::yield_now().await;
        drop(turn);
        assert!(!second.await.unwrap());
    }

    #[tokio::test]
    async fn what_is_stale_or_too_much_is_forgotten() {
        let replays = Replays::new(3);
        for key in 0..5 {
            first(&replays, key, 100).await.acknowledged(at(0));
        }
        assert_eq!(replays.len(), 3);
        assert!(is_replay(&replays, 4).await);
        first(&replays, 9, 300).await.acknowledged(at(200));
        assert_eq!(replays.len(), 1);
    }
}
