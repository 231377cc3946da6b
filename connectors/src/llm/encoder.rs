//! The local encoder: asked before any provider, for nothing but its time.
//!
//! It reads the same redacted text and listens to what the fast model thinks of it. Where it is sure enough that the
//! tenant's policy would not have asked, its judgement is the opinion; else it is what stands if no provider answers.

use super::{LlmError, metrics};
use deskstream_analyze::encoder::{Encoder, ID, ticket_text};
use deskstream_analyze::{
    CascadeHead, Classifier, Head, Label as Judged, ModelError, SHIPPED_CASCADE, Scratch,
};
use deskstream_runtime::config::{Ask, EncoderConfig, OpinionPolicy};
use deskstream_schemas::{Analysis, Label, OpinionRequest, Text, Tier};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Name in records and metrics.
pub(super) const NAME: &str = "encoder";

/// The language that the encoder was trained on.
const LANGUAGE: &str = "en";

/// The encoder with its heads, and the fast model that they listen to.
pub(super) struct Local {
    encoder: Encoder,
    fast: Classifier,
    /// `local/` and the fast model's version, as requests name it.
    fast_name: String,
    heads: [Option<CascadeHead>; Head::ALL.len()],
    model: String,
}

/// What the encoder thinks of a request.
pub(super) enum Thought {
    /// So sure that nobody else need be asked.
    Settled(Analysis),
    /// A judgement, for want of a better one.
    Unsure(Analysis),
    /// None: it is no text for it, or it can't be asked.
    None,
}

impl Local {
    /// Opens the files that the configuration names; `fast` is the pipeline's model, the shipped one if unset.
    pub(super) fn open(config: &EncoderConfig, fast: Option<&Path>) -> Result<Self, LlmError> {
        let head = |file: &str, problem: String| LlmError::EncoderHead { file: file.to_owned(), problem };
        let fast = match fast {
            Some(path) => Classifier::open(path).map_err(LlmError::FastModel)?,
            None => Classifier::shipped().map_err(LlmError::FastModel)?,
        };
        let mut heads: [Option<CascadeHead>; Head::ALL.len()] = Default::default();
        let mut versions = Vec::new();
        let files: Vec<(String, Result<CascadeHead, ModelError>)> = if config.heads.is_empty() {
            SHIPPED_CASCADE
                .iter()
                .map(|(name, file)| ((*name).to_owned(), CascadeHead::from_bytes(file)))
                .collect()
        } else {
            config.heads.iter().map(|path| (path.display().to_string(), CascadeHead::open(path))).collect()
        };
        for (file, opened) in files {
            let opened = opened.map_err(|error| head(&file, error.to_string()))?;
            let header = opened.header();
            if header.encoder != ID || header.fast_model != fast.model().version() {
                let (encoder, model) = (&header.encoder, &header.fast_model);
                let ours = fast.model().version();
                return Err(head(
                    &file,
                    format!(
                        "it was made with the encoder {encoder} and the model {model}, not with {ID} and {ours}"
                    ),
                ));
            }
            let place = Head::ALL.iter().position(|h| h.name() == header.head);
            let same_labels = |at: usize| fast.model().heads()[at].labels == header.labels;
            let Some(place) = place.filter(|at| same_labels(*at)) else {
                return Err(head(&file, format!("analysis has no head {} with its labels", header.head)));
            };
            versions.push(opened.version().to_owned());
            heads[place] = Some(opened);
        }
        let folder = config.folder.clone().or_else(Encoder::default_folder);
        let folder = folder.unwrap_or_default();
        let encoder = Encoder::with_threads(&folder, config.threads.get()).map_err(LlmError::Encoder)?;
        versions.sort();
        Ok(Self {
            encoder,
            fast_name: format!("local/{}", fast.model().version()),
            model: format!("{NAME}/{}", versions.join("+")),
            fast,
            heads,
        })
    }

    /// What it thinks of a request, and whether that is enough for the tenant's policy. Waits for its turn on a thread that may.
    pub(super) async fn think(self: &Arc<Self>, request: &OpinionRequest, policy: &OpinionPolicy) -> Thought {
        let verdict = |verdict: &str| metrics::ANSWERS.with_label_values(&[NAME, verdict]).inc();
        if request.language != LANGUAGE {
            verdict("other-language");
            return Thought::None;
        }
        if request.local.model != self.fast_name {
            verdict("other-model");
            return Thought::None;
        }
        let (this, asked) = (Arc::clone(self), request.clone());
        let judged = tokio::task::spawn_blocking(move || this.judge(&asked)).await;
        let analysis = match judged {
            Ok(Ok(Some(analysis))) => analysis,
            // The fast model is sure of everything that the encoder can judge.
            Ok(Ok(None)) => {
                verdict("not-asked");
                return Thought::None;
            }
            Ok(Err(error)) => {
                verdict("failed");
                tracing::warn!(%error, request = request.request_id, "the encoder can't judge");
                return Thought::None;
            }
            Err(_) => {
                verdict("failed");
                return Thought::None;
            }
        };
        if settles(request, &analysis, policy) {
            verdict("settled");
            Thought::Settled(analysis)
        } else {
            verdict("unsure");
            Thought::Unsure(analysis)
        }
    }

    /// None if there is no head whose fast answer is in doubt.
    fn judge(&self, request: &OpinionRequest) -> Result<Option<Analysis>, deskstream_analyze::EncoderError> {
        let started = Instant::now();
        let mut scratch = Scratch::default();
        if !self.fast.score(&request.subject, &request.body, &mut scratch) {
            return Ok(None);
        }
        let in_doubt = |at: usize| {
            self.heads[at]
                .as_ref()
                .filter(|head| head.asks(&self.fast.label(at, &scratch).1))
                .map(|head| (at, head))
        };
        let doubts: Vec<(usize, &CascadeHead)> = (0..self.heads.len()).filter_map(in_doubt).collect();
        if doubts.is_empty() {
            return Ok(None);
        }
        let vector = self.encoder.embed(&[&ticket_text(&request.subject, &request.body)])?.remove(0);
        let mut analysis = Analysis {
            tier: Tier::Encoder,
            model: Text::Owned(self.model.clone()),
            tokens_in: 0,
            tokens_out: 0,
            cost_microusd: 0,
            ..request.local.clone()
        };
        for (at, head) in doubts {
            let fast = self.fast.probabilities(at, &scratch);
            // `open` has held the head to this model's labels, and the encoder to its width.
            let Some(p) = head.probabilities(&vector, fast) else { continue };
            let label = head.label(&p);
            match Head::ALL[at] {
                Head::RootCause => analysis.root_cause = told(&label),
                Head::Urgency => analysis.urgency = told(&label),
                Head::Sentiment => {
                    analysis.sentiment = told(&label);
                    analysis.sentiment_score = p[p.len() - 1] - p[0];
                }
                Head::Industry => analysis.industry = told(&label),
            }
        }
        analysis.latency_us = i64::try_from(started.elapsed().as_micros()).unwrap_or(i64::MAX);
        Ok(Some(analysis))
    }
}

fn told(label: &Judged) -> Label {
    Label {
        value: Text::Owned(label.name.to_string()),
        confidence: label.confidence,
        abstained: label.abstained,
    }
}

/// Whether the policy that asked about the fast model's judgement would not ask about this one.
fn settles(request: &OpinionRequest, analysis: &Analysis, policy: &OpinionPolicy) -> bool {
    match policy.ask {
        Ask::LowConfidence => !(analysis.root_cause.abstained || analysis.urgency.abstained),
        Ask::ExpectedValue => {
            // The request's value is uncertainty × importance: importance is the ticket's, and stays.
            let before = request.local.uncertainty();
            let importance = if before > 0.0 { request.value / before } else { 0.0 };
            analysis.uncertainty() * importance < policy.min_value
        }
        // These want a language model's word, whoever is sure.
        Ask::Always | Ask::Sample | Ask::Never => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::cache::tests::analysis;

    fn policy(ask: Ask) -> OpinionPolicy {
        OpinionPolicy { ask, sample: 0.1, min_value: 0.35, monthly_budget_usd: 1.0, ticket_ceiling_usd: 0.01 }
    }

    fn sure(confidence: f32) -> Analysis {
        let mut sure = analysis();
        for label in [&mut sure.root_cause, &mut sure.urgency, &mut sure.sentiment] {
            (label.confidence, label.abstained) = (confidence, confidence < 0.5);
        }
        sure
    }

    fn request(value: f64) -> OpinionRequest {
        OpinionRequest {
            request_id: "r".into(),
            tenant: "acme".into(),
            platform: deskstream_schemas::Platform::Zendesk,
            ticket_id: "1".into(),
            event_id: "e".into(),
            version: 1,
            text_hash: 1,
            asked_at: 0,
            reason: "x".into(),
            value,
            language: LANGUAGE.into(),
            subject: String::new(),
            body: String::new(),
            local: sure(0.4),
        }
    }

    #[test]
    fn what_is_sure_enough_for_the_policy_is_settled() {
        let settled = |ask, confidence, value| settles(&request(value), &sure(confidence), &policy(ask));
        assert!(settled(Ask::LowConfidence, 0.8, 0.6));
        assert!(!settled(Ask::LowConfidence, 0.45, 0.6));
        // Of importance 1 (0.6 of uncertainty 0.6), and of importance 2.
        assert!(settled(Ask::ExpectedValue, 0.8, 0.6));
        assert!(!settled(Ask::ExpectedValue, 0.8, 1.2), "an important ticket needs more certainty");
        assert!(!settled(Ask::Always, 1.0, 0.6) && !settled(Ask::Sample, 1.0, 0.6));
    }
}
