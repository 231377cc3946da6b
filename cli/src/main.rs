//! The `deskstream` command: every process of the product and every tool around it.

mod audit_record;
mod commands;
mod options;

use clap::{Parser, Subcommand};
use commands::{
    alerts, audit, backfill, bench, compare, connect, connectors, console, dead_letters, demo, doctor, erase,
    eval, import, keys, migrate, model, policy, redact, registry, run, samples, trace, train, validate,
    webhooks, write_back,
};
use deskstream_runtime::config::{Config, LogFormat};
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;

/// The system's allocator gives memory back too seldom for a process that runs for months.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Deskstream: helpdesk traffic in; redacted, classified tickets, live metrics, alerts and write-backs out.
#[derive(Parser)]
#[command(name = "deskstream", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything on this machine with sample helpdesks: real Kafka, real ClickHouse engine, no accounts.
    Demo(demo::Args),
    /// Run the connectors: webhooks, polls, write-backs, alert delivery, ClickHouse sink.
    Connect(connect::Args),
    /// List, test, register, change, remove, pause and resume the accounts at helpdesks.
    Connectors(connectors::Args),
    /// Run the pipeline: redaction, analysis, windows, alert rules.
    Run(run::Args),
    /// Run the console: REST API and web UI for operators, admins, agents, reviewers and auditors.
    Console(console::Args),
    /// Create topics, register schemas and bring ClickHouse's tables up to date.
    Migrate(migrate::Args),
    /// Import tickets from a CSV, JSONL or Zendesk export file.
    Import(import::Args),
    /// Read the tickets of the last months from the helpdesk.
    Backfill(backfill::Args),
    /// List, register and delete webhooks at a helpdesk, or change what they sign with.
    Webhooks(webhooks::Args),
    /// Erase a requester, or a whole tenant: destroy keys, delete rows, leave an audit record.
    Erase(erase::Args),
    /// List tenants' data keys, rotate them, or wrap them with another master key.
    Keys(keys::Args),
    /// List the alerts that fire, or say who takes care of one.
    Alerts(alerts::Args),
    /// Verify the audit trail, or show the keys that sign it.
    Audit(audit::Args),
    /// Check, set, show and remove redaction policies.
    Policy(policy::Args),
    /// Stop write-backs, or say what they may do, while everything runs.
    WriteBack(write_back::Args),
    /// Redact text, or explain and measure redaction.
    Redact(redact::Args),
    /// Show dead letters, or send them again.
    DeadLetters(dead_letters::Args),
    /// Show a ticket's way through the stages.
    Trace(trace::Args),
    /// Train the local models.
    Train(train::Args),
    /// Measure a model on labelled data.
    Eval(eval::Args),
    /// Compare two models over the tickets of the past.
    Compare(compare::Args),
    /// Promote a model, roll back, or try one in the shadow.
    Model(model::Args),
    /// Check configuration and alert rules, and say what to fix.
    Validate(validate::Args),
    /// Check what this machine has and what can be reached.
    Doctor(doctor::Args),
    /// Measure stages, throughput and latency on this machine.
    Bench(bench::Args),
    /// Run the embedded schema registry alone.
    Registry(registry::Args),
    /// Run the sample helpdesks and alert receivers.
    #[command(hide = true)]
    Samples(samples::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    deskstream_runtime::install_crypto_provider();
    match dispatch(cli.command) {
        Ok(code) => code,
        Err(error) => {
            options::complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    let done = |()| ExitCode::SUCCESS;
    match command {
        Command::Redact(args) => return redact::run(args).map(done),
        Command::Train(args) => return train::run(args).map(done),
        Command::Eval(args) => return eval::run(args).map(done),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("tokio").build()?;
    let result = runtime.block_on(async {
        match command {
            Command::Demo(args) => demo::run(args).await,
            Command::Connect(args) => connect::run(args).await.map(done),
            Command::Run(args) => run::run(args).await.map(done),
            Command::Console(args) => console::run(args).await.map(done),
            Command::Migrate(args) => migrate::run(args).await.map(done),
            Command::Import(args) => import(args).await.map(done),
            Command::Backfill(args) => {
                let (config, shutdown) = quiet(args.config.load()?)?;
                backfill::run(args, options::start(config, shutdown).await?).await.map(done)
            }
            Command::Webhooks(args) => webhooks::run(args).await.map(done),
            Command::Erase(args) => erase::run(args).await.map(done),
            Command::Keys(args) => keys::run(args).await.map(done),
            Command::Alerts(args) => alerts::run(args).await.map(done),
            Command::Audit(args) => audit::run(args).await,
            Command::Policy(args) => policy::run(args).await.map(done),
            Command::Connectors(args) => connectors::run(args).await.map(done),
            Command::WriteBack(args) => write_back::run(args).await.map(done),
            Command::DeadLetters(args) => dead_letters::run(args).await.map(done),
            Command::Model(args) => model::run(args).await.map(done),
            Command::Compare(args) => compare::run(args).await.map(done),
            Command::Bench(args) => bench::run(args).await.map(done),
            Command::Doctor(args) => doctor::run(args).await,
            Command::Registry(args) => registry::run(args).await.map(done),
            Command::Validate(args) => validate::run(&args).map(done),
            Command::Trace(args) => trace::run(args).await.map(done),
            Command::Samples(args) => samples::run(args).await.map(done),
            Command::Redact(_) | Command::Train(_) | Command::Eval(_) => unreachable!("handled above"),
        }
    });
    // A task stuck in a blocking call must not keep a finished process alive.
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    result
}

async fn import(args: import::Args) -> anyhow::Result<()> {
    let (config, shutdown) = quiet(args.config.load()?)?;
    import::run(args, options::start(config, shutdown).await?).await
}

/// The progress bar has the terminal; what goes wrong still shows.
fn quiet(mut config: Config) -> anyhow::Result<(Config, CancellationToken)> {
    config.log.format = LogFormat::Text;
    config.log.filter = "warn".to_owned();
    deskstream_runtime::telemetry::init(&config.log);
    Ok((config, deskstream_runtime::shutdown::on_signals(false)?))
}
