//! How many events wait to be enriched, for the overview: the pipeline counts it for its own metrics, in its own process.

use deskstream_pipeline::lag;
use deskstream_runtime::Process;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(2);

/// Nothing was measured, or it can't be now.
const UNKNOWN: i64 = -1;

/// The latest measurement.
#[derive(Debug, Clone)]
pub struct Lag(Arc<AtomicI64>);

impl Lag {
    /// Measures until shutdown.
    pub fn watch(process: &Process) -> std::io::Result<Self> {
        let latest = Self(Arc::new(AtomicI64::new(UNKNOWN)));
        let measured = Arc::clone(&latest.0);
        lag::watch(process, INTERVAL, move |lag| measured.store(lag.unwrap_or(UNKNOWN), Ordering::Relaxed))?;
        Ok(latest)
    }

    /// Events that wait, if it is known.
    pub fn events(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|lag| *lag != UNKNOWN)
    }
}
