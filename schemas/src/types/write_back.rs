//! Write-backs and what came of them.

use super::event::{Platform, Priority};
use crate::{Record, Subject, Topic};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A write-back to do at a helpdesk; see `commands.avsc`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "every field is documented in the schema, which a test holds to this type")]
pub struct Command {
    pub command_id: String,
    pub tenant: String,
    pub platform: Platform,
    pub ticket_id: String,
    pub event_id: String,
    pub version: i64,
    pub issued_at: i64,
    pub received_at: i64,
    pub tag_prefix: String,
    pub tags: Vec<String>,
    pub note: Option<String>,
    pub priority: Option<Priority>,
    pub draft: Option<String>,
    pub fields: BTreeMap<String, String>,
}

impl Command {
    /// The record key.
    pub fn key(&self) -> String {
        crate::ticket_key(&self.tenant, self.platform, &self.ticket_id)
    }
}

impl Record for Command {
    const SUBJECT: Subject = Subject::Value(Topic::Commands);
}

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OutcomeKind {
    /// A write-back.
    WriteBack,
    /// A poll.
    Poll,
    /// An alert's delivery.
    Alert,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OutcomeResult {
    /// Done now.
    Applied,
    /// An earlier try had arrived.
    AlreadyApplied,
    /// Policy or the ticket's state forbids it.
    Skipped,
    /// The service refuses it for good.
    Rejected,
    /// Given up after retries.
    Failed,
}

/// What an outside service answered; see `outcomes.avsc`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "every field is documented in the schema, which a test holds to this type")]
pub struct Outcome {
    pub kind: OutcomeKind,
    pub subject: String,
    pub tenant: String,
    pub service: String,
    pub ticket_id: Option<String>,
    pub result: OutcomeResult,
    pub status: Option<i32>,
    pub attempts: i32,
    pub detail: String,
    pub received_at: Option<i64>,
    pub finished_at: i64,
    pub rate_limit: Option<i64>,
    pub rate_remaining: Option<i64>,
}

impl Record for Outcome {
    const SUBJECT: Subject = Subject::Value(Topic::Outcomes);
}
