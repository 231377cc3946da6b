//! The broker answers nothing for longer than a transaction may last; when it goes on, so does the pipeline, and each
//! event is there once.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/bed.rs"]
mod bed;

use bed::{Bed, Traffic};
use deskstream_embedded::{Kafka, KafkaOptions};
use std::sync::Arc;
use std::time::Duration;

/// A transaction's messages are given up after 60 s.
const FROZEN: Duration = Duration::from_secs(80);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pipeline_goes_on_when_the_broker_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut kafka = Kafka::start(KafkaOptions::new(folder.path().join("kafka"))).await.unwrap();
    let bed = Arc::new(Bed::start_with("", |given| given.kafka = Some(kafka.bootstrap())).await);
    let mut connect = bed.service("connect", &["connect"]);
    let mut pipeline = bed.service("run", &["run"]);
    let traffic = Traffic::start(&bed, 0);
    bed.wait_for_enriched(200, &["run"]);
    kafka.pause_node(1);
    tokio::time::sleep(FROZEN).await;
    kafka.resume_node(1);
    bed.wait_for_enriched(traffic.sent() + 1, &["run"]);
    let sent = traffic.stop().await;
    bed.assert_each_exactly_once(sent).await;
    pipeline.stop();
    connect.stop();
    Arc::into_inner(bed).unwrap().shutdown().await;
    kafka.stop().await;
}
