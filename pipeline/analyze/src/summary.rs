//! An extractive summary: the sentence that speaks most for the root cause found, and one more if it fits.
//!
//! A sentence's score is the mean weight of its words for that root cause, `sum / sqrt(n)` as in the model
//! itself, with a small bonus for coming early: people state the matter first. Greetings and sign-offs carry
//! no weight for any root cause, so they lose without a list of them in every language.

use crate::features::{Features, Sentence};

/// Longest summary, in characters.
pub const MAX_CHARS: usize = 240;
/// A sentence of fewer word features than this (words and bigrams: six words) is rarely the matter itself.
const FULL: usize = 11;
/// Score lost by an empty sentence; shorter than [`FULL`] loses its share.
const SHORT: f32 = 3.0;
/// Score lost per sentence of distance from the start, in logits.
const DECAY: f32 = 0.05;

/// A second sentence is added above this score: it may be neutral, but neither off the matter nor a fragment.
const WORTH_ADDING: f32 = -1.0;

/// `evidence` gives, for each sentence, the sum of its word features' weights for the root cause that was
/// found.
pub(crate) fn summarise(
    subject: &str,
    body: &str,
    features: &Features,
    evidence: impl Fn(usize) -> f32,
) -> String {
    let score = |(i, s): (usize, &Sentence)| {
        let n = (s.end_word - s.first_word) as usize;
        let short = SHORT * FULL.saturating_sub(n) as f32 / FULL as f32;
        evidence(i) / (n as f32).sqrt() - DECAY * i as f32 - short
    };
    // the two best, without sorting or storing the rest
    let mut best: Option<(f32, usize)> = None;
    let mut second: Option<(f32, usize)> = None;
    for (i, sentence) in features.sentences.iter().enumerate() {
        let found = (score((i, sentence)), i);
        if best.is_none_or(|b| found.0 > b.0) {
            second = best;
            best = Some(found);
        } else if second.is_none_or(|s| found.0 > s.0) {
            second = Some(found);
        }
    }
    let text = |i: usize| {
        let s = features.sentences[i];
        body[s.start as usize..s.end as usize].trim()
    };
    let mut out = String::new();
    let Some((_, first)) = best else {
        push(&mut out, subject.trim());
        return out;
    };
    out.reserve_exact(MAX_CHARS * 2);
    let pair = second.filter(|&(score, i)| {
        score > WORTH_ADDING && text(i).chars().count() + text(first).chars().count() < MAX_CHARS
    });
    match pair {
        Some((_, other)) => {
            push(&mut out, text(first.min(other)));
            push(&mut out, text(first.max(other)));
        }
        None => push(&mut out, text(first)),
    }
    out
}

/// Appends `text` with its white space collapsed, cut at [`MAX_CHARS`] with an ellipsis.
fn push(out: &mut String, text: &str) {
    let mut chars = out.chars().count();
    for word in text.split_whitespace() {
        let len = word.chars().count();
        let space = usize::from(!out.is_empty());
        // one character is kept for the ellipsis
        if chars + space + len > MAX_CHARS - 1 {
            if out.is_empty() {
                out.extend(word.chars().take(MAX_CHARS - 1));
            }
            if !out.ends_with('…') {
                out.push('…');
            }
            return;
        }
        if space == 1 {
            out.push(' ');
        }
        out.push_str(word);
        chars += space + len;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::FeatureParams;

    fn run(subject: &str, body: &str) -> String {
        let params = FeatureParams {
            bits: 18,
            seed: 7,
            word_bigrams: true,
            char_ngrams: vec![],
            affixes: vec![],
            max_bytes: 4096,
            norms: crate::Norms::default(),
        };
        let mut probe = Features::default();
        probe.add("refund", &params);
        let refund = probe.words[0];
        let mut features = Features::default();
        features.add(body, &params);
        let evidence = |i: usize| {
            let s = features.sentences[i];
            let words = &features.words[s.first_word as usize..s.end_word as usize];
            words.iter().filter(|&&row| row == refund).count() as f32 * 2.0
        };
        summarise(subject, body, &features, evidence)
    }

    #[test]
    fn the_telling_sentence_wins_over_greeting_and_signature() {
        let body = "Hi team,\nI bought shoes last week.  I want\ta refund for them. Thanks\nBob";
        assert_eq!(run("Shoes", body), "I bought shoes last week. I want a refund for them.");
    }

    #[test]
    fn without_a_body_the_subject_stands() {
        assert_eq!(run("  Where is\nmy parcel? ", " \n"), "Where is my parcel?");
        assert_eq!(run("", ""), "");
    }

    #[test]
    fn it_never_exceeds_its_length() {
        for body in
            ["word ".repeat(500), "ß".repeat(5000), "refund ".repeat(40) + ". " + &"refund ".repeat(40)]
        {
            let summary = run("", &body);
            assert!(summary.chars().count() <= MAX_CHARS, "{summary}");
            assert!(summary.ends_with('…'));
        }
    }
}
