//! The records of one partition between two cuts.

use super::position::Range;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// When a batch is cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Most rows. An insert must stay within one block: ClickHouse cuts at about a million rows.
    pub(super) rows: usize,
    /// Most bytes of the records as received. ClickHouse cuts blocks at 256 MiB in memory.
    pub(super) bytes: usize,
    /// Longest wait of the oldest record.
    pub(super) age: Duration,
}

/// A record and where it lies.
#[derive(Debug, PartialEq)]
pub(super) struct Placed<T> {
    pub(super) offset: i64,
    pub(super) record: T,
}

/// A record that could not be read.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) offset: i64,
    pub(super) key: Option<Vec<u8>>,
    pub(super) payload: Vec<u8>,
    pub(super) reason: &'static str,
    pub(super) error: String,
}

/// What has come since the last cut.
#[derive(Debug)]
pub(super) struct Batch<T> {
    range: Range,
    rows: Vec<Placed<T>>,
    refused: Vec<Refused>,
    bytes: usize,
    since: Option<Instant>,
}

impl<T> Batch<T> {
    /// An empty batch behind `from`.
    pub(super) fn behind(from: i64) -> Self {
        let range = Range { from, to: from };
        Self { range, rows: Vec::new(), refused: Vec::new(), bytes: 0, since: None }
    }

    /// The last offset taken in, or the one before the batch.
    pub(super) fn last(&self) -> i64 {
        self.range.to
    }

    /// Whether no offset has been passed: also one without a row (a tombstone) is something to get past.
    pub(super) fn is_empty(&self) -> bool {
        self.range.from == self.range.to
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Rows held.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Takes in a record.
    pub(super) fn push(&mut self, offset: i64, record: T, bytes: usize, now: Instant) {
        self.pass(offset, bytes, now);
        self.rows.push(Placed { offset, record });
    }

    /// Takes in a record that could not be read.
    pub(super) fn refuse(&mut self, refused: Refused, now: Instant) {
        self.pass(refused.offset, refused.payload.len(), now);
        self.refused.push(refused);
    }

    /// Passes an offset.
    pub(super) fn pass(&mut self, offset: i64, bytes: usize, now: Instant) {
        debug_assert!(offset > self.range.to, "offsets rise within a partition");
        self.range.to = offset;
        self.bytes += bytes;
        self.since.get_or_insert(now);
    }

    /// Whether it takes no more.
    pub(super) fn is_full(&self, limits: &Limits) -> bool {
        self.rows.len() + self.refused.len() >= limits.rows || self.bytes >= limits.bytes
    }

    /// When it is cut at the latest.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        self.since.map(|since| since + limits.age)
    }

    /// Cuts at `to`, and leaves an empty batch behind it. `key` tells the table partition of a record.
    pub(super) fn cut(&mut self, to: i64, key: impl Fn(&T) -> u64) -> Cut<T> {
        let Self { range, rows, refused, bytes, .. } = std::mem::replace(self, Self::behind(to));
        let mut groups: BTreeMap<u64, Vec<Placed<T>>> = BTreeMap::new();
        let capacity = rows.len();
        for placed in rows {
            let group = groups.entry(key(&placed.record)).or_insert_with(|| Vec::with_capacity(capacity));
            group.push(placed);
        }
        let groups = groups.into_iter().map(|(key, rows)| (key, Arc::new(rows))).collect();
        Cut { range: Range { from: range.from, to }, groups, refused, bytes }
    }
}

/// A batch that was cut: what is inserted, again and again if need be.
#[derive(Debug)]
pub(super) struct Cut<T> {
    /// Its offsets.
    pub(super) range: Range,
    /// Its rows by table partition, each in the order of the offsets.
    pub(super) groups: Vec<(u64, Arc<Vec<Placed<T>>>)>,
    /// Records for the dead letter.
    pub(super) refused: Vec<Refused>,
    /// Bytes held.
    pub(super) bytes: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { rows: 3, bytes: 100, age: Duration::from_millis(500) };

    #[test]
    fn a_batch_is_full_by_rows_or_bytes_and_due_by_age() {
        let now = Instant::now();
        let mut batch = Batch::behind(-1);
        assert!(batch.is_empty());
        assert_eq!(batch.deadline(&LIMITS), None);
        batch.push(0, 'a', 40, now);
        batch.push(4, 'b', 40, now + Duration::from_millis(100));
        assert!(!batch.is_full(&LIMITS));
        assert_eq!(batch.deadline(&LIMITS), Some(now + LIMITS.age), "the oldest record's age counts");
        batch.push(5, 'c', 1, now);
        assert!(batch.is_full(&LIMITS));
        let mut big = Batch::behind(5);
        big.push(6, 'd', 100, now);
        assert!(big.is_full(&LIMITS));
    }

    #[test]
    fn what_has_no_row_is_got_past_all_the_same() {
        let mut batch: Batch<char> = Batch::behind(9);
        batch.pass(10, 0, Instant::now());
        assert!(!batch.is_empty());
        let cut = batch.cut(10, |_| 0);
        assert_eq!(cut.range, Range { from: 9, to: 10 });
        assert!(cut.groups.is_empty());
        assert_eq!(batch.last(), 10);
    }

    proptest! {
        /// However records are spread over table partitions: each is in one group, in order, and ranges join on.
        #[test]
        fn cuts_join_on_and_lose_nothing(steps in proptest::collection::vec((1_i64..4, 0_u64..3), 1..60), every in 1_usize..10) {
            let now = Instant::now();
            let mut batch = Batch::behind(-1);
            let (mut offset, mut last_to, mut seen, mut pushed) = (-1, -1, Vec::new(), Vec::new());
            for (n, (step, key)) in steps.iter().enumerate() {
                offset += step;
                batch.push(offset, *key, 1, now);
                pushed.push(offset);
                if n % every == 0 || n + 1 == steps.len() {
                    let cut = batch.cut(batch.last(), |key| *key);
                    prop_assert_eq!(cut.range.from, last_to);
                    last_to = cut.range.to;
                    for (key, rows) in cut.groups {
                        prop_assert!(rows.iter().all(|row| row.record == key));
                        prop_assert!(rows.is_sorted_by_key(|row| row.offset));
                        seen.extend(rows.iter().map(|row| row.offset));
                    }
                }
            }
            seen.sort_unstable();
            prop_assert_eq!(seen, pushed);
            prop_assert_eq!(last_to, offset);
        }
    }
}
