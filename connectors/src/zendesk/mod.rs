//! Zendesk Support: tickets in by webhook and by poll, analysis out by write-back.
//!
//! | file | what |
//! | --- | --- |
//! | `verify` | webhook signatures |
//! | `decode` | Zendesk's JSON, read tolerantly |
//! | `map` | Zendesk's shapes to ours; identity, versions, our own echoes |
//! | `receive` | the account at the webhook server |
//! | `client` | the part of the REST API that we use |
//! | `state` | what a write-back reads and writes of a ticket |
//! | `poll` | incremental export with a durable cursor |
//! | `backfill` | the export again, from months ago |
//! | `decide` | what a write-back writes: pure |
//! | `write_back`, `batch` | one round of a write-back; many updates by one request |
//! | `search` | Zendesk's search, by cursor |
//! | `webhooks` | registers webhooks, changes their secrets, deletes them |
//!
//! What other helpdesks need, too, is in [`crate::helpdesk`].

mod backfill;
mod batch;
pub mod client;
pub mod decide;
pub mod decode;
pub mod map;
mod poll;
mod receive;
mod search;
mod state;
pub mod verify;
mod webhooks;
mod write_back;

pub use crate::helpdesk::{PollError, Polled};
pub use poll::Poller;
pub use receive::ZendeskReceiver;
pub use write_back::Desk;

use crate::helpdesk::{
    Account, Admin, Backfill, BackfillOptions, Poll, Search, StartError, Webhooks, WriteBack,
};
use crate::http::{CallError, Rates};
use crate::kafka::Sinks;
use crate::webhook::Receiver;
use backfill::ZendeskBackfill;
use client::Api;
use deskstream_runtime::Process;
use deskstream_runtime::config::{TenantConfig, ZendeskConfig};
use deskstream_schemas::Platform;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

/// Write-backs of one tenant at the same time. Each takes three round trips (read, update, outcome), about a second
/// at Zendesk: the limits of the account are the tighter bound.
const CONCURRENCY: usize = 64;

/// The tenant's account, if it has one.
pub fn account(tenant: &str, config: &TenantConfig) -> Option<Box<dyn Account>> {
    let config = config.zendesk.clone()?;
    Some(Box::new(Zendesk { tenant: tenant.to_owned(), config, rates: Rates::default() }))
}

struct Zendesk {
    tenant: String,
    config: ZendeskConfig,
    /// All sides live from the same.
    rates: Rates,
}

impl Zendesk {
    fn api(&self) -> Result<Arc<Api>, StartError> {
        Ok(Arc::new(Api::sharing(&self.tenant, &self.config, &self.rates, false)?))
    }

    /// For what can wait.
    fn background(&self) -> Result<Arc<Api>, StartError> {
        Ok(Arc::new(Api::sharing(&self.tenant, &self.config, &self.rates, true)?))
    }
}

impl Account for Zendesk {
    fn platform(&self) -> Platform {
        Platform::Zendesk
    }

    fn tenant(&self) -> &str {
        &self.tenant
    }

    fn settings(&self) -> &'static str {
        "url, email and api_token, or oauth_token"
    }

    fn receiver(&self, process: &Process) -> Result<Arc<dyn Receiver>, StartError> {
        let receiver = ZendeskReceiver::new(process, &self.tenant, &self.config);
        Ok(Arc::new(receiver.map_err(|source| StartError::Secret {
            field: format!("tenants.{}.zendesk.webhook_secret", self.tenant),
            source: Box::new(source),
        })?))
    }

    fn poll_interval(&self) -> Option<Duration> {
        self.config.poll
    }

    fn poll(&self, process: &Process, sinks: &Sinks) -> Result<Box<dyn Poll>, StartError> {
        Ok(Box::new(Poller::new(process, sinks.clone(), &self.tenant, self.background()?)))
    }

    fn backfill(
        &self,
        process: &Process,
        sinks: &Sinks,
        options: BackfillOptions,
    ) -> Result<Option<Box<dyn Backfill>>, StartError> {
        let poller = Poller::new(process, sinks.clone(), &self.tenant, self.background()?).for_backfill();
        Ok(Some(Box::new(ZendeskBackfill::new(poller, options))))
    }

    fn write_back(&self) -> Result<Arc<dyn WriteBack>, StartError> {
        let desk = Desk::new(self.api()?).with_fields(self.config.fields.clone());
        Ok(Arc::new(if self.config.batch { desk.in_batches() } else { desk }))
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

    fn webhooks(&self) -> Option<&dyn Webhooks> {
        Some(self)
    }

    fn search(&self) -> Option<&dyn Search> {
        Some(self)
    }
}
