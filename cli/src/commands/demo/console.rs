//! The demo's console: the same `deskstream console` as in production, on loopback.

use super::children::{Children, Metrics, service_with};
use super::setup::Setup;
use anyhow::{Context, bail};
use deskstream_embedded::{Progress, ports};
use deskstream_runtime::config;
use serde::Serialize;
use std::fs;
use std::path::PathBuf;

/// The running console.
pub struct DemoConsole {
    port: u16,
    admin: u16,
    token: PathBuf,
    /// Why it is not where one would look for it.
    moved: Option<String>,
}

/// What the console did.
#[derive(Debug, Clone, Serialize)]
pub struct Counted {
    /// Whether its first page comes.
    pub up: bool,
    /// Requests of its API that were answered.
    pub requests: u64,
}

/// The port that was asked for; else the product's own; else, if somebody has that, a free one.
fn choose(setup: &Setup, asked: Option<u16>) -> anyhow::Result<(u16, Option<String>)> {
    if let Some(port) = asked {
        if port != 0 && !ports::is_free(port) {
            bail!("port {port} of this machine is taken: free it, or give --console-port another one");
        }
        return Ok((if port == 0 { ports::free(1, "the console")?[0] } else { port }, None));
    }
    let usual = config::load(Some(&setup.config_path()), &Vec::new())?.console.listen.port();
    if ports::is_free(usual) {
        return Ok((usual, None));
    }
    let port = ports::free(1, "the console")?[0];
    Ok((port, Some(format!("port {usual} is taken; --console-port chooses another"))))
}

impl DemoConsole {
    /// Starts it beside the others, which it is revived and stopped with.
    pub async fn start(
        setup: &Setup,
        progress: &Progress,
        children: &mut Children,
        asked: Option<u16>,
    ) -> anyhow::Result<Self> {
        let (port, moved) = choose(setup, asked)?;
        let admin = ports::free(1, "the console's metrics")?[0];
        let token = setup.secret_path("first-operator");
        // Of an earlier run: void, and not to be shown.
        match fs::remove_file(&token) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).context("remove the token of an earlier run");
            }
            _ => {}
        }
        let task = progress.task("deskstream console");
        let more = vec![
            format!("--set=console.listen=127.0.0.1:{port}"),
            format!("--bootstrap-token-file={}", token.display()),
        ];
        let (spec, child) = service_with(setup, "console", admin, more).await?;
        children.add(spec, child);
        task.done("ready");
        Ok(Self { port, admin, token, moved })
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The token with which the first operator is made, which the console writes before it is ready; none if an earlier
    /// run on the same data has made one.
    fn token(&self) -> Option<String> {
        Some(fs::read_to_string(&self.token).ok()?.trim().to_owned())
    }

    /// For the welcome. The token stands in the fragment: no browser sends that to a server, and the page takes it out of
    /// the address as soon as it has read it (decision 0027).
    pub fn welcome(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![("console", self.url())];
        if let Some(why) = &self.moved {
            lines.push(("", format!("({why})")));
        }
        if let Some(token) = self.token() {
            let link = format!("{}/first-operator#token={token}", self.url());
            lines.push(("sign in", format!("make the first operator at {link}")));
        }
        lines
    }

    /// Asks it.
    pub async fn counted(&self) -> Counted {
        let answer = reqwest::get(self.url()).await.and_then(reqwest::Response::error_for_status);
        Counted { up: answer.is_ok(), requests: Metrics::console_requests(self.admin).await }
    }
}
