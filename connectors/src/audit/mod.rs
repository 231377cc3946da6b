//! The audit trail as a chain that shows what was changed, cut out or put in.
//!
//! Whoever does something that must be told writes an [`AuditRecord`](deskstream_schemas::AuditRecord) to `audit`. One
//! task, the chain's only writer, gives each record its place: a sequence without gaps in the chain of its tenant and
//! retention, and a SHA-256 hash over the hash before it and everything of the record. With each batch it signs the
//! newest link of every chain that grew. Records, heads and its position in `audit` are one Kafka transaction.
//!
//! | topic | what | in ClickHouse |
//! | --- | --- | --- |
//! | `audit` | records as they come | |
//! | `audit.chain` | links: the record in its place | `audit_trail` |
//! | `audit.heads` | the newest link of each chain, signed | `audit_heads`, the last of each hour |
//!
//! [`verify`] walks the rows and holds them against the signed heads. A public key, rows and heads are enough: it works
//! without Kafka, and on an archive. `docs/audit.md` has the bytes that are hashed and signed.

pub mod archive;
mod chain;
mod digest;
mod metrics;
mod owner;
mod rows;
mod signing;
mod task;
mod verify;

pub use chain::{ChainId, retention};
pub use digest::{GENESIS, Hash, link_hash};
pub use rows::{ChainsError, Trail};
pub use signing::{AUDIT_KEY_KIND, PublicKeys, Signer, SigningError};
pub use task::{GROUP_SUFFIX, spawn};
pub use verify::{Fault, Report, Walk};
