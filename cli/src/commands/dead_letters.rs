//! `deskstream dead-letters`: what was refused and why, and sending it again.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

use crate::audit_record;
use crate::options::{self, ConfigOptions};
use anyhow::Context;
use deskstream_connectors::kafka::{Producer, ProducerOptions, Sink};
use deskstream_pipeline::dead_letters::{self, Filter};
use deskstream_runtime::Process;
use deskstream_schemas::{DeadLetter, Decoder, EVERY_TENANT, TicketEvent, Topic};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Letters that wait to be printed or sent.
const QUEUE: usize = 256;

/// Show dead letters, or send them again once their cause is mended.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Count dead letters by tenant, stage and reason, with the latest error and what to do about it.
    Summary(Choice),
    /// Print dead letters as JSON lines, without what they hold.
    List(Choice),
    /// Put refused events into the events topic again. One that was enriched meanwhile counts once: it keeps its id.
    Replay {
        #[command(flatten)]
        choice: Choice,
        /// Only say what would be sent.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Choice {
    /// Of this tenant.
    #[arg(long, short)]
    tenant: Option<String>,
    /// With this reason, as `summary` shows it.
    #[arg(long)]
    reason: Option<String>,
    /// Refused at this time or later (RFC 3339).
    #[arg(long, value_name = "TIME")]
    since: Option<jiff::Timestamp>,
    /// Refused before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<jiff::Timestamp>,
    #[command(flatten)]
    config: ConfigOptions,
}

/// Runs the command.
pub async fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Summary(choice) => summary(&choice).await,
        Command::List(choice) => list(&choice).await,
        Command::Replay { choice, dry_run } => replay(&choice, dry_run).await,
    }
}

/// Reads the letters on a thread of their own.
async fn letters(choice: &Choice) -> anyhow::Result<(Process, mpsc::Receiver<DeadLetter>, Reading)> {
    let process = options::start_quietly(choice.config.load()?, CancellationToken::new()).await?;
    let filter = Filter {
        tenant: choice.tenant.clone(),
        reason: choice.reason.clone(),
        since: choice.since.map(jiff::Timestamp::as_millisecond),
        until: choice.until.map(jiff::Timestamp::as_millisecond),
    };
    let (sender, receiver) = mpsc::channel(QUEUE);
    let reader = process.clone();
    let reading = tokio::task::spawn_blocking(move || {
        // Whoever takes them has ended if they can't be handed over.
        dead_letters::read(&reader, &filter, |letter| drop(sender.blocking_send(letter)))
            .context("read the dead letters")
    });
    Ok((process, receiver, reading))
}

type Reading = tokio::task::JoinHandle<anyhow::Result<()>>;

async fn summary(choice: &Choice) -> anyhow::Result<()> {
    let (process, mut letters, reading) = letters(choice).await?;
    let mut groups: BTreeMap<(String, String, String), (usize, DeadLetter)> = BTreeMap::new();
    while let Some(mut letter) = letters.recv().await {
        letter.payload = None;
        let key = (letter.tenant.clone(), format!("{:?}", letter.stage), letter.reason.to_string());
        let group = groups.entry(key).or_insert_with(|| (0, letter.clone()));
        group.0 += 1;
        if group.1.failed_at <= letter.failed_at {
            group.1 = letter;
        }
    }
    reading.await??;
    for ((tenant, stage, reason), (count, latest)) in &groups {
        let at = jiff::Timestamp::from_millisecond(latest.failed_at)?;
        println!(
            "{count}\t{tenant}\t{stage}\t{reason}\tlatest {at}\n\t{}\n\tfix: {}",
            latest.error, latest.fix
        );
    }
    if groups.is_empty() {
        println!("no dead letters");
    }
    process.shutdown.cancel();
    Ok(())
}

async fn list(choice: &Choice) -> anyhow::Result<()> {
    let (process, mut letters, reading) = letters(choice).await?;
    while let Some(mut letter) = letters.recv().await {
        letter.payload = None;
        println!("{}", serde_json::to_string(&letter)?);
    }
    reading.await??;
    process.shutdown.cancel();
    Ok(())
}

async fn replay(choice: &Choice, dry_run: bool) -> anyhow::Result<()> {
    let (process, mut letters, reading) = letters(choice).await?;
    let decoder: Decoder<TicketEvent> = Decoder::new(Arc::clone(&process.registry));
    let sink: Sink<TicketEvent> = Sink::new(&process, Producer::new(&process, ProducerOptions::events())?);
    let (mut sent, mut left): (usize, BTreeMap<String, usize>) = Default::default();
    while let Some(letter) = letters.recv().await {
        match tokio::task::block_in_place(|| dead_letters::event(&process, &decoder, &letter)) {
            Ok(event) => {
                if !dry_run {
                    sink.send(&event.key(), &event).await.context("send an event again")?;
                }
                sent += 1;
            }
            Err(error) => *left.entry(error.to_string()).or_default() += 1,
        }
    }
    reading.await??;
    println!("{} {sent} events", if dry_run { "would send" } else { "sent" });
    left.iter().for_each(|(why, count)| println!("left {count}: {why}"));
    if !dry_run && sent > 0 {
        let tenant = choice.tenant.as_deref().unwrap_or(EVERY_TENANT);
        let reason = choice.reason.clone().unwrap_or_else(|| "any".to_owned());
        let detail = [("sent", sent.to_string()), ("reason", reason)];
        let topic = process.topics.name(Topic::DeadLetter);
        audit_record::done(&process, tenant, "replay.dead_letters", topic, detail).await?;
    }
    process.shutdown.cancel();
    Ok(())
}
