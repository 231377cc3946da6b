//! How well a head does: agreement, calibration, abstention, and what guessing would reach.

use serde::Serialize;

/// One judged text.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The labels that count as right, not empty.
    pub gold: Vec<u16>,
    /// Probabilities by label.
    pub probabilities: Vec<f32>,
}

impl Judged {
    /// The most probable label and its probability.
    #[must_use]
    pub fn predicted(&self) -> (u16, f32) {
        let better = |best: (u16, f32), (i, &p): (usize, &f32)| if p > best.1 { (i as u16, p) } else { best };
        self.probabilities.iter().enumerate().fold((0, f32::NEG_INFINITY), better)
    }

    /// Whether the most probable label counts as right.
    #[must_use]
    pub fn right(&self) -> bool {
        self.gold.contains(&self.predicted().0)
    }

    /// The gold label for the confusion matrix: the predicted one if that is among the right ones.
    fn class(&self) -> u16 {
        let predicted = self.predicted().0;
        if self.gold.contains(&predicted) { predicted } else { self.gold[0] }
    }
}

/// One label of a head.
#[derive(Debug, Clone, Serialize)]
pub struct ClassMetrics {
    /// Which.
    pub label: String,
    /// Right among those predicted so.
    pub precision: f64,
    /// Found among those that are so.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
    /// How many are so.
    pub support: u64,
}

/// The answers of about the same confidence.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Bin {
    /// How many.
    pub texts: usize,
    /// Their mean confidence.
    pub confidence: f64,
    /// Share of right ones.
    pub accuracy: f64,
}

/// One head on one set of texts.
#[derive(Debug, Clone, Serialize)]
pub struct Metrics {
    /// Texts judged.
    pub texts: usize,
    /// Share of right answers.
    pub accuracy: f64,
    /// Mean F1 of the labels that occur.
    pub macro_f1: f64,
    /// Always answering the most frequent label would reach this accuracy.
    pub majority_accuracy: f64,
    /// ... and this macro-F1.
    pub majority_macro_f1: f64,
    /// Expected calibration error: 15 bins of equal width on the confidence (Guo et al. 2017).
    pub calibration_error: f64,
    /// The bins of that: what a reliability diagram shows.
    pub bins: Vec<Bin>,
    /// Mean negative log-likelihood of the right label, in nats.
    pub log_loss: f64,
    /// Share of texts answered, not abstained from.
    pub answered: f64,
    /// Share of right answers among these.
    pub answered_accuracy: f64,
    /// For ordered labels: how often, of two texts with different labels, the higher one is ranked higher by
    /// the expected level. 0.5 is chance.
    pub concordance: Option<f64>,
    /// By label.
    pub classes: Vec<ClassMetrics>,
    /// Rows: the right label; columns: the predicted one.
    pub confusion: Vec<Vec<u64>>,
}

impl Metrics {
    /// Measures a head.
    #[must_use]
    pub fn measure(judged: &[Judged], labels: &[String], ordered: bool, abstain_below: f32) -> Self {
        let k = labels.len();
        let n = judged.len().max(1) as f64;
        let mut confusion = vec![0u64; k * k];
        let (mut right, mut answered, mut answered_right) = (0usize, 0usize, 0usize);
        for j in judged {
            let (predicted, confidence) = j.predicted();
            confusion[usize::from(j.class()) * k + usize::from(predicted)] += 1;
            right += usize::from(j.right());
            if confidence >= abstain_below {
                answered += 1;
                answered_right += usize::from(j.right());
            }
        }
        let classes: Vec<ClassMetrics> = labels
            .iter()
            .enumerate()
            .map(|(c, label)| {
                let s = class_scores(&confusion, k, c);
                ClassMetrics { label: label.clone(), precision: s.0, recall: s.1, f1: s.2, support: s.3 }
            })
            .collect();
        let supports: Vec<u64> = classes.iter().map(|c| c.support).collect();
        let bins = bins(judged);
        let gaps = bins.iter().map(|b| (b.confidence - b.accuracy).abs() * b.texts as f64);
        let majority = supports.iter().copied().max().unwrap_or(0) as f64 / n;
        let present = supports.iter().filter(|&&s| s > 0).count().max(1) as f64;
        Metrics {
            texts: judged.len(),
            accuracy: right as f64 / n,
            macro_f1: macro_f1(&confusion, k),
            majority_accuracy: majority,
            majority_macro_f1: 2.0 * majority / (1.0 + majority) / present,
            calibration_error: gaps.sum::<f64>() / n,
            bins,
            log_loss: log_loss(judged),
            answered: answered as f64 / n,
            answered_accuracy: answered_right as f64 / answered.max(1) as f64,
            concordance: if ordered { concordance(judged) } else { None },
            classes,
            confusion: confusion.chunks(k).map(<[u64]>::to_vec).collect(),
        }
    }
}

/// Precision, recall, F1 and support of class `c`.
fn class_scores(confusion: &[u64], k: usize, c: usize) -> (f64, f64, f64, u64) {
    let hit = confusion[c * k + c] as f64;
    let support: u64 = confusion[c * k..(c + 1) * k].iter().sum();
    let predicted: u64 = confusion.iter().skip(c).step_by(k).sum();
    let ratio = |of: f64| if of > 0.0 { hit / of } else { 0.0 };
    (ratio(predicted as f64), ratio(support as f64), ratio((support + predicted) as f64 / 2.0), support)
}

/// Mean F1 of the classes that occur in a confusion matrix of `k` by `k`.
#[must_use]
pub fn macro_f1(confusion: &[u64], k: usize) -> f64 {
    let scores = (0..k).map(|c| class_scores(confusion, k, c)).filter(|s| s.3 > 0);
    let (sum, n) = scores.fold((0.0, 0), |(sum, n), s| (sum + s.2, n + 1));
    sum / f64::from(n.max(1))
}

fn bins(judged: &[Judged]) -> Vec<Bin> {
    const BINS: usize = 15;
    let mut bins = vec![Bin::default(); BINS];
    for j in judged {
        let confidence = j.predicted().1;
        let bin = &mut bins[((confidence * BINS as f32) as usize).min(BINS - 1)];
        bin.texts += 1;
        bin.confidence += f64::from(confidence);
        bin.accuracy += f64::from(u8::from(j.right()));
    }
    for bin in &mut bins {
        let texts = bin.texts.max(1) as f64;
        bin.confidence /= texts;
        bin.accuracy /= texts;
    }
    bins
}

/// Share of pairs with different labels that the expected level ranks rightly, ties half (Harrell's C).
fn concordance(judged: &[Judged]) -> Option<f64> {
    let level =
        |j: &Judged| j.probabilities.iter().enumerate().map(|(i, &p)| i as f64 * f64::from(p)).sum::<f64>();
    let mut scored: Vec<(f64, u16)> =
        judged.iter().filter(|j| j.gold.len() == 1).map(|j| (level(j), j.gold[0])).collect();
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let k = judged.first()?.probabilities.len();
    // pairs with a lower label seen before, that is with a lower score
    let (mut below, mut pairs, mut rightly) = (vec![0f64; k], 0f64, 0f64);
    let mut totals = vec![0f64; k];
    for group in scored.chunk_by(|a, b| a.0 == b.0) {
        let mut same = vec![0f64; k];
        for &(_, label) in group {
            same[usize::from(label)] += 1.0;
        }
        for high in 0..k {
            for low in 0..high {
                rightly += same[high] * (below[low] + same[low] / 2.0);
            }
        }
        for c in 0..k {
            below[c] += same[c];
            totals[c] += same[c];
        }
    }
    for high in 0..k {
        for low in 0..high {
            pairs += totals[high] * totals[low];
        }
    }
    (pairs > 0.0).then(|| rightly / pairs)
}

/// The temperature that minimises the log loss of `softmax(ln p / t)`, by golden-section search over
/// `t` in 0.2 to 5 (the loss is unimodal in `1/t`).
#[must_use]
pub fn fit_temperature(judged: &[Judged]) -> f32 {
    if judged.is_empty() {
        return 1.0;
    }
    let loss = |log_t: f64| {
        let inverse = (-log_t).exp();
        let one = |j: &Judged| {
            let powered = |p: f32| (f64::from(p.max(1e-30)).ln() * inverse).exp();
            let total: f64 = j.probabilities.iter().map(|&p| powered(p)).sum();
            -(powered(j.probabilities[usize::from(j.gold[0])]) / total).max(1e-30).ln()
        };
        judged.iter().map(one).sum::<f64>()
    };
    let golden = (5f64.sqrt() - 1.0) / 2.0;
    let (mut a, mut b) = (0.2f64.ln(), 5f64.ln());
    for _ in 0..40 {
        let (c, d) = (b - golden * (b - a), a + golden * (b - a));
        if loss(c) < loss(d) { b = d } else { a = c }
    }
    f64::midpoint(a, b).exp() as f32
}

/// Mean negative log-likelihood of the right label.
#[must_use]
pub fn log_loss(judged: &[Judged]) -> f64 {
    let one = |j: &Judged| {
        let likelihood: f32 = j.gold.iter().map(|&g| j.probabilities[usize::from(g)]).sum();
        -f64::from(likelihood.clamp(1e-9, 1.0)).ln()
    };
    judged.iter().map(one).sum::<f64>() / judged.len().max(1) as f64
}

/// No answer below this confidence, however well dev goes: the rest of the world is less like training.
const FLOOR: f32 = 0.5;

/// The lowest confidence, at least [`FLOOR`], such that answers at or above it are right with the share wanted;
/// 1 if there is none.
#[must_use]
pub fn fit_threshold(judged: &[Judged], wanted: f32) -> f32 {
    let mut scored: Vec<(f32, bool)> = judged.iter().map(|j| (j.predicted().1, j.right())).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut right, mut threshold) = (0usize, None);
    for (i, &(confidence, is_right)) in scored.iter().enumerate() {
        right += usize::from(is_right);
        let last_of_ties = scored.get(i + 1).is_none_or(|next| next.0 < confidence);
        if last_of_ties && right as f64 >= f64::from(wanted) * (i + 1) as f64 {
            threshold = Some(confidence.max(FLOOR));
        }
    }
    threshold.unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(gold: u16, probabilities: &[f32]) -> Judged {
        Judged { gold: vec![gold], probabilities: probabilities.to_vec() }
    }

    fn labels() -> Vec<String> {
        ["a", "b"].map(String::from).to_vec()
    }

    #[test]
    fn a_hand_computed_case() {
        let texts =
            [judged(0, &[0.9, 0.1]), judged(0, &[0.8, 0.2]), judged(0, &[0.3, 0.7]), judged(1, &[0.4, 0.6])];
        let m = Metrics::measure(&texts, &labels(), true, 0.75);
        assert!((m.accuracy - 0.75).abs() < 1e-9);
        assert_eq!(m.confusion, [[2, 1], [0, 1]]);
        // F1: a = 2*1*(2/3)/(5/3) = 0.8, b = 2*0.5*1/1.5 = 2/3
        assert!((m.macro_f1 - (0.8 + 2.0 / 3.0) / 2.0).abs() < 1e-9);
        assert!((m.majority_accuracy - 0.75).abs() < 1e-9);
        // majority: a has precision 0.75, recall 1, F1 6/7; b 0
        assert!((m.majority_macro_f1 - 3.0 / 7.0).abs() < 1e-9);
        assert!((m.answered - 0.5).abs() < 1e-9 && (m.answered_accuracy - 1.0).abs() < 1e-9);
        // b at level 0.6 lies above 0.1 and 0.2, below 0.7
        assert!((m.concordance.unwrap() - 2.0 / 3.0).abs() < 1e-9);
        // bins: 0.9 right, 0.8 right, 0.7 wrong, 0.6 right: (0.1 + 0.2 + 0.7 + 0.4) / 4
        assert!((m.calibration_error - 0.35).abs() < 1e-6);
    }

    #[test]
    fn an_overconfident_head_is_cooled() {
        let right = std::iter::repeat_n(judged(0, &[0.99, 0.01]), 80);
        let wrong = std::iter::repeat_n(judged(1, &[0.99, 0.01]), 20);
        let texts: Vec<Judged> = right.chain(wrong).collect();
        let t = fit_temperature(&texts);
        // softmax(ln p / t) = 0.8 where (ln 0.99 - ln 0.01) / t = ln 4
        assert!((t - 99f32.ln() / 4f32.ln()).abs() < 0.01, "{t}");
    }

    #[test]
    fn the_threshold_keeps_what_is_right_often_enough() {
        let texts =
            [judged(0, &[0.9, 0.1]), judged(0, &[0.8, 0.2]), judged(1, &[0.7, 0.3]), judged(0, &[0.6, 0.4])];
        assert_eq!(fit_threshold(&texts, 1.0), 0.8);
        assert_eq!(fit_threshold(&texts, 0.7), 0.6);
        assert_eq!(fit_threshold(&texts[2..3], 1.0), 1.0);
    }

    #[test]
    fn any_of_several_gold_labels_is_right() {
        let text = Judged { gold: vec![0, 1], probabilities: vec![0.1, 0.9] };
        let m = Metrics::measure(&[text], &labels(), false, 0.0);
        assert_eq!((m.accuracy, m.confusion[1][1]), (1.0, 1));
    }
}
