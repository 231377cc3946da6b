//! One ticket in, one [`Analysis`] out.

use std::{path::Path, sync::Arc};

use crate::{
    features::{Features, window},
    language::{Language, Sample, UNDETERMINED, detect},
    model::{Head, HeadModel, Memo, Model, ModelError},
    summary::summarise,
};

static SHIPPED: &[u8] = include_bytes!("../model/tickets.dsm");

/// The label map the shipped model was trained with.
pub const SHIPPED_LABEL_MAP: &str = include_str!("../model/label_map.toml");
/// The hand-written training texts that belong to it.
pub const SHIPPED_SEED_SET: &str = include_str!("../model/seed.toml");

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

/// What the model says about one ticket.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// What it is about.
    pub root_cause: Label,
    /// How soon somebody should look at it.
    pub urgency: Label,
    /// The writer's mood.
    pub sentiment: Label,
    /// p(last label) - p(first label) of the sentiment head: -1 negative to 1 positive.
    pub sentiment_score: f32,
    /// Line of business.
    pub industry: Label,
    /// Language of the body.
    pub language: Language,
    /// One or two sentences of the ticket, at most 240 characters.
    pub summary: String,
}

/// Working memory of [`Analyzer::analyze`], one per thread, reused between tickets.
#[derive(Debug, Default)]
pub struct Scratch {
    features: Features,
    memo: Memo,
    sums: Vec<i32>,
    /// Sums of the words of each sentence, one sentence after the other.
    sentence_sums: Vec<i32>,
    probabilities: Vec<f32>,
    sample: Sample,
}

/// The analyzer: immutable, shared by every worker of a process.
#[derive(Debug)]
pub struct Analyzer {
    model: Model,
}

impl Analyzer {
    /// The model built into the program.
    ///
    /// # Errors
    /// None in a program that passed its tests; the file is validated like any other.
    pub fn shipped() -> Result<Self, ModelError> {
        Ok(Analyzer { model: Model::from_bytes(SHIPPED)? })
    }

    /// Reads and validates a model file.
    ///
    /// # Errors
    /// See [`ModelError`].
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        Ok(Analyzer { model: Model::open(path)? })
    }

    /// Takes a model that was validated already.
    #[must_use]
    pub fn from_model(model: Model) -> Self {
        Analyzer { model }
    }

    /// Name and checksum of the model, for provenance.
    #[must_use]
    pub fn version(&self) -> &str {
        self.model.version()
    }

    /// The label set of a head; urgency and sentiment in rising order.
    #[must_use]
    pub fn labels(&self, head: Head) -> &[Arc<str>] {
        &self.model.head(head).labels
    }

    /// The model behind it.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Analyzes a redacted ticket. Cost is bounded for texts of any length; the only allocation, once
    /// `scratch` has grown, is the summary.
    pub fn analyze(&self, subject: &str, body: &str, scratch: &mut Scratch) -> Analysis {
        if !self.score(subject, body, scratch) {
            return self.nothing();
        }
        let [root_cause, urgency, sentiment, industry] = Head::ALL.map(|head| {
            let h = self.model.head(head);
            let p = self.probabilities(head, scratch);
            let (best, confidence) = argmax(p);
            (
                best,
                Label { name: h.labels[best].clone(), confidence, abstained: confidence < h.abstain_below },
            )
        });
        let mood = self.probabilities(Head::Sentiment, scratch);
        let sentiment_score = mood[mood.len() - 1] - mood[0];
        let (body_read, _) = window(body, self.model.header().features.max_bytes as usize);
        let h = self.model.head(Head::RootCause);
        let width = usize::from(self.model.header().row_width);
        let column = usize::from(h.column) + root_cause.0;
        let summary = summarise(subject, body_read, &scratch.features, |sentence| {
            scratch.sentence_sums[sentence * width + column] as f32 * h.scales[root_cause.0]
        });
        Analysis {
            root_cause: root_cause.1,
            urgency: urgency.1,
            sentiment: sentiment.1,
            sentiment_score,
            industry: industry.1,
            language: detect(subject, body, &mut scratch.sample),
            summary,
        }
    }

    /// Fills the probabilities of every head; returns whether there was a word to go by. Masks alone are none.
    pub fn score(&self, subject: &str, body: &str, scratch: &mut Scratch) -> bool {
        let params = &self.model.header().features;
        let max = params.max_bytes as usize;
        let Scratch { features, memo, sums, sentence_sums, probabilities, .. } = scratch;
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
        sums.clear();
        sums.resize(width, 0);
        sentence_sums.clear();
        sentence_sums.resize(features.sentences.len() * width, 0);
        self.model.accumulate_parts(features, memo, sums);
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
        let norm = (features.len().max(1) as f32).sqrt().recip();
        for h in &self.model.header().heads {
            softmax(h, &sums[usize::from(h.column)..], norm, probabilities);
        }
        features.plain > 0
    }

    /// The probabilities of a head's labels for the text scored last.
    #[must_use]
    pub fn probabilities<'s>(&self, head: Head, scratch: &'s Scratch) -> &'s [f32] {
        let h = self.model.head(head);
        &scratch.probabilities[usize::from(h.column)..usize::from(h.column) + h.labels.len()]
    }

    fn nothing(&self) -> Analysis {
        let [root_cause, urgency, sentiment, industry] = Head::ALL.map(|head| {
            let h = self.model.head(head);
            Label { name: h.labels[usize::from(h.fallback)].clone(), confidence: 0.0, abstained: true }
        });
        Analysis {
            root_cause,
            urgency,
            sentiment,
            sentiment_score: 0.0,
            industry,
            language: UNDETERMINED,
            summary: String::new(),
        }
    }
}

/// Appends `softmax((sum * scale * norm + bias) / temperature)`.
fn softmax(head: &HeadModel, sums: &[i32], norm: f32, out: &mut Vec<f32>) {
    let start = out.len();
    let mut max = f32::NEG_INFINITY;
    for ((&sum, &scale), &bias) in sums.iter().zip(&head.scales).zip(&head.biases) {
        let logit = (sum as f32 * scale * norm + bias) / head.temperature;
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

fn argmax(p: &[f32]) -> (usize, f32) {
    let mut best = (0, f32::NEG_INFINITY);
    for (i, &x) in p.iter().enumerate() {
        if x > best.1 {
            best = (i, x);
        }
    }
    best
}
