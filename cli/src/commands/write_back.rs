//! `deskstream write-back`: the kill switch of write-backs, and what they may do, while everything runs.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

use crate::audit_record;
use crate::options::{self, ConfigOptions};
use deskstream_connectors::safety::{self, Field, Settings, WRITE_BACK_KIND};
use deskstream_runtime::Process;
use deskstream_schemas::EVERY_TENANT;
use std::num::NonZeroU32;
use tokio_util::sync::CancellationToken;

/// Stop write-backs, let them go on, and say what they may do. Running connectors take a change in within a second.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Write nothing from now on. What is decided meanwhile is recorded as skipped, and is not written later.
    Stop {
        /// Why: it stands in the outcome of everything that is skipped.
        #[arg(long, value_name = "WHY", default_value = "")]
        reason: String,
        #[command(flatten)]
        target: Target,
    },
    /// Write again.
    Resume {
        #[command(flatten)]
        target: Target,
    },
    /// Set what holds in place of the configuration.
    Set {
        /// Decide and record, but do not write.
        #[arg(long, value_name = "BOOL")]
        dry_run: Option<bool>,
        /// What may be written, of: tags, note, priority, draft, custom-fields.
        #[arg(long, value_delimiter = ',', value_name = "FIELDS", value_parser = field)]
        fields: Option<Vec<Field>>,
        /// Most updates in an hour of the clock.
        #[arg(long, value_name = "N")]
        max_per_hour: Option<NonZeroU32>,
        #[command(flatten)]
        target: Target,
    },
    /// Forget what was set, but for the kill switch: the configuration holds again.
    Unset {
        #[command(flatten)]
        target: Target,
    },
    /// What is set, for whom, since when and by whom: one JSON object a line.
    Show {
        #[command(flatten)]
        config: ConfigOptions,
    },
}

#[derive(Debug, clap::Args)]
struct Target {
    /// The tenant; without it, all of them.
    #[arg(long, short, default_value = EVERY_TENANT)]
    tenant: String,
    #[command(flatten)]
    config: ConfigOptions,
}

fn field(text: &str) -> Result<Field, String> {
    serde_json::from_value(text.into())
        .map_err(|_| "write tags, note, priority, draft or custom-fields".to_owned())
}

/// Runs the command.
pub async fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Stop { reason, target } => {
            change(&target, "stop.write_back", |settings| settings.stopped = Some(reason)).await
        }
        Command::Resume { target } => {
            change(&target, "resume.write_back", |settings| settings.stopped = None).await
        }
        Command::Set { dry_run, fields, max_per_hour, target } => {
            change(&target, "set.write_back", |settings| {
                settings.dry_run = dry_run.or(settings.dry_run);
                settings.max_per_hour = max_per_hour.or(settings.max_per_hour);
                if let Some(fields) = fields {
                    settings.fields = Some(fields.into_iter().collect());
                }
            })
            .await
        }
        Command::Unset { target } => {
            change(&target, "unset.write_back", |settings| {
                *settings = Settings { stopped: settings.stopped.take(), ..Settings::default() };
            })
            .await
        }
        Command::Show { config } => {
            let process = options::start_quietly(config.load()?, CancellationToken::new()).await?;
            for entity in process.control.list(WRITE_BACK_KIND) {
                let settings: serde_json::Value = serde_json::from_str(&entity.body)?;
                let line = serde_json::json!({
                    "tenant": entity.id,
                    "version": entity.version,
                    "set_at": entity.updated_at,
                    "set_by": entity.updated_by,
                    "settings": settings,
                });
                println!("{line}");
            }
            process.shutdown.cancel();
            Ok(())
        }
    }
}

async fn change(
    target: &Target,
    action: &'static str,
    change: impl FnOnce(&mut Settings),
) -> anyhow::Result<()> {
    let config = target.config.load()?;
    let process = options::start_quietly(config, CancellationToken::new()).await?;
    known(&process, &target.tenant)?;
    let mut settings = match Settings::stored(&process.control, &target.tenant) {
        Ok(settings) => settings,
        // Setting them again is the way out.
        Err(safety::SettingsError::Unreadable(_)) => Settings::default(),
        Err(error) => return Err(error.into()),
    };
    change(&mut settings);
    safety::store(&process.control, &target.tenant, &options::user(), &settings).await?;
    let told = serde_json::to_string(&settings)?;
    let resource = format!("{WRITE_BACK_KIND}/{}", target.tenant);
    println!("write-back of {}: {told}", target.tenant);
    audit_record::done(&process, &target.tenant, action, resource, [("settings", told)]).await?;
    process.shutdown.cancel();
    Ok(())
}

/// A slip of the pen must not look like a switch that was thrown.
fn known(process: &Process, tenant: &str) -> anyhow::Result<()> {
    let configured = process.config.tenants.contains_key(tenant);
    let there = tenant == EVERY_TENANT || configured || process.vault.has_key(tenant);
    anyhow::ensure!(
        there,
        "there is no tenant `{tenant}`: `deskstream keys list` names those that there are"
    );
    Ok(())
}
