//! One partition as a sink sees it: what waits, what is collected, what is being inserted.
//!
//! A lane opens when it is known where the partition stands. At most one of its batches is being inserted; the next
//! is collected meanwhile. A batch that repeats a plan is cut where the plan says, whatever the limits.

use super::batch::{Batch, Cut, Limits};
use super::position::{Refusal, Start};
use rdkafka::Message;
use rdkafka::message::OwnedMessage;
use std::collections::VecDeque;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Whether a record may be taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It comes next.
    Next,
    /// It lies behind a plan that must be inserted first: it waits.
    BehindPlan,
}

/// One partition.
pub(super) struct Lane<T> {
    /// Tells this lane from an earlier one of the same partition.
    pub(super) id: u64,
    /// Cancelled when the partition is taken away.
    pub(super) cancel: CancellationToken,
    /// Records that came before the lane opened, behind a plan, or whose schema is being fetched.
    pub(super) waiting: VecDeque<OwnedMessage>,
    /// Whether Kafka was asked to hold this partition's records back.
    pub(super) paused: bool,
    /// Whether Kafka has said that there is nothing more now, since the lane opened.
    pub(super) at_end: bool,
    state: State<T>,
}

enum State<T> {
    Opening,
    Open(Open<T>),
    /// It stands still until somebody acts.
    Refused,
}

struct Open<T> {
    redo: Option<i64>,
    batch: Batch<T>,
    inserting: Option<Inserting>,
}

/// A batch that is being inserted.
struct Inserting {
    bytes: usize,
    /// When it was cut, if its age was the reason.
    since: Option<Instant>,
}

impl<T> Lane<T> {
    /// A lane that waits to be told where it stands. Kafka was asked to pause it meanwhile.
    pub(super) fn opening(id: u64, cancel: CancellationToken) -> Self {
        Self { id, cancel, waiting: VecDeque::new(), paused: true, at_end: false, state: State::Opening }
    }

    /// Opens it.
    pub(super) fn open(&mut self, start: Start) {
        let Start { done, redo } = start;
        self.at_end = false;
        self.state = State::Open(Open { redo, batch: Batch::behind(done), inserting: None });
    }

    /// Closes it for good.
    pub(super) fn refuse(&mut self) {
        self.waiting.clear();
        self.state = State::Refused;
    }

    /// Whether it takes records now.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    fn opened(&mut self) -> Option<&mut Open<T>> {
        match &mut self.state {
            State::Open(open) => Some(open),
            State::Opening | State::Refused => None,
        }
    }

    /// Judges the next record.
    pub(super) fn admit(&mut self, offset: i64) -> Result<Admission, Refusal> {
        let Some(open) = self.opened() else { return Ok(Admission::BehindPlan) };
        let last = open.batch.last();
        if offset <= last {
            return Err(Refusal::OutOfOrder { offset, last });
        }
        Ok(if open.redo.is_some_and(|to| offset > to) { Admission::BehindPlan } else { Admission::Next })
    }

    /// The batch that takes records in, if the lane is open.
    pub(super) fn batch(&mut self) -> Option<&mut Batch<T>> {
        self.opened().map(|open| &mut open.batch)
    }

    /// Whether another record would have to wait for the insert under way.
    pub(super) fn is_full(&self, limits: &Limits) -> bool {
        match &self.state {
            State::Open(open) => {
                open.inserting.is_some() && open.redo.is_none() && open.batch.is_full(limits)
            }
            State::Opening | State::Refused => true,
        }
    }

    /// Whether a plan of before a restart is not whole yet.
    pub(super) fn repeats(&self) -> bool {
        matches!(&self.state, State::Open(Open { redo: Some(_), .. }))
    }

    /// Bytes held in memory for it; `held_by` tells those of a record that waits.
    pub(super) fn bytes(&self, held_by: impl Fn(&OwnedMessage) -> usize) -> usize {
        let waiting: usize = self.waiting.iter().map(held_by).sum();
        match &self.state {
            State::Open(open) => {
                waiting + open.batch.bytes() + open.inserting.as_ref().map_or(0, |i| i.bytes)
            }
            State::Opening | State::Refused => waiting,
        }
    }

    /// Rows being collected.
    pub(super) fn rows(&self) -> usize {
        match &self.state {
            State::Open(open) => open.batch.rows(),
            State::Opening | State::Refused => 0,
        }
    }

    /// When something is due, if nothing else happens.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        match &self.state {
            State::Open(open) if open.inserting.is_none() && open.redo.is_none() => {
                open.batch.deadline(limits)
            }
            _ => None,
        }
    }

    /// Cuts what is due: a full batch, and, if `by_age`, one that has waited long enough. `at_end`: the partition has nothing more now, so a plan under repetition is whole; records of
    /// it that are missing were compacted away.
    ///
    /// The second value tells whether the range must be planned first: not if it is the plan that is being repeated.
    pub(super) fn cut(
        &mut self,
        limits: &Limits,
        by_age: Option<Instant>,
        at_end: bool,
        key: impl Fn(&T) -> u64,
    ) -> Option<(Cut<T>, bool)> {
        let waits_for = self.waiting.front().map(Message::offset);
        let open = self.opened()?;
        if open.inserting.is_some() {
            return None;
        }
        let (to, plan) = match open.redo {
            Some(to) if open.batch.last() >= to || waits_for.is_some_and(|offset| offset > to) || at_end => {
                (to, false)
            }
            Some(_) => return None,
            None => {
                let due = open.batch.is_full(limits)
                    || open.batch.deadline(limits).zip(by_age).is_some_and(|(due, now)| due <= now);
                if !due || open.batch.is_empty() {
                    return None;
                }
                (open.batch.last(), true)
            }
        };
        open.redo = None;
        let cut = open.batch.cut(to, key);
        open.inserting = Some(Inserting { bytes: cut.bytes, since: by_age });
        Some((cut, plan))
    }

    /// The batch under way is in ClickHouse. Gives when it was cut, if its age was the reason.
    pub(super) fn inserted(&mut self) -> Option<Instant> {
        self.opened()?.inserting.take()?.since
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const LIMITS: Limits = Limits { rows: 2, bytes: 1000, age: Duration::from_millis(500) };

    fn lane(start: Start) -> Lane<char> {
        let mut lane = Lane::opening(1, CancellationToken::new());
        lane.open(start);
        lane
    }

    fn push(lane: &mut Lane<char>, offset: i64, now: Instant) {
        assert_eq!(lane.admit(offset), Ok(Admission::Next));
        lane.batch().unwrap().push(offset, 'x', 10, now);
    }

    #[test]
    fn one_batch_is_inserted_while_the_next_is_collected() {
        let now = Instant::now();
        let mut lane = lane(Start { done: -1, redo: None });
        push(&mut lane, 0, now);
        assert!(lane.cut(&LIMITS, Some(now), false, |_| 0).is_none(), "not full, not due");
        push(&mut lane, 1, now);
        let (cut, plan) = lane.cut(&LIMITS, Some(now), false, |_| 0).unwrap();
        assert!(plan);
        assert_eq!((cut.range.from, cut.range.to), (-1, 1));
        push(&mut lane, 2, now);
        push(&mut lane, 3, now);
        assert!(lane.is_full(&LIMITS));
        assert!(lane.cut(&LIMITS, Some(now), false, |_| 0).is_none(), "one at a time");
        lane.inserted();
        let (cut, _) = lane.cut(&LIMITS, Some(now), false, |_| 0).unwrap();
        assert_eq!((cut.range.from, cut.range.to), (1, 3));
    }

    #[test]
    fn age_cuts_what_rows_do_not() {
        let now = Instant::now();
        let mut lane = lane(Start { done: 9, redo: None });
        push(&mut lane, 12, now);
        assert_eq!(lane.deadline(&LIMITS), Some(now + LIMITS.age));
        assert!(lane.cut(&LIMITS, None, false, |_| 0).is_none(), "it is another partition's turn");
        let (cut, _) = lane.cut(&LIMITS, Some(now + LIMITS.age), false, |_| 0).unwrap();
        assert_eq!((cut.range.from, cut.range.to), (9, 12));
    }

    #[test]
    fn a_plan_is_repeated_as_it_was_whatever_the_limits() {
        let now = Instant::now();
        let mut lane = lane(Start { done: 9, redo: Some(14) });
        for offset in 10..14 {
            push(&mut lane, offset, now);
            assert!(
                lane.cut(&LIMITS, Some(now + LIMITS.age * 2), false, |_| 0).is_none(),
                "the plan is not whole"
            );
        }
        push(&mut lane, 14, now);
        assert_eq!(lane.admit(15), Ok(Admission::BehindPlan));
        let (cut, plan) = lane.cut(&LIMITS, Some(now), false, |_| 0).unwrap();
        assert!(!plan, "it is planned already");
        assert_eq!((cut.range.from, cut.range.to, cut.groups[0].1.len()), (9, 14, 5));
        assert_eq!(lane.admit(15), Ok(Admission::Next));
    }

    #[test]
    fn a_plan_whose_records_were_compacted_away_is_whole_at_the_end() {
        let now = Instant::now();
        let mut lane = lane(Start { done: 9, redo: Some(14) });
        push(&mut lane, 11, now);
        assert!(lane.cut(&LIMITS, Some(now), false, |_| 0).is_none());
        let (cut, plan) = lane.cut(&LIMITS, Some(now), true, |_| 0).unwrap();
        assert_eq!((cut.range.to, plan), (14, false));
    }

    #[test]
    fn what_comes_twice_is_refused() {
        let mut lane = lane(Start { done: 9, redo: None });
        push(&mut lane, 10, Instant::now());
        assert_eq!(lane.admit(10), Err(Refusal::OutOfOrder { offset: 10, last: 10 }));
        assert_eq!(lane.admit(9), Err(Refusal::OutOfOrder { offset: 9, last: 10 }));
    }
}
