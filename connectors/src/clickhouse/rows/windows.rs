//! Rows of what is counted and what follows from it: windows and alerts.

use super::{buckets, count, counts, details, month, small, texts, year};
use crate::clickhouse::names;
use crate::clickhouse::native::Millis;
use deskstream_schemas::{Alert, Window};

table! {
    /// A row of `windows`: its columns are documented in sql/0005_windows.sql.
    "windows": window is Window, parted by u64::from(small(window.size_s)) * 1_000_000 + month(window.window_start);
    "tenant" = &*window.tenant,
    "size_s" = small(window.size_s),
    "window_start" = Millis(window.window_start),
    "window_end" = Millis(window.window_end),
    "version" = count(window.version),
    "closed" = window.is_final,
    "events" = count(window.events),
    "errors" = count(window.errors),
    "success_rate" = window.success_rate,
    "error_rate" = window.error_rate,
    "error_reasons" = counts(&window.error_reasons, count),
    "latency_p50_ms" = window.latency_p50_ms,
    "latency_p95_ms" = window.latency_p95_ms,
    "latency_p99_ms" = window.latency_p99_ms,
    "latency_sum_ms" = count(window.latency_sum_ms),
    "latency_sketch" = buckets(&window.latency_sketch),
    "redactions" = counts(&window.redactions, count),
    "tickets" = count(window.tickets),
    "urgency" = counts(&window.urgency, count),
    "sentiment" = counts(&window.sentiment, count),
    "root_causes" = counts(&window.root_causes, count),
    "industries" = counts(&window.industries, count),
    "languages" = counts(&window.languages, count),
    "negative_share" = window.negative_share,
    "high_urgency" = count(window.high_urgency),
    "tiers" = counts(&window.tiers, count),
    "opinions" = counts(&window.opinions, count),
    "opinion_tokens_in" = count(window.opinion_tokens_in),
    "opinion_tokens_out" = count(window.opinion_tokens_out),
    "opinion_cost_microusd" = count(window.opinion_cost_microusd),
}

table! {
    /// A row of `alerts`: its columns are documented in sql/0006_alerts.sql.
    "alerts": alert is Alert, parted by year(alert.changed_at);
    "tenant" = &*alert.tenant,
    "rule" = &*alert.rule,
    "alert_group" = &*alert.group,
    "dedup_key" = &*alert.dedup_key,
    "state" = names::state(alert.state),
    "severity" = alert.severity.as_str(),
    "value" = alert.value,
    "threshold" = alert.threshold,
    "summary" = &*alert.summary,
    "channels" = texts(&alert.channels),
    "started_at" = Millis(alert.started_at),
    "changed_at" = Millis(alert.changed_at),
    "labels" = details(&alert.labels),
}
