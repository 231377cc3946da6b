//! Intercom at the webhook server.
//!
//! A notification that brings a message says all of its conversation that we keep, and is signed: it is taken as it
//! is. Of other changes the conversation is read by API, so that its text is still the newest message; so is what an
//! app of an older version sends. Requests whose conversation can't be read now are refused, and Intercom sends them
//! again; the poll finds the conversation before.

use super::client::Api;
use super::decode::{self, Conversation, Notification};
use super::map;
use super::verify::Verifier;
use crate::helpdesk::{DecodeError, html, note, tags};
use crate::http::{Domain, Rates, SetupError};
use crate::webhook::{FetchError, Fetching, Reading, Receiver, SignatureError, Signed, Unreadable};
use deskstream_runtime::Process;
use deskstream_runtime::config::IntercomConfig;
use deskstream_schemas::{EventKind, Origin, Platform};
use http::HeaderMap;
use jiff::Timestamp;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Conversations being read, or waiting for their turn to be, at the same time; more requests get 503.
const FETCHES: usize = 64;

/// How long reading a conversation may take: Intercom waits 5 s for an answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Topics whose notification holds a conversation with its newest message.
const MESSAGES: [(&str, EventKind); 5] = [
    ("conversation.user.created", EventKind::Created),
    ("conversation.user.replied", EventKind::Updated),
    ("conversation.admin.replied", EventKind::Updated),
    ("conversation.admin.single.created", EventKind::Created),
    ("conversation.operator.replied", EventKind::Updated),
];

/// Topics that change what we keep, without a message.
const CHANGES: [&str; 9] = [
    "conversation.admin.assigned",
    "conversation.admin.closed",
    "conversation.admin.opened",
    "conversation.admin.open.assigned",
    "conversation.admin.snoozed",
    "conversation.admin.unsnoozed",
    "conversation.priority.updated",
    "conversation_part.redacted",
    TAGGED,
];

const NOTED: &str = "conversation.admin.noted";
const TAGGED: &str = "conversation_part.tag.created";

/// One tenant's workspace.
pub struct IntercomReceiver {
    tenant: String,
    verifier: Verifier,
    tag_prefix: String,
    api: Api,
    fetches: Semaphore,
}

impl IntercomReceiver {
    /// A receiver for the tenant's workspace.
    pub fn new(
        process: &Process,
        tenant: &str,
        config: &IntercomConfig,
        rates: &Rates,
    ) -> Result<Self, SetupError> {
        let window = process.config.http.signature_window;
        Ok(Self {
            tenant: tenant.to_owned(),
            verifier: Verifier::new(&config.client_secret.expose(), window),
            tag_prefix: process.config.write_back.tag_prefix.clone(),
            // A client of its own: write-backs that are under way must not take its places.
            api: Api::sharing(tenant, config, rates, false)?,
            fetches: Semaphore::new(FETCHES),
        })
    }

    async fn fetch_back(&self, id: &str, received_at: i64) -> Result<Reading, FetchError> {
        let _place = self.fetches.try_acquire().map_err(|_| FetchError::Busy)?;
        let deadline = Some(Instant::now() + PATIENCE);
        let read = super::read(&self.api, id, deadline).await.map_err(|error| {
            if error.domain() == Domain::User {
                tracing::error!(tenant = self.tenant, %error, "Intercom refuses us: check the account's access token");
            } else {
                tracing::warn!(tenant = self.tenant, %error, "a webhook's conversation can't be read now");
            }
            FetchError::Away
        })?;
        // A conversation that is gone, or that never was.
        let Some(read) = read else { return Ok(Reading::Ignored) };
        match read.map(&self.tenant, Origin::Webhook, received_at) {
            Ok(mapped) => Ok(Reading::Event(Box::new(mapped))),
            Err(error) => Err(FetchError::Unreadable { why: error.into(), payload: read.conversation }),
        }
    }
}

impl Receiver for IntercomReceiver {
    fn platform(&self) -> Platform {
        Platform::Intercom
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
        Ok(notification(&self.tenant, &self.tag_prefix, body, received_at)?)
    }

    fn fetch<'a>(&'a self, id: &'a str, received_at: i64) -> Fetching<'a> {
        Box::pin(self.fetch_back(id, received_at))
    }

    fn delivery_id<'a>(&self, _headers: &'a HeaderMap) -> Option<&'a str> {
        None
    }
}

/// What a notification comes to.
pub fn notification(
    tenant: &str,
    tag_prefix: &str,
    body: &[u8],
    received_at: i64,
) -> Result<Reading, DecodeError> {
    let read = decode::notification(body)?;
    let topic = read.topic.as_deref().unwrap_or_default();
    let message = MESSAGES.iter().find(|(known, _)| *known == topic).map(|(_, kind)| *kind);
    if message.is_none() && topic != NOTED && !CHANGES.contains(&topic) {
        return Ok(Reading::Ignored);
    }
    let item = read.data.as_ref().and_then(|data| data.item);
    let item = decode::conversation(item.ok_or(DecodeError::BadShape("it has no item"))?.get().as_bytes())?;
    if topic == NOTED {
        // Notes are no one's message; ours are told apart to be counted.
        return Ok(if has_own_note(&item) { Reading::OwnUpdate(None) } else { Reading::Ignored });
    }
    if topic == TAGGED && adds_own_tag(&item, tag_prefix) {
        return Ok(Reading::OwnUpdate(None));
    }
    let is_conversation = item.kind.as_deref() == Some("conversation");
    if let Some(kind) = message
        && is_conversation
        && item.source.is_some()
        && item.updated_at.is_some()
        && map::names_contact(&item)
    {
        return taken(tenant, kind, &read, &item, received_at);
    }
    let id = if is_conversation { item.id } else { item.conversation_id };
    let id = id.filter(|id| map::is_id(id));
    id.map(|id| Reading::Named(id.into_owned())).ok_or(DecodeError::BadShape("it names no conversation"))
}

fn taken(
    tenant: &str,
    kind: EventKind,
    read: &Notification<'_>,
    item: &Conversation<'_>,
    received_at: i64,
) -> Result<Reading, DecodeError> {
    let (mut event, content) = map::conversation(tenant, item, Origin::Webhook, received_at, None)?;
    event.kind = kind;
    if let Some(at) = map::seconds(read.created_at.as_deref()) {
        event.occurred_at = at;
    }
    if let Some(id) = read.id.as_deref().filter(|id| is_notification_id(id)) {
        id.clone_into(&mut event.event_id);
    }
    Ok(Reading::Event(Box::new((event, content))))
}

/// `notif_` and a UUID.
fn is_notification_id(id: &str) -> bool {
    id.strip_prefix("notif_").is_some_and(|rest| rest.len() <= 40 && map::is_id(rest))
}

fn has_own_note(item: &Conversation<'_>) -> bool {
    let mut parts = item.conversation_parts.iter().flat_map(|list| &list.conversation_parts);
    parts.any(|part| part.body.as_deref().is_some_and(|body| note::is_ours(&html::text(body))))
}

/// Whether every tag that the notification tells as added is ours. It tells the added ones in `tags_added`, and of a
/// conversation's own list nothing can be told.
fn adds_own_tag(item: &Conversation<'_>, prefix: &str) -> bool {
    let added = item.tags_added.iter().flat_map(|list| &list.tags).filter_map(|tag| tag.name.as_deref());
    let mut added = added.peekable();
    added.peek().is_some() && added.all(|name| tags::is_ours(name, prefix))
}

#[cfg(test)]
#[path = "receive_tests.rs"]
mod tests;
