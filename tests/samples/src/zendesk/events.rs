//! Webhook events: what is sent when something changes.
//!
//! Envelope and `detail` keys as documented for event subscriptions: ids are strings, status, priority and
//! type are upper case, `tags` and `priority` may be null, `event` is empty for `ticket.created` and holds
//! `current`/`previous` for changes. Keys are sorted, three spaces indent, an empty object is `{ }`, and the
//! body ends in a line feed, as in deliveries recorded from the real service.
//!
//! `detail.via.channel` is how the *ticket* came to be; who made the *change* stands in `detail.actor_id`.
//! A receiver that wants to know its own writes compares the actor.

use super::model::{
    BRAND_ID, CUSTOM_STATUS_ID, FORM_ID, GROUP_ID, Priority, Role, Status, Ticket, TicketType, User, html,
};
use crate::clock::second_text;
use crate::ids;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io;
use uuid::Uuid;

/// What changed, with the value before.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Created,
    Subject {
        previous: String,
    },
    Status {
        previous: Status,
    },
    Priority {
        previous: Option<Priority>,
    },
    Type {
        previous: Option<TicketType>,
    },
    Assignee {
        previous: Option<u64>,
    },
    Tags {
        previous: BTreeSet<String>,
    },
    /// The ticket's last comment is new.
    Comment,
}

/// An event before it is signed and sent.
#[derive(Debug, Clone)]
pub(super) struct Event {
    /// Such as `zen:event-type:ticket.created`.
    pub(super) kind: &'static str,
    subject: String,
    detail: Value,
    event: Value,
}

impl Event {
    pub(super) fn ticket(ticket: &Ticket, actor: u64, change: Change) -> Self {
        let subject = format!("zen:ticket:{}", ticket.id);
        let detail = ticket_detail(ticket, actor);
        let (kind, event) = match change {
            Change::Created => ("zen:event-type:ticket.created", json!({})),
            Change::Subject { previous } => (
                "zen:event-type:ticket.subject_changed",
                json!({"current": ticket.subject, "previous": previous}),
            ),
            Change::Status { previous } => (
                "zen:event-type:ticket.status_changed",
                json!({"current": ticket.status.upper(), "previous": previous.upper()}),
            ),
            Change::Priority { previous } => (
                "zen:event-type:ticket.priority_changed",
                json!({"current": ticket.priority.map(Priority::upper), "previous": previous.map(Priority::upper)}),
            ),
            Change::Type { previous } => (
                "zen:event-type:ticket.type_changed",
                json!({"current": ticket.kind.map(TicketType::upper), "previous": previous.map(TicketType::upper)}),
            ),
            Change::Assignee { previous } => (
                "zen:event-type:ticket.agent_assignment_changed",
                json!({"current": ticket.assignee_id.map(text), "previous": previous.map(text)}),
            ),
            Change::Tags { previous } => {
                let added: Vec<_> = ticket.tags.difference(&previous).collect();
                let removed: Vec<_> = previous.difference(&ticket.tags).collect();
                (
                    "zen:event-type:ticket.tags_changed",
                    json!({"added": {"tags": added}, "removed": {"tags": removed}}),
                )
            }
            Change::Comment => ("zen:event-type:ticket.comment_added", json!({})),
        };
        Self { kind, subject, detail, event }
    }

    /// The events of one update; they share a sequence.
    pub(super) fn changes(
        ticket: &Ticket,
        actor: u64,
        author: Option<&User>,
        changes: &[Change],
    ) -> Vec<Self> {
        let sequence = ids::ulid();
        let mut events: Vec<Self> = Vec::with_capacity(changes.len());
        for (position, change) in changes.iter().enumerate() {
            let mut event = Self::ticket(ticket, actor, change.clone());
            if let (Change::Comment, Some(comment)) = (change, ticket.comments.last()) {
                event.event = json!({"comment": {
                    "author": {
                        "id": text(comment.author_id),
                        "is_staff": author.is_some_and(|author| author.role != Role::EndUser),
                        "name": author.map(|author| &author.name),
                    },
                    "body": comment.body, "html_body": html(&comment.body), "id": text(comment.id), "is_public": comment.public,
                }});
            }
            event.event["meta"] = json!({"sequence": {"id": sequence, "position": position + 1}});
            events.push(event);
        }
        events
    }

    /// `user.created`: an event of another domain, which a ticket receiver must ignore.
    pub(super) fn user_created(user: &User) -> Self {
        let at = second_text(user.created_at);
        Self {
            kind: "zen:event-type:user.created",
            subject: format!("zen:user:{}", user.id),
            detail: json!({
                "created_at": at, "default_group_id": "0", "email": user.email, "external_id": "", "id": text(user.id),
                "organization_id": "0", "role": user.role.as_str(), "updated_at": at,
            }),
            event: json!({}),
        }
    }

    /// The exact bytes of the body. Each call makes another event id.
    pub(super) fn body(&self, account_id: u64, at: Timestamp) -> Vec<u8> {
        let envelope = json!({
            "account_id": account_id, "detail": self.detail, "event": self.event, "id": Uuid::new_v4().to_string(),
            "subject": self.subject, "time": at.to_string(), "type": self.kind, "zendesk_event_version": "2022-11-06",
        });
        pretty(&envelope)
    }
}

fn text(id: u64) -> String {
    id.to_string()
}

fn ticket_detail(ticket: &Ticket, actor: u64) -> Value {
    // Null and not [] without tags: integrators have met it.
    let tags = if ticket.tags.is_empty() { Value::Null } else { json!(ticket.tags) };
    json!({
        "actor_id": text(actor), "assignee_id": ticket.assignee_id.map(text), "brand_id": text(BRAND_ID),
        "created_at": second_text(ticket.created_at), "custom_status": text(CUSTOM_STATUS_ID),
        "description": ticket.description, "external_id": ticket.external_id, "form_id": text(FORM_ID),
        "group_id": text(GROUP_ID), "id": text(ticket.id), "is_public": ticket.public, "organization_id": null,
        "priority": ticket.priority.map(Priority::upper), "requester_id": text(ticket.requester_id),
        "status": ticket.status.upper(), "subject": ticket.subject, "submitter_id": text(ticket.submitter_id),
        "tags": tags, "type": ticket.kind.map(TicketType::upper), "updated_at": second_text(ticket.updated_at),
        "via": {"channel": ticket.channel.event()},
    })
}

/// serde_json's pretty form, but `{ }` for an empty object.
struct VendorFormatter<'a> {
    inner: PrettyFormatter<'a>,
    empty: bool,
}

impl Formatter for VendorFormatter<'_> {
    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.begin_array(writer)
    }
    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.end_array(writer)
    }
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.inner.begin_array_value(writer, first)
    }
    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.end_array_value(writer)
    }
    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.empty = true;
        self.inner.begin_object(writer)
    }
    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if std::mem::take(&mut self.empty) {
            writer.write_all(b" ")?;
        }
        self.inner.end_object(writer)
    }
    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.empty = false;
        self.inner.begin_object_key(writer, first)
    }
    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.begin_object_value(writer)
    }
    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.inner.end_object_value(writer)
    }
}

pub(super) fn pretty(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(2048);
    let formatter = VendorFormatter { inner: PrettyFormatter::with_indent(b"   "), empty: false };
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    value.serialize(&mut serializer).expect("a JSON value can be written to memory");
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_look_like_recorded_ones() {
        let body = pretty(&json!({"detail": {"id": "1", "tags": null}, "event": {}, "list": ["a"]}));
        let expected = concat!(
            "{\n   \"detail\": {\n      \"id\": \"1\",\n      \"tags\": null\n   },\n   \"event\": { },\n",
            "   \"list\": [\n      \"a\"\n   ]\n}\n"
        );
        assert_eq!(String::from_utf8(body).unwrap(), expected);
    }
}
