//! Why a label: the phrases of the text that spoke for it most.
//!
//! The heads are linear, so what a word adds to a label's score is known exactly: the weights of its features for that
//! label less their mean for the others. The sentences that add most are looked at word by word, and the run of words that
//! adds most is the reason. It is a piece of the redacted text as it stands, so it holds nothing that redaction found.

use crate::features::{FeatureParams, Features};
use crate::model::{HeadModel, Model};

/// Phrases that are told.
const MOST: usize = 2;

/// What adds less than this share of what the strongest adds is no reason beside it.
const SHARE_OF_BEST: f32 = 0.5;

/// Words of a phrase.
const MOST_WORDS: usize = 5;

/// Words of a sentence that are looked at: a ticket without full stops must not cost more than others.
const MOST_LOOKED_AT: usize = 40;

/// Longest phrase, in bytes: longer ones are no words.
const MOST_BYTES: usize = 80;

/// Working memory, reused between texts.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    phrase: Features,
    rows: Vec<u32>,
    sums: Vec<i32>,
}

/// What is asked about.
pub(crate) struct Question<'a> {
    pub model: &'a Model,
    pub head: &'a HeadModel,
    /// Position of the label among the head's.
    pub label: usize,
}

impl Question<'_> {
    /// How much sums speak for the label, over the mean of the others.
    fn margin(&self, sums: &[i32]) -> f32 {
        let scaled = |at: usize| sums[usize::from(self.head.column) + at] as f32 * self.head.scales[at];
        let others = self.head.labels.len().saturating_sub(1).max(1) as f32;
        let rest: f32 = (0..self.head.labels.len()).filter(|at| *at != self.label).map(scaled).sum();
        scaled(self.label) - rest / others
    }

    fn of(&self, text: &str, params: &FeatureParams, buffers: &mut Buffers) -> f32 {
        let Buffers { phrase, rows, sums } = buffers;
        phrase.clear();
        phrase.add(text, params);
        rows.clear();
        rows.extend_from_slice(&phrase.words);
        for word in 0..phrase.spelled.len() {
            phrase.parts_of(phrase.spelled[word], params, rows);
        }
        sums.clear();
        sums.resize(usize::from(self.model.header().row_width), 0);
        self.model.accumulate(rows, sums);
        self.margin(sums)
    }
}

/// The phrases of subject and body that speak most for a label, the strongest first. `features` and `sentence_sums` are what the text
/// was scored with.
pub(crate) fn reasons(
    question: &Question<'_>,
    subject: &str,
    body: &str,
    features: &Features,
    sentence_sums: &[i32],
    buffers: &mut Buffers,
) -> Vec<String> {
    let width = usize::from(question.model.header().row_width);
    let mut sentences: Vec<(f32, usize)> = sentence_sums
        .chunks_exact(width)
        .take(features.sentences.len())
        .map(|sums| question.margin(sums))
        .zip(0..)
        .filter(|(margin, _)| *margin > 0.0)
        .collect();
    sentences.sort_by(|a, b| b.0.total_cmp(&a.0));
    sentences.truncate(MOST);
    let params = &question.model.header().features;
    let texts = sentences.into_iter().filter_map(|(_, at)| {
        let sentence = features.sentences[at];
        body.get(sentence.start as usize..sentence.end as usize)
    });
    // The subject's words are in no sentence.
    let mut found: Vec<(f32, &str)> =
        texts.chain([subject]).filter_map(|text| strongest(question, text, params, buffers)).collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.dedup_by(|a, b| a.1.eq_ignore_ascii_case(b.1));
    let enough = found.first().map_or(0.0, |(most, _)| most * SHARE_OF_BEST);
    found.retain(|(adds, _)| *adds >= enough);
    found.truncate(MOST);
    found.into_iter().map(|(_, phrase)| phrase.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// The run of words that adds most.
fn strongest<'t>(
    question: &Question<'_>,
    sentence: &'t str,
    params: &FeatureParams,
    buffers: &mut Buffers,
) -> Option<(f32, &'t str)> {
    let start_of = |word: &str| word.as_ptr() as usize - sentence.as_ptr() as usize;
    let words: Vec<(usize, usize)> = sentence
        .split_whitespace()
        .take(MOST_LOOKED_AT)
        .map(|word| (start_of(word), start_of(word) + word.len()))
        .collect();
    // What each adds behind the one before it, their pair included.
    let mut before: Option<(usize, f32)> = None;
    let adds: Vec<f32> = words
        .iter()
        .map(|&(start, end)| {
            let alone = question.of(&sentence[start..end], params, buffers);
            let adds = match before {
                Some((from, earlier)) => question.of(&sentence[from..end], params, buffers) - earlier,
                None => alone,
            };
            before = Some((start, alone));
            adds
        })
        .collect();
    let mut best: Option<(f32, usize, usize)> = None;
    for first in 0..words.len() {
        let mut sum = 0.0;
        for (last, adds) in adds.iter().enumerate().skip(first).take(MOST_WORDS) {
            sum += adds;
            if sum > 0.0 && best.is_none_or(|(most, ..)| sum > most) {
                best = Some((sum, first, last));
            }
        }
    }
    let (sum, first, last) = best?;
    let phrase = sentence[words[first].0..words[last].1]
        .trim_matches(|c: char| c.is_ascii_punctuation() && c != '[' && c != ']');
    (!phrase.is_empty() && phrase.len() <= MOST_BYTES).then_some((sum, phrase))
}
