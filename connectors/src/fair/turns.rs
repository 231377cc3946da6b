//! Whose work is next: deficit round robin over tenants.
//!
//! At most `width` pieces of work are done at the same time. What has to wait, waits in a queue of its tenant, and a
//! free place goes round the tenants: each visit adds [`QUANTUM`] to what a tenant may spend, and its next piece starts
//! when it can pay for it (M. Shreedhar and G. Varghese, "Efficient Fair Queuing Using Deficit Round Robin",
//! SIGCOMM 1995). So a tenant with a thousand requests waiting delays another's first by one round, and large requests
//! count for as much as they cost. How many wait is for the caller to bound.

use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use tokio::sync::oneshot;

/// What a tenant may spend in one round.
const QUANTUM: usize = 16 * 1024;

/// The least that a piece of work costs.
const LEAST_COST: usize = 1024;

struct Waiting {
    cost: usize,
    starts: oneshot::Sender<Turn>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    deficit: usize,
}

#[derive(Default)]
struct State {
    running: usize,
    queues: HashMap<Arc<str>, Queue>,
    /// Tenants with something that waits, in the order of their visits.
    round: VecDeque<Arc<str>>,
}

/// The places and who waits for one.
pub struct Turns {
    width: usize,
    state: Mutex<State>,
}

/// A place, given on when dropped.
pub struct Turn {
    turns: Option<Arc<Turns>>,
}

impl Turns {
    /// So many places.
    pub fn new(width: usize) -> Self {
        Self { width: width.max(1), state: Mutex::default() }
    }

    /// Waits for the tenant's turn with a piece of work that costs so much.
    pub async fn turn(self: &Arc<Self>, tenant: &str, cost: usize) -> Turn {
        let started = {
            let mut state = self.state.lock();
            if state.running < self.width {
                // A free place means that nobody waits.
                state.running += 1;
                return Turn { turns: Some(Arc::clone(self)) };
            }
            let (starts, started) = oneshot::channel();
            let waiting = Waiting { cost: cost.max(LEAST_COST), starts };
            match state.queues.get_mut(tenant) {
                Some(queue) => queue.waiting.push_back(waiting),
                None => {
                    let name: Arc<str> = tenant.into();
                    let queue = Queue { waiting: VecDeque::from([waiting]), deficit: 0 };
                    state.queues.insert(Arc::clone(&name), queue);
                    state.round.push_back(name);
                }
            }
            started
        };
        started.await.expect("a waiting piece of work is only dropped when it starts")
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.state.lock().queues.values().map(|queue| queue.waiting.len()).sum()
    }

    /// Gives a place on, to whoever still wants it.
    fn next(self: &Arc<Self>) {
        loop {
            let next = {
                let mut state = self.state.lock();
                let next = state.next();
                if next.is_none() {
                    state.running -= 1;
                }
                next
            };
            let Some(waiting) = next else { return };
            match waiting.starts.send(Turn { turns: Some(Arc::clone(self)) }) {
                Ok(()) => return,
                // It gave up meanwhile. Its place is ours to give on, not the turn's.
                Err(mut unwanted) => unwanted.turns = None,
            }
        }
    }
}

impl State {
    fn next(&mut self) -> Option<Waiting> {
        loop {
            let name = self.round.front()?;
            let queue = self.queues.get_mut(name).expect("a tenant in the round has a queue");
            let cost = queue.waiting.front().map_or(0, |head| head.cost);
            if queue.deficit < cost {
                queue.deficit += QUANTUM;
                self.round.rotate_left(1);
                continue;
            }
            let head = queue.waiting.pop_front();
            queue.deficit -= cost;
            if queue.waiting.is_empty() {
                // Nothing is saved up while there is nothing to do.
                let name = self.round.pop_front().expect("it was the front");
                self.queues.remove(&name);
            }
            return head;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.turns.take() {
            turns.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::sync::mpsc;

    /// Queues work behind one that holds the only place; gives the order in which it is done once that has ended.
    async fn order(work: &[(&'static str, usize, usize)]) -> Vec<&'static str> {
        let turns = Arc::new(Turns::new(1));
        let first = turns.turn("first", 1).await;
        let (done, mut order) = mpsc::unbounded_channel();
        let mut wanted = 0;
        for (tenant, cost, times) in work {
            for _ in 0..*times {
                let (waits, done) = (Arc::clone(&turns), done.clone());
                let (tenant, cost) = (*tenant, *cost);
                tokio::spawn(async move {
                    let _turn = waits.turn(tenant, cost).await;
                    done.send(tenant).unwrap();
                });
                wanted += 1;
                while turns.waiting() < wanted {
                    tokio::task::yield_now().await;
                }
            }
        }
        drop((first, done));
        let mut all = Vec::new();
        while let Some(tenant) = order.recv().await {
            all.push(tenant);
        }
        assert_eq!(all.len(), wanted);
        all
    }

    #[tokio::test]
    async fn a_quiet_tenant_does_not_wait_behind_a_noisy_one() {
        let order = order(&[("noisy", 16 * 1024, 500), ("quiet", 1024, 1)]).await;
        let at = order.iter().position(|tenant| *tenant == "quiet").unwrap();
        assert!(at <= 2, "it was number {at}");
    }

    #[tokio::test]
    async fn tenants_share_by_what_their_work_costs() {
        let order = order(&[("large", 64 * 1024, 40), ("small", 1024, 2000)]).await;
        let large = order.iter().take(650).filter(|tenant| **tenant == "large").count();
        // 64 small ones cost what one large one does.
        assert!((9..=11).contains(&large), "{large}");
    }

    #[tokio::test]
    async fn whoever_gives_up_costs_nobody_a_place() {
        let turns = Arc::new(Turns::new(1));
        let held = turns.turn("a", 1).await;
        for _ in 0..3 {
            let gave_up = tokio::time::timeout(Duration::from_millis(1), turns.turn("b", 1)).await;
            assert!(gave_up.is_err());
        }
        drop(held);
        let next = tokio::time::timeout(Duration::from_secs(5), turns.turn("c", 1)).await;
        drop(next.unwrap());
        assert_eq!((turns.waiting(), turns.state.lock().running), (0, 0));
    }
}
