//! Field-level encryption: XAES-256-GCM under a data key of the tenant, which a master key wraps, or a key management
//! service.
//!
//! XAES-256-GCM (C2SP specification `XAES-256-GCM.md`, built on AES-256-GCM and NIST SP 800-108r1) takes
//! 192-bit nonces: they may be drawn at random for any number of records, while plain AES-256-GCM with random
//! 96-bit nonces must stop after 2³² records of one key, which is days at our rates. The first half of the
//! nonce derives an AES-256-GCM key, the second half is its nonce. A process keeps its first half, and so
//! derives once; a reader keeps the keys it derived.

mod master;
mod reference;
mod requesters;
mod transit;
mod vault;
mod wrap;
mod xaes;

pub use master::{LocalMaster, MasterKey, MasterKeyError};
pub use reference::is_reference;
pub use transit::{Transit, TransitError};
pub use vault::{DATA_KEY_KIND, LearnError, OpenError, REQUESTER_KEY_KIND, SealError, Vault};
pub use wrap::{KeyWrap, KeysError, WrapError, Wraps};
