//! The statements under way: how many may run, under which ids, and how to stop one.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::exception::{Code, Exception};
use crate::ffi::Engine;
use crate::statement::literal;

/// The room for statements, bounded.
pub struct Running {
    engine: Engine,
    room: Arc<Semaphore>,
    limit: usize,
    ids: std::sync::Mutex<HashSet<String>>,
}

/// A place among the running statements, kept by the thread that runs it until it has ended.
pub struct Ticket {
    running: Arc<Running>,
    id: String,
    _permit: OwnedSemaphorePermit,
}

/// Stops a statement when dropped before [`disarm`](Self::disarm): when its client has gone, or its time is over.
pub struct StopOnDrop {
    running: Arc<Running>,
    id: Option<String>,
}

impl Running {
    /// Room for `limit` statements at once.
    pub fn new(engine: Engine, limit: usize) -> Arc<Self> {
        Arc::new(Self {
            engine,
            room: Arc::new(Semaphore::new(limit)),
            limit,
            ids: std::sync::Mutex::new(HashSet::new()),
        })
    }

    /// How many run now.
    pub fn count(&self) -> usize {
        self.limit - self.room.available_permits()
    }

    /// Takes a place under this id, or refuses at once: waiting would only move the queue into memory.
    pub fn enter(self: &Arc<Self>, id: &str) -> Result<Ticket, Exception> {
        let permit = Arc::clone(&self.room).try_acquire_owned().map_err(|_| {
            Exception::new(
                Code::TooManySimultaneousQueries,
                format_args!("Too many simultaneous queries. Maximum: {}", self.limit),
            )
        })?;
        if !self.ids.lock().expect("no holder panics").insert(id.to_owned()) {
            return Err(Exception::new(
                Code::QueryWithSameIdIsAlreadyRunning,
                format_args!("Query with id = {id} is already running"),
            ));
        }
        Ok(Ticket { running: Arc::clone(self), id: id.to_owned(), _permit: permit })
    }

    /// Asks the engine to stop the statement with this id; returns at once.
    fn stop(&self, id: &str) {
        let engine = self.engine.clone();
        let sql = format!(
            "KILL QUERY WHERE splitByChar('\\n', Settings['log_comment'])[1] = {} ASYNC",
            literal(id)
        );
        tokio::task::spawn_blocking(move || {
            let stopped =
                engine.connect().and_then(|mut connection| connection.query(&sql, "Null", &[]).map(drop));
            if let Err(error) = stopped {
                tracing::warn!(%error, "stopping a statement");
            }
        });
    }

    /// A guard that stops the statement with this id unless disarmed.
    pub fn stop_on_drop(self: &Arc<Self>, id: &str) -> StopOnDrop {
        StopOnDrop { running: Arc::clone(self), id: Some(id.to_owned()) }
    }

    /// Stops everything that runs: at shutdown, after the time given to finish.
    pub fn stop_all(&self) {
        let ids: Vec<String> = self.ids.lock().expect("no holder panics").iter().cloned().collect();
        for id in ids {
            self.stop(&id);
        }
    }
}

impl Ticket {
    /// The engine to run on.
    pub fn engine(&self) -> &Engine {
        &self.running.engine
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.running.ids.lock().expect("no holder panics").remove(&self.id);
    }
}

impl StopOnDrop {
    /// The statement has ended by itself.
    pub fn disarm(&mut self) {
        self.id = None;
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.running.stop(&id);
        }
    }
}
