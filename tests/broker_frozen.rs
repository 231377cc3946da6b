//! The broker answers nothing for longer than a transaction may last; when it goes on, so does the pipeline, and each
//! event is there once.

use crate::bed::{Bed, Traffic};
use deskstream_embedded::{Kafka, KafkaOptions};
use std::sync::Arc;
use std::time::Duration;

/// Freezes the broker as often and as long as `frozen` says (seconds, and milliseconds of life after them), under load.
async fn freeze(frozen: impl IntoIterator<Item = (u64, u64)>) {
    let folder = tempfile::tempdir().unwrap();
    let mut kafka = Kafka::start(KafkaOptions::new(folder.path().join("kafka"))).await.unwrap();
    let bed = Arc::new(Bed::start_with("", |given| given.kafka = Some(kafka.bootstrap())).await);
    let mut connect = bed.service("connect", &["connect"]);
    let mut pipeline = bed.service("run", &["run"]);
    let traffic = Traffic::start(&bed, 0);
    bed.wait_for_enriched(200, &["run"]);
    for (seconds, alive_ms) in frozen {
        kafka.pause_node(1);
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        kafka.resume_node(1);
        tokio::time::sleep(Duration::from_millis(alive_ms)).await;
    }
    bed.wait_for_enriched(traffic.sent() + 1, &["run"]);
    let sent = traffic.stop().await;
    bed.assert_each_exactly_once(sent).await;
    pipeline.stop();
    connect.stop();
    Arc::into_inner(bed).unwrap().shutdown().await;
    kafka.stop().await;
}

/// A transaction's messages are given up after 60 s.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pipeline_goes_on_when_the_broker_does() {
    freeze([(80, 0)]).await;
}

/// As a starved or swapping machine does: mostly away, for minutes, with a breath now and then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes four minutes"]
async fn a_broker_that_is_mostly_away_stops_nothing_for_good() {
    freeze((0..10).map(|n| (8 + 3 * n, 200 + 150 * n))).await;
}
