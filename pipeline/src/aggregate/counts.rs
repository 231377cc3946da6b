//! Counts as elements of an Abelian group: what can be added can be taken away again.

use differential_dataflow::difference::{Abelian, IsZero, Monoid, Semigroup};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Counts by dimension; one that is zero is absent, so that equal sums are equal values.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Counts<D: Ord>(BTreeMap<D, i64>);

impl<D: Ord> Default for Counts<D> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<D: Ord> Counts<D> {
    /// Adds to one dimension.
    pub fn add(&mut self, dimension: D, count: i64) {
        if count == 0 {
            return;
        }
        match self.0.entry(dimension) {
            Entry::Vacant(entry) => {
                entry.insert(count);
            }
            Entry::Occupied(mut entry) => {
                *entry.get_mut() += count;
                if *entry.get() == 0 {
                    entry.remove();
                }
            }
        }
    }

    /// The count of one dimension.
    pub fn get(&self, dimension: &D) -> i64 {
        self.0.get(dimension).copied().unwrap_or(0)
    }

    /// The same without some dimensions.
    pub fn without(&self, leave_out: impl Fn(&D) -> bool) -> Self
    where
        D: Clone,
    {
        Self(self.0.iter().filter(|(d, _)| !leave_out(d)).map(|(d, n)| (d.clone(), *n)).collect())
    }

    /// Every dimension that is not zero.
    pub fn iter(&self) -> impl Iterator<Item = (&D, i64)> {
        self.0.iter().map(|(d, n)| (d, *n))
    }
}

impl<D: Ord> IsZero for Counts<D> {
    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
}

impl<D: Ord + Clone + 'static> Semigroup for Counts<D> {
    fn plus_equals(&mut self, other: &Self) {
        for (dimension, count) in &other.0 {
            self.add(dimension.clone(), *count);
        }
    }
}

impl<D: Ord + Clone + 'static> Monoid for Counts<D> {
    fn zero() -> Self {
        Self::default()
    }
}

impl<D: Ord + Clone + 'static> Abelian for Counts<D> {
    fn negate(&mut self) {
        self.0.values_mut().for_each(|n| *n = -*n);
    }
}
