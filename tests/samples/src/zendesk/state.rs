//! The account: what it holds, and the one function through which every ticket changes.
//!
//! An update is atomic: it is checked whole, then applied whole, and gives one audit and the webhook events
//! that follow from it. `updated_at` has a resolution of one second, as at the vendor, so that two updates
//! within a second carry the same stamp and `safe_update` cannot tell them apart.

use super::changes::{NewComment, NewTicket, TagEdit, TicketUpdate};
use super::events::{Change, Event};
use super::model::{Audit, AuditEvent, Channel, Comment, Priority, Role, Status, Ticket, TicketType, User};
use super::webhooks::Webhook;
use crate::tickets::Planted;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Why an update was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    NoSuchTicket,
    Closed,
    Conflict,
}

/// How long the API took to write to a ticket for the first time, kept for statistics.
const LATENCIES_KEPT: usize = 20_000;
/// Planted values kept for leak tests.
const PLANTED_KEPT: usize = 50_000;

#[derive(Debug)]
struct Trace {
    created: Instant,
    touched: bool,
    notes: u32,
}

/// A bulk job.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) status: &'static str,
    pub(super) total: usize,
    pub(super) progress: usize,
    pub(super) message: Option<String>,
    pub(super) results: Vec<Value>,
}

/// Everything an account holds.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) tickets: BTreeMap<u64, Ticket>,
    /// Export order: `(generated_at, ticket id)`.
    pub(super) export: BTreeSet<(i64, u64)>,
    pub(super) users: BTreeMap<u64, User>,
    pub(super) webhooks: BTreeMap<String, Webhook>,
    pub(super) jobs: BTreeMap<String, Job>,
    pub(super) planted: VecDeque<(u64, Planted)>,
    pub(super) first_write_ms: VecDeque<u32>,
    pub(super) repeated_notes: u64,
    by_email: HashMap<String, u64>,
    traces: HashMap<u64, Trace>,
    next_ticket: u64,
    next_user: u64,
    next_id: u64,
    keep_tickets: usize,
    /// Ids of the custom ticket fields.
    custom_fields: Vec<u64>,
}

/// The user behind the API credentials.
pub(super) const API_USER: u64 = 360_000_000_001;
/// The agent who edits by hand.
pub(super) const AGENT: u64 = 360_000_000_002;

impl Account {
    pub(super) fn new(api_email: &str, now: i64, keep_tickets: usize, custom_fields: Vec<u64>) -> Self {
        let mut account = Self {
            custom_fields,
            tickets: BTreeMap::new(),
            export: BTreeSet::new(),
            users: BTreeMap::new(),
            webhooks: BTreeMap::new(),
            jobs: BTreeMap::new(),
            planted: VecDeque::new(),
            first_write_ms: VecDeque::new(),
            repeated_notes: 0,
            by_email: HashMap::new(),
            traces: HashMap::new(),
            next_ticket: 1,
            next_user: AGENT + 1,
            next_id: 2_127_300_000_000,
            keep_tickets,
        };
        account.add_user(API_USER, "Deskstream", api_email, Role::Admin, now);
        account.add_user(AGENT, "Alex Agent", "alex.agent@support.example", Role::Agent, now);
        account
    }

    fn add_user(&mut self, id: u64, name: &str, email: &str, role: Role, now: i64) {
        self.by_email.insert(email.to_lowercase(), id);
        self.users
            .insert(id, User { id, name: name.to_owned(), email: email.to_owned(), role, created_at: now });
    }

    /// The user with this address, created if unknown; true if it was.
    pub(super) fn user_for(&mut self, name: &str, email: &str, now: i64) -> (u64, bool) {
        if let Some(id) = self.by_email.get(&email.to_lowercase()) {
            return (*id, false);
        }
        let id = self.next_user;
        self.next_user += 1;
        self.add_user(id, name, email, Role::EndUser, now);
        (id, true)
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Creates a ticket for its requester. The events are `ticket.created` alone: the first comment is part
    /// of the creation.
    pub(super) fn create(
        &mut self,
        new: NewTicket,
        channel: Channel,
        submitter: Option<u64>,
        now: i64,
    ) -> (u64, Event) {
        let (requester_id, _) = if new.requester_email.is_empty() {
            (submitter.unwrap_or(API_USER), false)
        } else {
            self.user_for(&new.requester_name, &new.requester_email, now)
        };
        let id = self.next_ticket;
        self.next_ticket += 1;
        let submitter_id = submitter.unwrap_or(requester_id);
        let (audit_id, comment_id) = (self.id(), self.id());
        let status = new.status.unwrap_or(Status::New);
        let tags = clean_tags(&new.tags);
        let events = vec![
            (self.id(), AuditEvent::Comment(comment_id)),
            (self.id(), AuditEvent::Create { field: "subject", value: json!(new.subject) }),
            (self.id(), AuditEvent::Create { field: "status", value: json!(status.lower()) }),
            (
                self.id(),
                AuditEvent::Create { field: "priority", value: json!(new.priority.map(Priority::lower)) },
            ),
            (self.id(), AuditEvent::Create { field: "tags", value: json!(tags) }),
        ];
        let comment = Comment {
            id: comment_id,
            audit_id,
            author_id: requester_id,
            body: new.body.clone(),
            public: true,
            channel,
            created_at: now,
        };
        let ticket = Ticket {
            id,
            subject: new.subject,
            description: new.body,
            status,
            priority: new.priority,
            kind: new.kind,
            tags,
            requester_id,
            submitter_id,
            assignee_id: None,
            external_id: None,
            custom_fields: self.custom_fields.iter().map(|id| (*id, Value::Null)).collect(),
            channel,
            created_at: now,
            updated_at: now,
            generated_at: now,
            public: true,
            comments: vec![comment],
            audits: vec![Audit { id: audit_id, author_id: submitter_id, channel, created_at: now, events }],
        };
        let event = Event::ticket(&ticket, submitter_id, Change::Created);
        self.export.insert((now, id));
        self.traces.insert(id, Trace { created: Instant::now(), touched: false, notes: 0 });
        self.tickets.insert(id, ticket);
        self.forget_oldest();
        (id, event)
    }

    /// Long demos must not grow without bound: the oldest tickets leave first.
    fn forget_oldest(&mut self) {
        while self.tickets.len() > self.keep_tickets {
            let Some((id, ticket)) = self.tickets.pop_first() else { return };
            self.export.remove(&(ticket.generated_at, id));
            self.traces.remove(&id);
        }
    }

    pub(super) fn delete(&mut self, id: u64) -> bool {
        let Some(ticket) = self.tickets.remove(&id) else { return false };
        self.export.remove(&(ticket.generated_at, id));
        self.traces.remove(&id);
        true
    }

    /// Checks that `stamp` (seconds) is the ticket's present `updated_at`.
    pub(super) fn check_stamp(&self, id: u64, stamp: i64) -> Result<(), Refusal> {
        let ticket = self.tickets.get(&id).ok_or(Refusal::NoSuchTicket)?;
        if ticket.updated_at == stamp { Ok(()) } else { Err(Refusal::Conflict) }
    }

    /// Applies an update and returns its audit's id and the events it causes. An update that changes nothing
    /// leaves `updated_at` alone and causes nothing.
    pub(super) fn update(
        &mut self,
        id: u64,
        update: TicketUpdate,
        actor: u64,
        channel: Channel,
        now: i64,
    ) -> Result<(u64, Vec<Event>), Refusal> {
        let audit_id = self.id();
        let mut ids = self.next_id;
        let mut next_id = || {
            ids += 1;
            ids
        };
        let ticket = self.tickets.get_mut(&id).ok_or(Refusal::NoSuchTicket)?;
        if ticket.status == Status::Closed {
            return Err(Refusal::Closed);
        }
        let mut recorded = Vec::new();
        let mut changes = Vec::new();
        let mut record = |field, value: Value, previous: Value| {
            recorded.push((next_id(), AuditEvent::Change { field: Cow::Borrowed(field), value, previous }));
        };
        if let Some(subject) = update.subject.filter(|subject| *subject != ticket.subject) {
            let previous = std::mem::replace(&mut ticket.subject, subject);
            record("subject", json!(ticket.subject), json!(previous));
            changes.push(Change::Subject { previous });
        }
        if let Some(status) = update.status.filter(|status| *status != ticket.status) {
            let previous = std::mem::replace(&mut ticket.status, status);
            record("status", json!(status.lower()), json!(previous.lower()));
            changes.push(Change::Status { previous });
        }
        if let Some(priority) = update.priority.filter(|priority| Some(*priority) != ticket.priority) {
            let previous = ticket.priority.replace(priority);
            record("priority", json!(priority.lower()), json!(previous.map(Priority::lower)));
            changes.push(Change::Priority { previous });
        }
        if let Some(kind) = update.kind.filter(|kind| Some(*kind) != ticket.kind) {
            let previous = ticket.kind.replace(kind);
            record("type", json!(kind.lower()), json!(previous.map(TicketType::lower)));
            changes.push(Change::Type { previous });
        }
        if let Some(assignee) = update.assignee_id.filter(|assignee| Some(*assignee) != ticket.assignee_id) {
            let previous = ticket.assignee_id.replace(assignee);
            record("assignee_id", json!(assignee), json!(previous));
            changes.push(Change::Assignee { previous });
        }
        if let Some(external) =
            update.external_id.filter(|external| Some(external) != ticket.external_id.as_ref())
        {
            let previous = ticket.external_id.replace(external);
            record("external_id", json!(ticket.external_id), json!(previous));
        }
        let mut custom = Vec::new();
        for (field, value) in update.custom_fields {
            // One that the account does not have is ignored.
            let Some(held) = ticket.custom_fields.get_mut(&field).filter(|held| **held != value) else {
                continue;
            };
            custom.push((field, value.clone(), std::mem::replace(held, value)));
        }
        let tags = edited_tags(&ticket.tags, &update.tags);
        if tags != ticket.tags {
            let previous = std::mem::replace(&mut ticket.tags, tags);
            record("tags", json!(ticket.tags), json!(previous));
            changes.push(Change::Tags { previous });
        }
        for (field, value, previous) in custom {
            let field = Cow::Owned(field.to_string());
            recorded.push((next_id(), AuditEvent::Change { field, value, previous }));
        }
        let mut note = false;
        if let Some(NewComment { body, public }) = update.comment {
            let comment_id = next_id();
            recorded.push((next_id(), AuditEvent::Comment(comment_id)));
            ticket.public |= public;
            note = !public;
            ticket.comments.push(Comment {
                id: comment_id,
                audit_id,
                author_id: actor,
                body,
                public,
                channel,
                created_at: now,
            });
            changes.push(Change::Comment);
        }
        self.next_id = ids;
        if recorded.is_empty() {
            return Ok((audit_id, Vec::new()));
        }
        ticket.audits.push(Audit {
            id: audit_id,
            author_id: actor,
            channel,
            created_at: now,
            events: recorded,
        });
        self.export.remove(&(ticket.generated_at, id));
        ticket.updated_at = now.max(ticket.updated_at);
        ticket.generated_at = now.max(ticket.generated_at);
        self.export.insert((ticket.generated_at, id));
        let author = self.users.get(&actor);
        let events = Event::changes(ticket, actor, author, &changes);
        if actor == API_USER {
            self.trace_write(id, note);
        }
        Ok((audit_id, events))
    }

    fn trace_write(&mut self, id: u64, note: bool) {
        let Some(trace) = self.traces.get_mut(&id) else { return };
        if !trace.touched {
            trace.touched = true;
            if self.first_write_ms.len() == LATENCIES_KEPT {
                self.first_write_ms.pop_front();
            }
            let elapsed: Duration = trace.created.elapsed();
            self.first_write_ms.push_back(u32::try_from(elapsed.as_millis()).unwrap_or(u32::MAX));
        }
        if note {
            trace.notes += 1;
            self.repeated_notes += u64::from(trace.notes > 1);
        }
    }

    /// Moves a ticket to the end of the export without touching `updated_at`, as the vendor's own
    /// maintenance does.
    pub(super) fn system_update(&mut self, id: u64, now: i64) -> bool {
        let Some(ticket) = self.tickets.get_mut(&id) else { return false };
        self.export.remove(&(ticket.generated_at, id));
        ticket.generated_at = now.max(ticket.generated_at);
        self.export.insert((ticket.generated_at, id));
        true
    }

    pub(super) fn remember_planted(&mut self, ticket: u64, planted: impl IntoIterator<Item = Planted>) {
        for value in planted {
            if self.planted.len() == PLANTED_KEPT {
                self.planted.pop_front();
            }
            self.planted.push_back((ticket, value));
        }
    }
}

/// Tags are lower case, without spaces (a space parts two tags), each once.
pub(super) fn clean_tags(tags: &[String]) -> BTreeSet<String> {
    tags.iter().flat_map(|tag| tag.split_whitespace()).map(str::to_lowercase).collect()
}

fn edited_tags(present: &BTreeSet<String>, edits: &[TagEdit]) -> BTreeSet<String> {
    let mut tags = present.clone();
    for edit in edits {
        match edit {
            TagEdit::Set(these) => tags = clean_tags(these),
            TagEdit::Add(these) => tags.extend(clean_tags(these)),
            TagEdit::Remove(these) => {
                for tag in clean_tags(these) {
                    tags.remove(&tag);
                }
            }
        }
    }
    tags
}
