//! How many records may be between a source and the end of its dataflow.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A bound on records in flight, shared by a source and whatever ends their journey.
#[derive(Debug, Clone)]
pub struct Credit {
    limit: usize,
    used: Arc<AtomicUsize>,
}

impl Credit {
    /// At most `limit` records, overshot by one batch at most.
    pub fn new(limit: usize) -> Self {
        Self { limit, used: Arc::default() }
    }

    /// How many more records may be taken.
    pub fn left(&self) -> usize {
        self.limit.saturating_sub(self.used.load(Ordering::Acquire))
    }

    /// Records that set out.
    pub fn take(&self, records: usize) {
        self.used.fetch_add(records, Ordering::AcqRel);
    }

    /// Records that arrived.
    pub fn give_back(&self, records: usize) {
        self.used.fetch_sub(records, Ordering::AcqRel);
    }

    /// Records in flight.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Acquire)
    }
}
