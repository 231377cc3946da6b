//! Tickets and conversations, and how the API shows them.

use super::NewTicket;
use crate::clock::second_text;
use crate::zendesk::Priority;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The agent behind the API key.
pub(super) const API_AGENT: u64 = 6_010_396_333;

/// A ticket.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the names are the vendor's own terms")]
pub struct Ticket {
    pub id: u64,
    pub subject: String,
    /// HTML.
    pub description: String,
    pub status: u64,
    pub priority: u64,
    pub source: u64,
    pub kind: Option<String>,
    pub tags: Vec<String>,
    pub requester_id: u64,
    pub requester_name: String,
    pub requester_email: String,
    pub responder_id: Option<u64>,
    pub group_id: Option<u64>,
    pub company_id: Option<u64>,
    pub created_at: i64,
    pub updated_at: i64,
    pub custom_fields: Map<String, Value>,
    pub spam: bool,
    pub deleted: bool,
    pub conversations: Vec<Conversation>,
}

/// A note or a reply.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the names are the vendor's own terms")]
pub struct Conversation {
    pub id: u64,
    /// HTML.
    pub body: String,
    pub private: bool,
    pub incoming: bool,
    pub source: u64,
    pub user_id: u64,
    pub created_at: i64,
}

pub(super) struct NewConversation {
    pub(super) body: String,
    pub(super) private: bool,
    pub(super) incoming: bool,
    pub(super) source: u64,
}

/// What is shown of a ticket beyond its own fields.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shown {
    pub(super) description: bool,
    pub(super) requester: bool,
    pub(super) stats: bool,
    pub(super) conversations: bool,
}

impl Ticket {
    pub(super) fn json(&self, shown: Shown) -> Value {
        let mut ticket = json!({
            "cc_emails": [], "fwd_emails": [], "reply_cc_emails": [], "ticket_cc_emails": [],
            "fr_escalated": false, "spam": self.spam, "email_config_id": null, "group_id": self.group_id,
            "priority": self.priority, "requester_id": self.requester_id, "responder_id": self.responder_id,
            "source": self.source, "company_id": self.company_id, "status": self.status,
            "subject": self.subject, "association_type": null, "support_email": null, "to_emails": null,
            "product_id": null, "id": self.id, "type": self.kind,
            "due_by": second_text(self.created_at + 3 * 86_400),
            "fr_due_by": second_text(self.created_at + 86_400), "is_escalated": false,
            "custom_fields": self.custom_fields, "tags": self.tags,
            "created_at": second_text(self.created_at), "updated_at": second_text(self.updated_at),
        });
        let fields = ticket.as_object_mut().expect("it was made as an object");
        if self.deleted {
            fields.insert("deleted".into(), json!(true));
        }
        if shown.description {
            fields.insert("description".into(), json!(self.description));
            fields.insert("description_text".into(), json!(plain(&self.description)));
            fields.insert("attachments".into(), json!([]));
        }
        if shown.requester {
            fields.insert(
                "requester".into(),
                json!({
                    "id": self.requester_id, "name": self.requester_name, "email": self.requester_email,
                    "mobile": null, "phone": null,
                }),
            );
        }
        if shown.stats {
            let latest = |incoming: bool| {
                let mut public = self.conversations.iter().filter(|entry| !entry.private);
                let found = public.rfind(|entry| entry.incoming == incoming);
                found.map(|entry| second_text(entry.created_at))
            };
            fields.insert(
                "stats".into(),
                json!({
                    "agent_responded_at": latest(false), "requester_responded_at": latest(true),
                    "first_responded_at": null, "status_updated_at": second_text(self.created_at),
                    "reopened_at": null, "resolved_at": null, "closed_at": null, "pending_since": null,
                }),
            );
        }
        if shown.conversations {
            // Ten at most, the newest first.
            let newest = self.conversations.iter().rev().take(10);
            fields.insert("conversations".into(), newest.map(|entry| entry.json(self.id)).collect());
        }
        ticket
    }
}

impl Conversation {
    pub(super) fn body_text(&self) -> String {
        plain(&self.body)
    }

    pub(super) fn json(&self, ticket: u64) -> Value {
        let at = second_text(self.created_at);
        json!({
            "body": self.body, "body_text": self.body_text(), "id": self.id, "incoming": self.incoming,
            "private": self.private, "user_id": self.user_id, "support_email": null, "source": self.source,
            "category": 1, "to_emails": [], "from_email": null, "cc_emails": [], "bcc_emails": null,
            "email_failure_count": null, "outgoing_failures": null, "created_at": at, "updated_at": at,
            "ticket_id": ticket, "attachments": [],
        })
    }
}

#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) tickets: BTreeMap<u64, Ticket>,
    requesters: BTreeMap<String, u64>,
    conversations: u64,
}

impl Account {
    pub(super) fn create(&mut self, new: NewTicket, now: i64) -> u64 {
        let id = self.tickets.len() as u64 + 1;
        let next = 6_012_691_534 + self.requesters.len() as u64;
        let requester_id = *self.requesters.entry(new.requester_email.clone()).or_insert(next);
        let ticket = Ticket {
            id,
            subject: new.subject,
            description: new.description,
            status: new.status.unwrap_or(2),
            priority: new.priority.unwrap_or(1),
            source: 1,
            kind: Some("Question".to_owned()),
            tags: new.tags,
            requester_id,
            requester_name: new.requester_name,
            requester_email: new.requester_email,
            responder_id: None,
            group_id: None,
            company_id: None,
            created_at: now,
            updated_at: now,
            custom_fields: Map::from_iter([("cf_order".to_owned(), Value::Null)]),
            spam: false,
            deleted: false,
            conversations: Vec::new(),
        };
        self.tickets.insert(id, ticket);
        id
    }

    pub(super) fn add(&mut self, ticket: u64, new: NewConversation, now: i64) -> Option<Value> {
        self.conversations += 1;
        let id = self.conversations;
        let held = self.tickets.get_mut(&ticket)?;
        let user_id = if new.incoming { held.requester_id } else { API_AGENT };
        let NewConversation { body, private, incoming, source } = new;
        let entry = Conversation { id, body, private, incoming, source, user_id, created_at: now };
        let shown = entry.json(ticket);
        held.conversations.push(entry);
        held.updated_at = now;
        Some(shown)
    }

    /// The default body of the "Trigger Webhook" action: labels, ids as texts, and an event that is no JSON.
    pub(super) fn webhook_body(&self, id: u64, event: &str, base: &str) -> Option<Value> {
        let ticket = self.tickets.get(&id)?;
        Some(json!({"freshdesk_webhook": {
            "triggered_event": event, "ticket_id": id.to_string(),
            "ticket_url": format!("{base}/helpdesk/tickets/{id}"), "ticket_type": ticket.kind,
            "ticket_subject": ticket.subject, "ticket_description": ticket.description,
            "ticket_status": label(&["Open", "Pending", "Resolved", "Closed"], ticket.status, 2),
            "ticket_priority": label(&["Low", "Medium", "High", "Urgent"], ticket.priority, 1),
            "requester_name": ticket.requester_name, "requester_email": ticket.requester_email,
        }}))
    }
}

fn label(labels: &[&'static str], code: u64, first: u64) -> &'static str {
    let at = code.checked_sub(first).and_then(|at| usize::try_from(at).ok());
    at.and_then(|at| labels.get(at)).copied().unwrap_or("Custom")
}

pub(super) fn priority_code(priority: Priority) -> u64 {
    match priority {
        Priority::Low => 1,
        Priority::Normal => 2,
        Priority::High => 3,
        Priority::Urgent => 4,
    }
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The text of simple HTML: tags cut out, the commonest entities read.
pub(super) fn plain(html: &str) -> String {
    let (mut text, mut within) = (String::with_capacity(html.len()), false);
    for c in html.chars() {
        match c {
            '<' => within = true,
            '>' if within => within = false,
            c if !within => text.push(c),
            _ => {}
        }
    }
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    entities.iter().fold(text, |text, (entity, c)| text.replace(entity, c)).trim().to_owned()
}
