//! `deskstream train`: makes a model file, its metrics and its model card from labelled text.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use deskstream_analyze::{
    Encoder,
    encoder::ticket_text,
    train::{
        Config, Step, Trained,
        cascade::{self, CascadeReport, TrainedCascade},
        train,
    },
};
use indicatif::{ProgressBar, ProgressStyle};

/// Train the local analysis model from labelled text.
///
/// Data are JSON lines with "text" (and "subject", "lang"). Labels are taken from fields named root_cause,
/// urgency, sentiment and industry, or by the label map from the fields of known public sets. With --labels any
/// fields are learnt instead: a taxonomy of your own. The result is the same to the byte for the same data and seed.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    /// Another model than that of analysis.
    #[command(subcommand)]
    model: Option<Model>,

    /// JSON lines files, or folders of them.
    #[arg(long, num_args = 1.., value_name = "PATH", required = true)]
    data: Vec<PathBuf>,

    /// More of them, only to be measured and reported: other domains, sets not licensed for training.
    #[arg(long, num_args = 1.., value_name = "PATH")]
    measure: Vec<PathBuf>,

    /// Fields of the data to learn instead, each a head of its own: every value that occurs is a label.
    #[arg(long, num_args = 1.., value_name = "FIELD", conflicts_with_all = ["seed_set", "no_seed_set"])]
    labels: Vec<String>,

    /// Also train heads for the encoder in this folder, which is asked where the fast heads are unsure; "default" is where
    /// scripts/encoder.sh puts it. English only.
    #[arg(long, value_name = "DIR")]
    encoder: Option<PathBuf>,

    /// Folder for NAME.dsm, with --encoder also NAME.HEAD.dsc, metrics.json, model-card.md and charts; made if it does not exist.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Seed of split, order and hashing.
    #[arg(long, default_value_t = 42)]
    seed: u64,

    /// Label map (TOML) in place of the built-in one: label sets, and what fields of data sets mean.
    #[arg(long, value_name = "FILE")]
    label_map: Option<PathBuf>,

    /// Hand-written sentences (TOML) in place of the built-in ones.
    #[arg(long, value_name = "FILE", conflicts_with = "no_seed_set")]
    seed_set: Option<PathBuf>,

    /// Do not add the built-in hand-written sentences.
    #[arg(long)]
    no_seed_set: bool,

    /// Name of the model, of its file and the first part of its version [default: tickets, or taxonomy with --labels].
    #[arg(long, value_parser = name)]
    name: Option<String>,

    /// Also write the split as JSON lines (part, source, lang, subject, text, labels), to compare other
    /// learners on the very same texts.
    #[arg(long, value_name = "FILE")]
    dump_split: Option<PathBuf>,
}

/// Other models.
#[derive(Debug, clap::Subcommand)]
enum Model {
    /// Train the model that finds people, organisations, places and addresses.
    Entities(super::train_entities::Args),
}

/// Runs the command.
///
/// # Errors
/// If data can't be read, a head can't be fitted, or the result can't be written.
#[allow(clippy::needless_pass_by_value, reason = "every command takes its arguments this way")]
pub fn run(args: Args) -> anyhow::Result<()> {
    if let Some(Model::Entities(args)) = &args.model {
        return super::train_entities::run(args);
    }
    let mut config = if args.labels.is_empty() {
        Config::new(args.data.clone(), args.seed)
    } else {
        Config::of_columns(args.data.clone(), args.labels.clone(), args.seed)
    };
    config.measure.clone_from(&args.measure);
    if let Some(name) = &args.name {
        config.name.clone_from(name);
    }
    config.command = command(&args);
    let read =
        |path: &Path| std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()));
    if let Some(path) = &args.label_map {
        config.label_map = read(path)?;
    }
    if args.no_seed_set {
        config.seed_set = None;
    } else if let Some(path) = &args.seed_set {
        config.seed_set = Some(read(path)?);
    }

    let bar = ProgressBar::new(0).with_style(
        ProgressStyle::with_template("{msg:24} {bar:30} {pos}/{len} {prefix}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let mut trained = train(&config, &mut |step| show(&bar, step))?;
    let cascades = match &args.encoder {
        Some(folder) => second(&super::encoder::open(folder)?, &trained, &bar)?,
        None => Vec::new(),
    };
    bar.finish_and_clear();
    if !cascades.is_empty() {
        let reports: Vec<_> = cascades.iter().map(|c| c.report.clone()).collect();
        trained.card += &CascadeReport::section(&reports, deskstream_analyze::encoder::ID);
    }
    let model = format!("{}.dsm", config.name);
    write(&args, &model, &trained)?;
    for cascade in &cascades {
        let path = args.out.join(format!("{}.{}.dsc", config.name, cascade.report.head));
        std::fs::write(&path, &cascade.file).with_context(|| format!("writing {}", path.display()))?;
    }
    println!("{}", trained.card);
    println!("wrote {}", args.out.join(model).display());
    Ok(())
}

/// The heads behind the encoder.
fn second(encoder: &Encoder, trained: &Trained, bar: &ProgressBar) -> anyhow::Result<Vec<TrainedCascade>> {
    bar.set_message("encoding");
    bar.set_prefix("");
    bar.set_length(trained.examples.len() as u64);
    bar.set_position(0);
    let texts: Vec<String> = trained.examples.iter().map(|e| ticket_text(&e.subject, &e.body)).collect();
    let vectors = super::encoder::embed_all(encoder, &texts, bar)?;
    bar.set_message("fitting heads of vectors");
    Ok(cascade::train(trained, &vectors, deskstream_analyze::encoder::ID)?)
}

/// A model's name is also that of its file.
fn name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > 64 || text.starts_with('.') || !text.chars().all(fits) {
        return Err("1 to 64 letters, digits, -, _ and ., not starting with a dot".into());
    }
    Ok(text.to_owned())
}

fn show(bar: &ProgressBar, step: Step) {
    match step {
        Step::Loading => bar.set_message("reading"),
        Step::Splitting => bar.set_message("splitting"),
        Step::Featurising(texts) => bar.set_message(format!("featurising {texts} texts")),
        Step::Epoch { head, epoch, of, dev_macro_f1 } => {
            bar.set_message(format!("fitting {head}"));
            bar.set_length(of as u64);
            bar.set_position(epoch as u64);
            bar.set_prefix(format!("dev macro-F1 {dev_macro_f1:.3}"));
        }
        Step::Measuring => bar.set_message("calibrating, measuring"),
        Step::Refitting => bar.set_message("fitting to all data"),
    }
    bar.tick();
}

fn write(args: &Args, model: &str, trained: &Trained) -> anyhow::Result<()> {
    std::fs::create_dir_all(&args.out).with_context(|| format!("creating {}", args.out.display()))?;
    let put = |name: &str, bytes: &[u8]| {
        let path = args.out.join(name);
        std::fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))
    };
    put(model, &trained.model)?;
    for (name, chart) in trained.report.test.charts() {
        put(&name, chart.as_bytes())?;
    }
    put("metrics.json", trained.metrics.as_bytes())?;
    put("model-card.md", trained.card.as_bytes())?;
    match &args.dump_split {
        Some(path) => dump(path, trained).with_context(|| format!("writing {}", path.display())),
        None => Ok(()),
    }
}

fn dump(path: &Path, trained: &Trained) -> anyhow::Result<()> {
    let mut out = std::io::BufWriter::new(std::fs::File::create(path)?);
    let split = &trained.split;
    for (part, members) in [("train", &split.train), ("dev", &split.dev), ("test", &split.test)] {
        for &i in members {
            let e = &trained.examples[i];
            let mut line = serde_json::json!({
                "part": part, "source": e.source, "lang": e.lang, "subject": e.subject, "text": e.body,
            });
            for (head, gold) in trained.report.calibration.iter().zip(&e.gold) {
                if let Some(&label) = gold.first() {
                    line[&head.0] = label.into();
                }
            }
            serde_json::to_writer(&mut out, &line)?;
            out.write_all(b"\n")?;
        }
    }
    Ok(out.flush()?)
}

/// The command line as it can be repeated.
fn command(args: &Args) -> String {
    let paths =
        |paths: &[PathBuf]| paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(" ");
    let mut line = format!("deskstream train --data {} --seed {}", paths(&args.data), args.seed);
    if !args.measure.is_empty() {
        line += &format!(" --measure {}", paths(&args.measure));
    }
    for (flag, path) in [("--label-map", &args.label_map), ("--seed-set", &args.seed_set)] {
        if let Some(path) = path {
            line += &format!(" {flag} {}", path.display());
        }
    }
    if let Some(path) = &args.encoder {
        line += &format!(" --encoder {}", path.display());
    }
    if !args.labels.is_empty() {
        line += &format!(" --labels {}", args.labels.join(" "));
    }
    if args.no_seed_set {
        line += " --no-seed-set";
    }
    if let Some(name) = &args.name {
        line += &format!(" --name {name}");
    }
    format!("{line} --out {}", args.out.display())
}
