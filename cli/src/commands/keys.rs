//! `deskstream keys`: what wraps and seals, and its rotation while everything runs.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

use crate::options::{self, ConfigOptions};
use anyhow::Context;
use deskstream_runtime::seal::DATA_KEY_KIND;
use tokio_util::sync::CancellationToken;

/// List tenants' data keys, rotate them, or wrap them with another master key.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigOptions,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Every tenant's data keys: one JSON object a line.
    List,
    /// Give a tenant a new data key: it seals from now on, older ones still open.
    Rotate {
        /// The tenant.
        #[arg(long, value_name = "TENANT")]
        tenant: String,
    },
    /// Wrap every data key anew with what keys.kms and keys.master name, or with the newest version of keys.vault.key.
    /// What has wrapped so far has to be in keys.older or keys.vault until this has ended.
    Rewrap,
}

/// Does it; running processes go on meanwhile.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let config = args.config.load()?;
    let shutdown = CancellationToken::new();
    let process = options::start(config, shutdown.clone()).await?;
    let keys = process.control.list(DATA_KEY_KIND);
    match args.command {
        Command::List => {
            for key in keys {
                let line = serde_json::json!({
                    "id": key.id,
                    "tenant": key.tenant,
                    "made_at": key.updated_at,
                    "wrapped_by": key.secret.as_ref().map(|s| &s.key_id),
                    "seals": process.vault.active_key(&key.tenant).as_deref() == Some(key.id.as_str()),
                    "requesters": process.vault.requester_keys(&key.tenant, None).len(),
                });
                println!("{line}");
            }
        }
        Command::Rotate { tenant } => {
            anyhow::ensure!(
                process.vault.has_key(&tenant),
                "tenant {tenant} has no data key yet: its first event makes one"
            );
            println!("{} seals from now on", process.control.new_data_key(&tenant, "keys").await?);
        }
        Command::Rewrap => {
            let (all, mut rewrapped) = (keys.len(), 0);
            for key in keys {
                let id = key.id.clone();
                let done = process.control.rewrap(key).await.with_context(|| format!("rewrap {id}"))?;
                rewrapped += usize::from(done);
            }
            println!("{rewrapped} of {all} data keys rewrapped by {}", process.vault.master_id());
        }
    }
    shutdown.cancel();
    Ok(())
}
