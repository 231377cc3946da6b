//! What a helpdesk is to the rest of the product: an account with four sides.
//!
//! | side | trait |
//! | --- | --- |
//! | source by webhook | [`Receiver`] |
//! | source by poll | [`Poll`] |
//! | sink | [`WriteBack`] |
//! | administration | [`Admin`] |
//!
//! A new helpdesk is a folder that implements them, and a line in [`accounts`].

use super::backfill::{Backfill, BackfillOptions};
use super::intake::{Intake, PollError, Polled};
use super::search::Search;
use super::webhooks::Webhooks;
use super::writer::{Round, Step};
use crate::http::{CallError, RateLimits, SetupError};
use crate::kafka::{FeedError, Sinks};
use crate::webhook::Receiver;
use crate::{freshdesk, intercom, zendesk};
use deskstream_runtime::Process;
use deskstream_runtime::config::{Config, TenantConfig};
use deskstream_schemas::Platform;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

/// One tenant's account at one helpdesk.
///
/// Each side has an HTTP client of its own: a list that has to wait must hold up neither webhooks nor write-backs. All of
/// them live from one rate limit ([`crate::http::Rates`]), of which polls leave a part to the others.
pub trait Account: Send + Sync {
    /// The helpdesk.
    fn platform(&self) -> Platform;

    /// Whose it is.
    fn tenant(&self) -> &str;

    /// Its name in outcomes, in `control` and in commands: `tenant/platform`.
    fn name(&self) -> String {
        format!("{}/{}", self.tenant(), self.platform())
    }

    /// The settings that a connection rests on, for whoever has to mend them.
    fn settings(&self) -> &'static str;

    /// Its side at the webhook server.
    fn receiver(&self, process: &Process) -> Result<Arc<dyn Receiver>, StartError>;

    /// How often it is polled; not at all if unset.
    fn poll_interval(&self) -> Option<Duration>;

    /// Its poll.
    fn poll(&self, process: &Process, sinks: &Sinks) -> Result<Box<dyn Poll>, StartError>;

    /// Tickets of the past, where there is a way to them.
    fn backfill(
        &self,
        _process: &Process,
        _sinks: &Sinks,
        _options: BackfillOptions,
    ) -> Result<Option<Box<dyn Backfill>>, StartError> {
        Ok(None)
    }

    /// Where write-backs go.
    fn write_back(&self) -> Result<Arc<dyn WriteBack>, StartError>;

    /// Write-backs at the same time.
    fn concurrency(&self) -> usize;

    /// Its administration.
    fn admin(&self) -> Result<Arc<dyn Admin>, StartError>;
}

/// Source by poll.
pub trait Poll: Send {
    /// Polls once, to the present end.
    fn round(&mut self) -> BoxFuture<'_, Result<Polled, PollError>>;

    /// Where its tickets go.
    fn intake(&self) -> &Intake;

    /// What the account last said of its limits.
    fn limits(&self) -> RateLimits;
}

/// Sink: writes what was decided into a ticket.
pub trait WriteBack: Send + Sync + 'static {
    /// Tries once: reads the ticket, decides, looks whether it has been written before, writes.
    fn round<'a>(&'a self, round: &'a Round<'a>) -> BoxFuture<'a, Result<Step, CallError>>;

    /// What the account last said of its limits.
    fn limits(&self) -> RateLimits;
}

/// Administration of an account.
pub trait Admin: Send + Sync + 'static {
    /// Tests the connection: the id of the user that we are there. That needs its address and valid credentials,
    /// and changes nothing.
    fn me(&self) -> BoxFuture<'_, Result<String, CallError>>;

    /// Its webhooks, where the helpdesk has an API for them; elsewhere an admin makes them by hand.
    fn webhooks(&self) -> Option<&dyn Webhooks> {
        None
    }

    /// Its search, where the helpdesk has one that takes a text.
    fn search(&self) -> Option<&dyn Search> {
        None
    }
}

/// An account can't be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A secret can't be used.
    #[error("{field} can't be used")]
    Secret {
        /// The setting.
        field: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The account's HTTP client can't be made.
    #[error(transparent)]
    Http(#[from] SetupError),
    /// Commands can't be consumed.
    #[error(transparent)]
    Feed(#[from] FeedError),
}

/// Makes a tenant's account at one helpdesk, if it has one there.
type Of = fn(&str, &TenantConfig) -> Option<Box<dyn Account>>;

/// Every helpdesk that we know.
const HELPDESKS: [Of; 3] = [freshdesk::account, intercom::account, zendesk::account];

/// Every account of the configuration.
pub fn accounts(config: &Config) -> Vec<Box<dyn Account>> {
    config.tenants.iter().flat_map(|(tenant, settings)| of_tenant(tenant, settings)).collect()
}

/// Every account of a tenant.
pub(super) fn of_tenant(tenant: &str, config: &TenantConfig) -> Vec<Box<dyn Account>> {
    HELPDESKS.iter().filter_map(|of| of(tenant, config)).collect()
}
