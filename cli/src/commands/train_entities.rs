//! `deskstream train entities`: makes the model of named entities and its card.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use deskstream_redact::train::{Options, train};

/// Labelled text are JSON lines with "text", "lang" and "spans" (start and end in code points, type). Offsets and
/// types are read as the public sets have them. The result is the same to the byte for the same inputs and seed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Labelled text to train on.
    #[arg(long, num_args = 1.., value_name = "FILE", required = true)]
    data: Vec<PathBuf>,

    /// Labelled text only to measure on; texts without spans count as clean.
    #[arg(long, num_args = 1.., value_name = "FILE")]
    measure: Vec<PathBuf>,

    /// Name and word lists, as scripts/entities/gazetteer.py writes them.
    #[arg(long, value_name = "FILE")]
    gazetteer: PathBuf,

    /// Word clusters, as scripts/entities/clusters.py writes them.
    #[arg(long, value_name = "FILE")]
    clusters: PathBuf,

    /// Folder for entities.dse and entities-card.md; made if it does not exist.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Texts to make from templates and lists.
    #[arg(long, default_value_t = 60_000)]
    generated: usize,

    /// Passes over the data.
    #[arg(long, default_value_t = 5)]
    epochs: usize,

    /// Keep every fifth template_id out of training and measure on it.
    #[arg(long)]
    hold_out: bool,

    /// Shifts of log-odds against "no entity" for people, organisations, places and addresses: more finds more, and
    /// marks more that is none.
    #[arg(long, num_args = 4, value_names = ["PERSON", "ORGANIZATION", "LOCATION", "ADDRESS"],
        default_values_t = [3.0, 1.5, 1.5, 2.0])]
    bias: Vec<f32>,

    /// Seed of everything random.
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

/// Runs the command.
///
/// # Errors
/// If a file can't be read, used or written.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let read =
        |path: &Path| std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()));
    let sources = |paths: &[PathBuf]| {
        paths
            .iter()
            .map(|path| {
                let part = |p: Option<&std::ffi::OsStr>| p.unwrap_or_default().to_string_lossy().into_owned();
                let folder = part(path.parent().and_then(Path::file_name));
                Ok((format!("{folder}/{}", part(path.file_stem())), read(path)?))
            })
            .collect::<anyhow::Result<Vec<_>>>()
    };
    let trained = train(&Options {
        gazetteer: read(&args.gazetteer)?,
        clusters: read(&args.clusters)?,
        data: sources(&args.data)?,
        measure: sources(&args.measure)?,
        generated: args.generated,
        epochs: args.epochs,
        bias: args.bias.as_slice().try_into().context("--bias takes four numbers")?,
        hold_out: args.hold_out,
        seed: args.seed,
    })?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("creating {}", args.out.display()))?;
    for (name, bytes) in
        [("entities.dse", trained.file.as_slice()), ("entities-card.md", trained.card.as_bytes())]
    {
        let path = args.out.join(name);
        std::fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
    }
    println!("{}", trained.card);
    Ok(())
}
