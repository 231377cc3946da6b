//! What the webhook endpoint tells Prometheus. Tenants come from the configuration; a request for another one is
//! counted under `unknown`.

use prometheus::{
    HistogramVec, IntCounterVec, IntGauge, exponential_buckets, histogram_opts, register_histogram_vec,
    register_int_counter_vec, register_int_gauge,
};
use std::sync::LazyLock;

const ONCE: &str = "a metric is registered once, under a valid name";

pub(super) static REQUESTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "deskstream_webhook_requests_total",
        "Webhook requests by result: accepted, replayed, ignored, own_update, or why they were refused",
        &["tenant", "result"]
    )
    .expect(ONCE)
});

pub(super) static SECONDS: LazyLock<HistogramVec> = LazyLock::new(|| {
    register_histogram_vec!(
        histogram_opts!(
            "deskstream_webhook_seconds",
            "Time from a webhook request's headers to its answer",
            exponential_buckets(0.0005, 2.0, 15).expect("a positive start and a factor above 1")
        ),
        &["tenant"]
    )
    .expect(ONCE)
});

pub(super) static IN_FLIGHT: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!(
        "deskstream_webhook_in_flight_requests",
        "Webhook requests that have not been answered yet"
    )
    .expect(ONCE)
});

pub(super) static CONNECTIONS: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!("deskstream_webhook_connections", "Open connections of webhook senders").expect(ONCE)
});
