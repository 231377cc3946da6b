//! `events` → decrypt → redact → analyze → `enriched`, exactly once.
//!
//! No record changes its worker: a ticket's events stay in their partition's order. Each process commits what an
//! epoch produced, together with the source offsets behind it, in one Kafka transaction.

mod commit;
mod dataflow;
mod overdue;
mod redactors;
mod stage;
mod tally;

pub use commit::{ClosedEpoch, CommitError, Committer};
pub use dataflow::{EnrichOptions, build};
pub use redactors::{PolicyRefused, Redactors, TenantRedactor};
pub use stage::{Enricher, Limits, OutRecord, Shared, Step};
pub use tally::BatchTally;
