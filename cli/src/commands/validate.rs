//! `deskstream validate`: checks configuration and alert rules without touching anything.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

use crate::options::ConfigOptions;
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
    let configured = alerts::configured(&config.alerts)?;
    for channel in &configured.missing_channels {
        println!(
            "note: shipped alert rules name channel `{channel}`, which is not configured: it hears nothing"
        );
    }
    println!("ok: {} tenants, {} alert channels", config.tenants.len(), config.alerts.channels.len());
    Ok(())
}
