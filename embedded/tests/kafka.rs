//! The embedded Kafka, as clients see it: started, killed, restarted, replicated.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    process::Command,
    time::{Duration, Instant},
};

use deskstream_embedded::{Kafka, KafkaOptions};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    consumer::{BaseConsumer, Consumer},
    producer::{FutureProducer, FutureRecord, Producer},
};
use tokio::sync::OnceCell;

const PATIENCE: Duration = Duration::from_secs(30);

fn temporary(nodes: u16) -> KafkaOptions {
    let directory = tempfile::Builder::new().prefix("deskstream-kafka-").tempdir().unwrap().keep();
    KafkaOptions { nodes, ephemeral: true, ..KafkaOptions::new(directory) }
}

/// One broker for the tests that don't harm it. It ends with the process.
async fn shared() -> &'static Kafka {
    static KAFKA: OnceCell<Kafka> = OnceCell::const_new();
    KAFKA.get_or_init(async || Kafka::start(temporary(1)).await.unwrap()).await
}

fn client(kafka: &Kafka) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.bootstrap());
    config
}

async fn create(kafka: &Kafka, topic: &str, replication: i32) {
    let admin: AdminClient<_> = client(kafka).create().unwrap();
    let new = NewTopic::new(topic, 1, TopicReplication::Fixed(replication));
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE));
    for result in admin.create_topics(&[new], &options).await.unwrap() {
        result.unwrap();
    }
}

async fn send(producer: &FutureProducer, topic: &str, values: std::ops::Range<u32>) {
    for value in values {
        let value = value.to_string();
        let record = FutureRecord::<(), _>::to(topic).payload(&value).partition(0);
        producer.send(record, PATIENCE).await.unwrap();
    }
}

/// Everything that is committed in partition 0.
fn read(kafka: &Kafka, topic: &str, count: usize) -> Vec<u32> {
    let consumer: BaseConsumer = client(kafka)
        .set("group.id", "reader")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut values = Vec::new();
    while Instant::now() < deadline {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                values.push(std::str::from_utf8(message.payload().unwrap()).unwrap().parse().unwrap());
            }
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) if values.len() >= count => return values,
            _ => {}
        }
    }
    panic!("only {} of {count} records came: {values:?}", values.len());
}

#[tokio::test]
async fn acknowledged_records_survive_kill_9_and_clients_reconnect_to_the_same_port() {
    let mut kafka = Kafka::start(temporary(1)).await.unwrap();
    let bootstrap = kafka.bootstrap();
    create(&kafka, "events", 1).await;
    // One producer over the crash: it must find the broker again by itself.
    let producer: FutureProducer = client(&kafka).set("acks", "all").create().unwrap();
    send(&producer, "events", 0..100).await;
    kafka.kill();
    assert!(kafka.pids().is_empty());
    kafka.restart_blocking().unwrap();
    assert_eq!(kafka.bootstrap(), bootstrap);
    send(&producer, "events", 100..110).await;
    assert_eq!(read(&kafka, "events", 110), (0..110).collect::<Vec<_>>());

    kafka.stop_blocking();
    kafka.restart_blocking().unwrap();
    assert_eq!(read(&kafka, "events", 110).len(), 110);
}

#[tokio::test]
async fn transactions_are_real_and_large_records_pass() {
    let kafka = shared().await;
    create(kafka, "out", 1).await;
    let new = || -> FutureProducer {
        let producer: FutureProducer = client(kafka)
            .set("transactional.id", "me")
            .set("message.max.bytes", (8 << 20).to_string())
            .create()
            .unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        producer
    };
    let first = new();
    first.begin_transaction().unwrap();
    send(&first, "out", 0..3).await;
    first.commit_transaction(PATIENCE).unwrap();
    first.begin_transaction().unwrap();
    send(&first, "out", 100..103).await;
    first.abort_transaction(PATIENCE).unwrap();
    first.begin_transaction().unwrap();

    let second = new();
    second.begin_transaction().unwrap();
    let large = "1".repeat(7 << 20);
    let record = FutureRecord::<(), _>::to("out").payload(&large).partition(0);
    second.send(record, PATIENCE).await.unwrap();
    second.abort_transaction(PATIENCE).unwrap();
    second.begin_transaction().unwrap();
    send(&second, "out", 3..5).await;
    second.commit_transaction(PATIENCE).unwrap();

    // The first one was fenced by the second.
    let record = FutureRecord::<(), _>::to("out").payload("666").partition(0);
    let sent = first.send(record, PATIENCE).await;
    assert!(sent.is_err() || first.commit_transaction(PATIENCE).is_err());
    assert_eq!(read(kafka, "out", 5), [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn an_unknown_topic_is_not_created_by_a_producer() {
    let producer: FutureProducer = client(shared().await).set("message.timeout.ms", "3000").create().unwrap();
    let record = FutureRecord::<(), _>::to("typo").payload("x");
    assert!(producer.send(record, PATIENCE).await.is_err());
}

#[tokio::test]
async fn three_nodes_go_on_when_one_is_killed() {
    let mut kafka = Kafka::start(temporary(3)).await.unwrap();
    create(&kafka, "events", 3).await;
    let producer: FutureProducer =
        client(&kafka).set("acks", "all").set("enable.idempotence", "true").create().unwrap();
    send(&producer, "events", 0..20).await;
    kafka.kill_node(2);
    send(&producer, "events", 20..40).await;
    kafka.restart_blocking().unwrap();
    kafka.pause_node(1);
    kafka.resume_node(1);
    send(&producer, "events", 40..60).await;
    assert_eq!(read(&kafka, "events", 60), (0..60).collect::<Vec<_>>());
    let directory = kafka.log_file(1).ancestors().nth(3).unwrap().to_owned();
    assert!(directory.join("cluster.json").exists());
    kafka.stop().await;
    assert!(!directory.exists(), "an ephemeral cluster removes its data");
}

#[tokio::test]
async fn a_broker_that_cannot_start_says_why() {
    let mut options = temporary(1);
    options.properties.push(("log.segment.bytes".into(), "not a number".into()));
    let error = Kafka::start(options).await.unwrap_err().to_string();
    assert!(error.contains("Kafka") || error.contains("formatting"), "{error}");
    assert!(error.contains("log.segment.bytes"), "{error}");
}

#[tokio::test]
async fn the_same_directory_is_not_used_twice() {
    let directory = shared().await.log_file(1).ancestors().nth(3).unwrap().to_owned();
    let second = KafkaOptions { start_timeout: Duration::from_millis(500), ..KafkaOptions::new(directory) };
    let error = Kafka::start(second).await.unwrap_err().to_string();
    assert!(error.contains("another process holds"), "{error}");
}

/// A child that does not outlive a failed test.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The test binary plays a process that starts Kafka and is then killed with -9.
#[tokio::test]
async fn kill_9_of_the_process_takes_the_broker_along() {
    const ROLE: &str = "DESKSTREAM_TEST_KAFKA_DIR";
    if let Ok(directory) = std::env::var(ROLE) {
        let kafka = Kafka::start(KafkaOptions::new(&directory)).await.unwrap();
        std::fs::write(format!("{directory}/pid"), kafka.pids()[0].to_string()).unwrap();
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill_9_of_the_process_takes_the_broker_along"])
        .env(ROLE, directory.path())
        .spawn()
        .unwrap();
    let child = Ended(child);
    let pid_file = directory.path().join("pid");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !pid_file.exists() {
        assert!(Instant::now() < deadline, "the child never started Kafka");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(child);
    // A successor at once: it waits for the predecessor's end, then has its data.
    let kafka = Kafka::start(KafkaOptions::new(directory.path())).await.unwrap();
    let old = std::fs::read_to_string(&pid_file).unwrap();
    assert_ne!(kafka.pids()[0].to_string(), old);
    let gone = std::fs::read_to_string(format!("/proc/{old}/cmdline"))
        .map_or(true, |line| !line.contains("kafka.Kafka"));
    assert!(gone, "broker {old} outlived its parent");
}
