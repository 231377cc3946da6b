//! `deskstream backfill`: tickets of the past, from the helpdesk itself.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

use crate::options::ConfigOptions;
use anyhow::anyhow;
use deskstream_connectors::helpdesk::{BackfillOptions, BackfillProgress, PollError, connections};
use deskstream_connectors::kafka::Sinks;
use deskstream_runtime::Process;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// What was handed to Kafka may take so long to be acknowledged at the end.
const FLUSH: Duration = Duration::from_secs(10);

/// A month of the mean length.
const MONTH_S: i64 = 365 * 86_400 / 12;

/// Read the tickets of the last months from the helpdesk.
///
/// They are analyzed and counted as others are; nothing is written back to them. A backfill that was broken off goes on
/// where it stopped; Ctrl-C is a way to break it off. It takes a share of the helpdesk's rate limit, beside the polls.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub config: ConfigOptions,

    /// Whose account.
    #[arg(long, value_name = "TENANT")]
    tenant: String,

    /// Which of the tenant's helpdesks.
    #[arg(long, default_value = "zendesk", value_name = "HELPDESK")]
    helpdesk: String,

    /// How far back.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=240))]
    months: u16,

    /// Which share of the rate limit to take.
    #[arg(long, default_value_t = 0.5, value_name = "0.01-1", value_parser = share)]
    share: f64,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|share| (0.01..=1.0).contains(share));
    share.ok_or_else(|| "give a share between 0.01 and 1, e.g. 0.5".to_owned())
}

/// Reads until the present, and tells what came of it.
pub async fn run(args: Args, process: Process) -> anyhow::Result<()> {
    let name = format!("{}/{}", args.tenant, args.helpdesk);
    let account = connections::find(&process, &name).ok_or_else(|| {
        anyhow!("there is no account {name}: `deskstream connectors list` tells which there are")
    })?;
    let back = SignedDuration::from_secs(i64::from(args.months) * MONTH_S);
    let since = Timestamp::now().checked_sub(back)?.as_millisecond();
    let sinks = Sinks::start(&process, "backfill").await?;
    let options = BackfillOptions { since, share: args.share };
    let mut backfill = account.backfill(&process, &sinks, options)?.ok_or_else(|| {
        anyhow!(
            "there is no backfill from {} yet: import a file, see `deskstream import --help`",
            args.helpdesk
        )
    })?;
    let bar = ProgressBar::new(0).with_style(style());
    bar.enable_steady_tick(Duration::from_millis(200));
    show(&bar, &backfill.progress());
    let ended = loop {
        match backfill.step().await {
            Ok(progress) => {
                show(&bar, &progress);
                if progress.done {
                    break Ok(());
                }
            }
            Err(PollError::Shutdown) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    bar.finish_and_clear();
    sinks.flush(FLUSH).await;
    let BackfillProgress { taken, refused, reached, done, .. } = backfill.progress();
    let state = if done { "done" } else { "broken off: the same command goes on" };
    let reached = Timestamp::from_millisecond(reached)?;
    println!("{} tickets taken, {refused} refused, up to {reached:.0}; {state}", HumanCount(taken));
    Ok(ended?)
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{percent}% [{wide_bar}] {msg}, {eta} left")
        .expect("the template is a constant that a run has shown to be right")
}

fn show(bar: &ProgressBar, progress: &BackfillProgress) {
    let now = Timestamp::now().as_millisecond();
    let seconds = |from: i64, to: i64| u64::try_from((to - from) / 1000).unwrap_or(0);
    bar.set_length(seconds(progress.since, now).max(1));
    bar.set_position(seconds(progress.since, progress.reached));
    bar.set_message(format!("{} tickets, {} refused", HumanCount(progress.taken), progress.refused));
}
