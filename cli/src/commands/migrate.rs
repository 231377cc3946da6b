//! `deskstream migrate`: topics, schemas, tables.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

use crate::options::ConfigOptions;
use deskstream_connectors::clickhouse;
use deskstream_runtime::{kafka, registry_options};
use deskstream_schemas::{Registry, Subject, Topic, Topics};

/// Create topics, register schemas and bring ClickHouse's tables up to date.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigOptions,

    /// Leave ClickHouse out.
    #[arg(long)]
    no_clickhouse: bool,
}

/// Does what is missing; doing it again changes nothing.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let config = args.config.load()?;
    let topics = Topics::new(config.kafka.topic_prefix.clone());
    kafka::reachable(&config.kafka).await?;
    kafka::ensure_topics(&config.kafka, &topics).await?;
    println!("topics    {} under {}*", Topic::ALL.len(), topics.prefix());
    Registry::new(&registry_options(&config))?.register_all(&topics).await?;
    println!("schemas   {} at {}", Subject::all().count(), config.registry.url);
    if !args.no_clickhouse {
        let report = clickhouse::migrate(&config.clickhouse).await?;
        println!("tables    {} migrations applied, {} had been before", report.applied.len(), report.already);
    }
    Ok(())
}
