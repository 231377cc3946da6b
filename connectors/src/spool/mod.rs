//! Webhooks on disk while the broker is away.
//!
//! Without a spool (`spool.directory` unset) a webhook that the broker does not acknowledge is answered by 503. With
//! one:
//! - What the broker has not acknowledged within `spool.after` goes to disk, and is answered 200 when it is **there**
//!   (written and synced). From then on everything goes to disk, and to the broker in the order in which it came:
//!   [`Spool::event`] goes straight to the broker again only when the last entry is acknowledged.
//! - An entry is removed after the broker's acknowledgement. A crash in between sends it again under the same event id,
//!   and so may a broker that had taken what it did not acknowledge: later stages count an id once.
//! - It is bounded by `spool.max_bytes`, of which a tenant may hold its share ([`Shares`]); then 503 or 429.
//! - What is on disk is sealed under the tenant's data key, ticket number and all. A requester's own key can't be made
//!   without the broker: it is used when the entry is replayed.
//!
//! One process owns the directory. Polls need no spool: their cursor stays where it is until the broker is back.

mod drain;
mod entry;
mod metrics;
mod store;

use crate::fair::{Refused, Shares};
use crate::kafka::{Refusal, SendError, Sinks};
use deskstream_runtime::Process;
use deskstream_runtime::seal::{SealError, Vault};
use deskstream_schemas::{EncodeError, TicketContent, TicketEvent};
use entry::Codec;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use store::{Entry, Store};
use tokio::sync::{Notify, RwLock};
use tokio_util::task::TaskTracker;

/// The spool can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The directory can't be made or written.
    #[error("use {} for the spool: make it writable, or set spool.directory", directory.display())]
    Directory {
        /// The configured directory.
        directory: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Another process has it.
    #[error("{} is in use by another process: give each its own spool.directory", .0.display())]
    InUse(PathBuf),
    /// The file is no spool, or was damaged.
    #[error("open the spool {}: move it away to begin a new one", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<redb::DatabaseError>,
    },
    /// The file can't be read or written.
    #[error("read or write the spool")]
    File(#[source] Box<redb::Error>),
    /// A transaction that held this entry failed.
    #[error("write to the spool")]
    Disk(#[source] Arc<SpoolError>),
    /// The process is ending.
    #[error("the spool has ended")]
    Ended,
}

macro_rules! file_errors {
    ($($error:ident),*) => {
        $(impl From<redb::$error> for SpoolError {
            fn from(error: redb::$error) -> Self {
                Self::File(Box::new(error.into()))
            }
        })*
    };
}
file_errors!(TransactionError, TableError, StorageError, CommitError);

/// Where something is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// The broker has acknowledged it.
    Broker,
    /// It is on disk.
    Disk,
}

/// Why something is not durable.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each variant wraps the error of one step")]
pub enum KeepError {
    #[error(transparent)]
    Send(#[from] SendError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error("the spool has no room for {}", match .0 { Refused::Full => "anybody", Refused::OverShare => "the tenant" })]
    NoRoom(Refused),
}

struct Shared {
    store: Store,
    codec: Codec,
    vault: Arc<Vault>,
    sinks: Sinks,
    shares: Shares,
    /// Entries that are on disk or on their way there.
    entries: AtomicU64,
    arrived: Notify,
    /// Held for writing while the last entries are replayed: who comes then waits, and finds the spool empty.
    gate: RwLock<()>,
    after: Duration,
}

/// The spool; cheap to clone.
#[derive(Clone)]
pub struct Spool {
    shared: Arc<Shared>,
}

impl Spool {
    /// Opens the configured spool, if there is one, and replays what lies there, as a task of `tasks` that ends after
    /// shutdown.
    ///
    /// # Errors
    /// If it can't be opened.
    pub async fn start(
        process: &Process,
        sinks: &Sinks,
        tasks: &TaskTracker,
    ) -> Result<Option<Self>, SpoolError> {
        let config = &process.config.spool;
        let Some(directory) = config.directory.clone() else { return Ok(None) };
        let shares = Shares::among(config.max_bytes.0, Arc::clone(&sinks.tenants));
        metrics::LIMIT.set(config.max_bytes.0.try_into().unwrap_or(i64::MAX));
        let opened = tokio::task::spawn_blocking(move || {
            let opened = Store::open(&directory, |tenant, bytes| shares.held_before(tenant, bytes));
            opened.map(|(store, found)| (store, found, shares))
        });
        let (store, found, shares) = opened.await.expect("opening the spool does not panic")?;
        let spool = Self {
            shared: Arc::new(Shared {
                store,
                codec: Codec::new(process),
                vault: Arc::clone(&process.vault),
                sinks: sinks.clone(),
                shares,
                entries: AtomicU64::new(found.entries),
                arrived: Notify::new(),
                gate: RwLock::new(()),
                after: config.after,
            }),
        };
        if found.entries > 0 {
            tracing::warn!(entries = found.entries, "the spool holds entries of an earlier run: replaying");
            spool.shared.arrived.notify_one();
        }
        spool.shared.gauge();
        tasks.spawn(drain::run(spool.clone(), process.shutdown.clone()));
        Ok(Some(spool))
    }

    /// Whether something is on disk, or on its way there.
    pub fn engaged(&self) -> bool {
        self.shared.entries.load(Ordering::Acquire) > 0
    }

    /// What is on disk counts for so much against `spool.max_bytes`.
    pub fn bytes(&self) -> usize {
        self.shared.shares.used()
    }

    /// Makes an event durable: at the broker if it acknowledges in time, else on disk.
    ///
    /// # Errors
    /// If the event itself is at fault, or there is no room on disk either.
    pub async fn event(&self, event: &TicketEvent, content: &TicketContent) -> Result<Kept, KeepError> {
        if !self.engaged() {
            let sent = self.shared.sinks.events.try_send(event.clone(), content);
            match tokio::time::timeout(self.shared.after, sent).await {
                Ok(Ok(_)) => return Ok(Kept::Broker),
                Ok(Err(error)) if !error.retry() => return Err(error.into()),
                Ok(Err(error)) => {
                    tracing::debug!(tenant = event.tenant, %error, "an event goes to the spool");
                }
                Err(_) => {
                    tracing::debug!(tenant = event.tenant, "the broker is slow: an event goes to the spool");
                }
            }
            let entry = self.shared.codec.event(&self.shared.vault, event, content)?;
            return self.append(entry).await;
        }
        let entry = self.shared.codec.event(&self.shared.vault, event, content)?;
        let gate = self.shared.gate.read().await;
        if self.engaged() {
            drop(gate);
            return self.append(entry).await;
        }
        drop(gate);
        // The last entry has just been replayed. Should the broker go away again, the disk is still there.
        let sent = self.shared.sinks.events.try_send(event.clone(), content);
        match tokio::time::timeout(self.shared.after, sent).await {
            Ok(Ok(_)) => Ok(Kept::Broker),
            Ok(Err(error)) if !error.retry() => Err(error.into()),
            Ok(Err(_)) | Err(_) => self.append(entry).await,
        }
    }

    /// Makes a dead letter durable, as [`Spool::event`] does.
    ///
    /// # Errors
    /// As [`Spool::event`].
    pub async fn letter(&self, refusal: Refusal<'_>) -> Result<Kept, KeepError> {
        let tenant = refusal.tenant.to_owned();
        let letter = self.shared.sinks.dead_letters.record(refusal)?;
        if !self.engaged() {
            let sent = self.shared.sinks.dead_letters.try_send_record(&letter);
            match tokio::time::timeout(self.shared.after, sent).await {
                Ok(Ok(_)) => return Ok(Kept::Broker),
                Ok(Err(error)) if !error.retry() => return Err(error.into()),
                Ok(Err(_)) | Err(_) => {}
            }
        }
        let entry = self.shared.codec.letter(&self.shared.vault, &tenant, &letter)?;
        self.append(entry).await
    }

    /// On disk when it returns. What was begun is finished, also if the caller is gone meanwhile: the count of entries
    /// has to be right.
    async fn append(&self, entry: Entry) -> Result<Kept, KeepError> {
        let shared = Arc::clone(&self.shared);
        let appended = tokio::spawn(async move { shared.append(entry).await });
        appended.await.expect("appending to the spool does not panic")
    }
}

impl Shared {
    async fn append(&self, entry: Entry) -> Result<Kept, KeepError> {
        let _gate = self.gate.read().await;
        let bytes = entry.bytes();
        let tenant = self.shares.hold(&entry.tenant, bytes).map_err(|refused| {
            metrics::REFUSED.with_label_values(&[refused_name(refused)]).inc();
            KeepError::NoRoom(refused)
        })?;
        if self.entries.fetch_add(1, Ordering::AcqRel) == 0 {
            tracing::warn!("the broker does not acknowledge: webhooks go to the spool");
        }
        let started = Instant::now();
        let appended = self.store.append(entry).await;
        if let Err(error) = appended {
            metrics::REFUSED.with_label_values(&["disk"]).inc();
            tracing::error!(%error, "the spool can't be written");
            self.gone(&tenant, bytes);
            return Err(error.into());
        }
        metrics::WRITE_SECONDS.observe(started.elapsed().as_secs_f64());
        metrics::KEPT.with_label_values(&[&*tenant]).inc();
        self.gauge();
        self.arrived.notify_one();
        Ok(Kept::Disk)
    }

    /// An entry is no longer there.
    fn gone(&self, tenant: &str, bytes: usize) {
        self.shares.give_back(tenant, bytes);
        // A write that was told as failed may be on disk all the same, and is then counted out twice.
        let less = |entries: u64| Some(entries.saturating_sub(1));
        let _before = self.entries.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        self.gauge();
    }

    fn gauge(&self) {
        metrics::ENTRIES.set(self.entries.load(Ordering::Relaxed).try_into().unwrap_or(i64::MAX));
        metrics::BYTES.set(self.shares.used().try_into().unwrap_or(i64::MAX));
    }
}

fn refused_name(refused: Refused) -> &'static str {
    match refused {
        Refused::Full => "full",
        Refused::OverShare => "over_share",
    }
}
