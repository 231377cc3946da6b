//! From Freshdesk's shapes to ours.
//!
//! # Identity and versions
//! Freshdesk gives its webhooks no id and signs none, so every event comes from a ticket that was read by API, and
//! has the id that [`event_id`] derives from tenant, ticket and version: webhook and poll arrive at the same one.
//! The version is `updated_at` in milliseconds. Freshdesk counts whole seconds: two changes within one are one
//! version, and the later one may be missed until the next.
//!
//! # Text
//! The body is the newest public message: what the requester or an agent wrote last, without the mails that it quotes,
//! or else the description.
//! Private notes, ours above all, are never the text of an event.

use super::decode::{Conversation, DecodeError, Ticket};
use crate::helpdesk::html;
use crate::helpdesk::lenient::{self, owned, time};
use crate::helpdesk::{mail, people};
use crate::kafka::{event_id, unsealed};
use deskstream_runtime::config::FreshdeskPriority;
use deskstream_schemas::{
    Attachment, EventKind, Origin, Person, PersonRole, Platform, Priority, TicketContent, TicketEvent,
    TicketStatus,
};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Ids longer than this are not Freshdesk's.
const MAX_ID_BYTES: usize = 20;

/// Maps a ticket; `None` if it is deleted or spam. `unset` is the priority that means that nobody has set one.
pub fn ticket(
    tenant: &str,
    ticket: &Ticket<'_>,
    origin: Origin,
    received_at: i64,
    unset: Option<FreshdeskPriority>,
) -> Result<Option<(TicketEvent, TicketContent)>, DecodeError> {
    if ticket.deleted == Some(true) || ticket.spam == Some(true) {
        return Ok(None);
    }
    let ticket_id = id(ticket)?.to_owned();
    let version = version(ticket)?;
    let created_at = time(ticket.created_at.as_deref()).unwrap_or(version);
    let event = TicketEvent {
        event_id: event_id(tenant, Platform::Freshdesk, &ticket_id, version),
        tenant: tenant.to_owned(),
        platform: Platform::Freshdesk,
        ticket_id,
        kind: if created_at == version { EventKind::Created } else { EventKind::Updated },
        origin,
        occurred_at: version,
        received_at,
        created_at,
        version,
        status: status(ticket.status.as_deref()),
        priority: priority(ticket.priority.as_deref()).filter(|set| unset.map(known) != Some(*set)),
        ticket_type: ticket.kind.as_deref().filter(|kind| !kind.is_empty()).map(str::to_lowercase),
        channel: ticket.source.as_deref().and_then(channel),
        requester_ref: owned(&ticket.requester_id),
        assignee_ref: owned(&ticket.responder_id),
        group_ref: owned(&ticket.group_id),
        organization_ref: owned(&ticket.company_id),
        content: unsealed(),
    };
    Ok(Some((event, content(ticket))))
}

/// The ticket's id.
pub fn id<'a>(ticket: &'a Ticket<'_>) -> Result<&'a str, DecodeError> {
    // Ids become parts of keys and URLs.
    let plain = |id: &&str| (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit());
    ticket.id.as_deref().filter(plain).ok_or(DecodeError::BadShape("it has no id"))
}

/// The ticket's version.
pub fn version(ticket: &Ticket<'_>) -> Result<i64, DecodeError> {
    time(ticket.updated_at.as_deref()).ok_or(DecodeError::BadShape("it has no updated_at"))
}

fn content(ticket: &Ticket<'_>) -> TicketContent {
    let message = newest_public(ticket.conversations.as_deref().unwrap_or_default());
    let (body, author_is_agent, files) = match message {
        Some(message) => {
            let body = shown(&message.body_text, &message.body);
            (mail::new_text(&body).to_owned(), message.incoming != Some(true), &message.attachments)
        }
        // An agent who enters a ticket for a customer is not told apart.
        None => (shown(&ticket.description_text, &ticket.description), false, &ticket.attachments),
    };
    let requester = ticket.requester.as_ref();
    TicketContent {
        subject: ticket.subject.as_deref().unwrap_or_default().to_owned(),
        body,
        tags: ticket.tags.iter().map(|tag| tag.clone().into_owned()).collect(),
        requester_name: requester.and_then(|requester| owned(&requester.name)),
        requester_email: requester.and_then(|requester| owned(&requester.email)),
        external_id: None,
        author_is_agent,
        fields: fields(ticket),
        people: people_of(ticket),
        attachments: files.iter().flatten().map(attachment).collect(),
    }
}

/// Agents have ids only, but for the address that they wrote from.
fn people_of(ticket: &Ticket<'_>) -> Vec<Person> {
    let mut found = Vec::new();
    if let Some(requester) = &ticket.requester {
        let (name, email) = (requester.name.as_deref(), requester.email.as_deref());
        people::add(&mut found, PersonRole::Requester, name, email);
    }
    for message in ticket.conversations.iter().flatten() {
        let role = if message.incoming == Some(true) { PersonRole::Requester } else { PersonRole::Agent };
        message.from_email.iter().for_each(|address| people::add_address(&mut found, role, address));
        message.cc_emails.iter().for_each(|address| people::add_address(&mut found, PersonRole::Cc, address));
    }
    ticket.cc_emails.iter().for_each(|address| people::add_address(&mut found, PersonRole::Cc, address));
    found
}

fn attachment(file: &super::decode::Attachment<'_>) -> Attachment {
    Attachment {
        name: owned(&file.name),
        content_type: owned(&file.content_type),
        bytes: file.size.as_deref().and_then(|size| size.parse().ok()),
    }
}

/// Freshdesk's documentation leaves the order of embedded conversations open.
fn newest_public<'a, 'b>(conversations: &'b [Conversation<'a>]) -> Option<&'b Conversation<'a>> {
    let public = conversations.iter().filter(|entry| entry.private == Some(false));
    public.max_by_key(|entry| time(entry.created_at.as_deref()))
}

/// Freshdesk's own text, or that of its HTML.
fn shown(text: &Option<Cow<'_, str>>, markup: &Option<Cow<'_, str>>) -> String {
    match text.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => text.to_owned(),
        None => html::text(markup.as_deref().unwrap_or_default()),
    }
}

fn fields(ticket: &Ticket<'_>) -> BTreeMap<String, String> {
    // Statuses of an account's own have a number only.
    let custom_status = ticket.status.clone().filter(|code| status(Some(code)) == TicketStatus::Unknown);
    let own = [("product_id", ticket.product_id.clone()), ("custom_status", custom_status)];
    let own = own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into_owned())));
    let custom = ticket.custom_fields.iter().flatten();
    own.chain(custom.filter_map(|(name, value)| Some((name.clone().into_owned(), lenient::field(value)?))))
        .collect()
}

/// By code. 6 and 7 are the defaults "Waiting on Customer" and "Waiting on Third Party"; what an account adds has a
/// meaning that only it knows.
fn status(code: Option<&str>) -> TicketStatus {
    match code {
        Some("2") => TicketStatus::Open,
        Some("3" | "6") => TicketStatus::Pending,
        Some("4") => TicketStatus::Solved,
        Some("5") => TicketStatus::Closed,
        Some("7") => TicketStatus::Hold,
        _ => TicketStatus::Unknown,
    }
}

fn priority(code: Option<&str>) -> Option<Priority> {
    match code? {
        "1" => Some(Priority::Low),
        "2" => Some(Priority::Normal),
        "3" => Some(Priority::High),
        "4" => Some(Priority::Urgent),
        _ => None,
    }
}

/// The code of a priority.
pub(super) fn code(priority: Priority) -> u64 {
    match priority {
        Priority::Low => 1,
        Priority::Normal => 2,
        Priority::High => 3,
        Priority::Urgent => 4,
    }
}

/// The configuration's priority in our terms.
pub(super) fn known(priority: FreshdeskPriority) -> Priority {
    match priority {
        FreshdeskPriority::Low => Priority::Low,
        FreshdeskPriority::Medium => Priority::Normal,
        FreshdeskPriority::High => Priority::High,
        FreshdeskPriority::Urgent => Priority::Urgent,
    }
}

fn channel(code: &str) -> Option<String> {
    let name = match code {
        "1" => "email",
        "2" => "portal",
        "3" => "phone",
        "7" => "chat",
        "9" => "feedback_widget",
        "10" => "outbound_email",
        "" => return None,
        other => other,
    };
    Some(name.to_owned())
}

#[cfg(test)]
#[path = "map_tests.rs"]
mod tests;
