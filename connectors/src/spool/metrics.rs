//! What the spool tells Prometheus. Tenants come from the configuration.

use prometheus::{
    Histogram, IntCounterVec, IntGauge, exponential_buckets, histogram_opts, register_histogram,
    register_int_counter_vec, register_int_gauge,
};
use std::sync::LazyLock;

const ONCE: &str = "a metric is registered once, under a valid name";

pub(super) static ENTRIES: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!("deskstream_spool_entries", "Webhooks on disk that the broker has not acknowledged")
        .expect(ONCE)
});

pub(super) static BYTES: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!("deskstream_spool_bytes", "What they count for against spool.max_bytes").expect(ONCE)
});

pub(super) static LIMIT: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!("deskstream_spool_limit_bytes", "The setting spool.max_bytes; 0 without a spool")
        .expect(ONCE)
});

pub(super) static KEPT: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!("deskstream_spool_kept_total", "Webhooks that went to disk", &["tenant"])
        .expect(ONCE)
});

pub(super) static REPLAYED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "deskstream_spool_replayed_total",
        "Entries by what became of them: replayed, dead_letter (can't be opened or sent)",
        &["result"]
    )
    .expect(ONCE)
});

pub(super) static REFUSED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "deskstream_spool_refused_total",
        "Webhooks that found no place on disk: full, over_share (of the tenant), disk (it can't be written)",
        &["reason"]
    )
    .expect(ONCE)
});

pub(super) static WRITE_SECONDS: LazyLock<Histogram> = LazyLock::new(|| {
    register_histogram!(histogram_opts!(
        "deskstream_spool_write_seconds",
        "Time to write an entry and sync it, with those that share the sync",
        exponential_buckets(0.0005, 2.0, 14).expect("a positive start and a factor above 1")
    ))
    .expect(ONCE)
});
