//! The accounts that a process serves, and how they follow `control`.

use super::super::account::{self, Account, StartError, accounts};
use super::super::{connect, metrics};
use super::stored::{self, CONNECTION_KIND, ConnectionError, config_of};
use crate::kafka::Sinks;
use crate::webhook::Receivers;
use deskstream_runtime::Process;
use deskstream_runtime::telemetry::told;
use deskstream_schemas::{ControlEntity, Platform};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// `control` changes with every position of a poll and every new requester: looking this often is soon enough.
const SETTLE: Duration = Duration::from_millis(100);

/// Where an account comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The configuration file.
    File,
    /// `control`, in this version.
    Control(i64),
}

/// An account that is served.
pub struct Found {
    /// The account.
    pub account: Box<dyn Account>,
    /// Where it comes from.
    pub origin: Origin,
}

/// Every account, as it is now.
#[derive(Default)]
pub struct Inventory {
    /// What is served.
    pub served: Vec<Found>,
    /// What is kept and can't be used, with the reason.
    pub unusable: Vec<(String, ConnectionError)>,
    /// What is kept and not served, since the file has an account of that name.
    pub shadowed: Vec<String>,
}

/// Every account of the file and of `control`.
pub fn inventory(process: &Process) -> Inventory {
    let in_file =
        accounts(&process.config).into_iter().map(|account| Found { account, origin: Origin::File });
    let mut inventory = Inventory { served: in_file.collect(), ..Inventory::default() };
    for entity in process.control.list(CONNECTION_KIND) {
        match stored::named(&entity.id) {
            Ok((tenant, helpdesk)) if stored::in_file(process, &tenant, helpdesk) => {
                inventory.shadowed.push(entity.id.clone());
            }
            _ => match kept(process, &entity) {
                Ok(account) => {
                    let origin = Origin::Control(entity.version);
                    inventory.served.push(Found { account, origin });
                }
                Err(error) => inventory.unusable.push((entity.id.clone(), error)),
            },
        }
    }
    inventory
}

/// The account of that name, wherever it comes from.
pub fn find(process: &Process, name: &str) -> Option<Box<dyn Account>> {
    let served = inventory(process).served;
    served.into_iter().map(|found| found.account).find(|account| account.name() == name)
}

fn kept(process: &Process, entity: &ControlEntity) -> Result<Box<dyn Account>, ConnectionError> {
    let config = config_of(process, entity)?;
    let account = account::of_tenant(&entity.tenant, &config).pop();
    account.ok_or_else(|| ConnectionError::Unreadable(entity.id.clone()))
}

/// An account that runs.
struct Running {
    tenant: String,
    platform: Platform,
    origin: Origin,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// What of `control` concerns us: if it is the same, nothing has to be done.
type Seen = Vec<(String, i64, bool)>;

/// The accounts that this process serves.
pub struct Served {
    process: Process,
    sinks: Sinks,
    receivers: Receivers,
    running: BTreeMap<String, Running>,
    /// Everything that was started, also what has to end yet.
    tasks: TaskTracker,
    seen: Seen,
}

impl Served {
    /// Serves every account of the file and of `control`. What is spawned runs until shutdown, as tasks of `tasks`.
    ///
    /// # Errors
    /// If an account of the file can't be served. One of `control` that can't is told in log and metrics.
    pub fn start(process: &Process, sinks: &Sinks, tasks: &TaskTracker) -> Result<Self, StartError> {
        let mut served = Self {
            process: process.clone(),
            sinks: sinks.clone(),
            receivers: Receivers::default(),
            running: BTreeMap::new(),
            tasks: tasks.clone(),
            seen: Seen::default(),
        };
        served.seen = served.look();
        let inventory = inventory(process);
        served.tell(&inventory);
        for Found { account, origin } in inventory.served {
            match served.begin(account, origin, None) {
                Err(error) if origin == Origin::File => return Err(error),
                Err(error) => tracing::error!(error = told(&error), "an account is not served"),
                Ok(()) => {}
            }
        }
        served.count();
        Ok(served)
    }

    /// The accounts' sides at the webhook server.
    pub fn receivers(&self) -> Receivers {
        self.receivers.clone()
    }

    /// Follows `control` until shutdown.
    pub async fn follow(mut self) {
        let mut changes = self.process.control.changes();
        let shutdown = self.process.shutdown.clone();
        loop {
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = shutdown.cancelled() => return,
            }
            let seen = self.look();
            if seen != self.seen {
                self.seen = seen;
                self.adopt();
            }
            tokio::select! {
                () = tokio::time::sleep(SETTLE) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// A key may come after what it sealed.
    fn look(&self) -> Seen {
        let knows = |entity: &ControlEntity| {
            entity.secret.as_ref().is_some_and(|sealed| self.process.vault.knows(&sealed.key_id))
        };
        let kept = self.process.control.list(CONNECTION_KIND);
        kept.iter().map(|entity| (entity.id.clone(), entity.version, knows(entity))).collect()
    }

    /// Ends what is no longer wanted, begins what is new, and both for what has changed.
    fn adopt(&mut self) {
        let inventory = inventory(&self.process);
        self.tell(&inventory);
        let wanted: BTreeSet<String> = inventory.served.iter().map(|found| found.account.name()).collect();
        let gone: Vec<String> = self.running.keys().filter(|name| !wanted.contains(*name)).cloned().collect();
        for name in gone {
            let Some(old) = self.running.remove(&name) else { continue };
            self.receivers.remove(&old.tenant, old.platform);
            tracing::info!(account = name, "an account is no longer served");
            old.stop.cancel();
            let process = self.process.clone();
            self.tasks.spawn(async move {
                old.tasks.wait().await;
                process.health.remove(connect::part(&old.tenant, old.platform));
            });
        }
        for Found { account, origin } in inventory.served {
            let name = account.name();
            if self.running.get(&name).is_some_and(|running| running.origin == origin) {
                continue;
            }
            let old = self.running.remove(&name);
            let (tenant, platform) = (account.tenant().to_owned(), account.platform());
            if let Err(error) = self.begin(account, origin, old) {
                self.receivers.remove(&tenant, platform);
                tracing::error!(account = name, error = told(&error), "an account is not served");
            }
        }
        self.count();
    }

    /// Serves an account; its poll and write-back begin when those of `old` have ended.
    fn begin(
        &mut self,
        account: Box<dyn Account>,
        origin: Origin,
        old: Option<Running>,
    ) -> Result<(), StartError> {
        let (tenant, platform) = (account.tenant().to_owned(), account.platform());
        let stop = self.process.shutdown.child_token();
        // The account's own end is a shutdown of all that it has.
        let process = Process { shutdown: stop.clone(), ..self.process.clone() };
        if let Some(old) = &old {
            old.stop.cancel();
        }
        self.receivers.add(&tenant, account.receiver(&process)?);
        let tasks = TaskTracker::new();
        match old {
            None => connect::spawn(&process, &self.sinks, &tasks, account.as_ref())?,
            Some(old) => {
                tracing::info!(account = account.name(), "an account has changed");
                let (sinks, own) = (self.sinks.clone(), tasks.clone());
                tasks.spawn(async move {
                    old.tasks.wait().await;
                    if process.shutdown.is_cancelled() {
                        return;
                    }
                    if let Err(error) = connect::spawn(&process, &sinks, &own, account.as_ref()) {
                        tracing::error!(
                            account = account.name(),
                            error = told(&error),
                            "an account's poll and write-back can't begin"
                        );
                    }
                });
            }
        }
        tasks.close();
        let all = tasks.clone();
        self.tasks.spawn(async move { all.wait().await });
        self.running
            .insert(format!("{tenant}/{platform}"), Running { tenant, platform, origin, stop, tasks });
        Ok(())
    }

    fn tell(&self, inventory: &Inventory) {
        for (name, error) in &inventory.unusable {
            tracing::error!(account = name, error = told(error), "an account in control can't be used");
        }
        for name in &inventory.shadowed {
            tracing::warn!(
                account = name,
                "an account in control is not served: the file has one of that name"
            );
        }
        let states = [("unusable", inventory.unusable.len()), ("shadowed", inventory.shadowed.len())];
        for (state, count) in states {
            metrics::CONNECTIONS.with_label_values(&[state]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    fn count(&self) {
        let served = i64::try_from(self.running.len()).unwrap_or(i64::MAX);
        metrics::CONNECTIONS.with_label_values(&["served"]).set(served);
        let configured = self.process.config.tenants.keys();
        let tenants: BTreeSet<&str> = configured
            .map(String::as_str)
            .chain(self.running.values().map(|running| running.tenant.as_str()))
            .collect();
        let count: &Arc<_> = &self.sinks.tenants;
        count.store(tenants.len(), Ordering::Relaxed);
    }
}
