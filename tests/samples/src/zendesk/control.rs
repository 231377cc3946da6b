//! `/__control`: the handle's methods for other processes.
//!
//! | request | effect |
//! | --- | --- |
//! | `GET stats` | counts ([`Stats`](super::Stats)) |
//! | `GET`, `POST`, `DELETE faults` | the script; POST adds a [`Rule`](crate::faults::Rule) |
//! | `POST tickets` | creates a [`NewTicket`], answers `{"id": …}` |
//! | `GET tickets/{id}` | ticket, comments and audits |
//! | `POST tickets/{id}/agent_edit` | an [`AgentEdit`] |
//! | `POST tickets/{id}/comment` | `{"body": …}` by the requester |
//! | `POST clock` | `{"advance_seconds": …}`, `{"hold": "2026-…Z"}` or `{"run": true}` |
//! | `POST sender` | [`SenderOptions`] |
//! | `POST limits` | [`Limits`] |
//! | `POST traffic` | [`Traffic`] |
//! | `POST incident` | an [`Incident`] |
//! | `GET planted` | `[{"ticket": …, "kind": …, "value": …}]` |

use super::changes::{AgentEdit, NewTicket};
use super::limits::Limits;
use super::sender::SenderOptions;
use super::server::{ApiError, Shared};
use super::traffic::{self, Incident, Traffic};
use super::{Channel, agent_edit, create_ticket, stats};
use crate::clock::Clock;
use crate::control::common_routes;
use crate::faults::Script;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

type App = State<Arc<Shared>>;

pub(super) fn routes(script: Script, clock: Clock) -> Router<Arc<Shared>> {
    common_routes(script, clock)
        .route("/__control/stats", get(async |State(shared): App| Json(stats(&shared))))
        .route("/__control/tickets", post(create))
        .route("/__control/tickets/{id}", get(ticket))
        .route("/__control/tickets/{id}/agent_edit", post(edit))
        .route("/__control/tickets/{id}/comment", post(comment))
        .route("/__control/sender", post(sender))
        .route("/__control/limits", post(limits))
        .route("/__control/traffic", post(set_traffic))
        .route("/__control/incident", post(incident))
        .route("/__control/planted", get(planted))
}

async fn create(State(shared): App, Json(new): Json<NewTicket>) -> Json<Value> {
    Json(json!({"id": create_ticket(&shared, new, Channel::Email, None)}))
}

async fn ticket(State(shared): App, Path(id): Path<u64>) -> Result<Json<Value>, ApiError> {
    let account = shared.account.lock();
    let ticket = account.tickets.get(&id).ok_or(ApiError::NotFound)?;
    let comments: Vec<Value> = ticket.comments.iter().map(super::Comment::rest).collect();
    let audits: Vec<Value> = ticket.audits.iter().map(|audit| ticket.audit_rest(audit)).collect();
    Ok(Json(json!({"ticket": ticket.rest(shared.base()), "comments": comments, "audits": audits})))
}

async fn edit(
    State(shared): App,
    Path(id): Path<u64>,
    Json(edit): Json<AgentEdit>,
) -> Result<StatusCode, ApiError> {
    if agent_edit(&shared, id, &edit) { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::NotFound) }
}

#[derive(Deserialize)]
struct CommentRequest {
    body: String,
}

async fn comment(
    State(shared): App,
    Path(id): Path<u64>,
    Json(request): Json<CommentRequest>,
) -> Result<StatusCode, ApiError> {
    let done = traffic::requester_comment(&shared, id, request.body);
    if done { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::NotFound) }
}

async fn sender(State(shared): App, Json(options): Json<SenderOptions>) -> StatusCode {
    *shared.sender.lock() = options;
    StatusCode::NO_CONTENT
}

async fn limits(State(shared): App, Json(limits): Json<Limits>) -> StatusCode {
    *shared.limits.lock() = limits;
    StatusCode::NO_CONTENT
}

async fn set_traffic(State(shared): App, Json(traffic): Json<Traffic>) -> StatusCode {
    shared.traffic.send_replace(traffic);
    StatusCode::NO_CONTENT
}

async fn incident(State(shared): App, Json(incident): Json<Incident>) -> StatusCode {
    shared.tasks.spawn(traffic::incident(Arc::clone(&shared), incident));
    StatusCode::ACCEPTED
}

async fn planted(State(shared): App) -> Json<Vec<Value>> {
    let account = shared.account.lock();
    let value = |(ticket, planted): &(u64, crate::tickets::Planted)| json!({"ticket": ticket, "kind": planted.kind, "value": planted.value});
    Json(account.planted.iter().map(value).collect())
}
