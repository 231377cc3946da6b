//! What the embedded broker does on this machine: time to start, produce and consume rates, its CPU and memory.
//!
//! ```text
//! cargo run --release -p deskstream-embedded --example broker_load -- [RECORDS] [JVM FLAGS…]
//! ```
//!
//! Records are 1 KiB of text that compresses about threefold, sent with `acks=all`, idempotent, lz4. Reading is
//! with `read_committed`. The broker's CPU time is the number to compare between flags: unlike the rates, it does
//! not depend on what else the machine does.
#![allow(clippy::print_stdout, reason = "the numbers are the result")]

use std::{
    error::Error,
    fs,
    time::{Duration, Instant},
};

use deskstream_embedded::{Kafka, KafkaOptions, Progress};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    producer::{
        BaseRecord, DefaultProducerContext, FutureProducer, FutureRecord, Producer, ThreadedProducer,
    },
    types::RDKafkaErrorCode,
};

const PARTITIONS: i32 = 8;
const TOPIC: &str = "load";

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let records: u64 = args.next().map_or(Ok(500_000), |text| text.parse())?;
    let directory = tempfile::Builder::new().prefix("deskstream-load-").tempdir()?.keep();
    let options = KafkaOptions {
        jvm: args.collect(),
        ephemeral: true,
        progress: Progress::auto(),
        ..KafkaOptions::new(directory)
    };

    let began = Instant::now();
    let mut kafka = Kafka::start_blocking(options)?;
    println!("first start         {:>8.2} s  {}", began.elapsed().as_secs_f64(), usage(&kafka));
    kafka.stop_blocking();
    let began = Instant::now();
    kafka.restart_blocking()?;
    println!("restart             {:>8.2} s  {}", began.elapsed().as_secs_f64(), usage(&kafka));

    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.bootstrap());
    let admin: AdminClient<_> = config.create()?;
    let topic = NewTopic::new(TOPIC, PARTITIONS, TopicReplication::Fixed(1));
    futures::executor::block_on(admin.create_topics(&[topic], &AdminOptions::new()))?;

    for round in 1..=2 {
        let before = cpu(&kafka);
        let took = produce(&config, records)?;
        println!(
            "produce  {round}  {:>10.0} records/s  {:>6.1} MB/s  broker CPU {:.2} s per million  {}",
            rate(records, took),
            rate(records, took) / 1000.0,
            (cpu(&kafka) - before) * 1e6 / records as f64,
            usage(&kafka)
        );
    }
    for round in 1..=2 {
        let before = cpu(&kafka);
        let took = consume(&config, 2 * records)?;
        println!(
            "consume  {round}  {:>10.0} records/s  {:>6.1} MB/s  broker CPU {:.2} s per million  {}",
            rate(2 * records, took),
            rate(2 * records, took) / 1000.0,
            (cpu(&kafka) - before) * 1e6 / (2 * records) as f64,
            usage(&kafka)
        );
    }
    let (commits, took) = transactions(&config)?;
    println!(
        "transactions        {:>8.2} ms each ({commits} of one record)",
        took.as_secs_f64() * 1e3 / commits as f64
    );
    Ok(())
}

fn rate(records: u64, took: Duration) -> f64 {
    records as f64 / took.as_secs_f64()
}

/// 1 KiB that is different for every record.
fn payload(number: u64) -> Vec<u8> {
    let words =
        ["order", "refund", "cannot", "login", "invoice", "since", "yesterday", "please", "urgent", "thanks"];
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut text = Vec::with_capacity(1040);
    while text.len() < 1024 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.extend_from_slice(words[(state % 10) as usize].as_bytes());
        text.extend_from_slice(format!(" {:x} ", state & 0xFFFF).as_bytes());
    }
    text.truncate(1024);
    text
}

fn produce(config: &ClientConfig, records: u64) -> Result<Duration, Box<dyn Error>> {
    let producer: ThreadedProducer<DefaultProducerContext> = config
        .clone()
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("compression.type", "lz4")
        .set("linger.ms", "5")
        .set("batch.size", "262144")
        .create()?;
    // Made before: the generator is not what is measured.
    let payloads: Vec<Vec<u8>> = (0..10_000).map(payload).collect();
    let began = Instant::now();
    for number in 0..records {
        let key = number.to_be_bytes();
        let mut record = BaseRecord::to(TOPIC).key(&key).payload(&payloads[(number % 10_000) as usize]);
        while let Err((error, back)) = producer.send(record) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(error.into());
            }
            std::thread::sleep(Duration::from_millis(1));
            record = back;
        }
    }
    producer.flush(Duration::from_secs(120))?;
    Ok(began.elapsed())
}

fn consume(config: &ClientConfig, records: u64) -> Result<Duration, Box<dyn Error>> {
    let consumer: BaseConsumer = config
        .clone()
        .set("group.id", "load")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("queued.max.messages.kbytes", "65536")
        .create()?;
    let mut partitions = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        partitions.add_partition_offset(TOPIC, partition, Offset::Beginning)?;
    }
    let began = Instant::now();
    consumer.assign(&partitions)?;
    let mut seen = 0;
    while seen < records {
        if let Some(message) = consumer.poll(Duration::from_secs(5)) {
            drop(message?);
            seen += 1;
        } else if began.elapsed() > Duration::from_secs(300) {
            return Err(format!("only {seen} of {records} records came").into());
        }
    }
    Ok(began.elapsed())
}

fn transactions(config: &ClientConfig) -> Result<(u32, Duration), KafkaError> {
    let producer: FutureProducer =
        config.clone().set("transactional.id", "load").set("linger.ms", "0").create()?;
    let patience = Duration::from_secs(30);
    producer.init_transactions(patience)?;
    let mut began = Instant::now();
    // The first creates the transaction topic.
    for number in 0..=200 {
        producer.begin_transaction()?;
        let record = FutureRecord::<(), _>::to(TOPIC).payload("x");
        let delivery = producer.send_result(record).map_err(|(error, _)| error)?;
        // Waited for here: a commit with deliveries outstanding flushes, in steps of 100 ms (rdkafka 0.39).
        if let Ok(Err((error, _))) = futures::executor::block_on(delivery) {
            return Err(error);
        }
        producer.commit_transaction(patience)?;
        if number == 0 {
            began = Instant::now();
        }
    }
    Ok((200, began.elapsed()))
}

/// Seconds of CPU that the broker has used (fields 14 and 15 of `/proc/PID/stat`, in ticks of 10 ms).
fn cpu(kafka: &Kafka) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", kafka.pids()[0])).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks =
        |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) / 100.0
}

fn usage(kafka: &Kafka) -> String {
    let status = fs::read_to_string(format!("/proc/{}/status", kafka.pids()[0])).unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().split(' ').next()?.parse::<u64>().ok())
        .unwrap_or_default();
    format!("[broker: {:.2} s CPU, {} MiB]", cpu(kafka), kib / 1024)
}
