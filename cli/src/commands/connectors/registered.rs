//! Accounts that are kept in `control`: registered, changed, removed.

use crate::audit_record;
use crate::options::{self, ConfigOptions};
use anyhow::{Context, anyhow, bail};
use deskstream_connectors::helpdesk::connections::{self, Change, Draft};
use deskstream_runtime::Process;
use deskstream_runtime::config::{AccountSettings, Secret, Secrets};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

#[derive(Debug, clap::Args)]
pub(super) struct Register {
    #[command(flatten)]
    given: Given,
}

#[derive(Debug, clap::Args)]
pub(super) struct Set {
    #[command(flatten)]
    given: Given,

    /// A setting to take away: it has its default again.
    #[arg(long, value_name = "NAME")]
    unset: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Remove {
    /// The account, as in `acme/zendesk`.
    account: String,
    #[command(flatten)]
    config: ConfigOptions,
}

#[derive(Debug, clap::Args)]
struct Given {
    /// The account, as in `acme/zendesk`.
    account: String,

    /// A plain setting of [tenants.NAME.HELPDESK]: --setting url=https://acme.zendesk.com --setting poll=60s.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    setting: Vec<(String, String)>,

    /// A secret and where to read it: --secret api_token=env:TOKEN --secret webhook_secret=file:PATH.
    #[arg(long, value_name = "NAME=env:VARIABLE|file:PATH", value_parser = pair)]
    secret: Vec<(String, String)>,

    /// Store it without asking the helpdesk whether it takes us.
    #[arg(long)]
    untested: bool,

    #[command(flatten)]
    config: ConfigOptions,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

impl Given {
    fn change(&self, unset: Vec<String>) -> anyhow::Result<Change> {
        let mut secrets = Secrets::new();
        for (name, origin) in &self.secret {
            let secret = Secret::from(origin.as_str());
            if let Some(problem) = secret.problem() {
                bail!("--secret {name}: {problem}");
            }
            secrets.insert(name.clone(), secret.expose());
        }
        // Numbers, truths and lists are written as in JSON; what is none of these is a text.
        let value = |text: &String| match serde_json::from_str(text) {
            Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::Array(_))) => value,
            _ => Value::from(text.as_str()),
        };
        let settings: AccountSettings =
            self.setting.iter().map(|(name, text)| (name.clone(), value(text))).collect();
        Ok(Change { settings, unset, secrets })
    }

    /// Tries the account and stores it.
    async fn store(
        &self,
        process: &Process,
        draft: Draft,
        action: &'static str,
        done: &str,
    ) -> anyhow::Result<()> {
        if !self.untested {
            let account = draft.account();
            let me = account.admin()?.me().await;
            let user = me.with_context(|| {
                format!("nothing was changed: check {}, or store it --untested", account.settings())
            })?;
            println!("connected as user {user}");
        }
        draft.store(process, &options::user()).await?;
        println!("{} {done}", self.account);
        let names = |pairs: &[(String, String)]| {
            pairs.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(",")
        };
        let detail = [("settings", names(&self.setting)), ("secrets", names(&self.secret))];
        audit_record::done(process, &tenant(&self.account)?, action, self.account.clone(), detail).await?;
        process.shutdown.cancel();
        Ok(())
    }
}

fn tenant(account: &str) -> anyhow::Result<String> {
    Ok(connections::named(account)?.0)
}

async fn start(config: &ConfigOptions) -> anyhow::Result<Process> {
    options::start_quietly(config.load()?, CancellationToken::new()).await
}

pub(super) async fn register(Register { given }: Register) -> anyhow::Result<()> {
    let change = given.change(Vec::new())?;
    let process = start(&given.config).await?;
    let draft = Draft::new(&process, &given.account, change)?;
    let (tenant, helpdesk) = connections::named(&given.account)?;
    given.store(&process, draft, "register.connector", "is registered").await?;
    println!("its webhooks go to https://YOUR-HOST/webhooks/{}/{tenant}", helpdesk.name());
    Ok(())
}

pub(super) async fn set(Set { given, unset }: Set) -> anyhow::Result<()> {
    if given.setting.is_empty() && given.secret.is_empty() && unset.is_empty() {
        return Err(anyhow!("nothing to change: give --setting, --secret or --unset"));
    }
    let change = given.change(unset)?;
    let process = start(&given.config).await?;
    let draft = Draft::of(&process, &given.account, change)?;
    given.store(&process, draft, "set.connector", "is changed").await
}

pub(super) async fn remove(args: Remove) -> anyhow::Result<()> {
    let tenant = tenant(&args.account)?;
    let process = start(&args.config).await?;
    connections::remove(&process, &args.account).await?;
    println!("{} is removed: its webhooks get 404, its polls and write-backs end", args.account);
    audit_record::done(&process, &tenant, "remove.connector", args.account.clone(), []).await?;
    process.shutdown.cancel();
    Ok(())
}
