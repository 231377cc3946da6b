//! The source operator.

use super::Credit;
use deskstream_runtime::health::Part;
use deskstream_runtime::time::now_ms;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use std::rc::Rc;
use std::time::Duration;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::generic::operator::source;
use timely::dataflow::{Scope, StreamVec};
use timely::scheduling::Activator;
use tokio_util::sync::CancellationToken;

/// Most records polled in one activation: few enough that what was read is still in the core's cache (half a MiB) when the
/// operators behind the source come to it.
const MAX_POLLED: usize = 64;

/// When there is no credit, look again so soon: commits do not wake the worker.
const CREDIT_RECHECK: Duration = Duration::from_millis(2);

/// A record as it lies in Kafka.
#[derive(Debug, Clone)]
pub struct RawRecord {
    /// Position in its partition.
    pub offset: i64,
    /// Broker or producer timestamp in milliseconds; 0 if there is none.
    pub timestamp: i64,
    /// Its value; none for a tombstone.
    pub payload: Option<Vec<u8>>,
}

/// Consecutive records of one partition.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The partition.
    pub partition: i32,
    /// The records in order; never empty.
    pub records: Vec<RawRecord>,
}

impl Batch {
    /// Position of the first record.
    pub fn first(&self) -> i64 {
        self.records.first().map_or(0, |r| r.offset)
    }

    /// Position behind the last record.
    pub fn next(&self) -> i64 {
        self.records.last().map_or(0, |r| r.offset + 1)
    }
}

/// The clock of a dataflow: an epoch is a stretch of wall time, numbered since the Unix epoch.
#[derive(Debug, Clone, Copy)]
pub struct Epochs {
    length_ms: i64,
}

impl Epochs {
    /// Epochs of that length, a millisecond at least.
    pub fn new(length: Duration) -> Self {
        Self { length_ms: i64::try_from(length.as_millis()).unwrap_or(i64::MAX).max(1) }
    }

    /// The epoch at a time in milliseconds.
    pub fn at(self, ms: i64) -> u64 {
        u64::try_from(ms / self.length_ms).unwrap_or(0)
    }

    /// When an epoch begins, in milliseconds.
    pub fn begins(self, epoch: u64) -> i64 {
        i64::try_from(epoch).unwrap_or(i64::MAX / self.length_ms).saturating_mul(self.length_ms)
    }

    fn until_next(self, now: i64) -> Duration {
        Duration::from_millis(u64::try_from(self.length_ms - now % self.length_ms).unwrap_or(1))
    }
}

/// What a source reads and how.
pub struct SourceOptions {
    /// The consumer, assigned.
    pub consumer: BaseConsumer,
    /// Bound on records in flight.
    pub credit: Credit,
    /// The dataflow's clock.
    pub epochs: Epochs,
    /// Told when the source can't read.
    pub part: Part,
    /// Ends the source.
    pub shutdown: CancellationToken,
}

/// Reads Kafka into a stream of batches; the consumer is handed back for whoever commits its offsets. `on_batch`
/// sees each batch with its epoch, and says whether the source may leave epoch 0, in which a replay is read as
/// one instant.
pub fn kafka_source<'scope>(
    scope: Scope<'scope, u64>,
    name: &str,
    options: SourceOptions,
    mut on_batch: impl FnMut(u64, Option<&Batch>) -> bool + 'static,
) -> (StreamVec<'scope, u64, Batch>, Rc<BaseConsumer>) {
    let SourceOptions { mut consumer, credit, epochs, part, shutdown } = options;
    let mut handed_back = None;
    let stream = source::<_, CapacityContainerBuilder<Vec<Batch>>, _, _>(scope, name, |capability, info| {
        let waker = scope.worker().sync_activator_for(info.address.to_vec());
        consumer.set_nonempty_callback(move || {
            // It fails only once the worker is gone, and then there is nothing to wake.
            let _ = waker.activate();
        });
        let consumer = Rc::new(consumer);
        handed_back = Some(Rc::clone(&consumer));
        let activator = scope.activator_for(info.address);
        let mut capability = Some(capability);
        let mut polled = Vec::new();
        // Told only when it changes: this runs thousands of times a second.
        let mut told_ready = false;
        move |output| {
            let Some(cap) = capability.as_mut() else { return };
            if shutdown.is_cancelled() {
                capability = None;
                return;
            }
            let now = now_ms();
            let epoch = epochs.at(now);
            if on_batch(*cap.time(), None) && *cap.time() < epoch {
                cap.downgrade(&epoch);
            }
            let room = credit.left().min(MAX_POLLED);
            let full = match poll(&consumer, room, &mut polled) {
                Ok(full) => {
                    if !told_ready {
                        part.ready();
                        told_ready = true;
                    }
                    full
                }
                Err(error) => {
                    part.not_ready(error.to_string());
                    told_ready = false;
                    false
                }
            };
            let records = polled.iter().map(|b: &Batch| b.records.len()).sum();
            credit.take(records);
            let mut session = output.session(cap);
            for batch in polled.drain(..) {
                on_batch(*cap.time(), Some(&batch));
                session.give(batch);
            }
            reschedule(&activator, full, room, epochs.until_next(now));
        }
    });
    (stream, handed_back.expect("the constructor has run"))
}

fn reschedule(activator: &Activator, full: bool, room: usize, until_next: Duration) {
    if room == 0 {
        activator.activate_after(CREDIT_RECHECK);
    } else if full {
        activator.activate();
    } else {
        activator.activate_after(until_next);
    }
}

/// Takes what is there, up to `room` records; says whether there may be more.
fn poll(consumer: &BaseConsumer, room: usize, batches: &mut Vec<Batch>) -> Result<bool, KafkaError> {
    for _ in 0..room {
        match consumer.poll(Duration::ZERO) {
            None => return Ok(false),
            Some(Err(error)) => return Err(error),
            Some(Ok(message)) => {
                let record = RawRecord {
                    offset: message.offset(),
                    timestamp: message.timestamp().to_millis().unwrap_or(0),
                    payload: message.payload().map(<[u8]>::to_vec),
                };
                match batches.last_mut() {
                    Some(last) if last.partition == message.partition() => last.records.push(record),
                    _ => {
                        let mut records = Vec::with_capacity(64);
                        records.push(record);
                        batches.push(Batch { partition: message.partition(), records });
                    }
                }
            }
        }
    }
    Ok(room > 0)
}
