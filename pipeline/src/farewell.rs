//! When one process of the job ends, so do the others, after what is in flight is committed.
//!
//! A dataflow's sources must end in every process before it can: one that was told to stop would wait for the others
//! until its supervisor loses patience. So it tells them.

use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Scope;
use timely::dataflow::operators::Inspect;
use timely::dataflow::operators::generic::operator::source;
use timely::dataflow::operators::vec::Broadcast;
use tokio_util::sync::CancellationToken;

/// A process that was told to stop tells the others within this time.
const LOOK: Duration = Duration::from_millis(50);

/// Which process has said farewell before this one was told to stop, if one has.
pub type Left = Arc<Mutex<Option<usize>>>;

/// Builds the dataflow in a worker; `own` is the process's number, and the worker that `speaks` speaks for it.
pub fn build(scope: Scope<'_, u64>, own: usize, speaks: bool, shutdown: CancellationToken, left: Left) {
    let told = shutdown.clone();
    let words =
        source::<_, CapacityContainerBuilder<Vec<u64>>, _, _>(scope, "Farewell", |capability, info| {
            let activator = scope.activator_for(info.address);
            let mut capability = speaks.then_some(capability);
            move |output| {
                let Some(cap) = capability.as_ref() else { return };
                if shutdown.is_cancelled() {
                    output.session(cap).give(own as u64);
                    capability = None;
                } else {
                    activator.activate_after(LOOK);
                }
            }
        });
    words.broadcast().inspect(move |process| {
        if !told.is_cancelled() {
            *left.lock() = usize::try_from(*process).ok();
            told.cancel();
        }
    });
}
