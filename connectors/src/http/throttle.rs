//! The account's turn: so many requests at once, so many a minute, and at some endpoints fewer.

use super::call::Call;
use super::gate::{Gate, NoTurn, Turn};
use super::limits::RateLimits;
use super::options::ClientOptions;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

pub(super) struct Throttle {
    window: Duration,
    places: Semaphore,
    account: Gate,
    /// A handful: searched from the front.
    budgets: Vec<(&'static str, Gate)>,
}

impl Throttle {
    pub(super) fn new(options: &ClientOptions) -> Self {
        let gate = |per_window| Gate::new(per_window, options.window);
        Self {
            window: options.window,
            places: Semaphore::new(options.concurrency.max(1)),
            account: gate(options.per_window),
            budgets: options.budgets.iter().map(|budget| (budget.name, gate(budget.per_window))).collect(),
        }
    }

    fn budget(&self, name: &str) -> Option<&Gate> {
        self.budgets.iter().find_map(|(known, gate)| (*known == name).then_some(gate))
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
        self.account.turn(deadline).await?;
        Ok(place)
    }

    /// No request goes out for so long.
    pub(super) fn pause(&self, wait: Duration) {
        self.account.pause(wait);
    }

    /// Takes in what the answer to a call of that budget said.
    pub(super) fn learn(&self, limits: &RateLimits, budget: Option<&str>) {
        let pause = limits.exhausted(self.window).map(|wait| wait.min(self.window));
        self.account.learn(limits.limit, pause);
        if let (Some(gate), Some(own)) = (budget.and_then(|name| self.budget(name)), limits.endpoint) {
            gate.learn(own.limit, own.exhausted(self.window));
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

    #[tokio::test]
    async fn a_reserved_turn_is_spent_by_one_attempt() {
        let throttle = throttle(8);
        let turn = throttle.reserve("updates", soon()).await.unwrap();
        let call = Call { turn: Some(&turn), ..update() };
        assert!(throttle.turn(&call, soon()).await.is_ok());
        assert!(throttle.turn(&call, soon()).await.is_err());
    }
}
