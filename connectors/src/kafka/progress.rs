//! How far a partition is finished, when its records finish out of order.

use std::collections::{HashMap, VecDeque};

/// The unfinished records of one partition since it was assigned.
#[derive(Debug, Default)]
struct Partition {
    /// Offset of each record taken in, oldest first, and whether it is finished.
    records: VecDeque<(i64, bool)>,
}

/// Which records of which partitions are unfinished.
///
/// A partition that was taken away and given back starts anew under another `generation`, and what finishes
/// from the earlier one no longer counts: another consumer may have gone further meanwhile.
#[derive(Debug, Default)]
pub(super) struct Progress {
    generation: u64,
    partitions: HashMap<i32, (u64, Partition)>,
}

/// Identifies a record within [`Progress`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) partition: i32,
    pub(super) offset: i64,
    generation: u64,
}

impl Progress {
    /// A record was taken in.
    pub(super) fn begin(&mut self, partition: i32, offset: i64) -> Ticket {
        let (generation, state) =
            self.partitions.entry(partition).or_insert_with(|| (self.generation, Partition::default()));
        state.records.push_back((offset, false));
        Ticket { partition, offset, generation: *generation }
    }

    /// A record is finished. Gives the offset that may now be committed, if it moved.
    pub(super) fn finish(&mut self, ticket: Ticket) -> Option<i64> {
        let (generation, state) = self.partitions.get_mut(&ticket.partition)?;
        if *generation != ticket.generation {
            return None;
        }
        let at = state.records.partition_point(|(offset, _)| *offset < ticket.offset);
        let record = state.records.get_mut(at).filter(|(offset, _)| *offset == ticket.offset)?;
        record.1 = true;
        let mut committable = None;
        while let Some((offset, true)) = state.records.front() {
            committable = Some(offset + 1);
            state.records.pop_front();
        }
        committable
    }

    /// Partitions were taken away.
    pub(super) fn revoke(&mut self, partitions: impl IntoIterator<Item = i32>) {
        self.generation += 1;
        for partition in partitions {
            self.partitions.remove(&partition);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_lowest_unfinished_record_holds_the_offset() {
        let mut progress = Progress::default();
        let tickets: Vec<_> = [10, 11, 15].map(|offset| progress.begin(0, offset)).into();
        assert_eq!(progress.finish(tickets[1]), None);
        assert_eq!(progress.finish(tickets[0]), Some(12));
        assert_eq!(progress.finish(tickets[2]), Some(16));
    }

    #[test]
    fn what_finishes_after_its_partition_was_taken_away_counts_for_nothing() {
        let mut progress = Progress::default();
        let old = progress.begin(3, 7);
        progress.revoke([3]);
        let again = progress.begin(3, 7);
        let next = progress.begin(3, 8);
        assert_eq!(progress.finish(old), None);
        assert_eq!(progress.finish(next), None);
        assert_eq!(progress.finish(again), Some(9));
    }

    proptest! {
        /// Whatever the order of finishing: never past an unfinished record, and at the end past all.
        #[test]
        fn never_past_an_unfinished_record(order in Just((0..40i64).collect::<Vec<_>>()).prop_shuffle()) {
            let mut progress = Progress::default();
            let tickets: Vec<_> = (0..40).map(|offset| progress.begin(0, offset)).collect();
            let mut open: std::collections::BTreeSet<i64> = (0..40).collect();
            let mut committed = 0;
            for offset in order {
                open.remove(&offset);
                if let Some(to) = progress.finish(tickets[usize::try_from(offset).unwrap()]) {
                    prop_assert!(to > committed);
                    committed = to;
                }
                prop_assert_eq!(committed, open.first().copied().unwrap_or(40));
            }
        }
    }
}
