//! From webhook to `enriched` and to write-back at a fixed rate, against sample helpdesks of accounts whose rate
//! limits are out of the way: they are learned from the answers, as with any account.

use super::Place;
use super::watch::Watch;
use crate::commands::demo::children::{Children, Traffic};
use crate::commands::demo::summary::Summary;
use deskstream_embedded::Progress;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Far more than any rate that is measured: requests and ticket updates per minute.
const LIMITS: [&str; 2] = ["--account-limit=100000", "--update-limit=100000"];

const DRAIN: Duration = Duration::from_secs(60);

/// Runs the traffic, waits for what is on its way, asks ClickHouse.
pub async fn measure(place: &Place, rate: f64, seconds: u64) -> anyhow::Result<Value> {
    let setup = &place.setup;
    let flags = [LIMITS[0], LIMITS[1], "--follow-ups=0", "--concurrency=64"];
    let mut children = Children::start(setup, &Progress::silent(), place.workers, &flags).await?;
    let traffic = Traffic::new(children.samples());
    let watch = Watch::start(setup).await?;
    let meter = place.meter(children.pids());
    traffic.rate(rate).await?;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    traffic.rate(0.0).await?;
    let deadline = Instant::now() + DRAIN;
    let summary = loop {
        let summary = Summary::take(setup, &traffic, 0).await?;
        if summary.settled() || Instant::now() > deadline {
            break summary;
        }
        children.revive()?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let (seen, to_enriched) = watch.stop()?;
    let used = meter.read(usize::try_from(summary.enriched)?);
    tokio::task::spawn_blocking(move || children.stop()).await?;
    Ok(json!({
        "webhooks_per_s": rate,
        "seconds": seconds,
        "webhooks": summary.webhooks_acknowledged,
        "enriched": summary.enriched,
        "seen_in_enriched": seen,
        "written_back": summary.write_backs_applied,
        "not_written_back": summary.write_backs_pending,
        "to_enriched": to_enriched,
        "to_write_back": summary.to_write_back,
        "processes": used,
    }))
}
