//! Whether an account is paused, and what `control` tells of it.
//!
//! An entity of the control topic (kind [`PAUSED_KIND`], id `tenant/platform`, body `{"reason": …}`) lets the account's
//! poll and write-back rest, in every process, from their next round or command on. A command that waits keeps its place,
//! so that nothing is lost and nothing overtakes; webhooks are still taken.

use super::account::Account;
use super::own_user;
use crate::safety::Settings;
use deskstream_runtime::Process;
use deskstream_runtime::control::{Control, ControlError};
use deskstream_schemas::{EVERY_TENANT, Platform};
use serde::Serialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// Kind of the control entities that pause an account.
pub const PAUSED_KIND: &str = "connector-paused";

/// What is known of an account.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct State {
    /// `tenant/platform`.
    pub account: String,
    /// Why it is paused; none if it is not.
    pub paused: Option<String>,
    /// Our user at the helpdesk, once it was asked.
    pub user: Option<String>,
    /// Where its poll stands, as the helpdesk counts.
    pub cursor: Option<serde_json::Value>,
    /// When the poll got there, in ms since the Unix epoch.
    pub polled_at: Option<i64>,
    /// What is set for its write-backs: for the tenant, and for all.
    pub write_back: [Settings; 2],
}

/// Pauses an account for a reason, or lets it go on.
///
/// # Errors
/// If `control` can't be written.
pub async fn pause(
    control: &Control,
    account: &dyn Account,
    by: &str,
    reason: Option<&str>,
) -> Result<(), ControlError> {
    let id = account.name();
    match reason {
        Some(reason) => {
            control.put_json(PAUSED_KIND, &id, account.tenant(), by, &json!({ "reason": reason })).await
        }
        None if control.get(PAUSED_KIND, &id).is_none() => Ok(()),
        None => control.remove(PAUSED_KIND, &id).await,
    }
}

/// Why an account is paused; none if it is not.
pub(crate) fn paused(control: &Control, tenant: &str, platform: Platform) -> Option<String> {
    let entity = control.get(PAUSED_KIND, &format!("{tenant}/{platform}"))?;
    let body: serde_json::Value = serde_json::from_str(&entity.body).unwrap_or_default();
    Some(body["reason"].as_str().unwrap_or_default().to_owned())
}

/// Waits while an account is paused; false if the process ends.
pub(crate) async fn resumed(
    control: &Control,
    tenant: &str,
    platform: Platform,
    shutdown: &CancellationToken,
) -> bool {
    let mut changes = control.changes();
    while !shutdown.is_cancelled() && paused(control, tenant, platform).is_some() {
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { break },
            () = shutdown.cancelled() => break,
        }
    }
    !shutdown.is_cancelled()
}

/// What `control` tells of an account.
pub fn of(process: &Process, account: &dyn Account) -> State {
    let (control, name) = (&process.control, account.name());
    let cursor = control.get(super::intake::CURSOR_KIND, &name);
    let stored = |tenant| Settings::stored(control, tenant).unwrap_or_default();
    State {
        paused: paused(control, account.tenant(), account.platform()),
        user: own_user::known(control, &name),
        polled_at: cursor.as_ref().map(|entity| entity.updated_at),
        cursor: cursor.and_then(|entity| serde_json::from_str(&entity.body).ok()),
        write_back: [stored(account.tenant()), stored(EVERY_TENANT)],
        account: name,
    }
}
