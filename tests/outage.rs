//! ClickHouse is away for longer than the sink's buffer lasts: what is held stays within its limit, `/readyz` says what
//! is wrong, the pipeline goes on, and afterwards nothing is lost and nothing is there twice.
//!
//! `DESKSTREAM_OUTAGE_SECONDS=600 cargo test -p deskstream --test side_by_side outage -- --nocapture` makes it ten minutes, and
//! prints what was measured.
#![allow(clippy::print_stdout, reason = "the figures of a long outage are to be read")]

use crate::bed::{Bed, PATIENCE, Traffic};
use deskstream_embedded::{ClickHouse, ClickHouseOptions, ports};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Per table: three batches (see `clickhouse::SinkOptions`).
const BATCH_KIB: usize = 256;
const LIMIT: usize = 3 * BATCH_KIB * 1024;

/// What one record of this test takes in memory, at most: the one that fills the buffer may reach beyond it.
const ONE_RECORD: usize = 8 * 1024;

/// What may be needed on top of the buffers: clients' queues, allocator, the runtime.
const RSS_GROWTH_KIB: usize = 256 * 1024;

fn outage() -> Duration {
    let seconds = std::env::var("DESKSTREAM_OUTAGE_SECONDS").ok().map(|s| s.parse().unwrap());
    Duration::from_secs(seconds.unwrap_or(8))
}

/// The most that was seen while watching.
#[derive(Debug, Default, Clone)]
struct Seen {
    samples: usize,
    buffered: usize,
    paused: usize,
    rss_kib: usize,
}

/// Watches the metrics and the memory of a process.
struct Watch {
    stop: CancellationToken,
    task: JoinHandle<Seen>,
}

impl Watch {
    fn start(admin: &str, pid: u32) -> Self {
        let stop = CancellationToken::new();
        let (stopped, url) = (stop.clone(), format!("http://{admin}/metrics"));
        let task = tokio::spawn(async move {
            let client = reqwest::Client::new();
            let mut seen = Seen::default();
            while !stopped.is_cancelled() {
                let text = client.get(&url).send().await.unwrap().text().await.unwrap();
                let values = |name: &str| -> Vec<usize> {
                    let lines = text.lines().filter(|l| l.starts_with(name));
                    lines.map(|l| l.rsplit(' ').next().unwrap().parse().unwrap()).collect()
                };
                seen.samples += 1;
                let buffered = values("deskstream_sink_buffered_bytes{");
                assert!(!buffered.is_empty(), "{text}");
                seen.buffered = buffered.into_iter().fold(seen.buffered, usize::max);
                seen.paused =
                    values("deskstream_sink_paused_partitions{").into_iter().fold(seen.paused, usize::max);
                seen.rss_kib = seen.rss_kib.max(rss_kib(pid));
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            seen
        });
        Self { stop, task }
    }

    async fn stop(self) -> Seen {
        self.stop.cancel();
        self.task.await.unwrap()
    }
}

fn rss_kib(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Waits until `/readyz` has this status and says this.
async fn wait_for_readiness(admin: &str, status: u16, word: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = match reqwest::get(format!("http://{admin}/readyz")).await {
            Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap()),
            Err(error) => (0, error.to_string()),
        };
        if answer.0 == status && answer.1.contains(word) {
            return;
        }
        assert!(Instant::now() < deadline, "{answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_beyond_the_buffer_loses_nothing_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut engine = ClickHouse::start(ClickHouseOptions::new(folder.path().join("engine"))).await.unwrap();
    let settings = format!("batch_bytes = \"{BATCH_KIB} KiB\"");
    let mut bed =
        Bed::start_with(&settings, |given| given.clickhouse = Some(engine.endpoint().clone())).await;
    bed.filler =
        "The window stays blank whatever I do and nobody has told us when it will be repaired. ".repeat(12);
    let bed = Arc::new(bed);
    let admin = format!("127.0.0.1:{}", ports::free(1, "the test").unwrap()[0]);
    let mut connect = bed.service("connect", &["connect", "--admin", &admin]);
    let mut pipeline = bed.service("run", &["run"]);
    let traffic = Traffic::start(&bed, 0);
    wait_for_readiness(&admin, 200, "").await;
    bed.wait_longer_for_answer("SELECT toUInt64(count() > 200) FROM ticket_events", 1, PATIENCE).await;

    let before = rss_kib(connect.pid());
    let watch = Watch::start(&admin, connect.pid());
    engine.kill();
    let (began, sent_before) = (Instant::now(), traffic.sent());
    wait_for_readiness(&admin, 503, "ClickHouse does not take inserts into ticket_events").await;
    tokio::time::sleep(outage().saturating_sub(began.elapsed())).await;
    let during = traffic.sent() - sent_before;
    let enriched = bed.enriched_ids().len();
    assert!(
        enriched > sent_before + during / 2,
        "the pipeline stood still: {enriched} of {} enriched; it has ended: {:?}\n{}",
        sent_before + during,
        pipeline.exited(),
        bed.log("run")
    );
    engine.restart().await.unwrap();
    let away = began.elapsed();
    wait_for_readiness(&admin, 200, "").await;
    let ready = began.elapsed() - away;
    let sent = traffic.stop().await;
    let rows = u64::try_from(sent).unwrap();
    bed.wait_longer_for_answer("SELECT count() FROM ticket_events", rows, PATIENCE + outage()).await;
    let caught_up = began.elapsed() - away;
    let seen = watch.stop().await;
    println!(
        "ClickHouse was away for {:.1} s; {during} events came meanwhile, {sent} in all; ready {:.1} s after its return, caught up after {:.1} s",
        away.as_secs_f64(),
        ready.as_secs_f64(),
        caught_up.as_secs_f64()
    );
    println!(
        "held at most {} of {LIMIT} bytes a table, {} partitions of a table paused, in {} samples; RSS {before} KiB before, {} KiB at most",
        seen.buffered, seen.paused, seen.samples, seen.rss_kib
    );

    assert!(seen.samples > 50 && seen.paused > 0, "{seen:?}");
    assert!(seen.buffered >= LIMIT, "{during} events fit into the buffer: {seen:?}");
    assert!(seen.buffered < LIMIT + ONE_RECORD, "{seen:?}");
    assert!(seen.rss_kib < before + RSS_GROWTH_KIB, "{before} KiB before: {seen:?}");
    bed.assert_each_exactly_once(sent).await;
    pipeline.stop();
    connect.stop();
    Arc::into_inner(bed).unwrap().shutdown().await;
    engine.stop().await;
}
