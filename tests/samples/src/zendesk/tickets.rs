//! Tickets API: show, create, update, delete, comments, audits.

use super::changes::{NewComment, NewTicket, TagEdit, TicketUpdate};
use super::model::{Channel, Priority, Status, TicketType};
use super::paging::{self, Query};
use super::server::{ApiError, Caller, Shared, read_id, read_json};
use super::stats::count;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, Query as QueryString, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

type App = State<Arc<Shared>>;
type Answer = Result<Response, ApiError>;

fn ok(value: Value) -> Answer {
    Ok(Json(value).into_response())
}

pub(super) async fn show(State(shared): App, Path(id): Path<String>) -> Answer {
    let id = read_id(&id)?;
    let account = shared.account.lock();
    let ticket = account.tickets.get(&id).ok_or(ApiError::NotFound)?;
    ok(json!({"ticket": ticket.rest(shared.base())}))
}

pub(super) async fn show_many(State(shared): App, QueryString(query): QueryString<Query>) -> Answer {
    let ids = read_ids(query.get("ids").map_or("", String::as_str))?;
    let account = shared.account.lock();
    let found: Vec<Value> = ids
        .iter()
        .filter_map(|id| account.tickets.get(id))
        .map(|ticket| ticket.rest(shared.base()))
        .collect();
    ok(json!({"count": found.len(), "tickets": found, "next_page": null, "previous_page": null}))
}

/// At most 100 ids, parted by commas.
pub(super) fn read_ids(text: &str) -> Result<Vec<u64>, ApiError> {
    let ids = text
        .split(',')
        .filter(|part| !part.is_empty())
        .map(|part| read_id(part.trim()))
        .collect::<Result<Vec<_>, _>>()?;
    if ids.is_empty() || ids.len() > 100 {
        return Err(ApiError::BadParameter { name: "ids", expected: "1 to 100 ids" });
    }
    Ok(ids)
}

pub(super) async fn list(State(shared): App, QueryString(query): QueryString<Query>) -> Answer {
    let tickets = shared.account.lock().tickets.values().map(|ticket| ticket.rest(shared.base())).collect();
    ok(paging::page("tickets", tickets, &query, &format!("{}/api/v2/tickets.json", shared.base()))?)
}

pub(super) async fn create(State(shared): App, Extension(caller): Extension<Caller>, body: Bytes) -> Answer {
    let body = read_json(&body)?;
    let fields = body.get("ticket").filter(|ticket| ticket.is_object()).ok_or(MISSING_TICKET)?;
    let comment =
        fields.get("comment").and_then(|comment| comment.get("body")).or_else(|| fields.get("description"));
    let Some(text) = comment.and_then(Value::as_str).filter(|text| !text.is_empty()) else {
        return Err(ApiError::Invalid {
            field: "base",
            description: "Description: cannot be blank".to_owned(),
        });
    };
    let requester = fields.get("requester");
    let part = |name: &str| {
        requester.and_then(|requester| requester.get(name)).and_then(Value::as_str).unwrap_or("").to_owned()
    };
    let new = NewTicket {
        subject: fields.get("subject").and_then(Value::as_str).unwrap_or(text).to_owned(),
        body: text.to_owned(),
        requester_name: part("name"),
        requester_email: part("email"),
        priority: choice(fields, "priority", Priority::parse)?,
        status: choice(fields, "status", Status::parse)?,
        kind: choice(fields, "type", TicketType::parse)?,
        tags: strings(fields.get("tags"))?.unwrap_or_default(),
    };
    let id = super::create_ticket(&shared, new, Channel::Api, Some(caller.0));
    let account = shared.account.lock();
    let ticket = account.tickets.get(&id).ok_or(ApiError::NotFound)?;
    let audit = ticket.audits.last().map(|audit| ticket.audit_rest(audit));
    Ok((StatusCode::CREATED, Json(json!({"ticket": ticket.rest(shared.base()), "audit": audit})))
        .into_response())
}

const MISSING_TICKET: ApiError = ApiError::BadParameter { name: "ticket", expected: "an object" };

pub(super) async fn update(
    State(shared): App,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    let id = read_id(&id)?;
    let body = read_json(&body)?;
    let fields = body.get("ticket").filter(|ticket| ticket.is_object()).ok_or(MISSING_TICKET)?;
    let update = read_update(fields)?;
    let stamp = read_stamp(fields)?;
    let audit_id = super::api_update(&shared, id, update, stamp, caller.0)?;
    let account = shared.account.lock();
    let ticket = account.tickets.get(&id).ok_or(ApiError::NotFound)?;
    let audit =
        ticket.audits.last().filter(|audit| audit.id == audit_id).map(|audit| ticket.audit_rest(audit));
    ok(json!({"ticket": ticket.rest(shared.base()), "audit": audit}))
}

/// The stamp of a safe update, in seconds. `safe_update` may be a boolean or, as in one of the vendor's own
/// examples, the string "true"; it needs `updated_stamp` beside it.
pub(super) fn read_stamp(fields: &Value) -> Result<Option<i64>, ApiError> {
    let safe = match fields.get("safe_update") {
        Some(Value::Bool(safe)) => *safe,
        Some(Value::String(text)) => text == "true",
        _ => false,
    };
    if !safe {
        return Ok(None);
    }
    let stamp =
        fields.get("updated_stamp").and_then(Value::as_str).and_then(|text| text.parse::<Timestamp>().ok());
    match stamp {
        Some(stamp) => Ok(Some(stamp.as_second())),
        None => Err(ApiError::BadParameter { name: "updated_stamp", expected: "a date with safe_update" }),
    }
}

/// Reads the writable fields. A null leaves its field alone.
pub(super) fn read_update(fields: &Value) -> Result<TicketUpdate, ApiError> {
    let mut tags = Vec::new();
    if let Some(set) = strings(fields.get("tags"))? {
        tags.push(TagEdit::Set(set));
    }
    Ok(TicketUpdate {
        subject: fields.get("subject").and_then(Value::as_str).map(str::to_owned),
        status: choice(fields, "status", Status::parse)?,
        priority: choice(fields, "priority", Priority::parse)?,
        kind: choice(fields, "type", TicketType::parse)?,
        assignee_id: fields.get("assignee_id").and_then(Value::as_u64),
        external_id: fields.get("external_id").and_then(Value::as_str).map(str::to_owned),
        custom_fields: custom_fields(fields)?,
        tags,
        comment: read_comment(fields.get("comment"))?,
    })
}

/// A list of `{"id": …, "value": …}`.
fn custom_fields(fields: &Value) -> Result<BTreeMap<u64, Value>, ApiError> {
    let list = match fields.get("custom_fields") {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(list) => list.as_array(),
    };
    let wrong = || ApiError::BadParameter { name: "custom_fields", expected: "a list of id and value" };
    let one = |field: &Value| {
        let id = field.get("id").and_then(Value::as_u64).ok_or_else(wrong)?;
        Ok((id, field.get("value").cloned().unwrap_or_default()))
    };
    list.ok_or_else(wrong)?.iter().map(one).collect()
}

fn read_comment(comment: Option<&Value>) -> Result<Option<NewComment>, ApiError> {
    let Some(comment) = comment.filter(|comment| comment.is_object()) else { return Ok(None) };
    let body = ["body", "html_body"].iter().find_map(|key| comment.get(key)).and_then(Value::as_str);
    match body.filter(|body| !body.trim().is_empty()) {
        // A ticket's first comment is public here, and "the initial value persists": a client that leaves
        // `public` out writes to the customer.
        Some(body) => Ok(Some(NewComment {
            body: body.to_owned(),
            public: comment.get("public").and_then(Value::as_bool).unwrap_or(true),
        })),
        None => {
            Err(ApiError::Invalid { field: "comment", description: "Comment: cannot be blank".to_owned() })
        }
    }
}

fn choice<T>(
    fields: &Value,
    field: &'static str,
    parse: fn(&str) -> Option<T>,
) -> Result<Option<T>, ApiError> {
    match fields.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_str().and_then(parse) {
            Some(parsed) => Ok(Some(parsed)),
            None => Err(ApiError::Invalid { field, description: format!("{field}: {value} is not allowed") }),
        },
    }
}

pub(super) fn strings(value: Option<&Value>) -> Result<Option<Vec<String>>, ApiError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        // "a b" is accepted for ["a", "b"].
        Some(Value::String(text)) => Ok(Some(vec![text.clone()])),
        Some(Value::Array(items)) => {
            let texts: Option<Vec<String>> =
                items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
            texts.map(Some).ok_or(ApiError::BadParameter { name: "tags", expected: "strings" })
        }
        Some(_) => Err(ApiError::BadParameter { name: "tags", expected: "an array of strings" }),
    }
}

pub(super) async fn delete(State(shared): App, Path(id): Path<String>) -> Answer {
    let id = read_id(&id)?;
    if shared.account.lock().delete(id) {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(ApiError::NotFound)
    }
}

pub(super) async fn comments(
    State(shared): App,
    Path(id): Path<String>,
    QueryString(query): QueryString<Query>,
) -> Answer {
    let id = read_id(&id)?;
    let mut comments: Vec<Value> = {
        let account = shared.account.lock();
        let ticket = account.tickets.get(&id).ok_or(ApiError::NotFound)?;
        ticket.comments.iter().map(super::model::Comment::rest).collect()
    };
    let newest_first = query.get("sort").is_some_and(|sort| sort == "-created_at")
        || query.get("sort_order").is_some_and(|order| order == "desc");
    if newest_first {
        comments.reverse();
    }
    ok(paging::page(
        "comments",
        comments,
        &query,
        &format!("{}/api/v2/tickets/{id}/comments.json", shared.base()),
    )?)
}

pub(super) async fn audits(
    State(shared): App,
    Path(id): Path<String>,
    QueryString(query): QueryString<Query>,
) -> Answer {
    let id = read_id(&id)?;
    let audits = {
        let account = shared.account.lock();
        let ticket = account.tickets.get(&id).ok_or(ApiError::NotFound)?;
        ticket.audits.iter().map(|audit| ticket.audit_rest(audit)).collect()
    };
    ok(paging::page("audits", audits, &query, &format!("{}/api/v2/tickets/{id}/audits.json", shared.base()))?)
}

pub(super) async fn me(State(shared): App, Extension(caller): Extension<Caller>) -> Answer {
    show_user(&shared, caller.0)
}

pub(super) async fn user(State(shared): App, Path(id): Path<String>) -> Answer {
    show_user(&shared, read_id(&id)?)
}

fn show_user(shared: &Shared, id: u64) -> Answer {
    let account = shared.account.lock();
    let user = account.users.get(&id).ok_or(ApiError::NotFound)?;
    ok(json!({"user": user.rest(shared.base())}))
}

/// Counts what an update through the API did.
pub(super) fn count_write(shared: &Shared, comment: Option<bool>) {
    count(&shared.counters.write_backs);
    match comment {
        Some(true) => count(&shared.counters.public_comments),
        Some(false) => count(&shared.counters.notes),
        None => {}
    }
}
