//! `deskstream eval`: measures a model on labelled text.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

use super::eval_redact;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use deskstream_analyze::{
    CascadeHead, Classifier, HeadModel, SHIPPED_LABEL_MAP, Scratch, encoder,
    eval::{Example, LabelMap, Metrics, Purpose, Report, evaluate, evaluate_with, load},
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

    /// Heads made by `train --encoder`, to be asked where the model's own are unsure.
    #[arg(long, num_args = 1.., value_name = "FILE", requires = "encoder")]
    cascade: Vec<PathBuf>,

    /// Folder of the encoder that they need; "default" is where scripts/encoder.sh puts it.
    #[arg(long, value_name = "DIR", requires = "cascade")]
    encoder: Option<PathBuf>,

    /// Label map (TOML) in place of the built-in one.
    #[arg(long, value_name = "FILE")]
    label_map: Option<PathBuf>,

    /// Leave out texts with this label: what is out of scope, say.
    #[arg(long, num_args = 1.., value_name = "LABEL")]
    without: Vec<String>,

    /// Print the whole report as JSON.
    #[arg(long)]
    json: bool,

    /// Folder for report.json, report.md and charts (SVG); made if it does not exist.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
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
    let classifier = match &args.model {
        Some(path) => Classifier::open(path).with_context(|| format!("opening model {}", path.display()))?,
        None => Classifier::shipped().context("opening the built-in model")?,
    };
    let map = label_map(&args, classifier.model().heads())?;
    let mut loaded = load(&args.data, &map, Purpose::Eval)?;
    leave_out(&args.without, &map, &mut loaded.examples)?;
    anyhow::ensure!(
        !loaded.examples.is_empty(),
        "none of {} records has a label: name fields like the heads, or map them in the label map",
        loaded.unlabelled
    );
    let bar = ProgressBar::new(loaded.examples.len() as u64).with_style(
        ProgressStyle::with_template("measuring {bar:30} {pos}/{len} {eta}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let (report, asked) = match &args.encoder {
        Some(folder) => cascaded(&args.cascade, folder, &classifier, &loaded.examples, &map, &bar)?,
        None => (evaluate(&classifier, loaded.examples.iter(), &map, || bar.inc(1)), 0.0),
    };
    bar.finish_and_clear();
    if let Some(out) = &args.out {
        write(out, &report)?;
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report, loaded.unlabelled);
        if args.encoder.is_some() {
            println!("\nthe encoder was asked about {:.0} % of the texts", asked * 100.0);
        }
    }
    Ok(())
}

/// The label map that fits a model: of what each head is called and what it answers.
fn label_map(args: &Args, heads: &[HeadModel]) -> anyhow::Result<LabelMap> {
    let labels = |h: &HeadModel| h.labels.iter().map(|l| l.to_string()).collect::<Vec<_>>();
    let (text, given) = match &args.label_map {
        Some(path) => {
            let text =
                std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
            (text, true)
        }
        None => (SHIPPED_LABEL_MAP.to_owned(), false),
    };
    let map = LabelMap::parse(&text)?;
    let fits = |map: &LabelMap| {
        map.heads().len() == heads.len()
            && map
                .heads()
                .iter()
                .zip(heads)
                .all(|(spec, h)| *spec.name == *h.name && spec.labels == labels(h))
    };
    if fits(&map) {
        return Ok(map);
    }
    anyhow::ensure!(
        !given,
        "the label map has other heads or labels than the model: give the one it was trained with by --label-map"
    );
    let columns: Vec<_> = heads.iter().map(|h| (h.name.to_string(), labels(h))).collect();
    Ok(LabelMap::of_columns(&map, &columns)?)
}

/// The model with the encoder where its heads are unsure.
fn cascaded(
    files: &[PathBuf],
    folder: &Path,
    classifier: &Classifier,
    examples: &[Example],
    map: &LabelMap,
    bar: &ProgressBar,
) -> anyhow::Result<(Report, f64)> {
    let heads = classifier.model().heads();
    let mut cascades: Vec<Option<CascadeHead>> = vec![None; heads.len()];
    for path in files {
        let cascade =
            CascadeHead::open(path).with_context(|| format!("opening cascade head {}", path.display()))?;
        let header = cascade.header();
        anyhow::ensure!(
            header.encoder == encoder::ID && header.fast_model == classifier.model().version(),
            "{} was made with the encoder {} and the model {}, not with {} and {}: train it again",
            path.display(),
            header.encoder,
            header.fast_model,
            encoder::ID,
            classifier.model().version(),
        );
        let head = heads.iter().position(|h| *h.name == *header.head && h.labels == header.labels);
        let head =
            head.with_context(|| format!("{}: the model has no head {}", path.display(), header.head))?;
        cascades[head] = Some(cascade);
    }
    let mut scratch = Scratch::default();
    let mut asked = Vec::new();
    for (i, e) in examples.iter().enumerate() {
        classifier.score(&e.subject, &e.body, &mut scratch);
        let unsure = |(head, cascade): (usize, &Option<CascadeHead>)| {
            cascade.as_ref().is_some_and(|c| c.asks(&classifier.label(head, &scratch).1))
        };
        if cascades.iter().enumerate().any(unsure) {
            asked.push(i);
        }
    }
    let texts: Vec<String> =
        asked.iter().map(|&i| encoder::ticket_text(&examples[i].subject, &examples[i].body)).collect();
    bar.set_length((texts.len() + examples.len()) as u64);
    let vectors = super::encoder::embed_all(&super::encoder::open(folder)?, &texts, bar)?;
    let vectors: HashMap<usize, Vec<f32>> = asked.into_iter().zip(vectors).collect();
    let threshold = |(h, c): (&HeadModel, &Option<CascadeHead>)| {
        c.as_ref().map_or(h.abstain_below, |c| c.header().abstain_below)
    };
    let thresholds: Vec<f32> = heads.iter().zip(&cascades).map(threshold).collect();
    let share = vectors.len() as f64 / examples.len().max(1) as f64;
    let report = evaluate_with(
        classifier,
        examples.iter(),
        map,
        &thresholds,
        || bar.inc(1),
        |head, example, fast| {
            let cascade = cascades[head].as_ref()?;
            let sure = fast.iter().copied().fold(0.0, f32::max) >= cascade.header().ask_below;
            if sure { None } else { cascade.probabilities(vectors.get(&example)?, fast) }
        },
    );
    Ok((report, share))
}

fn leave_out(labels: &[String], map: &LabelMap, examples: &mut Vec<Example>) -> anyhow::Result<()> {
    for label in labels {
        let heads = map.heads().iter().map(|h| h.index(label).ok()).collect::<Vec<_>>();
        anyhow::ensure!(
            heads.iter().any(Option::is_some),
            "--without {label:?}: no head of the model has this label"
        );
        examples.retain(|e| !heads.iter().zip(&e.gold).any(|(l, gold)| l.is_some_and(|l| gold.contains(&l))));
    }
    Ok(())
}

fn write(out: &Path, report: &Report) -> anyhow::Result<()> {
    std::fs::create_dir_all(out).with_context(|| format!("creating {}", out.display()))?;
    let json = serde_json::to_string_pretty(report)? + "\n";
    let files = [("report.json".to_owned(), json), ("report.md".to_owned(), report.markdown())];
    for (name, content) in files.into_iter().chain(report.charts()) {
        let path = out.join(name);
        std::fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// A matrix of more labels than this does not fit a terminal.
const MOST_PRINTED: usize = 24;

fn print(report: &Report, unlabelled: usize) {
    println!("model {}, {} labelled texts, {unlabelled} without a label", report.model, report.texts);
    for head in &report.heads {
        println!("\n{}", head.head);
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
            let row = if head.overall.classes.len() > MOST_PRINTED { &[][..] } else { &row[..] };
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
