//! `deskstream model`: which local model judges, and which one is tried beside it.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

use crate::audit_record;
use crate::options::{self, ConfigOptions};
use anyhow::Context as _;
use deskstream_pipeline::models::{self, ModelFile, Named, Role};
use deskstream_runtime::Process;
use deskstream_schemas::EVERY_TENANT;
use std::path::{Path, PathBuf};
use tokio_util::sync::CancellationToken;

/// Promote a model, roll back, or try one in the shadow. Running pipelines exchange it within moments, if the file lies at
/// the same path on their machines and has the same SHA-256; if not, they say so and go on with what they have.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show which models are named.
    Show {
        #[command(flatten)]
        config: ConfigOptions,
    },
    /// Make a model file the live one: its labels count.
    Promote {
        /// The file.
        file: PathBuf,
        #[command(flatten)]
        config: ConfigOptions,
    },
    /// Make the model that was live before the live one again; twice is where it began.
    Rollback {
        #[command(flatten)]
        config: ConfigOptions,
    },
    /// Let a model file judge in the shadow: what it says is recorded and measured, and changes nothing.
    Shadow {
        /// The file.
        #[arg(required_unless_present = "off")]
        file: Option<PathBuf>,
        /// No longer.
        #[arg(long, conflicts_with = "file")]
        off: bool,
        #[command(flatten)]
        config: ConfigOptions,
    },
}

/// Runs the command.
///
/// # Errors
/// If the file is no model, or the topic can't be read or written.
pub async fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Show { config } => show(&start(&config).await?),
        Command::Promote { file, config } => {
            let file = describe(&file)?;
            let process = start(&config).await?;
            let live = models::named(&process, Role::Live)?;
            let named = Named { file: Some(file), previous: live.file };
            name(&process, Role::Live, "promote.model", &named).await
        }
        Command::Rollback { config } => {
            let process = start(&config).await?;
            let live = models::named(&process, Role::Live)?;
            anyhow::ensure!(
                live != Named::default(),
                "no model was promoted: there is nothing to go back to"
            );
            let named = Named { file: live.previous, previous: live.file };
            name(&process, Role::Live, "roll-back.model", &named).await
        }
        Command::Shadow { file, off: _, config } => {
            let file = file.as_deref().map(describe).transpose()?;
            let process = start(&config).await?;
            let previous = models::named(&process, Role::Candidate)?.file;
            name(&process, Role::Candidate, "shadow.model", &Named { file, previous }).await
        }
    }
}

async fn start(config: &ConfigOptions) -> anyhow::Result<Process> {
    options::start_quietly(config.load()?, CancellationToken::new()).await
}

/// Reads all of the file: one that can't be used is not named.
fn describe(file: &Path) -> anyhow::Result<ModelFile> {
    let path = std::path::absolute(file).with_context(|| format!("find {}", file.display()))?;
    Ok(ModelFile::of(&path)?)
}

async fn name(process: &Process, role: Role, action: &'static str, named: &Named) -> anyhow::Result<()> {
    models::name(process, role, &options::user(), named).await?;
    let (what, sha256) = match &named.file {
        Some(file) => (file.version.clone(), file.sha256.clone()),
        None => (nothing(role).to_owned(), String::new()),
    };
    let detail = [("model", what.clone()), ("sha256", sha256)];
    audit_record::done(process, EVERY_TENANT, action, format!("model/{}", role.as_str()), detail).await?;
    println!("{}: {what}", role.as_str());
    process.shutdown.cancel();
    Ok(())
}

fn nothing(role: Role) -> &'static str {
    match role {
        Role::Live => "the configured model",
        Role::Candidate => "none",
    }
}

fn show(process: &Process) -> anyhow::Result<()> {
    for role in Role::ALL {
        let Named { file, previous } = models::named(process, role)?;
        match file {
            Some(file) => {
                println!(
                    "{}: {}\n\t{}\n\tsha256 {}",
                    role.as_str(),
                    file.version,
                    file.path.display(),
                    file.sha256
                );
            }
            None => println!("{}: {}", role.as_str(), nothing(role)),
        }
        if let Some(previous) = previous {
            println!("\tbefore it: {}", previous.version);
        }
    }
    process.shutdown.cancel();
    Ok(())
}
