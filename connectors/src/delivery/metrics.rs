//! What delivery tells Prometheus.

use prometheus::{
    HistogramVec, IntCounterVec, IntGaugeVec, exponential_buckets, histogram_opts, register_histogram_vec,
    register_int_counter_vec, register_int_gauge_vec,
};
use std::sync::LazyLock;

const ONCE: &str = "a metric is registered once, under a valid name";

pub(super) static TRANSITIONS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "deskstream_delivery_transitions_total",
        "Alert transitions that a channel is done with, by result: applied, already_applied, rejected",
        &["channel", "result"]
    )
    .expect(ONCE)
});

pub(super) static TRIES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "deskstream_delivery_failed_tries_total",
        "Tries to deliver an alert transition that failed and will be repeated",
        &["channel"]
    )
    .expect(ONCE)
});

pub(super) static STUCK: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!(
        "deskstream_delivery_stuck_transitions",
        "Alert transitions that failed at least once and wait for their next try",
        &["channel"]
    )
    .expect(ONCE)
});

pub(super) static SECONDS: LazyLock<HistogramVec> = LazyLock::new(|| {
    register_histogram_vec!(
        histogram_opts!(
            "deskstream_delivery_seconds",
            "Time from an alert's transition to its delivery",
            exponential_buckets(0.05, 2.0, 16).expect("a positive start and a factor above 1")
        ),
        &["channel"]
    )
    .expect(ONCE)
});

/// Shows a channel's metrics from the start, at zero: an alert on their rate needs that.
pub(super) fn register(channel: &str) {
    for result in ["applied", "already_applied", "rejected"] {
        let _shown = TRANSITIONS.with_label_values(&[channel, result]);
    }
    let _shown = TRIES.with_label_values(&[channel]);
    let _shown = STUCK.with_label_values(&[channel]);
    let _shown = SECONDS.with_label_values(&[channel]);
}
