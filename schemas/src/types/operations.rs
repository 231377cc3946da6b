//! Dead letters and control entities.

use super::enriched::Text;
use super::event::Sealed;
use crate::{Record, Subject, Topic};
use serde::{Deserialize, Serialize};

/// In place of a tenant where something concerns the whole installation.
pub const EVERY_TENANT: &str = "*";

/// Where processing failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Stage {
    Receive,
    Import,
    Decode,
    Decrypt,
    Redact,
    Analyze,
    Sink,
}

/// A record that could not be processed; see `deadletter.avsc`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "every field is documented in the schema, which a test holds to this type")]
pub struct DeadLetter {
    pub tenant: String,
    pub stage: Stage,
    pub reason: Text,
    pub error: String,
    pub fix: Text,
    pub source: String,
    pub event_id: Option<String>,
    pub failed_at: i64,
    pub attempts: i32,
    pub payload: Option<Sealed>,
    pub payload_bytes: i64,
}

impl Record for DeadLetter {
    const SUBJECT: Subject = Subject::Value(Topic::DeadLetter);
}

/// The latest version of an entity that steers the system; see `control.avsc`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "every field is documented in the schema, which a test holds to this type")]
pub struct ControlEntity {
    pub kind: String,
    pub id: String,
    pub tenant: String,
    pub version: i64,
    pub updated_at: i64,
    pub updated_by: String,
    pub body: String,
    pub secret: Option<Sealed>,
}

impl ControlEntity {
    /// The record key.
    pub fn key(&self) -> String {
        format!("{}/{}", self.kind, self.id)
    }
}

impl Record for ControlEntity {
    const SUBJECT: Subject = Subject::Value(Topic::Control);
}
