//! Starts the sides of an account.
//!
//! Each account has tasks, a consumer group, rate limits and a circuit breaker of its own, so that a slow or broken one
//! holds up no other. Two processes may serve the same account: commands are shared out by partition, and what both
//! polls find has the same ids.

use super::account::{Account, Admin, StartError};
use super::intake;
use super::own_user;
use super::writer::Writer;
use crate::http::{Backoff, Domain};
use crate::kafka::{Feed, FeedOptions, Sinks};
use crate::webhook::Receivers;
use deskstream_runtime::Process;
use deskstream_schemas::{Command, Platform};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::TaskTracker;

const WHO_AM_I: Backoff = Backoff { first: Duration::from_secs(1), most: Duration::from_secs(60) };

/// The accounts that webhooks are taken for.
pub fn receivers(process: &Process, accounts: &[Box<dyn Account>]) -> Result<Receivers, StartError> {
    let receivers = Receivers::default();
    for account in accounts {
        receivers.add(account.tenant(), account.receiver(process)?);
    }
    Ok(receivers)
}

/// Starts poll and write-back of an account, as tasks of `tasks` that end after shutdown.
pub fn spawn(
    process: &Process,
    sinks: &Sinks,
    tasks: &TaskTracker,
    account: &dyn Account,
) -> Result<(), StartError> {
    let (tenant, platform) = (account.tenant(), account.platform());
    let group = format!("{}.{}.{tenant}", process.config.pipeline.group, feed_name(platform));
    let options =
        FeedOptions { concurrency: account.concurrency(), ..FeedOptions::new(part(tenant, platform), group) };
    let feed = Feed::<Command>::new(process, options.of_tenant(tenant), sinks.dead_letters.clone())?;
    let writer = Arc::new(Writer::new(process, sinks, tenant, platform, account.write_back()?));
    tasks.spawn(feed.run(move |received| {
        let writer = Arc::clone(&writer);
        async move { writer.handle(received).await }
    }));
    if let Some(interval) = account.poll_interval() {
        tasks.spawn(intake::every(interval, account.poll(process, sinks)?));
    }
    tasks.spawn(introduce(process.clone(), tenant.to_owned(), platform, account.admin()?));
    Ok(())
}

/// The account's part in readiness.
pub(super) fn part(tenant: &str, platform: Platform) -> &'static str {
    leak(format!("{}-{tenant}", feed_name(platform)))
}

/// The first helpdesk's groups had no name of their own, and hold offsets.
fn feed_name(platform: Platform) -> String {
    match platform {
        Platform::Zendesk => "write-back".to_owned(),
        other => format!("{other}-write-back"),
    }
}

/// Names in readiness and metrics live as long as the process: there is a fixed few for each tenant, however often an
/// account is changed.
fn leak(name: String) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock();
    if let Some(known) = names.get(name.as_str()) {
        return known;
    }
    let name: &'static str = Box::leak(name.into_boxed_str());
    names.insert(name);
    name
}

/// Finds out who we are at the helpdesk, so that every process can tell our own updates from others', and says whose
/// fault it is if the helpdesk does not take us.
async fn introduce(process: Process, tenant: String, platform: Platform, admin: Arc<dyn Admin>) {
    for wait in WHO_AM_I.waits() {
        let me = tokio::select! {
            me = admin.me() => me,
            () = process.shutdown.cancelled() => return,
        };
        match me {
            Ok(user_id) => match own_user::remember(&process, &tenant, platform, &user_id).await {
                Ok(()) => return tracing::info!(tenant, %platform, user_id, "connected"),
                Err(error) => {
                    tracing::warn!(tenant, %platform, %error, "can't keep who we are, trying again");
                }
            },
            Err(error) if error.domain() == Domain::User => {
                tracing::error!(tenant, %platform, %error, "the helpdesk refuses us: check the account's settings");
            }
            Err(error) => tracing::warn!(tenant, %platform, %error, "can't reach the helpdesk, trying again"),
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = process.shutdown.cancelled() => return,
        }
    }
}
