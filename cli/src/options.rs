//! Flags that several commands share, and how an error reaches the user.
#![allow(clippy::print_stderr, reason = "the command's own error goes to standard error")]

use anyhow::Context;
use deskstream_runtime::config::{self, Config, LogFormat, Overrides};
use deskstream_runtime::{Process, telemetry};
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Where the configuration comes from.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ConfigOptions {
    /// Configuration file (TOML); see `deskstream validate --defaults` for every setting.
    #[arg(long, short, value_name = "FILE", env = "DESKSTREAM_CONFIG")]
    pub config: Option<PathBuf>,

    /// Kafka bootstrap servers, in place of kafka.bootstrap.
    #[arg(long, value_name = "HOST:PORT")]
    pub kafka: Option<String>,

    /// Schema registry, in place of registry.url.
    #[arg(long, value_name = "URL")]
    pub registry: Option<String>,

    /// ClickHouse's HTTP interface, in place of clickhouse.url.
    #[arg(long, value_name = "URL")]
    pub clickhouse: Option<String>,

    /// Any setting: --set pipeline.epoch=20ms.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    pub set: Vec<(String, String)>,
}

/// Flags of processes that run until told to stop.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ServeOptions {
    #[command(flatten)]
    pub config: ConfigOptions,

    /// Address of /metrics, /healthz and /readyz, in place of http.admin.
    #[arg(long, value_name = "HOST:PORT")]
    pub admin: Option<String>,

    /// End when standard input closes, so as never to outlive a parent that holds the other end.
    #[arg(long)]
    pub exit_on_stdin_close: bool,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, e.g. pipeline.epoch=20ms")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

impl ConfigOptions {
    /// Loads and validates the configuration.
    pub fn load(&self) -> anyhow::Result<Config> {
        self.load_with(Vec::new())
    }

    fn load_with(&self, mut more: Overrides) -> anyhow::Result<Config> {
        let named = [
            ("kafka.bootstrap", &self.kafka),
            ("registry.url", &self.registry),
            ("clickhouse.url", &self.clickhouse),
        ];
        let mut overrides: Overrides =
            named.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?))).collect();
        overrides.extend(self.set.iter().cloned());
        overrides.append(&mut more);
        Ok(config::load(self.config.as_deref(), &overrides)?)
    }
}

impl ServeOptions {
    /// Loads the configuration, starts logging, reaches Kafka and the registry, and serves the admin endpoint; none if
    /// the process is told to stop meanwhile.
    pub async fn start(&self) -> anyhow::Result<Option<Process>> {
        let admin = self.admin.iter().map(|a| ("http.admin".to_owned(), a.clone())).collect();
        let config = self.config.load_with(admin)?;
        telemetry::init(&config.log);
        let shutdown = deskstream_runtime::shutdown::on_signals(self.exit_on_stdin_close)?;
        let listen = config.http.admin;
        // Nothing is in flight yet: a start that is not wanted any more is left as it is.
        let process = tokio::select! {
            process = start(config, shutdown.clone()) => process?,
            () = shutdown.cancelled() => return Ok(None),
        };
        let health = process.health.clone();
        let bound =
            deskstream_runtime::admin::serve(listen, health, process.shutdown.clone()).await.with_context(
                || format!("can't listen on {listen} for /metrics: free it, or set http.admin (--admin)"),
            )?;
        tracing::info!(admin = %bound, "admin endpoint is up");
        Ok(Some(process))
    }
}

/// Reaches Kafka and the registry.
pub async fn start(config: Config, shutdown: CancellationToken) -> anyhow::Result<Process> {
    Ok(Process::start(Arc::new(config), shutdown).await?)
}

/// As [`start`], for a command whose answer shall not be mixed with a log.
pub async fn start_quietly(mut config: Config, shutdown: CancellationToken) -> anyhow::Result<Process> {
    config.log.format = LogFormat::Text;
    config.log.filter = "error".to_owned();
    telemetry::init(&config.log);
    start(config, shutdown).await
}

/// Who runs the command, as the audit trail names them.
pub fn user() -> String {
    let name = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).unwrap_or_default();
    if name.is_empty() { "cli".to_owned() } else { format!("cli:{name}") }
}

/// Prints an error with its causes, one a line; a cause that says no more than the line before is left out.
pub fn complain(error: &anyhow::Error) {
    let mut last = error.to_string();
    eprintln!("error: {last}");
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !last.contains(&cause) {
            eprintln!("  because: {cause}");
            last = cause;
        }
    }
}
