//! Listing, viewing and updating tickets.

use super::count;
use super::model::{Shown, Ticket};
use super::server::{ApiError, Parameters, Shared, link, paging};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::cmp::Reverse;
use std::sync::Arc;

const MOST_TAG_CHARS: usize = 32;

/// Without `updated_since` only tickets of the last 30 days are listed.
const LISTED_S: i64 = 30 * 86_400;

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<Parameters>,
) -> Result<Response, ApiError> {
    let (page, size) = paging(&query, shared.options.most_pages)?;
    let shown = included(&query, &["stats", "requester", "description"])?;
    let since = match query.get("updated_since") {
        None => None,
        Some(text) => Some(text.parse::<Timestamp>().map(Timestamp::as_second).map_err(|_| {
            ApiError::invalid(
                "updated_since",
                "Value set is of type String.It should be a valid DateTime",
                "datatype_mismatch",
            )
        })?),
    };
    let order = query.get("order_by").map_or("created_at", String::as_str);
    if !["created_at", "due_by", "updated_at", "status"].contains(&order) {
        let message = "It should be one of these values: 'created_at,due_by,updated_at,status'";
        return Err(ApiError::invalid("order_by", message, "invalid_value"));
    }
    let ascending = match query.get("order_type").map(String::as_str) {
        None | Some("desc") => false,
        Some("asc") => true,
        Some(_) => {
            let message = "It should be one of these values: 'asc,desc'";
            return Err(ApiError::invalid("order_type", message, "invalid_value"));
        }
    };
    let account = shared.account.lock();
    let from = shared.now() - LISTED_S;
    let mut found: Vec<&Ticket> = account
        .tickets
        .values()
        .filter(|ticket| !ticket.spam && !ticket.deleted)
        .filter(|ticket| since.map_or(ticket.created_at >= from, |since| ticket.updated_at >= since))
        .collect();
    let key = |ticket: &Ticket| match order {
        "updated_at" => ticket.updated_at,
        "status" => i64::try_from(ticket.status).unwrap_or(i64::MAX),
        _ => ticket.created_at,
    };
    // The order among equals is not documented: here it is by falling id, which a client must not rely on.
    if ascending {
        found.sort_by_key(|ticket| (key(ticket), Reverse(ticket.id)));
    } else {
        found.sort_by_key(|ticket| (Reverse(key(ticket)), Reverse(ticket.id)));
    }
    let more = found.len() > page * size;
    let listed: Vec<Value> =
        found.into_iter().skip((page - 1) * size).take(size).map(|ticket| ticket.json(shown)).collect();
    drop(account);
    count(&shared.counters.lists);
    let headers = if more { link(shared.base(), "/api/v2/tickets", &query, page) } else { HeaderMap::new() };
    Ok((headers, Json(listed)).into_response())
}

pub(super) async fn view(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    Query(query): Query<Parameters>,
) -> Result<Json<Value>, ApiError> {
    let shown = included(&query, &["conversations", "requester", "company", "stats"])?;
    count(&shared.counters.views);
    let account = shared.account.lock();
    let ticket = id.parse().ok().and_then(|id: u64| account.tickets.get(&id)).ok_or(ApiError::NotFound)?;
    Ok(Json(ticket.json(Shown { description: true, ..shown })))
}

pub(super) async fn update(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let fields: Map<String, Value> = serde_json::from_slice(&body).map_err(|_| ApiError::NotJson)?;
    let now = shared.now();
    let mut account = shared.account.lock();
    let held = id.parse().ok().and_then(|id: u64| account.tickets.get_mut(&id)).ok_or(ApiError::NotFound)?;
    if held.deleted {
        return Err(ApiError::Deleted);
    }
    // All or nothing.
    let mut changed = held.clone();
    for (name, value) in &fields {
        apply(&mut changed, name, value)?;
    }
    changed.updated_at = now;
    let shown = changed.json(Shown { description: true, ..Shown::default() });
    *held = changed;
    drop(account);
    count(&shared.counters.updates);
    Ok(Json(shown))
}

fn apply(ticket: &mut Ticket, name: &str, value: &Value) -> Result<(), ApiError> {
    let mismatch = || ApiError::invalid(name, "Value set is of another type", "datatype_mismatch");
    match name {
        "tags" => {
            let tags = value.as_array().ok_or_else(mismatch)?;
            let tags: Option<Vec<String>> = tags.iter().map(|tag| tag.as_str().map(str::to_owned)).collect();
            let tags = tags.ok_or_else(mismatch)?;
            if tags.iter().any(|tag| tag.chars().count() > MOST_TAG_CHARS || tag.contains(',')) {
                return Err(ApiError::invalid(name, "It should only contain valid tags", "invalid_value"));
            }
            ticket.tags = tags;
        }
        "priority" => {
            let priority = value.as_u64().ok_or_else(mismatch)?;
            if !(1..=4).contains(&priority) {
                let message = "It should be one of these values: '1,2,3,4'";
                return Err(ApiError::invalid(name, message, "invalid_value"));
            }
            ticket.priority = priority;
        }
        "status" => ticket.status = value.as_u64().filter(|status| *status >= 2).ok_or_else(mismatch)?,
        "subject" => value.as_str().ok_or_else(mismatch)?.clone_into(&mut ticket.subject),
        "description" => value.as_str().ok_or_else(mismatch)?.clone_into(&mut ticket.description),
        "type" => ticket.kind = value.as_str().map(str::to_owned),
        "custom_fields" => {
            let fields = value.as_object().ok_or_else(mismatch)?.clone();
            ticket.custom_fields.extend(fields);
        }
        _ => return Err(ApiError::invalid(name, "Unexpected/invalid field in request", "invalid_field")),
    }
    Ok(())
}

fn included(query: &Parameters, known: &[&str]) -> Result<Shown, ApiError> {
    let mut shown = Shown::default();
    for part in query.get("include").iter().flat_map(|include| include.split(',')) {
        if !known.contains(&part) {
            let message = format!("It should be one of these values: '{}'", known.join(","));
            return Err(ApiError::invalid("include", &message, "invalid_value"));
        }
        match part {
            "description" => shown.description = true,
            "requester" => shown.requester = true,
            "stats" => shown.stats = true,
            "conversations" => shown.conversations = true,
            _ => {}
        }
    }
    Ok(shown)
}
