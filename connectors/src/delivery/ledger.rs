//! What a channel delivered last for each alert, kept in the `control` topic.
//!
//! Entity kind `alert-delivery`, id `{channel}/{rule}/{tenant}/{group}`, body
//! `{"dedup_key": …, "state": "FIRING" | "RESOLVED", "changed_at": ms, "result": …}`. One entity for each alert
//! and channel, so the topic stays as large as there are alerts, however many episodes they have.

use deskstream_runtime::control::{Control, ControlError};
use deskstream_schemas::{Alert, AlertState};
use serde::{Deserialize, Serialize};

const KIND: &str = "alert-delivery";

/// The transition that was delivered last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Delivered {
    dedup_key: String,
    state: AlertState,
    changed_at: i64,
    /// Whether it was applied or rejected: both are final.
    result: String,
}

impl Delivered {
    /// Whether that transition was delivered, or one that came after it.
    fn covers(&self, alert: &Alert) -> bool {
        if self.dedup_key == alert.dedup_key {
            return self.state == alert.state || self.state == AlertState::Resolved;
        }
        // Another episode: what changed earlier is a replay.
        alert.changed_at < self.changed_at
    }
}

/// One channel's ledger.
pub(super) struct Ledger {
    control: Control,
    channel: String,
}

impl Ledger {
    pub(super) fn new(control: Control, channel: &str) -> Self {
        Self { control, channel: channel.to_owned() }
    }

    /// Whether nothing is left to do for that transition.
    pub(super) fn covers(&self, alert: &Alert) -> bool {
        let Some(entity) = self.control.get(KIND, &self.id(alert)) else { return false };
        match serde_json::from_str::<Delivered>(&entity.body) {
            Ok(delivered) => delivered.covers(alert),
            Err(error) => {
                // Duplicates over silence.
                tracing::warn!(id = %entity.id, %error, "a ledger entry that can't be read is passed over");
                false
            }
        }
    }

    /// Remembers that a transition is done with; returns when that is durable.
    pub(super) async fn enter(&self, alert: &Alert, result: &str, by: &str) -> Result<(), ControlError> {
        let delivered = Delivered {
            dedup_key: alert.dedup_key.clone(),
            state: alert.state,
            changed_at: alert.changed_at,
            result: result.to_owned(),
        };
        let body = serde_json::to_value(&delivered).unwrap_or_default();
        self.control.put_json(KIND, &self.id(alert), &alert.tenant, by, &body).await
    }

    fn id(&self, alert: &Alert) -> String {
        format!("{}/{}", self.channel, alert.key())
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::alert;
    use super::*;

    fn delivered(key: &str, state: AlertState, changed_at: i64) -> Delivered {
        Delivered { dedup_key: key.to_owned(), state, changed_at, result: "applied".to_owned() }
    }

    #[test]
    fn a_replay_is_covered_and_news_is_not() {
        use AlertState::{Firing, Resolved};
        let one = |state, changed_at| Alert { dedup_key: "one".into(), state, changed_at, ..alert() };
        let two = |state, changed_at| Alert { dedup_key: "two".into(), state, changed_at, ..alert() };
        let last = delivered("one", Firing, 100);
        assert!(last.covers(&one(Firing, 100)));
        assert!(!last.covers(&one(Resolved, 200)));
        assert!(!last.covers(&two(Firing, 300)));
        let last = delivered("one", Resolved, 200);
        // A trigger after its own resolve would open a second incident.
        assert!(last.covers(&one(Firing, 100)));
        assert!(last.covers(&one(Resolved, 200)));
        assert!(!last.covers(&two(Firing, 300)));
        // A resolve and the next episode may share a millisecond.
        assert!(!last.covers(&two(Firing, 200)));
        let last = delivered("two", Firing, 300);
        assert!(last.covers(&one(Firing, 100)) && last.covers(&one(Resolved, 200)));
    }
}
