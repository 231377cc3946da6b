//! `deskstream demo`: the whole product on this machine, with sample helpdesks in place of accounts.
//!
//! The demo is an operator: it starts Kafka, the registry and ClickHouse, writes a configuration, and runs the
//! same `deskstream connect`, `deskstream run` and `deskstream console` that one would run in production. Nothing it starts outlives it.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

pub mod children;
mod console;
mod desks;
pub mod setup;
pub mod summary;

use anyhow::Context;
use children::{Children, Traffic};
use console::DemoConsole;
use desks::Desks;
use deskstream_embedded::{ClickHouseEndpoint, Platform, PlatformOptions, Progress};
use deskstream_runtime::shutdown;
use secrecy::SecretString;
use setup::Setup;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use summary::Summary;
use url::Url;

/// The picture of the running demo is drawn anew so often.
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// What a lossy, impatient internet does: the poller and the ids have something to do. Accounts with raised limits,
/// as of a company with an outage like the demo's: at Zendesk's usual 100 updates a minute it would wait for minutes.
const LIFELIKE: [&str; 5] =
    ["--loss=0.02", "--duplicates=0.05", "--reordered=0.05", "--account-limit=2500", "--update-limit=300"];

/// When the traffic has stopped, what is on its way may take so long to arrive.
const DRAIN: Duration = Duration::from_secs(60);

/// Run everything on this machine with sample helpdesks: real Kafka, real ClickHouse engine, no accounts.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// End by itself after this time, and print a summary: 60s, 5m.
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,

    /// New tickets per second, all tenants together. Zendesk takes 100 updates a minute from each tenant.
    #[arg(long, default_value_t = 1.0, value_name = "N")]
    rate: f64,

    /// Workers of the pipeline.
    #[arg(long, short, default_value_t = 1, value_name = "N")]
    workers: u16,

    /// Port of the console; 8090, or a free one if that is taken.
    #[arg(long, value_name = "PORT")]
    console_port: Option<u16>,

    /// Keep data, configuration and logs in this folder; without it they are temporary.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// Kafka to use in place of the embedded one.
    #[arg(long, value_name = "HOST:PORT")]
    kafka: Option<String>,

    /// Schema registry to use in place of the embedded one.
    #[arg(long, value_name = "URL")]
    registry: Option<Url>,

    /// ClickHouse to use in place of the embedded one; user and password may stand in the URL.
    #[arg(long, value_name = "URL")]
    clickhouse: Option<Url>,

    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs until Ctrl-C, or for the given time.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let stop = shutdown::on_signals(false)?;
    let progress = Progress::auto();
    let folder = setup::folder(args.data.clone())?;
    let mut options = PlatformOptions::new(folder.path().join("platform"));
    options.kafka = args.kafka.clone();
    options.registry = args.registry.clone();
    options.clickhouse = args.clickhouse.as_ref().map(endpoint);
    options.progress = progress.clone();
    let platform = tokio::select! {
        started = Platform::start(options) => started?,
        () = stop.cancelled() => return Ok(ExitCode::SUCCESS),
    };
    let setup = Setup::write(folder.path(), &platform)?;
    let mut children = Children::start(&setup, &progress, args.workers, &LIFELIKE).await?;
    let console = DemoConsole::start(&setup, &progress, &mut children, args.console_port).await?;
    let desks = Desks::start(&setup, args.rate).await.context("start the sample Freshdesk and Intercom")?;
    let ended = tokio::select! {
        ended = present(&args, &setup, &mut children, &console, &desks) => ended,
        () = stop.cancelled() => Ok(None),
    };
    desks.stop().await;
    let restarts = children.restarts();
    tokio::task::spawn_blocking(move || children.stop()).await?;
    platform.shutdown().await;
    if let Some(summary) = ended? {
        if args.json {
            println!("{}", summary.json()?);
        } else {
            print!("{summary}");
        }
        if !summary.sound() || restarts > 0 {
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Lets the demo run; a summary if it was to end by itself.
async fn present(
    args: &Args,
    setup: &Setup,
    children: &mut Children,
    console: &DemoConsole,
    desks: &Desks,
) -> anyhow::Result<Option<Summary>> {
    if !args.json {
        print!("{}", setup.welcome(children.samples(), &console.welcome(), &desks.welcome()));
    }
    let traffic = Traffic::new(children.samples());
    traffic.rate(args.rate).await.context("start the sample helpdesks' traffic")?;
    let started = Instant::now();
    let mut incident = false;
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        children.revive()?;
        // Some seconds in, one tenant has an outage: urgent, angry tickets, and an alert.
        if !incident && started.elapsed() > Duration::from_secs(8) {
            incident = true;
            traffic.incident(setup::TENANTS[0]).await.context("begin the incident")?;
        }
        let elapsed = started.elapsed();
        if !args.json
            && elapsed.as_secs().is_multiple_of(REPORT_EVERY.as_secs())
            && elapsed.subsec_millis() < 500
        {
            let summary = Summary::take(setup, &traffic, desks.acknowledged()).await?;
            println!("{}", summary.line(elapsed));
        }
        if args.duration.is_some_and(|d| elapsed >= d) {
            break;
        }
    }
    traffic.rate(0.0).await.context("stop the traffic")?;
    desks.rate(0.0);
    let deadline = Instant::now() + DRAIN;
    loop {
        let summary = Summary::take(setup, &traffic, desks.acknowledged()).await?;
        if summary.settled() || Instant::now() > deadline {
            return Ok(Some(Summary { console: Some(console.counted().await), ..summary }));
        }
        children.revive()?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn endpoint(url: &Url) -> ClickHouseEndpoint {
    let user = if url.username().is_empty() { "default" } else { url.username() };
    let mut bare = url.clone();
    // A URL that can't carry a user has none to remove.
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    ClickHouseEndpoint {
        url: bare,
        user: user.to_owned(),
        password: SecretString::from(url.password().unwrap_or_default()),
    }
}
