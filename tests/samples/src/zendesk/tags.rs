//! Tags API of a ticket: POST sets, PUT adds, DELETE removes.

use super::changes::{TagEdit, TicketUpdate};
use super::server::{ApiError, Caller, Shared, read_id, read_json};
use super::tickets::{read_stamp, strings};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

type App = State<Arc<Shared>>;

pub(super) async fn list(State(shared): App, Path(id): Path<String>) -> Result<Response, ApiError> {
    Ok(Json(present(&shared, read_id(&id)?)?).into_response())
}

fn present(shared: &Shared, id: u64) -> Result<Value, ApiError> {
    let account = shared.account.lock();
    let ticket = account.tickets.get(&id).ok_or(ApiError::NotFound)?;
    Ok(json!({"tags": ticket.tags}))
}

pub(super) async fn set(
    State(shared): App,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let tags = edit(&shared, caller, &id, &body, TagEdit::Set)?;
    Ok((StatusCode::CREATED, Json(tags)).into_response())
}

pub(super) async fn add(
    State(shared): App,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, ApiError> {
    Ok(Json(edit(&shared, caller, &id, &body, TagEdit::Add)?).into_response())
}

pub(super) async fn remove(
    State(shared): App,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, ApiError> {
    edit(&shared, caller, &id, &body, TagEdit::Remove)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn edit(
    shared: &Shared,
    caller: Caller,
    id: &str,
    body: &[u8],
    kind: fn(Vec<String>) -> TagEdit,
) -> Result<Value, ApiError> {
    let id = read_id(id)?;
    let body = read_json(body)?;
    let tags = strings(body.get("tags"))?
        .ok_or(ApiError::BadParameter { name: "tags", expected: "an array of strings" })?;
    let update = TicketUpdate { tags: vec![kind(tags)], ..TicketUpdate::default() };
    super::api_update(shared, id, update, read_stamp(&body)?, caller.0)?;
    present(shared, id)
}
