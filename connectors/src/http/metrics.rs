//! What outbound HTTP tells Prometheus.

use prometheus::{
    HistogramVec, IntCounterVec, IntGaugeVec, exponential_buckets, histogram_opts, register_histogram_vec,
    register_int_counter_vec, register_int_gauge_vec,
};
use std::sync::LazyLock;

const ONCE: &str = "a metric is registered once, under a valid name";

pub(super) static REQUESTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "deskstream_http_requests_total",
        "Requests sent to outside services, by result: ok, the kind of status, or the kind of failure",
        &["service", "account", "endpoint", "result"]
    )
    .expect(ONCE)
});

pub(super) static SECONDS: LazyLock<HistogramVec> = LazyLock::new(|| {
    register_histogram_vec!(
        histogram_opts!(
            "deskstream_http_request_seconds",
            "Time from sending a request to its whole answer",
            exponential_buckets(0.002, 2.0, 14).expect("a positive start and a factor above 1")
        ),
        &["service", "endpoint"]
    )
    .expect(ONCE)
});

pub(super) static WAIT_SECONDS: LazyLock<HistogramVec> = LazyLock::new(|| {
    register_histogram_vec!(
        histogram_opts!(
            "deskstream_http_turn_wait_seconds",
            "Time that a request waited for its account's rate limit and concurrency",
            exponential_buckets(0.001, 4.0, 9).expect("a positive start and a factor above 1")
        ),
        &["service"]
    )
    .expect(ONCE)
});

pub(super) static LIMIT: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!(
        "deskstream_http_rate_limit_requests",
        "Requests per window that the service grants the account, as it told us",
        &["service", "account"]
    )
    .expect(ONCE)
});

pub(super) static REMAINING: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!(
        "deskstream_http_rate_remaining_requests",
        "What is left of the account's limit in this window, as the service told us",
        &["service", "account"]
    )
    .expect(ONCE)
});

pub(super) static BUDGET: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!(
        "deskstream_http_endpoint_limit_requests",
        "Requests per window that the service grants the account at an endpoint with a limit of its own, as it told us",
        &["service", "account", "endpoint"]
    )
    .expect(ONCE)
});

pub(super) static CIRCUIT_OPEN: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!(
        "deskstream_http_circuit_open",
        "1 while requests to the account are held back since the last ones failed",
        &["service", "account"]
    )
    .expect(ONCE)
});
