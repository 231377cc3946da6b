//! From Intercom's shapes to ours.
//!
//! # Identity and versions
//! A conversation is a ticket. Its version is `updated_at`, which counts seconds, in milliseconds. What was read by API
//! has the id that [`event_id`] derives from tenant, conversation and version, so that webhook and poll arrive at the
//! same one; what a webhook itself says has the notification's id, which a repeated delivery repeats.
//!
//! # Text
//! The body is the newest public message: what the contact or an admin wrote last, without the mails that it quotes, or
//! else the message that began the conversation. Notes, ours above all, are never the text of an event.
//!
//! # Status and priority
//! A closed conversation opens again when its contact writes, so `closed` is solved; `snoozed` is pending. Priority is a
//! mark, `priority`, in the pinned version of the API, and of five levels in later ones; both are read.

use super::decode::{Author, Contact, Conversation, DecodeError, Part};
use crate::helpdesk::html;
use crate::helpdesk::lenient::{self, owned};
use crate::helpdesk::{mail, people};
use crate::kafka::{event_id, unsealed};
use deskstream_schemas::{
    Attachment, EventKind, Origin, Person, PersonRole, Platform, Priority, TicketContent, TicketEvent,
    TicketStatus,
};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Ids longer than this are not Intercom's: conversations have numbers, contacts 24 hexadecimal digits.
const MAX_ID_BYTES: usize = 40;

/// Types of parts that the contact sees. A `note` is private, and so is what comes with an assignment.
const PUBLIC: [&str; 3] = ["comment", "open", "close"];

/// Maps a conversation. `contact` is its first contact, where that was read.
pub fn conversation(
    tenant: &str,
    conversation: &Conversation<'_>,
    origin: Origin,
    received_at: i64,
    contact: Option<&Contact<'_>>,
) -> Result<(TicketEvent, TicketContent), DecodeError> {
    let ticket_id = id(conversation)?.to_owned();
    let version = version(conversation)?;
    let created_at = seconds(conversation.created_at.as_deref()).unwrap_or(version);
    let source = conversation.source.as_ref();
    let event = TicketEvent {
        event_id: event_id(tenant, Platform::Intercom, &ticket_id, version),
        tenant: tenant.to_owned(),
        platform: Platform::Intercom,
        ticket_id,
        kind: if created_at == version { EventKind::Created } else { EventKind::Updated },
        origin,
        occurred_at: version,
        received_at,
        created_at,
        version,
        status: status(conversation.state.as_deref()),
        priority: priority(conversation.priority.as_deref()),
        ticket_type: None,
        channel: source.and_then(|source| channel(source.kind.as_deref()?)),
        requester_ref: contact_id(conversation).map(str::to_owned),
        assignee_ref: assigned(&conversation.admin_assignee_id),
        group_ref: assigned(&conversation.team_assignee_id),
        organization_ref: None,
        content: unsealed(),
    };
    Ok((event, content(conversation, contact)))
}

/// The conversation's id.
pub fn id<'a>(conversation: &'a Conversation<'_>) -> Result<&'a str, DecodeError> {
    conversation.id.as_deref().filter(|id| is_id(id)).ok_or(DecodeError::BadShape("it has no id"))
}

/// The conversation's version.
pub fn version(conversation: &Conversation<'_>) -> Result<i64, DecodeError> {
    seconds(conversation.updated_at.as_deref()).ok_or(DecodeError::BadShape("it has no updated_at"))
}

/// The id of the conversation's first contact: who asks.
pub fn contact_id<'a>(conversation: &'a Conversation<'_>) -> Option<&'a str> {
    let listed = conversation.contacts.as_ref().and_then(|list| list.contacts.first());
    let author = conversation.source.as_ref().and_then(|source| source.author.as_ref());
    let id = listed.and_then(|contact| contact.id.as_deref());
    id.or_else(|| author.filter(|author| author.is_contact())?.id.as_deref()).filter(|id| is_id(id))
}

/// Whether what the conversation says names its contact, so that there is no need to ask.
pub fn names_contact(conversation: &Conversation<'_>) -> bool {
    let wanted = contact_id(conversation);
    wanted.is_none() || authors(conversation).any(|author| author.id.as_deref() == wanted && is_named(author))
}

/// Ids become parts of keys and URLs: only what can't be mistaken for a separator there.
pub fn is_id(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(plain)
}

fn content(conversation: &Conversation<'_>, contact: Option<&Contact<'_>>) -> TicketContent {
    let source = conversation.source.as_ref();
    let newest = newest_public(parts(conversation));
    let (body, author, attached) = match newest {
        Some(part) => (part.body.as_deref(), part.author.as_ref(), part.attachments.as_ref()),
        None => (
            source.and_then(|source| source.body.as_deref()),
            source.and_then(|source| source.author.as_ref()),
            source.and_then(|source| source.attachments.as_ref()),
        ),
    };
    let mut body = html::text(body.unwrap_or_default());
    if newest.is_some() {
        body.truncate(mail::new_text(&body).len());
    }
    let subject = [conversation.title.as_deref(), source.and_then(|source| source.subject.as_deref())];
    let subject = subject.into_iter().flatten().map(html::text).find(|subject| !subject.is_empty());
    let asks = contact_id(conversation);
    let requester = authors(conversation).find(|author| author.id.as_deref() == asks && is_named(author));
    let (name, email) = match (requester, contact) {
        (Some(author), _) => (owned(&author.name), owned(&author.email)),
        (None, Some(contact)) => (owned(&contact.name), owned(&contact.email)),
        (None, None) => (None, None),
    };
    TicketContent {
        subject: subject.unwrap_or_default(),
        body,
        tags: conversation
            .tags
            .iter()
            .flat_map(|list| &list.tags)
            .filter_map(|tag| tag.name.clone().map(Cow::into_owned))
            .collect(),
        requester_name: name,
        requester_email: email,
        external_id: None,
        author_is_agent: author.is_some_and(|author| !author.is_contact()),
        fields: fields(conversation),
        people: people_of(conversation),
        attachments: attached.into_iter().flatten().map(attachment).collect(),
    }
}

fn parts<'a, 'b>(conversation: &'b Conversation<'a>) -> &'b [Part<'a>] {
    conversation.conversation_parts.as_ref().map_or(&[], |parts| parts.conversation_parts.as_slice())
}

/// The order of parts is not documented.
fn newest_public<'a, 'b>(parts: &'b [Part<'a>]) -> Option<&'b Part<'a>> {
    let is_public = |part: &&Part<'_>| part.part_type.as_deref().is_some_and(|kind| PUBLIC.contains(&kind));
    let says = |part: &&Part<'_>| part.body.as_deref().is_some_and(|body| !html::text(body).is_empty());
    parts.iter().filter(is_public).filter(says).max_by_key(|part| seconds(part.created_at.as_deref()))
}

fn authors<'a, 'b>(conversation: &'b Conversation<'a>) -> impl Iterator<Item = &'b Author<'a>> {
    let first = conversation.source.as_ref().and_then(|source| source.author.as_ref());
    first.into_iter().chain(parts(conversation).iter().filter_map(|part| part.author.as_ref()))
}

fn is_named(author: &Author<'_>) -> bool {
    [&author.name, &author.email].into_iter().flatten().any(|text| !text.is_empty())
}

/// Everyone who wrote: their names may stand in the text.
fn people_of(conversation: &Conversation<'_>) -> Vec<Person> {
    let mut found = Vec::new();
    for author in authors(conversation) {
        let role = match author.kind.as_deref() {
            _ if author.is_contact() => PersonRole::Requester,
            Some("admin" | "team") => PersonRole::Agent,
            // Bots have names that are no one's.
            _ => continue,
        };
        people::add(&mut found, role, author.name.as_deref(), author.email.as_deref());
    }
    found
}

fn attachment(file: &super::decode::Attachment<'_>) -> Attachment {
    Attachment {
        name: owned(&file.name),
        content_type: owned(&file.content_type),
        bytes: file.filesize.as_deref().and_then(|size| size.parse().ok()),
    }
}

fn fields(conversation: &Conversation<'_>) -> BTreeMap<String, String> {
    let custom = conversation.custom_attributes.iter().flatten();
    custom.filter_map(|(name, value)| Some((name.clone().into_owned(), lenient::field(value)?))).collect()
}

/// Who is assigned; 0 is no one.
fn assigned(id: &Option<Cow<'_, str>>) -> Option<String> {
    owned(id).filter(|id| id != "0")
}

/// A Unix time in milliseconds.
pub(super) fn seconds(text: Option<&str>) -> Option<i64> {
    text?.parse::<i64>().ok()?.checked_mul(1000)
}

fn status(state: Option<&str>) -> TicketStatus {
    match state {
        Some("open") => TicketStatus::Open,
        Some("snoozed") => TicketStatus::Pending,
        Some("closed") => TicketStatus::Solved,
        _ => TicketStatus::Unknown,
    }
}

fn priority(level: Option<&str>) -> Option<Priority> {
    match level? {
        "low" => Some(Priority::Low),
        "medium" => Some(Priority::Normal),
        "high" | "priority" => Some(Priority::High),
        "urgent" => Some(Priority::Urgent),
        _ => None,
    }
}

fn channel(kind: &str) -> Option<String> {
    match kind {
        "" => None,
        "conversation" => Some("chat".to_owned()),
        "phone_call" | "phone_switch" => Some("phone".to_owned()),
        other => Some(other.to_lowercase()),
    }
}

#[cfg(test)]
#[path = "map_tests.rs"]
mod tests;
