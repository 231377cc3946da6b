//! Freshdesk: tickets in by webhook and by poll, analysis out by write-back.
//!
//! | file | what |
//! | --- | --- |
//! | `verify` | the shared secret of a webhook |
//! | `decode`, `html` | Freshdesk's JSON and HTML, read tolerantly |
//! | `map` | Freshdesk's shapes to ours; identity, versions, codes |
//! | `receive` | the account at the webhook server: reads the ticket back by API |
//! | `client` | the part of API v2 that we use |
//! | `poll` | lists by `updated_since` with a durable cursor |
//! | `decide` | what a write-back writes: pure |
//! | `write_back` | when and how often it is written |
//!
//! What other helpdesks need, too, is in [`crate::helpdesk`]. Each tenant has tasks, a consumer group, rate limits and a
//! circuit breaker of its own. Our own write-backs move a ticket's `updated_at` as anyone's do, so the poll takes
//! them as one more version of the ticket; since their text is the same, the decision on it is the same, and
//! nothing is written again.

pub mod client;
pub mod decide;
pub mod decode;
pub mod html;
pub mod map;
mod poll;
mod receive;
pub mod verify;
mod write_back;

pub use crate::helpdesk::intake::{PollError, Polled};
pub use poll::Poller;
pub use receive::FreshdeskReceiver;
pub use write_back::WriteBack;

use crate::http::{Backoff, Domain, SetupError};
use crate::kafka::{Feed, FeedError, FeedOptions, Sinks};
use crate::webhook::Receivers;
use client::Api;
use deskstream_runtime::Process;
use deskstream_runtime::config::FreshdeskConfig;
use deskstream_schemas::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::TaskTracker;

const TEST: Backoff = Backoff { first: Duration::from_secs(1), most: Duration::from_secs(60) };

/// Write-backs of one tenant at the same time; the limits of the account are the tighter bound.
const CONCURRENCY: usize = 16;

/// The connector could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The account's HTTP client can't be made.
    #[error(transparent)]
    Http(#[from] SetupError),
    /// Commands can't be consumed.
    #[error(transparent)]
    Feed(#[from] FeedError),
}

/// The accounts that webhooks are taken for: every tenant with a Freshdesk account.
pub fn receivers(process: &Process, receivers: &mut Receivers) -> Result<(), StartError> {
    for (tenant, config) in accounts(process) {
        receivers.add(tenant, Arc::new(FreshdeskReceiver::new(tenant, config)?));
    }
    Ok(())
}

/// Starts poll and write-back of every tenant with a Freshdesk account, as tasks of `tasks` that end after
/// shutdown.
pub fn spawn(process: &Process, sinks: &Sinks, tasks: &TaskTracker) -> Result<(), StartError> {
    for (tenant, config) in accounts(process) {
        let api = Arc::new(Api::new(tenant, config)?);
        let group = format!("{}.freshdesk-write-back.{tenant}", process.config.pipeline.group);
        let options = FeedOptions {
            concurrency: CONCURRENCY,
            ..FeedOptions::new(leak(format!("freshdesk-write-back-{tenant}")), group)
        };
        let feed = Feed::<Command>::new(process, options.of_tenant(tenant), sinks.dead_letters.clone())?;
        let unset = config.unset_priority;
        let writer = Arc::new(WriteBack::new(process, sinks, tenant, Arc::clone(&api), unset));
        tasks.spawn(feed.run(move |received| {
            let writer = Arc::clone(&writer);
            async move { writer.handle(received).await }
        }));
        if let Some(interval) = config.poll {
            // A client of its own: a list that has to wait must not hold up write-backs.
            let lists = Arc::new(Api::new(tenant, config)?);
            tasks.spawn(Poller::new(process, sinks.clone(), tenant, lists, unset).run(interval));
        }
        tasks.spawn(test_connection(process.clone(), tenant.to_owned(), api));
    }
    Ok(())
}

fn accounts(process: &Process) -> impl Iterator<Item = (&str, &FreshdeskConfig)> {
    let tenants = process.config.tenants.iter();
    tenants.filter_map(|(tenant, config)| Some((tenant.as_str(), config.freshdesk.as_ref()?)))
}

/// Names in readiness and metrics live as long as the process: there is a fixed few for each tenant.
fn leak(name: String) -> &'static str {
    Box::leak(name.into_boxed_str())
}

/// Says at the start whether the account takes our key, and whose fault it is if it does not.
async fn test_connection(process: Process, tenant: String, api: Arc<Api>) {
    for wait in TEST.waits() {
        match api.me().await {
            Ok(agent) => return tracing::info!(tenant, agent, "connected to Freshdesk"),
            Err(error) if error.domain() == Domain::User => {
                tracing::error!(tenant, %error, "Freshdesk refuses us: check url and api_key of the account");
            }
            Err(error) => tracing::warn!(tenant, %error, "can't reach Freshdesk, trying again"),
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = process.shutdown.cancelled() => return,
        }
    }
}
