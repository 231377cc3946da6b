//! What the demo did, counted where it ended up: in ClickHouse and at the sample helpdesks.

use super::children::{Metrics, Traffic};
use super::console::Counted;
use super::setup::Setup;
use anyhow::Context;
use clickhouse::Client;
use deskstream_connectors::clickhouse::QUERIES;
use deskstream_samples::AllStats;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Percentiles in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, clickhouse::Row)]
pub struct Latency {
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
}

/// Counts and latencies.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Webhooks that Deskstream acknowledged.
    pub webhooks_acknowledged: u64,
    /// Events in ClickHouse, and the tickets they speak of.
    pub events_in: u64,
    pub enriched: u64,
    pub tickets: u64,
    /// Tickets by the helpdesk that they came from, and decisions that were written back there.
    pub tickets_of: BTreeMap<String, u64>,
    pub written_back_to: BTreeMap<String, u64>,
    pub dead_letters: u64,
    pub redactions: BTreeMap<String, u64>,
    pub root_causes: BTreeMap<String, u64>,
    pub alerts_fired: u64,
    pub alerts_resolved: u64,
    pub pages: u64,
    pub chat_messages: u64,
    pub write_backs_applied: u64,
    pub write_backs_other: u64,
    pub write_backs_pending: u64,
    /// Write-backs that were applied twice for one decision.
    pub repeated_write_backs: u64,
    /// From a connector's receipt to the enriched record.
    pub to_enriched: Latency,
    /// From a connector's receipt to the helpdesk's answer to the write-back.
    pub to_write_back: Latency,
    /// Events that wait to be enriched.
    pub lag: i64,
    /// Offsets that ClickHouse holds twice or lacks; none if all is well.
    pub integrity_problems: u64,
    /// What the console did; none where there is none.
    pub console: Option<Counted>,
}

/// Offsets that ClickHouse holds twice.
pub async fn doubled_offsets(client: &Client) -> Result<u64, clickhouse::error::Error> {
    let mut doubled = 0;
    for query in QUERIES.iter().filter(|q| q.name.starts_with("integrity_doubled")) {
        let sql = format!("SELECT count() FROM ({})", query.sql);
        let asked = query
            .parameters()
            .into_iter()
            .fold(client.query(&sql), |q, (name, _, value)| q.param(name, value));
        doubled += asked.fetch_one::<u64>().await?;
    }
    Ok(doubled)
}

impl Summary {
    /// Asks ClickHouse, the samples and the pipeline.
    ///
    /// `acknowledged` are the webhooks of helpdesks that are not among the samples.
    pub async fn take(setup: &Setup, traffic: &Traffic, acknowledged: u64) -> anyhow::Result<Self> {
        let client = setup.reader_client();
        let mut samples = traffic.stats().await?;
        samples.zendesk.acknowledged += acknowledged;
        let metrics = Metrics::of(setup).await;
        Self::read(&client, &samples, &metrics).await.context("read the counts from ClickHouse")
    }

    async fn read(client: &Client, samples: &AllStats, metrics: &Metrics) -> anyhow::Result<Self> {
        let count = async |sql: &str| client.query(sql).fetch_one::<u64>().await;
        let pairs = async |sql: &str| -> anyhow::Result<BTreeMap<String, u64>> {
            Ok(client.query(sql).fetch_all::<(String, u64)>().await?.into_iter().collect())
        };
        let latency = async |column: &str, table: &str| {
            let sql = format!(
                "SELECT ifNotFinite(quantileExact(0.5)({column}), 0) AS p50_ms, ifNotFinite(quantileExact(0.95)({column}), 0) AS p95_ms, \
                 ifNotFinite(quantileExact(0.99)({column}), 0) AS p99_ms FROM {table}"
            );
            client.query(&sql).fetch_one::<Latency>().await
        };
        let outcomes =
            pairs("SELECT toString(result), count() FROM outcomes WHERE kind = 'write_back' GROUP BY result")
                .await?;
        let applied = outcomes.get("applied").copied().unwrap_or(0);
        let finished: u64 = outcomes.values().sum();
        Ok(Self {
            webhooks_acknowledged: samples.zendesk.acknowledged,
            events_in: metrics.events,
            enriched: count("SELECT count() FROM ticket_events").await?,
            tickets: count("SELECT uniqExact(tenant, platform, ticket_id) FROM ticket_events").await?,
            tickets_of: pairs("SELECT toString(platform), uniqExact(tenant, ticket_id) FROM ticket_events GROUP BY platform").await?,
            written_back_to: pairs("SELECT toString(service), count() FROM outcomes WHERE kind = 'write_back' AND result = 'applied' GROUP BY service").await?,
            dead_letters: count("SELECT count() FROM dead_letters").await?,
            redactions: pairs("SELECT toString(kind), toUInt64(count()) FROM ticket_events ARRAY JOIN `spans.kind` AS kind GROUP BY kind").await?,
            root_causes: pairs("SELECT toString(root_cause), count() FROM ticket_events GROUP BY root_cause").await?,
            alerts_fired: count("SELECT count() FROM alerts WHERE state = 'firing'").await?,
            alerts_resolved: count("SELECT count() FROM alerts WHERE state = 'resolved'").await?,
            pages: samples.pagerduty.accepted,
            chat_messages: samples.slack.accepted,
            write_backs_applied: applied,
            write_backs_other: finished - applied,
            write_backs_pending: metrics.commands.saturating_sub(finished),
            repeated_write_backs: count(
                "SELECT toUInt64(count() - uniqExact(subject)) FROM outcomes WHERE kind = 'write_back' AND result = 'applied'",
            )
            .await?,
            to_enriched: latency("toFloat64(dateDiff('millisecond', received_at, enriched_at))", "ticket_events").await?,
            to_write_back: latency(
                "toFloat64(dateDiff('millisecond', assumeNotNull(received_at), finished_at))",
                "outcomes WHERE kind = 'write_back' AND result = 'applied' AND received_at IS NOT NULL",
            )
            .await?,
            lag: metrics.lag,
            integrity_problems: doubled_offsets(client).await?,
            console: None,
        })
    }

    /// Whether everything that came in has come out.
    pub fn settled(&self) -> bool {
        self.lag == 0 && self.write_backs_pending == 0 && self.enriched + self.dead_letters >= self.events_in
    }

    /// Whether it all worked.
    pub fn sound(&self) -> bool {
        self.enriched > 0
            && self.dead_letters == 0
            && self.integrity_problems == 0
            && self.write_backs_applied > 0
            && self.repeated_write_backs == 0
            && !self.redactions.is_empty()
            && self.console.as_ref().is_none_or(|console| console.up)
    }

    /// One line of progress.
    pub fn line(&self, elapsed: Duration) -> String {
        format!(
            "{:>4}s  {} webhooks, {} enriched, {} redactions, {} written back ({} to do), {} alerts, p95 {:.0} ms to enriched",
            elapsed.as_secs(),
            self.webhooks_acknowledged,
            self.enriched,
            self.redactions.values().sum::<u64>(),
            self.write_backs_applied,
            self.write_backs_pending,
            self.alerts_fired,
            self.to_enriched.p95_ms,
        )
    }

    /// For scripts.
    pub fn json(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string_pretty(self)?)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |counts: &BTreeMap<String, u64>| {
            let mut counts: Vec<_> = counts.iter().collect();
            counts.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
            counts.iter().map(|(name, n)| format!("{name} {n}")).collect::<Vec<_>>().join(", ")
        };
        let ms =
            |l: &Latency| format!("p50 {:.0} ms, p95 {:.0} ms, p99 {:.0} ms", l.p50_ms, l.p95_ms, l.p99_ms);
        writeln!(f, "\nSummary")?;
        writeln!(f, "  webhooks acknowledged  {}", self.webhooks_acknowledged)?;
        writeln!(f, "  events in              {}", self.events_in)?;
        writeln!(f, "  enriched               {} (of {} tickets)", self.enriched, self.tickets)?;
        writeln!(f, "  tickets of             {}", list(&self.tickets_of))?;
        writeln!(f, "  written back to        {}", list(&self.written_back_to))?;
        writeln!(f, "  dead letters           {}", self.dead_letters)?;
        writeln!(f, "  redactions             {}", list(&self.redactions))?;
        writeln!(f, "  root causes            {}", list(&self.root_causes))?;
        writeln!(
            f,
            "  alerts                 {} fired, {} resolved",
            self.alerts_fired, self.alerts_resolved
        )?;
        writeln!(
            f,
            "  told                   {} events to PagerDuty, {} messages to Slack",
            self.pages, self.chat_messages
        )?;
        writeln!(
            f,
            "  write-backs            {} applied, {} otherwise ended, {} to do, {} repeated",
            self.write_backs_applied,
            self.write_backs_other,
            self.write_backs_pending,
            self.repeated_write_backs
        )?;
        writeln!(f, "  receipt to enriched    {}", ms(&self.to_enriched))?;
        writeln!(f, "  receipt to write-back  {}", ms(&self.to_write_back))?;
        writeln!(f, "  lag                    {}", self.lag)?;
        writeln!(f, "  doubled offsets        {}", self.integrity_problems)?;
        if let Some(console) = &self.console {
            let up = if console.up { "up" } else { "does not answer" };
            writeln!(f, "  console                {up}, {} requests answered", console.requests)?;
        }
        Ok(())
    }
}
