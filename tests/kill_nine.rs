//! The pipeline's process is killed ten times with SIGKILL under load: nothing is lost, nothing is there twice.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/bed.rs"]
mod bed;

use bed::Bed;

const KILLS: usize = 10;
const EVENTS_PER_LIFE: usize = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_kills_under_load_lose_nothing_and_double_nothing() {
    let bed = Bed::start("").await;
    let mut connect = bed.service("connect", &["connect"]);
    let mut sent = 0;
    for life in 0..KILLS {
        let before = bed.enriched_ids().len();
        let mut pipeline = bed.service("run", &["run"]);
        bed.send(sent..sent + EVENTS_PER_LIFE).await;
        sent += EVENTS_PER_LIFE;
        // Killed at another depth each time: as soon as it works, or some way into its backlog.
        bed.wait_for_enriched(before + 1 + life * EVENTS_PER_LIFE / 20, &["run"]);
        pipeline.kill();
    }
    let mut pipeline = bed.service("run", &["run"]);
    bed.assert_each_exactly_once(sent).await;
    pipeline.stop();
    connect.stop();
    bed.shutdown().await;
}
