//! Zendesk Support: tickets in by webhook and by poll, analysis out by write-back.
//!
//! | file | what |
//! | --- | --- |
//! | `verify` | webhook signatures |
//! | `decode` | Zendesk's JSON, read tolerantly |
//! | `map` | Zendesk's shapes to ours; identity, versions, our own echoes |
//! | `receive` | the account at the webhook server |
//! | `client` | the part of the REST API that we use |
//! | `poll` | incremental export with a durable cursor |
//! | `decide` | what a write-back writes: pure |
//! | `write_back` | when and how often it is written |
//!
//! What other helpdesks need, too, is in [`crate::helpdesk`].
//!
//! Each tenant has tasks, a consumer group, rate limits and a circuit breaker of its own, so that a slow or
//! broken account holds up no other. Two processes may serve the same tenant: commands are shared out by
//! partition, and what both polls find has the same ids.

pub mod client;
pub mod decide;
pub mod decode;
pub mod map;
mod poll;
mod receive;
pub mod verify;
mod write_back;

pub use crate::helpdesk::intake::{PollError, Polled};
pub use crate::helpdesk::{note, tags};
pub use poll::Poller;
pub use receive::ZendeskReceiver;
pub use write_back::WriteBack;

use crate::http::{Backoff, SetupError};
use crate::kafka::{Feed, FeedError, FeedOptions, Sinks};
use crate::webhook::Receivers;
use client::Api;
use deskstream_runtime::Process;
use deskstream_runtime::config::ZendeskConfig;
use deskstream_schemas::Command;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// Kind of the control entities that say who we are at a helpdesk; their id is `tenant/zendesk`.
const OWN_USER_KIND: &str = "helpdesk-user";

const WHO_AM_I: Backoff = Backoff { first: Duration::from_secs(1), most: Duration::from_secs(60) };

/// Write-backs of one tenant at the same time. Each takes three round trips (read, update, outcome), about a second
/// at Zendesk: the limits of the account are the tighter bound.
const CONCURRENCY: usize = 64;

/// Body of a [`OWN_USER_KIND`] entity.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct OwnUser {
    user_id: String,
}

/// The connector could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The account's secret can't be used.
    #[error("tenants.{tenant}.zendesk.webhook_secret can't be used")]
    Secret {
        /// The tenant.
        tenant: String,
        /// Why.
        #[source]
        source: verify::PublicSecret,
    },
    /// The account's HTTP client can't be made.
    #[error(transparent)]
    Http(#[from] SetupError),
    /// Commands can't be consumed.
    #[error(transparent)]
    Feed(#[from] FeedError),
}

/// The accounts that webhooks are taken for: every tenant with a Zendesk account.
pub fn receivers(process: &Process, receivers: &mut Receivers) -> Result<(), StartError> {
    for (tenant, config) in accounts(process) {
        let receiver = ZendeskReceiver::new(process, tenant, config)
            .map_err(|source| StartError::Secret { tenant: tenant.to_owned(), source })?;
        receivers.add(tenant, Arc::new(receiver));
    }
    Ok(())
}

/// Starts poll and write-back of every tenant with a Zendesk account, as tasks of `tasks` that end after
/// shutdown.
pub fn spawn(process: &Process, sinks: &Sinks, tasks: &TaskTracker) -> Result<(), StartError> {
    for (tenant, config) in accounts(process) {
        spawn_account(process, sinks, tasks, tenant, config)?;
    }
    Ok(())
}

fn spawn_account(
    process: &Process,
    sinks: &Sinks,
    tasks: &TaskTracker,
    tenant: &str,
    config: &ZendeskConfig,
) -> Result<(), StartError> {
    let api = Arc::new(Api::new(tenant, config)?);
    let group = format!("{}.write-back.{tenant}", process.config.pipeline.group);
    let options = FeedOptions {
        concurrency: CONCURRENCY,
        ..FeedOptions::new(leak(format!("write-back-{tenant}")), group)
    };
    let feed = Feed::<Command>::new(process, options.of_tenant(tenant), sinks.dead_letters.clone())?;
    let writer = Arc::new(WriteBack::new(process, sinks, tenant, Arc::clone(&api)));
    tasks.spawn(feed.run(move |received| {
        let writer = Arc::clone(&writer);
        async move { writer.handle(received).await }
    }));

    if let Some(interval) = config.poll {
        // A client of its own: an export that has to wait must not hold up write-backs.
        let exports = Arc::new(Api::new(tenant, config)?);
        let poller = Poller::new(process, sinks.clone(), tenant, exports);
        tasks.spawn(poller.run(interval));
    }
    tasks.spawn(learn_own_user(process.clone(), tenant.to_owned(), api));
    Ok(())
}

fn accounts(process: &Process) -> impl Iterator<Item = (&str, &ZendeskConfig)> {
    let tenants = process.config.tenants.iter();
    tenants.filter_map(|(tenant, config)| Some((tenant.as_str(), config.zendesk.as_ref()?)))
}

fn account_id(tenant: &str) -> String {
    format!("{tenant}/zendesk")
}

/// Names in readiness and metrics live as long as the process: there is a fixed few for each tenant.
fn leak(name: String) -> &'static str {
    Box::leak(name.into_boxed_str())
}

/// Finds out who we are at the helpdesk, so that every process can tell our own updates from others'.
async fn learn_own_user(process: Process, tenant: String, api: Arc<Api>) {
    for wait in WHO_AM_I.waits() {
        let learned = match api.me().await {
            Ok(user_id) => remember_own_user(&process, &tenant, user_id).await.map_err(|e| e.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let Err(error) = learned else { return };
        tracing::warn!(tenant, error, "can't find out our own user at Zendesk, trying again");
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = process.shutdown.cancelled() => return,
        }
    }
}

async fn remember_own_user(
    process: &Process,
    tenant: &str,
    user_id: String,
) -> Result<(), deskstream_runtime::control::ControlError> {
    let (id, own) = (account_id(tenant), OwnUser { user_id });
    let known = process.control.get(OWN_USER_KIND, &id);
    if known
        .is_some_and(|entity| serde_json::from_str::<OwnUser>(&entity.body).is_ok_and(|known| known == own))
    {
        return Ok(());
    }
    let body = serde_json::to_value(&own).expect("a text is JSON");
    process.control.put_json(OWN_USER_KIND, &id, tenant, "connect", &body).await
}
