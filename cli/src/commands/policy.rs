//! `deskstream policy`: redaction policies, of the installation and of each tenant.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

use crate::audit_record;
use crate::options::{self, ConfigOptions};
use anyhow::Context;
use deskstream_pipeline::policy::{self, POLICY_KIND};
use deskstream_redact::{PiiKind, RedactConfig, Redactor};
use deskstream_runtime::Process;
use deskstream_schemas::EVERY_TENANT;
use std::path::{Path, PathBuf};
use tokio_util::sync::CancellationToken;

/// Check, set, show and remove redaction policies. Running pipelines take a change in within moments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check a policy file: kinds, patterns against their own examples, lists. Touches nothing.
    Check {
        /// The policy, in YAML, JSON or TOML.
        file: PathBuf,
    },
    /// Make a policy file a tenant's policy; it stands for the installation's as a whole.
    Set {
        /// The policy, in YAML, JSON or TOML.
        file: PathBuf,
        #[command(flatten)]
        target: Target,
    },
    /// Print a tenant's policy as it is stored, as JSON.
    Get {
        #[command(flatten)]
        target: Target,
    },
    /// List the policies: whose, which version, when and by whom, and how many rules.
    List {
        #[command(flatten)]
        config: ConfigOptions,
    },
    /// Remove a tenant's policy: the installation's holds for it again.
    Remove {
        #[command(flatten)]
        target: Target,
    },
    /// Print what a value looks like in the tenant's redacted text under `hash` and `pseudonym`, to search for it.
    Find {
        /// The kind that it is found as.
        #[arg(long)]
        kind: PiiKind,
        /// File that holds the value, so that it does not stay in the shell's history; `-` for standard input.
        #[arg(value_name = "FILE")]
        value: PathBuf,
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Debug, clap::Args)]
struct Target {
    /// The tenant, or `*` for the installation's policy.
    #[arg(long, short)]
    tenant: String,
    #[command(flatten)]
    config: ConfigOptions,
}

/// Runs the command.
pub async fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Check { file } => {
            let policy = load(&file)?;
            println!("ok: {}", describe(&policy));
            Ok(())
        }
        Command::Set { file, target } => set(&file, target).await,
        Command::Get { target } => {
            let process = start(&target.config).await?;
            let entity =
                process.control.get(POLICY_KIND, &target.tenant).with_context(|| none(&target.tenant))?;
            println!("{}", serde_json::to_string_pretty(&policy::read(&process.vault, &entity)?)?);
            Ok(())
        }
        Command::List { config } => list(&start(&config).await?),
        Command::Remove { target } => remove(target).await,
        Command::Find { kind, value, target } => find(kind, &value, target).await,
    }
}

/// Reads a policy file and checks all of it.
///
/// # Errors
/// If it can't be read, is no policy, or can't be used.
pub fn load(file: &Path) -> anyhow::Result<RedactConfig> {
    let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let is_toml = file.extension().is_some_and(|extension| extension == "toml");
    let policy: RedactConfig = if is_toml {
        toml::from_str(&text).with_context(|| format!("{} is no policy", file.display()))?
    } else {
        serde_saphyr::from_str(&text).with_context(|| format!("{} is no policy", file.display()))?
    };
    Redactor::check(&policy).with_context(|| format!("{} can't be used", file.display()))?;
    Ok(policy)
}

fn describe(policy: &RedactConfig) -> String {
    let by_field: usize = policy.fields.values().map(std::collections::BTreeMap::len).sum();
    format!(
        "{} kinds with a policy of their own, {by_field} by field, {} patterns, {} values allowed, {} denied{}",
        policy.policies.len(),
        policy.patterns.len(),
        policy.allow.len(),
        policy.deny.len(),
        if policy.needs_key() { "; pseudonyms or hashes under the tenant's key" } else { "" },
    )
}

fn none(tenant: &str) -> String {
    match tenant {
        EVERY_TENANT => {
            "the installation has no policy of its own: everything that is found is masked".to_owned()
        }
        tenant => format!("tenant `{tenant}` has no policy of its own"),
    }
}

async fn start(config: &ConfigOptions) -> anyhow::Result<Process> {
    options::start_quietly(config.load()?, CancellationToken::new()).await
}

async fn set(file: &Path, target: Target) -> anyhow::Result<()> {
    let policy = load(file)?;
    let process = start(&target.config).await?;
    let by = options::user();
    let version = policy::store(&process.control, &process.vault, &target.tenant, &by, &policy).await?;
    audit(&process, "set.redaction_policy", &target.tenant, version).await?;
    println!("policy of {}, version {version}: {}", target.tenant, describe(&policy));
    process.shutdown.cancel();
    Ok(())
}

async fn remove(target: Target) -> anyhow::Result<()> {
    let process = start(&target.config).await?;
    let entity = process.control.get(POLICY_KIND, &target.tenant).with_context(|| none(&target.tenant))?;
    process.control.remove(POLICY_KIND, &target.tenant).await?;
    audit(&process, "remove.redaction_policy", &target.tenant, entity.version).await?;
    println!("removed the policy of {}, version {}", target.tenant, entity.version);
    process.shutdown.cancel();
    Ok(())
}

fn list(process: &Process) -> anyhow::Result<()> {
    for entity in process.control.list(POLICY_KIND) {
        let usable = policy::read(&process.vault, &entity)
            .and_then(|policy| Ok(Redactor::check(&policy).map(|()| describe(&policy))?));
        let told =
            usable.unwrap_or_else(|error| format!("REFUSED, its events go to the dead letter: {error}"));
        let at = jiff::Timestamp::from_millisecond(entity.updated_at)?;
        println!("{}\tversion {}\t{at}\tby {}\t{told}", entity.id, entity.version, entity.updated_by);
    }
    process.shutdown.cancel();
    Ok(())
}

async fn find(kind: PiiKind, value: &Path, target: Target) -> anyhow::Result<()> {
    let value = if value.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())?
    } else {
        std::fs::read_to_string(value).with_context(|| format!("read {}", value.display()))?
    };
    let process = start(&target.config).await?;
    let key = policy::pseudonym_key(&process.vault, &target.tenant);
    let key = key.with_context(|| format!("tenant `{}` has no data key yet", target.tenant))?;
    println!("[{kind} #{}]", key.hash(kind, value.trim()));
    println!("[{kind} {}]", key.pseudonym(kind, value.trim()));
    audit(&process, "find.value", &target.tenant, 0).await?;
    process.shutdown.cancel();
    Ok(())
}

async fn audit(process: &Process, action: &'static str, tenant: &str, version: i64) -> anyhow::Result<()> {
    let resource = format!("{POLICY_KIND}/{tenant}");
    audit_record::done(process, tenant, action, resource, [("version", version.to_string())]).await
}
