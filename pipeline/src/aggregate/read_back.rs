//! Reads single events of `enriched` again, beside the dataflow: a thread for each process, since a worker never waits.
//!
//! What is asked is bounded by the sources' credit: an epoch is not over, and its records not given back, before the
//! answer is there. An event that can't be read within [`PATIENCE`], or is gone by retention, is answered by none.

use super::facts::Position;
use deskstream_runtime::Process;
use deskstream_runtime::kafka;
use deskstream_schemas::{DecodeError, Decoder, EnrichedTicket, Topic};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use std::sync::Arc;
use std::time::{Duration, Instant};
use timely::scheduling::SyncActivator;
use tokio_util::sync::CancellationToken;

/// A broker that is away is waited for; a ticket's labels in windows are corrected by then.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);

/// What was read.
#[derive(Debug)]
pub struct Answer {
    /// The ticket that it was asked for.
    pub ticket_hash: u128,
    /// Where it lies.
    pub position: Position,
    /// The event, if it could be read.
    pub ticket: Option<EnrichedTicket>,
}

struct Question {
    ticket_hash: u128,
    position: Position,
    answer: crossbeam_channel::Sender<Answer>,
    wake: SyncActivator,
}

/// A handle on the thread; cheap to clone.
#[derive(Clone)]
pub struct ReadBack {
    questions: crossbeam_channel::Sender<Question>,
}

impl ReadBack {
    /// Starts the thread, which ends with the process.
    ///
    /// # Errors
    /// If the consumer can't be made. A thread that can't be started is a panic, as in the rest of the start.
    pub fn start(process: &Process) -> Result<Self, KafkaError> {
        let consumer: BaseConsumer =
            kafka::consumer(&process.config.kafka, &format!("{}-read-back", process.config.pipeline.group))
                // One record is wanted, not what lies behind it.
                .set("queued.min.messages", "1")
                .set("max.partition.fetch.bytes", "65536")
                .create()?;
        let reader = Reader {
            consumer,
            topic: process.topics.name(Topic::Enriched),
            decoder: Decoder::new(Arc::clone(&process.registry)),
            shutdown: process.shutdown.clone(),
        };
        let (questions, asked) = crossbeam_channel::unbounded();
        let handle = tokio::runtime::Handle::current();
        std::thread::Builder::new()
            .name("read-back".to_owned())
            .spawn(move || {
                // Schemas met on the way are fetched on the runtime.
                let _guard = handle.enter();
                reader.run(&asked);
            })
            .expect("the system has threads to give at start");
        Ok(Self { questions })
    }

    /// Asks for the event; the answer is sent, and the operator woken.
    pub fn ask(
        &self,
        ticket_hash: u128,
        position: Position,
        answer: &crossbeam_channel::Sender<Answer>,
        wake: &SyncActivator,
    ) {
        let question = Question { ticket_hash, position, answer: answer.clone(), wake: wake.clone() };
        if self.questions.send(question).is_err() {
            // The process ends: the epoch stays open, and is done again after the restart.
            tracing::debug!("an event is not read back any more");
        }
    }
}

struct Reader {
    consumer: BaseConsumer,
    topic: String,
    decoder: Decoder<EnrichedTicket>,
    shutdown: CancellationToken,
}

impl Reader {
    fn run(&self, asked: &crossbeam_channel::Receiver<Question>) {
        while !self.shutdown.is_cancelled() {
            let question = match asked.recv_timeout(POLL) {
                Ok(question) => question,
                Err(crossbeam_channel::RecvTimeoutError::Timeout) => continue,
                Err(crossbeam_channel::RecvTimeoutError::Disconnected) => return,
            };
            let Question { ticket_hash, position, answer, wake } = question;
            let ticket = match self.read(position) {
                Ok(ticket) => ticket,
                Err(error) => {
                    tracing::warn!(topic = %self.topic, ?position, %error, "an event can't be read back");
                    None
                }
            };
            if ticket.is_none() && self.shutdown.is_cancelled() {
                // Nobody shall take this for the answer.
                return;
            }
            // Both fail only once the worker is gone.
            let _ = answer.send(Answer { ticket_hash, position, ticket });
            let _ = wake.activate();
        }
    }

    fn read(&self, position: Position) -> Result<Option<EnrichedTicket>, KafkaError> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, position.partition, Offset::Offset(position.offset))?;
        self.consumer.assign(&list)?;
        let read = self.await_record(position);
        self.consumer.unassign()?;
        read
    }

    fn await_record(&self, position: Position) -> Result<Option<EnrichedTicket>, KafkaError> {
        let deadline = Instant::now() + PATIENCE;
        let mut trouble = None;
        while !self.shutdown.is_cancelled() {
            match self.consumer.poll(POLL) {
                // What was asked for before may still be on its way.
                Some(Ok(message)) if message.partition() != position.partition => {}
                Some(Ok(message)) if message.offset() < position.offset => {}
                Some(Ok(message)) if message.offset() > position.offset => return Ok(None),
                Some(Ok(message)) => return Ok(self.decode(message.payload().unwrap_or_default(), deadline)),
                Some(Err(error)) => trouble = Some(error),
                None => {}
            }
            if Instant::now() > deadline {
                return trouble.map_or(Ok(None), Err);
            }
        }
        Ok(None)
    }

    fn decode(&self, payload: &[u8], deadline: Instant) -> Option<EnrichedTicket> {
        loop {
            match self.decoder.decode(payload) {
                Err(DecodeError::Pending { .. })
                    if Instant::now() < deadline && !self.shutdown.is_cancelled() =>
                {
                    std::thread::park_timeout(POLL / 10);
                }
                decoded => return decoded.ok(),
            }
        }
    }
}
