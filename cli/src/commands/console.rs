//! `deskstream console`: the REST API and web UI.
#![allow(clippy::print_stdout, reason = "the bootstrap token is for the terminal, and for no log")]

use crate::options::ServeOptions;
use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Run the console: sign-in, inbox, audit trail, settings, live numbers; as REST API and web UI.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    serve: ServeOptions,

    /// Write the one-time token, with which the first operator is made, into this file in place of the terminal.
    #[arg(long, value_name = "FILE")]
    bootstrap_token_file: Option<PathBuf>,
}

/// Runs until shutdown; open requests are finished.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let Some(process) = args.serve.start().await? else { return Ok(()) };
    let console = deskstream_console::start(&process).await?;
    let config = &process.config.console;
    if let Some(token) = &console.bootstrap {
        if let Some(file) = &args.bootstrap_token_file {
            write(file, token).with_context(|| format!("write the bootstrap token to {}", file.display()))?;
        } else {
            let scheme = if config.certificate.is_some() { "https" } else { "http" };
            let url = config.public_url.as_ref().map_or_else(
                || format!("{scheme}://{}", console.server.address),
                |url| url.as_str().trim_end_matches('/').to_owned(),
            );
            println!(
                "There is no operator yet. Make one at {url}/first-operator with this token, which works once:"
            );
            println!("{}", token.expose_secret());
        }
    }
    console.part.ready();
    console.server.ended.await?;
    Ok(())
}

/// Readable by its owner only, whatever was there before.
fn write(file: &Path, token: &SecretString) -> std::io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    writeln!(file, "{}", token.expose_secret())
}
