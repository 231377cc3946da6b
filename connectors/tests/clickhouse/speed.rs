//! Not a test: how much of a core a sink takes.

use super::support::{PARTITIONS, World, produce_in_transactions};
use deskstream_connectors::clickhouse::SinkOptions;
use deskstream_embedded::Platform;
use std::sync::Arc;
use std::time::Instant;

/// Not a test: how much of a core the sink of `ticket_events` takes. Run it alone, in a release build:
/// `cargo test --release -p deskstream-connectors --test clickhouse -- --ignored --nocapture rows_a_second`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn rows_a_second() {
    const EVENTS: i64 = 60_000;
    let mut world = World::new("speed", Platform::for_tests().clickhouse()).await;
    world.options = SinkOptions::new(&world.process.config);
    let world = Arc::new(world);
    let producers: Vec<_> = (0..PARTITIONS)
        .map(|partition| {
            let world = Arc::clone(&world);
            tokio::task::spawn_blocking(move || {
                produce_in_transactions(&world, &format!("speed-{partition}"), partition, 0..EVENTS, 5000);
            })
        })
        .collect();
    for producer in producers {
        producer.await.unwrap();
    }
    let (started, cpu) = (Instant::now(), cpu_seconds());
    let sinks = world.sinks().await;
    world.until_rows("ticket_events", EVENTS as u64 * PARTITIONS as u64).await;
    let (elapsed, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    sinks.stop().await;
    let rows = EVENTS as f64 * f64::from(PARTITIONS);
    println!(
        "{rows} rows of about 1 KiB in {elapsed:.2} s: {:.0} rows/s; {:.1} µs of CPU a row: {:.2} cores at 20,000 rows/s",
        rows / elapsed,
        cpu / rows * 1e6,
        cpu / rows * 20_000.0
    );
}

/// CPU time of this process: the sink with its Kafka clients, without Kafka, registry and engine.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // utime and stime, in clock ticks of 10 ms.
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}
