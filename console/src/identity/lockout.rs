//! Failed sign-ins: after a few of one address for one account, and after many of one account, one has to wait, each
//! time longer. Accounts that do not exist are counted alike, so that nothing is told. Counts are in memory and bounded.

use crate::http::error::ApiError;
use moka::sync::Cache;
use parking_lot::Mutex;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// So many may fail from one address before it waits …
const FREE_OF_ADDRESS: u32 = 5;
/// … and so many from all of them: one who knows an account's name should not lock it for its owner so easily.
const FREE_OF_ACCOUNT: u32 = 50;
const FIRST_WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// Failures are forgotten after this.
const MEMORY: Duration = Duration::from_secs(3600);
const KEPT: u64 = 100_000;

#[derive(Default)]
struct Count {
    failed: u32,
    until: Option<Instant>,
}

type Counts = Cache<(String, Option<IpAddr>), Arc<Mutex<Count>>>;

/// Counts of failed sign-ins.
pub struct Lockout {
    counts: Counts,
}

impl Default for Lockout {
    fn default() -> Self {
        Self { counts: Cache::builder().max_capacity(KEPT).time_to_idle(MEMORY).build() }
    }
}

impl Lockout {
    fn both(&self, login: &str, address: IpAddr) -> [(Arc<Mutex<Count>>, u32); 2] {
        let count = |address| self.counts.get_with((login.to_owned(), address), Arc::default);
        [(count(Some(address)), FREE_OF_ADDRESS), (count(None), FREE_OF_ACCOUNT)]
    }

    /// Takes an attempt in advance, so that many at once are no way around: fails while the account or address waits.
    pub fn attempt(&self, login: &str, address: IpAddr, now: Instant) -> Result<(), ApiError> {
        let counts = self.both(login, address);
        for (count, _) in &counts {
            if let Some(until) = count.lock().until.filter(|until| *until > now) {
                return Err(ApiError::TooMany { what: "too many failed sign-ins", after: until - now });
            }
        }
        for (count, free) in &counts {
            let mut count = count.lock();
            count.failed += 1;
            if count.failed >= *free {
                let doublings = (count.failed - free).min(10);
                count.until = Some(now + (FIRST_WAIT * 2u32.pow(doublings)).min(LONGEST_WAIT));
            }
        }
        Ok(())
    }

    /// The attempt was right.
    pub fn succeeded(&self, login: &str, address: IpAddr) {
        self.counts.invalidate(&(login.to_owned(), Some(address)));
        self.counts.invalidate(&(login.to_owned(), None));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_make_one_wait_each_time_longer_and_success_forgets_them() {
        let (lockout, start) = (Lockout::default(), Instant::now());
        let (here, there) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        for _ in 0..5 {
            lockout.attempt("a", here, start).unwrap();
        }
        assert!(lockout.attempt("a", here, start + Duration::from_secs(29)).is_err());
        lockout.attempt("a", there, start).unwrap();
        lockout.attempt("b", here, start).unwrap();
        lockout.attempt("a", here, start + Duration::from_secs(31)).unwrap();
        let waits = lockout.attempt("a", here, start + Duration::from_secs(31)).unwrap_err();
        assert!(
            matches!(waits, ApiError::TooMany { after, .. } if after == Duration::from_secs(60)),
            "{waits}"
        );
        lockout.succeeded("a", here);
        lockout.attempt("a", here, start + Duration::from_secs(32)).unwrap();
    }

    #[test]
    fn many_addresses_are_no_way_around() {
        let (lockout, start) = (Lockout::default(), Instant::now());
        let refused = (0..100u8)
            .filter(|n| lockout.attempt("a", IpAddr::from([192, 0, 2, *n]), start).is_err())
            .count();
        assert_eq!(refused, 50);
    }
}
