//! What can be asked of a ticket, by a handle, a control request or a fault.

use super::model::{Priority, Status, TicketType};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A comment to add.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewComment {
    /// Plain text.
    pub body: String,
    /// False for a private note.
    pub public: bool,
}

/// What to do to a ticket's tags.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TagEdit {
    /// These and no others.
    Set(Vec<String>),
    /// These too.
    Add(Vec<String>),
    /// All but these.
    Remove(Vec<String>),
}

/// An update: absent fields stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TicketUpdate {
    /// Subject line.
    pub subject: Option<String>,
    /// Status.
    pub status: Option<Status>,
    /// Priority.
    pub priority: Option<Priority>,
    /// Type.
    pub kind: Option<TicketType>,
    /// Assignee's user id.
    pub assignee_id: Option<u64>,
    /// Id in another system.
    pub external_id: Option<String>,
    /// Values of custom fields, by their id.
    pub custom_fields: BTreeMap<u64, Value>,
    /// Tag edits, in order.
    pub tags: Vec<TagEdit>,
    /// A comment.
    pub comment: Option<NewComment>,
}

/// What an agent does to a ticket by hand.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentEdit {
    /// The update.
    pub update: TicketUpdate,
    /// Leaves `updated_at` within the second it is in, so that `safe_update` misses the collision. Otherwise
    /// the stamp is moved by at least a second.
    pub same_second: bool,
}

/// A ticket to create.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NewTicket {
    /// Subject line.
    pub subject: String,
    /// First comment.
    pub body: String,
    /// Requester's name.
    pub requester_name: String,
    /// Requester's e-mail address; the same address is the same user.
    pub requester_email: String,
    /// Priority.
    pub priority: Option<Priority>,
    /// Status; `new` if absent.
    pub status: Option<Status>,
    /// Type.
    pub kind: Option<TicketType>,
    /// Tags.
    pub tags: Vec<String>,
}
