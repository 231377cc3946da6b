//! What a write-back reads of a ticket, what it writes, and what Zendesk says became of that.

use http::StatusCode;
use serde::{Deserialize, Serialize};

/// A ticket as a write-back needs it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TicketState {
    /// All tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Priority, if one is set.
    #[serde(default)]
    pub priority: Option<String>,
    /// Status.
    pub status: String,
    /// As Zendesk wrote it: what `updated_stamp` must equal.
    pub updated_at: String,
    /// Custom fields and what they hold.
    #[serde(default)]
    pub custom_fields: Vec<CustomField>,
}

/// A custom field of a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomField {
    /// The field's id, the same for every ticket of the account.
    pub id: u64,
    /// What it holds: null, a text, a number, a truth or a list, as its type has it.
    #[serde(default)]
    pub value: serde_json::Value,
}

impl CustomField {
    /// Whether nobody has filled it.
    pub fn is_empty(&self) -> bool {
        match &self.value {
            serde_json::Value::Null => true,
            serde_json::Value::String(text) => text.is_empty(),
            serde_json::Value::Array(list) => list.is_empty(),
            _ => false,
        }
    }
}

/// What to write to a ticket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Update {
    /// All tags it shall have; none to leave them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// Its priority; none to leave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// A comment to add.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<NewComment>,
    /// Custom fields to fill; none to leave them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub custom_fields: Vec<CustomField>,
    /// Refuse the update unless the ticket was last updated at `updated_stamp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safe_update: Option<bool>,
    /// See `safe_update`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_stamp: Option<String>,
}

/// A comment to add.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewComment {
    /// Text.
    pub body: String,
    /// Whether the requester sees it.
    pub public: bool,
}

/// What became of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Updated {
    /// Applied; with the values that it replaced.
    Applied(Replaced),
    /// Someone else updated the ticket since it was read.
    Conflict,
    /// There is no such ticket (any more).
    NotFound,
    /// Zendesk refuses it for good, with its error code: the ticket is closed, a value is not allowed …
    Refused(StatusCode),
}

/// What an update replaced, as its audit tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replaced {
    /// The tags before.
    pub tags: Option<Vec<String>>,
    /// The priority before.
    pub priority: Option<String>,
}

/// The audit of an update, as far as we read it.
#[derive(Deserialize)]
pub(super) struct Audit {
    #[serde(default)]
    events: Vec<AuditEvent>,
}

#[derive(Deserialize)]
struct AuditEvent {
    #[serde(default)]
    field_name: Option<String>,
    #[serde(default)]
    previous_value: serde_json::Value,
}

impl Audit {
    pub(super) fn replaced(self) -> Replaced {
        let mut replaced = Replaced::default();
        for event in self.events {
            match event.field_name.as_deref() {
                Some("tags") => {
                    replaced.tags = match event.previous_value {
                        serde_json::Value::Array(tags) => {
                            Some(tags.iter().filter_map(|tag| tag.as_str().map(str::to_owned)).collect())
                        }
                        serde_json::Value::String(tags) => {
                            Some(tags.split_whitespace().map(str::to_owned).collect())
                        }
                        _ => None,
                    }
                }
                Some("priority") => replaced.priority = event.previous_value.as_str().map(str::to_owned),
                _ => {}
            }
        }
        replaced
    }
}
