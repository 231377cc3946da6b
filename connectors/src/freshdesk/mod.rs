//! Freshdesk: tickets in by webhook and by poll, analysis out by write-back.
//!
//! | file | what |
//! | --- | --- |
//! | `verify` | the shared secret of a webhook |
//! | `decode` | Freshdesk's JSON, read tolerantly |
//! | `map` | Freshdesk's shapes to ours; identity, versions, codes |
//! | `receive` | the account at the webhook server: reads the ticket back by API |
//! | `client` | the part of API v2 that we use |
//! | `poll` | lists by `updated_since` with a durable cursor |
//! | `decide` | what a write-back writes: pure |
//! | `write_back` | one round of a write-back |
//!
//! What other helpdesks need, too, is in [`crate::helpdesk`]. Our own write-backs move a ticket's `updated_at` as
//! anyone's do, so the poll takes them as one more version of the ticket; since their text is the same, the decision
//! on it is the same, and nothing is written again.

pub mod client;
pub mod decide;
pub mod decode;
pub mod map;
mod poll;
mod receive;
mod search;
pub mod verify;
mod write_back;

pub use crate::helpdesk::{PollError, Polled};
pub use poll::Poller;
pub use receive::{FreshdeskReceiver, receive_named};
pub use write_back::Desk;

use crate::helpdesk::{Account, Admin, Poll, Search, StartError, WriteBack};
use crate::http::{CallError, Rates};
use crate::kafka::Sinks;
use crate::webhook::Receiver;
use client::Api;
use deskstream_runtime::Process;
use deskstream_runtime::config::{FreshdeskConfig, TenantConfig};
use deskstream_schemas::Platform;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

/// Write-backs of one tenant at the same time; the limits of the account are the tighter bound.
const CONCURRENCY: usize = 16;

/// The tenant's account, if it has one.
pub fn account(tenant: &str, config: &TenantConfig) -> Option<Box<dyn Account>> {
    let config = config.freshdesk.clone()?;
    Some(Box::new(Freshdesk { tenant: tenant.to_owned(), config, rates: Rates::default() }))
}

struct Freshdesk {
    tenant: String,
    config: FreshdeskConfig,
    /// All sides live from the same.
    rates: Rates,
}

impl Freshdesk {
    fn api(&self) -> Result<Arc<Api>, StartError> {
        Ok(Arc::new(Api::sharing(&self.tenant, &self.config, &self.rates, false)?))
    }

    /// For what can wait.
    fn background(&self) -> Result<Arc<Api>, StartError> {
        Ok(Arc::new(Api::sharing(&self.tenant, &self.config, &self.rates, true)?))
    }
}

impl Account for Freshdesk {
    fn platform(&self) -> Platform {
        Platform::Freshdesk
    }

    fn tenant(&self) -> &str {
        &self.tenant
    }

    fn settings(&self) -> &'static str {
        "url, api_key"
    }

    fn receiver(&self, _process: &Process) -> Result<Arc<dyn Receiver>, StartError> {
        Ok(Arc::new(FreshdeskReceiver::new(&self.tenant, &self.config, &self.rates)?))
    }

    fn poll_interval(&self) -> Option<Duration> {
        self.config.poll
    }

    fn poll(&self, process: &Process, sinks: &Sinks) -> Result<Box<dyn Poll>, StartError> {
        let (api, unset) = (self.background()?, self.config.unset_priority);
        Ok(Box::new(Poller::new(process, sinks.clone(), &self.tenant, api, unset)))
    }

    fn write_back(&self) -> Result<Arc<dyn WriteBack>, StartError> {
        Ok(Arc::new(Desk::new(self.api()?, self.config.unset_priority)))
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
        Api::me(self).boxed()
    }

    fn search(&self) -> Option<&dyn Search> {
        Some(self)
    }
}
