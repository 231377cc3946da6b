//! `deskstream run`: the pipeline.

use crate::options::ServeOptions;
use anyhow::Context;
use deskstream_pipeline::{JobOptions, alerts};
use std::path::PathBuf;

/// Run the pipeline: redaction, analysis, windows, alert rules.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    serve: ServeOptions,

    /// Workers (threads) in this process.
    #[arg(long, short, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,

    /// File with the addresses (host:port) of all processes of the job, one a line; none for a single process.
    #[arg(long, value_name = "FILE", requires = "process")]
    hosts: Option<PathBuf>,

    /// Which line of --hosts this process is, counted from 0.
    #[arg(long, short, value_name = "N", requires = "hosts")]
    process: Option<usize>,
}

/// Runs until shutdown; what is in flight then is committed.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let hosts = match &args.hosts {
        None => Vec::new(),
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
            text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect()
        }
    };
    let index = args.process.unwrap_or(0);
    if index >= hosts.len().max(1) {
        anyhow::bail!("--process {index} is no line of --hosts, which has {}: count from 0", hosts.len());
    }
    // What can be told without a broker is told first.
    alerts::configured(&args.serve.config.load()?.alerts)?;
    let Some(process) = args.serve.start().await? else { return Ok(()) };
    let configured = alerts::configured(&process.config.alerts)?;
    for channel in &configured.missing_channels {
        tracing::warn!(%channel, "shipped alert rules name a channel that is not configured: it hears nothing");
    }
    let options =
        JobOptions { workers: usize::from(args.workers), process: index, hosts, rules: configured.rules };
    let job = deskstream_pipeline::start(process, options).await?;
    tokio::task::spawn_blocking(move || job.join()).await??;
    Ok(())
}
