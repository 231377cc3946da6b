//! Zendesk at the webhook server.

use super::map::{self, Own};
use super::verify::{PublicSecret, Verifier};
use crate::helpdesk::own_user::KnownUser;
use crate::webhook::{Reading, Receiver, SignatureError, Signed, Unreadable};
use deskstream_runtime::Process;
use deskstream_runtime::config::ZendeskConfig;
use deskstream_schemas::Platform;
use http::HeaderMap;
use jiff::Timestamp;

/// An invocation id is a ULID or a UUID; longer is not Zendesk's.
const MAX_DELIVERY_ID_BYTES: usize = 64;

/// One tenant's Zendesk account.
pub struct ZendeskReceiver {
    tenant: String,
    verifier: Verifier,
    tag_prefix: String,
    own_user: KnownUser,
}

impl ZendeskReceiver {
    /// A receiver for the tenant's account.
    pub fn new(process: &Process, tenant: &str, config: &ZendeskConfig) -> Result<Self, PublicSecret> {
        Ok(Self {
            tenant: tenant.to_owned(),
            verifier: Verifier::new(&config.webhook_secret.expose(), process.config.http.signature_window)?,
            tag_prefix: process.config.write_back.tag_prefix.clone(),
            own_user: KnownUser::new(process, tenant, Platform::Zendesk),
        })
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
        self.own_user.with(|user_id| {
            let own = Own { user_id, tag_prefix: &self.tag_prefix };
            Ok(map::webhook(&self.tenant, body, received_at, own)?)
        })
    }

    fn delivery_id<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let id = headers.get("x-zendesk-webhook-invocation-id")?.to_str().ok()?;
        let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        (plain && !id.is_empty() && id.len() <= MAX_DELIVERY_ID_BYTES).then_some(id)
    }
}
