//! One ticket in, one [`Analysis`] out.

use std::{path::Path, sync::Arc};

use crate::{
    classifier::{Classifier, Label, Scratch},
    features::window,
    language::{Language, UNDETERMINED, detect},
    model::{Head, Model, ModelError},
    reasons::{Question, reasons},
    summary::summarise,
};

pub(crate) static SHIPPED: &[u8] = include_bytes!("../model/tickets.dsm");

/// The heads behind the encoder that were trained with the shipped model, each with the name of its file. There is none for
/// urgency: its labels are a rule about words, which a model of meaning can only blur (decision 0032).
pub const SHIPPED_CASCADE: [(&str, &[u8]); 3] = [
    ("tickets.root_cause.dsc", include_bytes!("../model/tickets.root_cause.dsc")),
    ("tickets.sentiment.dsc", include_bytes!("../model/tickets.sentiment.dsc")),
    ("tickets.industry.dsc", include_bytes!("../model/tickets.industry.dsc")),
];

/// The label map the shipped model was trained with.
pub const SHIPPED_LABEL_MAP: &str = include_str!("../model/label_map.toml");
/// The hand-written training texts that belong to it.
pub const SHIPPED_SEED_SET: &str = include_str!("../model/seed.toml");

/// What the model says about one ticket.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// What it is about.
    pub root_cause: Label,
    /// How soon somebody should look at it.
    pub urgency: Label,
    /// Phrases of the text that spoke for the urgency most, the strongest first: where it is in the upper half of its
    /// labels, and not a guess.
    pub urgency_reasons: Vec<String>,
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

/// The analyzer: immutable, shared by every worker of a process.
#[derive(Debug)]
pub struct Analyzer {
    classifier: Classifier,
}

impl Analyzer {
    /// The model built into the program.
    ///
    /// # Errors
    /// None in a program that passed its tests; the file is validated like any other.
    pub fn shipped() -> Result<Self, ModelError> {
        Self::from_model(Model::from_bytes(SHIPPED)?)
    }

    /// Reads and validates a model file.
    ///
    /// # Errors
    /// See [`ModelError`].
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        Self::from_model(Model::open(path)?)
    }

    /// Takes a model that was validated already.
    ///
    /// # Errors
    /// `OtherHeads` if its first heads are not those of analysis; more may follow.
    pub fn from_model(model: Model) -> Result<Self, ModelError> {
        let found: Vec<&str> = model.heads().iter().map(|h| &*h.name).collect();
        if !found.iter().copied().take(Head::ALL.len()).eq(Head::ALL.map(Head::name)) {
            let needed = Head::ALL.map(Head::name).join(", ");
            return Err(ModelError::OtherHeads { found: found.join(", "), needed });
        }
        Ok(Analyzer { classifier: Classifier::from_model(model) })
    }

    /// Name and checksum of the model, for provenance.
    #[must_use]
    pub fn version(&self) -> &str {
        self.model().version()
    }

    /// The label set of a head; urgency and sentiment in rising order.
    #[must_use]
    pub fn labels(&self, head: Head) -> &[Arc<str>] {
        &self.model().heads()[head.index()].labels
    }

    /// The model behind it.
    #[must_use]
    pub fn model(&self) -> &Model {
        self.classifier.model()
    }

    /// What the model says without the rest of analysis, heads of its own included.
    #[must_use]
    pub fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    /// Analyzes a redacted ticket. Cost is bounded for texts of any length; the only allocation, once
    /// `scratch` has grown, is the summary.
    pub fn analyze(&self, subject: &str, body: &str, scratch: &mut Scratch) -> Analysis {
        if !self.score(subject, body, scratch) {
            return self.nothing();
        }
        let [root_cause, urgency, sentiment, industry] =
            Head::ALL.map(|head| self.classifier.label(head.index(), scratch));
        let mood = self.probabilities(Head::Sentiment, scratch);
        let sentiment_score = mood[mood.len() - 1] - mood[0];
        let (body_read, _) = window(body, self.model().header().features.max_bytes as usize);
        let h = &self.model().heads()[Head::RootCause.index()];
        let width = usize::from(self.model().header().row_width);
        let column = usize::from(h.column) + root_cause.0;
        let summary = summarise(subject, body_read, &scratch.features, |sentence| {
            scratch.sentence_sums[sentence * width + column] as f32 * h.scales[root_cause.0]
        });
        let pressing = urgency.0 >= self.labels(Head::Urgency).len() / 2 && !urgency.1.abstained;
        let urgency_reasons = if pressing {
            let head = &self.model().heads()[Head::Urgency.index()];
            let question = Question { model: self.model(), head, label: urgency.0 };
            let Scratch { features, sentence_sums, reasons: buffers, .. } = scratch;
            reasons(
                &question,
                window(subject, self.model().header().features.max_bytes as usize).0,
                body_read,
                features,
                sentence_sums,
                buffers,
            )
        } else {
            Vec::new()
        };
        Analysis {
            root_cause: root_cause.1,
            urgency: urgency.1,
            urgency_reasons,
            sentiment: sentiment.1,
            sentiment_score,
            industry: industry.1,
            language: detect(subject, body, &mut scratch.sample),
            summary,
        }
    }

    /// As [`Classifier::score`].
    pub fn score(&self, subject: &str, body: &str, scratch: &mut Scratch) -> bool {
        self.classifier.score(subject, body, scratch)
    }

    /// The probabilities of a head's labels for the text scored last.
    #[must_use]
    pub fn probabilities<'s>(&self, head: Head, scratch: &'s Scratch) -> &'s [f32] {
        self.classifier.probabilities(head.index(), scratch)
    }

    fn nothing(&self) -> Analysis {
        let [root_cause, urgency, sentiment, industry] =
            Head::ALL.map(|head| self.classifier.fallback(head.index()));
        Analysis {
            root_cause,
            urgency,
            urgency_reasons: Vec::new(),
            sentiment,
            sentiment_score: 0.0,
            industry,
            language: UNDETERMINED,
            summary: String::new(),
        }
    }
}
