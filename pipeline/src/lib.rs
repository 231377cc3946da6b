//! The timely job: two dataflows over Kafka.
//!
//! * [`enrich`]: `events` → decrypt → redact → analyze → `enriched` (+ `audit`, `deadletter`), exactly once.
//!   Where a tenant's policy says so, also what a slower model is asked (`opinions.requests`), in the same transaction.
//! * [`aggregate`]: `enriched` ⊎ `opinions` ⊎ reviews ⊎ `deadletter` ⊎ `outcomes` → latest state of each ticket →
//!   windows → alerts, the write-back commands that follow from it, and how models agree with reviews.
//!
//! Partitions are assigned to workers by number (partition mod workers), not by a consumer group's rebalances;
//! offsets are kept in the group all the same, so that the usual tools show the lag.

pub mod aggregate;
pub mod alerts;
mod cluster;
pub mod compare;
pub mod dead_letters;
pub mod enrich;
mod farewell;
mod job;
pub mod lag;
mod metrics;
pub mod models;
mod opinions;
pub mod policy;
pub mod quality;
pub mod reviews;
mod source;

pub use job::{Job, JobError, JobOptions, start};
pub use source::RawRecord;
