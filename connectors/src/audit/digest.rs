//! What is hashed and what is signed, byte by byte; `docs/audit.md` tells it to others.
//!
//! A text is its length in bytes as 32 bits big-endian, then its UTF-8; numbers are 64 bits big-endian. Nothing is left to
//! how Avro, JSON, ClickHouse or Parquet would write it, so that all of them give the same hash.

use crate::clickhouse::names;
use deskstream_schemas::{AuditRecord, Retention};
use sha2::{Digest, Sha256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// What stands before the first link.
pub const GENESIS: Hash = [0; 32];

const LINK: &[u8] = b"deskstream audit link 1\n";
const HEAD: &[u8] = b"deskstream audit head 1\n";

/// The hash of a link.
pub fn link_hash(
    previous: &Hash,
    retention: Retention,
    sequence: i64,
    chained_at: i64,
    record: &AuditRecord,
) -> Hash {
    let mut hash = Sha256::new();
    hash.update(LINK);
    hash.update(previous);
    let mut write = |bytes: &[u8]| hash.update(bytes);
    text(&mut write, &record.tenant);
    text(&mut write, names::retention(retention));
    write(&sequence.to_be_bytes());
    write(&chained_at.to_be_bytes());
    text(&mut write, &record.audit_id);
    write(&record.at.to_be_bytes());
    text(&mut write, names::actor(record.actor_kind));
    text(&mut write, &record.actor);
    text(&mut write, &record.action);
    text(&mut write, &record.resource);
    text(&mut write, names::audit_outcome(record.outcome));
    // By name, in the order of bytes: a map has it already.
    write(&(record.detail.len() as u64).to_be_bytes());
    for (name, value) in &record.detail {
        text(&mut write, name);
        text(&mut write, value);
    }
    // Absent and empty are the same here, as in ClickHouse.
    for optional in [&record.source_ip, &record.user_agent, &record.request_id] {
        text(&mut write, optional.as_deref().unwrap_or(""));
    }
    hash.finalize().into()
}

/// What a signature of a head is over.
pub(super) fn head_message(
    tenant: &str,
    retention: Retention,
    sequence: i64,
    hash: &[u8],
    chained_at: i64,
) -> Vec<u8> {
    let mut message = HEAD.to_vec();
    let mut write = |bytes: &[u8]| message.extend_from_slice(bytes);
    text(&mut write, tenant);
    text(&mut write, names::retention(retention));
    write(&sequence.to_be_bytes());
    write(hash);
    write(&chained_at.to_be_bytes());
    message
}

fn text(write: &mut impl FnMut(&[u8]), text: &str) {
    // No record is near 4 GiB: the broker takes 8 MiB.
    write(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    write(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::chain::tests::record;
    use super::*;

    /// Made by the few lines of Python in `docs/audit.md`, which know nothing of this code.
    #[test]
    fn the_hash_is_what_the_documentation_says() {
        let hash = link_hash(&GENESIS, Retention::Audit, 1, 1_700_000_000_123, &record("acme", 7));
        assert_eq!(hex::encode(hash), "89964aeda6e6648d5dcb9c4f9488c1c60a1c79be50a5f6ebd92c3371e9004ebf");
    }

    #[test]
    fn every_field_counts() {
        let base = record("acme", 7);
        let hash = |record: &AuditRecord| link_hash(&GENESIS, Retention::Audit, 1, 5, record);
        let mut others = vec![
            link_hash(&[1; 32], Retention::Audit, 1, 5, &base),
            link_hash(&GENESIS, Retention::Processing, 1, 5, &base),
            link_hash(&GENESIS, Retention::Audit, 2, 5, &base),
            link_hash(&GENESIS, Retention::Audit, 1, 6, &base),
        ];
        let changes: [fn(&mut AuditRecord); 11] = [
            |r| r.tenant.push('x'),
            |r| r.audit_id.push('x'),
            |r| r.at += 1,
            |r| r.actor_kind = deskstream_schemas::ActorKind::ApiKey,
            |r| r.actor.push('x'),
            |r| r.action = "other.action".into(),
            |r| r.resource.push('x'),
            |r| r.outcome = deskstream_schemas::AuditOutcome::Denied,
            |r| r.detail = [("k".into(), "w".to_owned())].into(),
            |r| r.source_ip = None,
            |r| (r.user_agent, r.request_id) = (r.request_id.clone(), r.user_agent.clone()),
        ];
        others.extend(changes.map(|change| {
            let mut changed = base.clone();
            change(&mut changed);
            hash(&changed)
        }));
        others.push(hash(&base));
        let count = others.len();
        others.sort_unstable();
        others.dedup();
        assert_eq!(others.len(), count);
    }
}
