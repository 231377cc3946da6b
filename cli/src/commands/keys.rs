//! `deskstream keys`: what wraps and seals, and its rotation while everything runs.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

use crate::options::{self, ConfigOptions};
use anyhow::Context;
use deskstream_runtime::seal::DATA_KEY_KIND;
use deskstream_runtime::time::now_ms;
use tokio_util::sync::CancellationToken;

/// List tenants' data keys, or rotate them or the master key.
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
    /// Wrap every data key with keys.master anew. Put the master key used so far into keys.older first, in every
    /// process's configuration; once this has ended it can be taken out.
    RotateMaster,
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
                    "usable": process.vault.knows(&key.id),
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
            let id = format!("{:x}-{:08x}", now_ms(), std::process::id());
            let key = process.vault.new_data_key(&tenant, &id, "keys");
            process.control.put(&key).await?;
            println!("{} seals from now on", key.id);
        }
        Command::RotateMaster => {
            let (all, mut rewrapped) = (keys.len(), 0);
            for key in keys {
                let new = process.vault.rewrap(&key).with_context(|| {
                    format!("unwrap data key {}: is the master key that wrapped it in keys.older?", key.id)
                })?;
                if let Some(new) = new {
                    process.control.put(&new).await?;
                    rewrapped += 1;
                }
            }
            println!("{rewrapped} of {all} data keys rewrapped by {}", process.vault.master_id());
        }
    }
    shutdown.cancel();
    Ok(())
}
