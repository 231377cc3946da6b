//! Drives the alert rules: minutes and gauges in, transitions out, evaluated as the frontier advances.

use super::dataflow::{Codecs, out_record};
use super::facts::Reading;
use crate::alerts::{Evaluator, Metric, MinuteMetrics};
use crate::enrich::OutRecord;
use crate::metrics;
use crate::source::Epochs;
use deskstream_schemas::{AlertState, EVERY_TENANT, Topic};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::operator::Operator;
use xxhash_rust::xxh3::xxh3_64;

/// Gauges that this process measures itself.
#[derive(Debug, Clone)]
pub struct Gauges {
    /// Records of the events topic that are not enriched yet; negative while unknown.
    pub queue_depth: Arc<AtomicI64>,
    /// Least time between two evaluations, in milliseconds.
    pub tick_ms: i64,
}

/// The worker that evaluates a tenant's rules.
pub fn route(tenant: &str) -> u64 {
    xxh3_64(tenant.as_bytes())
}

/// The same, among so many.
pub fn worker_of(tenant: &str, peers: usize) -> usize {
    usize::try_from(route(tenant) % peers as u64).unwrap_or(0)
}

/// `EvaluateAlerts`.
pub fn evaluate<'scope>(
    minutes: StreamVec<'scope, u64, MinuteMetrics>,
    readings: StreamVec<'scope, u64, Reading>,
    mut evaluator: Evaluator,
    gauges: Gauges,
    epochs: Epochs,
    codecs: Arc<Codecs>,
) -> StreamVec<'scope, u64, OutRecord> {
    let scope = minutes.scope();
    let (index, peers) = (scope.index() as u64, scope.peers() as u64);
    let watches_queue = route(EVERY_TENANT) % peers == index;
    minutes.binary_frontier::<_, CapacityContainerBuilder<Vec<OutRecord>>, _, _, _, _>(
        readings,
        Exchange::new(|m: &MinuteMetrics| route(&m.tenant)),
        Exchange::new(|r: &Reading| route(&r.tenant)),
        "EvaluateAlerts",
        move |capability, _info| {
            let mut hold = Some(capability);
            let mut ticked_at = 0;
            move |(minutes, minute_frontier), (readings, reading_frontier), output| {
                minutes.for_each(|_, minutes| {
                    minutes.drain(..).for_each(|minute| evaluator.observe_window(&minute));
                });
                readings.for_each(|_, some| {
                    for reading in some.drain(..) {
                        evaluator.observe_gauge(&reading.tenant, reading.metric, reading.value, reading.at);
                    }
                });
                let Some(capability) = hold.as_mut() else { return };
                let first = |f: &timely::progress::frontier::MutableAntichain<u64>| f.frontier().first().copied();
                let frontier = match (first(minute_frontier), first(reading_frontier)) {
                    (Some(a), Some(b)) => a.min(b),
                    // A source has ended: the process is shutting down, and silence is not a resolution.
                    _ => {
                        hold = None;
                        return;
                    }
                };
                let now = epochs.begins(frontier);
                // At epoch 0 the past is still being read.
                if frontier > 0 && now - ticked_at >= gauges.tick_ms {
                    ticked_at = now;
                    let depth = gauges.queue_depth.load(Ordering::Relaxed);
                    if watches_queue && depth >= 0 {
                        #[allow(clippy::cast_precision_loss, reason = "queues are far below 2^53")]
                        evaluator.observe_gauge(EVERY_TENANT, Metric::QueueDepth, depth as f64, now);
                    }
                    let mut session = output.session(capability);
                    for alert in evaluator.tick(now) {
                        let state = if alert.state == AlertState::Firing { "firing" } else { "resolved" };
                        metrics::ALERTS.with_label_values(&[state]).inc();
                        tracing::info!(rule = %alert.rule, tenant = %alert.tenant, state, value = alert.value, "alert");
                        let encoded = codecs.alerts.encode(&alert);
                        session.give_iterator(out_record(Topic::Alerts, alert.key(), encoded).into_iter());
                    }
                }
                if *capability.time() < frontier {
                    capability.downgrade(&frontier);
                }
            }
        },
    )
}
