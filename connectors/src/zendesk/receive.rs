//! Zendesk at the webhook server.

use super::map::{self, Own};
use super::verify::{PublicSecret, Verifier};
use super::{OWN_USER_KIND, OwnUser, account_id};
use crate::webhook::{Reading, Receiver, SignatureError, Signed, Unreadable};
use deskstream_runtime::Process;
use deskstream_runtime::config::ZendeskConfig;
use deskstream_runtime::control::Control;
use deskstream_schemas::Platform;
use http::HeaderMap;
use jiff::Timestamp;
use parking_lot::RwLock;
use tokio::sync::watch;

/// An invocation id is a ULID or a UUID; longer is not Zendesk's.
const MAX_DELIVERY_ID_BYTES: usize = 64;

/// One tenant's Zendesk account.
pub struct ZendeskReceiver {
    tenant: String,
    verifier: Verifier,
    tag_prefix: String,
    control: Control,
    own_user: RwLock<Known>,
}

/// Our API user's id as of a state of the control topic.
struct Known {
    changes: watch::Receiver<i64>,
    user_id: Option<String>,
}

impl ZendeskReceiver {
    /// A receiver for the tenant's account.
    pub fn new(process: &Process, tenant: &str, config: &ZendeskConfig) -> Result<Self, PublicSecret> {
        let mut changes = process.control.changes();
        changes.mark_changed();
        Ok(Self {
            tenant: tenant.to_owned(),
            verifier: Verifier::new(&config.webhook_secret.expose(), process.config.http.signature_window)?,
            tag_prefix: process.config.write_back.tag_prefix.clone(),
            control: process.control.clone(),
            own_user: RwLock::new(Known { changes, user_id: None }),
        })
    }

    /// Looks the id up again only after the control topic changed.
    fn refresh_own_user(&self) {
        if !self.own_user.read().changes.has_changed().unwrap_or(false) {
            return;
        }
        let mut known = self.own_user.write();
        known.changes.mark_unchanged();
        let entity = self.control.get(OWN_USER_KIND, &account_id(&self.tenant));
        known.user_id = entity
            .and_then(|entity| serde_json::from_str::<OwnUser>(&entity.body).ok())
            .map(|own| own.user_id);
    }
}

impl Receiver for ZendeskReceiver {
    fn platform(&self) -> Platform {
        Platform::Zendesk
    }

    fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Option<Signed>, SignatureError> {
        self.verifier.verify(headers, body, now).map(Some)
    }

    fn read(&self, body: &[u8], received_at: i64) -> Result<Reading, Unreadable> {
        self.refresh_own_user();
        let known = self.own_user.read();
        let own = Own { user_id: known.user_id.as_deref(), tag_prefix: &self.tag_prefix };
        map::webhook(&self.tenant, body, received_at, own)
            .map_err(|error| Unreadable { reason: error.reason(), error: error.to_string() })
    }

    fn delivery_id<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let id = headers.get("x-zendesk-webhook-invocation-id")?.to_str().ok()?;
        let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        (plain && !id.is_empty() && id.len() <= MAX_DELIVERY_ID_BYTES).then_some(id)
    }
}
