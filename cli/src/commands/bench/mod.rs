//! `deskstream bench`: what this machine does, as a table and as JSON.
//!
//! * `stages`: each step of `enrich` alone, on one core.
//! * `throughput`: from a preloaded `events` topic to committed `enriched` and to ClickHouse.
//! * `soak`: minutes of traffic as fast as it is taken: what is sustained, and whether memory stays flat.
//! * `webhooks`: signed requests that are acknowledged durably.
//! * `latency`: from webhook to `enriched` and to write-back at a fixed rate.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

mod latency;
mod soak;
mod stages;
mod throughput;
mod usage;
mod watch;
mod webhooks;

use crate::commands::demo::setup::{self, Setup};
use crate::options::{self, ConfigOptions};
use deskstream_embedded::{Platform, PlatformOptions, Progress};
use deskstream_runtime::Process;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

/// Measure stages, throughput and latency on this machine.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to measure.
    #[arg(value_enum, default_values_t = [What::Stages, What::Throughput, What::Soak, What::Webhooks, What::Latency])]
    what: Vec<What>,

    /// Events of the throughput measurement.
    #[arg(long, default_value_t = 300_000, value_name = "N")]
    events: usize,

    /// Workers of the pipeline.
    #[arg(long, short, default_value_t = 2, value_name = "N")]
    workers: u16,

    /// Webhooks per second of the latency measurement.
    #[arg(long, default_value_t = 200.0, value_name = "N")]
    rate: f64,

    /// Seconds that webhooks and latency are measured for.
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    seconds: u64,

    /// Seconds of the soak.
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    soak_seconds: u64,

    /// Print JSON only.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    Stages,
    Throughput,
    Soak,
    Webhooks,
    Latency,
}

/// Where a measurement takes place.
struct Place {
    setup: Setup,
    /// Processes of the platform, by name.
    platform: Vec<(String, u32)>,
    workers: u16,
}

impl Place {
    /// Counts what these processes, the platform's and this one use from now on.
    fn meter(&self, processes: Vec<(String, u32)>) -> usage::Meter {
        let generator = ("bench".to_owned(), std::process::id());
        usage::Meter::start(processes.into_iter().chain(self.platform.iter().cloned()).chain([generator]))
    }
}

/// Measures what was asked for, each on a platform of its own.
pub async fn run(args: Args) -> anyhow::Result<()> {
    if cfg!(debug_assertions) {
        tracing::warn!("a debug build is measured: use `make bench`");
    }
    let mut results = Map::new();
    for what in &args.what {
        let folder = setup::folder(None)?;
        let mut options = PlatformOptions::new(folder.path().join("platform"));
        options.progress = Progress::silent();
        options.ephemeral = true;
        let platform = Platform::start(options).await?;
        let setup = Setup::write(folder.path(), &platform)?;
        let place = Place { setup, platform: platform.processes(), workers: args.workers };
        let (name, result) = match what {
            What::Stages => ("stages", stages::measure(&place.setup).await),
            What::Throughput => ("throughput", throughput::measure(&place, args.events).await),
            What::Soak => ("soak", soak::measure(&place, args.soak_seconds).await),
            What::Webhooks => ("webhooks", webhooks::measure(&place, args.seconds).await),
            What::Latency => ("latency", latency::measure(&place, args.rate, args.seconds).await),
        };
        platform.shutdown().await;
        let result = result?;
        if !args.json {
            table(name, &result);
        }
        results.insert(name.to_owned(), result);
    }
    println!("{}", serde_json::to_string_pretty(&Value::Object(results))?);
    Ok(())
}

/// This process as a client of the platform, by the configuration that the setup wrote.
async fn client(setup: &Setup) -> anyhow::Result<Process> {
    let config = ConfigOptions { config: Some(setup.config_path()), ..ConfigOptions::default() }.load()?;
    options::start(config, CancellationToken::new()).await
}

fn table(name: &str, result: &Value) {
    println!("\n{name}");
    let mut rows = Vec::new();
    flatten("", result, &mut rows);
    let width = rows.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    for (key, value) in rows {
        println!("  {key:<width$}  {value}");
    }
}

fn flatten(prefix: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&key, value, rows);
            }
        }
        other => rows.push((prefix.to_owned(), other.to_string())),
    }
}

/// A rate, rounded to what the measurement can tell.
#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn per_second(count: usize, elapsed: std::time::Duration) -> f64 {
    (count as f64 / elapsed.as_secs_f64()).round()
}
