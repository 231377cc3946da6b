//! The topic as a log of changes: a writer thread and a reader thread.
//!
//! librdkafka's transaction calls block, so a thread owns the producer and takes one request at a time. A request
//! whose outcome is uncertain (the broker went away during the commit) leaves the log *unsettled*: the caller
//! must [`Log::settle`] before it decides on another change. Settling takes the transactional id anew, which ends
//! whatever was open, and writes a no-op: once the reader has seen that, it has seen everything before.

use std::{
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{FutureProducer, FutureRecord, Producer},
};
use tokio::sync::{mpsc, oneshot, watch};

use super::{RegistryOptions, record::Record, state::State};
use crate::{Error, Result};

/// Why a change was not made, or may not have been.
#[derive(Debug)]
pub(super) enum WriteError {
    /// Another registry has taken over: for good.
    Fenced,
    /// The broker did not answer in time: the change may still appear.
    Timeout,
    /// It was refused.
    Failed(String),
}

/// The two threads and what they share.
#[derive(Debug)]
pub(super) struct Log {
    requests: mpsc::Sender<Request>,
    /// The offset up to which (exclusively) the state has been built.
    applied: watch::Receiver<i64>,
    stop: Arc<AtomicBool>,
    timeout: Duration,
}

#[derive(Debug)]
struct Request {
    /// Empty: settle.
    records: Vec<Record>,
    reply: oneshot::Sender<Result<i64, WriteError>>,
}

impl Log {
    /// Makes sure of the topic and starts the threads; nothing is read yet when this returns.
    pub(super) async fn open(options: &RegistryOptions, state: Arc<RwLock<State>>) -> Result<Self> {
        ensure_topic(options).await?;
        let consumer = consumer(options)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (progress, applied) = watch::channel(0);
        spawn("registry-reader", {
            let stop = Arc::clone(&stop);
            move || read(&consumer, &state, &progress, &stop)
        })?;
        // One change at a time is decided, so more than one request waits only behind an abandoned one.
        let (requests, inbox) = mpsc::channel(4);
        let writer = Writer { options: options.clone(), producer: None, fenced: false };
        spawn("registry-writer", move || writer.run(inbox))?;
        Ok(Self { requests, applied, stop, timeout: options.timeout })
    }

    /// Writes the records in one transaction and waits until the state has them.
    pub(super) async fn write(&self, records: Vec<Record>) -> Result<(), WriteError> {
        let offset = self.request(records).await?;
        self.wait_applied(offset).await
    }

    /// Ends what was left open and waits until the state has everything that is committed.
    pub(super) async fn settle(&self) -> Result<(), WriteError> {
        self.write(Vec::new()).await
    }

    async fn request(&self, records: Vec<Record>) -> Result<i64, WriteError> {
        let (reply, answer) = oneshot::channel();
        let gone = || WriteError::Failed("the writer has ended".into());
        self.requests.send(Request { records, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    async fn wait_applied(&self, offset: i64) -> Result<(), WriteError> {
        let mut applied = self.applied.clone();
        let seen = applied.wait_for(|next| *next > offset);
        match tokio::time::timeout(self.timeout, seen).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(WriteError::Failed("the reader has ended".into())),
            Err(_) => Err(WriteError::Timeout),
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // The writer ends with its channel.
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = thread::Builder::new().name(name.into()).spawn(work);
    thread.map(drop).map_err(|source| Error::Spawn { program: format!("thread {name}"), source })
}

fn client(options: &RegistryOptions) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("client.id", "deskstream-registry");
    // A restarted broker is found again soon.
    config.set("reconnect.backoff.max.ms", "1000");
    for (key, value) in &options.properties {
        config.set(key, value);
    }
    config.set("bootstrap.servers", &options.bootstrap);
    config
}

async fn ensure_topic(options: &RegistryOptions) -> Result<()> {
    let topic = options.topic.as_str();
    let admin: AdminClient<DefaultClientContext> =
        client(options).create().map_err(Error::kafka("create an admin client for the schema registry"))?;
    let timeout = options.timeout;
    let admin = Arc::new(admin);
    let (brokers, partitions) = {
        let (admin, topic, bootstrap) = (Arc::clone(&admin), topic.to_owned(), options.bootstrap.clone());
        crate::kafka::unblock(move || {
            let metadata = admin
                .inner()
                .fetch_metadata(Some(&topic), timeout)
                .map_err(Error::kafka(format!("reach Kafka at {bootstrap} for the schema registry")))?;
            let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
            Ok((metadata.brokers().len(), partitions))
        })
        .await?
    };
    let wrong = |detail: String| Error::SchemaTopic { topic: topic.into(), detail };
    let admin_options = AdminOptions::new().request_timeout(Some(timeout)).operation_timeout(Some(timeout));
    if partitions == 0 {
        let replicas = i32::try_from(brokers.clamp(1, 3)).unwrap_or(1);
        let new = NewTopic::new(topic, 1, TopicReplication::Fixed(replicas)).set("cleanup.policy", "compact");
        let results = admin
            .create_topics(&[new], &admin_options)
            .await
            .map_err(Error::kafka("create the schema topic"))?;
        return match results.into_iter().next() {
            None | Some(Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(()),
            Some(Err((_, code))) => Err(wrong(format!("it could not be created: {code}"))),
        };
    }
    if partitions != 1 {
        return Err(wrong(format!(
            "it has {partitions} partitions instead of 1; recreate it, or use another topic"
        )));
    }
    let topic_config = admin
        .describe_configs(&[ResourceSpecifier::Topic(topic)], &admin_options)
        .await
        .map_err(Error::kafka("read the configuration of the schema topic"))?;
    let policy = topic_config
        .first()
        .and_then(|result| result.as_ref().ok()?.get("cleanup.policy").and_then(|entry| entry.value.clone()));
    // Whoever may not describe it is trusted; deletion by age would lose schemas.
    if policy.as_deref().is_some_and(|policy| policy != "compact") {
        let policy = policy.unwrap_or_default();
        return Err(wrong(format!(
            "its cleanup.policy is {policy}; set it to compact, or schemas will be lost"
        )));
    }
    Ok(())
}

fn consumer(options: &RegistryOptions) -> Result<BaseConsumer> {
    let consumer: BaseConsumer = client(options)
        // Never joined and never committed to: the library wants one.
        .set("group.id", "deskstream-registry")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("isolation.level", "read_committed")
        .create()
        .map_err(Error::kafka("create the schema registry's consumer"))?;
    let mut partition = TopicPartitionList::new();
    partition
        .add_partition_offset(&options.topic, 0, Offset::Beginning)
        .and_then(|()| consumer.assign(&partition))
        .map_err(Error::kafka(format!("read topic {} from its beginning", options.topic)))?;
    Ok(consumer)
}

fn read(consumer: &BaseConsumer, state: &RwLock<State>, progress: &watch::Sender<i64>, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        match consumer.poll(Duration::from_millis(200)) {
            None => {}
            Some(Ok(message)) => {
                match Record::decode(message.key().unwrap_or_default(), message.payload()) {
                    Ok(record) => state.write().unwrap_or_else(|broken| broken.into_inner()).apply(record),
                    Err(error) => {
                        tracing::warn!(%error, offset = message.offset(), "skipped a record of the schema topic");
                    }
                }
                progress.send_replace(message.offset() + 1);
            }
            // The library retries by itself.
            Some(Err(error)) => tracing::debug!(%error, "schema registry waits for its topic"),
        }
    }
}

struct Writer {
    options: RegistryOptions,
    /// Absent before the first request and after an uncertain one.
    producer: Option<FutureProducer>,
    fenced: bool,
}

impl Writer {
    fn run(mut self, mut inbox: mpsc::Receiver<Request>) {
        while let Some(request) = inbox.blocking_recv() {
            let mut result = self.serve(&request.records);
            // A fenced producer's records fail with whatever befell them in its queue; this is the reason.
            let fatal = self.producer.as_ref().and_then(|producer| producer.client().fatal_error());
            if let (Err(error), Some((code, _))) = (&mut result, fatal)
                && fenced(code)
            {
                *error = WriteError::Fenced;
            }
            if let Err(error) = &result {
                tracing::warn!(?error, "schema registry could not write");
                // Its transaction may be open, or committed without our knowing.
                self.producer = None;
                self.fenced |= matches!(error, WriteError::Fenced);
            }
            // Whoever asked may be gone.
            let _ = request.reply.send(result);
        }
    }

    fn serve(&mut self, records: &[Record]) -> Result<i64, WriteError> {
        if self.fenced {
            return Err(WriteError::Fenced);
        }
        if records.is_empty() {
            let producer = self.producer.insert(self.take_over().map_err(|error| classify(&error))?);
            return transact(producer, &self.options, &[Record::Noop]);
        }
        match &self.producer {
            Some(producer) => transact(producer, &self.options, records),
            None => Err(WriteError::Failed("an earlier change is not settled".into())),
        }
    }

    /// Takes the transactional id, which fences everyone who had it and ends what they left open.
    fn take_over(&self) -> Result<FutureProducer, KafkaError> {
        let timeout = self.options.timeout;
        let producer: FutureProducer = client(&self.options)
            .set("transactional.id", format!("deskstream-registry.{}", self.options.topic))
            .set("acks", "all")
            .set("linger.ms", "0")
            .set("message.timeout.ms", timeout.as_millis().to_string())
            .set("transaction.timeout.ms", timeout.as_millis().to_string())
            .create()?;
        producer.init_transactions(timeout)?;
        Ok(producer)
    }
}

/// Writes the records in one transaction; returns the offset of the last.
fn transact(
    producer: &FutureProducer,
    options: &RegistryOptions,
    records: &[Record],
) -> Result<i64, WriteError> {
    let failed = |error: KafkaError| classify(&error);
    producer.begin_transaction().map_err(failed)?;
    let mut deliveries = Vec::with_capacity(records.len());
    for record in records {
        let (key, value) = record.encode().map_err(|error| WriteError::Failed(error.to_string()))?;
        let mut message = FutureRecord::<[u8], [u8]>::to(&options.topic).partition(0).key(&key);
        if let Some(value) = &value {
            message = message.payload(value);
        }
        deliveries.push(producer.send_result(message).map_err(|(error, _)| classify(&error))?);
    }
    let mut offset = -1;
    for delivery in deliveries {
        match futures::executor::block_on(delivery) {
            Ok(Ok(delivery)) => offset = delivery.offset,
            Ok(Err((error, _))) => return Err(classify(&error)),
            Err(_) => return Err(WriteError::Failed("the producer was closed".into())),
        }
    }
    loop {
        match producer.commit_transaction(options.timeout) {
            Ok(()) => return Ok(offset),
            // As librdkafka's documentation says: the same call again resumes it.
            Err(KafkaError::Transaction(error)) if error.is_retriable() && !timed_out(error.code()) => {}
            Err(error) => return Err(classify(&error)),
        }
    }
}

fn timed_out(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{MessageTimedOut, OperationTimedOut, RequestTimedOut};
    matches!(code, MessageTimedOut | OperationTimedOut | RequestTimedOut)
}

fn fenced(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{Fenced, InvalidProducerEpoch, ProducerFenced};
    matches!(code, Fenced | ProducerFenced | InvalidProducerEpoch)
}

fn classify(error: &KafkaError) -> WriteError {
    let code = match error {
        KafkaError::Transaction(error) => Some(error.code()),
        other => other.rdkafka_error_code(),
    };
    match code {
        Some(code) if fenced(code) => WriteError::Fenced,
        Some(code) if timed_out(code) => WriteError::Timeout,
        _ => WriteError::Failed(error.to_string()),
    }
}
