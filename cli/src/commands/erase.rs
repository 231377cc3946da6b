//! `deskstream erase`: a requester, or a tenant, is forgotten.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

use crate::options::{self, ConfigOptions};
use deskstream_connectors::erasure::{self, Erasure};
use deskstream_connectors::kafka::{Producer, ProducerOptions, Sink};
use deskstream_runtime::config::LogFormat;
use tokio_util::sync::CancellationToken;

/// Erase a requester, or a whole tenant: destroy keys, delete rows, leave an audit record.
///
/// What is sealed opens nowhere any more; tickets and rows are deleted. It ends when ClickHouse has no file with the
/// rows any more, which takes eight to thirteen minutes by default. Can be run again at any time, and has to be if it was
/// broken off.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigOptions,

    /// The tenant.
    #[arg(long, value_name = "TENANT")]
    tenant: String,

    /// The requester: the helpdesk's id, or where it gave none their e-mail address or name. May be given several
    /// times.
    #[arg(long, value_name = "REQUESTER", required_unless_present = "whole_tenant")]
    requester: Vec<String>,

    /// Erase everything of the tenant.
    #[arg(long, conflicts_with = "requester")]
    whole_tenant: bool,

    /// Only count.
    #[arg(long)]
    dry_run: bool,

    /// There is no ClickHouse: erase from Kafka alone.
    #[arg(long)]
    no_clickhouse: bool,

    /// Print what was done as JSON.
    #[arg(long)]
    json: bool,
}

/// Erases and tells what was erased.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let mut config = args.config.load()?;
    config.log.format = LogFormat::Text;
    config.log.filter = "off".to_owned();
    anyhow::ensure!(args.requester.iter().all(|r| !r.trim().is_empty()), "--requester is empty");
    let shutdown = CancellationToken::new();
    let process = options::start(config, shutdown.clone()).await?;
    let audit = Sink::new(&process, Producer::new(&process, ProducerOptions::records())?);
    let erasure = Erasure {
        tenant: args.tenant,
        requesters: args.requester,
        dry_run: args.dry_run,
        clickhouse: !args.no_clickhouse,
    };
    let erased = erasure::erase(&process, &audit, &erasure).await?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&erased)?);
    } else {
        println!("{erased}");
    }
    shutdown.cancel();
    Ok(())
}
