//! A confusion matrix and what follows from it.

use super::intervals::{self, Interval, UNKNOWN};
use super::{number, share};
use std::collections::BTreeMap;

/// Samples by what is true and what was predicted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matrix<'a> {
    cells: BTreeMap<(&'a str, &'a str), i64>,
}

/// One label against the rest.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "see the fields of quality.avsc")]
pub struct Class<'a> {
    pub label: &'a str,
    pub support: i64,
    pub predicted: i64,
    pub true_positives: i64,
    pub precision: f64,
    pub precision_in: Interval,
    pub recall: f64,
    pub recall_in: Interval,
    pub f1: f64,
    pub f1_in: Interval,
}

/// Means over classes.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "see the fields of quality.avsc")]
pub struct Macro {
    pub precision: f64,
    pub recall: f64,
    pub f1: f64,
    pub f1_in: Interval,
}

impl<'a> Matrix<'a> {
    /// Adds samples.
    pub fn add(&mut self, truth: &'a str, predicted: &'a str, count: i64) {
        if count != 0 {
            *self.cells.entry((truth, predicted)).or_default() += count;
        }
    }

    /// All cells that are not zero.
    pub fn cells(&self) -> impl Iterator<Item = (&'a str, &'a str, i64)> {
        self.cells.iter().filter(|(_, n)| **n != 0).map(|((truth, predicted), n)| (*truth, *predicted, *n))
    }

    /// All samples.
    pub fn samples(&self) -> i64 {
        self.cells.values().sum()
    }

    /// Samples on which both agree.
    pub fn correct(&self) -> i64 {
        self.cells().filter(|(truth, predicted, _)| truth == predicted).map(|(.., n)| n).sum()
    }

    /// Share of the samples on which both agree, and its interval.
    pub fn accuracy(&self) -> (f64, Interval) {
        let (correct, samples) = (self.correct(), self.samples());
        (share(correct, samples), intervals::wilson(correct, samples))
    }

    /// Cohen's kappa (1960): the agreement beyond what chance would bring, given how often each label is used. None where
    /// there is nothing to agree on, or nothing that chance leaves.
    pub fn kappa(&self) -> Option<f64> {
        let samples = number(self.samples());
        let by_chance: f64 =
            self.classes().iter().map(|c| number(c.support) * number(c.predicted)).sum::<f64>()
                / (samples * samples);
        let observed = self.accuracy().0;
        (samples > 0.0 && by_chance < 1.0).then(|| (observed - by_chance) / (1.0 - by_chance))
    }

    /// Every label that is true or predicted somewhere, in alphabetical order.
    pub fn classes(&self) -> Vec<Class<'a>> {
        let mut sums: BTreeMap<&str, (i64, i64, i64)> = BTreeMap::new();
        for (truth, predicted, n) in self.cells() {
            sums.entry(truth).or_default().0 += n;
            sums.entry(predicted).or_default().1 += n;
            if truth == predicted {
                sums.entry(truth).or_default().2 += n;
            }
        }
        let classes = sums.into_iter().map(|(label, (support, predicted, hits))| Class {
            label,
            support,
            predicted,
            true_positives: hits,
            precision: share(hits, predicted),
            precision_in: intervals::wilson(hits, predicted),
            recall: share(hits, support),
            recall_in: intervals::wilson(hits, support),
            f1: share(2 * hits, support + predicted),
            f1_in: intervals::f1(hits, predicted - hits, support - hits),
        });
        classes.collect()
    }

    /// Means over the classes.
    ///
    /// The interval of F1 is by the delta method on the multinomial counts (Takahashi, Yamamoto, Kuchiba, Koyama 2022,
    /// Applied Intelligence 52:4961). With p the cells' shares, aₖ = pₖ· + p·ₖ and Fₖ = 2pₖₖ / aₖ, the mean of the r Fₖ
    /// has the gradient gᵢⱼ = ([i=j] 2/aᵢ − Fᵢ/aᵢ − Fⱼ/aⱼ) / r. Since Σ p g = 0, its variance is Σ p g² / n.
    pub fn means(&self, classes: &[Class<'a>]) -> Macro {
        let samples = self.samples();
        if classes.is_empty() || samples <= 0 {
            return Macro { precision: 0.0, recall: 0.0, f1: 0.0, f1_in: UNKNOWN };
        }
        let (n, r) = (number(samples), number(i64::try_from(classes.len()).unwrap_or(i64::MAX)));
        let mean = |of: fn(&Class<'a>) -> f64| classes.iter().map(of).sum::<f64>() / r;
        // By label: a and F / a.
        let parts: BTreeMap<&str, (f64, f64)> = classes
            .iter()
            .map(|class| {
                let a = number(class.support + class.predicted) / n;
                (class.label, (a, class.f1 / a))
            })
            .collect();
        let variance: f64 = self
            .cells()
            .map(|(truth, predicted, count)| {
                let (a, slope) = parts[truth];
                let hit = if truth == predicted { 2.0 / a } else { 0.0 };
                let gradient = (hit - slope - parts[predicted].1) / r;
                number(count) / n * gradient * gradient
            })
            .sum::<f64>()
            / n;
        let f1 = mean(|class| class.f1);
        Macro {
            precision: mean(|class| class.precision),
            recall: mean(|class| class.recall),
            f1,
            f1_in: intervals::normal(f1, variance),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of<'a>(cells: &[(&'a str, &'a str, i64)]) -> Matrix<'a> {
        let mut matrix = Matrix::default();
        cells.iter().for_each(|(truth, predicted, n)| matrix.add(truth, predicted, *n));
        matrix
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9, "{a} is not {b}");
    }

    #[test]
    fn figures_are_those_of_the_textbook() {
        // 45 and 25 agree, 15 and 15 do not: kappa 0.4 (Cohen's example as Wikipedia has it, with 50 of each rater).
        let matrix = of(&[("yes", "yes", 20), ("yes", "no", 5), ("no", "yes", 10), ("no", "no", 15)]);
        close(matrix.kappa().unwrap(), 0.4);
        close(matrix.accuracy().0, 0.7);
        let classes = matrix.classes();
        let yes = classes.iter().find(|class| class.label == "yes").unwrap();
        close(yes.precision, 20.0 / 30.0);
        close(yes.recall, 0.8);
        close(yes.f1, 40.0 / 55.0);
        close(matrix.means(&classes).f1, f64::midpoint(40.0 / 55.0, 30.0 / 45.0));
    }

    #[test]
    fn nothing_and_one_label_alone_are_no_accident() {
        let nothing = of(&[]);
        assert_eq!((nothing.samples(), nothing.kappa()), (0, None));
        assert_eq!(nothing.means(&nothing.classes()).f1_in, UNKNOWN);
        let alone = of(&[("a", "a", 7)]);
        assert_eq!(alone.kappa(), None, "chance leaves nothing");
        close(alone.means(&alone.classes()).f1, 1.0);
    }

    /// The variance of the delta method against that of ten thousand draws of the same multinomial.
    #[test]
    fn the_interval_of_the_mean_f1_is_that_of_repeated_draws() {
        let cells = [
            ("a", "a", 60),
            ("a", "b", 12),
            ("a", "c", 3),
            ("b", "a", 9),
            ("b", "b", 40),
            ("b", "c", 6),
            ("c", "a", 4),
            ("c", "b", 7),
            ("c", "c", 19),
        ];
        let matrix = of(&cells);
        let total = matrix.samples();
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut draw = || {
            // xorshift64*: enough for a test, and the same each time.
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            let bits = state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
            i64::try_from(bits).unwrap() % total
        };
        let drawn: Vec<f64> = (0..10_000)
            .map(|_| {
                let mut sample = Matrix::default();
                for _ in 0..total {
                    let mut at = draw();
                    let cell = cells.iter().find(|(.., n)| {
                        at -= n;
                        at < 0
                    });
                    let (truth, predicted, _) = cell.unwrap();
                    sample.add(truth, predicted, 1);
                }
                sample.means(&sample.classes()).f1
            })
            .collect();
        let mean = drawn.iter().sum::<f64>() / 10_000.0;
        let deviation = (drawn.iter().map(|f| (f - mean).powi(2)).sum::<f64>() / 10_000.0).sqrt();
        let Macro { f1_in, .. } = matrix.means(&matrix.classes());
        let ours = (f1_in.high - f1_in.low) / 2.0 / intervals::Z;
        assert!((ours / deviation - 1.0).abs() < 0.05, "{ours} by formula, {deviation} by drawing");
    }

    proptest! {
        #[test]
        fn classes_add_up_to_the_samples(cells in prop::collection::vec((0..5_usize, 0..5_usize, 0..50_i64), 0..30)) {
            let names = ["a", "b", "c", "d", "e"];
            let cells: Vec<_> = cells.into_iter().map(|(t, p, n)| (names[t], names[p], n)).collect();
            let matrix = of(&cells);
            let classes = matrix.classes();
            let sum = |of: fn(&Class<'_>) -> i64| classes.iter().map(of).sum::<i64>();
            prop_assert_eq!(sum(|c| c.support), matrix.samples());
            prop_assert_eq!(sum(|c| c.predicted), matrix.samples());
            prop_assert_eq!(sum(|c| c.true_positives), matrix.correct());
            let means = matrix.means(&classes);
            prop_assert!(means.f1_in.low <= means.f1 && means.f1 <= means.f1_in.high);
        }
    }
}
