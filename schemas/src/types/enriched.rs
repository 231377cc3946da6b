//! Enriched events and the latest state of tickets.

use super::event::{EventKind, Origin, Platform, Priority, TicketStatus};
use crate::{Record, Subject, Topic};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Text that is usually a constant of the program: writing it allocates nothing.
pub type Text = Cow<'static, str>;

/// The field a span was found in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the names are the fields'")]
pub enum SpanField {
    Subject,
    Body,
    Tag,
}

/// One redacted span; it never holds the text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "every field is documented in the schema, which a test holds to this type")]
pub struct Span {
    pub field: SpanField,
    pub start: i32,
    pub end: i32,
    pub kind: Text,
    pub detector: Text,
    pub score: f32,
}

/// A label chosen by a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "every field is documented in the schema, which a test holds to this type")]
pub struct Label {
    pub value: Text,
    pub confidence: f32,
    pub abstained: bool,
}

/// Who judged, in rising order of authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Tier {
    /// The fast local model.
    Local,
    /// The local encoder, behind the fast model.
    Encoder,
    /// A language model.
    Llm,
    /// A human reviewer.
    Human,
}

impl Tier {
    /// Lower-case name, as in windows and ClickHouse.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Encoder => "encoder",
            Self::Llm => "llm",
            Self::Human => "human",
        }
    }
}

/// What the models say of a ticket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "every field is documented in the schema, which a test holds to this type")]
pub struct Analysis {
    pub root_cause: Label,
    pub urgency: Label,
    pub sentiment: Label,
    pub sentiment_score: f32,
    pub industry: Label,
    pub language: Text,
    pub language_confidence: f32,
    pub tier: Tier,
    pub model: Text,
    pub latency_us: i64,
    pub tokens_in: i64,
    pub tokens_out: i64,
    pub cost_microusd: i64,
}

/// What each judgement weighs in [`Analysis::uncertainty`]: the root cause decides who works on a ticket, the urgency when.
const WEIGHTS: [f64; 3] = [0.5, 0.35, 0.15];

impl Analysis {
    /// How likely its judgements are wrong, weighed; 0 to 1. What second opinions are worth asking for rests on it.
    pub fn uncertainty(&self) -> f64 {
        let labels = [&self.root_cause, &self.urgency, &self.sentiment];
        WEIGHTS.iter().zip(labels).map(|(weight, label)| weight * (1.0 - f64::from(label.confidence))).sum()
    }
}

/// A ticket event after redaction and analysis; see `enriched.avsc`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "every field is documented in the schema, which a test holds to this type")]
pub struct EnrichedTicket {
    pub event_id: String,
    pub tenant: String,
    pub platform: Platform,
    pub ticket_id: String,
    pub kind: EventKind,
    pub origin: Origin,
    pub occurred_at: i64,
    pub received_at: i64,
    pub created_at: i64,
    pub version: i64,
    pub status: TicketStatus,
    pub priority: Option<Priority>,
    pub ticket_type: Option<String>,
    pub channel: Option<String>,
    pub requester_ref: Option<String>,
    pub assignee_ref: Option<String>,
    pub group_ref: Option<String>,
    pub organization_ref: Option<String>,
    pub enriched_at: i64,
    pub source_partition: i32,
    pub source_offset: i64,
    pub tags: Vec<String>,
    pub subject: String,
    pub body: String,
    pub summary: String,
    pub spans: Vec<Span>,
    pub redactions: BTreeMap<Text, i32>,
    pub redactor: Text,
    pub analysis: Analysis,
    pub notes: Vec<Text>,
    pub shadow: Option<Analysis>,
    pub urgency_reasons: Vec<String>,
}

impl EnrichedTicket {
    /// The record key.
    pub fn key(&self) -> String {
        crate::ticket_key(&self.tenant, self.platform, &self.ticket_id)
    }
}

impl Record for EnrichedTicket {
    const SUBJECT: Subject = Subject::Value(Topic::Enriched);
}

/// The latest enriched state of a ticket; see `tickets.avsc`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "every field is documented in the schema, which a test holds to this type")]
pub struct TicketState {
    pub tenant: String,
    pub platform: Platform,
    pub ticket_id: String,
    pub occurred_at: i64,
    pub received_at: i64,
    pub created_at: i64,
    pub version: i64,
    pub status: TicketStatus,
    pub priority: Option<Priority>,
    pub ticket_type: Option<String>,
    pub channel: Option<String>,
    pub requester_ref: Option<String>,
    pub assignee_ref: Option<String>,
    pub group_ref: Option<String>,
    pub organization_ref: Option<String>,
    pub last_event_id: String,
    pub analysis: Analysis,
    pub redactions: BTreeMap<Text, i32>,
    pub recent_events: Vec<i64>,
}

impl TicketState {
    /// The record key.
    pub fn key(&self) -> String {
        crate::ticket_key(&self.tenant, self.platform, &self.ticket_id)
    }
}

impl Record for TicketState {
    const SUBJECT: Subject = Subject::Value(Topic::Tickets);
}
