//! What keeps a sink's partitions from going on, and what readiness says of it.
//!
//! Each partition's trouble is its own: that others do well must not hide it, and when the partition goes to another
//! process its trouble goes with it.

use deskstream_runtime::health::Part;
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// The troubles of one sink.
pub(super) struct Troubles {
    part: Part,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Partitions that stand still until somebody acts, and why.
    refused: BTreeMap<i32, String>,
    /// Partitions whose inserts fail again and again, and why.
    failing: BTreeMap<i32, String>,
}

impl Troubles {
    /// None yet. `part` is told of what comes.
    pub(super) fn new(part: Part) -> Self {
        Self { part, state: Mutex::default() }
    }

    /// The partition stands still until somebody acts.
    pub(super) fn refuse(&self, partition: i32, reason: String) {
        self.change(|state| {
            state.refused.insert(partition, reason);
            true
        });
    }

    /// The partition's inserts keep failing.
    pub(super) fn fail(&self, partition: i32, reason: String) {
        self.change(|state| {
            state.failing.insert(partition, reason);
            true
        });
    }

    /// An insert succeeded, or there is none under way any more; true if they had been failing.
    pub(super) fn over(&self, partition: i32) -> bool {
        self.change(|state| state.failing.remove(&partition).is_some())
    }

    /// The partition is not ours any more.
    pub(super) fn lost(&self, partition: i32) {
        self.change(|state| {
            let refused = state.refused.remove(&partition).is_some();
            state.failing.remove(&partition).is_some() || refused
        });
    }

    /// Changes the state, and tells the part if that said so.
    fn change(&self, change: impl FnOnce(&mut State) -> bool) -> bool {
        let mut state = self.state.lock();
        let changed = change(&mut state);
        if changed {
            match state.refused.first_key_value().or_else(|| state.failing.first_key_value()) {
                Some((_, reason)) => self.part.not_ready(reason.as_str()),
                None => self.part.ready(),
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deskstream_runtime::health::Health;

    #[test]
    fn readiness_is_that_of_the_partitions_we_have() {
        let health = Health::default();
        let troubles = Troubles::new(health.part("t"));
        let reason = || health.report().1["t"].reason.clone();
        troubles.fail(0, "away".into());
        troubles.fail(1, "away too".into());
        assert!(troubles.over(0));
        assert_eq!(reason(), "away too", "one that does well hides nothing");
        assert!(!troubles.over(0), "it is told once");
        // Taken away amid its failing inserts: nobody here will see it succeed.
        troubles.lost(1);
        assert!(health.report().0);

        troubles.refuse(2, "gone".into());
        troubles.fail(3, "away".into());
        troubles.over(3);
        assert_eq!(reason(), "gone");
        troubles.lost(2);
        assert!(health.report().0);
    }
}
