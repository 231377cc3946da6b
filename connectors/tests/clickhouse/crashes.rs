//! Crashes, repeated ranges and strange positions: nothing is lost, nothing doubled.

use super::support::{PARTITIONS, World, event, eventually, produce_in_transactions, send};
use deskstream_connectors::clickhouse::{QUERIES, SinkOptions};
use deskstream_embedded::{ClickHouse, ClickHouseOptions, Platform};
use deskstream_runtime::kafka;
use deskstream_schemas::Topic;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crashes_of_sink_and_engine_lose_nothing_and_double_nothing() {
    const EVENTS: i64 = 6_000;
    // An engine of its own, to be killed.
    let directory = tempfile::Builder::new().prefix("deskstream-sink-").tempdir().unwrap().keep();
    let options =
        ClickHouseOptions { ephemeral: true, memory_mib: 1024, ..ClickHouseOptions::new(directory) };
    let mut engine = ClickHouse::start(options).await.unwrap();
    let world = Arc::new(World::new("faults", engine.endpoint()).await);

    let producers: Vec<_> = (0..PARTITIONS)
        .map(|partition| {
            let world = Arc::clone(&world);
            tokio::task::spawn_blocking(move || {
                produce_in_transactions(&world, &format!("faults-{partition}"), partition, 0..EVENTS, 100);
            })
        })
        .collect();
    for round in 0..6_u64 {
        let sinks = world.sinks().await;
        // Long enough to take partitions up and to be in the middle of something; another moment each time.
        let before = world.count("ticket_events").await;
        eventually(|| async {
            let rows = world.count("ticket_events").await;
            if rows > before || rows == EVENTS as u64 * PARTITIONS as u64 {
                Ok(())
            } else {
                Err(format!("stuck at {rows}"))
            }
        })
        .await;
        tokio::time::sleep(Duration::from_millis(7 * round)).await;
        if round % 2 == 1 {
            engine.kill();
            // The sinks notice, and are not ready until it is back.
            if round == 3 {
                eventually(|| async {
                    let reason = sinks.reason("ticket_events");
                    if reason.contains("ClickHouse") { Ok(()) } else { Err(format!("ready, {reason:?}")) }
                })
                .await;
                engine.restart().await.unwrap();
                eventually(|| async {
                    let reason = sinks.reason("ticket_events");
                    if reason.is_empty() { Ok(()) } else { Err(reason) }
                })
                .await;
            }
        }
        sinks.crash().await;
        engine.restart().await.unwrap();
    }
    for producer in producers {
        producer.await.unwrap();
    }
    let sinks = world.sinks().await;
    let expected = EVENTS as u64 * PARTITIONS as u64;
    world.until_rows("ticket_events", expected).await;
    sinks.stop().await;
    assert_eq!(world.count("ticket_events").await, expected, "nothing more comes");
    let odd = world.count("ticket_events WHERE body = 'aborted'").await;
    assert_eq!(odd, 0, "records of aborted transactions");
    world.assert_integrity().await;
    // The view saw every event once: the latest state of each ticket is right.
    let tickets = world.count("v_tickets").await;
    assert_eq!(
        tickets,
        EVENTS as u64 / 4 * 2,
        "two tenants share ticket ids, and partitions the same tickets"
    );
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_that_was_planned_is_inserted_again_as_the_same_block() {
    let world = World::new("planned", Platform::for_tests().clickhouse()).await;
    for n in 0..200 {
        send(&world, Topic::Enriched, 0, "k", &event(0, n)).await;
    }
    let world =
        World { options: SinkOptions { batch_age: Duration::from_secs(1), ..world.options }, ..world };
    let sinks = world.sinks().await;
    world.until_rows("ticket_events", 200).await;
    sinks.stop().await;

    // A crash between insert and commit: the plan is there, the rows are there, the offset is not.
    commit_as_group(&world, 0, 0, "to=199");
    let sinks = world.sinks().await;
    // What comes behind the plan is taken after it.
    send(&world, Topic::Enriched, 0, "k", &event(0, 200)).await;
    world.until_rows("ticket_events", 201).await;
    sinks.stop().await;
    assert_eq!(world.count("ticket_events").await, 201);
    world.assert_integrity().await;
}

/// Commits an offset of a partition of `enriched` with metadata, as the sink's group, while no member is in it.
fn commit_as_group(world: &World, partition: i32, next: i64, metadata: &str) {
    let group = format!("{}.ticket_events", world.options.group);
    let consumer: BaseConsumer = kafka::consumer(&world.process.config.kafka, &group).create().unwrap();
    let mut list = TopicPartitionList::new();
    let topic = world.topic(Topic::Enriched);
    {
        let mut element = list.add_partition(&topic, partition);
        element.set_offset(Offset::Offset(next)).unwrap();
        element.set_metadata(metadata);
    }
    consumer.commit(&list, CommitMode::Sync).unwrap();
}

/// Such as those of a process that was killed beside this one, or from before the buffer was made smaller.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plans_that_do_not_fit_into_the_buffer_are_repeated_one_after_another() {
    let world = World::new("large_plans", Platform::for_tests().clickhouse()).await;
    for partition in 0..PARTITIONS {
        for n in 0..60 {
            send(&world, Topic::Enriched, partition, "k", &event(partition, n)).await;
        }
        commit_as_group(&world, partition, 0, "to=49");
    }
    // Each record takes more than 1 KiB: no plan fits.
    let world = World { options: SinkOptions { buffer_bytes: 16 * 1024, ..world.options }, ..world };
    let sinks = world.sinks().await;
    world.until_rows("ticket_events", 60 * PARTITIONS as u64).await;
    sinks.stop().await;
    world.assert_integrity().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_position_that_does_not_join_on_is_refused_and_others_go_on() {
    let world = World::new("refused", Platform::for_tests().clickhouse()).await;
    for n in 0..10 {
        send(&world, Topic::Enriched, 0, "k", &event(0, n)).await;
    }
    let sinks = world.sinks().await;
    world.until_rows("ticket_events", 10).await;
    sinks.stop().await;

    // Retention overtakes the sink: records 10 to 14 come and go while it is away.
    for n in 10..20 {
        send(&world, Topic::Enriched, 0, "k", &event(0, n)).await;
    }
    let admin: AdminClient<DefaultClientContext> =
        kafka::client(&world.process.config.kafka).create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&world.topic(Topic::Enriched), 0, Offset::Offset(15)).unwrap();
    admin.delete_records(&list, &AdminOptions::new()).await.unwrap();

    let sinks = world.sinks().await;
    send(&world, Topic::Enriched, 1, "k", &event(1, 0)).await;
    world.until_rows("ticket_events WHERE kafka_partition = 1", 1).await;
    eventually(|| async {
        let reason = sinks.reason("ticket_events");
        if reason.contains("offsets 10 to 14 are gone") { Ok(()) } else { Err(reason) }
    })
    .await;
    assert_eq!(world.count("ticket_events WHERE kafka_partition = 0").await, 10, "nothing was skipped");
    sinks.stop().await;

    // An operator accepts the loss, as the message says.
    commit_as_group(&world, 0, 15, "");
    let sinks = world.sinks().await;
    world.until_rows("ticket_events WHERE kafka_partition = 0", 15).await;
    sinks.stop().await;
    // The integrity query tells what is missing.
    let missing = QUERIES.iter().find(|query| query.name == "integrity_missing_source_offsets").unwrap();
    let found = world
        .client
        .query_raw(&format!("SELECT first_missing, last_missing FROM ({})", missing.sql))
        .param("events_topic", world.topic(Topic::Events))
        .fetch_all::<(i64, i64)>()
        .await
        .unwrap();
    assert_eq!(found, [(10, 14)]);
}
