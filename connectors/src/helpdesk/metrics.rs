//! What poll and write-back tell Prometheus. Tenants come from the configuration, so labels are bounded.

use prometheus::{
    HistogramVec, IntCounterVec, IntGaugeVec, exponential_buckets, histogram_opts, register_histogram_vec,
    register_int_counter_vec, register_int_gauge_vec,
};
use std::sync::LazyLock;

const ONCE: &str = "a metric is registered once, under a valid name";

pub(crate) static COMMANDS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "deskstream_write_back_commands_total",
        "Write-back commands by how they ended: applied, already_applied, skipped, rejected, failed, repeated",
        &["tenant", "result"]
    )
    .expect(ONCE)
});

pub(crate) static WITHHELD: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "deskstream_write_back_withheld_total",
        "Commands that were decided and not written: disabled, stopped, dry_run, ceiling",
        &["tenant", "reason"]
    )
    .expect(ONCE)
});

pub(crate) static MISSED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "deskstream_poll_missed_by_webhook_total",
        "Changes of tickets that a poll has found and no webhook has brought",
        &["tenant"]
    )
    .expect(ONCE)
});

pub(crate) static LATENCY: LazyLock<HistogramVec> = LazyLock::new(|| {
    register_histogram_vec!(
        histogram_opts!(
            "deskstream_write_back_latency_seconds",
            "Time from taking an event in to the applied write-back that it led to",
            exponential_buckets(0.05, 2.0, 14).expect("a positive start and a factor above 1")
        ),
        &["tenant"]
    )
    .expect(ONCE)
});

pub(crate) static INCIDENTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "deskstream_write_back_incidents_total",
        "What write-backs met: conflict, uncertain (looked before writing again), repaired (gave an agent's edit back), altered (the helpdesk kept something else), later, refused_account",
        &["tenant", "kind"]
    )
    .expect(ONCE)
});

pub(crate) static POLLED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "deskstream_poll_tickets_total",
        "Tickets found by polling: taken, repeated, deleted, dead_letter; unlisted: seconds with more changes than are listed",
        &["tenant", "result"]
    )
    .expect(ONCE)
});

pub(crate) static POLLS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "deskstream_poll_rounds_total",
        "Polls by result: done, failed",
        &["tenant", "result"]
    )
    .expect(ONCE)
});

pub(crate) static POLLED_AT: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!(
        "deskstream_poll_last_success_timestamp_seconds",
        "Unix time of the last poll that reached the end of the export",
        &["tenant"]
    )
    .expect(ONCE)
});

pub(crate) static CONNECTIONS: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!(
        "deskstream_connections",
        "Accounts at helpdesks: served, unusable (kept in control, and can't be used), shadowed (also in the file)",
        &["state"]
    )
    .expect(ONCE)
});
