//! From Zendesk's shapes to ours.
//!
//! # Identity and versions
//! - A webhook event keeps Zendesk's event id: a delivery repeated by Zendesk carries the same id.
//! - What the poll finds has the id that [`event_id`] derives from tenant, ticket and version: an export that
//!   repeats a ticket unchanged yields the same id.
//! - Both have the ticket's `updated_at` in milliseconds as `version`. Zendesk counts whole seconds, and one
//!   update may send several webhooks: events of one version describe the same state.
//!
//! So a later stage drops what is repeated by two rules: an event whose *id* it has seen, and an event of origin
//! `POLL` whose ticket it has already seen in that *version* or a later one.

use super::decode::{self, Change, DecodeError, Envelope, Ticket, User};
use crate::helpdesk::lenient::{self, owned, time};
use crate::helpdesk::{mail, note, people};
use crate::kafka::{event_id, unsealed};
use crate::webhook::Reading;
use deskstream_schemas::{
    EventKind, Origin, PersonRole, Platform, Priority, TicketContent, TicketEvent, TicketStatus,
};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// Who we are at the helpdesk: what tells our own updates from others'.
#[derive(Debug, Clone, Copy)]
pub struct Own<'a> {
    /// The id of our API user, once known.
    pub user_id: Option<&'a str>,
    /// Tags with this prefix are ours.
    pub tag_prefix: &'a str,
}

/// Ids longer than this are not Zendesk's.
const MAX_ID_BYTES: usize = 64;

/// How the types of a ticket's events begin.
const EVENT_TYPE: &str = "zen:event-type:ticket.";

/// Ticket event types that change what we keep, without [`EVENT_TYPE`].
const UPDATES: [&str; 19] = [
    "agent_assignment_changed",
    "brand_changed",
    "comment_added",
    "custom_field_changed",
    "custom_status_changed",
    "description_changed",
    "external_id_changed",
    "form_changed",
    "group_assignment_changed",
    "merged",
    "organization_changed",
    "priority_changed",
    "requester_changed",
    "status_changed",
    "subject_changed",
    "submitter_changed",
    "tags_changed",
    "type_changed",
    "undeleted",
];

/// The types of events that a webhook of ours has to send.
pub(super) fn subscriptions() -> Vec<String> {
    let types = std::iter::once("created").chain(UPDATES);
    types.map(|what| format!("{EVENT_TYPE}{what}")).collect()
}

/// Maps a webhook's body.
pub fn webhook(tenant: &str, body: &[u8], received_at: i64, own: Own<'_>) -> Result<Reading, DecodeError> {
    let envelope = decode::envelope(body)?;
    let Some(what) = envelope.kind.strip_prefix(EVENT_TYPE) else {
        return Ok(Reading::Ignored);
    };
    let kind = match what {
        "created" => EventKind::Created,
        what if UPDATES.contains(&what) => EventKind::Updated,
        _ => return Ok(Reading::Ignored),
    };
    let detail = envelope.detail.ok_or(DecodeError::BadShape("it has no detail"))?;
    let ticket = decode::ticket(detail)?;
    let change = decode::change(envelope.event);
    let own_update = is_own(what, &ticket, &change, own);
    let ticket_id = ticket_id(&envelope, &ticket)?;
    let occurred_at = time(envelope.time.as_deref())
        .or_else(|| time(ticket.updated_at.as_deref()))
        .ok_or(DecodeError::BadShape("it has no time"))?;
    let version = time(ticket.updated_at.as_deref()).unwrap_or(occurred_at);
    if own_update {
        return Ok(Reading::OwnUpdate(Some((ticket_id, version))));
    }
    let id = match envelope.id.as_deref() {
        Some(id) if is_id(id) => id.to_owned(),
        _ => event_id(tenant, Platform::Zendesk, &ticket_id, version),
    };
    let event = TicketEvent {
        event_id: id,
        kind,
        origin: Origin::Webhook,
        occurred_at,
        ..event(tenant, ticket_id, &ticket, version, received_at)
    };
    let comment = change.comment.as_ref().filter(|comment| comment.body.is_some());
    let author = comment.and_then(|comment| comment.author.as_ref());
    let mut content = content(&ticket);
    if let Some(body) = comment.and_then(|comment| comment.body.as_deref()) {
        mail::new_text(body).clone_into(&mut content.body);
        content.author_is_agent = author.and_then(|author| author.is_staff).unwrap_or(false);
    }
    if let Some(author) = author {
        let role = if author.is_staff == Some(true) { PersonRole::Agent } else { PersonRole::Requester };
        people::add(&mut content.people, role, author.name.as_deref(), None);
    }
    if let Some(author) = author
        && author.id == ticket.requester_id
    {
        content.requester_name = author.name.as_deref().map(str::to_owned);
    }
    Ok(Reading::Event(Box::new((event, content))))
}

/// Maps a ticket of the REST API; `None` if it is deleted.
pub fn rest(
    tenant: &str,
    ticket: &Ticket<'_>,
    origin: Origin,
    received_at: i64,
) -> Result<Option<(TicketEvent, TicketContent)>, DecodeError> {
    if ticket.status.as_deref() == Some("deleted") {
        return Ok(None);
    }
    let id = ticket.id.as_deref().filter(|id| is_id(id)).ok_or(DecodeError::BadShape("it has no id"))?;
    let version = time(ticket.updated_at.as_deref()).ok_or(DecodeError::BadShape("it has no updated_at"))?;
    let mapped = event(tenant, id.to_owned(), ticket, version, received_at);
    let kind = if mapped.created_at == version { EventKind::Created } else { EventKind::Updated };
    Ok(Some((TicketEvent { kind, origin, ..mapped }, content(ticket))))
}

fn event(
    tenant: &str,
    ticket_id: String,
    ticket: &Ticket<'_>,
    version: i64,
    received_at: i64,
) -> TicketEvent {
    TicketEvent {
        event_id: event_id(tenant, Platform::Zendesk, &ticket_id, version),
        tenant: tenant.to_owned(),
        platform: Platform::Zendesk,
        ticket_id,
        kind: EventKind::Updated,
        origin: Origin::Poll,
        occurred_at: version,
        received_at,
        created_at: time(ticket.created_at.as_deref()).unwrap_or(version),
        version,
        status: status(ticket.status.as_deref()),
        priority: priority(ticket.priority.as_deref()),
        ticket_type: ticket.kind.as_deref().filter(|kind| !kind.is_empty()).map(str::to_ascii_lowercase),
        channel: ticket
            .via
            .as_ref()
            .and_then(|via| via.channel.as_deref())
            .filter(|channel| !channel.is_empty())
            .map(str::to_ascii_lowercase),
        requester_ref: owned(&ticket.requester_id),
        assignee_ref: owned(&ticket.assignee_id),
        group_ref: owned(&ticket.group_id),
        organization_ref: owned(&ticket.organization_id),
        content: unsealed(),
    }
}

fn content(ticket: &Ticket<'_>) -> TicketContent {
    // An agent who enters a ticket for a customer writes its description.
    let author_is_agent = match (&ticket.submitter_id, &ticket.requester_id) {
        (Some(submitter), Some(requester)) => submitter != requester,
        _ => false,
    };
    TicketContent {
        subject: ticket.subject.as_deref().unwrap_or_default().to_owned(),
        body: ticket.description.as_deref().unwrap_or_default().to_owned(),
        tags: ticket.tags.iter().map(|tag| tag.clone().into_owned()).collect(),
        requester_name: None,
        requester_email: None,
        external_id: owned(&ticket.external_id),
        author_is_agent,
        fields: fields(ticket),
        ..TicketContent::default()
    }
}

/// Users by id.
pub type Users<'a> = HashMap<Cow<'a, str>, User<'a>>;

/// Names who takes part in a ticket of an export, which itself has ids only.
pub fn name_people(ticket: &Ticket<'_>, users: &Users<'_>, content: &mut TicketContent) {
    let of = |id: &Option<Cow<'_, str>>| users.get(id.as_deref()?);
    if let Some(requester) = of(&ticket.requester_id) {
        content.requester_name = owned(&requester.name);
        content.requester_email = owned(&requester.email);
    }
    let roles = [
        (&ticket.requester_id, PersonRole::Requester),
        (&ticket.submitter_id, PersonRole::Agent),
        (&ticket.assignee_id, PersonRole::Agent),
    ];
    // Who asks is usually who submits.
    let named = roles.iter().enumerate().filter(|(at, (id, _))| *at != 1 || **id != ticket.requester_id);
    for (_, (id, role)) in named {
        if let Some(user) = of(id) {
            people::add(&mut content.people, *role, user.name.as_deref(), user.email.as_deref());
        }
    }
    for user in ticket.collaborator_ids.iter().filter_map(|id| users.get(id.as_ref())) {
        people::add(&mut content.people, PersonRole::Cc, user.name.as_deref(), user.email.as_deref());
    }
}

fn fields(ticket: &Ticket<'_>) -> BTreeMap<String, String> {
    let own = [
        ("brand_id", &ticket.brand_id),
        ("form_id", &ticket.form_id),
        ("custom_status", &ticket.custom_status),
    ];
    let own = own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), owned(value)?)));
    let custom = ticket
        .custom_fields
        .iter()
        .flatten()
        .filter_map(|field| Some((field.id.as_deref()?.to_owned(), lenient::field(field.value?)?)));
    own.chain(custom).collect()
}

/// Whether the event is the echo of a write-back of ours. Only what a write-back does counts: our API user may
/// also be used by other integrations, whose tickets and comments are events like any other.
fn is_own(what: &str, ticket: &Ticket<'_>, change: &Change<'_>, own: Own<'_>) -> bool {
    let by_us = own.user_id.is_some() && ticket.actor_id.as_deref() == own.user_id;
    match what {
        "tags_changed" => {
            let delta = || {
                let nested =
                    [&change.added, &change.removed].into_iter().flatten().flat_map(|list| &list.tags);
                nested.chain(&change.tags_added).chain(&change.tags_removed)
            };
            let only_ours = delta().next().is_some() && delta().all(|tag| tag.starts_with(own.tag_prefix));
            // Without a delta only the actor can tell.
            only_ours || (by_us && delta().next().is_none())
        }
        "priority_changed" => by_us,
        "comment_added" => change.comment.as_ref().is_some_and(|comment| {
            comment.is_public == Some(false) && comment.body.as_deref().is_some_and(note::is_ours)
        }),
        _ => false,
    }
}

fn ticket_id(envelope: &Envelope<'_>, ticket: &Ticket<'_>) -> Result<String, DecodeError> {
    let of_subject = || envelope.subject.as_deref()?.strip_prefix("zen:ticket:");
    let id = ticket.id.as_deref().or_else(of_subject).filter(|id| is_id(id));
    id.map(str::to_owned).ok_or(DecodeError::BadShape("it names no ticket"))
}

/// Ids become parts of keys and URLs: only what can't be mistaken for a separator there.
pub(super) fn is_id(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    !id.is_empty() && id.len() <= MAX_ID_BYTES && id.bytes().all(plain)
}

fn status(text: Option<&str>) -> TicketStatus {
    const NAMES: [(&str, TicketStatus); 6] = [
        ("new", TicketStatus::New),
        ("open", TicketStatus::Open),
        ("pending", TicketStatus::Pending),
        ("hold", TicketStatus::Hold),
        ("solved", TicketStatus::Solved),
        ("closed", TicketStatus::Closed),
    ];
    named(&NAMES, text).unwrap_or(TicketStatus::Unknown)
}

pub(super) fn priority(text: Option<&str>) -> Option<Priority> {
    const NAMES: [(&str, Priority); 4] = [
        ("low", Priority::Low),
        ("normal", Priority::Normal),
        ("high", Priority::High),
        ("urgent", Priority::Urgent),
    ];
    named(&NAMES, text)
}

fn named<T: Copy>(names: &[(&str, T)], text: Option<&str>) -> Option<T> {
    let text = text?;
    names.iter().find(|(name, _)| text.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
}

#[cfg(test)]
#[path = "map_tests.rs"]
mod tests;
