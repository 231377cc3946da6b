//! `deskstream validate`: checks configuration and alert rules without touching anything.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

use crate::options::ConfigOptions;
use deskstream_connectors::{delivery, llm};
use deskstream_pipeline::alerts;
use deskstream_runtime::config::DEFAULTS;

/// Check configuration and alert rules, and say what to fix.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigOptions,

    /// Print every setting with its default and meaning instead.
    #[arg(long)]
    defaults: bool,
}

/// Prints what is wrong, one line each, or that all is well.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if args.defaults {
        print!("{DEFAULTS}");
        return Ok(());
    }
    let config = args.config.load()?;
    // Some settings are only understood by the channel they are for: secrets that are URLs, addresses.
    delivery::check(&config.alerts)?;
    llm::check(&config)?;
    let configured = alerts::configured(&config.alerts)?;
    for channel in &configured.missing_channels {
        println!(
            "note: shipped alert rules name channel `{channel}`, which is not configured: it hears nothing"
        );
    }
    let channels: Vec<_> =
        config.alerts.channels.iter().map(|(name, channel)| format!("{name}: {}", channel.kind())).collect();
    let named = if channels.is_empty() { String::new() } else { format!(" ({})", channels.join(", ")) };
    println!("ok: {} tenants, {} alert channels{named}", config.tenants.len(), channels.len());
    Ok(())
}
