//! Human reviews beside what models said, and what follows from both: quality and drift.

use super::enriched::{Label, Text, Tier};
use super::event::Platform;
use crate::{Record, Subject, Topic};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What one model said of a text that was reviewed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "every field is documented in the schema, which a test holds to this type")]
pub struct Prediction {
    pub tier: Tier,
    pub model: Text,
    pub root_cause: Label,
    pub urgency: Label,
    pub sentiment: Label,
}

/// What became of a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReviewResult {
    /// It stands in the place of the models' labels.
    Applied,
    /// The ticket had got another text before: only the root cause holds.
    TextChanged,
    /// The pipeline knows no such ticket, or has forgotten it.
    UnknownTicket,
}

impl ReviewResult {
    /// As metrics and tables name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::TextChanged => "text_changed",
            Self::UnknownTicket => "unknown_ticket",
        }
    }
}

/// The latest review of a ticket; see `reviews.avsc`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "every field is documented in the schema, which a test holds to this type")]
pub struct Review {
    pub tenant: String,
    pub platform: Platform,
    pub ticket_id: String,
    pub event_id: String,
    pub version: i64,
    pub root_cause: Option<Text>,
    pub urgency: Option<Text>,
    pub sentiment: Option<Text>,
    pub reviewed_by: String,
    pub reviewed_at: i64,
    pub result: ReviewResult,
    pub text_hash: Option<i64>,
    pub created_at: Option<i64>,
    pub language: Text,
    pub predictions: Vec<Prediction>,
    pub applied_at: i64,
}

impl Review {
    /// The record key.
    pub fn key(&self) -> String {
        crate::ticket_key(&self.tenant, self.platform, &self.ticket_id)
    }
}

impl Record for Review {
    const SUBJECT: Subject = Subject::Value(Topic::Reviews);
}

/// One label of a head against the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "every field is documented in the schema, which a test holds to this type")]
pub struct ClassQuality {
    pub label: Text,
    pub support: i64,
    pub predicted: i64,
    pub true_positives: i64,
    pub precision: f64,
    pub precision_low: f64,
    pub precision_high: f64,
    pub recall: f64,
    pub recall_low: f64,
    pub recall_high: f64,
    pub f1: f64,
    pub f1_low: f64,
    pub f1_high: f64,
}

/// One cell of a confusion matrix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "every field is documented in the schema, which a test holds to this type")]
pub struct Confusion {
    pub human: Text,
    pub predicted: Text,
    pub count: i64,
}

/// How one head of one model agrees with reviews, in a window; see `quality.avsc`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "every field is documented in the schema, which a test holds to this type")]
pub struct Quality {
    pub tenant: String,
    pub head: Text,
    pub model: Text,
    pub language: Text,
    pub size_s: i32,
    pub window_start: i64,
    pub version: i64,
    pub samples: i64,
    pub correct: i64,
    pub answered: i64,
    pub answered_correct: i64,
    pub accuracy: f64,
    pub accuracy_low: f64,
    pub accuracy_high: f64,
    pub macro_precision: f64,
    pub macro_recall: f64,
    pub macro_f1: f64,
    pub macro_f1_low: f64,
    pub macro_f1_high: f64,
    pub classes: Vec<ClassQuality>,
    pub confusion: Vec<Confusion>,
}

impl Quality {
    /// The record key.
    pub fn key(&self) -> String {
        let Self { tenant, head, model, language, size_s, window_start, .. } = self;
        format!("{tenant}/{head}/{model}/{language}/{size_s}/{window_start}")
    }
}

impl Record for Quality {
    const SUBJECT: Subject = Subject::Value(Topic::Quality);
}

/// How far a day's tickets have moved from a reference period; see `drift.avsc`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "every field is documented in the schema, which a test holds to this type")]
pub struct Drift {
    pub tenant: String,
    pub head: Text,
    pub window_start: i64,
    pub version: i64,
    #[serde(rename = "final")]
    pub is_final: bool,
    pub tickets: i64,
    pub labels: BTreeMap<Text, i64>,
    pub confidences: BTreeMap<Text, i64>,
    pub reference_start: i64,
    pub reference_tickets: i64,
    pub label_psi: Option<f64>,
    pub confidence_psi: Option<f64>,
    pub label_noise: Option<f64>,
    pub confidence_noise: Option<f64>,
}

impl Drift {
    /// The record key.
    pub fn key(&self) -> String {
        format!("{}/{}/{}", self.tenant, self.head, self.window_start)
    }
}

impl Record for Drift {
    const SUBJECT: Subject = Subject::Value(Topic::Drift);
}
