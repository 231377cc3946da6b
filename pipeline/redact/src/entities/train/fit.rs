//! A conditional random field, fitted by stochastic gradient with AdaGrad steps.
#![allow(clippy::needless_range_loop, reason = "the formulas name rows and columns of matrices")]

use super::super::model::LANES;
use super::super::tagger::SCALE;
use super::generate::{Random, recased};
use super::{Case, Example, TAGS, Token, Words, features, flag, token};

/// Rows of the weight table, as a power of two: 2^18 × 9 bytes are 2.4 MB.
pub(super) const ROWS: u32 = 18;
const RATE: f32 = 0.25;
/// Names lose their gazetteer flags, and words of names their identity, with these chances.
const FORGET_FLAGS: f64 = 0.35;
const FORGET_WORD: f64 = 0.5;

pub(super) struct Weights {
    pub rows: Vec<i8>,
    pub transitions: [[i16; TAGS]; TAGS],
    pub starts: [i16; TAGS],
}

struct Chain {
    weights: Vec<f32>,
    squares: Vec<f32>,
    transitions: [[f32; TAGS]; TAGS],
    transition_squares: [[f32; TAGS]; TAGS],
    starts: [f32; TAGS],
    start_squares: [f32; TAGS],
}

fn step(weight: &mut f32, square: &mut f32, gradient: f32) {
    *square += gradient * gradient;
    *weight -= RATE * gradient / (square.sqrt() + 0.05);
}

fn log_sum(values: &[f32; TAGS]) -> f32 {
    let top = values.iter().copied().fold(f32::MIN, f32::max);
    top + values.iter().map(|v| (v - top).exp()).sum::<f32>().ln()
}

pub(super) fn fit(
    examples: &[Example],
    words: &Words,
    epochs: usize,
    bias: f32,
    random: &mut Random,
) -> Weights {
    let shift = 32 - ROWS;
    let size = TAGS << ROWS;
    let mut chain = Chain {
        weights: vec![0.0; size],
        squares: vec![0.0; size],
        transitions: [[0.0; TAGS]; TAGS],
        transition_squares: [[0.0; TAGS]; TAGS],
        starts: [0.0; TAGS],
        start_squares: [0.0; TAGS],
    };
    // Features that occur once teach nothing but that text.
    let mut seen = vec![0_u8; 1 << 24];
    let mut tokens = Vec::new();
    for example in examples {
        token::tokenize(&example.text, &example.covered, words, &mut tokens);
        let case = Case::of(&tokens);
        for at in 0..tokens.len() {
            for feature in features::of(&example.text, &tokens, at, case) {
                let count = &mut seen[(feature >> 8) as usize];
                *count = count.saturating_add(1);
            }
        }
    }
    let mut order: Vec<usize> = (0..examples.len()).collect();
    for _ in 0..epochs {
        for i in (1..order.len()).rev() {
            order.swap(i, random.below(i + 1));
        }
        for &i in &order {
            let example = &examples[i];
            let mut changed;
            let example = if random.chance(0.15) {
                changed = Example {
                    text: example.text.clone(),
                    lang: String::new(),
                    entities: example.entities.clone(),
                    covered: example.covered.clone(),
                    group: None,
                };
                recased(&mut changed, random.chance(0.8));
                &changed
            } else {
                example
            };
            token::tokenize(&example.text, &example.covered, words, &mut tokens);
            if tokens.is_empty() {
                continue;
            }
            let tags = example.tags(&tokens);
            forget(&mut tokens, &tags, random);
            let case = Case::of(&tokens);
            let rows: Vec<Vec<usize>> = (0..tokens.len())
                .map(|at| {
                    let all = features::of(&example.text, &tokens, at, case);
                    all.iter()
                        .filter(|f| seen[(**f >> 8) as usize] > 1)
                        .map(|f| (f >> shift) as usize * TAGS)
                        .collect()
                })
                .collect();
            chain.learn(&rows, &tags);
        }
    }
    let small = |w: f32| (w * SCALE).round().clamp(-30_000.0, 30_000.0) as i16;
    let rows = chain.weights.iter().map(|w| (w * SCALE).round().clamp(-127.0, 127.0) as i8).collect();
    const { assert!(LANES >= TAGS) };
    for row in &mut chain.transitions {
        row[0] -= bias;
    }
    chain.starts[0] -= bias;
    Weights {
        rows,
        transitions: chain.transitions.map(|row| row.map(small)),
        starts: chain.starts.map(small),
    }
}

fn forget(tokens: &mut [Token], tags: &[u8], random: &mut Random) {
    let mut flags = false;
    for (token, &tag) in tokens.iter_mut().zip(tags) {
        if tag == 0 || !token.shape.is_word() {
            continue;
        }
        // A whole name is unknown, or none of it.
        if tag % 2 == 1 {
            flags = random.chance(FORGET_FLAGS);
        }
        if flags {
            token.value &= !flag::NAME;
        }
        if random.chance(FORGET_WORD) && !token.has(flag::FREQUENT | flag::STREET | flag::COMPANY) {
            token.hash = random.next() as u32;
        }
    }
}

impl Chain {
    fn learn(&mut self, rows: &[Vec<usize>], tags: &[u8]) {
        let n = rows.len();
        let local: Vec<[f32; TAGS]> = rows
            .iter()
            .map(|features| {
                let mut sums = [0.0; TAGS];
                for &at in features {
                    for (sum, w) in sums.iter_mut().zip(&self.weights[at..at + TAGS]) {
                        *sum += w;
                    }
                }
                sums
            })
            .collect();
        let mut forward = vec![[0.0_f32; TAGS]; n];
        let mut backward = vec![[0.0_f32; TAGS]; n];
        for tag in 0..TAGS {
            forward[0][tag] = self.starts[tag] + local[0][tag];
        }
        for at in 1..n {
            for tag in 0..TAGS {
                let sums = std::array::from_fn(|from| forward[at - 1][from] + self.transitions[from][tag]);
                forward[at][tag] = log_sum(&sums) + local[at][tag];
            }
        }
        for at in (0..n - 1).rev() {
            for tag in 0..TAGS {
                let sums = std::array::from_fn(|to| {
                    self.transitions[tag][to] + local[at + 1][to] + backward[at + 1][to]
                });
                backward[at][tag] = log_sum(&sums);
            }
        }
        let total = log_sum(&forward[n - 1]);
        let mut transition_gradient = [[0.0_f32; TAGS]; TAGS];
        for at in 0..n {
            let gold = usize::from(tags[at]);
            let mut gradient: [f32; TAGS] =
                std::array::from_fn(|tag| (forward[at][tag] + backward[at][tag] - total).exp());
            gradient[gold] -= 1.0;
            if at == 0 {
                for tag in 0..TAGS {
                    step(&mut self.starts[tag], &mut self.start_squares[tag], gradient[tag]);
                }
            } else {
                for (from, row) in transition_gradient.iter_mut().enumerate() {
                    for (to, cell) in row.iter_mut().enumerate() {
                        let log = forward[at - 1][from]
                            + self.transitions[from][to]
                            + local[at][to]
                            + backward[at][to];
                        *cell += (log - total).exp();
                    }
                }
                transition_gradient[usize::from(tags[at - 1])][gold] -= 1.0;
            }
            if gradient.iter().all(|g| g.abs() < 0.002) {
                continue;
            }
            for &feature in &rows[at] {
                for (tag, gradient) in gradient.iter().enumerate() {
                    step(&mut self.weights[feature + tag], &mut self.squares[feature + tag], *gradient);
                }
            }
        }
        for from in 0..TAGS {
            for to in 0..TAGS {
                let gradient = transition_gradient[from][to];
                step(&mut self.transitions[from][to], &mut self.transition_squares[from][to], gradient);
            }
        }
    }
}
