//! `deskstream connect`: the connectors.

use crate::options::ServeOptions;
use deskstream_connectors::clickhouse::{self, SinkOptions};
use deskstream_connectors::kafka::Sinks;
use deskstream_connectors::{delivery, freshdesk, webhook, zendesk};
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// What was handed to Kafka may take so long to be acknowledged at the end.
const FLUSH: Duration = Duration::from_secs(10);

/// Run the connectors: webhooks, polls, write-backs, alert delivery, ClickHouse sink.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    serve: ServeOptions,

    /// Leave ClickHouse out: enriched tickets, windows and audit stay in Kafka only.
    #[arg(long)]
    no_clickhouse: bool,
}

/// Runs until shutdown; what is in flight then is finished.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let Some(process) = args.serve.start().await? else { return Ok(()) };
    let sinks = Sinks::start(&process, "connect").await?;
    let tasks = TaskTracker::new();
    if !args.no_clickhouse {
        clickhouse::migrate(&process.config.clickhouse).await?;
        let options = SinkOptions::new(&process.config);
        let (sink_process, dead_letters) = (process.clone(), sinks.dead_letters.clone());
        tasks.spawn(async move {
            if let Err(error) = clickhouse::run_all(&sink_process, &options, Some(dead_letters)).await {
                tracing::error!(%error, "the ClickHouse sink gives up");
                sink_process.shutdown.cancel();
            }
        });
    }
    let mut receivers = webhook::Receivers::default();
    freshdesk::receivers(&process, &mut receivers)?;
    zendesk::receivers(&process, &mut receivers)?;
    let webhooks = webhook::serve(&process, sinks.clone(), receivers).await?;
    freshdesk::spawn(&process, &sinks, &tasks)?;
    zendesk::spawn(&process, &sinks, &tasks)?;
    let deliveries = delivery::spawn(&process).await?;
    tasks.close();
    process.shutdown.cancelled().await;
    // First no more comes in, then what came in is finished, then it is on disk.
    webhooks.ended.await?;
    tasks.wait().await;
    deliveries.join_all().await;
    sinks.flush(FLUSH).await;
    Ok(())
}
