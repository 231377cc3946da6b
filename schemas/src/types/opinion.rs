//! Second opinions: what a slower model is asked about a ticket, and what came of it.

use super::enriched::{Analysis, Text};
use super::event::Platform;
use crate::{Record, Subject, Topic};
use serde::{Deserialize, Serialize};

/// A question to a slower model; see `opinions.requests.avsc`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "every field is documented in the schema, which a test holds to this type")]
pub struct OpinionRequest {
    pub request_id: String,
    pub tenant: String,
    pub platform: Platform,
    pub ticket_id: String,
    pub event_id: String,
    pub version: i64,
    pub text_hash: i64,
    pub asked_at: i64,
    pub reason: Text,
    pub value: f64,
    pub language: Text,
    pub subject: String,
    pub body: String,
    pub local: Analysis,
}

impl OpinionRequest {
    /// The record key.
    pub fn key(&self) -> String {
        crate::ticket_key(&self.tenant, self.platform, &self.ticket_id)
    }
}

impl Record for OpinionRequest {
    const SUBJECT: Subject = Subject::Value(Topic::OpinionRequests);
}

/// How a request for a second opinion ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OpinionResult {
    /// A model judged.
    Answered,
    /// Nobody was asked.
    Skipped,
    /// No provider gave a valid answer.
    Failed,
}

/// The answer to an [`OpinionRequest`]; see `opinions.avsc`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "every field is documented in the schema, which a test holds to this type")]
pub struct Opinion {
    pub opinion_id: String,
    pub request_id: String,
    pub tenant: String,
    pub platform: Platform,
    pub ticket_id: String,
    pub event_id: String,
    pub version: i64,
    pub text_hash: i64,
    pub asked_at: i64,
    pub answered_at: i64,
    pub result: OpinionResult,
    pub reason: Text,
    pub provider: String,
    pub prompt: Text,
    pub content_hash: String,
    pub cached: bool,
    pub attempts: i32,
    pub latency_ms: i64,
    pub tokens_in: i64,
    pub tokens_out: i64,
    pub cost_microusd: i64,
    pub price_as_of: String,
    pub analysis: Option<Analysis>,
}

impl Opinion {
    /// The record key.
    pub fn key(&self) -> String {
        crate::ticket_key(&self.tenant, self.platform, &self.ticket_id)
    }

    /// How it ended, as windows and metrics name it: answered, cached, skipped or failed.
    pub fn ending(&self) -> &'static str {
        match self.result {
            OpinionResult::Answered if self.cached => "cached",
            OpinionResult::Answered => "answered",
            OpinionResult::Skipped => "skipped",
            OpinionResult::Failed => "failed",
        }
    }
}

impl Record for Opinion {
    const SUBJECT: Subject = Subject::Value(Topic::Opinions);
}
