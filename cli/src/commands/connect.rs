//! `deskstream connect`: the connectors.

use crate::options::ServeOptions;
use deskstream_connectors::clickhouse::{self, SinkOptions};
use deskstream_connectors::kafka::Sinks;
use deskstream_connectors::spool::Spool;
use deskstream_connectors::{audit, delivery, helpdesk, llm, webhook};
use deskstream_runtime::Process;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

/// What was handed to Kafka may take so long to be acknowledged at the end.
const FLUSH: Duration = Duration::from_secs(10);

/// Run the connectors: webhooks, polls, write-backs, alert delivery, second opinions, ClickHouse sink.
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
    let Started { webhooks, deliveries, opinions } =
        match start(&process, &sinks, &tasks, !args.no_clickhouse).await {
            Ok(started) => started,
            Err(error) => {
                // What did start ends in order, instead of being cut off where it stands.
                process.shutdown.cancel();
                tasks.close();
                tasks.wait().await;
                return Err(error);
            }
        };
    tasks.close();
    process.shutdown.cancelled().await;
    // First no more comes in, then what came in is finished, then it is on disk.
    webhooks.ended.await?;
    tasks.wait().await;
    deliveries.join_all().await;
    opinions.join_all().await;
    sinks.flush(FLUSH).await;
    Ok(())
}

/// What has to be waited for at the end, besides the tasks.
struct Started {
    webhooks: webhook::Webhooks,
    deliveries: JoinSet<()>,
    opinions: JoinSet<()>,
}

/// Starts every part.
async fn start(
    process: &Process,
    sinks: &Sinks,
    tasks: &TaskTracker,
    to_clickhouse: bool,
) -> anyhow::Result<Started> {
    audit::spawn(process, sinks.dead_letters.clone(), tasks).await?;
    if to_clickhouse {
        clickhouse::migrate(&process.config.clickhouse).await?;
        let options = SinkOptions::new(&process.config);
        let (sink_process, dead_letters) = (process.clone(), sinks.dead_letters.clone());
        tasks.spawn(async move {
            if let Err(error) = clickhouse::run_all(&sink_process, &options, Some(dead_letters)).await {
                tracing::error!(%error, "the ClickHouse sink gives up");
                sink_process.shutdown.cancel();
            }
        });
        audit::archive::spawn(process, tasks);
    }
    let spool = Spool::start(process, sinks, tasks).await?;
    let served = helpdesk::connections::Served::start(process, sinks, tasks)?;
    let webhooks = webhook::serve(process, sinks.clone(), spool, served.receivers()).await?;
    tasks.spawn(served.follow());
    let deliveries = delivery::spawn(process).await?;
    let opinions = llm::spawn(process).await?;
    Ok(Started { webhooks, deliveries, opinions })
}
