//! The account's turn: so many requests at once, so many a minute, and at some endpoints fewer.
//!
//! Clients of one account share its [`Rates`], since the service counts the account, not our clients: what one of them
//! learns all of them heed. How many requests a client has at once is its own matter, so that a list that waits for its
//! answer holds up nothing else. Work that can wait ([`ClientOptions::background`]) queues apart, and one of it at a time
//! stands in the queue of the others; it also leaves [`RESERVE`] of what the service says is left, so that
//! even a backfill in another process does not use the account up.

use super::call::Call;
use super::gate::{Gate, NoTurn, Turn};
use super::limits::RateLimits;
use super::options::ClientOptions;
use parking_lot::Mutex;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// Part of an account's limit that work which can wait leaves to the rest.
const RESERVE: f64 = 0.2;

/// The rate limits of one account; clones are the same. The first client that is made with it says what to assume.
#[derive(Clone, Default)]
pub struct Rates {
    gates: Arc<OnceLock<Gates>>,
}

impl std::fmt::Debug for Rates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rates").field("begun", &self.gates.get().is_some()).finish()
    }
}

struct Gates {
    window: Duration,
    account: Gate,
    /// Who can wait queues here first.
    background: tokio::sync::Mutex<()>,
    /// Until when nothing of that goes out.
    reserved: Mutex<Option<Instant>>,
    /// A handful: searched from the front.
    budgets: Vec<(&'static str, Gate)>,
}

impl Gates {
    fn new(options: &ClientOptions) -> Self {
        let gate = |per_window| Gate::new(per_window, options.window);
        Self {
            window: options.window,
            account: gate(options.per_window),
            background: tokio::sync::Mutex::default(),
            reserved: Mutex::default(),
            budgets: options.budgets.iter().map(|budget| (budget.name, gate(budget.per_window))).collect(),
        }
    }

    fn budget(&self, name: &str) -> Option<&Gate> {
        self.budgets.iter().find_map(|(known, gate)| (*known == name).then_some(gate))
    }

    /// A turn for work that can wait.
    async fn background_turn(&self, deadline: Instant) -> Result<(), NoTurn> {
        let queued = tokio::time::timeout_at(deadline, self.background.lock()).await;
        let Ok(_next) = queued else { return Err(NoTurn { wait: None }) };
        let until = *self.reserved.lock();
        if let Some(until) = until.filter(|until| *until > Instant::now()) {
            if until > deadline {
                return Err(NoTurn { wait: Some(until.saturating_duration_since(Instant::now())) });
            }
            tokio::time::sleep_until(until).await;
        }
        self.account.turn(deadline).await
    }

    /// What is left is for what can't wait.
    fn reserve_rest(&self, limits: &RateLimits) {
        let (Some(limit), Some(remaining)) = (limits.limit, limits.remaining) else { return };
        let short = f64::from(remaining) < f64::from(limit) * RESERVE;
        // A service that does not say when its window ends may have begun another by then.
        let wait = limits.resets_in.unwrap_or(self.window / 4).min(self.window);
        *self.reserved.lock() = short.then(|| Instant::now() + wait);
    }
}

pub(super) struct Throttle {
    rates: Rates,
    places: Semaphore,
    background: bool,
}

impl Throttle {
    pub(super) fn new(options: &ClientOptions) -> Self {
        let rates = options.rates.clone();
        rates.gates.get_or_init(|| Gates::new(options));
        Self { rates, places: Semaphore::new(options.concurrency.max(1)), background: options.background }
    }

    fn gates(&self) -> &Gates {
        self.rates.gates.get().expect("a throttle sets its rates when it is made")
    }

    fn budget(&self, name: &str) -> Option<&Gate> {
        self.gates().budget(name)
    }

    /// Waits for a turn at a budget, to be spent by a call later.
    pub(super) async fn reserve(&self, budget: &str, deadline: Instant) -> Result<Turn<'_>, NoTurn> {
        Gate::reserve(self.budget(budget), deadline).await
    }

    /// Waits for a turn, which lasts as long as what it gives.
    pub(super) async fn turn(
        &self,
        call: &Call<'_>,
        deadline: Instant,
    ) -> Result<SemaphorePermit<'_>, NoTurn> {
        // The endpoint's first: a call that waits for that takes no place from others, which need not.
        if let Some(gate) = call.budget.and_then(|name| self.budget(name))
            && !call.turn.is_some_and(Turn::spend)
        {
            gate.turn(deadline).await?;
        }
        let place = tokio::time::timeout_at(deadline, self.places.acquire()).await;
        let place = place.ok().and_then(Result::ok).ok_or(NoTurn { wait: None })?;
        match self.background {
            true => self.gates().background_turn(deadline).await?,
            false => self.gates().account.turn(deadline).await?,
        }
        Ok(place)
    }

    /// No request goes out for so long.
    pub(super) fn pause(&self, wait: Duration) {
        self.gates().account.pause(wait);
    }

    /// Takes in what the answer to a call of that budget said.
    pub(super) fn learn(&self, limits: &RateLimits, budget: Option<&str>) {
        let gates = self.gates();
        let pause = limits.exhausted(gates.window).map(|wait| wait.min(gates.window));
        gates.account.learn(limits.limit, pause);
        gates.reserve_rest(limits);
        if let (Some(gate), Some(own)) = (budget.and_then(|name| self.budget(name)), limits.endpoint) {
            gate.learn(own.limit, own.exhausted(gates.window));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Budget, EndpointLimit};

    fn throttle(concurrency: usize) -> Throttle {
        let options = ClientOptions::new("test", "acme", "http://127.0.0.1:1/".parse().unwrap());
        let budgets = vec![Budget { name: "updates", per_window: 1 }];
        Throttle::new(&ClientOptions { concurrency, per_window: 6000, budgets, ..options })
    }

    fn read() -> Call<'static> {
        Call::get("read", "/")
    }

    fn update() -> Call<'static> {
        Call { budget: Some("updates"), ..read() }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[tokio::test]
    async fn a_place_is_given_back() {
        let throttle = throttle(1);
        let place = throttle.turn(&read(), soon()).await.unwrap();
        assert!(throttle.turn(&read(), soon()).await.is_err());
        drop(place);
        assert!(throttle.turn(&read(), soon()).await.is_ok());
    }

    #[tokio::test]
    async fn an_endpoint_has_a_budget_of_its_own() {
        let throttle = throttle(8);
        assert!(throttle.turn(&update(), soon()).await.is_ok());
        assert!(throttle.turn(&update(), soon()).await.is_err(), "one a minute");
        assert!(throttle.turn(&read(), soon()).await.is_ok(), "others go on");
        let own = EndpointLimit { limit: Some(6000), ..EndpointLimit::default() };
        throttle.learn(&RateLimits { endpoint: Some(own), ..RateLimits::default() }, Some("updates"));
        assert!(throttle.turn(&update(), soon()).await.is_ok(), "the service grants more");
        let own = EndpointLimit { remaining: Some(0), resets_in: Some(Duration::from_secs(9)), ..own };
        throttle.learn(&RateLimits { endpoint: Some(own), ..RateLimits::default() }, Some("updates"));
        assert!(throttle.turn(&update(), soon()).await.is_err(), "nothing is left");
        assert!(throttle.turn(&read(), soon()).await.is_ok());
    }

    fn shared(rates: &Rates, background: bool) -> Throttle {
        let options = ClientOptions::new("test", "acme", "http://127.0.0.1:1/".parse().unwrap());
        Throttle::new(&ClientOptions { rates: rates.clone(), background, per_window: 8, ..options })
    }

    fn left(remaining: u32) -> RateLimits {
        let resets_in = Some(Duration::from_secs(30));
        RateLimits { limit: Some(10), remaining: Some(remaining), resets_in, endpoint: None }
    }

    #[tokio::test]
    async fn clients_of_one_account_live_from_one_limit() {
        let rates = Rates::default();
        let (polls, writes) = (shared(&rates, true), shared(&rates, false));
        // A quarter of the window's eight at once.
        assert!(polls.turn(&read(), soon()).await.is_ok());
        assert!(writes.turn(&read(), soon()).await.is_ok());
        assert!(writes.turn(&read(), soon()).await.is_err(), "the poll has had its part");
        polls.learn(&RateLimits { limit: Some(60_000), ..RateLimits::default() }, None);
        assert!(writes.turn(&read(), soon()).await.is_ok(), "what one has learned the other knows");
        polls.learn(&left(0), None);
        assert!(writes.turn(&read(), soon()).await.is_err(), "nothing is left for either");
        let other = shared(&Rates::default(), false);
        assert!(other.turn(&read(), soon()).await.is_ok(), "another account has its own");
    }

    #[tokio::test]
    async fn what_can_wait_leaves_a_rest() {
        let rates = Rates::default();
        let (polls, writes) = (shared(&rates, true), shared(&rates, false));
        writes.learn(&left(1), None);
        let refused = polls.turn(&read(), soon()).await.unwrap_err();
        assert!(refused.wait.is_some_and(|wait| wait > Duration::from_secs(25)), "{refused:?}");
        assert!(writes.turn(&read(), soon()).await.is_ok());
        writes.learn(&left(5), None);
        assert!(polls.turn(&read(), soon()).await.is_ok(), "the window is another");
    }

    #[tokio::test]
    async fn what_can_wait_stands_once_in_the_queue() {
        let rates = Rates::default();
        let options = ClientOptions::new("test", "acme", "http://127.0.0.1:1/".parse().unwrap());
        let options = ClientOptions { per_window: 600, window: Duration::from_secs(6), rates, ..options };
        let (writes, order) = (Throttle::new(&options), Mutex::new(Vec::new()));
        let polls = Throttle::new(&ClientOptions { background: true, ..options });
        for _ in 0..150 {
            drop(writes.turn(&read(), soon()).await.unwrap());
        }
        let deadline = Instant::now() + Duration::from_secs(60);
        let ask = async |throttle: &Throttle, name: &'static str| {
            drop(throttle.turn(&read(), deadline).await.unwrap());
            order.lock().push(name);
        };
        tokio::join!(
            ask(&polls, "poll"),
            ask(&polls, "poll"),
            ask(&polls, "poll"),
            ask(&writes, "write"),
            ask(&writes, "write")
        );
        assert_eq!(*order.lock(), ["poll", "write", "write", "poll", "poll"]);
    }

    #[tokio::test]
    async fn a_reserved_turn_is_spent_by_one_attempt() {
        let throttle = throttle(8);
        let turn = throttle.reserve("updates", soon()).await.unwrap();
        let call = Call { turn: Some(&turn), ..update() };
        assert!(throttle.turn(&call, soon()).await.is_ok());
        assert!(throttle.turn(&call, soon()).await.is_err());
    }
}
