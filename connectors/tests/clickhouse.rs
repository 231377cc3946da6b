//! The ClickHouse sinks and migrations against real Kafka, a real registry and the real engine.
#![allow(clippy::unwrap_used, missing_docs)] // helpers of tests, which clippy does not see as tests

#[path = "clickhouse/crashes.rs"]
mod crashes;
#[path = "clickhouse/speed.rs"]
mod speed;
#[path = "clickhouse/support.rs"]
mod support;
#[path = "clickhouse/tables.rs"]
mod tables;
