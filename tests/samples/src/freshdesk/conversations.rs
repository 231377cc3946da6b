//! Notes, replies, and listing both.

use super::count;
use super::model::NewConversation;
use super::server::{ApiError, Parameters, Shared, link, paging};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};
use std::sync::Arc;

type Added = Result<(StatusCode, Json<Value>), ApiError>;

pub(super) async fn note(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Bytes) -> Added {
    let fields = read(&body, &["body", "private", "incoming", "notify_emails", "user_id", "attachments"])?;
    let is = |name: &str, default: bool| fields.get(name).map_or(Some(default), Value::as_bool);
    let mismatch = || ApiError::invalid("private", "It should be a/an Boolean", "datatype_mismatch");
    let new = NewConversation {
        body: text(&fields)?,
        private: is("private", true).ok_or_else(mismatch)?,
        incoming: is("incoming", false).ok_or_else(mismatch)?,
        source: 2,
    };
    add(&shared, &id, new)
}

pub(super) async fn reply(State(shared): State<Arc<Shared>>, Path(id): Path<String>, body: Bytes) -> Added {
    let fields = read(&body, &["body", "from_email", "user_id", "cc_emails", "bcc_emails", "attachments"])?;
    add(&shared, &id, NewConversation { body: text(&fields)?, private: false, incoming: false, source: 0 })
}

fn add(shared: &Shared, id: &str, new: NewConversation) -> Added {
    let private = new.private;
    let now = shared.now();
    let mut account = shared.account.lock();
    let id = id.parse().map_err(|_| ApiError::NotFound)?;
    if account.tickets.get(&id).is_some_and(|ticket| ticket.deleted) {
        return Err(ApiError::Deleted);
    }
    let shown = account.add(id, new, now).ok_or(ApiError::NotFound)?;
    count(if private { &shared.counters.notes } else { &shared.counters.replies });
    Ok((StatusCode::CREATED, Json(shown)))
}

fn read(body: &[u8], known: &[&str]) -> Result<Map<String, Value>, ApiError> {
    let fields: Map<String, Value> = serde_json::from_slice(body).map_err(|_| ApiError::NotJson)?;
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(ApiError::invalid(name, "Unexpected/invalid field in request", "invalid_field")),
        None => Ok(fields),
    }
}

fn text(fields: &Map<String, Value>) -> Result<String, ApiError> {
    let body = fields.get("body").and_then(Value::as_str).filter(|body| !body.is_empty());
    body.map(str::to_owned)
        .ok_or_else(|| ApiError::invalid("body", "It should be a/an String", "missing_field"))
}

/// The oldest first.
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    Query(query): Query<Parameters>,
) -> Result<Response, ApiError> {
    let (page, size) = paging(&query, shared.options.most_pages)?;
    let account = shared.account.lock();
    let ticket = id.parse().ok().and_then(|id: u64| account.tickets.get(&id)).ok_or(ApiError::NotFound)?;
    let more = ticket.conversations.len() > page * size;
    let entries = ticket.conversations.iter().skip((page - 1) * size).take(size);
    let listed: Vec<Value> = entries.map(|entry| entry.json(ticket.id)).collect();
    drop(account);
    let path = format!("/api/v2/tickets/{id}/conversations");
    let headers = if more { link(shared.base(), &path, &query, page) } else { HeaderMap::new() };
    Ok((headers, Json(listed)).into_response())
}
