//! What the sinks tell Prometheus. Labels: the table, and fixed results.

use prometheus::{
    HistogramVec, IntCounterVec, IntGaugeVec, exponential_buckets, histogram_opts, register_histogram_vec,
    register_int_counter_vec, register_int_gauge_vec,
};
use std::sync::LazyLock;

const ONCE: &str = "a metric is registered once, under a valid name";

macro_rules! counter {
    ($name:ident, $metric:literal, $help:literal, $($label:literal),+) => {
        #[doc = $help]
        pub(super) static $name: LazyLock<IntCounterVec> =
            LazyLock::new(|| register_int_counter_vec!($metric, $help, &[$($label),+]).expect(ONCE));
    };
}

macro_rules! gauge {
    ($name:ident, $metric:literal, $help:literal) => {
        #[doc = $help]
        pub(super) static $name: LazyLock<IntGaugeVec> =
            LazyLock::new(|| register_int_gauge_vec!($metric, $help, &["table"]).expect(ONCE));
    };
}

counter!(ROWS, "deskstream_sink_rows_total", "Rows acknowledged by ClickHouse", "table");
counter!(
    INSERTS,
    "deskstream_sink_inserts_total",
    "Inserts by result: done; repeated (a plan of before a restart); failed (tried again)",
    "table",
    "result"
);
counter!(
    COMMIT_RETRIES,
    "deskstream_sink_commit_retries_total",
    "Commits to Kafka that failed and were tried again",
    "table"
);
counter!(
    REFUSED,
    "deskstream_sink_refused_records_total",
    "Records that could not be read, by reason; they go to the dead letter",
    "table",
    "reason"
);
gauge!(LAG, "deskstream_sink_lag_records", "Records between what is in ClickHouse and the end of the topic");
gauge!(BUFFERED_BYTES, "deskstream_sink_buffered_bytes", "Bytes of records collected or being inserted");
gauge!(BUFFERED_ROWS, "deskstream_sink_buffered_rows", "Rows being collected");
gauge!(
    PAUSED,
    "deskstream_sink_paused_partitions",
    "Partitions that wait for room, for a schema, or for an operator"
);

/// From the first byte sent to the acknowledgement.
pub(super) static INSERT_SECONDS: LazyLock<HistogramVec> = LazyLock::new(|| {
    register_histogram_vec!(
        histogram_opts!(
            "deskstream_sink_insert_duration_seconds",
            "Time of one insert, successful or not",
            exponential_buckets(0.002, 2.0, 14).expect("a positive start and a factor above 1")
        ),
        &["table"]
    )
    .expect(ONCE)
});
