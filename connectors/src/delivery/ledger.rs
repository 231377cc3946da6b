//! What a channel delivered last for each alert, kept in the `control` topic.
//!
//! Entity kind `alert-delivery`, id `{channel}/{rule}/{tenant}/{group}`, body
//! `{"dedup_key": …, "state": "FIRING" | "RESOLVED", "changed_at": ms, "result": …}`. One entity for each alert
//! and channel, so the topic stays as large as there are alerts, however many episodes they have. For a service
//! that has to be told again (module `keep`), `alert` holds the whole transition; for one with threads, `thread` names
//! the message that updates answer.

use super::acknowledge::Told;
use deskstream_runtime::control::{Control, ControlError};
use deskstream_schemas::{Alert, AlertState};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const KIND: &str = "alert-delivery";

/// Result of a transition that the service took.
pub(super) const APPLIED: &str = "applied";

/// The transition that was delivered last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Delivered {
    dedup_key: String,
    state: AlertState,
    changed_at: i64,
    /// Whether it was applied or rejected: both are final.
    result: String,
    /// The message that updates answer, where the service has threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    thread: Option<String>,
    /// Who takes care of it, once the service was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acknowledged_by: Option<String>,
    /// The transition itself, where the service forgets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alert: Option<Alert>,
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

    /// The transition, if the service took it and should be told of it again at `now`.
    fn standing(self, now: i64, afterglow: Duration) -> Option<Alert> {
        let alert = self.alert.filter(|_| self.result == APPLIED)?;
        let since = u128::try_from(now.saturating_sub(alert.changed_at)).unwrap_or(0);
        (alert.state == AlertState::Firing || since < afterglow.as_millis()).then_some(alert)
    }
}

/// What fires, as far as channels have told it.
pub(super) fn firing(control: &Control) -> Vec<Told> {
    let entities = control.list(KIND);
    let told = entities.iter().filter_map(|entity| {
        let last: Delivered = serde_json::from_str(&entity.body).ok()?;
        if last.result != APPLIED {
            return None;
        }
        Told::of(&entity.id, &entity.tenant, &last.dedup_key, last.state, last.changed_at)
    });
    told.collect()
}

/// One channel's ledger.
pub(super) struct Ledger {
    control: Control,
    channel: String,
    /// Whether entries hold the whole transition.
    whole: bool,
    /// An entry is read and written as one.
    writing: tokio::sync::Mutex<()>,
}

impl Ledger {
    pub(super) fn new(control: Control, channel: &str, whole: bool) -> Self {
        Self { control, channel: channel.to_owned(), whole, writing: tokio::sync::Mutex::default() }
    }

    pub(super) fn control(&self) -> &Control {
        &self.control
    }

    /// What fires, and what was resolved within `afterglow`, as far as the service took it.
    pub(super) fn standing(&self, now: i64, afterglow: Duration) -> Vec<Alert> {
        let ours = format!("{}/", self.channel);
        let entities = self.control.list(KIND);
        let ours = entities.iter().filter(|entity| entity.id.starts_with(&ours));
        let entries = ours.filter_map(|entity| serde_json::from_str::<Delivered>(&entity.body).ok());
        entries.filter_map(|entry| entry.standing(now, afterglow)).collect()
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

    fn last(&self, key: &str) -> Option<Delivered> {
        let entity = self.control.get(KIND, &format!("{}/{key}", self.channel))?;
        serde_json::from_str(&entity.body).ok()
    }

    /// The message that an update of this episode answers.
    pub(super) fn thread(&self, alert: &Alert) -> Option<String> {
        let last = self.last(&alert.key()).filter(|last| last.dedup_key == alert.dedup_key);
        last.and_then(|last| last.thread)
    }

    /// The episode that fires, with its thread, if the service has it and was not told yet who takes care of it.
    pub(super) fn unacknowledged(&self, key: &str, dedup_key: &str) -> Option<Option<String>> {
        let last = self.last(key)?;
        let open = last.dedup_key == dedup_key && last.state == AlertState::Firing && last.result == APPLIED;
        (open && last.acknowledged_by.is_none()).then_some(last.thread)
    }

    /// Remembers that the service was told who takes care of an episode.
    pub(super) async fn acknowledge(&self, key: &str, dedup_key: &str, by: &str) -> Result<(), ControlError> {
        let _alone = self.writing.lock().await;
        let Some(last) = self.last(key).filter(|last| last.dedup_key == dedup_key) else { return Ok(()) };
        let id = format!("{}/{key}", self.channel);
        let tenant = self.control.get(KIND, &id).map(|entity| entity.tenant.clone()).unwrap_or_default();
        let told = Delivered { acknowledged_by: Some(by.to_owned()), ..last };
        let body = serde_json::to_value(&told).unwrap_or_default();
        self.control.put_json(KIND, &id, &tenant, super::worker::ACTOR, &body).await
    }

    /// Remembers that a transition is done with; returns when that is durable.
    pub(super) async fn enter(
        &self,
        alert: &Alert,
        result: &str,
        thread: Option<String>,
        by: &str,
    ) -> Result<(), ControlError> {
        let _alone = self.writing.lock().await;
        let delivered = Delivered {
            thread: thread.or_else(|| self.thread(alert)),
            acknowledged_by: None,
            dedup_key: alert.dedup_key.clone(),
            state: alert.state,
            changed_at: alert.changed_at,
            result: result.to_owned(),
            alert: self.whole.then(|| alert.clone()),
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
        Delivered {
            dedup_key: key.to_owned(),
            state,
            changed_at,
            result: APPLIED.to_owned(),
            thread: None,
            acknowledged_by: None,
            alert: None,
        }
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

    #[test]
    fn what_fires_stands_and_what_was_resolved_stands_for_a_while() {
        let minute = Duration::from_secs(60);
        let entry = |state, result: &str| Delivered {
            result: result.to_owned(),
            alert: Some(Alert { state, changed_at: 1000, ..alert() }),
            ..delivered("one", state, 1000)
        };
        let stands = |entry: Delivered, now| entry.standing(now, minute).is_some();
        assert!(stands(entry(AlertState::Firing, APPLIED), i64::MAX));
        assert!(stands(entry(AlertState::Resolved, APPLIED), 60_999));
        // The transition's clock may be ahead of ours.
        assert!(stands(entry(AlertState::Resolved, APPLIED), 0));
        assert!(!stands(entry(AlertState::Resolved, APPLIED), 61_000));
        assert!(!stands(entry(AlertState::Firing, "rejected"), 1000));
        assert!(!stands(delivered("one", AlertState::Firing, 1000), 1000));
    }

    #[test]
    fn entries_from_before_are_read() {
        let body = r#"{"dedup_key":"one","state":"FIRING","changed_at":100,"result":"applied"}"#;
        let read: Delivered = serde_json::from_str(body).unwrap();
        assert_eq!(read, delivered("one", AlertState::Firing, 100));
        assert_eq!(serde_json::to_string(&read).unwrap(), body);
    }
}
