//! How the sinks behave.

use deskstream_runtime::config::Config;
use std::time::Duration;

/// How sinks behave.
#[derive(Debug, Clone)]
pub struct SinkOptions {
    /// The consumer groups' common start; the table's name is added.
    pub group: String,
    /// Most rows of an insert.
    pub batch_rows: usize,
    /// Most bytes of an insert.
    pub batch_bytes: usize,
    /// The longest a record waits for others.
    pub batch_age: Duration,
    /// The shortest time between two inserts of one table that are not full.
    pub insert_interval: Duration,
    /// The most bytes a sink holds; beyond this its partitions wait.
    pub buffer_bytes: usize,
    /// Inserts of one table at the same time.
    pub inserts: usize,
    /// How long inserts under way may go on at the end.
    pub drain: Duration,
}

impl SinkOptions {
    /// What the configuration says.
    pub fn new(config: &Config) -> Self {
        let clickhouse = &config.clickhouse;
        Self {
            group: format!("{}.clickhouse", config.pipeline.group),
            // ClickHouse cuts blocks at about a million rows and 256 MiB: a batch stays well below.
            batch_rows: clickhouse.batch_rows.min(500_000),
            batch_bytes: clickhouse.batch_bytes.0.min(128 << 20),
            batch_age: clickhouse.batch_age,
            insert_interval: clickhouse.insert_interval,
            buffer_bytes: clickhouse.batch_bytes.0.saturating_mul(3),
            inserts: 2,
            drain: Duration::from_secs(10),
        }
    }
}
