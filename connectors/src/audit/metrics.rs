//! What the chain's writer tells Prometheus.

use prometheus::{IntCounterVec, register_int_counter_vec};
use std::sync::LazyLock;

/// Links by retention.
pub(super) static LINKS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "deskstream_audit_links_total",
        "Audit records that were given their place in a chain, by retention",
        &["retention"]
    )
    .expect("a metric is registered once, under a valid name")
});
