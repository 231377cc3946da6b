//! Walks a chain and says where it is not what was signed.
//!
//! What each attack meets, by someone who can write to ClickHouse or an archive but has not the private key:
//!
//! | attack | found as |
//! | --- | --- |
//! | a row edited | [`Fault::Changed`] |
//! | a row deleted, or several | [`Fault::Missing`]; at the front [`Fault::Front`], at the end [`Fault::Tail`] |
//! | a row put in | [`Fault::Doubled`], or [`Fault::Beyond`] at the end |
//! | rows put in another order | [`Fault::Changed`], since the sequence is hashed |
//! | rows edited and all later hashes made anew | [`Fault::Forged`], at the first signed head after them |
//! | a head edited | [`Fault::Signature`] |

use super::chain::{ChainId, End};
use super::digest::{GENESIS, Hash, link_hash};
use super::signing::PublicKeys;
use deskstream_schemas::{AuditHead, AuditRecord};
use std::collections::BTreeMap;
use std::fmt;

/// More faults of one chain are counted, not listed.
const LISTED: usize = 100;

/// A row: a link as it lies in ClickHouse or an archive, where the hash before it is that of the row before it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) sequence: i64,
    pub(super) chained_at: i64,
    pub(super) hash: Hash,
    pub(super) record: AuditRecord,
    /// What it says can be said of a record: its enumerations and its hash are none of ours otherwise.
    pub(super) readable: bool,
}

/// Where a chain is not what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are what their names say")]
pub enum Fault {
    /// The row's hash is not that of its content.
    Changed { sequence: i64, audit_id: String },
    /// Rows are missing between two others.
    Missing { from: i64, to: i64 },
    /// Two rows claim one place.
    Doubled { sequence: i64, audit_id: String },
    /// Rows are missing at the front, and no signed head says that they were past their retention.
    Front { first: i64 },
    /// Rows are missing at the end.
    Tail { last: i64, head: i64 },
    /// There are rows behind the newest signed head.
    Beyond { head: i64, last: i64 },
    /// The row's hash is not the one that was signed: it, or one before it, was made anew.
    Forged { sequence: i64 },
    /// A head is not what its key has signed.
    Signature { sequence: i64, key_id: String },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { sequence, audit_id } => {
                write!(f, "record {sequence} ({audit_id}) was changed: its hash is not that of its content")
            }
            Self::Missing { from, to } if from == to => write!(f, "record {from} is missing"),
            Self::Missing { from, to } => write!(f, "records {from} to {to} are missing"),
            Self::Doubled { sequence, audit_id } => {
                write!(f, "record {sequence} is there more than once: {audit_id} was put in, or was copied")
            }
            Self::Front { first } => write!(
                f,
                "records 1 to {} are missing, and no signed head says that they are past their retention",
                first - 1
            ),
            Self::Tail { last, head } => {
                write!(f, "records {} to {head} are missing: {head} was signed as the newest", last + 1)
            }
            Self::Beyond { head, last } => {
                write!(f, "records {} to {last} were put in: {head} was signed as the newest", head + 1)
            }
            Self::Forged { sequence } => write!(
                f,
                "record {sequence} is not the one that was signed: it, or one since the signed head before it, was made anew"
            ),
            Self::Signature { sequence, key_id } => {
                write!(f, "the head at record {sequence} is not what key {key_id} has signed")
            }
        }
    }
}

/// What became of one chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Which.
    pub chain: ChainId,
    /// Rows that were looked at.
    pub rows: u64,
    /// The first and the last place.
    pub places: Option<(i64, i64)>,
    /// Signed heads that were held against rows.
    pub heads: u64,
    /// Where it is broken, in order; at most a hundred.
    pub faults: Vec<Fault>,
    /// How many there are.
    pub fault_count: u64,
}

impl Report {
    /// Whether nothing was found.
    pub fn sound(&self) -> bool {
        self.fault_count == 0
    }
}

/// A walk along one chain.
pub struct Walk {
    report: Report,
    /// Heads whose signature is right, by place.
    heads: BTreeMap<i64, End>,
    /// Rows that were chained before this may be gone.
    retained_from: i64,
    last: Option<(i64, Hash)>,
    /// Whether it begins anywhere.
    part: bool,
}

impl Walk {
    /// A walk along `chain`. Of `heads`, which have the newest that was signed, those of other chains are passed over.
    /// Rows chained before `retained_from` (milliseconds since 1970) may be gone.
    pub fn new(chain: ChainId, heads: &[AuditHead], keys: &PublicKeys, retained_from: i64) -> Self {
        let mut walk = Self {
            report: Report { chain, rows: 0, places: None, heads: 0, faults: Vec::new(), fault_count: 0 },
            heads: BTreeMap::new(),
            retained_from,
            last: None,
            part: false,
        };
        for head in heads {
            if head.tenant != walk.report.chain.tenant || head.retention != walk.report.chain.retention {
                continue;
            }
            match End::of(head).filter(|_| keys.vouch(head)) {
                Some(end) => drop(walk.heads.insert(end.sequence, end)),
                None => {
                    walk.fault(Fault::Signature { sequence: head.sequence, key_id: head.key_id.clone() });
                }
            }
        }
        walk
    }

    /// A walk along a part of a chain, whose first row is taken as it is.
    pub(super) fn part_of(chain: ChainId, heads: &[AuditHead], keys: &PublicKeys) -> Self {
        Self { part: true, ..Self::new(chain, heads, keys, 0) }
    }

    fn fault(&mut self, fault: Fault) {
        self.report.fault_count += 1;
        if self.report.faults.len() < LISTED {
            self.report.faults.push(fault);
        }
    }

    /// Takes the next row, in the order of places.
    pub(super) fn step(&mut self, row: &Row) {
        self.report.rows += 1;
        let place = row.sequence;
        self.report.places = Some((self.report.places.map_or(place, |(first, _)| first), place));
        let previous = match self.last {
            None => self.front(place),
            Some((last, hash)) if place == last + 1 => Some(hash),
            Some((last, _)) if place <= last => {
                self.fault(Fault::Doubled { sequence: place, audit_id: row.record.audit_id.clone() });
                return;
            }
            Some((last, _)) => {
                self.fault(Fault::Missing { from: last + 1, to: place - 1 });
                None
            }
        };
        let id = &self.report.chain;
        // Behind a gap the hash before is unknown: the row is held against the next signed head only.
        let hash = |previous| link_hash(&previous, id.retention, place, row.chained_at, &row.record);
        let changed = !row.readable
            || row.record.tenant != id.tenant
            || previous.is_some_and(|previous| hash(previous) != row.hash);
        if changed {
            self.fault(Fault::Changed { sequence: place, audit_id: row.record.audit_id.clone() });
        }
        if let Some(head) = self.heads.get(&place) {
            self.report.heads += 1;
            if head.hash != row.hash || head.chained_at != row.chained_at {
                self.fault(Fault::Forged { sequence: place });
            }
        }
        self.last = Some((place, row.hash));
    }

    /// What stands before the first row, if that may be the first.
    fn front(&mut self, place: i64) -> Option<Hash> {
        if place == 1 {
            return Some(GENESIS);
        }
        if self.part {
            return None;
        }
        // A month is dropped at a time, and the last of a month is the last of an hour.
        match self.heads.get(&(place - 1)) {
            Some(head) if head.chained_at < self.retained_from => Some(head.hash),
            _ => {
                self.fault(Fault::Front { first: place });
                None
            }
        }
    }

    /// There are rows up to `last` behind `head`, the newest that was ever signed.
    pub(super) fn beyond(&mut self, head: i64, last: i64) {
        self.fault(Fault::Beyond { head, last });
    }

    /// Ends the walk.
    pub fn finish(mut self) -> Report {
        let last = self.last.map_or(0, |(last, _)| last);
        let newest = self.heads.last_key_value().map(|(_, end)| *end);
        match newest {
            Some(head) if head.sequence > last && head.chained_at >= self.retained_from => {
                self.fault(Fault::Tail { last, head: head.sequence });
            }
            Some(head) if head.sequence < last => self.beyond(head.sequence, last),
            None if last > 0 => self.beyond(0, last),
            _ => {}
        }
        self.report
    }
}

#[cfg(test)]
mod tests {
    use super::super::chain::Chains;
    use super::super::chain::tests::record;
    use super::super::signing::tests::signer;
    use super::*;
    use deskstream_schemas::Retention;
    use proptest::prelude::*;

    /// A chain of so many records, signed after each `every`, as rows and heads.
    fn chain(count: i64, every: i64) -> (Vec<Row>, Vec<AuditHead>, PublicKeys) {
        let (signer, keys) = signer();
        let (mut chains, mut rows, mut heads) = (Chains::default(), Vec::new(), Vec::new());
        for number in 1..=count {
            let link = chains.append(record("acme", number), 1_000 * number);
            rows.push(Row {
                sequence: link.sequence,
                chained_at: link.chained_at,
                hash: link.hash.as_slice().try_into().unwrap(),
                record: link.record,
                readable: true,
            });
            if number % every == 0 || number == count {
                heads.extend(chains.grown().iter().map(|(id, end)| signer.sign(id, end)));
            }
        }
        (rows, heads, keys)
    }

    fn walk(rows: &[Row], heads: &[AuditHead], keys: &PublicKeys, retained_from: i64) -> Report {
        let id = ChainId { tenant: "acme".into(), retention: Retention::Audit };
        let mut walk = Walk::new(id, heads, keys, retained_from);
        rows.iter().for_each(|row| walk.step(row));
        walk.finish()
    }

    fn told(report: &Report) -> Vec<String> {
        report.faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_chain_as_it_was_written_is_sound() {
        let (rows, heads, keys) = chain(10, 3);
        let report = walk(&rows, &heads, &keys, 0);
        assert!(report.sound(), "{:?}", told(&report));
        assert_eq!((report.rows, report.places, report.heads), (10, Some((1, 10)), 4));
    }

    #[test]
    fn each_way_to_tamper_is_found_where_it_was_done() {
        let (rows, heads, keys) = chain(10, 3);
        let with = |change: fn(&mut Vec<Row>)| {
            let mut rows = rows.clone();
            change(&mut rows);
            walk(&rows, &heads, &keys, 0).faults
        };
        let id = |number: usize| rows[number - 1].record.audit_id.clone();
        let changed = |sequence: i64| Fault::Changed { sequence, audit_id: id(sequence as usize) };
        assert_eq!(with(|rows| rows[4].record.actor = "nobody".into()), [changed(5)]);
        assert_eq!(with(|rows| rows[4].record.at += 1), [changed(5)]);
        assert_eq!(with(|rows| rows[4].readable = false), [changed(5)]);
        assert_eq!(with(|rows| drop(rows.remove(4))), [Fault::Missing { from: 5, to: 5 }]);
        assert_eq!(with(|rows| drop(rows.drain(1..4))), [Fault::Missing { from: 2, to: 4 }]);
        assert_eq!(with(|rows| drop(rows.drain(..2))), [Fault::Front { first: 3 }]);
        assert_eq!(with(|rows| rows.truncate(8)), [Fault::Tail { last: 8, head: 10 }]);
        assert_eq!(with(Vec::clear), [Fault::Tail { last: 0, head: 10 }]);
        // Put in: a copy of a place, and a new end that follows from the chain.
        let doubled = with(|rows| rows.insert(5, Row { hash: [1; 32], ..rows[4].clone() }));
        assert_eq!(doubled, [Fault::Doubled { sequence: 5, audit_id: id(5) }]);
        let beyond = with(|rows| {
            let (last, record) = (rows[9].clone(), record("acme", 11));
            let hash = link_hash(&last.hash, Retention::Audit, 11, 11_000, &record);
            rows.push(Row { sequence: 11, chained_at: 11_000, hash, record, readable: true });
        });
        assert_eq!(beyond, [Fault::Beyond { head: 10, last: 11 }]);
        // Two change places, with their content.
        let swapped = with(|rows| {
            let (a, b) = (rows[3].record.clone(), rows[4].record.clone());
            (rows[3].record, rows[4].record) = (b, a);
        });
        let expected =
            [(4, 5), (5, 4)].map(|(sequence, from)| Fault::Changed { sequence, audit_id: id(from) });
        assert_eq!(swapped, expected);
    }

    #[test]
    fn hashes_that_are_made_anew_do_not_fit_what_was_signed() {
        let (mut rows, heads, keys) = chain(10, 3);
        rows[4].record.actor = "nobody".into();
        for at in 4..rows.len() {
            let previous = rows[at - 1].hash;
            let row = &mut rows[at];
            row.hash = link_hash(&previous, Retention::Audit, row.sequence, row.chained_at, &row.record);
        }
        let faults = walk(&rows, &heads, &keys, 0).faults;
        assert_eq!(faults, [6, 9, 10].map(|sequence| Fault::Forged { sequence }));
    }

    #[test]
    fn a_head_that_was_made_up_is_no_proof() {
        let (rows, mut heads, keys) = chain(10, 3);
        heads[3].sequence = 8;
        let report = walk(&rows[..8], &heads, &keys, 0);
        let signature = Fault::Signature { sequence: 8, key_id: "k".into() };
        // 8 was not signed: up to 6 or 9 it is known, and 9 was signed.
        assert_eq!(report.faults, [signature, Fault::Tail { last: 8, head: 9 }]);
        heads.clear();
        assert_eq!(walk(&rows, &heads, &keys, 0).faults, [Fault::Beyond { head: 0, last: 10 }]);
    }

    #[test]
    fn what_is_past_its_retention_may_be_gone_and_nothing_else() {
        let (rows, heads, keys) = chain(10, 3);
        // Signed at 3, chained at 3,000.
        assert!(walk(&rows[3..], &heads, &keys, 3_001).sound());
        assert_eq!(walk(&rows[3..], &heads, &keys, 3_000).faults, [Fault::Front { first: 4 }]);
        assert_eq!(walk(&rows[4..], &heads, &keys, 9_000).faults, [Fault::Front { first: 5 }]);
        assert!(walk(&[], &heads, &keys, 10_001).sound(), "all of it is past its retention");
    }

    proptest! {
        #[test]
        fn no_subset_in_any_order_passes_but_the_whole(
            count in 2_i64..12,
            every in 1_i64..5,
            picks in proptest::collection::vec(0_usize..12, 0..14),
        ) {
            let (rows, heads, keys) = chain(count, every);
            let picked: Vec<_> = picks.iter().filter_map(|at| rows.get(*at).cloned()).collect();
            let mut sorted = picked;
            // As a query gives them.
            sorted.sort_by_key(|row| row.sequence);
            prop_assert_eq!(walk(&sorted, &heads, &keys, 0).sound(), sorted == rows);
        }
    }
}
