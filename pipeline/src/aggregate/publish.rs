//! Publishes what the aggregate dataflow makes, and tells when all of an epoch has arrived.

use crate::enrich::OutRecord;
use crate::metrics;
use deskstream_runtime::Process;
use deskstream_runtime::kafka;
use deskstream_schemas::Topic;
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::operators::probe::{Handle, Probe};
use tokio_util::sync::CancellationToken;

/// Acknowledgements don't wake the worker: look for them so soon.
const ACK_RECHECK: Duration = Duration::from_millis(5);

/// Counts records on their way, per epoch, and ends the process should one be refused for good.
pub struct Acks {
    shutdown: CancellationToken,
}

impl ClientContext for Acks {}

impl ProducerContext for Acks {
    type DeliveryOpaque = Arc<AtomicUsize>;

    fn delivery(&self, result: &DeliveryResult<'_>, outstanding: Self::DeliveryOpaque) {
        match result {
            Ok(_) => drop(outstanding.fetch_sub(1, Ordering::AcqRel)),
            Err((error, _)) => {
                // Its epoch never counts as arrived, so that it is redone after the restart.
                metrics::PUBLISH_FAILURES.inc();
                if !matches!(
                    error,
                    KafkaError::MessageProduction(
                        RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight
                    )
                ) {
                    tracing::error!(%error, "a record of the aggregate dataflow was refused; shutting down");
                }
                self.shutdown.cancel();
            }
        }
    }
}

/// A process's producer for the aggregate dataflow; cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    producer: Arc<BaseProducer<Acks>>,
    names: Arc<HashMap<Topic, String>>,
}

impl Publisher {
    /// An idempotent producer that never gives a record up while the process lives.
    pub fn new(process: &Process) -> Result<Self, KafkaError> {
        let acks = Acks { shutdown: process.shutdown.clone() };
        let mut config = kafka::producer(&process.config.kafka);
        config
            .set("message.timeout.ms", "0")
            // Fewer, fuller requests: a broker's time goes into requests more than into records.
            .set("linger.ms", "20")
            .set("queue.buffering.max.messages", "200000")
            .set("queue.buffering.max.kbytes", "262144");
        let producer = kafka::polled(&config, acks)?;
        let names = Topic::ALL.into_iter().map(|t| (t, process.topics.name(t))).collect();
        Ok(Self { producer, names: Arc::new(names) })
    }

    /// Hands a record over; gives it back if the producer's queue is full.
    fn send(&self, record: OutRecord, outstanding: &Arc<AtomicUsize>) -> Result<(), OutRecord> {
        outstanding.fetch_add(1, Ordering::AcqRel);
        let next = BaseRecord::with_opaque_to(&self.names[&record.topic], Arc::clone(outstanding))
            .key(&record.key)
            .payload(&record.payload);
        match self.producer.send(next) {
            Ok(()) => Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                outstanding.fetch_sub(1, Ordering::AcqRel);
                Err(record)
            }
            Err((error, _)) => {
                metrics::PUBLISH_FAILURES.inc();
                tracing::error!(topic = %record.topic, %error, "a record of the aggregate dataflow can't be sent; shutting down");
                self.producer.context().shutdown.cancel();
                Ok(())
            }
        }
    }

    /// Waits for what is on its way.
    pub fn flush(&self, timeout: Duration) {
        if let Err(error) = self.producer.flush(timeout) {
            tracing::warn!(%error, "records of the aggregate dataflow are still on their way; they are redone at the next start");
        }
    }
}

/// Publishes a stream of records. The probe passes an epoch once all of it, here, is acknowledged.
pub fn publish(records: StreamVec<'_, u64, OutRecord>, publisher: Publisher) -> Handle<u64> {
    let scope = records.scope();
    // Records wait here only while the producer's queue is full, and then the sources' credit bounds them.
    let mut waiting: VecDeque<(u64, OutRecord)> = VecDeque::new();
    let mut epochs: BTreeMap<u64, (Capability<u64>, Arc<AtomicUsize>)> = BTreeMap::new();
    let arrived = records.unary_frontier::<CapacityContainerBuilder<Vec<()>>, _, _, _>(
        Pipeline,
        "Publish",
        move |capability, info| {
            drop(capability);
            let activator = scope.activator_for(info.address);
            move |(input, frontier), _output| {
                input.for_each(|capability, records| {
                    let Some(capability) = capability.retain_least(0) else { return };
                    let epoch = *capability.time();
                    epochs.entry(epoch).or_insert_with(|| (capability, Arc::default()));
                    waiting.extend(records.drain(..).map(|r| (epoch, r)));
                });
                while let Some((epoch, record)) = waiting.pop_front() {
                    if let Err(record) = publisher.send(record, &epochs[&epoch].1) {
                        waiting.push_front((epoch, record));
                        break;
                    }
                }
                let first_waiting = waiting.front().map(|(epoch, _)| *epoch);
                while let Some(first) = epochs.first_entry() {
                    let open = frontier.frontier().less_equal(first.key());
                    if open
                        || first_waiting == Some(*first.key())
                        || first.get().1.load(Ordering::Acquire) > 0
                    {
                        break;
                    }
                    first.remove();
                }
                if !epochs.is_empty() {
                    activator.activate_after(ACK_RECHECK);
                }
            }
        },
    );
    let (probe, _) = arrived.probe();
    probe
}
