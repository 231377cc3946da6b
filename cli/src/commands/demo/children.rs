//! The demo's processes: the samples, the connectors, the pipeline.

use super::setup::{Setup, TENANTS};
use anyhow::{Context, bail};
use deskstream_embedded::process::{Spec, Supervised};
use deskstream_embedded::{Progress, binaries};
use deskstream_samples::{AllStats, PortFile};
use serde_json::json;
use std::ffi::OsString;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// A process that does not get ready within this time never will.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that dies this often is broken, not killed on purpose.
const MOST_RESTARTS: u32 = 100;

/// The running processes.
pub struct Children {
    samples: Supervised,
    ports: PortFile,
    /// In the order in which they are stopped.
    services: Vec<(Spec, Supervised)>,
    restarts: u32,
}

impl Children {
    /// Starts all three and waits until they are ready.
    pub async fn start(
        setup: &Setup,
        progress: &Progress,
        workers: u16,
        sample_flags: &[&str],
    ) -> anyhow::Result<Self> {
        let task = progress.task("sample helpdesks");
        let template = format!("http://127.0.0.1:{}/webhooks/zendesk/{{tenant}}", setup.webhooks);
        let mut args = vec![
            "samples".to_owned(),
            format!("--tenants={}", TENANTS.join(",")),
            format!("--webhook-url-template={template}"),
            format!("--port-file={}", setup.port_file().display()),
            "--ignore-stdin".to_owned(),
        ];
        args.extend(sample_flags.iter().map(|flag| (*flag).to_owned()));
        // A port file of an earlier run would be read as this one's.
        let _ = std::fs::remove_file(setup.port_file());
        let mut samples = Supervised::spawn(&spec(setup, "samples", &args)?)?;
        let ports = port_file(setup, &mut samples).await?;
        task.done("up");
        setup.configure(&ports)?;

        let mut services = Vec::new();
        for (name, admin, workers) in
            [("connect", setup.admin_connect, None), ("run", setup.admin_run, Some(workers))]
        {
            let task = progress.task(format!("deskstream {name}"));
            services.push(service(setup, name, admin, workers).await?);
            task.done("ready");
        }
        // The sources of work stop first: connectors, then the pipeline.
        Ok(Self { samples, ports, services, restarts: 0 })
    }

    /// Takes another process in, which is stopped after the others.
    pub fn add(&mut self, spec: Spec, child: Supervised) {
        self.services.push((spec, child));
    }

    /// Where the samples are.
    pub fn samples(&self) -> &PortFile {
        &self.ports
    }

    /// The processes by name, with their ids.
    pub fn pids(&self) -> Vec<(String, u32)> {
        self.services.iter().map(|(spec, child)| (spec.name.clone(), child.pid())).collect()
    }

    /// How often a process had to be started again.
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Starts again what has died, as an orchestrator would.
    pub fn revive(&mut self) -> anyhow::Result<()> {
        if let Some(error) = self.samples.failure() {
            return Err(error.into());
        }
        for (spec, child) in &mut self.services {
            if let Some(error) = child.failure() {
                if self.restarts >= MOST_RESTARTS {
                    return Err(error.into());
                }
                self.restarts += 1;
                *child = Supervised::spawn(spec)?;
            }
        }
        Ok(())
    }

    /// Ends them, each gracefully.
    pub fn stop(mut self) {
        for (_, child) in &mut self.services {
            child.stop();
        }
        self.samples.stop();
    }
}

/// Starts one of our own services and waits until it is ready.
pub async fn service(
    setup: &Setup,
    name: &str,
    admin: u16,
    workers: Option<u16>,
) -> anyhow::Result<(Spec, Supervised)> {
    service_with(setup, name, admin, workers.map(|n| format!("--workers={n}")).into_iter().collect()).await
}

/// As [`service`], with further flags.
pub async fn service_with(
    setup: &Setup,
    name: &str,
    admin: u16,
    more: Vec<String>,
) -> anyhow::Result<(Spec, Supervised)> {
    let mut args = vec![name.to_owned(), format!("--config={}", setup.config_path().display())];
    args.push(format!("--admin=127.0.0.1:{admin}"));
    args.extend(more);
    let spec = spec(setup, name, &args)?;
    let mut child = Supervised::spawn(&spec)?;
    ready(admin, &mut child).await?;
    Ok((spec, child))
}

fn spec(setup: &Setup, name: &str, args: &[String]) -> anyhow::Result<Spec> {
    Ok(Spec {
        name: format!("deskstream {name}"),
        program: binaries::locate("deskstream")?,
        args: args.iter().map(OsString::from).collect(),
        env: Vec::new(),
        directory: setup.root.clone(),
        log: setup.log(name),
        lock: setup.root.join(format!("{name}.lock")),
        grace: Duration::from_secs(20),
        remove: None,
    })
}

async fn port_file(setup: &Setup, samples: &mut Supervised) -> anyhow::Result<PortFile> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(error) = samples.failure() {
            return Err(error.into());
        }
        if let Ok(text) = std::fs::read_to_string(setup.port_file())
            && let Ok(ports) = serde_json::from_str(&text)
        {
            return Ok(ports);
        }
        if Instant::now() > deadline {
            bail!("the sample helpdesks did not start: see {}", setup.log("samples").display());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn ready(admin: u16, child: &mut Supervised) -> anyhow::Result<()> {
    let url = format!("http://127.0.0.1:{admin}/readyz");
    let deadline = Instant::now() + PATIENCE;
    let mut last = String::from("no answer");
    loop {
        if let Some(error) = child.failure() {
            return Err(error.into());
        }
        if let Ok(answer) = LOCAL.get(&url).send().await {
            if answer.status().is_success() {
                return Ok(());
            }
            last = answer.text().await.unwrap_or_default();
        }
        if Instant::now() > deadline {
            bail!("{url} is not ready within {}s: {last}", PATIENCE.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The samples' remote control.
pub struct Traffic {
    client: reqwest::Client,
    control: String,
}

impl Traffic {
    /// Controls the samples.
    pub fn new(ports: &PortFile) -> Self {
        Self { client: reqwest::Client::new(), control: ports.control_url.clone() }
    }

    /// Sets the number of new tickets per second.
    pub async fn rate(&self, rate: f64) -> anyhow::Result<()> {
        self.post("traffic", &json!({ "rate": rate })).await
    }

    /// Begins an outage of a tenant.
    pub async fn incident(&self, tenant: &str) -> anyhow::Result<()> {
        let incident = json!({ "tenant": tenant, "tickets": 20, "over_ms": 10_000, "seed": 7 });
        self.post("incident", &incident).await
    }

    /// The samples' counts.
    pub async fn stats(&self) -> anyhow::Result<AllStats> {
        let url = format!("{}/__control/stats", self.control.trim_end_matches('/'));
        self.client
            .get(url)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await
            .context("read the samples' counts")
    }

    async fn post(&self, what: &str, body: &serde_json::Value) -> anyhow::Result<()> {
        let url = format!("{}/__control/{what}", self.control.trim_end_matches('/'));
        self.client.post(url).json(body).send().await?.error_for_status()?;
        Ok(())
    }
}

/// What the pipeline says of itself.
#[derive(Debug, Default)]
pub struct Metrics {
    pub events: u64,
    pub enriched: u64,
    /// Decisions to be written back; one that was issued again has one outcome.
    pub commands: u64,
    pub lag: i64,
}

/// One for all requests to our own processes: making a client reads the system's certificates, every time.
static LOCAL: LazyLock<reqwest::Client> = LazyLock::new(reqwest::Client::new);

impl Metrics {
    /// Requests that the console's API has answered.
    pub async fn console_requests(admin: u16) -> u64 {
        let url = format!("http://127.0.0.1:{admin}/metrics");
        let Ok(answer) = LOCAL.get(url).send().await else { return 0 };
        let text = answer.text().await.unwrap_or_default();
        let counts = text.lines().filter(|line| line.starts_with("deskstream_console_requests_total{"));
        counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// Reads its metrics.
    pub async fn of(setup: &Setup) -> Self {
        let url = format!("http://127.0.0.1:{}/metrics", setup.admin_run);
        // A pipeline that is just being restarted says nothing for a moment.
        let Ok(answer) = LOCAL.get(url).send().await else { return Self { lag: -1, ..Self::default() } };
        let text = answer.text().await.unwrap_or_default();
        let repeated = Self::repeated(setup).await;
        let value = |name: &str| {
            let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|v| v.trim().parse::<f64>().ok()).unwrap_or(0.0)
        };
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counters are whole and small"
        )]
        Self {
            events: value("deskstream_pipeline_events_total") as u64,
            enriched: value("deskstream_pipeline_enriched_total") as u64,
            commands: (value("deskstream_pipeline_commands_total") - repeated).max(0.0) as u64,
            lag: value("deskstream_pipeline_lag_records") as i64,
        }
    }

    /// Commands that the connectors had finished before.
    async fn repeated(setup: &Setup) -> f64 {
        let url = format!("http://127.0.0.1:{}/metrics", setup.admin_connect);
        let Ok(answer) = LOCAL.get(url).send().await else { return 0.0 };
        let text = answer.text().await.unwrap_or_default();
        let commands = text.lines().filter_map(|l| l.strip_prefix("deskstream_write_back_commands_total{"));
        let repeated = commands.filter(|labels| labels.contains("result=\"repeated\""));
        repeated.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }
}
