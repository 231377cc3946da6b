//! Minutes of traffic as fast as the pipeline takes it: what is sustained, and whether memory stays flat.

use super::throughput::{Loader, rows};
use super::{Place, per_second};
use crate::commands::demo::children::{Metrics, service};
use crate::commands::demo::summary::doubled_offsets;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// So many events may lie before the pipeline: it never runs dry, and never falls far behind.
const AHEAD: usize = 40_000;
const CHUNK: usize = 10_000;

const SAMPLE: Duration = Duration::from_secs(2);

/// Everything is on its way into ClickHouse within this time.
const DRAIN: Duration = Duration::from_secs(120);

/// Sends for so long, with memory looked at all the while.
pub async fn measure(place: &Place, seconds: u64) -> anyhow::Result<Value> {
    let (setup, length) = (&place.setup, Duration::from_secs(seconds));
    let loader = Loader::new(setup).await?;
    let (_, mut connect) = service(setup, "connect", setup.admin_connect, None).await?;
    let (_, mut run) = service(setup, "run", setup.admin_run, Some(place.workers)).await?;
    let meter = place.meter(vec![("run".to_owned(), run.pid()), ("connect".to_owned(), connect.pid())]);
    let mut memory: BTreeMap<String, Vec<(Duration, u64)>> = BTreeMap::new();
    let (started, mut sampled) = (Instant::now(), Instant::now());
    let (mut sent, mut most_behind) = (0, 0);
    let client = setup.reader_client();
    let mut enriched = 0;
    while started.elapsed() < length {
        if sent - enriched < AHEAD {
            loader.send(sent..sent + CHUNK).await?;
            sent += CHUNK;
        } else {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        enriched = usize::try_from(Metrics::of(setup).await.enriched)?.min(sent);
        if sampled.elapsed() > SAMPLE {
            sampled = Instant::now();
            for (name, mib) in meter.rss_mib() {
                memory.entry(name.to_owned()).or_default().push((started.elapsed(), mib));
            }
            let inserted = usize::try_from(rows(&client).await)?;
            most_behind = most_behind.max(enriched.saturating_sub(inserted));
        }
    }
    let (sustained, deadline) = (started.elapsed(), Instant::now() + DRAIN);
    let used = meter.read(enriched);
    while rows(&client).await < sent as u64 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let inserted = rows(&client).await;
    let doubled = doubled_offsets(&client).await?;
    loader.stop();
    connect.stop();
    run.stop();
    let memory: Map<String, Value> =
        memory.into_iter().map(|(name, samples)| (name, by_part(&samples, sustained))).collect();
    Ok(json!({
        "seconds": seconds,
        "enriched_per_s": per_second(enriched, sustained),
        "most_rows_behind_in_clickhouse": most_behind,
        "sent": sent,
        "in_clickhouse": inserted,
        "doubled_offsets": doubled,
        "mean_rss_mib": memory,
        "processes": used,
    }))
}

/// Mean memory in each fifth of the time.
fn by_part(samples: &[(Duration, u64)], length: Duration) -> Value {
    let parts = (0..5u32).map(|part| {
        let within = |at: Duration| length * part / 5 <= at && at < length * (part + 1) / 5;
        let (mut sum, mut count) = (0, 0);
        for (_, mib) in samples.iter().filter(|(at, _)| within(*at)) {
            sum += mib;
            count += 1;
        }
        sum.checked_div(count)
    });
    json!(parts.collect::<Vec<_>>())
}
