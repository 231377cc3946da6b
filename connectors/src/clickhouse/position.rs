//! Where a partition stands, and what may come next: pure arithmetic of offsets.
//!
//! Positions are "everything up to and including this offset"; a range `(from, to]` begins behind `from`. Kafka's own
//! convention, the offset to read next, appears only in [`Committed`].

use std::fmt;

/// A range of offsets: behind `from`, up to and including `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    /// The last offset before the range; −1 at the start of a topic.
    pub(super) from: i64,
    /// The last offset of the range.
    pub(super) to: i64,
}

impl Range {
    /// The deduplication token of the part of the range that lies in one table partition.
    ///
    /// It says nothing of the content: after a crash the same range is the same block.
    pub(super) fn token(self, topic: &str, partition: i32, key: u64) -> String {
        format!("{topic}-{partition}-{}-{}-{key}", self.from, self.to)
    }
}

/// A group's committed offset with its metadata: what a crash leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Committed {
    /// The offset to read next.
    pub(super) next: i64,
    /// The end of the range that was about to be inserted, if one was.
    pub(super) planned: Option<i64>,
}

const PLAN: &str = "to=";

impl Committed {
    /// Everything up to `done` is in ClickHouse, and nothing more was begun.
    pub(super) fn done(done: i64) -> Self {
        Self { next: done + 1, planned: None }
    }

    /// The range is about to be inserted.
    pub(super) fn plan(range: Range) -> Self {
        Self { next: range.from + 1, planned: Some(range.to) }
    }

    /// The metadata to commit.
    pub(super) fn metadata(self) -> String {
        self.planned.map_or(String::new(), |to| format!("{PLAN}{to}"))
    }

    /// Reads what was committed.
    pub(super) fn read(next: i64, metadata: &str) -> Result<Self, Refusal> {
        let planned = match metadata.trim() {
            // Also what is left when an operator moves the offset with Kafka's tools: a start without a plan.
            "" => None,
            text => match text.strip_prefix(PLAN).and_then(|to| to.parse::<i64>().ok()) {
                Some(to) if to >= next => Some(to),
                _ => return Err(Refusal::Metadata { next, metadata: text.chars().take(40).collect() }),
            },
        };
        Ok(Self { next, planned })
    }
}

/// Why a partition is not taken up: going on would skip records or count them twice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// The topic no longer holds what comes next.
    #[error(
        "offsets {next} to {} are gone from the topic (retention), and ClickHouse does not have them; to accept the \
         loss, move the group's offset of this partition to {low} with kafka-consumer-groups --reset-offsets",
        low - 1
    )]
    Gone {
        /// What comes next.
        next: i64,
        /// The first offset there is.
        low: i64,
    },
    /// The topic ends before what comes next.
    #[error(
        "the next offset is {next}, but the topic ends at {high}: it was created anew; if its records shall go to \
         ClickHouse from the start, delete the group's offset of this partition with kafka-consumer-groups \
         --delete-offsets"
    )]
    Beyond {
        /// What comes next.
        next: i64,
        /// One behind the last offset there is.
        high: i64,
    },
    /// The group's metadata is not ours.
    #[error(
        "the metadata {metadata:?} of the group's offset {next} is not of this sink: another program uses the group"
    )]
    Metadata {
        /// The committed offset.
        next: i64,
        /// The start of what was found.
        metadata: String,
    },
    /// The broker delivered out of order.
    #[error("offset {offset} came behind {last}: the partition was read from elsewhere than its position")]
    OutOfOrder {
        /// What came.
        offset: i64,
        /// What had come before.
        last: i64,
    },
}

/// Where to take a partition up: what is done, and the end of a range to insert again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    /// Everything up to here is in ClickHouse.
    pub(super) done: i64,
    /// A range that begins behind `done` was planned up to here and may be in ClickHouse.
    pub(super) redo: Option<i64>,
}

/// Judges a partition before anything of it is taken: does what was committed join on to what the topic holds?
pub(super) fn start(committed: Option<Committed>, low: i64, high: i64) -> Result<Start, Refusal> {
    let Some(Committed { next, planned }) = committed else {
        // The first time: everything there is.
        return Ok(Start { done: low - 1, redo: None });
    };
    if next > high {
        return Err(Refusal::Beyond { next, high });
    }
    if low > next {
        return Err(Refusal::Gone { next, low });
    }
    Ok(Start { done: next - 1, redo: planned })
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {}]", self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_start_takes_what_there_is() {
        assert_eq!(start(None, 0, 10), Ok(Start { done: -1, redo: None }));
        assert_eq!(start(None, 7, 10), Ok(Start { done: 6, redo: None }));
    }

    #[test]
    fn a_plan_is_found_again() {
        let plan = Committed::plan(Range { from: 41, to: 99 });
        assert_eq!(plan.metadata(), "to=99");
        let read = Committed::read(42, "to=99").unwrap();
        assert_eq!(read, plan);
        assert_eq!(start(Some(read), 0, 200), Ok(Start { done: 41, redo: Some(99) }));
    }

    #[test]
    fn what_does_not_join_on_is_refused() {
        let at = |next| Some(Committed { next, planned: None });
        assert_eq!(start(at(5), 5, 5), Ok(Start { done: 4, redo: None }));
        assert_eq!(start(at(5), 6, 9), Err(Refusal::Gone { next: 5, low: 6 }));
        assert_eq!(start(at(5), 0, 4), Err(Refusal::Beyond { next: 5, high: 4 }));
        assert!(matches!(Committed::read(5, "to=4"), Err(Refusal::Metadata { .. })));
        assert!(matches!(Committed::read(5, "something"), Err(Refusal::Metadata { .. })));
    }

    #[test]
    fn a_token_names_the_range_and_the_table_partition() {
        assert_eq!(
            Range { from: -1, to: 99 }.token("deskstream.enriched", 3, 202_611),
            "deskstream.enriched-3--1-99-202611"
        );
    }

    proptest! {
        /// Whatever is committed, reading it back and starting from it repeats or continues, and never skips.
        #[test]
        fn commits_round_trip(from in -1_i64..1000, length in 1_i64..1000, more in 0_i64..1000) {
            let range = Range { from, to: from + length };
            for committed in [Committed::plan(range), Committed::done(range.to)] {
                let read = Committed::read(committed.next, &committed.metadata()).unwrap();
                prop_assert_eq!(&read, &committed);
                let start = start(Some(read), 0, range.to + 1 + more).unwrap();
                match start.redo {
                    Some(to) => prop_assert_eq!(Range { from: start.done, to }, range),
                    None => prop_assert_eq!(start.done, range.to),
                }
            }
        }
    }
}
