//! `deskstream connectors`: the accounts at helpdesks that this installation serves, and their state.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

use crate::audit_record;
use crate::options::{self, ConfigOptions};
use anyhow::Context;
use deskstream_connectors::helpdesk::{self, Account, state};
use deskstream_runtime::Process;
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// List, test, pause and resume the accounts at helpdesks. Running connectors take a change in within a second.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Every account of the configuration: one JSON object a line.
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
        Command::List { config } => {
            for account in helpdesk::accounts(&config.load()?) {
                let poll = account.poll_interval().map(|every| humantime::format_duration(every).to_string());
                println!("{}", json!({ "account": account.name(), "poll": poll }));
            }
            Ok(())
        }
        Command::Test { account, config } => test(account.as_deref(), &config).await,
        Command::Pause { account, reason, config } => pause(&account, Some(reason), &config).await,
        Command::Resume { account, config } => pause(&account, None, &config).await,
        Command::Status { account, config } => status(account.as_deref(), &config).await,
    }
}

/// The accounts of that name, or all of them.
fn named(config: &ConfigOptions, name: Option<&str>) -> anyhow::Result<Vec<Box<dyn Account>>> {
    let all = helpdesk::accounts(&config.load()?);
    let Some(name) = name else { return Ok(all) };
    let names: Vec<_> = all.iter().map(|account| account.name()).collect();
    let found: Vec<_> = all.into_iter().filter(|account| account.name() == name).collect();
    anyhow::ensure!(!found.is_empty(), "there is no account `{name}`; there are: {}", names.join(", "));
    Ok(found)
}

async fn test(name: Option<&str>, config: &ConfigOptions) -> anyhow::Result<()> {
    let mut failed = Vec::new();
    for account in named(config, name)? {
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
    anyhow::ensure!(failed.is_empty(), "not connected: {}", failed.join(", "));
    Ok(())
}

async fn pause(name: &str, reason: Option<String>, config: &ConfigOptions) -> anyhow::Result<()> {
    let account = named(config, Some(name))?.into_iter().next().context("there is one")?;
    let process = start(config).await?;
    let action = if reason.is_some() { "pause.connector" } else { "resume.connector" };
    let told = reason.clone().unwrap_or_default();
    state::pause(&process.control, account.as_ref(), &options::user(), reason.as_deref()).await?;
    println!("{name} {}", if reason.is_some() { "is paused" } else { "goes on" });
    audit_record::done(&process, account.tenant(), action, name.to_owned(), [("reason", told)]).await?;
    process.shutdown.cancel();
    Ok(())
}

async fn status(name: Option<&str>, config: &ConfigOptions) -> anyhow::Result<()> {
    let accounts = named(config, name)?;
    let process = start(config).await?;
    for account in accounts {
        println!("{}", serde_json::to_string(&state::of(&process, account.as_ref()))?);
    }
    process.shutdown.cancel();
    Ok(())
}

async fn start(config: &ConfigOptions) -> anyhow::Result<Process> {
    options::start_quietly(config.load()?, CancellationToken::new()).await
}
