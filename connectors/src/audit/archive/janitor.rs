//! The task that archives, each hour. Several processes may do it at once: objects are the same, and a month that is gone
//! is gone.

use super::month::archive;
use deskstream_runtime::Process;
use deskstream_runtime::telemetry::told;
use deskstream_runtime::time::now_ms;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use tokio_util::task::TaskTracker;

const EVERY: Duration = Duration::from_secs(60 * 60);

/// Starts the task; it ends on the process' shutdown.
pub fn spawn(process: &Process, tasks: &TaskTracker) {
    let process = process.clone();
    tasks.spawn(async move {
        let mut hours = tokio::time::interval(EVERY);
        hours.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = process.shutdown.cancelled() => return,
                _ = hours.tick() => {}
            }
            tokio::select! {
                () = process.shutdown.cancelled() => return,
                done = archive(&process, now_ms()) => if let Err(error) = done {
                    // Nothing is dropped: it is tried again in an hour.
                    tracing::error!(error = %told(&error), "audit rows past their retention are not archived");
                }
            }
        }
    });
}
