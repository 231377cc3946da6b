//! Who we are at a helpdesk: what tells our own updates from others'.
//!
//! An entity of the control topic (kind `helpdesk-user`, id `tenant/platform`, body `{"user_id": …}`), so that every
//! process knows it.

use deskstream_runtime::Process;
use deskstream_runtime::control::{Control, ControlError};
use deskstream_schemas::Platform;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub(super) const KIND: &str = "helpdesk-user";

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct OwnUser {
    user_id: String,
}

/// Keeps it, unless it is known already.
pub(super) async fn remember(
    process: &Process,
    tenant: &str,
    platform: Platform,
    user_id: &str,
) -> Result<(), ControlError> {
    let (id, own) = (format!("{tenant}/{platform}"), OwnUser { user_id: user_id.to_owned() });
    let known = process.control.get(KIND, &id);
    if known
        .is_some_and(|entity| serde_json::from_str::<OwnUser>(&entity.body).is_ok_and(|known| known == own))
    {
        return Ok(());
    }
    let body = serde_json::to_value(&own).expect("a text is JSON");
    process.control.put_json(KIND, &id, tenant, "connect", &body).await
}

/// Our user's id at the account of that name.
pub(super) fn known(control: &Control, account: &str) -> Option<String> {
    let entity = control.get(KIND, account)?;
    serde_json::from_str::<OwnUser>(&entity.body).ok().map(|own| own.user_id)
}

/// Looks it up again only after the control topic changed.
pub(crate) struct KnownUser {
    control: Control,
    id: String,
    known: RwLock<Known>,
}

struct Known {
    changes: watch::Receiver<i64>,
    user_id: Option<String>,
}

impl KnownUser {
    pub(crate) fn new(process: &Process, tenant: &str, platform: Platform) -> Self {
        let mut changes = process.control.changes();
        changes.mark_changed();
        Self {
            control: process.control.clone(),
            id: format!("{tenant}/{platform}"),
            known: RwLock::new(Known { changes, user_id: None }),
        }
    }

    /// Gives the user's id, once known, to `use_it`.
    pub(crate) fn with<T>(&self, use_it: impl FnOnce(Option<&str>) -> T) -> T {
        self.refresh();
        use_it(self.known.read().user_id.as_deref())
    }

    fn refresh(&self) {
        if !self.known.read().changes.has_changed().unwrap_or(false) {
            return;
        }
        let mut known = self.known.write();
        known.changes.mark_unchanged();
        known.user_id = self::known(&self.control, &self.id);
    }
}
