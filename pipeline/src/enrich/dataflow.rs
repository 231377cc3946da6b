//! The dataflow: source → `Enrich` → `Commit`, without exchange.

use super::commit::ClosedEpoch;
use super::stage::{Enricher, OutRecord, Shared, Step};
use super::tally::BatchTally;
use crate::metrics;
use crate::source::{Batch, SourceOptions, kafka_source};
use crossbeam_channel::{Sender, TrySendError};
use deskstream_runtime::time::now_ms;
use deskstream_schemas::{AuditRecord, Encoder, Topic};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::operators::probe::{Handle, Probe};
use timely::dataflow::{Scope, StreamVec};

/// A schema or a key on its way is looked for again so soon.
const RETRY: Duration = Duration::from_millis(20);

/// What the dataflow is built from.
pub struct EnrichOptions {
    /// Where events come from.
    pub source: SourceOptions,
    /// Shared by the process's workers.
    pub shared: Arc<Shared>,
    /// Writes the audit trail.
    pub audit: Encoder<AuditRecord>,
    /// Full name of the events topic.
    pub topic: String,
    /// Where closed epochs go.
    pub queue: Sender<ClosedEpoch>,
}

/// What came of one source batch.
struct Enriched {
    partition: i32,
    next: i64,
    events: usize,
    records: Vec<OutRecord>,
}

/// Builds the dataflow in a worker.
pub fn build(scope: Scope<'_, u64>, options: EnrichOptions) -> Handle<u64> {
    let EnrichOptions { source, shared, audit, topic, queue } = options;
    let (batches, _consumer) = kafka_source(scope, "Events", source, |_, _| true);
    commit(enrich(batches, shared, audit, topic), queue)
}

/// A batch whose turn it is, how much of it is done, and what came of that.
struct Pending {
    capability: Capability<u64>,
    batch: Batch,
    done: usize,
    tally: BatchTally,
    records: Vec<OutRecord>,
}

fn enrich<'scope>(
    batches: StreamVec<'scope, u64, Batch>,
    shared: Arc<Shared>,
    audit: Encoder<AuditRecord>,
    topic: String,
) -> StreamVec<'scope, u64, Enriched> {
    let scope = batches.scope();
    batches.unary::<CapacityContainerBuilder<Vec<Enriched>>, _, _, _>(Pipeline, "Enrich", move |_, info| {
        let activator = scope.activator_for(info.address);
        let mut enricher = Enricher::new(shared);
        let mut queue: VecDeque<Pending> = VecDeque::new();
        move |input, output| {
            input.for_each(|capability, batches| {
                let Some(capability) = capability.retain_least(0) else { return };
                queue.extend(batches.drain(..).map(|batch| Pending {
                    capability: capability.clone(),
                    records: Vec::with_capacity(batch.records.len() + 1),
                    batch,
                    done: 0,
                    tally: BatchTally::default(),
                }));
            });
            let now = now_ms();
            while let Some(pending) = queue.front_mut() {
                if !pending.advance(&mut enricher, now) {
                    // Order within the partition is kept: what comes later waits too.
                    activator.activate_after(RETRY);
                    return;
                }
                let mut pending = queue.pop_front().expect("the front was there");
                for record in pending.tally.finish(&topic, &pending.batch, now) {
                    match audit.encode(&record) {
                        Ok(payload) => {
                            pending.records.push(OutRecord {
                                topic: Topic::Audit,
                                key: record.tenant,
                                payload,
                            });
                        }
                        Err(error) => tracing::error!(%error, "an audit record could not be encoded"),
                    }
                }
                output.session(&pending.capability).give(Enriched {
                    partition: pending.batch.partition,
                    next: pending.batch.next(),
                    events: pending.batch.records.len(),
                    records: pending.records,
                });
            }
        }
    })
}

impl Pending {
    /// Goes on with the batch; says whether it is finished.
    fn advance(&mut self, enricher: &mut Enricher, now: i64) -> bool {
        while let Some(record) = self.batch.records.get(self.done) {
            let step = enricher.step(self.batch.partition, record, now, &mut self.tally, &mut self.records);
            if step == Step::Retry {
                return false;
            }
            self.done += 1;
        }
        metrics::EVENTS.inc_by(self.batch.records.len() as u64);
        true
    }
}

/// Closes epochs: once the frontier has passed one, what it produced goes to the committer.
fn commit(enriched: StreamVec<'_, u64, Enriched>, queue: Sender<ClosedEpoch>) -> Handle<u64> {
    let scope = enriched.scope();
    // An epoch keeps its capability until the committer has it, so that the dataflow does not end before.
    let mut open: BTreeMap<u64, (Capability<u64>, ClosedEpoch)> = BTreeMap::new();
    let mut closed: VecDeque<(Capability<u64>, ClosedEpoch)> = VecDeque::new();
    let ends = enriched.unary_frontier::<CapacityContainerBuilder<Vec<()>>, _, _, _>(
        Pipeline,
        "Commit",
        move |capability, info| {
            drop(capability);
            let activator = scope.activator_for(info.address);
            move |(input, frontier), _output| {
                input.for_each(|capability, batches| {
                    let Some(capability) = capability.retain_least(0) else { return };
                    let (_, epoch) =
                        open.entry(*capability.time()).or_insert((capability, ClosedEpoch::default()));
                    for batch in batches.drain(..) {
                        epoch.offsets.insert(batch.partition, batch.next);
                        epoch.events += batch.events;
                        epoch.records.extend(batch.records);
                    }
                });
                while let Some(first) = open.first_entry() {
                    if frontier.frontier().less_equal(first.key()) {
                        break;
                    }
                    closed.push_back(first.remove());
                }
                while let Some((capability, epoch)) = closed.pop_front() {
                    match queue.try_send(epoch) {
                        Ok(()) => drop(capability),
                        Err(TrySendError::Full(epoch)) => {
                            closed.push_front((capability, epoch));
                            activator.activate_after(Duration::from_millis(2));
                            break;
                        }
                        // The committer gave up and has cancelled the process.
                        Err(TrySendError::Disconnected(_)) => break,
                    }
                }
            }
        },
    );
    let (probe, _) = ends.probe();
    probe
}
