//! A conditional random field, fitted by stochastic gradient with AdaGrad steps.
#![allow(clippy::needless_range_loop, reason = "the formulas name rows and columns of matrices")]

use super::super::model::LANES;
use super::super::tagger::SCALE;
use super::generate::Random;
use super::noise::{Slip, slipped};
use super::{Case, Clusters, Example, TAGS, Token, Words, features, flag, token};

/// Rows of the weight table, as a power of two: 2^19 × 9 bytes are 4.7 MB.
pub(super) const ROWS: u32 = 19;
const RATE: f32 = 0.25;
/// Names lose their gazetteer flags, and words of names their identity, with these chances.
const FORGET_FLAGS: f64 = 0.35;
const FORGET_WORD: f64 = 0.5;
/// Any word loses its cluster with this chance: most words of other languages have none.
const FORGET_CLUSTER: f64 = 0.15;
/// How often a text is seen with another letter case.
const SLIPS: f64 = 0.25;

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
    clusters: &Clusters,
    epochs: usize,
    bias: [f32; 4],
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
        let paths = paths(&tokens, clusters);
        for at in 0..tokens.len() {
            for feature in features::of(&example.text, &tokens, &paths, at, case) {
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
            let example = if random.chance(SLIPS) {
                changed = example.clone();
                slipped(&mut changed, Slip::any(random), random);
                &changed
            } else {
                example
            };
            token::tokenize(&example.text, &example.covered, words, &mut tokens);
            if tokens.is_empty() {
                continue;
            }
            let tags = example.tags(&tokens);
            let allowed = example.allowed(&tokens, &tags);
            let mut paths = paths(&tokens, clusters);
            paths.iter_mut().filter(|_| random.chance(FORGET_CLUSTER)).for_each(|path| *path = 0);
            forget(&mut tokens, &tags, random);
            let case = Case::of(&tokens);
            let rows: Vec<Vec<usize>> = (0..tokens.len())
                .map(|at| {
                    let all = features::of(&example.text, &tokens, &paths, at, case);
                    all.iter()
                        .filter(|f| seen[(**f >> 8) as usize] > 1)
                        .map(|f| (f >> shift) as usize * TAGS)
                        .collect()
                })
                .collect();
            chain.learn(&rows, &allowed);
        }
    }
    let small = |w: f32| (w * SCALE).round().clamp(-30_000.0, 30_000.0) as i16;
    let rows = chain.weights.iter().map(|w| (w * SCALE).round().clamp(-127.0, 127.0) as i8).collect();
    const { assert!(LANES >= TAGS) };
    for row in chain.transitions.iter_mut().chain([&mut chain.starts]) {
        row.iter_mut().skip(1).zip(bias.iter().flat_map(|bias| [bias; 2])).for_each(|(to, bias)| *to += bias);
    }
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

fn paths(tokens: &[Token], clusters: &Clusters) -> Vec<u32> {
    let path = |token: &Token| if token.shape.is_word() { clusters.get(token.hash) } else { 0 };
    tokens.iter().map(path).collect()
}

/// What a chain expects of its tags: of each, and of each pair of neighbours summed up.
struct Expected {
    tags: Vec<[f32; TAGS]>,
    pairs: [[f32; TAGS]; TAGS],
}

impl Chain {
    /// One step away from what the model expects, towards what it expects among the tags that are allowed.
    fn learn(&mut self, rows: &[Vec<usize>], allowed: &[u16]) {
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
        let free = self.expect(&local);
        let right = if allowed.iter().all(|tags| tags.count_ones() == 1) {
            known(allowed)
        } else {
            let mut bound = local;
            for (scores, &tags) in bound.iter_mut().zip(allowed) {
                let barred = |tag: usize| tags & (1 << tag) == 0;
                scores.iter_mut().enumerate().filter(|(tag, _)| barred(*tag)).for_each(|(_, s)| *s = BARRED);
            }
            self.expect(&bound)
        };
        for (at, (expected, right)) in free.tags.iter().zip(&right.tags).enumerate() {
            let gradient: [f32; TAGS] = std::array::from_fn(|tag| expected[tag] - right[tag]);
            if at == 0 {
                for tag in 0..TAGS {
                    step(&mut self.starts[tag], &mut self.start_squares[tag], gradient[tag]);
                }
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
                let gradient = free.pairs[from][to] - right.pairs[from][to];
                step(&mut self.transitions[from][to], &mut self.transition_squares[from][to], gradient);
            }
        }
    }

    /// By the forward-backward algorithm.
    fn expect(&self, local: &[[f32; TAGS]]) -> Expected {
        let n = local.len();
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
        let mut pairs = [[0.0_f32; TAGS]; TAGS];
        for at in 1..n {
            for (from, row) in pairs.iter_mut().enumerate() {
                for (to, cell) in row.iter_mut().enumerate() {
                    let log =
                        forward[at - 1][from] + self.transitions[from][to] + local[at][to] + backward[at][to];
                    *cell += (log - total).exp();
                }
            }
        }
        let tags = (0..n)
            .map(|at| std::array::from_fn(|tag| (forward[at][tag] + backward[at][tag] - total).exp()))
            .collect();
        Expected { tags, pairs }
    }
}

/// A score so low that the tag never comes about.
const BARRED: f32 = -1e4;

/// The only tags that are allowed, with certainty.
fn known(allowed: &[u16]) -> Expected {
    let tag = |allowed: u16| allowed.trailing_zeros() as usize;
    let mut pairs = [[0.0; TAGS]; TAGS];
    allowed.windows(2).for_each(|pair| pairs[tag(pair[0])][tag(pair[1])] += 1.0);
    let tags = allowed
        .iter()
        .map(|&allowed| std::array::from_fn(|i| if i == tag(allowed) { 1.0 } else { 0.0 }))
        .collect();
    Expected { tags, pairs }
}
