//! Intercom: conversations in by webhook and by poll, analysis out by write-back.
//!
//! | file | what |
//! | --- | --- |
//! | `verify` | webhook signatures |
//! | `decode` | Intercom's JSON, read tolerantly |
//! | `map` | Intercom's shapes to ours; identity, versions |
//! | `receive` | the workspace at the webhook server: topics, our own echoes |
//! | `client` | the part of the REST API that we use, of one pinned version |
//! | `poll` | searches by `updated_at` with a durable cursor |
//! | `decide` | what a write-back writes: pure |
//! | `write_back` | one round of a write-back |
//!
//! What other helpdesks need, too, is in [`crate::helpdesk`]. Our own write-backs move a conversation's `updated_at` as
//! anyone's do, so the poll takes them as one more version; since their text is the same, the decision on it is the
//! same, and nothing is written again.

pub mod client;
pub mod decide;
pub mod decode;
pub mod map;
mod poll;
mod receive;
pub mod verify;
mod write_back;

pub use crate::helpdesk::{PollError, Polled};
pub use poll::Poller;
pub use receive::{IntercomReceiver, notification};
pub use write_back::Desk;

use crate::helpdesk::{Account, Admin, DecodeError, Poll, StartError, WriteBack};
use crate::http::{CallError, Rates};
use crate::kafka::Sinks;
use crate::webhook::Receiver;
use bytes::Bytes;
use client::Api;
use deskstream_runtime::Process;
use deskstream_runtime::config::{IntercomConfig, TenantConfig};
use deskstream_schemas::{Origin, Platform, TicketContent, TicketEvent};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Write-backs of one tenant at the same time; the limits of the app are the tighter bound.
const CONCURRENCY: usize = 32;

/// The tenant's account, if it has one.
pub fn account(tenant: &str, config: &TenantConfig) -> Option<Box<dyn Account>> {
    let config = config.intercom.clone()?;
    Some(Box::new(Intercom { tenant: tenant.to_owned(), config, rates: Rates::default() }))
}

struct Intercom {
    tenant: String,
    config: IntercomConfig,
    /// All sides live from the same.
    rates: Rates,
}

impl Intercom {
    fn api(&self) -> Result<Arc<Api>, StartError> {
        Ok(Arc::new(Api::sharing(&self.tenant, &self.config, &self.rates, false)?))
    }

    /// For what can wait.
    fn background(&self) -> Result<Arc<Api>, StartError> {
        Ok(Arc::new(Api::sharing(&self.tenant, &self.config, &self.rates, true)?))
    }
}

impl Account for Intercom {
    fn platform(&self) -> Platform {
        Platform::Intercom
    }

    fn tenant(&self) -> &str {
        &self.tenant
    }

    fn settings(&self) -> &'static str {
        "url, access_token"
    }

    fn receiver(&self, process: &Process) -> Result<Arc<dyn Receiver>, StartError> {
        Ok(Arc::new(IntercomReceiver::new(process, &self.tenant, &self.config, &self.rates)?))
    }

    fn poll_interval(&self) -> Option<Duration> {
        self.config.poll
    }

    fn poll(&self, process: &Process, sinks: &Sinks) -> Result<Box<dyn Poll>, StartError> {
        Ok(Box::new(Poller::new(process, sinks.clone(), &self.tenant, self.background()?)))
    }

    fn write_back(&self) -> Result<Arc<dyn WriteBack>, StartError> {
        Ok(Arc::new(Desk::new(self.api()?, self.config.priority_attribute.clone())))
    }

    fn concurrency(&self) -> usize {
        CONCURRENCY
    }

    fn admin(&self) -> Result<Arc<dyn Admin>, StartError> {
        Ok(self.api()?)
    }
}

impl Admin for Api {
    fn me(&self) -> BoxFuture<'_, Result<String, CallError>> {
        Api::me(self).map(|me| me.map(str::to_owned)).boxed()
    }
}

/// A conversation as the API gives it, with its contact where the conversation does not name it.
struct Read {
    conversation: Bytes,
    contact: Option<Bytes>,
}

impl Read {
    fn map(
        &self,
        tenant: &str,
        origin: Origin,
        received_at: i64,
    ) -> Result<(TicketEvent, TicketContent), DecodeError> {
        let conversation = decode::conversation(&self.conversation)?;
        // A contact that can't be read names no one.
        let contact = self.contact.as_deref().and_then(|contact| serde_json::from_slice(contact).ok());
        map::conversation(tenant, &conversation, origin, received_at, contact.as_ref())
    }

    fn requests(&self) -> u32 {
        1 + u32::from(self.contact.is_some())
    }
}

/// Reads a conversation; `None` if there is none.
async fn read(api: &Api, id: &str, deadline: Option<Instant>) -> Result<Option<Read>, CallError> {
    let Some(conversation) = api.view(id, deadline).await? else { return Ok(None) };
    let unnamed = decode::conversation(&conversation).ok().and_then(|read| {
        let contact = map::contact_id(&read)?;
        (!map::names_contact(&read)).then(|| contact.to_owned())
    });
    let contact = match unnamed {
        Some(contact) => api.contact(&contact, deadline).await?,
        None => None,
    };
    Ok(Some(Read { conversation, contact }))
}
