//! Who takes care of an alert: told to the services that have a place for it.
//!
//! An entity of the control topic (kind [`ACKNOWLEDGED_KIND`], id `rule/tenant/group`, body `{"dedup_key": …, "by": …}`)
//! says that somebody takes care of that episode. Each channel tells its service once: PagerDuty by `acknowledge`, which
//! stops its escalation, Slack's bot in the thread. That it was told stands in the ledger beside the transition. It is
//! tried until the service answers, or the episode ends: an acknowledgement of what is over is of no use.
//!
//! At least once: two processes may tell the same. PagerDuty merges that, Slack shows it twice.

use super::channel::{Acknowledged, Verdict};
use super::ledger;
use super::worker::Worker;
use crate::http::{Backoff, Hint};
use deskstream_runtime::control::{Control, ControlError};
use deskstream_schemas::AlertState;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tokio::time::Instant;

/// Kind of the control entities that acknowledge an alert; their id is the alert's key.
pub const ACKNOWLEDGED_KIND: &str = "alert-acknowledged";

/// `control` changes with every position of a poll: looking this often is soon enough.
const SETTLE: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Body {
    dedup_key: String,
    by: String,
}

/// An alert that fires, as channels have told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Episode {
    /// `rule/tenant/group`.
    pub alert: String,
    /// The episode's key.
    pub dedup_key: String,
    /// Whose it is.
    pub tenant: String,
    /// Since when, in ms since the Unix epoch.
    pub since: i64,
    /// Where it was told.
    pub channels: Vec<String>,
    /// Who takes care of it.
    pub acknowledged_by: Option<String>,
}

/// An alert was not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum AcknowledgeError {
    /// It does not fire, as far as channels have told it.
    #[error("no alert {0} fires: `deskstream alerts list` tells which do")]
    Unknown(String),
    /// `control` can't be written.
    #[error(transparent)]
    Control(#[from] ControlError),
}

fn acknowledged(control: &Control, alert: &str) -> Option<Body> {
    serde_json::from_str(&control.get(ACKNOWLEDGED_KIND, alert)?.body).ok()
}

/// Every alert that fires, as far as channels have told it.
pub fn episodes(control: &Control) -> Vec<Episode> {
    let mut found: BTreeMap<String, Episode> = BTreeMap::new();
    for told in ledger::firing(control) {
        let by = acknowledged(control, &told.alert).filter(|body| body.dedup_key == told.dedup_key);
        let episode = found.entry(told.dedup_key.clone()).or_insert_with(|| Episode {
            alert: told.alert,
            dedup_key: told.dedup_key,
            tenant: told.tenant,
            since: told.since,
            channels: Vec::new(),
            acknowledged_by: by.map(|body| body.by),
        });
        episode.channels.push(told.channel);
    }
    found.into_values().collect()
}

/// Says that `by` takes care of an alert that fires; gives the episode.
///
/// # Errors
/// If no such alert fires, or `control` can't be written.
pub async fn acknowledge(control: &Control, alert: &str, by: &str) -> Result<Episode, AcknowledgeError> {
    let found = episodes(control).into_iter().find(|episode| episode.alert == alert);
    let episode = found.ok_or_else(|| AcknowledgeError::Unknown(alert.to_owned()))?;
    let body = Body { dedup_key: episode.dedup_key.clone(), by: by.to_owned() };
    let body = serde_json::to_value(&body).expect("texts are JSON");
    control.put_json(ACKNOWLEDGED_KIND, alert, &episode.tenant, by, &body).await?;
    Ok(episode)
}

/// Tells the channel's service who takes care of what, until shutdown.
pub(super) async fn run(worker: &Worker, wait: Backoff) {
    let control = worker.ledger.control();
    let mut changes = control.changes();
    changes.mark_changed();
    let mut failing: HashMap<String, (u32, Instant)> = HashMap::new();
    loop {
        let again = failing.values().map(|(_, at)| *at).min();
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = sleep_until(again) => {}
            () = worker.shutdown.cancelled() => return,
        }
        round(worker, wait, &mut failing).await;
        tokio::select! {
            () = tokio::time::sleep(SETTLE) => {}
            () = worker.shutdown.cancelled() => return,
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn round(worker: &Worker, wait: Backoff, failing: &mut HashMap<String, (u32, Instant)>) {
    let entities = worker.ledger.control().list(ACKNOWLEDGED_KIND);
    failing.retain(|alert, _| entities.iter().any(|entity| entity.id == *alert));
    for entity in entities {
        let Ok(body) = serde_json::from_str::<Body>(&entity.body) else { continue };
        let Some(thread) = worker.ledger.unacknowledged(&entity.id, &body.dedup_key) else {
            failing.remove(&entity.id);
            continue;
        };
        let (tries, at) = failing.get(&entity.id).copied().unwrap_or((0, Instant::now()));
        if at > Instant::now() {
            continue;
        }
        let told = Acknowledged { dedup_key: body.dedup_key, by: body.by };
        let answered = worker.channel.acknowledge(&told, thread.as_deref()).await;
        let pause = match answered {
            Ok(reply) => {
                if let Verdict::Refused { reason, .. } = &reply.verdict {
                    tracing::error!(
                        channel = worker.name,
                        alert = entity.id,
                        reason,
                        "acknowledgement refused"
                    );
                }
                // Refused for good is as final as taken.
                match worker.ledger.acknowledge(&entity.id, &told.dedup_key, &told.by).await {
                    Ok(()) => None,
                    Err(error) => {
                        tracing::warn!(channel = worker.name, %error, "acknowledgement not remembered");
                        Some(wait.wait(tries + 1))
                    }
                }
            }
            Err(failure) => {
                tracing::warn!(
                    channel = worker.name,
                    alert = entity.id,
                    cause = failure.cause,
                    "acknowledgement not delivered, trying again"
                );
                let soon = wait.wait(tries + 1);
                Some(match failure.hint {
                    Hint::After(asked) => soon.max(asked),
                    Hint::Backoff | Hint::Never => soon,
                })
            }
        };
        match pause {
            Some(pause) => drop(failing.insert(entity.id.clone(), (tries + 1, Instant::now() + pause))),
            None => drop(failing.remove(&entity.id)),
        }
    }
}

/// What a channel has told of an alert that fires.
pub(super) struct Told {
    pub(super) channel: String,
    pub(super) alert: String,
    pub(super) dedup_key: String,
    pub(super) tenant: String,
    pub(super) since: i64,
}

impl Told {
    /// Of a ledger's entry: `id` is `channel/rule/tenant/group`.
    pub(super) fn of(id: &str, tenant: &str, dedup_key: &str, state: AlertState, since: i64) -> Option<Self> {
        let (channel, alert) = id.split_once('/').filter(|_| state == AlertState::Firing)?;
        Some(Self {
            channel: channel.to_owned(),
            alert: alert.to_owned(),
            dedup_key: dedup_key.to_owned(),
            tenant: tenant.to_owned(),
            since,
        })
    }
}
