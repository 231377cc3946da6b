//! `deskstream connectors`: the accounts at helpdesks that this installation serves, and their state.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

mod registered;

use crate::audit_record;
use crate::options::{self, ConfigOptions};
use anyhow::Context;
use deskstream_connectors::helpdesk::connections::{self, Connection, Found, Origin};
use deskstream_connectors::helpdesk::{Account, state};
use deskstream_runtime::Process;
use jiff::Timestamp;
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// List, test, register, change, remove, pause and resume the accounts at helpdesks.
///
/// Running connectors take a change in within a second. Accounts of the configuration file are changed there.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Every account of the file and of the topic control: one JSON object a line. Of secrets the names.
    List {
        #[command(flatten)]
        config: ConfigOptions,
    },
    /// Ask the helpdesk who we are there: needs its address and valid credentials, and changes nothing.
    Test {
        /// The account, as in `acme/zendesk`; without it, all of them.
        account: Option<String>,
        #[command(flatten)]
        config: ConfigOptions,
    },
    /// Let polls and write-backs of an account rest. Webhooks are still taken, and what is to be written waits.
    Pause {
        /// The account, as in `acme/zendesk`.
        account: String,
        /// Why: it is told by `status`.
        #[arg(long, value_name = "WHY", default_value = "")]
        reason: String,
        #[command(flatten)]
        config: ConfigOptions,
    },
    /// Go on where it was paused.
    Resume {
        /// The account, as in `acme/zendesk`.
        account: String,
        #[command(flatten)]
        config: ConfigOptions,
    },
    /// Register an account: it is kept, its secrets encrypted, on the topic control.
    Register(registered::Register),
    /// Change settings and secrets of a registered account; what is not named stays.
    Set(registered::Set),
    /// Remove a registered account, with where its poll stood.
    Remove(registered::Remove),
    /// Search an account's tickets by the helpdesk's own search: one JSON object a line.
    Search {
        /// The account, as in `acme/zendesk`.
        account: String,
        /// In the helpdesk's own words: `tags:ds_urgency_high status:open` at Zendesk, `tag:'ds_urgency_high' AND status:2` at
        /// Freshdesk.
        query: String,
        /// Most tickets.
        #[arg(long, default_value_t = 100, value_name = "N")]
        most: usize,
        #[command(flatten)]
        config: ConfigOptions,
    },
    /// How far polls are, who we are there, what is paused or stopped: one JSON object a line.
    Status {
        /// The account, as in `acme/zendesk`; without it, all of them.
        account: Option<String>,
        #[command(flatten)]
        config: ConfigOptions,
    },
}

/// Runs the command.
pub async fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::List { config } => list(&config).await,
        Command::Register(args) => registered::register(args).await,
        Command::Set(args) => registered::set(args).await,
        Command::Remove(args) => registered::remove(args).await,
        Command::Test { account, config } => test(account.as_deref(), &config).await,
        Command::Pause { account, reason, config } => pause(&account, Some(reason), &config).await,
        Command::Resume { account, config } => pause(&account, None, &config).await,
        Command::Search { account, query, most, config } => search(&account, &query, most, &config).await,
        Command::Status { account, config } => status(account.as_deref(), &config).await,
    }
}

/// The accounts of that name, or all of them.
fn named(process: &Process, name: Option<&str>) -> anyhow::Result<Vec<Box<dyn Account>>> {
    let inventory = connections::inventory(process);
    for (name, error) in inventory.unusable {
        tracing::error!(account = name, %error, "an account in control can't be used");
    }
    let all: Vec<_> = inventory.served.into_iter().map(|found| found.account).collect();
    let Some(name) = name else { return Ok(all) };
    let names: Vec<_> = all.iter().map(|account| account.name()).collect();
    let found: Vec<_> = all.into_iter().filter(|account| account.name() == name).collect();
    anyhow::ensure!(!found.is_empty(), "there is no account `{name}`; there are: {}", names.join(", "));
    Ok(found)
}

async fn list(config: &ConfigOptions) -> anyhow::Result<()> {
    let process = start(config).await?;
    let inventory = connections::inventory(&process);
    for Found { account, origin } in inventory.served {
        let poll = account.poll_interval().map(|every| humantime::format_duration(every).to_string());
        let mut line = json!({ "account": account.name(), "source": "file", "poll": poll });
        if let (Origin::Control(version), Ok(kept)) = (origin, Connection::stored(&process, &account.name()))
        {
            line["source"] = "control".into();
            line["version"] = version.into();
            line["settings"] = kept.settings.into();
            line["secrets"] = kept.secrets.into();
            line["changed_at"] = Timestamp::from_millisecond(kept.changed_at)?.to_string().into();
            line["changed_by"] = kept.changed_by.into();
        }
        println!("{line}");
    }
    for name in inventory.shadowed {
        let why = "not served: the configuration file has an account of that name";
        println!("{}", json!({ "account": name, "source": "control", "shadowed": why }));
    }
    for (name, error) in inventory.unusable {
        let error = deskstream_runtime::telemetry::told(&error);
        println!("{}", json!({ "account": name, "source": "control", "unusable": error }));
    }
    process.shutdown.cancel();
    Ok(())
}

async fn test(name: Option<&str>, config: &ConfigOptions) -> anyhow::Result<()> {
    let process = start(config).await?;
    let mut failed = Vec::new();
    for account in named(&process, name)? {
        let name = account.name();
        match account.admin()?.me().await {
            Ok(user) => println!("{}", json!({ "account": name, "ok": true, "user": user })),
            Err(error) => {
                let fix = format!("check {}", account.settings());
                println!(
                    "{}",
                    json!({ "account": name, "ok": false, "error": error.to_string(), "fix": fix })
                );
                failed.push(name);
            }
        }
    }
    process.shutdown.cancel();
    anyhow::ensure!(failed.is_empty(), "not connected: {}", failed.join(", "));
    Ok(())
}

async fn search(name: &str, query: &str, most: usize, config: &ConfigOptions) -> anyhow::Result<()> {
    let process = start(config).await?;
    let account = named(&process, Some(name))?.into_iter().next().context("there is one")?;
    let admin = account.admin()?;
    let search = admin.search().with_context(|| format!("{} has no search by text", account.platform()))?;
    let found = search.tickets(query, most).await?;
    for hit in &found.hits {
        println!("{}", serde_json::to_string(hit)?);
    }
    process.shutdown.cancel();
    if found.more {
        tracing::error!("there are more: narrow the query, or raise --most");
    }
    Ok(())
}

async fn pause(name: &str, reason: Option<String>, config: &ConfigOptions) -> anyhow::Result<()> {
    let process = start(config).await?;
    let account = named(&process, Some(name))?.into_iter().next().context("there is one")?;
    let action = if reason.is_some() { "pause.connector" } else { "resume.connector" };
    let told = reason.clone().unwrap_or_default();
    state::pause(&process.control, account.as_ref(), &options::user(), reason.as_deref()).await?;
    println!("{name} {}", if reason.is_some() { "is paused" } else { "goes on" });
    audit_record::done(&process, account.tenant(), action, name.to_owned(), [("reason", told)]).await?;
    process.shutdown.cancel();
    Ok(())
}

async fn status(name: Option<&str>, config: &ConfigOptions) -> anyhow::Result<()> {
    let process = start(config).await?;
    for account in named(&process, name)? {
        println!("{}", serde_json::to_string(&state::of(&process, account.as_ref()))?);
    }
    process.shutdown.cancel();
    Ok(())
}

async fn start(config: &ConfigOptions) -> anyhow::Result<Process> {
    options::start_quietly(config.load()?, CancellationToken::new()).await
}
