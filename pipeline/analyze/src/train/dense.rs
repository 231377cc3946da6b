//! Multinomial logistic regression on an encoder's vectors, by AdaGrad.
//!
//! Vectors have length 1; they are scaled by [`SCALE`], so that the penalty `|w|² / 2n` is as weak as it has to be. The
//! weights taken are the mean over the epochs so far, of the epoch with the best accuracy on dev.

use super::rng::Rng;
use crate::cascade::logits;

/// Chosen on banking77 and clinc150 by dev.
const SCALE: f32 = 8.0;
const RATE: f32 = 0.1;
/// Epochs without a better dev score before training stops.
const PATIENCE: usize = 4;

/// A text's place among the vectors and its class.
pub(super) type Place = (usize, usize);

/// Fits weights (by label: weights, then bias); with `dev` also chooses the epoch, otherwise makes them all.
pub(super) fn fit(
    vectors: &[Vec<f32>],
    train: &[Place],
    dev: &[Place],
    classes: usize,
    epochs: usize,
    seed: u64,
) -> (Vec<f32>, usize) {
    let width = vectors.first().map_or(0, Vec::len) + 1;
    let (mut weights, mut squares) = (vec![0f32; width * classes], vec![1e-3f32; width * classes]);
    let mut mean = weights.clone();
    let decay = 1.0 / train.len().max(1) as f32;
    let mut order: Vec<usize> = (0..train.len()).collect();
    let mut rng = Rng::new(seed);
    let mut best = (weights.clone(), 0, -1.0);
    let mut scaled = vec![SCALE; width];
    for epoch in 1..=epochs {
        rng.shuffle(&mut order);
        for &i in &order {
            let (text, class) = train[i];
            scaled.iter_mut().zip(&vectors[text]).for_each(|(s, v)| *s = v * SCALE);
            // the bias reads a 1
            scaled[width - 1] = 1.0;
            let mut p: Vec<f32> = weights
                .chunks_exact(width)
                .map(|row| row.iter().zip(&scaled).map(|(w, x)| w * x).sum())
                .collect();
            softmax(&mut p);
            p[class] -= 1.0;
            for ((row, squares), g) in
                weights.chunks_exact_mut(width).zip(squares.chunks_exact_mut(width)).zip(&p)
            {
                for ((w, s), x) in row.iter_mut().zip(squares).zip(&scaled) {
                    let gradient = g * x + decay * *w;
                    *s += gradient * gradient;
                    *w -= RATE * gradient / s.sqrt();
                }
            }
        }
        mean.iter_mut().zip(&weights).for_each(|(m, w)| *m += (w - *m) / epoch as f32);
        let unscaled = unscale(&mean, width);
        let right = |&&(text, class): &&Place| argmax(&logits(&unscaled, &vectors[text])) == class;
        let score = dev.iter().filter(right).count() as f64;
        if dev.is_empty() || score > best.2 {
            best = (unscaled, epoch, score);
        }
        if epoch >= best.1 + PATIENCE {
            break;
        }
    }
    (best.0, best.1)
}

/// Weights that read vectors as they are.
fn unscale(weights: &[f32], width: usize) -> Vec<f32> {
    let mut out = weights.to_vec();
    for row in out.chunks_exact_mut(width) {
        row[..width - 1].iter_mut().for_each(|w| *w *= SCALE);
    }
    out
}

fn softmax(p: &mut [f32]) {
    let max = p.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    p.iter_mut().for_each(|p| *p = (*p - max).exp());
    let total: f32 = p.iter().sum();
    p.iter_mut().for_each(|p| *p /= total);
}

fn argmax(p: &[f32]) -> usize {
    (0..p.len()).fold(0, |best, i| if p[i] > p[best] { i } else { best })
}
