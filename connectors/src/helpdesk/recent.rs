//! The last so many things seen.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;

/// Remembers the latest `capacity` values.
#[derive(Debug)]
pub(crate) struct Recent<T> {
    capacity: usize,
    known: HashSet<T>,
    order: VecDeque<T>,
}

impl<T: Eq + Hash + Clone> Recent<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), known: HashSet::new(), order: VecDeque::new() }
    }

    /// Remembers a value; false if it was known.
    pub(crate) fn insert(&mut self, value: T) -> bool {
        if !self.known.insert(value.clone()) {
            return false;
        }
        if self.order.len() == self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(value);
        true
    }

    pub(crate) fn contains(&self, value: &T) -> bool {
        self.known.contains(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten() {
        let mut recent = Recent::new(2);
        assert!(recent.insert(1) && recent.insert(2) && !recent.insert(1) && recent.insert(3));
        assert!(!recent.contains(&1) && recent.contains(&2) && recent.contains(&3));
    }
}
