//! Routes, credentials, version, limit and error bodies.

use super::limits::Limiter;
use super::model::{ADMIN, Workspace};
use super::{Counters, Options, actions, count};
use crate::control;
use crate::faults::{self, Injector, Script};
use axum::extract::{Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use http::{HeaderMap, StatusCode, header};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::Arc;

/// Versions of the API that are still answered.
const VERSIONS: [&str; 5] = ["2.10", "2.11", "2.12", "2.13", "2.14"];

/// What all handlers share.
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) script: Script,
    pub(super) workspace: Mutex<Workspace>,
    pub(super) limiter: Limiter,
    pub(super) counters: Counters,
}

impl Shared {
    pub(super) fn now(&self) -> i64 {
        self.options.clock.second()
    }
}

pub(super) fn router(shared: &Arc<Shared>) -> Router {
    let edit: faults::EditHook = {
        let shared = Arc::clone(shared);
        Arc::new(move |path, edit| {
            let rest = path.strip_prefix("/conversations/");
            if let Some(id) = rest.and_then(|rest| rest.split('/').next()?.parse().ok()) {
                super::agent_edit(&shared, id, edit);
            }
        })
    };
    let api = Router::new()
        .route("/me", get(me))
        .route("/conversations", get(actions::list))
        .route("/conversations/search", post(actions::search))
        .route("/conversations/{id}", get(actions::view).put(actions::update))
        .route("/conversations/{id}/reply", post(actions::reply))
        .route("/conversations/{id}/tags", post(actions::attach))
        .route("/conversations/{id}/tags/{tag}", delete(actions::detach))
        .route("/tags", get(actions::tags).post(actions::tag))
        .route("/contacts/{id}", get(contact))
        .method_not_allowed_fallback(async || StatusCode::METHOD_NOT_ALLOWED)
        .route_layer(middleware::from_fn_with_state(Arc::clone(shared), admit));
    let injector = Injector { script: shared.script.clone(), edit };
    api.merge(control::common_routes(shared.script.clone(), shared.options.clock.clone()))
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(middleware::from_fn_with_state(injector, faults::layer))
        .with_state(Arc::clone(shared))
}

async fn me() -> Json<Value> {
    Json(json!({
        "type": "admin", "id": ADMIN.to_string(), "name": "Deskstream", "email": "bot@support.example",
        "email_verified": true, "away_mode_enabled": false, "away_mode_reassign": false,
        "has_inbox_seat": true, "team_ids": [],
    }))
}

async fn contact(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let found = shared.workspace.lock().contact_json(&id);
    found.map(Json).ok_or(ApiError::NotFound("User Not Found"))
}

async fn admit(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    count(&shared.counters.requests);
    let (headers, refused) = shared.limiter.admit(shared.options.per_window, shared.now());
    let mut response = if !credentials_fit(&shared.options.access_token, request.headers()) {
        count(&shared.counters.unauthorized);
        ApiError::Unauthorized.into_response()
    } else if !version_fits(request.headers()) {
        ApiError::bad("intercom_version_invalid", "The requested version could not be found").into_response()
    } else if refused {
        count(&shared.counters.rate_limited);
        ApiError::TooManyRequests.into_response()
    } else {
        next.run(request).await
    };
    response.headers_mut().extend(headers);
    response
}

fn credentials_fit(token: &str, headers: &HeaderMap) -> bool {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    value.and_then(|value| value.strip_prefix("Bearer ")) == Some(token)
}

fn version_fits(headers: &HeaderMap) -> bool {
    let value = headers.get("intercom-version").and_then(|value| value.to_str().ok());
    value.is_some_and(|version| VERSIONS.contains(&version))
}

/// Error answers.
#[derive(Debug)]
pub(super) enum ApiError {
    Unauthorized,
    NotFound(&'static str),
    Bad { code: &'static str, message: String },
    TooManyRequests,
}

impl ApiError {
    pub(super) fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::Bad { code, message: message.into() }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code, message) = match self {
            Self::Unauthorized => {
                (StatusCode::UNAUTHORIZED, "unauthorized", "Access Token Invalid".to_owned())
            }
            Self::NotFound(message) => (StatusCode::NOT_FOUND, "not_found", message.to_owned()),
            Self::Bad { code, message } => (StatusCode::BAD_REQUEST, code, message),
            Self::TooManyRequests => {
                (StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", "Exceeded rate limit".to_owned())
            }
        };
        let body = json!({
            "type": "error.list", "request_id": uuid::Uuid::new_v4(),
            "errors": [{"code": code, "message": message}],
        });
        (status, Json(body)).into_response()
    }
}
