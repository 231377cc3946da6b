//! `deskstream eval`: measures a model on labelled text.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

use super::eval_redact;
use std::path::PathBuf;

use anyhow::Context as _;
use deskstream_analyze::{
    Analyzer, SHIPPED_LABEL_MAP,
    eval::{LabelMap, Metrics, Purpose, Report, evaluate, load},
};
use indicatif::{ProgressBar, ProgressStyle};

/// Measure a model on labelled text: per head accuracy, macro-F1, calibration, confusion, next to guessing.
///
/// Reads the same JSON lines as `train`. Sets whose labels are coarser than the model's count any of the
/// labels that the label map lists as right.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(subcommand)]
    part: Option<Part>,

    /// JSON lines files, or folders of them.
    #[arg(long, num_args = 1.., value_name = "PATH", required = true)]
    data: Vec<PathBuf>,

    /// Model file; the built-in model if left out.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,

    /// Label map (TOML) in place of the built-in one.
    #[arg(long, value_name = "FILE")]
    label_map: Option<PathBuf>,

    /// Print the whole report as JSON.
    #[arg(long)]
    json: bool,
}

/// What else can be measured.
#[derive(Debug, clap::Subcommand)]
enum Part {
    /// Measure redaction on span-labelled text.
    Redact(eval_redact::Args),
}

/// Runs the command.
///
/// # Errors
/// If the model or the data can't be read, or no text has a label.
#[allow(clippy::needless_pass_by_value, reason = "every command takes its arguments this way")]
pub fn run(args: Args) -> anyhow::Result<()> {
    if let Some(Part::Redact(args)) = &args.part {
        return eval_redact::run(args);
    }
    let analyzer = match &args.model {
        Some(path) => Analyzer::open(path).with_context(|| format!("opening model {}", path.display()))?,
        None => Analyzer::shipped().context("opening the built-in model")?,
    };
    let text = match &args.label_map {
        Some(path) => std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?,
        None => SHIPPED_LABEL_MAP.to_owned(),
    };
    let map = LabelMap::parse(&text)?;
    for head in deskstream_analyze::Head::ALL {
        let same =
            map.head(head).labels.iter().map(String::as_str).eq(analyzer.labels(head).iter().map(|l| &**l));
        anyhow::ensure!(
            same,
            "the label map has other {} labels than the model: give the one it was trained with by --label-map",
            head.name()
        );
    }
    let loaded = load(&args.data, &map, Purpose::Eval)?;
    anyhow::ensure!(
        !loaded.examples.is_empty(),
        "none of {} records has a label: name fields like the heads, or map them in the label map",
        loaded.unlabelled
    );
    let bar = ProgressBar::new(loaded.examples.len() as u64).with_style(
        ProgressStyle::with_template("measuring {bar:30} {pos}/{len} {eta}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let report = evaluate(&analyzer, loaded.examples.iter(), &map, || bar.inc(1));
    bar.finish_and_clear();
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report, loaded.unlabelled);
    }
    Ok(())
}

fn print(report: &Report, unlabelled: usize) {
    println!("model {}, {} labelled texts, {unlabelled} without a label", report.model, report.texts);
    for head in &report.heads {
        println!("\n{}", head.head.name());
        let line = |name: &str, m: &Metrics| {
            println!(
                "  {name:20} {:6} texts  accuracy {:.3} (majority {:.3})  macro-F1 {:.3} ({:.3})  calibration error {:.3}  answers {:.0} %, {:.3} right{}",
                m.texts,
                m.accuracy,
                m.majority_accuracy,
                m.macro_f1,
                m.majority_macro_f1,
                m.calibration_error,
                m.answered * 100.0,
                m.answered_accuracy,
                m.concordance.map_or(String::new(), |c| format!("  order {c:.3}")),
            );
        };
        line("all", &head.overall);
        for (name, m) in &head.by_source {
            line(name, m);
        }
        for (name, m) in &head.by_language {
            line(&format!("language {name}"), m);
        }
        println!(
            "  {:20} {:>6} {:>9} {:>6} {:>6}   confusion: right label by row, predicted by column",
            "label", "texts", "precision", "recall", "F1"
        );
        for (class, row) in head.overall.classes.iter().zip(&head.overall.confusion) {
            let row: Vec<String> = row.iter().map(|n| format!("{n:5}")).collect();
            println!(
                "  {:20} {:6} {:9.3} {:6.3} {:6.3}   {}",
                class.label,
                class.support,
                class.precision,
                class.recall,
                class.f1,
                row.join("")
            );
        }
    }
}
