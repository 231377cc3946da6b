//! `deskstream audit`: whether the audit trail is what was written.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

use crate::audit_record;
use crate::options::{self, ConfigOptions};
use anyhow::Context;
use deskstream_connectors::audit::archive::{self, Archived};
use deskstream_connectors::audit::{AUDIT_KEY_KIND, PublicKeys, Report, Signer, Trail};
use deskstream_runtime::Process;
use deskstream_runtime::time::now_ms;
use deskstream_schemas::EVERY_TENANT;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Verify the audit trail, or show the keys that sign it.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigOptions,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Recompute every hash, hold the chains against the signed heads, and say where something was changed, cut out, put
    /// in or reordered. Ends with status 1 if anything was.
    Verify {
        /// Only the chains of this tenant; `*` for those of the installation.
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,

        /// How long the newest rows may take to come from Kafka to ClickHouse.
        #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
        wait: Duration,

        /// One JSON object for each chain.
        #[arg(long)]
        json: bool,

        /// Verify this archive (a directory, or s3://BUCKET/PREFIX) in place of ClickHouse; Kafka is not asked either.
        #[arg(long, value_name = "PLACE", requires = "keys", conflicts_with_all = ["tenant", "wait"])]
        archive: Option<String>,

        /// The public keys that vouch for the archive, as `deskstream audit keys` gave them.
        #[arg(long, value_name = "FILE", requires = "archive")]
        keys: Option<PathBuf>,
    },
    /// Put months that are past their retention into `audit.archive` and drop them, as connect does each hour.
    Archive,
    /// The public keys that vouch for the trail, as JSON: keep a copy where who can write to ClickHouse and Kafka can't.
    Keys {
        #[command(subcommand)]
        command: Option<KeysCommand>,
    },
}

#[derive(Debug, clap::Subcommand)]
enum KeysCommand {
    /// Make a new key that signs from now on, and show all public keys. Those before it go on vouching for what they signed.
    Rotate,
}

/// Does it; running processes go on meanwhile.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if let Command::Verify { json, archive: Some(place), keys: Some(keys), .. } = &args.command {
        return offline(place, keys, *json).await;
    }
    let config = args.config.load()?;
    let shutdown = CancellationToken::new();
    let process = options::start(config, shutdown.clone()).await?;
    let code = match args.command {
        Command::Verify { tenant, wait, json, .. } => verify(&process, tenant.as_deref(), wait, json).await?,
        Command::Archive => {
            let done = archive::archive(&process, now_ms()).await?;
            for Archived { retention, month, chains, rows } in &done {
                println!("{retention:?} {month}: {rows} records of {chains} chains archived and dropped");
            }
            if done.is_empty() {
                println!("no month is past its retention");
            }
            ExitCode::SUCCESS
        }
        Command::Keys { command } => {
            if let Some(KeysCommand::Rotate) = command {
                let signer = Signer::rotate(&process, &options::user()).await?;
                let resource = format!("{AUDIT_KEY_KIND}/{}", signer.id());
                audit_record::done(&process, EVERY_TENANT, "rotate.audit-key", resource, []).await?;
            }
            println!("{}", serde_json::to_string_pretty(&PublicKeys::of(&process)?)?);
            ExitCode::SUCCESS
        }
    };
    shutdown.cancel();
    Ok(code)
}

async fn offline(place: &str, keys: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let text = std::fs::read(keys).with_context(|| format!("read the public keys in {}", keys.display()))?;
    let keys: PublicKeys = serde_json::from_slice(&text)
        .with_context(|| format!("{} is not what `deskstream audit keys` gives", keys.display()))?;
    let reports = archive::verify_archive(place, &keys).await?;
    reports.iter().try_for_each(|report| print(report, json))?;
    let sound = reports.iter().all(Report::sound);
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn verify(
    process: &Process,
    tenant: Option<&str>,
    wait: Duration,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let trail = Trail::open(process).await?;
    let chains = trail.chains(tenant).await?;
    if let (Some(tenant), true) = (tenant, chains.is_empty()) {
        anyhow::bail!("tenant {tenant} has no audit trail: its name is one of `deskstream keys list`");
    }
    let mut sound = true;
    for chain in chains {
        trail.settle(&chain, wait).await?;
        let report = trail.verify(&chain).await.with_context(|| format!("verify {}", chain.key()))?;
        sound &= report.sound();
        print(&report, json)?;
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(report: &Report, json: bool) -> anyhow::Result<()> {
    let chain = report.chain.key();
    if json {
        let faults: Vec<_> = report.faults.iter().map(ToString::to_string).collect();
        let line = serde_json::json!({
            "chain": chain,
            "sound": report.sound(),
            "records": report.rows,
            "first": report.places.map(|(first, _)| first),
            "last": report.places.map(|(_, last)| last),
            "signed_heads": report.heads,
            "faults": faults,
            "fault_count": report.fault_count,
        });
        println!("{}", serde_json::to_string(&line)?);
        return Ok(());
    }
    let places = report.places.map_or("none".to_owned(), |(first, last)| format!("{first} to {last}"));
    let verdict = if report.sound() { "sound" } else { "NOT SOUND" };
    println!("{chain}: {verdict}; records {places}, {} signed heads", report.heads);
    for fault in &report.faults {
        println!("  {fault}");
    }
    let unlisted = report.fault_count - report.faults.len() as u64;
    if unlisted > 0 {
        println!("  and {unlisted} more");
    }
    Ok(())
}
