//! `deskstream webhooks`: makes a helpdesk send to us, where it has an API for that.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

use crate::options::ConfigOptions;
use anyhow::{Context, anyhow, bail};
use deskstream_connectors::helpdesk::{self, Admin, Webhooks};
use secrecy::{ExposeSecret, SecretString};
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use url::Url;

/// List, register and delete webhooks at a helpdesk, or change what they sign with.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigOptions,

    /// Whose account.
    #[arg(long, value_name = "TENANT")]
    tenant: String,

    /// Which of the tenant's helpdesks.
    #[arg(long, default_value = "zendesk", value_name = "HELPDESK")]
    helpdesk: String,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Every webhook of the account: one JSON object a line.
    List,
    /// Make a webhook that sends what concerns us, and write what it signs with to a file.
    Register {
        /// Where it shall send to: https://YOUR-HOST/webhooks/HELPDESK/TENANT.
        #[arg(long, value_name = "URL")]
        endpoint: Url,
        /// A new file for the secret, for webhook_secret = "file:PATH"; only you can read it.
        #[arg(long, value_name = "PATH")]
        secret_file: PathBuf,
    },
    /// Give a webhook another secret. Restart `connect` at once: what it signed in between is refused, and the poll
    /// finds it.
    Rotate {
        /// The webhook's id.
        id: String,
        /// The file for the secret; what is in it is replaced.
        #[arg(long, value_name = "PATH")]
        secret_file: PathBuf,
    },
    /// Delete a webhook.
    Delete {
        /// The webhook's id.
        id: String,
    },
}

/// Does it; nothing but the helpdesk is asked.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let admin = admin(&args)?;
    let webhooks: &dyn Webhooks = admin.webhooks().ok_or_else(|| {
        anyhow!(
            "{} has no API for webhooks: an admin makes them there by hand, see the README",
            args.helpdesk
        )
    })?;
    match args.command {
        Command::List => {
            for webhook in webhooks.list().await? {
                let line = serde_json::json!({
                    "id": webhook.id, "name": webhook.name, "endpoint": webhook.endpoint,
                    "active": webhook.active, "subscriptions": webhook.subscriptions,
                });
                println!("{line}");
            }
        }
        Command::Register { endpoint, secret_file } => {
            // Tried first: a webhook whose secret can't be kept is of no use.
            if secret_file.exists() {
                bail!("{} exists: name a new file for the secret", secret_file.display());
            }
            let registered = webhooks.register(endpoint.as_str()).await?;
            keep(&secret_file, &registered.secret)?;
            let done = if registered.existed { "was there already" } else { "is registered" };
            println!("webhook {} {done}; its secret is in {}", registered.webhook.id, secret_file.display());
        }
        Command::Rotate { id, secret_file } => {
            let secret = webhooks.rotate_secret(&id).await?;
            keep(&secret_file, &secret)?;
            println!("webhook {id} signs by the secret in {} from now on", secret_file.display());
        }
        Command::Delete { id } => {
            webhooks.delete(&id).await?;
            println!("webhook {id} is deleted");
        }
    }
    Ok(())
}

fn admin(args: &Args) -> anyhow::Result<Arc<dyn Admin>> {
    let mut options = args.config.clone();
    // Neither is used here, and neither may be there before the first webhook is: only something that can be read.
    let secret = format!("tenants.{}.{}.webhook_secret", args.tenant, args.helpdesk);
    for unused in ["keys.master".to_owned(), secret] {
        options.set.push((unused, "env:PATH".to_owned()));
    }
    let config = options.load()?;
    let accounts = helpdesk::accounts(&config);
    let account = accounts
        .iter()
        .find(|account| account.tenant() == args.tenant && account.platform().as_str() == args.helpdesk);
    let account = account.ok_or_else(|| {
        anyhow!("tenants.{}.{} is not configured: add it, or name another", args.tenant, args.helpdesk)
    })?;
    Ok(account.admin()?)
}

/// Writes beside the file and puts it in its place: a secret is there whole or not at all.
fn keep(path: &Path, secret: &SecretString) -> anyhow::Result<()> {
    let part = path.with_added_extension("part");
    let written = || -> std::io::Result<()> {
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        file.write_all(secret.expose_secret().as_bytes())?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    written().with_context(|| format!("keep the secret in {}; `rotate` gives another", path.display()))
}
