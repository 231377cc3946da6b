//! Ticket events as a connector received them.

use crate::{Record, Subject, Topic};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The helpdesk a ticket lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Platform {
    /// Zendesk Support.
    Zendesk,
    /// Freshdesk.
    Freshdesk,
    /// Intercom.
    Intercom,
    /// A file that a user imported.
    Import,
}

impl Platform {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Zendesk, Self::Freshdesk, Self::Intercom, Self::Import];

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|platform| platform.as_str() == name)
    }

    /// Lower-case name, as in record keys, metrics and URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Zendesk => "zendesk",
            Self::Freshdesk => "freshdesk",
            Self::Intercom => "intercom",
            Self::Import => "import",
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What happened to the ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EventKind {
    /// The ticket was created.
    Created,
    /// The ticket was changed.
    Updated,
}

/// The way by which an event reached us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Origin {
    /// Pushed by the helpdesk.
    Webhook,
    /// Found by the poller.
    Poll,
    /// Fetched by a backfill.
    Backfill,
    /// Read from a file.
    Import,
}

/// Status at the helpdesk, in Zendesk's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the names are the helpdesk's own terms")]
pub enum TicketStatus {
    Unknown,
    New,
    Open,
    Pending,
    Hold,
    Solved,
    Closed,
}

/// Priority at the helpdesk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the names are the helpdesk's own terms")]
pub enum Priority {
    Low,
    Normal,
    High,
    Urgent,
}

/// A value encrypted with AES-256-GCM under a tenant's data key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Which data key.
    pub key_id: String,
    /// The 96-bit nonce.
    #[serde(with = "apache_avro::serde::bytes")]
    pub nonce: Vec<u8>,
    /// Ciphertext and tag.
    #[serde(with = "apache_avro::serde::bytes")]
    pub ciphertext: Vec<u8>,
}

/// A ticket event as a connector received it; see `events.avsc`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "every field is documented in the schema, which a test holds to this type")]
pub struct TicketEvent {
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
    pub content: Sealed,
}

impl TicketEvent {
    /// The record key.
    pub fn key(&self) -> String {
        crate::ticket_key(&self.tenant, self.platform, &self.ticket_id)
    }

    /// The additional data its content is sealed with.
    pub fn content_aad(&self) -> String {
        format!("{}/{}/{}/{}", self.tenant, self.platform, self.ticket_id, self.event_id)
    }
}

impl Record for TicketEvent {
    const SUBJECT: Subject = Subject::Value(Topic::Events);
}

/// What someone is to a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PersonRole {
    /// Who asks.
    Requester,
    /// Who answers.
    Agent,
    /// Who is kept informed.
    Cc,
}

/// Someone who takes part in a ticket; see `content.avsc`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "every field is documented in the schema, which a test holds to this type")]
pub struct Person {
    pub role: PersonRole,
    pub name: Option<String>,
    pub email: Option<String>,
}

/// Raw personal data must not reach a log by way of `{:?}`.
impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person").field("role", &self.role).finish_non_exhaustive()
    }
}

/// A file that came with a message; see `content.avsc`.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[allow(missing_docs, reason = "every field is documented in the schema, which a test holds to this type")]
pub struct Attachment {
    pub name: Option<String>,
    pub content_type: Option<String>,
    pub bytes: Option<i64>,
}

/// A file's name may be a person's.
impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// What may hold personal data of a ticket event; see `content.avsc`.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[allow(missing_docs, reason = "every field is documented in the schema, which a test holds to this type")]
pub struct TicketContent {
    pub subject: String,
    pub body: String,
    pub tags: Vec<String>,
    pub requester_name: Option<String>,
    pub requester_email: Option<String>,
    pub external_id: Option<String>,
    pub author_is_agent: bool,
    pub fields: BTreeMap<String, String>,
    pub people: Vec<Person>,
    pub attachments: Vec<Attachment>,
}

/// Raw personal data must not reach a log by way of `{:?}`.
impl fmt::Debug for TicketContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketContent")
            .field("subject_bytes", &self.subject.len())
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Record for TicketContent {
    const SUBJECT: Subject = Subject::Content;
}
