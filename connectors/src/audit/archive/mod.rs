//! The trail beyond its retention: a month at a time, as Parquet in a directory or an S3 bucket, and only then dropped.
//!
//! ```text
//! keys.json                          public keys by id (compare with your own copy)
//! audit/acme/2026-11.parquet         the rows of a chain that were chained in that month
//! audit/acme/2026-11.heads.json      the heads that were signed in it
//! ```
//!
//! A month is dropped from ClickHouse when every chain's object was read back and found whole. Whoever is killed in
//! between leaves objects that the next writes again, byte for byte the same rows.

mod janitor;
mod month;
mod offline;
mod read;
mod store;

pub use janitor::spawn;
pub use month::{ArchiveError, Archived, archive};
pub use offline::{OfflineError, verify_archive};
pub use store::StoreError;
