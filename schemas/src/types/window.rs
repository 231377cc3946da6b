//! Windowed metrics.

use crate::{Record, Subject, Text, Topic};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One tumbling window of a tenant's metrics; see `windows.avsc`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "every field is documented in the schema, which a test holds to this type")]
pub struct Window {
    pub tenant: String,
    pub size_s: i32,
    pub window_start: i64,
    pub window_end: i64,
    pub version: i64,
    #[serde(rename = "final")]
    pub is_final: bool,
    pub events: i64,
    pub errors: i64,
    pub success_rate: f64,
    pub error_rate: f64,
    pub error_reasons: BTreeMap<Text, i64>,
    pub latency_p50_ms: f64,
    pub latency_p95_ms: f64,
    pub latency_p99_ms: f64,
    pub latency_sum_ms: i64,
    pub latency_sketch: BTreeMap<Text, i64>,
    pub redactions: BTreeMap<Text, i64>,
    pub tickets: i64,
    pub urgency: BTreeMap<Text, i64>,
    pub sentiment: BTreeMap<Text, i64>,
    pub root_causes: BTreeMap<Text, i64>,
    pub industries: BTreeMap<Text, i64>,
    pub languages: BTreeMap<Text, i64>,
    pub negative_share: f64,
    pub high_urgency: i64,
    pub tiers: BTreeMap<Text, i64>,
    pub opinions: BTreeMap<Text, i64>,
    pub opinion_tokens_in: i64,
    pub opinion_tokens_out: i64,
    pub opinion_cost_microusd: i64,
}

impl Window {
    /// The record key.
    pub fn key(&self) -> String {
        format!("{}/{}/{}", self.tenant, self.size_s, self.window_start)
    }
}

impl Record for Window {
    const SUBJECT: Subject = Subject::Value(Topic::Windows);
}
