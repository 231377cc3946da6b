//! One rate limit: so many requests a window, in the order in which they asked, and none during a pause.
//!
//! The rate is learned: the service's own limit, once it told one, replaces what was assumed. We use [`SHARE`] of
//! it, since an account's other integrations live from the same one.

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota};
use parking_lot::Mutex;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Part of a service's limit that we use.
const SHARE: f64 = 0.8;

/// Requests that may go at once after a quiet time: a quarter of a window's, which together with a window's is the
/// service's limit.
const BURST_PART: u32 = 4;

struct State {
    per_window: u32,
    limiter: Arc<DefaultDirectRateLimiter>,
    paused_until: Option<Instant>,
    /// Turns that were reserved and not spent.
    returned: u32,
}

pub(super) struct Gate {
    window: Duration,
    /// Whoever holds it is next: a fair lock.
    queue: tokio::sync::Mutex<()>,
    /// Wakes who is next, since the wait may have become shorter.
    changed: Notify,
    state: Mutex<State>,
    clock: DefaultClock,
}

/// No turn comes before the deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoTurn {
    /// When one would have come, as far as is known.
    pub(super) wait: Option<Duration>,
}

/// A reserved turn; given back when dropped unspent.
pub struct Turn<'a> {
    gate: Option<&'a Gate>,
    spent: AtomicBool,
}

impl Turn<'_> {
    /// Whether it was still there to be spent.
    pub(super) fn spend(&self) -> bool {
        !self.spent.swap(true, Ordering::Relaxed)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(gate) = self.gate.filter(|_| self.spend()) {
            gate.give_back();
        }
    }
}

impl std::fmt::Debug for Turn<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turn").field("spent", &self.spent).finish_non_exhaustive()
    }
}

impl Gate {
    pub(super) fn new(per_window: u32, window: Duration) -> Self {
        let state = State {
            per_window,
            limiter: Arc::new(limiter(per_window, window)),
            paused_until: None,
            returned: 0,
        };
        Self {
            window,
            queue: tokio::sync::Mutex::default(),
            changed: Notify::new(),
            state: Mutex::new(state),
            clock: DefaultClock::default(),
        }
    }

    /// Waits for a turn.
    pub(super) async fn turn(&self, deadline: Instant) -> Result<(), NoTurn> {
        let queued = tokio::time::timeout_at(deadline, self.queue.lock()).await;
        let Ok(_next) = queued else { return Err(NoTurn { wait: None }) };
        while let Some(until) = self.next_turn() {
            if until > deadline {
                return Err(NoTurn { wait: Some(until.saturating_duration_since(Instant::now())) });
            }
            tokio::select! {
                () = tokio::time::sleep_until(until) => {}
                () = self.changed.notified() => {}
            }
        }
        Ok(())
    }

    /// Waits for a turn that is spent later; there is always one at a gate that does not exist.
    pub(super) async fn reserve(gate: Option<&Self>, deadline: Instant) -> Result<Turn<'_>, NoTurn> {
        if let Some(gate) = gate {
            gate.turn(deadline).await?;
        }
        Ok(Turn { gate, spent: AtomicBool::new(false) })
    }

    /// Takes a turn, or says when to ask again.
    fn next_turn(&self) -> Option<Instant> {
        let now = Instant::now();
        let limiter = {
            let mut state = self.state.lock();
            match state.paused_until {
                Some(until) if until > now => return Some(until),
                _ => state.paused_until = None,
            }
            if state.returned > 0 {
                state.returned -= 1;
                return None;
            }
            Arc::clone(&state.limiter)
        };
        limiter.check().err().map(|denied| now + denied.wait_time_from(self.clock.now()))
    }

    fn give_back(&self) {
        self.state.lock().returned += 1;
        self.changed.notify_one();
    }

    /// Nothing passes for so long.
    pub(super) fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut state = self.state.lock();
        state.paused_until = Some(state.paused_until.map_or(until, |earlier| earlier.max(until)));
    }

    /// Takes in what an answer said: the limit, and how long nothing is left of it.
    pub(super) fn learn(&self, limit: Option<u32>, exhausted: Option<Duration>) {
        if let Some(limit) = limit.filter(|limit| *limit > 0) {
            self.set_rate(((f64::from(limit) * SHARE) as u32).max(1));
        }
        if let Some(wait) = exhausted {
            self.pause(wait);
        }
    }

    fn set_rate(&self, per_window: u32) {
        let mut state = self.state.lock();
        if state.per_window != per_window {
            state.per_window = per_window;
            state.limiter = Arc::new(limiter(per_window, self.window));
            self.changed.notify_one();
        }
    }
}

fn limiter(per_window: u32, window: Duration) -> DefaultDirectRateLimiter {
    let per_window = per_window.max(1);
    let burst = NonZeroU32::new(per_window / BURST_PART).unwrap_or(NonZeroU32::MIN);
    let period = (window / per_window).max(Duration::from_nanos(1));
    let quota = Quota::with_period(period).expect("the period is not zero").allow_burst(burst);
    DefaultDirectRateLimiter::direct(quota)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(50)
    }

    #[tokio::test]
    async fn the_burst_goes_at_once_and_the_rest_waits() {
        let gate = Gate::new(100, MINUTE);
        for _ in 0..25 {
            assert!(gate.turn(soon()).await.is_ok());
        }
        let refused = gate.turn(soon()).await.unwrap_err();
        assert!(refused.wait.is_some_and(|wait| wait > Duration::from_millis(400)), "{refused:?}");
    }

    #[tokio::test]
    async fn the_rate_follows_the_service() {
        let gate = Gate::new(100, MINUTE);
        gate.learn(Some(700), None);
        assert_eq!(gate.state.lock().per_window, 560);
        gate.learn(None, None);
        assert_eq!(gate.state.lock().per_window, 560);
    }

    #[tokio::test]
    async fn who_waits_learns_of_a_higher_limit() {
        let gate = Gate::new(1, MINUTE);
        gate.turn(soon()).await.unwrap();
        let deadline = Instant::now() + 2 * MINUTE;
        let (waited, ()) =
            tokio::join!(tokio::time::timeout(Duration::from_secs(10), gate.turn(deadline)), async {
                gate.learn(Some(60_000), None);
            });
        assert_eq!(waited, Ok(Ok(())));
    }

    #[tokio::test]
    async fn nothing_passes_during_a_pause() {
        let gate = Gate::new(6000, MINUTE);
        gate.learn(None, Some(Duration::from_secs(30)));
        let refused = gate.turn(soon()).await.unwrap_err();
        assert!(refused.wait.is_some_and(|wait| wait > Duration::from_secs(25)), "{refused:?}");
    }

    #[tokio::test]
    async fn an_unspent_turn_is_given_back() {
        let gate = Gate::new(4, MINUTE);
        drop(Gate::reserve(Some(&gate), soon()).await.unwrap());
        let turn = Gate::reserve(Some(&gate), soon()).await.unwrap();
        assert!(turn.spend() && !turn.spend());
        drop(turn);
        assert!(gate.turn(soon()).await.is_err());
        assert!(Gate::reserve(None, soon()).await.unwrap().spend(), "no limit, no wait");
    }

    #[tokio::test]
    async fn who_asked_first_goes_first() {
        let gate = Gate::new(600, Duration::from_secs(6));
        for _ in 0..150 {
            gate.turn(soon()).await.unwrap();
        }
        let deadline = Instant::now() + MINUTE;
        let order = Mutex::new(Vec::new());
        let (gate, order_of) = (&gate, &order);
        let ask = async |n: u32| {
            gate.turn(deadline).await.unwrap();
            order_of.lock().push(n);
        };
        tokio::join!(ask(1), ask(2), ask(3), ask(4));
        assert_eq!(*order.lock(), [1, 2, 3, 4]);
    }
}
