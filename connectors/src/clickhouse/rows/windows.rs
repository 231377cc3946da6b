//! Rows of what is counted and what follows from it: windows and alerts.

use super::{buckets, count, counts64, month, small, year};
use crate::clickhouse::names;
use deskstream_schemas::{Alert, Text, Window};
use std::collections::BTreeMap;

table! {
    /// A row of `windows`: its columns are documented in sql/0005_windows.sql.
    WindowRow of "windows": window is Window, parted by u64::from(small(window.size_s)) * 1_000_000 + month(window.window_start);
    tenant: &'a str = &window.tenant,
    size_s: u32 = small(window.size_s),
    window_start: i64 = window.window_start,
    window_end: i64 = window.window_end,
    version: u64 = count(window.version),
    closed: bool = window.is_final,
    events: u64 = count(window.events),
    errors: u64 = count(window.errors),
    success_rate: f64 = window.success_rate,
    error_rate: f64 = window.error_rate,
    #[serde(serialize_with = "counts64")]
    error_reasons: &'a BTreeMap<Text, i64> = &window.error_reasons,
    latency_p50_ms: f64 = window.latency_p50_ms,
    latency_p95_ms: f64 = window.latency_p95_ms,
    latency_p99_ms: f64 = window.latency_p99_ms,
    latency_sum_ms: u64 = count(window.latency_sum_ms),
    #[serde(serialize_with = "buckets")]
    latency_sketch: &'a BTreeMap<Text, i64> = &window.latency_sketch,
    #[serde(serialize_with = "counts64")]
    redactions: &'a BTreeMap<Text, i64> = &window.redactions,
    tickets: u64 = count(window.tickets),
    #[serde(serialize_with = "counts64")]
    urgency: &'a BTreeMap<Text, i64> = &window.urgency,
    #[serde(serialize_with = "counts64")]
    sentiment: &'a BTreeMap<Text, i64> = &window.sentiment,
    #[serde(serialize_with = "counts64")]
    root_causes: &'a BTreeMap<Text, i64> = &window.root_causes,
    #[serde(serialize_with = "counts64")]
    industries: &'a BTreeMap<Text, i64> = &window.industries,
    #[serde(serialize_with = "counts64")]
    languages: &'a BTreeMap<Text, i64> = &window.languages,
    negative_share: f64 = window.negative_share,
    high_urgency: u64 = count(window.high_urgency),
}

table! {
    /// A row of `alerts`: its columns are documented in sql/0006_alerts.sql.
    AlertRow of "alerts": alert is Alert, parted by year(alert.changed_at);
    tenant: &'a str = &alert.tenant,
    rule: &'a str = &alert.rule,
    alert_group: &'a str = &alert.group,
    dedup_key: &'a str = &alert.dedup_key,
    state: &'a str = names::state(alert.state),
    severity: &'a str = alert.severity.as_str(),
    value: f64 = alert.value,
    threshold: f64 = alert.threshold,
    summary: &'a str = &alert.summary,
    channels: &'a [String] = &alert.channels,
    started_at: i64 = alert.started_at,
    changed_at: i64 = alert.changed_at,
    labels: &'a BTreeMap<String, String> = &alert.labels,
}
