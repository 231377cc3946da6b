//! Multinomial logistic regression on hashed features by AdaGrad.
//!
//! Loss of an example: cross-entropy times the weight of its set and of its class; features count
//! `1/sqrt(n)` each. L2 is applied to the rows an example touches. The weights taken are the mean over the
//! epochs so far (Polyak averaging), which varies less than the last step. The epoch with the best macro-F1 on dev
//! wins; training stops once some epochs brought nothing. Without dev all epochs are made. One thread, fixed order: the same data and seed
//! give the same bits. (Leaving out a share of the features at random was tried and brought nothing.)

use super::rng::Rng;
use crate::features::Norms;

/// Settings of the optimiser.
#[derive(Debug, Clone, Copy)]
pub struct Hyper {
    /// Step size of AdaGrad.
    pub learning_rate: f32,
    /// Weight decay.
    pub l2: f32,
    /// At most so many passes.
    pub epochs: usize,
    /// Class weights are `(mean count / count)^balance`: 0 leaves the classes as they are, 1 evens them out.
    pub balance: f32,
}

/// Epochs without a better dev score before training stops.
const PATIENCE: usize = 5;

/// Feature rows of many texts, one after the other.
#[derive(Debug, Default)]
pub struct Rows {
    rows: Vec<u32>,
    /// Of each text: where its words end and its parts of words begin, and where they end.
    ends: Vec<(usize, usize)>,
}

impl Rows {
    /// Adds a text.
    pub fn push(&mut self, words: impl IntoIterator<Item = u32>, parts: impl IntoIterator<Item = u32>) {
        self.rows.extend(words);
        let words = self.rows.len();
        self.rows.extend(parts);
        self.ends.push((words, self.rows.len()));
    }

    /// The features of a text in groups, each with what one of it counts.
    fn groups(&self, i: usize, norms: Norms) -> [(&[u32], f32); 2] {
        let start = if i == 0 { 0 } else { self.ends[i - 1].1 };
        let (middle, end) = self.ends[i];
        let (words, parts) = (&self.rows[start..middle], &self.rows[middle..end]);
        let [of_words, of_parts] = norms.of([words.len(), parts.len()]);
        match norms {
            Norms::Joint => [(&self.rows[start..end], of_words), (&[], of_parts)],
            Norms::ByKind => [(words, of_words), (parts, of_parts)],
        }
    }
}

/// A text's place in [`Rows`], its class and its weight.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Index into [`Rows`].
    pub text: usize,
    /// Class.
    pub class: usize,
    /// Factor on its loss.
    pub weight: f32,
}

/// Fitted weights of one head.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// Row by row, `classes` each.
    pub weights: Vec<f32>,
    /// By class.
    pub biases: Vec<f32>,
}

impl Fitted {
    fn zero(table_rows: usize, classes: usize) -> Self {
        Self { weights: vec![0.0; table_rows * classes], biases: vec![0.0; classes] }
    }

    /// The logits of a text, into `p`; `sums` is working memory of the same length.
    fn logits(&self, groups: [(&[u32], f32); 2], sums: &mut [f32], p: &mut [f32]) {
        let classes = p.len();
        p.fill(0.0);
        for (rows, norm) in groups {
            sums.fill(0.0);
            for &row in rows {
                let at = row as usize * classes;
                sums.iter_mut().zip(&self.weights[at..at + classes]).for_each(|(sum, w)| *sum += w);
            }
            p.iter_mut().zip(&*sums).for_each(|(p, sum)| *p += sum * norm);
        }
        p.iter_mut().zip(&self.biases).for_each(|(p, b)| *p += b);
    }
}

/// What dev chose.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum Taken {
    /// The epoch, from 1.
    Epoch(usize),
    /// The cost of errors.
    Cost(f32),
}

impl std::fmt::Display for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Taken::Epoch(epoch) => write!(f, "epoch {epoch}"),
            Taken::Cost(cost) => write!(f, "cost {cost}"),
        }
    }
}

/// What one head is fitted to.
#[derive(Debug, Clone, Copy)]
pub struct Problem<'a> {
    /// The features of every text.
    pub rows: &'a Rows,
    /// Rows of the table.
    pub table_rows: usize,
    /// How features count.
    pub norms: Norms,
    /// Number of classes.
    pub classes: usize,
    /// Fitted on.
    pub train: &'a [Target],
    /// Chooses the epoch.
    pub dev: &'a [Target],
}

impl<'a> Problem<'a> {
    /// The features of a text in groups, each with what one of it counts.
    pub(super) fn groups(&self, text: usize) -> [(&'a [u32], f32); 2] {
        self.rows.groups(text, self.norms)
    }
}

/// Fits one head; also gives the epoch taken. `progress` is told the epoch and its macro-F1 on dev.
pub fn fit(
    problem: &Problem<'_>,
    hyper: Hyper,
    seed: u64,
    mut progress: impl FnMut(usize, f64),
) -> (Fitted, usize) {
    let Problem { table_rows, classes, train, dev, .. } = *problem;
    let class_weights = class_weights(train, classes, hyper.balance);
    let mut state = State::new(table_rows, classes, hyper);
    let mut order: Vec<usize> = (0..train.len()).collect();
    let mut rng = Rng::new(seed);
    let mut best: Option<(f64, usize, Fitted)> = None;
    let mut mean = Fitted::zero(table_rows, classes);
    for epoch in 1..=hyper.epochs {
        rng.shuffle(&mut order);
        for &i in &order {
            let t = train[i];
            state.step(problem.groups(t.text), t.class, t.weight * class_weights[t.class]);
        }
        let Fitted { weights, biases } = &state.fitted;
        for (mean, now) in [(&mut mean.weights, weights), (&mut mean.biases, biases)] {
            mean.iter_mut().zip(now).for_each(|(m, w)| *m += (w - *m) / epoch as f32);
        }
        if dev.is_empty() && epoch < hyper.epochs {
            continue;
        }
        let f1 = dev_macro_f1(problem, &mean);
        progress(epoch, f1);
        if dev.is_empty() || best.as_ref().is_none_or(|(best, ..)| f1 > *best) {
            best = Some((f1, epoch, mean.clone()));
        }
        if best.as_ref().is_some_and(|(_, best, _)| epoch >= best + PATIENCE) {
            break;
        }
    }
    best.map_or((state.fitted, 0), |(_, epoch, fitted)| (fitted, epoch))
}

pub(super) fn class_weights(train: &[Target], classes: usize, balance: f32) -> Vec<f32> {
    let mut counts = vec![0f32; classes];
    for t in train {
        counts[t.class] += t.weight;
    }
    let seen = counts.iter().filter(|&&c| c > 0.0).count().max(1) as f32;
    let mean = counts.iter().sum::<f32>() / seen;
    counts.iter().map(|&c| if c > 0.0 { (mean / c).powf(balance) } else { 0.0 }).collect()
}

struct State {
    hyper: Hyper,
    fitted: Fitted,
    squares: Fitted,
    sums: Vec<f32>,
    p: Vec<f32>,
}

impl State {
    fn new(table_rows: usize, classes: usize, hyper: Hyper) -> Self {
        State {
            hyper,
            fitted: Fitted::zero(table_rows, classes),
            squares: Fitted { weights: vec![1e-4; table_rows * classes], biases: vec![1.0; classes] },
            sums: vec![0.0; classes],
            p: vec![0.0; classes],
        }
    }

    fn step(&mut self, groups: [(&[u32], f32); 2], class: usize, weight: f32) {
        self.fitted.logits(groups, &mut self.sums, &mut self.p);
        let max = self.p.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut total = 0.0;
        for p in &mut self.p {
            *p = (*p - max).exp();
            total += *p;
        }
        for (c, p) in self.p.iter_mut().enumerate() {
            *p = (*p / total - f32::from(u8::from(c == class))) * weight;
        }
        let Hyper { learning_rate, l2, .. } = self.hyper;
        let classes = self.p.len();
        for (&row, norm) in
            groups.into_iter().flat_map(|(rows, norm)| rows.iter().map(move |row| (row, norm)))
        {
            let at = row as usize * classes;
            let weights = &mut self.fitted.weights[at..at + classes];
            let squares = &mut self.squares.weights[at..at + classes];
            for ((w, s), g) in weights.iter_mut().zip(squares).zip(&self.p) {
                let gradient = g * norm + l2 * *w;
                *s += gradient * gradient;
                *w -= learning_rate * gradient / s.sqrt();
            }
        }
        for ((b, s), g) in self.fitted.biases.iter_mut().zip(&mut self.squares.biases).zip(&self.p) {
            *s += g * g;
            *b -= learning_rate * g / s.sqrt();
        }
    }
}

/// Macro-F1 of fitted weights on dev; 0 without dev.
pub(super) fn dev_macro_f1(problem: &Problem<'_>, fitted: &Fitted) -> f64 {
    let classes = problem.classes;
    let mut confusion = vec![0u64; classes * classes];
    let (mut sums, mut p) = (vec![0.0; classes], vec![0.0; classes]);
    for t in problem.dev {
        fitted.logits(problem.groups(t.text), &mut sums, &mut p);
        confusion[t.class * classes + argmax(&p)] += 1;
    }
    super::metrics::macro_f1(&confusion, classes)
}

fn argmax(p: &[f32]) -> usize {
    (0..p.len()).fold(0, |best, i| if p[i] > p[best] { i } else { best })
}

/// Weights as `i8` with one scale per class.
///
/// The scale covers all but a ten-thousandth of the weights that are not zero: a few huge ones would take the
/// resolution of all others.
#[must_use]
pub fn quantise(weights: &[f32], classes: usize) -> (Vec<i8>, Vec<f32>) {
    let scales: Vec<f32> = (0..classes)
        .map(|c| {
            let mut sizes: Vec<f32> =
                weights.iter().skip(c).step_by(classes).map(|w| w.abs()).filter(|w| *w > 0.0).collect();
            sizes.sort_unstable_by(f32::total_cmp);
            let top = sizes.len().saturating_sub(1 + sizes.len() / 10_000);
            sizes.get(top).map_or(1.0, |max| (max / 127.0).max(f32::MIN_POSITIVE))
        })
        .collect();
    let quantised = weights
        .chunks_exact(classes)
        .flat_map(|row| row.iter().zip(&scales).map(|(w, s)| (w / s).round().clamp(-127.0, 127.0) as i8));
    (quantised.collect(), scales)
}
