//! What producers and feeds tell Prometheus. Labels have few values: topics, feeds, fixed results.

use prometheus::{
    HistogramVec, IntCounterVec, IntGaugeVec, exponential_buckets, histogram_opts, register_histogram_vec,
    register_int_counter_vec, register_int_gauge_vec,
};
use std::sync::LazyLock;

const ONCE: &str = "a metric is registered once, under a valid name";

/// Records by topic and result: `acked`, or the reason code of the error.
pub(super) static SENT: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "deskstream_kafka_sent_records_total",
        "Records handed to a producer, by result: acked, or why not",
        &["topic", "result"]
    )
    .expect(ONCE)
});

/// From hand-over to acknowledgement.
pub(super) static ACK_SECONDS: LazyLock<HistogramVec> = LazyLock::new(|| {
    register_histogram_vec!(
        histogram_opts!(
            "deskstream_kafka_ack_seconds",
            "Time from handing a record to the producer to the broker's acknowledgement",
            exponential_buckets(0.001, 2.0, 14).expect("a positive start and a factor above 1")
        ),
        &["topic"]
    )
    .expect(ONCE)
});

/// Unacknowledged bytes.
pub(super) static IN_FLIGHT: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!(
        "deskstream_kafka_in_flight_bytes",
        "Bytes handed to a producer and not yet acknowledged, rounded up to KiB",
        &["producer"]
    )
    .expect(ONCE)
});

/// Records behind the end of the topic.
pub(super) static LAG: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!(
        "deskstream_feed_lag_records",
        "Records between what a feed has finished and the end of its partitions",
        &["feed"]
    )
    .expect(ONCE)
});

/// Records taken in and unfinished.
pub(super) static UNFINISHED: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!(
        "deskstream_feed_in_flight_records",
        "Records that a feed has taken in and not finished",
        &["feed"]
    )
    .expect(ONCE)
});

/// Records finished, by how: `done`, `dead_letter`, `abandoned`; and repeats: `later`.
pub(super) static HANDLED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "deskstream_feed_handled_records_total",
        "Records by how a feed's handler ended: done, dead_letter, empty, abandoned; `later` counts repeats",
        &["feed", "result"]
    )
    .expect(ONCE)
});
