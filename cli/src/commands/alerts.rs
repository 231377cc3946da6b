//! `deskstream alerts`: what fires, and who takes care of it.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

use crate::audit_record;
use crate::options::{self, ConfigOptions};
use deskstream_connectors::delivery;
use tokio_util::sync::CancellationToken;

/// List the alerts that fire, or say who takes care of one. Running connectors tell the services within a second.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Every alert that fires, as channels were told: one JSON object a line.
    List {
        #[command(flatten)]
        config: ConfigOptions,
    },
    /// Say that somebody takes care of an alert: PagerDuty calls nobody else, Slack's bot says it in the thread.
    Acknowledge {
        /// The alert, as `list` names it: rule/tenant/group.
        alert: String,
        /// Who takes care of it; without it, who runs the command.
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        #[command(flatten)]
        config: ConfigOptions,
    },
}

/// Runs the command.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let start =
        async |config: &ConfigOptions| options::start_quietly(config.load()?, CancellationToken::new()).await;
    match args.command {
        Command::List { config } => {
            let process = start(&config).await?;
            for episode in delivery::episodes(&process.control) {
                println!("{}", serde_json::to_string(&episode)?);
            }
            process.shutdown.cancel();
        }
        Command::Acknowledge { alert, by, config } => {
            let process = start(&config).await?;
            let by = by.unwrap_or_else(options::user);
            let episode = delivery::acknowledge(&process.control, &alert, &by).await?;
            println!("{alert} is acknowledged by {by}; told to {}", episode.channels.join(", "));
            let detail = [("dedup_key", episode.dedup_key), ("by", by)];
            let resource = format!("alert/{alert}");
            audit_record::done(&process, &episode.tenant, "acknowledge.alert", resource, detail).await?;
            process.shutdown.cancel();
        }
    }
    Ok(())
}
