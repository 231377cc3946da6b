//! Order within a key, concurrency across keys.

use std::collections::{HashMap, VecDeque};

/// Work in lanes: at most one item of a lane and `width` items in all are out at the same time, and each
/// lane's items come out in the order in which they went in.
#[derive(Debug)]
pub(super) struct Lanes<W> {
    width: usize,
    running: usize,
    waiting: usize,
    /// Lanes with an item out, or ready to have one; with what waits behind it.
    lanes: HashMap<u64, VecDeque<W>>,
    /// Lanes that have work and no item out, in the order in which they became so.
    ready: VecDeque<u64>,
}

impl<W> Lanes<W> {
    pub(super) fn new(width: usize) -> Self {
        Self { width: width.max(1), running: 0, waiting: 0, lanes: HashMap::new(), ready: VecDeque::new() }
    }

    /// Adds an item to the end of a lane.
    pub(super) fn push(&mut self, lane: u64, item: W) {
        self.waiting += 1;
        let queue = self.lanes.entry(lane).or_insert_with(|| {
            self.ready.push_back(lane);
            VecDeque::new()
        });
        queue.push_back(item);
    }

    /// The next item to start, if one may start now.
    pub(super) fn start(&mut self) -> Option<(u64, W)> {
        if self.running >= self.width {
            return None;
        }
        let lane = self.ready.pop_front()?;
        let item = self.lanes.get_mut(&lane)?.pop_front()?;
        self.running += 1;
        self.waiting -= 1;
        Some((lane, item))
    }

    /// The item that is out of this lane has ended.
    pub(super) fn end(&mut self, lane: u64) {
        self.running -= 1;
        match self.lanes.get(&lane) {
            Some(queue) if queue.is_empty() => drop(self.lanes.remove(&lane)),
            Some(_) => self.ready.push_back(lane),
            None => {}
        }
    }

    /// Items that are out.
    pub(super) fn running(&self) -> usize {
        self.running
    }

    /// Items that are out or wait.
    pub(super) fn len(&self) -> usize {
        self.running + self.waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_lane_has_one_item_out() {
        let mut lanes = Lanes::new(8);
        for item in 0..3 {
            lanes.push(1, item);
        }
        lanes.push(2, 10);
        assert_eq!(lanes.start(), Some((1, 0)));
        assert_eq!(lanes.start(), Some((2, 10)));
        assert_eq!(lanes.start(), None);
        lanes.end(1);
        assert_eq!(lanes.start(), Some((1, 1)));
        assert_eq!((lanes.running(), lanes.len()), (2, 3));
    }

    proptest! {
        #[test]
        fn order_width_and_completeness_hold(
            keys in proptest::collection::vec(0u64..6, 0..200),
            width in 1usize..5,
            picks in proptest::collection::vec(any::<prop::sample::Index>(), 400),
        ) {
            let mut lanes = Lanes::new(width);
            for (item, key) in keys.iter().enumerate() {
                lanes.push(*key, item);
            }
            let (mut out, mut last, mut seen) = (Vec::new(), HashMap::new(), 0);
            let mut picks = picks.into_iter();
            loop {
                while let Some((lane, item)) = lanes.start() {
                    prop_assert!(!out.contains(&lane));
                    prop_assert!(last.insert(lane, item).is_none_or(|before| before < item));
                    out.push(lane);
                    seen += 1;
                }
                prop_assert!(out.len() <= width);
                if out.is_empty() {
                    break;
                }
                let lane = out.swap_remove(picks.next().unwrap().index(out.len()));
                lanes.end(lane);
            }
            prop_assert_eq!(seen, keys.len());
            prop_assert_eq!(lanes.len(), 0);
        }
    }
}
