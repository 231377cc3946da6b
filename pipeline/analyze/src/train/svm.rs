//! Linear support vector machines on hashed features, one for each class against the others.
//!
//! Squared hinge loss and L2, solved in the dual by coordinate descent (Hsieh et al. 2008, A Dual Coordinate Descent Method
//! for Large-scale Linear SVM, algorithm 1 without shrinking). Unlike the stochastic steps of [`super::fit`] it reaches the
//! optimum, and regularises a rare feature as much as a frequent one: where there are many labels with few texts each, that
//! is worth one to two points. Fixed order of a seeded shuffle: the same data and seed give the same bits.

use super::fit::{Fitted, Problem};
use super::rng::Rng;

/// Passes over the texts of a class.
const PASSES: usize = 60;
/// A pass in which no step was larger than this is the last.
const TOLERANCE: f32 = 0.02;

/// A text as a sparse vector of which each row occurs once.
struct Sparse {
    rows: Vec<u32>,
    values: Vec<f32>,
    ends: Vec<usize>,
}

impl Sparse {
    fn of(problem: &Problem<'_>) -> Self {
        let mut sparse = Sparse { rows: Vec::new(), values: Vec::new(), ends: Vec::new() };
        let mut one: Vec<(u32, f32)> = Vec::new();
        for target in problem.train {
            one.clear();
            for (rows, norm) in problem.groups(target.text) {
                one.extend(rows.iter().map(|&row| (row, norm)));
            }
            one.sort_unstable_by_key(|&(row, _)| row);
            for chunk in one.chunk_by(|a, b| a.0 == b.0) {
                sparse.rows.push(chunk[0].0);
                sparse.values.push(chunk.iter().map(|&(_, value)| value).sum());
            }
            sparse.ends.push(sparse.rows.len());
        }
        sparse
    }

    fn get(&self, i: usize) -> impl Iterator<Item = (usize, f32)> {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        let span = start..self.ends[i];
        self.rows[span.clone()].iter().map(|&row| row as usize).zip(self.values[span].iter().copied())
    }
}

/// Fits one head. `cost` weighs errors against the size of the weights.
pub fn fit(problem: &Problem<'_>, class_weights: &[f32], cost: f32, seed: u64) -> Fitted {
    let Problem { table_rows, classes, train, .. } = *problem;
    let texts = Sparse::of(problem);
    let squares: Vec<f32> =
        (0..train.len()).map(|i| 1.0 + texts.get(i).map(|(_, value)| value * value).sum::<f32>()).collect();
    let mut weights = vec![0.0; table_rows * classes];
    let mut biases = vec![0.0; classes];
    let mut order: Vec<usize> = (0..train.len()).collect();
    let (mut w, mut alpha) = (vec![0f32; table_rows], vec![0f32; train.len()]);
    for class in 0..classes {
        let mut rng = Rng::new(seed ^ (class as u64) << 32);
        w.fill(0.0);
        alpha.fill(0.0);
        let mut bias = 0.0;
        for _ in 0..PASSES {
            rng.shuffle(&mut order);
            let mut largest = 0f32;
            for &i in &order {
                let target = &train[i];
                let importance = target.weight * class_weights[target.class];
                if importance <= 0.0 {
                    continue;
                }
                let y = if target.class == class { 1.0 } else { -1.0 };
                let diagonal = 0.5 / (cost * importance);
                let margin = texts.get(i).map(|(row, value)| w[row] * value).sum::<f32>() + bias;
                let gradient = y * margin - 1.0 + diagonal * alpha[i];
                if alpha[i] == 0.0 && gradient >= 0.0 {
                    continue;
                }
                let before = alpha[i];
                alpha[i] = (before - gradient / (squares[i] + diagonal)).max(0.0);
                let step = (alpha[i] - before) * y;
                largest = largest.max(step.abs());
                texts.get(i).for_each(|(row, value)| w[row] += step * value);
                bias += step;
            }
            if largest < TOLERANCE * cost {
                break;
            }
        }
        w.iter().enumerate().for_each(|(row, &weight)| weights[row * classes + class] = weight);
        biases[class] = bias;
    }
    Fitted { weights, biases }
}

#[cfg(test)]
mod tests {
    use super::super::fit::{Rows, Target, dev_macro_f1};
    use super::*;
    use crate::features::Norms;

    /// Texts of one word and one part each.
    fn fitted(train: &[(u32, u32, usize)], norms: Norms) -> (Fitted, f64) {
        let mut rows = Rows::default();
        train.iter().for_each(|&(word, part, _)| rows.push([word], [part]));
        let targets: Vec<Target> =
            (0..).zip(train).map(|(text, t)| Target { text, class: t.2, weight: 1.0 }).collect();
        let problem =
            Problem { rows: &rows, table_rows: 8, norms, classes: 2, train: &targets, dev: &targets };
        let fitted = fit(&problem, &[1.0, 1.0], 1.0, 7);
        let f1 = dev_macro_f1(&problem, &fitted);
        (fitted, f1)
    }

    #[test]
    fn it_finds_the_optimum_that_can_be_found_by_hand() {
        // Two texts that share nothing, of opposite classes, with x·x = 2 + 1 for the bias: by symmetry the bias is 0 and
        // both have the same alpha; 2 alpha - 1 + alpha / 2 = 0 gives alpha = 0.4, and weights of ±0.4.
        let (fitted, f1) = fitted(&[(0, 1, 0), (2, 3, 1)], Norms::ByKind);
        for (row, expected) in [(0, 0.4), (1, 0.4), (2, -0.4), (3, -0.4)] {
            let found = fitted.weights[row * 2];
            assert!((found - expected).abs() < 0.02, "row {row}: {found}");
            assert!((fitted.weights[row * 2 + 1] + found).abs() < 0.02, "the other class has the opposite");
        }
        assert!(fitted.biases.iter().all(|bias| bias.abs() < 0.02));
        assert!((f1 - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_same_texts_give_the_same_bits() {
        let texts = [(0, 1, 0), (2, 1, 1), (4, 5, 0), (4, 3, 1), (0, 3, 0)];
        let (a, b) = (fitted(&texts, Norms::Joint).0, fitted(&texts, Norms::Joint).0);
        assert_eq!((a.weights, a.biases), (b.weights, b.biases));
    }
}
