//! Conversations, contacts and tags, and how the API shows them.

use super::NewConversation;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The admin behind the access token.
pub(super) const ADMIN: u64 = 991_267_459;

/// A conversation.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the names are the vendor's own terms")]
pub struct Conversation {
    pub id: u64,
    pub title: Option<String>,
    pub subject: String,
    /// HTML.
    pub body: String,
    pub source: String,
    pub contact: String,
    pub state: String,
    pub priority: bool,
    pub admin_assignee_id: u64,
    /// Ids of its tags.
    pub tags: Vec<u64>,
    pub custom_attributes: Map<String, Value>,
    pub created_at: i64,
    pub updated_at: i64,
    pub parts: Vec<Part>,
}

/// A message or an action.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the names are the vendor's own terms")]
pub struct Part {
    pub id: u64,
    pub part_type: String,
    /// HTML.
    pub body: String,
    pub by_admin: bool,
    pub created_at: i64,
}

#[derive(Debug, Clone)]
pub(super) struct Contact {
    pub(super) name: String,
    pub(super) email: String,
    pub(super) created_at: i64,
}

#[derive(Debug, Default)]
pub(super) struct Workspace {
    pub(super) conversations: BTreeMap<u64, Conversation>,
    pub(super) contacts: BTreeMap<String, Contact>,
    /// By id.
    pub(super) tags: BTreeMap<u64, String>,
    /// Names of the attributes that admins have made: others are refused.
    pub(super) attributes: Vec<String>,
    last: u64,
}

impl Workspace {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    pub(super) fn create(&mut self, new: NewConversation, now: i64) -> u64 {
        let id = 215_468_990_000_000 + self.next();
        let known = self.contacts.iter().find(|(_, contact)| contact.email == new.contact_email);
        let contact = known.map(|(id, _)| id.clone()).unwrap_or_else(|| crate::ids::hex(24));
        self.contacts.entry(contact.clone()).or_insert(Contact {
            name: new.contact_name,
            email: new.contact_email,
            created_at: now,
        });
        let tags = new.tags.iter().map(|name| self.tag(name)).collect();
        let source = if new.subject.is_empty() { "conversation" } else { "email" };
        let conversation = Conversation {
            id,
            title: None,
            subject: new.subject,
            body: new.body,
            source: source.to_owned(),
            contact,
            state: "open".to_owned(),
            priority: false,
            admin_assignee_id: 0,
            tags,
            custom_attributes: Map::new(),
            created_at: now,
            updated_at: now,
            parts: Vec::new(),
        };
        self.conversations.insert(id, conversation);
        id
    }

    /// The id of the tag of this name, which is made if there is none.
    pub(super) fn tag(&mut self, name: &str) -> u64 {
        if let Some((id, _)) = self.tags.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)) {
            return *id;
        }
        let id = 7_000_000 + self.next();
        self.tags.insert(id, name.to_owned());
        id
    }

    pub(super) fn tag_names(&self, id: u64) -> Vec<String> {
        let tags = self.conversations.get(&id).map(|found| found.tags.as_slice()).unwrap_or_default();
        tags.iter().filter_map(|tag| self.tags.get(tag).cloned()).collect()
    }

    /// Attaches a tag or takes it off.
    pub(super) fn set_tag(&mut self, id: u64, tag: u64, on: bool, now: i64) -> Option<()> {
        let found = self.conversations.get_mut(&id)?;
        if found.tags.contains(&tag) != on {
            found.tags.retain(|held| *held != tag);
            if on {
                found.tags.push(tag);
            }
            found.updated_at = now;
        }
        Some(())
    }

    pub(super) fn reply(
        &mut self,
        id: u64,
        kind: &str,
        body: &str,
        by_admin: bool,
        now: i64,
    ) -> Option<Value> {
        let part = Part {
            id: 1_000_000 + self.next(),
            part_type: kind.to_owned(),
            body: body.to_owned(),
            by_admin,
            created_at: now,
        };
        let found = self.conversations.get_mut(&id)?;
        found.parts.push(part);
        found.updated_at = now;
        self.shown(id, true)
    }

    /// A conversation as the API shows it; with its parts, or as one of a list.
    pub(super) fn shown(&self, id: u64, whole: bool) -> Option<Value> {
        let found = self.conversations.get(&id)?;
        let mut shown = json!({
            "type": "conversation", "id": id.to_string(), "title": found.title,
            "created_at": found.created_at, "updated_at": found.updated_at, "waiting_since": found.created_at,
            "snoozed_until": null, "open": found.state == "open", "state": found.state, "read": false,
            "priority": if found.priority { "priority" } else { "not_priority" },
            "admin_assignee_id": found.admin_assignee_id, "team_assignee_id": null,
            "tags": {"type": "tag.list", "tags": found.tags.iter().map(|tag| self.tag_json(*tag, found.created_at))
                .collect::<Vec<_>>()},
            "conversation_rating": null,
            "source": {
                "type": found.source, "id": format!("{id}1"), "delivered_as": "customer_initiated",
                "subject": found.subject, "body": found.body, "author": self.author(found, false),
                "attachments": [], "url": null, "redacted": false,
            },
            "contacts": {"type": "contact.list", "contacts": [
                {"type": "contact", "id": found.contact, "external_id": null},
            ]},
            "teammates": {"type": "admin.list", "teammates": []},
            "custom_attributes": found.custom_attributes,
            "first_contact_reply": {"created_at": found.created_at, "type": found.source, "url": null},
            "ai_agent_participated": false,
        });
        let object = shown.as_object_mut()?;
        // What the OpenAPI knows as an object is left out where there is none.
        object.remove("conversation_rating");
        if whole {
            let parts: Vec<Value> = found.parts.iter().map(|part| self.part_json(found, part)).collect();
            object.insert(
                "conversation_parts".to_owned(),
                json!({"type": "conversation_part.list", "total_count": parts.len(), "conversation_parts": parts}),
            );
        }
        Some(shown)
    }

    pub(super) fn tag_json(&self, tag: u64, applied_at: i64) -> Value {
        json!({
            "type": "tag", "id": tag.to_string(), "name": self.tags.get(&tag), "applied_at": applied_at,
            "applied_by": {"type": "admin", "id": ADMIN.to_string()},
        })
    }

    fn part_json(&self, of: &Conversation, part: &Part) -> Value {
        json!({
            "type": "conversation_part", "id": part.id.to_string(), "part_type": part.part_type,
            "body": part.body, "created_at": part.created_at, "updated_at": part.created_at,
            "notified_at": part.created_at, "assigned_to": null, "author": self.author(of, part.by_admin),
            "attachments": [], "external_id": null, "redacted": false, "email_message_metadata": null,
            "metadata": null, "state": of.state, "tags": [], "event_details": null, "app_package_code": null,
        })
    }

    fn author(&self, of: &Conversation, admin: bool) -> Value {
        if admin {
            return json!({"type": "admin", "id": ADMIN.to_string(), "name": "Deskstream",
                "email": "bot@support.example"});
        }
        let contact = self.contacts.get(&of.contact);
        json!({
            "type": "user", "id": of.contact, "name": contact.map(|contact| contact.name.as_str()),
            "email": contact.map(|contact| contact.email.as_str()),
        })
    }

    pub(super) fn contact_json(&self, id: &str) -> Option<Value> {
        let contact = self.contacts.get(id)?;
        Some(json!({
            "type": "contact", "id": id, "external_id": null, "workspace_id": "ecahpwf5", "role": "user",
            "email": contact.email, "name": contact.name, "phone": null,
            "created_at": contact.created_at, "updated_at": contact.created_at,
        }))
    }

    /// A notification's body: the conversation with its newest part only.
    pub(super) fn notification(&self, id: u64, topic: &str, now: i64) -> Option<Vec<u8>> {
        let mut item = self.shown(id, true)?;
        let parts = item.pointer_mut("/conversation_parts/conversation_parts")?.as_array_mut()?;
        let older = parts.len().saturating_sub(1);
        parts.drain(..older);
        let body = json!({
            "type": "notification_event", "app_id": "ecahpwf5",
            "data": {"type": "notification_event_data", "item": item},
            "links": {}, "id": format!("notif_{}", uuid::Uuid::now_v7()), "topic": topic,
            "delivery_status": "pending", "delivery_attempts": 1, "delivered_at": 0,
            "first_sent_at": now, "created_at": now, "self": null,
        });
        Some(body.to_string().into_bytes())
    }
}
