//! Confidence intervals of 95 %.

use super::{number, share};

/// The standard normal distribution's 97.5th percentile.
pub const Z: f64 = 1.959_963_984_540_054;

/// Lower and upper end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Nothing is known.
pub const UNKNOWN: Interval = Interval { low: 0.0, high: 1.0 };

/// Wilson's score interval of a proportion (E. B. Wilson 1927, J. Am. Stat. Assoc. 22:209): good for few samples and near
/// 0 and 1, where the usual one is not.
pub fn wilson(successes: i64, samples: i64) -> Interval {
    if samples <= 0 {
        return UNKNOWN;
    }
    let (n, p) = (number(samples), share(successes, samples));
    let z2 = Z * Z;
    let centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    Interval {
        low: if successes <= 0 { 0.0 } else { (centre - half).max(0.0) },
        high: if successes >= samples { 1.0 } else { (centre + half).min(1.0) },
    }
}

/// The interval of an F1. With J = TP / (TP + FP + FN), a proportion, F1 = 2J / (1 + J), which grows with J: so Wilson's
/// interval of J, taken through it, is one of F1 (Lam, Gopal, Qian 2023, arXiv:2309.14621, "Wilson indirect").
pub fn f1(true_positives: i64, false_positives: i64, false_negatives: i64) -> Interval {
    let Interval { low, high } = wilson(true_positives, true_positives + false_positives + false_negatives);
    let f1 = |j: f64| 2.0 * j / (1.0 + j);
    Interval { low: f1(low), high: f1(high) }
}

/// The interval around an estimate of that variance, cut to 0 to 1.
pub fn normal(estimate: f64, variance: f64) -> Interval {
    let half = Z * variance.max(0.0).sqrt();
    Interval { low: (estimate - half).max(0.0), high: (estimate + half).min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn near(interval: Interval, low: f64, high: f64) {
        assert!((interval.low - low).abs() < 5e-4 && (interval.high - high).abs() < 5e-4, "{interval:?}");
    }

    /// Newcombe 1998, Statistics in Medicine 17:857, Table I, method 3.
    #[test]
    fn wilson_gives_the_published_examples() {
        near(wilson(81, 263), 0.2553, 0.3662);
        near(wilson(15, 148), 0.0624, 0.1605);
        near(wilson(0, 20), 0.0, 0.1611);
        near(wilson(1, 29), 0.0061, 0.1718);
        assert_eq!(wilson(0, 0), UNKNOWN);
    }

    proptest! {
        #[test]
        fn an_interval_holds_its_estimate_and_shrinks_with_samples(n in 1..2000_i64, part in 0.0..=1.0_f64) {
            #[allow(clippy::cast_possible_truncation)]
            let k = (number(n) * part).floor() as i64;
            let (once, tenfold) = (wilson(k, n), wilson(10 * k, 10 * n));
            let p = share(k, n);
            prop_assert!(0.0 <= once.low && once.low <= p && p <= once.high && once.high <= 1.0, "{:?} {}", once, p);
            prop_assert!(tenfold.high - tenfold.low < once.high - once.low);
        }

        #[test]
        fn an_f1_lies_in_its_interval(tp in 0..500_i64, fp in 0..500_i64, fn_ in 0..500_i64) {
            let interval = f1(tp, fp, fn_);
            let point = share(2 * tp, 2 * tp + fp + fn_);
            prop_assert!(interval.low <= point + 1e-12 && point <= interval.high + 1e-12);
        }
    }
}
