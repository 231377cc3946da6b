//! The population stability index: how far one mix has moved from another.

use super::number;
use std::collections::{BTreeMap, BTreeSet};

/// Fewer tickets than this, of the day or of the reference, tell nothing: chance alone would look like drift.
pub const LEAST_TICKETS: i64 = 50;

/// The standard normal distribution's 99th percentile.
const Z_99: f64 = 2.326_347_874_040_841;

/// Two mixes compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Σ (p − q) · ln(p / q).
    pub index: f64,
    /// What chance alone would exceed once in a hundred times if both came from the same population.
    pub noise: f64,
}

/// Compares the counts of a mix with those of a reference; none if either has too few.
///
/// A label that one of them lacks would make the index infinite, so half a ticket is added to each (Agresti's usual
/// correction of empty cells). Without drift the index is distributed as (1/n + 1/m) · χ² with as many degrees of freedom
/// as there are labels but one (Yurdakul and Naranjo 2020, J. Risk Model Validation 14(4)); the percentile of χ² is by
/// Wilson and Hilferty (1931).
pub fn compare<K: Ord>(mix: &BTreeMap<K, i64>, reference: &BTreeMap<K, i64>) -> Option<Comparison> {
    let (n, m) = (mix.values().sum::<i64>(), reference.values().sum::<i64>());
    if n < LEAST_TICKETS || m < LEAST_TICKETS {
        return None;
    }
    let labels: BTreeSet<&K> = mix.keys().chain(reference.keys()).collect();
    let kinds = number(i64::try_from(labels.len()).unwrap_or(i64::MAX));
    let smoothed = |counts: &BTreeMap<K, i64>, label: &K, total: i64| {
        (number(counts.get(label).copied().unwrap_or(0)) + 0.5) / (number(total) + 0.5 * kinds)
    };
    let index = labels
        .iter()
        .map(|label| {
            let (p, q) = (smoothed(mix, label, n), smoothed(reference, label, m));
            (p - q) * (p / q).ln()
        })
        .sum();
    let freedom = kinds - 1.0;
    let chi_squared = if freedom < 1.0 {
        0.0
    } else {
        let spread = 2.0 / (9.0 * freedom);
        freedom * (1.0 - spread + Z_99 * spread.sqrt()).powi(3)
    };
    Some(Comparison { index, noise: chi_squared * (1.0 / number(n) + 1.0 / number(m)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mix(counts: &[(&'static str, i64)]) -> BTreeMap<&'static str, i64> {
        counts.iter().copied().collect()
    }

    #[test]
    fn the_index_grows_with_the_move_and_needs_tickets() {
        let reference = mix(&[("a", 700), ("b", 200), ("c", 100)]);
        let of = |counts: &[(&'static str, i64)]| compare(&mix(counts), &reference);
        assert!(of(&[("a", 70), ("b", 20), ("c", 10)]).unwrap().index < 0.01);
        let moved = of(&[("a", 20), ("b", 20), ("c", 60)]).unwrap();
        assert!(moved.index > 1.0 && moved.index > 10.0 * moved.noise, "{moved:?}");
        let unheard = of(&[("a", 60), ("d", 40)]).unwrap();
        assert!(unheard.index.is_finite() && unheard.index > 1.0, "{unheard:?}");
        assert_eq!(of(&[("a", 49)]), None);
        assert_eq!(compare(&mix(&[("a", 900)]), &mix(&[])), None);
    }

    /// χ² tables: 5.991 at 95 % is another percentile; at 99 % 9.210 for two degrees and 21.666 for nine.
    #[test]
    fn the_noise_is_that_of_the_tables() {
        let even = |kinds: i64| (0..kinds).map(|kind| (kind, 1000 / kinds)).collect::<BTreeMap<_, _>>();
        for (kinds, table) in [(3, 9.210), (10, 21.666)] {
            let counts = even(kinds);
            let n = number(counts.values().sum());
            let noise = compare(&counts, &counts).unwrap().noise;
            assert!((noise * n / 2.0 / table - 1.0).abs() < 0.01, "{kinds}: {noise}");
        }
    }

    proptest! {
        #[test]
        fn a_mix_has_not_moved_from_itself_and_no_index_is_negative(
            a in prop::collection::btree_map(0..8_u8, 0..300_i64, 1..8),
            b in prop::collection::btree_map(0..8_u8, 0..300_i64, 1..8),
        ) {
            if let Some(same) = compare(&a, &a) {
                prop_assert!(same.index.abs() < 1e-12);
            }
            if let Some(moved) = compare(&a, &b) {
                prop_assert!(moved.index >= -1e-12 && moved.index.is_finite() && moved.noise >= 0.0);
            }
        }
    }
}
