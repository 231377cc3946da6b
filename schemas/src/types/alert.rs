//! Alert transitions.

use crate::{Record, Subject, Topic};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// State that a transition leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AlertState {
    /// The condition holds.
    Firing,
    /// The condition no longer holds.
    Resolved,
}

/// PagerDuty's severities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the names are the service's own terms")]
pub enum Severity {
    Critical,
    Error,
    Warning,
    Info,
}

impl Severity {
    /// Lower-case name, as PagerDuty's API wants it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// A transition of an alert; see `alerts.avsc`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "every field is documented in the schema, which a test holds to this type")]
pub struct Alert {
    pub dedup_key: String,
    pub rule: String,
    pub tenant: String,
    pub group: String,
    pub state: AlertState,
    pub severity: Severity,
    pub value: f64,
    pub threshold: f64,
    pub summary: String,
    pub channels: Vec<String>,
    pub started_at: i64,
    pub changed_at: i64,
    pub labels: BTreeMap<String, String>,
}

impl Alert {
    /// The record key.
    pub fn key(&self) -> String {
        format!("{}/{}/{}", self.rule, self.tenant, self.group)
    }
}

impl Record for Alert {
    const SUBJECT: Subject = Subject::Value(Topic::Alerts);
}
