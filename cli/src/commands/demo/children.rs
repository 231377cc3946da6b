//! The demo's processes: the samples, the connectors, the pipeline.

use super::setup::{Setup, TENANTS};
use anyhow::{Context, bail};
use deskstream_embedded::process::{Spec, Supervised};
use deskstream_embedded::{Progress, binaries};
use deskstream_samples::{AllStats, PortFile};
use serde_json::json;
use std::ffi::OsString;
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
    pub async fn start(setup: &Setup, progress: &Progress, workers: u16) -> anyhow::Result<Self> {
        let task = progress.task("sample helpdesks");
        let template = format!("http://127.0.0.1:{}/webhooks/zendesk/{{tenant}}", setup.webhooks);
        let args = [
            "samples".to_owned(),
            format!("--tenants={}", TENANTS.join(",")),
            format!("--webhook-url-template={template}"),
            format!("--port-file={}", setup.port_file().display()),
            // What a lossy, impatient internet does: the poller and the ids have something to do.
            "--loss=0.02".to_owned(),
            "--duplicates=0.05".to_owned(),
            "--reordered=0.05".to_owned(),
            "--ignore-stdin".to_owned(),
        ];
        // A port file of an earlier run would be read as this one's.
        let _ = std::fs::remove_file(setup.port_file());
        let mut samples = Supervised::spawn(&spec(setup, "samples", &args)?)?;
        let ports = port_file(setup, &mut samples).await?;
        task.done("up");
        setup.configure(&ports)?;

        let mut services = Vec::new();
        let config = format!("--config={}", setup.config_path().display());
        let workers = format!("--workers={workers}");
        for (name, admin, more) in
            [("connect", setup.admin_connect, None), ("run", setup.admin_run, Some(workers))]
        {
            let task = progress.task(format!("deskstream {name}"));
            let mut args = vec![name.to_owned(), config.clone(), format!("--admin=127.0.0.1:{admin}")];
            args.extend(more);
            let spec = spec(setup, name, &args)?;
            let mut child = Supervised::spawn(&spec)?;
            ready(admin, &mut child).await?;
            services.push((spec, child));
            task.done("ready");
        }
        // The sources of work stop first: connectors, then the pipeline.
        Ok(Self { samples, ports, services, restarts: 0 })
    }

    /// Where the samples are.
    pub fn samples(&self) -> &PortFile {
        &self.ports
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
        if let Ok(answer) = reqwest::get(&url).await {
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
