//! All samples in one process, for the demo and for tests of the whole product.
//!
//! Each tenant gets a Zendesk of its own, on its own port, as each has its own subdomain in reality. A control
//! server sums up their counts. Addresses and credentials are written to a port file as JSON ([`PortFile`]).

use crate::http_server::Server;
use crate::ids;
use crate::pagerduty::{self, PagerDuty};
use crate::slack::{self, Slack};
use crate::zendesk::{self, Incident, Limits, SUBSCRIPTIONS, SenderOptions, Traffic, Zendesk};
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What [`Samples::start`] starts.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Names of the tenants; at least one.
    pub tenants: Vec<String>,
    /// Tickets per second, all tenants together; 0 starts paused.
    pub rate: f64,
    /// Follow-ups per ticket.
    pub follow_ups: f64,
    /// Where webhooks go, with `{tenant}` in it; none are created if absent.
    pub webhook_url_template: Option<String>,
    /// Webhook delivery.
    pub sender: SenderOptions,
    /// Rate limits of each Zendesk.
    pub limits: Limits,
    /// What each incremental export leaves out; one minute at the real one.
    pub export_margin: Duration,
    /// Port of the control server; 0 takes a free one.
    pub control_port: u16,
    /// Seed of tickets and accidents.
    pub seed: u64,
    /// File to write a [`PortFile`] to when all are up.
    pub port_file: Option<PathBuf>,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            tenants: vec!["acme".to_owned()],
            rate: 0.0,
            follow_ups: 0.5,
            webhook_url_template: None,
            sender: SenderOptions::default(),
            limits: Limits::default(),
            export_margin: Duration::from_secs(60),
            control_port: 0,
            seed: 1,
            port_file: None,
        }
    }
}

/// Where one tenant's Zendesk is, and how to talk to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantPorts {
    /// Name of the tenant.
    pub tenant: String,
    /// Base address of its Zendesk.
    pub zendesk_url: String,
    /// Account id.
    pub account_id: u64,
    /// User of the API token.
    pub email: String,
    /// API token.
    pub api_token: String,
    /// OAuth token.
    pub bearer_token: String,
    /// The API user's id, which events of its own writes carry as actor.
    pub api_user_id: u64,
    /// The webhook's id, if one was created.
    pub webhook_id: Option<String>,
    /// The webhook's signing secret, if one was created.
    pub webhook_secret: Option<String>,
}

/// Where everything is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortFile {
    /// Base address of the control server.
    pub control_url: String,
    /// The tenants.
    pub tenants: Vec<TenantPorts>,
    /// Address for PagerDuty events.
    pub pagerduty_url: String,
    /// A routing key for them.
    pub pagerduty_routing_key: String,
    /// Base address of the sample PagerDuty, for its `/__control`.
    pub pagerduty_control_url: String,
    /// Slack's incoming webhook.
    pub slack_webhook_url: String,
    /// Base address of the sample Slack, for its `/__control`.
    pub slack_control_url: String,
}

/// All counts; `GET /__control/stats` of the control server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AllStats {
    /// Sum over all tenants.
    pub zendesk: zendesk::Stats,
    /// By tenant.
    pub tenants: BTreeMap<String, zendesk::Stats>,
    /// PagerDuty.
    pub pagerduty: pagerduty::Stats,
    /// Slack.
    pub slack: slack::Stats,
}

/// Why the samples could not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// No tenant was named.
    #[error("no tenant was given for the sample services: name at least one")]
    NoTenant,
    /// A name that cannot stand in a URL, or stands twice.
    #[error(
        "tenant {0:?} of the sample services is not usable: give each a name of its own, of a-z, 0-9, - and _"
    )]
    BadTenant(String),
    /// A port could not be opened.
    #[error("could not start the sample {service}")]
    Start {
        /// Which one.
        service: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The port file could not be written.
    #[error("could not write the port file {}", path.display())]
    PortFile {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

struct Parts {
    tenants: Vec<(String, Zendesk)>,
    pagerduty: PagerDuty,
    slack: Slack,
    traffic: Traffic,
}

impl Parts {
    fn stats(&self) -> AllStats {
        let tenants: BTreeMap<_, _> =
            self.tenants.iter().map(|(name, zendesk)| (name.clone(), zendesk.stats())).collect();
        let mut sum = zendesk::Stats::default();
        for stats in tenants.values() {
            sum.add(stats);
        }
        AllStats { zendesk: sum, tenants, pagerduty: self.pagerduty.stats(), slack: self.slack.stats() }
    }

    fn set_rate(&self, rate: f64) {
        let share = rate / self.tenants.len() as f64;
        for (_, zendesk) in &self.tenants {
            zendesk.set_traffic(Traffic { rate: share, ..self.traffic.clone() });
        }
    }
}

/// All samples, running. Dropping it ends them.
pub struct Samples {
    parts: Arc<Parts>,
    control: Server,
    ports: PortFile,
}

impl std::fmt::Debug for Samples {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Samples").field("control", &self.control.url()).finish_non_exhaustive()
    }
}

impl Samples {
    /// Starts everything and writes the port file, if one is wanted.
    pub async fn start(options: ServeOptions) -> Result<Self, ServeError> {
        if options.tenants.is_empty() {
            return Err(ServeError::NoTenant);
        }
        for (i, name) in options.tenants.iter().enumerate() {
            let plain =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
            if name.is_empty() || !name.bytes().all(plain) || options.tenants[..i].contains(name) {
                return Err(ServeError::BadTenant(name.clone()));
            }
        }
        let failed = |service| move |source| ServeError::Start { service, source };
        let traffic = Traffic { rate: 0.0, follow_ups: options.follow_ups, total: None, seed: options.seed };
        let pagerduty = PagerDuty::start(pagerduty::Options::default()).await.map_err(failed("PagerDuty"))?;
        let slack = Slack::start(slack::Options::default()).await.map_err(failed("Slack"))?;
        let mut tenants = Vec::with_capacity(options.tenants.len());
        let mut tenant_ports = Vec::with_capacity(options.tenants.len());
        for (name, number) in options.tenants.iter().zip(1_u64..) {
            let (zendesk, ports) =
                start_tenant(name, number, &options, &traffic).await.map_err(failed("Zendesk"))?;
            tenants.push((name.clone(), zendesk));
            tenant_ports.push(ports);
        }
        let parts = Arc::new(Parts { tenants, pagerduty, slack, traffic });
        let control = Server::start(options.control_port, control_routes(&parts))
            .await
            .map_err(failed("control server"))?;
        let ports = PortFile {
            control_url: control.url(),
            tenants: tenant_ports,
            pagerduty_url: format!("{}/v2/enqueue", parts.pagerduty.url()),
            pagerduty_routing_key: ids::hex(32),
            pagerduty_control_url: parts.pagerduty.url(),
            slack_webhook_url: parts.slack.webhook_url(),
            slack_control_url: parts.slack.url(),
        };
        if let Some(path) = &options.port_file {
            write_ports(path, &ports)
                .map_err(|source| ServeError::PortFile { path: path.clone(), source })?;
        }
        parts.set_rate(options.rate);
        Ok(Self { parts, control, ports })
    }

    /// Addresses and credentials.
    pub fn ports(&self) -> &PortFile {
        &self.ports
    }

    /// All counts.
    pub fn stats(&self) -> AllStats {
        self.parts.stats()
    }

    /// Tickets per second from now on, all tenants together.
    pub fn set_rate(&self, rate: f64) {
        self.parts.set_rate(rate);
    }

    /// A tenant's Zendesk.
    pub fn zendesk(&self, tenant: &str) -> Option<&Zendesk> {
        self.parts.tenants.iter().find(|(name, _)| name == tenant).map(|(_, zendesk)| zendesk)
    }

    /// The sample PagerDuty.
    pub fn pagerduty(&self) -> &PagerDuty {
        &self.parts.pagerduty
    }

    /// The sample Slack.
    pub fn slack(&self) -> &Slack {
        &self.parts.slack
    }

    /// Ends everything and waits until all tasks are gone.
    pub async fn shutdown(self) {
        self.control.shutdown().await;
        // The control server's routes, the only other holders, are gone with it.
        drop(self.control);
        if let Ok(parts) = Arc::try_unwrap(self.parts) {
            for (_, zendesk) in parts.tenants {
                zendesk.shutdown().await;
            }
            parts.pagerduty.shutdown().await;
            parts.slack.shutdown().await;
        }
    }
}

async fn start_tenant(
    name: &str,
    number: u64,
    options: &ServeOptions,
    traffic: &Traffic,
) -> io::Result<(Zendesk, TenantPorts)> {
    let seed = options.seed.wrapping_mul(1_000).wrapping_add(number);
    let zendesk = Zendesk::start(zendesk::Options {
        account_id: 22_129_000 + number,
        email: format!("deskstream@{name}.example"),
        limits: options.limits.clone(),
        export_margin: options.export_margin,
        sender: SenderOptions { seed, ..options.sender.clone() },
        traffic: Traffic { seed, ..traffic.clone() },
        ..zendesk::Options::default()
    })
    .await?;
    let webhook = options
        .webhook_url_template
        .as_ref()
        .map(|template| zendesk.create_webhook(&template.replace("{tenant}", name), &SUBSCRIPTIONS));
    let ports = TenantPorts {
        tenant: name.to_owned(),
        zendesk_url: zendesk.url(),
        account_id: zendesk.options().account_id,
        email: zendesk.options().email.clone(),
        api_token: zendesk.options().api_token.clone(),
        bearer_token: zendesk.options().bearer_token.clone(),
        api_user_id: zendesk.api_user_id(),
        webhook_id: webhook.as_ref().map(|webhook| webhook.id.clone()),
        webhook_secret: webhook.map(|webhook| webhook.secret),
    };
    Ok((zendesk, ports))
}

/// Whole or not at all: a reader that polls for the file never sees half of it.
fn write_ports(path: &Path, ports: &PortFile) -> io::Result<()> {
    let partial = path.with_extension("partial");
    std::fs::write(&partial, serde_json::to_vec_pretty(ports)?)?;
    std::fs::rename(partial, path)
}

#[derive(Deserialize)]
struct RateRequest {
    rate: f64,
}

#[derive(Deserialize)]
struct IncidentRequest {
    tenant: String,
    #[serde(flatten)]
    incident: Incident,
}

fn control_routes(parts: &Arc<Parts>) -> Router {
    type App = State<Arc<Parts>>;
    Router::new()
        .route("/__control/stats", get(async |State(parts): App| Json(parts.stats())))
        .route(
            "/__control/traffic",
            post(async |State(parts): App, Json(request): Json<RateRequest>| {
                parts.set_rate(request.rate);
                StatusCode::NO_CONTENT
            }),
        )
        .route(
            "/__control/incident",
            post(async |State(parts): App, Json(request): Json<IncidentRequest>| {
                match parts.tenants.iter().find(|(name, _)| *name == request.tenant) {
                    Some((_, zendesk)) => {
                        zendesk.start_incident(request.incident);
                        StatusCode::ACCEPTED
                    }
                    None => StatusCode::NOT_FOUND,
                }
            }),
        )
        .with_state(Arc::clone(parts))
}

/// Runs all samples until `until` is done, then ends them in order.
pub async fn serve(options: ServeOptions, until: impl Future<Output = ()>) -> Result<AllStats, ServeError> {
    let samples = Samples::start(options).await?;
    until.await;
    let stats = samples.stats();
    samples.shutdown().await;
    Ok(stats)
}
