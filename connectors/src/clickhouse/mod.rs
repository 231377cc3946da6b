//! ClickHouse: the schema, brought up to date by [`migrate`], and a sink for each topic that has a table.
//!
//! # Each record once
//! A sink takes a partition's records in order and cuts them into batches by offset range (see [`position`]):
//!
//! ```text
//!   committed offset ─┐            ┌─ its metadata: "to=…", the range about to be inserted
//!                     ▼            ▼
//!   … done ]( from ─────────── to ]( being collected …
//!             └ one insert per table partition, token = topic-partition-from-to-key
//! ```
//!
//! 1. The range is *planned*: the group's offset stays at its start, and its end goes into the offset's metadata.
//! 2. The batch is inserted under a deduplication token made of the range, again and again until ClickHouse has
//!    acknowledged it. Each insert stays within one block and one table partition, since only that is atomic.
//! 3. The offset moves to the range's end, usually together with the next plan.
//!
//! Whoever takes the partition over after a crash between 1 and 3 finds the plan, reads the very same range again
//! and inserts it under the same token: what is there already is known by it, also in materialized views. A
//! position that does not join on to what the topic holds is refused: the partition stands still and `/readyz` says
//! why; nothing is skipped.
//!
//! # What is bounded
//! Batches in rows, bytes and age; what is buffered in bytes, beyond which partitions are paused. With ClickHouse
//! away inserts are repeated with backoff and Kafka keeps what comes (30 days for events).
//!
//! # What is not promised
//! Tokens are remembered for the last 10,000 inserts of a table. An operator who moves a group's offset back by hand
//! has the records inserted again: delete the range first. Acknowledged rows survive `kill -9` of ClickHouse; a power
//! cut on a single node may cost the last seconds, as with any MergeTree without `fsync_after_insert`.

mod batch;
mod insert;
mod intake;
mod lane;
mod metrics;
mod migrate;
pub(crate) mod names;
mod native;
mod opening;
mod options;
mod owner;
mod position;
mod queries;
mod rows;
mod sink;
mod troubles;

pub use migrate::{MIGRATIONS, MigrateError, Migration, Report, migrate};
pub use options::SinkOptions;
pub use queries::{QUERIES, Query};
pub use rows::Table;
pub use sink::{SinkError, TableSink, run_all};

use clickhouse::{Client, Compression};
use deskstream_runtime::config::ClickHouseConfig;
use secrecy::ExposeSecret;
use url::{Host, Url};

/// A client with the process's settings. Every table of ours lies in the configured database.
pub fn client(config: &ClickHouseConfig) -> Client {
    let client = server(config).with_database(&config.database);
    // What does not leave the machine is not worth compressing.
    if is_loopback(&config.url) { client.with_compression(Compression::None) } else { client }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A client without a database, for when it does not exist yet.
fn server(config: &ClickHouseConfig) -> Client {
    let client = Client::default()
        .with_url(config.url.as_str())
        .with_user(&config.user)
        .with_product_info("deskstream", env!("CARGO_PKG_VERSION"));
    match &config.password {
        Some(password) => client.with_password(password.expose().expose_secret()),
        None => client,
    }
}

/// The number a ClickHouse error carries, such as 60 for an unknown table.
fn code(error: &clickhouse::error::Error) -> Option<u32> {
    let clickhouse::error::Error::BadResponse(text) = error else { return None };
    let digits = text.strip_prefix("Code: ")?;
    digits.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clickhouse::error::Error;

    #[test]
    fn an_errors_code_is_read() {
        assert_eq!(code(&Error::BadResponse("Code: 60. DB::Exception: no".into())), Some(60));
        assert_eq!(code(&Error::BadResponse("502 Bad Gateway".into())), None);
        assert_eq!(code(&Error::TimedOut), None);
    }
}
