//! How much of a bounded whole each tenant may hold.
//!
//! A tenant may hold [`ALPHA`] times what is free at the moment. That is the dynamic threshold of A. K. Choudhury and
//! E. L. Hahne, "Dynamic Queue Length Thresholds for Shared-Memory Packet Switches" (IEEE/ACM Transactions on
//! Networking 6(2), 1998): one greedy tenant comes to `α/(1+α)` of the whole, N of them to `α/(1+Nα)` each, and
//! `1/(1+Nα)` stays free for whoever comes next. Nobody has to be configured, and what idle tenants don't use is used.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// With 4 a single busy tenant has 80% of the whole, two have 44% each, ten have 9.8% each.
const ALPHA: usize = 4;

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The tenant holds its share; others would still find room.
    OverShare,
    /// There is no room for anybody.
    Full,
}

#[derive(Default)]
struct State {
    used: usize,
    by_tenant: HashMap<Arc<str>, usize>,
}

/// A bounded whole and who holds how much of it.
pub struct Shares {
    capacity: usize,
    /// With one tenant there is nobody to keep room for.
    tenants: Arc<AtomicUsize>,
    state: Mutex<State>,
}

/// A part that is held, given back when dropped.
pub struct Share {
    shares: Arc<Shares>,
    tenant: Arc<str>,
    amount: usize,
}

impl Shares {
    /// A whole of that size, for so many tenants.
    pub fn new(capacity: usize, tenants: usize) -> Self {
        Self::among(capacity, Arc::new(AtomicUsize::new(tenants)))
    }

    /// A whole of that size, for tenants whose number may change.
    pub fn among(capacity: usize, tenants: Arc<AtomicUsize>) -> Self {
        Self { capacity, tenants, state: Mutex::default() }
    }

    fn alone(&self) -> bool {
        self.tenants.load(Ordering::Relaxed) <= 1
    }

    /// A part for the tenant, until it is dropped.
    ///
    /// # Errors
    /// If the tenant has its share, or nothing is left.
    pub fn take(self: &Arc<Self>, tenant: &str, amount: usize) -> Result<Share, Refused> {
        let tenant = self.hold(tenant, amount)?;
        Ok(Share { shares: Arc::clone(self), tenant, amount })
    }

    /// As [`Shares::take`], until [`Shares::give_back`].
    ///
    /// # Errors
    /// As [`Shares::take`].
    pub fn hold(&self, tenant: &str, amount: usize) -> Result<Arc<str>, Refused> {
        let mut state = self.state.lock();
        let free = self.capacity.saturating_sub(state.used);
        if amount > free {
            return Err(Refused::Full);
        }
        let known = state.by_tenant.get_key_value(tenant).map(|(name, held)| (Arc::clone(name), *held));
        let (name, held) = known.unwrap_or_else(|| (tenant.into(), 0));
        // Whoever holds nothing is never over its share.
        if held > 0 && !self.alone() && held.saturating_add(amount) > free.saturating_mul(ALPHA) {
            return Err(Refused::OverShare);
        }
        Self::add(&mut state, &name, amount);
        Ok(name)
    }

    /// Counts what is held already, whatever the bounds say: it was there before.
    pub fn held_before(&self, tenant: &str, amount: usize) {
        Self::add(&mut self.state.lock(), &tenant.into(), amount);
    }

    fn add(state: &mut State, tenant: &Arc<str>, amount: usize) {
        state.used += amount;
        *state.by_tenant.entry(Arc::clone(tenant)).or_default() += amount;
    }

    /// Ends what [`Shares::hold`] began.
    pub fn give_back(&self, tenant: &str, amount: usize) {
        let mut state = self.state.lock();
        state.used = state.used.saturating_sub(amount);
        let left = state.by_tenant.get_mut(tenant).map(|held| {
            *held = held.saturating_sub(amount);
            *held
        });
        if left == Some(0) {
            state.by_tenant.remove(tenant);
        }
    }

    /// How much is held by all.
    pub fn used(&self) -> usize {
        self.state.lock().used
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shares.give_back(&self.tenant, self.amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fill(shares: &Arc<Shares>, tenant: &str) -> Vec<Share> {
        std::iter::from_fn(|| shares.take(tenant, 1).ok()).collect()
    }

    #[test]
    fn a_greedy_tenant_leaves_room_for_the_next() {
        let shares = Arc::new(Shares::new(1000, 5));
        let first = fill(&shares, "a");
        assert_eq!(first.len(), 800);
        assert_eq!(shares.take("a", 1).err(), Some(Refused::OverShare));
        let second = fill(&shares, "b");
        assert_eq!(second.len(), 160);
        drop((first, second));
        assert_eq!(shares.used(), 0);
    }

    #[test]
    fn tenants_that_were_over_their_share_come_down_to_it() {
        let shares = Arc::new(Shares::new(900, 5));
        let mut held = [fill(&shares, "a"), fill(&shares, "b")];
        // What ends is taken again by whoever may: with two of them 4/9 each.
        for _ in 0..2000 {
            for (tenant, held) in ["a", "b"].iter().zip(&mut held) {
                held.pop();
                held.extend(fill(&shares, tenant));
            }
        }
        assert_eq!([held[0].len(), held[1].len()].map(|held| held.abs_diff(400) < 3), [true, true]);
    }

    #[test]
    fn the_only_tenant_has_all_of_it() {
        let shares = Arc::new(Shares::new(10, 1));
        let all = fill(&shares, "a");
        assert_eq!(all.len(), 10);
        assert_eq!(shares.take("a", 1).err(), Some(Refused::Full));
    }

    #[test]
    fn whoever_holds_nothing_gets_what_there_is() {
        let shares = Arc::new(Shares::new(10, 3));
        let _nine = shares.take("a", 9).unwrap();
        let _last = shares.take("b", 1).unwrap();
        assert_eq!(shares.take("c", 1).err(), Some(Refused::Full));
    }

    proptest! {
        #[test]
        fn never_more_is_held_than_there_is(
            steps in proptest::collection::vec((0usize..4, 1usize..40, any::<bool>()), 0..300),
        ) {
            let shares = Arc::new(Shares::new(100, 4));
            let mut held: Vec<Share> = Vec::new();
            for (tenant, amount, release) in steps {
                if release && !held.is_empty() {
                    held.swap_remove(amount % held.len());
                } else {
                    held.extend(shares.take(["a", "b", "c", "d"][tenant], amount).ok());
                }
                let sum: usize = held.iter().map(|share| share.amount).sum();
                prop_assert!(sum <= 100);
                prop_assert_eq!(shares.used(), sum);
            }
        }
    }
}
