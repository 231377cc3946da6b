//! The dataflow's shape.
//!
//! ```text
//! Enriched ── DecodeEnriched ──⇄ by ticket ── LatestTicket ─┬─ updates ─⇄ by window ─ CountTotal ─ EmitWindows ─┬─ records ─┐
//! Opinions ─── DecodeOpinions ──⇄ by ticket ──────┤          │
//! Control ──── DecodeReviews ───⇄ by ticket ──────┤          ├─ samples ─⇄ by window of quality ─ CountTotal ─ EmitQuality ── records ─┐
//! DeadLetters ─ DecodeFailures ───────────────────┘          │                                                  └─ minutes ─⇄ by tenant ─ EvaluateAlerts ─┤
//! Outcomes ─── DecodeOutcomes ───────────────────────────────┼──────────────────────────────────── gauges ─⇄ by tenant ──┘                               │
//!                                                            └─ records ────────────────────────────────────────────────────────────────────── Publish ◄──┘
//! ```

use super::drift::{Day, Days, drift};
use super::emit::Windows;
use super::evaluate::{Gauges, evaluate};
use super::facts::{Fact, Failure, Position, Reading, Reviewed, Second};
use super::keep::{Facts, Keeper, Latest, latest};
use super::latest::Tickets;
use super::publish::{Publisher, publish};
use super::quality;
use super::read_back::ReadBack;
use super::replay::{Progress, Replay, SKEW_MS};
use super::reviewed::Reviews;
use super::tally::{Tally, WindowKey};
use crate::alerts::{Evaluator, MinuteMetrics};
use crate::enrich::OutRecord;
use crate::metrics;
use crate::opinions::Policies;
use crate::source::{Batch, Credit, Epochs, SourceOptions, kafka_source};
use deskstream_runtime::config::WriteBackConfig;
use deskstream_runtime::health::Part;
use deskstream_schemas::{
    Command, ControlEntity, DeadLetter, Decoder, Drift, Encoder, EnrichedTicket, Opinion, Outcome, Quality,
    Review, TicketState, Topic, Window,
};
use differential_dataflow::AsCollection;
use differential_dataflow::operators::CountTotal;
use rdkafka::consumer::{BaseConsumer, CommitMode};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Concatenate;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::operators::probe::Handle;
use timely::dataflow::{Scope, StreamVec};
use tokio_util::sync::CancellationToken;

/// The codecs, shared by a process's workers.
pub struct Codecs {
    /// Reads `enriched`.
    pub enriched: Decoder<EnrichedTicket>,
    /// Reads `opinions`.
    pub opinions: Decoder<Opinion>,
    /// Reads `control`.
    pub control: Decoder<ControlEntity>,
    /// Reads `deadletter`.
    pub dead: Decoder<DeadLetter>,
    /// Reads `outcomes`.
    pub outcomes: Decoder<Outcome>,
    /// Writes `tickets`.
    pub tickets: Encoder<TicketState>,
    /// Writes `reviews`.
    pub reviews: Encoder<Review>,
    /// Writes `quality`.
    pub quality: Encoder<Quality>,
    /// Writes `drift`.
    pub drift: Encoder<Drift>,
    /// Writes `commands`.
    pub commands: Encoder<Command>,
    /// Writes `windows`.
    pub windows: Encoder<Window>,
    /// Writes `alerts`.
    pub alerts: Encoder<deskstream_schemas::Alert>,
}

/// A source's plan and its consumer.
pub struct Input {
    /// Where it starts.
    pub replay: Replay,
    /// Assigned accordingly.
    pub consumer: BaseConsumer,
    /// Told when it can't read.
    pub part: Part,
}

/// What the dataflow is built from, in each worker.
pub struct AggregateOptions {
    /// The `enriched` topic.
    pub enriched: Input,
    /// The `opinions` topic.
    pub opinions: Input,
    /// The `control` topic.
    pub control: Input,
    /// The `deadletter` topic.
    pub dead: Input,
    /// The `outcomes` topic.
    pub outcomes: Input,
    /// The dataflow's clock.
    pub epochs: Epochs,
    /// Lateness horizon in milliseconds.
    pub horizon_ms: i64,
    /// Bound on records in flight, per source.
    pub max_in_flight: usize,
    /// Write-back policy.
    pub write_back: WriteBackConfig,
    /// When second opinions are asked for.
    pub policies: Policies,
    /// Alert rules, with the episodes of this worker's tenants restored.
    pub evaluator: Evaluator,
    /// The reviews of this worker's tickets, as they were published last.
    pub reviews: Vec<Review>,
    /// The latest drift of this worker's tenants, as it was published.
    pub days: Vec<Drift>,
    /// Reads events again.
    pub read_back: ReadBack,
    /// Gauges that are measured in this process.
    pub gauges: Gauges,
    /// Codecs.
    pub codecs: Arc<Codecs>,
    /// Where records go.
    pub publisher: Publisher,
    /// Ends the sources.
    pub shutdown: CancellationToken,
}

/// A worker's handle on the running dataflow.
pub struct Aggregate {
    probe: Handle<u64>,
    progress: Vec<Rc<RefCell<Progress>>>,
}

impl Aggregate {
    /// Commits the offsets of epochs whose output has arrived.
    pub fn commit_passed(&self, mode: CommitMode) {
        for progress in &self.progress {
            progress.borrow_mut().commit_passed(&self.probe, mode);
        }
    }
}

/// Windows that became final, with the counts to take out of the collection: `EmitWindows` leaves them for
/// `LatestTicket` of the same worker, whose capability can send them.
pub(super) type Retired = Rc<RefCell<Vec<(WindowKey, Tally)>>>;

/// An update of the collection of windows.
pub(super) type Update = (WindowKey, u64, Tally);

/// Builds the dataflow in a worker.
pub fn build(scope: Scope<'_, u64>, options: AggregateOptions) -> Aggregate {
    let AggregateOptions {
        enriched,
        opinions,
        control,
        dead,
        outcomes,
        epochs,
        horizon_ms,
        max_in_flight,
        ..
    } = options;
    // Before the first commit there is no past to rebuild; after it, time goes on from there.
    let resume_ms = enriched.replay.resume_ms;
    let doubtful_since = control.replay.resume_ms - SKEW_MS;
    let mut progress = Vec::new();
    let mut read = |name: &str, input: Input| {
        let (batches, own, replay) = source(scope, name, input, epochs, max_in_flight, &options.shutdown);
        progress.push(own);
        (batches, replay)
    };
    let (enriched, replay) = read("Enriched", enriched);
    let (opinions, opinions_replay) = read("Opinions", opinions);
    let (control, _) = read("Control", control);
    let (dead, _) = read("DeadLetters", dead);
    let (outcomes, _) = read("Outcomes", outcomes);

    let codecs = &options.codecs;
    let of = Arc::clone(codecs);
    let facts = decode(enriched, "DecodeEnriched", move |partition, offset, payload| {
        let ticket = of.enriched.decode(payload)?;
        Ok(Some(Fact::new(ticket, Position { partition, offset }, replay.is_replayed(partition, offset))))
    });
    let of = Arc::clone(codecs);
    let seconds = decode(opinions, "DecodeOpinions", move |partition, offset, payload| {
        let opinion = of.opinions.decode(payload)?;
        Ok(Some(Second::new(opinion, opinions_replay.is_replayed(partition, offset))))
    });
    let of = Arc::clone(codecs);
    let reviews = decode(control, "DecodeReviews", move |partition, offset, payload| {
        let entity = of.control.decode(payload)?;
        let review = crate::reviews::read(&entity).unwrap_or_else(|error| {
            metrics::REVIEWS.with_label_values(&["unreadable"]).inc();
            tracing::warn!(partition, offset, %error, "a review is passed over");
            None
        });
        Ok(review.map(Reviewed::new))
    });
    let of = Arc::clone(codecs);
    let failures = decode(dead, "DecodeFailures", move |_, _, payload| {
        of.dead.decode(payload).map(|dead| Some(Failure::from(dead)))
    });
    let of = Arc::clone(codecs);
    let api_use = decode(outcomes, "DecodeOutcomes", move |_, _, payload| {
        of.outcomes.decode(payload).map(|outcome| Reading::of(&outcome))
    });

    let retired = Retired::default();
    let clock = Clock { epochs, resume_ms, horizon_ms };
    let (reviewed, restored) = Reviews::restored(options.reviews, doubtful_since);
    let keeper = Keeper {
        tickets: Tickets::new(options.write_back, options.policies, horizon_ms, reviewed),
        restored,
        clock,
        codecs: Arc::clone(codecs),
        retired: Rc::clone(&retired),
        read_back: options.read_back,
    };
    let Latest { updates, records, samples } = latest(Facts { facts, seconds, reviews, failures }, keeper);
    let counted = updates.as_collection().count_total();
    let Emitted { records: window_records, minutes, days } =
        emit(counted.inner, clock, Arc::clone(codecs), retired);
    let held = Days::restored(&options.days);
    let (drifts, moved) = drift(days, held, clock, Arc::clone(codecs));
    let verdicts = samples.as_collection().count_total();
    let quality = quality::emit(verdicts.inner, epochs, Arc::clone(codecs));
    let readings = scope.concatenate([api_use, moved]);
    let alerts = evaluate(minutes, readings, options.evaluator, options.gauges, epochs, Arc::clone(codecs));
    let probe =
        publish(scope.concatenate([records, window_records, quality, drifts, alerts]), options.publisher);
    Aggregate { probe, progress }
}

fn source<'scope>(
    scope: Scope<'scope, u64>,
    name: &str,
    input: Input,
    epochs: Epochs,
    max_in_flight: usize,
    shutdown: &CancellationToken,
) -> (StreamVec<'scope, u64, Batch>, Rc<RefCell<Progress>>, Replay) {
    let credit = Credit::new(max_in_flight);
    let progress = Rc::new(RefCell::new(Progress::new(&input.replay, credit.clone())));
    let seen = Rc::clone(&progress);
    let options = SourceOptions {
        consumer: input.consumer,
        credit,
        epochs,
        part: input.part,
        shutdown: shutdown.clone(),
    };
    let (batches, consumer) = kafka_source(scope, name, options, move |epoch, batch| {
        let mut progress = seen.borrow_mut();
        if let Some(batch) = batch {
            progress.read(epoch, batch);
        }
        progress.caught_up()
    });
    progress.borrow_mut().commit_by(consumer);
    (batches, progress, input.replay)
}

/// Decodes our own topics: what can't be read there is a foreign record, told and passed over.
fn decode<'scope, D: 'static>(
    batches: StreamVec<'scope, u64, Batch>,
    name: &str,
    mut read: impl FnMut(i32, i64, &[u8]) -> Result<Option<D>, deskstream_schemas::DecodeError> + 'static,
) -> StreamVec<'scope, u64, D> {
    batches.unary::<CapacityContainerBuilder<Vec<D>>, _, _, _>(Pipeline, name, move |_, _| {
        move |input, output| {
            input.for_each_stamp(|capability, batches| {
                let mut session = output.session(&capability);
                for batch in batches.flat_map(|b| b.drain(..)) {
                    for record in batch.records {
                        let Some(payload) = record.payload else { continue };
                        match read(batch.partition, record.offset, &payload) {
                            Ok(Some(data)) => session.give(data),
                            Ok(None) => {}
                            Err(error) => tracing::warn!(
                                partition = batch.partition, offset = record.offset, %error,
                                "a record that Deskstream did not write is passed over"
                            ),
                        }
                    }
                }
            });
        }
    })
}

/// From epochs to wall time.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    epochs: Epochs,
    pub(super) resume_ms: i64,
    pub(super) horizon_ms: i64,
}

impl Clock {
    /// The time that an epoch stands for; epoch 0, the replay, stands for the time of the last commit.
    pub(super) fn at(self, epoch: u64) -> i64 {
        self.epochs.begins(epoch).max(self.resume_ms)
    }
}

type Counted = ((WindowKey, Tally), u64, isize);

/// What `EmitWindows` gives.
struct Emitted<'scope> {
    /// To be published.
    records: StreamVec<'scope, u64, OutRecord>,
    /// What drives alerts.
    minutes: StreamVec<'scope, u64, MinuteMetrics>,
    /// What drift is measured from.
    days: StreamVec<'scope, u64, Day>,
}

/// `EmitWindows`.
fn emit<'scope>(
    counted: StreamVec<'scope, u64, Counted>,
    clock: Clock,
    codecs: Arc<Codecs>,
    retired: Retired,
) -> Emitted<'scope> {
    let mut builder = OperatorBuilder::new("EmitWindows".to_owned(), counted.scope());
    let mut counted = builder.new_input(counted, Pipeline);
    let (records, record_stream) = builder.new_output();
    let (minutes, minute_stream) = builder.new_output();
    let (days, day_stream) = builder.new_output();
    let mut records = OutputBuilder::<_, CapacityContainerBuilder<Vec<OutRecord>>>::from(records);
    let mut minutes = OutputBuilder::<_, CapacityContainerBuilder<Vec<MinuteMetrics>>>::from(minutes);
    let mut days = OutputBuilder::<_, CapacityContainerBuilder<Vec<Day>>>::from(days);
    builder.build(move |capabilities| {
        let mut capabilities = capabilities.into_iter();
        // Windows become final as time passes, whether data comes or not: these follow the frontier.
        let mut holds = capabilities.next().zip(capabilities.next()).zip(capabilities.next());
        let mut windows = Windows::new(clock.horizon_ms);
        let mut stash: BTreeMap<u64, Vec<Counted>> = BTreeMap::new();
        move |frontiers| {
            counted.for_each(|_, updates| {
                for update in updates.drain(..) {
                    stash.entry(update.1).or_default().push(update);
                }
            });
            let Some(((record_cap, minute_cap), day_cap)) = holds.as_mut() else { return };
            let frontier = frontiers[0].frontier().first().copied();
            while let Some(first) = stash.first_entry() {
                if frontier.is_some_and(|f| f <= *first.key()) {
                    break;
                }
                for ((key, tally), _, count) in first.remove() {
                    windows.update(key, tally, count);
                }
            }
            let passed = frontier.unwrap_or(u64::MAX).saturating_sub(1);
            if frontier != Some(*record_cap.time()) {
                let now = if frontier.is_some() { clock.at(passed) } else { clock.at(*record_cap.time()) };
                let mut records = records.activate();
                let mut session = records.session(record_cap);
                let mut minutes = minutes.activate();
                let mut minute_session = minutes.session(minute_cap);
                let mut days = days.activate();
                let mut day_session = days.session(day_cap);
                day_session.give_iterator(windows.changed_days());
                for window in windows.changed(now) {
                    minute_session.give_iterator(MinuteMetrics::of(&window).into_iter());
                    session.give_iterator(
                        out_record(Topic::Windows, window.key(), codecs.windows.encode(&window)).into_iter(),
                    );
                }
                // Before the replay is over, counts are not complete, and nothing is final.
                if frontier.is_some_and(|f| f > 0) {
                    for (window, key, tally) in windows.finished(now) {
                        session.give_iterator(
                            out_record(Topic::Windows, window.key(), codecs.windows.encode(&window))
                                .into_iter(),
                        );
                        day_session.give_iterator(Day::of(&key, &tally, true).into_iter());
                        retired.borrow_mut().push((key, tally));
                    }
                }
            }
            match frontier {
                Some(frontier) => {
                    record_cap.downgrade(&frontier);
                    minute_cap.downgrade(&frontier);
                    day_cap.downgrade(&frontier);
                }
                None => holds = None,
            }
        }
    });
    Emitted { records: record_stream, minutes: minute_stream, days: day_stream }
}

/// A record to publish; one that can't be encoded would be a bug, and must not stop the stream.
pub fn out_record(
    topic: Topic,
    key: String,
    payload: Result<Vec<u8>, deskstream_schemas::EncodeError>,
) -> Option<OutRecord> {
    match payload {
        Ok(payload) => Some(OutRecord { topic, key, payload }),
        Err(error) => {
            tracing::error!(%topic, %error, "a record could not be encoded");
            None
        }
    }
}
