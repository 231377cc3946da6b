//! The chains' newest links, and how the next is made.

use super::digest::{GENESIS, Hash, link_hash};
use deskstream_schemas::{ActorKind, AuditHead, AuditLink, AuditRecord, Retention};
use std::collections::{BTreeSet, HashMap};

/// What the pipeline does by itself with every batch: kept for less time than what people do.
const PROCESSING: [&str; 1] = ["enrich.batch"];

/// Which chain.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChainId {
    /// The tenant, or [`deskstream_schemas::EVERY_TENANT`].
    pub tenant: String,
    /// How long its records are kept.
    pub retention: Retention,
}

impl ChainId {
    /// The key of its head on the topic.
    pub fn key(&self) -> String {
        format!("{}/{}", self.tenant, crate::clickhouse::names::retention(self.retention))
    }
}

/// How long a record is kept.
pub fn retention(record: &AuditRecord) -> Retention {
    if record.actor_kind == ActorKind::System && PROCESSING.contains(&&*record.action) {
        Retention::Processing
    } else {
        Retention::Audit
    }
}

/// A link's place, hash and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    pub(super) sequence: i64,
    pub(super) hash: Hash,
    pub(super) chained_at: i64,
}

impl End {
    const START: Self = Self { sequence: 0, hash: GENESIS, chained_at: 0 };

    pub(super) fn of(head: &AuditHead) -> Option<Self> {
        let hash = head.hash.as_slice().try_into().ok()?;
        Some(Self { sequence: head.sequence, hash, chained_at: head.chained_at })
    }
}

/// The newest link of each chain.
#[derive(Debug, Default)]
pub(super) struct Chains {
    ends: HashMap<ChainId, End>,
    grown: BTreeSet<ChainId>,
}

impl Chains {
    pub(super) fn new(ends: HashMap<ChainId, End>) -> Self {
        Self { ends, grown: BTreeSet::new() }
    }

    /// Gives a record its place.
    pub(super) fn append(&mut self, record: AuditRecord, now: i64) -> AuditLink {
        let retention = retention(&record);
        let id = ChainId { tenant: record.tenant.clone(), retention };
        let end = self.ends.get(&id).copied().unwrap_or(End::START);
        let (sequence, chained_at) = (end.sequence + 1, now.max(end.chained_at));
        let hash = link_hash(&end.hash, retention, sequence, chained_at, &record);
        self.ends.insert(id.clone(), End { sequence, hash, chained_at });
        self.grown.insert(id);
        AuditLink {
            retention,
            sequence,
            chained_at,
            previous: end.hash.to_vec(),
            hash: hash.to_vec(),
            record,
        }
    }

    /// The chains that grew since the last call, with their ends.
    pub(super) fn grown(&mut self) -> Vec<(ChainId, End)> {
        std::mem::take(&mut self.grown).into_iter().map(|id| (id.clone(), self.ends[&id])).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use deskstream_schemas::AuditOutcome;

    pub(in super::super) fn record(tenant: &str, number: i64) -> AuditRecord {
        AuditRecord {
            audit_id: format!("0197f0c2-0000-7000-8000-{number:012}"),
            tenant: tenant.to_owned(),
            at: 1_700_000_000_000 + number,
            actor_kind: ActorKind::User,
            actor: "kim".into(),
            action: "review.ticket".into(),
            resource: format!("ticket/{number}"),
            outcome: AuditOutcome::Ok,
            detail: [("field".into(), "urgency".to_owned()), ("to".into(), "höher".to_owned())].into(),
            source_ip: Some("192.0.2.7".into()),
            user_agent: None,
            request_id: Some("r-1".into()),
        }
    }

    #[test]
    fn each_tenant_and_retention_has_a_chain_of_its_own() {
        let mut chains = Chains::default();
        let batch = |number| AuditRecord {
            actor_kind: ActorKind::System,
            action: "enrich.batch".into(),
            ..record("acme", number)
        };
        let links = [
            chains.append(record("acme", 1), 10),
            chains.append(batch(2), 10),
            chains.append(record("zeta", 3), 10),
            chains.append(record("acme", 4), 9),
        ];
        let places: Vec<_> = links.iter().map(|l| (l.retention, l.sequence, l.chained_at)).collect();
        let (audit, processing) = (Retention::Audit, Retention::Processing);
        assert_eq!(places, [(audit, 1, 10), (processing, 1, 10), (audit, 1, 10), (audit, 2, 10)]);
        assert_eq!(links[3].previous, links[0].hash);
        assert!(links[..3].iter().all(|link| link.previous == GENESIS));
        let grown = chains.grown();
        let keys: Vec<_> = grown.iter().map(|(id, end)| (id.key(), end.sequence)).collect();
        let expected = [("acme/audit", 2), ("acme/processing", 1), ("zeta/audit", 1)];
        assert_eq!(keys, expected.map(|(key, sequence)| (key.to_owned(), sequence)));
        assert!(chains.grown().is_empty());
    }

    #[test]
    fn a_person_who_claims_to_be_a_batch_is_kept_as_a_person() {
        let record = AuditRecord { action: "enrich.batch".into(), ..record("acme", 1) };
        assert_eq!(retention(&record), Retention::Audit);
    }
}
