//! Any model on any text: the probabilities of every head in one pass over the weights.

use std::{path::Path, sync::Arc};

use crate::{
    features::{Features, Norms, window},
    language::Sample,
    model::{HeadModel, Memo, Model, ModelError},
};

/// A label of one head.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// The most probable label.
    pub name: Arc<str>,
    /// Its calibrated probability; 0 for a text without features.
    pub confidence: f32,
    /// The confidence is below the threshold of the head: take the label as a guess.
    pub abstained: bool,
}

/// Working memory of [`Classifier::score`] and [`crate::Analyzer::analyze`], one per thread, reused between tickets.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) features: Features,
    memo: Memo,
    sums: Vec<i32>,
    /// Of parts of words, where they count otherwise than words.
    part_sums: Vec<i32>,
    /// Sums of the words of each sentence, one sentence after the other.
    pub(crate) sentence_sums: Vec<i32>,
    probabilities: Vec<f32>,
    pub(crate) sample: Sample,
    pub(crate) reasons: crate::reasons::Buffers,
}

/// A model and what it says about texts, whichever questions it answers.
#[derive(Debug)]
pub struct Classifier {
    model: Model,
}

impl Classifier {
    /// The model built into the program.
    ///
    /// # Errors
    /// None in a program that passed its tests; the file is validated like any other.
    pub fn shipped() -> Result<Self, ModelError> {
        Ok(Self::from_model(Model::from_bytes(crate::analyzer::SHIPPED)?))
    }

    /// Reads and validates a model file.
    ///
    /// # Errors
    /// See [`ModelError`].
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        Ok(Self::from_model(Model::open(path)?))
    }

    /// Takes a model that was validated already.
    #[must_use]
    pub fn from_model(model: Model) -> Self {
        Classifier { model }
    }

    /// The model behind it.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Fills the probabilities of every head; returns whether there was a word to go by. Masks alone are none.
    pub fn score(&self, subject: &str, body: &str, scratch: &mut Scratch) -> bool {
        let params = &self.model.header().features;
        let max = params.max_bytes as usize;
        let Scratch { features, memo, sums, part_sums, sentence_sums, probabilities, .. } = scratch;
        features.clear();
        // the body goes last but for its far end: the sentences kept are those of the body's start
        features.add(window(subject, max).0, params);
        let (start, end) = window(body, max);
        if !end.is_empty() {
            features.add(end, params);
        }
        features.add(start, params);

        // words are summed by sentence, which is what the summary asks for; each row is read once
        let width = usize::from(self.model.header().row_width);
        for sums in [&mut *sums, &mut *part_sums] {
            sums.clear();
            sums.resize(width, 0);
        }
        sentence_sums.clear();
        sentence_sums.resize(features.sentences.len() * width, 0);
        let into = match params.norms {
            Norms::Joint => &mut *sums,
            Norms::ByKind => &mut *part_sums,
        };
        self.model.accumulate_parts(features, memo, into);
        let mut done = 0;
        for (sentence, here) in features.sentences.iter().zip(sentence_sums.chunks_exact_mut(width)) {
            let (first, end) = (sentence.first_word as usize, sentence.end_word as usize);
            self.model.accumulate(&features.words[done..first], sums);
            self.model.accumulate(&features.words[first..end], here);
            sums.iter_mut().zip(here).for_each(|(sum, here)| *sum += *here);
            done = end;
        }
        self.model.accumulate(&features.words[done..], sums);
        probabilities.clear();
        let norms = params.norms.of([features.words.len(), features.parts]);
        for h in self.model.heads() {
            let column = usize::from(h.column);
            softmax(h, [&sums[column..], &part_sums[column..]], norms, probabilities);
        }
        features.plain > 0
    }

    /// The probabilities of a head's labels for the text scored last; `head` counts as in [`Model::heads`].
    #[must_use]
    pub fn probabilities<'s>(&self, head: usize, scratch: &'s Scratch) -> &'s [f32] {
        let h = &self.model.heads()[head];
        &scratch.probabilities[usize::from(h.column)..usize::from(h.column) + h.labels.len()]
    }

    /// Position and description of a head's most probable label for the text scored last.
    #[must_use]
    pub fn label(&self, head: usize, scratch: &Scratch) -> (usize, Label) {
        let h = &self.model.heads()[head];
        let (best, confidence) = argmax(self.probabilities(head, scratch));
        (best, Label { name: h.labels[best].clone(), confidence, abstained: confidence < h.abstain_below })
    }

    /// What a head says about a text without words.
    #[must_use]
    pub fn fallback(&self, head: usize) -> Label {
        let h = &self.model.heads()[head];
        Label { name: h.labels[usize::from(h.fallback)].clone(), confidence: 0.0, abstained: true }
    }
}

/// Appends `softmax((words * scale * norm + parts * scale * norm + bias) / temperature)`.
fn softmax(head: &HeadModel, [words, parts]: [&[i32]; 2], norms: [f32; 2], out: &mut Vec<f32>) {
    let start = out.len();
    let mut max = f32::NEG_INFINITY;
    for (((&words, &parts), &scale), &bias) in words.iter().zip(parts).zip(&head.scales).zip(&head.biases) {
        let sum = words as f32 * scale * norms[0] + parts as f32 * scale * norms[1];
        let logit = (sum + bias) / head.temperature;
        max = max.max(logit);
        out.push(logit);
    }
    let mut total = 0.0;
    for p in &mut out[start..] {
        *p = (*p - max).exp();
        total += *p;
    }
    for p in &mut out[start..] {
        *p /= total;
    }
}

pub(crate) fn argmax(p: &[f32]) -> (usize, f32) {
    let mut best = (0, f32::NEG_INFINITY);
    for (i, &x) in p.iter().enumerate() {
        if x > best.1 {
            best = (i, x);
        }
    }
    best
}
