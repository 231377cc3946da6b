//! Starts the job: plans where to read, opens the consumers, runs the workers.

use crate::aggregate::{
    self, AggregateOptions, Codecs, Gauges, Input, Publisher, ReadBack, Replay, ReplayError,
};
use crate::alerts::{Evaluator, RuleSet};
use crate::cluster::{ClusterError, Communication, Membership, Peers};
use crate::enrich::{self, CommitError, Committer, EnrichOptions, Limits, Redactors, Shared};
use crate::models::Models;
use crate::opinions::Policies;
use crate::source::{
    AssignError, Credit, Epochs, SourceOptions, committed_offsets, latest_of, open, own_partitions,
    partition_count,
};
use crate::{farewell, lag, metrics};
use deskstream_analyze::Analyzer;
use deskstream_runtime::Process;
use deskstream_runtime::health::Part;
use deskstream_runtime::kafka;
use deskstream_schemas::{Alert, Decoder, Drift, EVERY_TENANT, Encoder, Review, Topic};
use parking_lot::Mutex;
use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, CommitMode};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use timely::WorkerConfig;
use timely::worker::Worker;
use xxhash_rust::xxh3::xxh3_64;

/// A worker without work wakes this often, to commit offsets and to see a shutdown.
const IDLE: Duration = Duration::from_millis(20);

/// How often the lag is measured.
const LAG_INTERVAL: Duration = Duration::from_secs(1);

/// How long an event waits for a data key that is on its way by the control topic.
const KEY_PATIENCE: Duration = Duration::from_secs(10);

/// The job could not start, or had to end.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each variant wraps the error of one step")]
pub enum JobError {
    #[error(transparent)]
    Assign(#[from] AssignError),
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error("load the model")]
    Model(#[from] deskstream_analyze::ModelError),
    #[error("set up redaction")]
    Redact(#[from] deskstream_redact::ConfigError),
    #[error("make a producer")]
    Producer(#[from] rdkafka::error::KafkaError),
    #[error("make the tenants' common data key")]
    Control(#[from] deskstream_runtime::control::ControlError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("start the workers: {0}")]
    Workers(String),
    #[error("start a thread")]
    Thread(#[from] std::io::Error),
    #[error("a worker ended by a panic: {0}")]
    Panic(String),
    #[error(
        "the connection to the process at {0} broke, and no process of the job can go on without the others: start all of them again"
    )]
    PeerLost(String),
    #[error("the process at {0} has ended, and this one with it, as it must: start all of them again")]
    PeerEnded(String),
}

/// How the job is spread.
#[derive(Debug, Clone)]
pub struct JobOptions {
    /// Workers in this process.
    pub workers: usize,
    /// This process among `hosts`.
    pub process: usize,
    /// Addresses (host:port) of all processes, in order; empty for a single one.
    pub hosts: Vec<String>,
    /// Alert rules.
    pub rules: RuleSet,
}

impl JobOptions {
    fn peers(&self) -> usize {
        self.workers * self.hosts.len().max(1)
    }

    /// Indexes of this process's workers among all.
    fn own_workers(&self) -> std::ops::Range<usize> {
        self.process * self.workers..(self.process + 1) * self.workers
    }

    fn is_shared(&self) -> bool {
        self.hosts.len() > 1
    }

    /// The way to the other processes, once all are there.
    fn communication(&self, process: &Process, part: &Part) -> Result<Communication, ClusterError> {
        if !self.is_shared() {
            return Communication::alone(self.workers);
        }
        let config = &process.config.pipeline;
        let common = (
            env!("CARGO_PKG_VERSION"),
            &self.hosts,
            (&config.group, process.topics.prefix()),
            (config.epoch, config.window_interval, config.lateness_horizon),
        );
        let member = Membership {
            hosts: self.hosts.clone(),
            index: self.process,
            workers: self.workers,
            fingerprint: xxh3_64(format!("{common:?}").as_bytes()),
        };
        Peers::meet(member, part, &process.shutdown)?.communicate()
    }
}

/// A running job.
pub struct Job {
    thread: std::thread::JoinHandle<Result<(), JobError>>,
}

impl Job {
    /// Waits until the job has ended: after a shutdown, what was in flight is committed.
    pub fn join(self) -> Result<(), JobError> {
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// What a worker takes at its start.
struct Seat {
    events: BaseConsumer,
    enriched: Input,
    opinions: Input,
    control: Input,
    dead: Input,
    outcomes: Input,
    reviews: Vec<Review>,
    days: Vec<Drift>,
    evaluator: Evaluator,
}

/// Starts the job. Returns once consumers and committer are set up; the workers run on threads of their own.
pub async fn start(process: Process, options: JobOptions) -> Result<Job, JobError> {
    metrics::register();
    process.control.ensure_data_key(EVERY_TENANT, "pipeline").await?;
    let part = process.health.part("pipeline");
    let handle = tokio::runtime::Handle::current();
    let thread = std::thread::Builder::new().name("job".to_owned()).spawn(move || {
        // Schemas met on the way are fetched on the runtime that started the job.
        let _guard = handle.enter();
        let shutdown = process.shutdown.clone();
        let result = match run(&process, &options, &part) {
            // Told to stop before there was anything to do.
            Err(JobError::Cluster(ClusterError::Ended)) => Ok(()),
            result => result,
        };
        if let Err(error) = &result {
            tracing::error!(%error, "the job ends");
        }
        part.not_ready("ended");
        shutdown.cancel();
        result
    })?;
    Ok(Job { thread })
}

fn run(process: &Process, options: &JobOptions, part: &Part) -> Result<(), JobError> {
    let config = &process.config.pipeline;
    let millis = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX / 4);
    let analyzer = match &config.model {
        Some(path) => Analyzer::open(path)?,
        None => Analyzer::shipped()?,
    };
    let limits = Limits {
        max_text_bytes: config.max_text_bytes,
        future_ms: millis(config.future_limit),
        past_ms: millis(config.past_limit),
        key_patience_ms: millis(KEY_PATIENCE),
    };
    let entities = process.config.pipeline.find_names;
    let redactors = Redactors::follow(process, entities)?;
    let models = Models::follow(process, analyzer);
    let shared = Arc::new(Shared::new(process, redactors, models, limits));

    let Communication { builders, threads, lost } = options.communication(process, part)?;
    // Then the committer comes first: making its producer settles what an earlier process left open, and only then
    // do the committed offsets say where to go on.
    let credit = Credit::new(config.max_in_flight * options.workers);
    let committer = Committer::start(process, options.process, credit.clone())?;
    let seats = seats(process, options)?;
    let depth = Arc::new(AtomicI64::new(-1));
    let measured = Arc::clone(&depth);
    lag::watch(process, LAG_INTERVAL, move |lag| {
        // Without an answer the last one stands.
        if let Some(lag) = lag {
            measured.store(lag, Ordering::Relaxed);
            metrics::LAG.set(lag);
        }
    })?;
    let gauges = Gauges { queue_depth: depth, tick_ms: millis(process.config.alerts.tick) };
    let publisher = Publisher::new(process)?;
    let read_back = ReadBack::start(process)?;
    let codecs = Arc::new(codecs(process));

    let seats: Mutex<BTreeMap<usize, Seat>> = Mutex::new(seats);
    let queue = Mutex::new(Some(committer.queue()));
    let (job, publishing) = (process.clone(), publisher.clone());
    let left = farewell::Left::default();
    let (own, left_seen, shared_job) = (options.process, Arc::clone(&left), options.is_shared());
    let speaker = options.own_workers().start;
    let guards =
        timely::execute::execute_from(builders, Box::new(()), WorkerConfig::default(), move |worker| {
            let seat = seats.lock().remove(&worker.index()).expect("each worker has a seat");
            let queue = queue.lock().clone().expect("the queue is there until the workers end");
            let epochs = Epochs::new(job.config.pipeline.epoch);
            let events = SourceOptions {
                consumer: seat.events,
                credit: credit.clone(),
                epochs,
                part: job.health.part("source"),
                shutdown: job.shutdown.clone(),
            };
            worker.dataflow_named::<u64, _, _>("enrich", |scope| {
                enrich::build(
                    scope,
                    EnrichOptions {
                        source: events,
                        shared: Arc::clone(&shared),
                        audit: Encoder::new(&job.ids),
                        topic: job.topics.name(Topic::Events),
                        queue,
                    },
                )
            });
            let aggregate = worker.dataflow_named::<u64, _, _>("aggregate", |scope| {
                aggregate::build(
                    scope,
                    AggregateOptions {
                        enriched: seat.enriched,
                        opinions: seat.opinions,
                        control: seat.control,
                        dead: seat.dead,
                        outcomes: seat.outcomes,
                        epochs: Epochs::new(job.config.pipeline.window_interval),
                        horizon_ms: millis(job.config.pipeline.lateness_horizon),
                        max_in_flight: job.config.pipeline.max_in_flight,
                        write_back: job.config.write_back.clone(),
                        policies: Policies::new(&job.config),
                        evaluator: seat.evaluator,
                        reviews: seat.reviews,
                        days: seat.days,
                        read_back: read_back.clone(),
                        gauges: gauges.clone(),
                        codecs: Arc::clone(&codecs),
                        publisher: publishing.clone(),
                        shutdown: job.shutdown.clone(),
                    },
                )
            });
            if shared_job {
                let speaks = worker.index() == speaker;
                worker.dataflow_named::<u64, _, _>("farewell", |scope| {
                    farewell::build(scope, own, speaks, job.shutdown.clone(), Arc::clone(&left_seen));
                });
            }
            step_until_done(worker, &aggregate);
        })
        .map_err(JobError::Workers)?;
    part.ready();
    let ends: Vec<_> = guards.join();
    // The workers' closure, and with it their hold on the committer's queue, is gone by now.
    publisher.flush(Duration::from_secs(10));
    // Epochs that were closed are whole, however the workers ended.
    let committed = committer.finish();
    // Joining the connections' threads panics where one of them did, which the workers' ends tell better.
    let connections = catch_unwind(AssertUnwindSafe(|| drop(threads)));
    let panic = ends.into_iter().find_map(Result::err);
    if (panic.is_some() || connections.is_err())
        && let Some(peer) = lost.first()
    {
        return Err(JobError::PeerLost(peer));
    }
    if let Some(panic) = panic {
        return Err(JobError::Panic(panic));
    }
    committed?;
    match *left.lock() {
        Some(peer) => Err(JobError::PeerEnded(options.hosts[peer].clone())),
        None => Ok(()),
    }
}

fn step_until_done(worker: &mut Worker, aggregate: &aggregate::Aggregate) {
    while worker.has_dataflows() {
        worker.step_or_park(Some(IDLE));
        aggregate.commit_passed(CommitMode::Async);
    }
    aggregate.commit_passed(CommitMode::Sync);
}

fn codecs(process: &Process) -> Codecs {
    let registry = || Arc::clone(&process.registry);
    Codecs {
        enriched: Decoder::new(registry()),
        opinions: Decoder::new(registry()),
        control: Decoder::new(registry()),
        dead: Decoder::new(registry()),
        outcomes: Decoder::new(registry()),
        tickets: Encoder::new(&process.ids),
        reviews: Encoder::new(&process.ids),
        quality: Encoder::new(&process.ids),
        drift: Encoder::new(&process.ids),
        commands: Encoder::new(&process.ids),
        windows: Encoder::new(&process.ids),
        alerts: Encoder::new(&process.ids),
    }
}

/// Opens every own worker's consumers before any worker runs: a failure here is an error, not a worker lost.
fn seats(process: &Process, options: &JobOptions) -> Result<BTreeMap<usize, Seat>, JobError> {
    let kafka = &process.config.kafka;
    let config = &process.config.pipeline;
    let aggregate_group = format!("{}-aggregate", config.group);
    let enrich_group = format!("{}-enrich", config.group);
    let plan = |topic, rebuild| {
        let topic = process.topics.name(topic);
        Replay::plan(kafka, &aggregate_group, &topic, config.lateness_horizon, rebuild)
    };
    let enriched = plan(Topic::Enriched, true)?;
    let opinions = plan(Topic::Opinions, true)?;
    // What became of earlier reviews lies in a topic of its own.
    let control = plan(Topic::Control, false)?;
    let dead = plan(Topic::DeadLetter, true)?;
    let outcomes = plan(Topic::Outcomes, false)?;
    let events = process.topics.name(Topic::Events);
    let probe: BaseConsumer = kafka::consumer(kafka, &enrich_group).create()?;
    let partitions = partition_count(&probe, &events)?;
    let standing: Vec<Alert> = latest_of(process, Topic::Alerts)?;
    let mut reviews: BTreeMap<usize, Vec<Review>> = BTreeMap::new();
    for review in latest_of::<Review>(process, Topic::Reviews)? {
        reviews.entry(aggregate::keeper_of(&review, options.peers())).or_default().push(review);
    }
    let mut days: BTreeMap<usize, Vec<Drift>> = BTreeMap::new();
    for day in latest_of::<Drift>(process, Topic::Drift)? {
        days.entry(aggregate::worker_of(&day.tenant, options.peers())).or_default().push(day);
    }
    let mut seats = BTreeMap::new();
    for worker in options.own_workers() {
        let own = own_partitions(partitions, worker, options.peers());
        let committed = committed_offsets(kafka, &enrich_group, &events, &own)?;
        let start = |p: &i32| committed.get(p).map_or(Offset::Beginning, |(at, _)| Offset::Offset(*at));
        let positions = own.iter().map(|p| (*p, start(p))).collect();
        let input = |plan: &Replay, name: &'static str| -> Result<Input, AssignError> {
            let count = i32::try_from(plan.start.len()).unwrap_or(i32::MAX);
            let (replay, consumer) = plan.open(kafka, &own_partitions(count, worker, options.peers()))?;
            Ok(Input { replay, consumer, part: process.health.part(name) })
        };
        let mut evaluator = Evaluator::new(&options.rules);
        for alert in &standing {
            if aggregate::worker_of(&alert.tenant, options.peers()) == worker {
                evaluator.restore(alert.clone());
            }
        }
        let seat = Seat {
            events: open(kafka, &enrich_group, &events, &positions)?,
            enriched: input(&enriched, "source-enriched")?,
            opinions: input(&opinions, "source-opinions")?,
            control: input(&control, "source-control")?,
            dead: input(&dead, "source-deadletter")?,
            outcomes: input(&outcomes, "source-outcomes")?,
            reviews: reviews.remove(&worker).unwrap_or_default(),
            days: days.remove(&worker).unwrap_or_default(),
            evaluator,
        };
        seats.insert(worker, seat);
    }
    Ok(seats)
}
