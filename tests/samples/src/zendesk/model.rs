//! Tickets, comments, audits and users as the REST API shows them.
//!
//! Shapes: Zendesk's OpenAPI description (`TicketObject`, `TicketCommentObject`, `TicketAuditObject`). Ids are
//! integers and enumerations lower case here; the webhook events of `events.rs` use strings and upper case.

use crate::clock::second_text;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

macro_rules! vendor_enum {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $lower:literal / $upper:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        #[allow(missing_docs, reason = "the names are the vendor's own terms")]
        pub enum $name { $($variant),+ }

        impl $name {
            /// As in the REST API.
            pub fn lower(self) -> &'static str {
                match self { $(Self::$variant => $lower),+ }
            }

            /// As in the `detail` of webhook events.
            pub fn upper(self) -> &'static str {
                match self { $(Self::$variant => $upper),+ }
            }

            /// Reads the REST form.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($lower => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

vendor_enum!(
    /// A ticket's status.
    Status { New = "new" / "NEW", Open = "open" / "OPEN", Pending = "pending" / "PENDING", Hold = "hold" / "HOLD",
             Solved = "solved" / "SOLVED", Closed = "closed" / "CLOSED" }
);
vendor_enum!(
    /// A ticket's priority. A ticket may have none.
    Priority { Low = "low" / "LOW", Normal = "normal" / "NORMAL", High = "high" / "HIGH", Urgent = "urgent" / "URGENT" }
);
vendor_enum!(
    /// A ticket's type. A ticket may have none.
    TicketType { Problem = "problem" / "PROBLEM", Incident = "incident" / "INCIDENT",
                 Question = "question" / "QUESTION", Task = "task" / "TASK" }
);

/// How a ticket or a change came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are the vendor's own terms")]
pub enum Channel {
    Api,
    Email,
    Web,
}

impl Channel {
    /// `via.channel` of the REST API.
    pub fn rest(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Email => "email",
            Self::Web => "web",
        }
    }

    /// `detail.via.channel` of webhook events, which call the API `web_service`.
    pub fn event(self) -> &'static str {
        match self {
            Self::Api => "web_service",
            Self::Email => "email",
            Self::Web => "web",
        }
    }

    fn via(self) -> Value {
        json!({"channel": self.rest(), "source": {"from": {}, "rel": null, "to": {}}})
    }
}

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names are the vendor's own terms")]
pub enum Role {
    EndUser,
    Agent,
    Admin,
}

impl Role {
    /// As in the REST API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EndUser => "end-user",
            Self::Agent => "agent",
            Self::Admin => "admin",
        }
    }
}

/// A person known to the account.
#[derive(Debug, Clone)]
pub struct User {
    /// Id.
    pub id: u64,
    /// Full name.
    pub name: String,
    /// E-mail address.
    pub email: String,
    /// What they may do.
    pub role: Role,
    /// When they were added, in seconds since the epoch.
    pub created_at: i64,
}

impl User {
    pub(super) fn rest(&self, base: &str) -> Value {
        json!({
            "id": self.id, "url": format!("{base}/api/v2/users/{}.json", self.id), "name": self.name, "email": self.email,
            "role": self.role.as_str(), "active": true, "verified": true, "suspended": false, "shared": false,
            "created_at": second_text(self.created_at), "updated_at": second_text(self.created_at),
            "time_zone": "UTC", "locale": "en-US", "locale_id": 1, "organization_id": null, "external_id": null,
            "phone": null, "photo": null, "tags": [], "user_fields": {}, "alias": "", "details": "", "notes": "",
        })
    }
}

/// One comment of a ticket.
#[derive(Debug, Clone)]
pub struct Comment {
    /// Id.
    pub id: u64,
    /// The audit it came with.
    pub audit_id: u64,
    /// Who wrote it.
    pub author_id: u64,
    /// Plain text.
    pub body: String,
    /// False for a private note.
    pub public: bool,
    /// How it was sent.
    pub channel: Channel,
    /// Seconds since the epoch.
    pub created_at: i64,
}

impl Comment {
    pub(super) fn rest(&self) -> Value {
        json!({
            "id": self.id, "type": "Comment", "author_id": self.author_id, "body": self.body,
            "html_body": html(&self.body), "plain_body": self.body, "public": self.public, "attachments": [],
            "audit_id": self.audit_id, "via": self.channel.via(), "created_at": second_text(self.created_at),
            "metadata": {"system": {}, "custom": {}},
        })
    }
}

pub(super) fn html(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\n', "<br>");
    format!("<div class=\"zd-comment\" dir=\"auto\"><p dir=\"auto\">{escaped}</p></div>")
}

/// One thing that an update did.
#[derive(Debug, Clone)]
pub enum AuditEvent {
    /// A field's first value.
    Create {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        value: Value,
    },
    /// A field's new value.
    Change {
        /// Name of the field; of a custom one its id.
        field: Cow<'static, str>,
        /// The new value.
        value: Value,
        /// The value before.
        previous: Value,
    },
    /// The comment with this id was added.
    Comment(u64),
}

/// The record of one update of a ticket.
#[derive(Debug, Clone)]
pub struct Audit {
    /// Id.
    pub id: u64,
    /// Who made the update.
    pub author_id: u64,
    /// How.
    pub channel: Channel,
    /// Seconds since the epoch.
    pub created_at: i64,
    /// What it did, with an id each.
    pub events: Vec<(u64, AuditEvent)>,
}

/// A ticket with its history.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// Id.
    pub id: u64,
    /// Subject line.
    pub subject: String,
    /// Text of the first comment.
    pub description: String,
    /// Status.
    pub status: Status,
    /// Priority, if set.
    pub priority: Option<Priority>,
    /// Type, if set.
    pub kind: Option<TicketType>,
    /// Tags; the API shows them sorted.
    pub tags: BTreeSet<String>,
    /// Who asks.
    pub requester_id: u64,
    /// Who entered it.
    pub submitter_id: u64,
    /// Who works on it.
    pub assignee_id: Option<u64>,
    /// Id in another system.
    pub external_id: Option<String>,
    /// The account's custom fields; null where nobody has filled one.
    pub custom_fields: BTreeMap<u64, Value>,
    /// How it was created.
    pub channel: Channel,
    /// Seconds since the epoch.
    pub created_at: i64,
    /// Seconds since the epoch; what `updated_stamp` is compared with.
    pub updated_at: i64,
    /// Like `updated_at`, but also moved by the system's own changes: the order of the incremental export.
    pub generated_at: i64,
    /// Whether any comment is public.
    pub public: bool,
    /// Comments, oldest first.
    pub comments: Vec<Comment>,
    /// Updates, oldest first.
    pub audits: Vec<Audit>,
}

impl Ticket {
    /// As in the REST API.
    pub(super) fn rest(&self, base: &str) -> Value {
        let custom: Vec<Value> =
            self.custom_fields.iter().map(|(id, value)| json!({"id": id, "value": value})).collect();
        json!({
            "id": self.id, "url": format!("{base}/api/v2/tickets/{}.json", self.id), "external_id": self.external_id,
            "subject": self.subject, "raw_subject": self.subject, "description": self.description,
            "status": self.status.lower(), "priority": self.priority.map(Priority::lower),
            "type": self.kind.map(TicketType::lower), "tags": self.tags, "requester_id": self.requester_id,
            "submitter_id": self.submitter_id, "assignee_id": self.assignee_id, "organization_id": null,
            "group_id": GROUP_ID, "brand_id": BRAND_ID, "ticket_form_id": FORM_ID, "problem_id": null,
            "custom_status_id": CUSTOM_STATUS_ID, "recipient": null, "due_at": null, "has_incidents": false,
            "is_public": self.public, "collaborator_ids": [], "follower_ids": [], "email_cc_ids": [],
            "followup_ids": [], "sharing_agreement_ids": [], "custom_fields": custom, "fields": custom,
            "satisfaction_rating": null, "allow_attachments": true, "allow_channelback": false,
            "from_messaging_channel": false, "via": self.channel.via(),
            "created_at": second_text(self.created_at), "updated_at": second_text(self.updated_at),
            "generated_timestamp": self.generated_at,
        })
    }

    /// One audit as in the REST API.
    pub(super) fn audit_rest(&self, audit: &Audit) -> Value {
        let events: Vec<Value> =
            audit.events.iter().map(|(id, event)| self.audit_event(*id, event)).collect();
        json!({
            "id": audit.id, "ticket_id": self.id, "author_id": audit.author_id, "created_at": second_text(audit.created_at),
            "events": events, "metadata": {"system": {}, "custom": {}}, "via": audit.channel.via(),
        })
    }

    fn audit_event(&self, id: u64, event: &AuditEvent) -> Value {
        match event {
            AuditEvent::Create { field, value } => {
                json!({"id": id, "type": "Create", "field_name": field, "value": value})
            }
            AuditEvent::Change { field, value, previous } => json!({
                "id": id, "type": "Change", "field_name": field, "value": value, "previous_value": previous,
            }),
            AuditEvent::Comment(comment_id) => {
                let found = self.comments.iter().find(|comment| comment.id == *comment_id);
                found.map_or(Value::Null, |comment| {
                    json!({
                        "id": id, "type": "Comment", "author_id": comment.author_id, "body": comment.body,
                        "html_body": html(&comment.body), "plain_body": comment.body, "public": comment.public,
                        "attachments": [], "audit_id": comment.audit_id,
                    })
                })
            }
        }
    }
}

/// The account's only group.
pub(super) const GROUP_ID: u64 = 8_447_320_466_430;
/// The account's only brand.
pub(super) const BRAND_ID: u64 = 8_447_346_621_310;
/// The account's only ticket form.
pub(super) const FORM_ID: u64 = 8_646_151_517_822;
/// The account's only custom status.
pub(super) const CUSTOM_STATUS_ID: u64 = 8_447_320_465_790;
