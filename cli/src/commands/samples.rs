//! `deskstream samples` (hidden): sample helpdesks and alert receivers in a process of their own, for the demo,
//! for benchmarks and for trying a connector by hand.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

use anyhow::Context;
use deskstream_samples::zendesk::{Limits, SenderOptions};
use deskstream_samples::{Samples, ServeOptions};
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

/// Run the sample helpdesks and alert receivers until standard input closes or Ctrl-C.
///
/// One Zendesk per tenant, a PagerDuty and a Slack, on free loopback ports. Their addresses and credentials
/// (made anew at each start) go to the port file, or to standard output as one line of JSON; the final counts
/// go to standard output as JSON at the end.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Tenants; each gets a Zendesk of its own.
    #[arg(long, value_delimiter = ',', default_value = "acme", value_name = "NAME")]
    tenants: Vec<String>,

    /// Tickets per second, all tenants together; 0 waits for `POST {control}/__control/traffic`.
    #[arg(long, default_value_t = 0.0, value_name = "N")]
    rate: f64,

    /// Follow-ups (comments, changes of status, priority and tags) per ticket.
    #[arg(long, default_value_t = 0.5, value_name = "N")]
    follow_ups: f64,

    /// Where webhooks go, with {tenant} in it, such as http://127.0.0.1:8080/webhooks/zendesk/{tenant}.
    #[arg(long, value_name = "URL")]
    webhook_url_template: Option<String>,

    /// File to write addresses and credentials to, as JSON, once all are up.
    #[arg(long, value_name = "FILE")]
    port_file: Option<PathBuf>,

    /// Port of the control server; 0 takes a free one.
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    control_port: u16,

    /// Webhook deliveries in flight at once, per tenant.
    #[arg(long, default_value_t = 16, value_name = "N")]
    concurrency: usize,

    /// Share of events that are never delivered, 0 to 1: the poller has to find them.
    #[arg(long, default_value_t = 0.0, value_parser = share, value_name = "SHARE")]
    loss: f64,

    /// Share of deliveries that are sent twice, 0 to 1.
    #[arg(long, default_value_t = 0.0, value_parser = share, value_name = "SHARE")]
    duplicates: f64,

    /// Share of deliveries that are held back so that later ones overtake them, 0 to 1.
    #[arg(long, default_value_t = 0.0, value_parser = share, value_name = "SHARE")]
    reordered: f64,

    /// The account's rate limit: requests per minute. 700 is documented for Enterprise, 2500 for High Volume.
    #[arg(long, default_value_t = 700, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    account_limit: u32,

    /// The account's limit of ticket updates per minute. 100 is documented; large customers get more.
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    update_limit: u32,

    /// No rate limits, and no headers that tell of any.
    #[arg(long, conflicts_with_all = ["account_limit", "update_limit"])]
    no_limits: bool,

    /// What incremental exports leave out of the newest past, in seconds; 60 at the real Zendesk.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    export_margin: u64,

    /// Seed of tickets, losses and follow-ups.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,

    /// Do not end when standard input closes.
    #[arg(long)]
    ignore_stdin: bool,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("must be a number from 0 to 1".to_owned()),
    }
}

/// Runs until standard input closes, Ctrl-C or SIGTERM.
pub async fn run(args: Args) -> anyhow::Result<()> {
    anyhow::ensure!(
        args.rate.is_finite() && args.rate >= 0.0 && args.follow_ups.is_finite() && args.follow_ups >= 0.0,
        "--rate and --follow-ups must not be negative"
    );
    let to_stdout = args.port_file.is_none();
    let samples = Samples::start(ServeOptions {
        tenants: args.tenants,
        rate: args.rate,
        follow_ups: args.follow_ups,
        webhook_url_template: args.webhook_url_template,
        sender: SenderOptions {
            concurrency: args.concurrency,
            loss: args.loss,
            duplicates: args.duplicates,
            reordered: args.reordered,
            ..SenderOptions::default()
        },
        limits: if args.no_limits {
            Limits::none()
        } else {
            Limits::raised(args.account_limit, args.update_limit)
        },
        export_margin: Duration::from_secs(args.export_margin),
        control_port: args.control_port,
        seed: args.seed,
        port_file: args.port_file,
    })
    .await?;
    if to_stdout {
        println!("{}", serde_json::to_string(samples.ports())?);
    }
    until_told(args.ignore_stdin).await?;
    let stats = samples.stats();
    samples.shutdown().await;
    println!("{}", serde_json::to_string(&stats)?);
    Ok(())
}

async fn until_told(ignore_stdin: bool) -> anyhow::Result<()> {
    let (closed, stdin) = tokio::sync::oneshot::channel::<()>();
    // A thread of its own and not tokio's stdin: a blocked read there would hold up the end of the runtime.
    let held = if ignore_stdin {
        Some(closed)
    } else {
        std::thread::Builder::new()
            .name("stdin".to_owned())
            .spawn(move || {
                let mut buffer = [0; 256];
                while matches!(std::io::stdin().read(&mut buffer), Ok(1..)) {}
                drop(closed);
            })
            .context("could not watch standard input")?;
        None
    };
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .context("could not listen for SIGTERM")?;
    tokio::select! {
        _ = stdin => {}
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    drop(held);
    Ok(())
}
