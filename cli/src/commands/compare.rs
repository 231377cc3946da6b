//! `deskstream compare`: two models over the same history.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

use crate::options::{self, ConfigOptions};
use anyhow::Context as _;
use deskstream_analyze::Analyzer;
use deskstream_pipeline::compare::{AgainstReviews, HeadComparison, Range, Report, compare};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::Path;
use tokio_util::sync::CancellationToken;

/// What names the model that is built in.
const SHIPPED: &str = "shipped";

/// Run two models over the redacted texts of the topic `enriched`, side by side: agreement, Cohen's kappa, accuracy and F1
/// where reviewers have judged, and speed. Nothing is written, and no window changes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Two model files; "shipped" is the model that is built in.
    #[arg(long, value_delimiter = ',', num_args = 1.., required = true, value_name = "A,B")]
    models: Vec<String>,
    /// Events that happened at this time or later (RFC 3339).
    #[arg(long, value_name = "TIME")]
    from: Option<jiff::Timestamp>,
    /// Events that happened before this time.
    #[arg(long, value_name = "TIME")]
    to: Option<jiff::Timestamp>,
    /// Of this tenant.
    #[arg(long, short)]
    tenant: Option<String>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigOptions,
}

/// Runs the command.
///
/// # Errors
/// If a model or a topic can't be read, or there is no history in the range.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let [first, second] = args.models.as_slice() else {
        anyhow::bail!(
            "{} models are named: name two, as in --models shipped,model/new.dsm",
            args.models.len()
        );
    };
    let (first, second) = (open(first)?, open(second)?);
    let range = Range {
        tenant: args.tenant.clone(),
        from: args.from.map(jiff::Timestamp::as_millisecond),
        to: args.to.map(jiff::Timestamp::as_millisecond),
    };
    let process = options::start_quietly(args.config.load()?, CancellationToken::new()).await?;
    let reading = process.clone();
    let report = tokio::task::spawn_blocking(move || {
        let bar = ProgressBar::new_spinner().with_style(
            ProgressStyle::with_template("{spinner} {pos} events, {per_sec}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        let report = compare(&reading, [&first, &second], &range, || bar.inc(1));
        bar.finish_and_clear();
        report
    })
    .await?
    .context("read the history")?;
    process.shutdown.cancel();
    anyhow::ensure!(report.texts > 0, "no event of the topic `enriched` lies in that range");
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    Ok(())
}

fn open(name: &str) -> anyhow::Result<Analyzer> {
    if name == SHIPPED {
        return Analyzer::shipped().context("open the built-in model");
    }
    Analyzer::open(Path::new(name)).with_context(|| format!("open model {name}"))
}

fn print(report: &Report) {
    let [a, b] = &report.models;
    println!("{} texts of {} events", report.texts, report.events);
    println!("\n{:<12} {:>10} {:>10} {:>12}  model", "", "p50 µs", "p95 µs", "texts/s");
    for (name, side) in [("A", a), ("B", b)] {
        println!(
            "{name:<12} {:>10.1} {:>10.1} {:>12.0}  {}",
            side.p50_us, side.p95_us, side.texts_per_second, side.model
        );
    }
    println!("\n{:<12} {:>9} {:>9} {:>11} {:>11}", "head", "agree", "kappa", "abstains A", "abstains B");
    for head in &report.heads {
        let kappa = head.kappa.map_or_else(|| "-".to_owned(), |kappa| format!("{kappa:.3}"));
        println!(
            "{:<12} {:>9.3} {kappa:>9} {:>11.3} {:>11.3}",
            head.head, head.agreement, head.abstained[0], head.abstained[1]
        );
    }
    let reviewed: Vec<_> = report.heads.iter().filter(|head| head.reviewed > 0).collect();
    if reviewed.is_empty() {
        println!("\nno text of the range was reviewed: who is right is not known");
    } else {
        println!(
            "\n{:<12} {:>8}  {:<28} {:<28} {:>7}",
            "reviewed", "texts", "accuracy A, B", "macro-F1 A, B", "p"
        );
        reviewed.into_iter().for_each(print_quality);
    }
    for head in &report.heads {
        for (first, second, count) in &head.differences {
            println!("{}: {count} times A says {first}, B says {second}", head.head);
        }
    }
}

fn print_quality(head: &HeadComparison) {
    let Some([a, b]) = &head.quality else { return };
    let accuracy = |q: &AgainstReviews| range(q.accuracy, q.accuracy_in);
    let f1 = |q: &AgainstReviews| range(q.macro_f1, q.macro_f1_in);
    for (name, side) in [("A", a), ("B", b)] {
        let p = if name == "B" {
            head.p_value.map_or_else(String::new, |p| format!("{p:.3}"))
        } else {
            String::new()
        };
        println!(
            "{:<12} {:>8}  {:<28} {:<28} {p:>7}",
            format!("{} {name}", head.head),
            head.reviewed,
            accuracy(side),
            f1(side)
        );
    }
}

fn range(value: f64, [low, high]: [f64; 2]) -> String {
    format!("{value:.3} ({low:.3} to {high:.3})")
}
