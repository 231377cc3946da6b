//! Routes, credentials, limits and error bodies.

use super::limits::{Limiter, Limits};
use super::sender::{Outbox, SenderOptions};
use super::state::{API_USER, Account, Refusal};
use super::stats::{Counters, count};
use super::{Options, control, incremental, jobs, search, tags, tickets, webhooks};
use crate::clock::Clock;
use crate::faults::{self, Injector, Script};
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What all handlers share.
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) clock: Clock,
    pub(super) script: Script,
    pub(super) account: Mutex<Account>,
    pub(super) limits: Mutex<Limits>,
    pub(super) limiter: Limiter,
    pub(super) counters: Counters,
    pub(super) outbox: Outbox,
    pub(super) sender: Mutex<SenderOptions>,
    pub(super) traffic: tokio::sync::watch::Sender<super::Traffic>,
    pub(super) client: reqwest::Client,
    pub(super) base: OnceLock<String>,
    /// Ends every task below.
    pub(super) stop: CancellationToken,
    /// Sender, deliveries, traffic, incidents and jobs.
    pub(super) tasks: TaskTracker,
}

impl Shared {
    /// Own address, for the `url` fields of answers.
    pub(super) fn base(&self) -> &str {
        self.base.get().map_or("", String::as_str)
    }
}

/// The user a request's credentials belong to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller(pub(super) u64);

pub(super) fn router(shared: &Arc<Shared>) -> Router {
    let edit: faults::EditHook = {
        let shared = Arc::clone(shared);
        Arc::new(move |path, edit| {
            let ticket =
                path.strip_prefix("/api/v2/tickets/").and_then(|rest| rest.split('/').next()?.parse().ok());
            if let Some(ticket) = ticket {
                super::agent_edit(&shared, ticket, edit);
            }
        })
    };
    let api = Router::new()
        .route("/tickets", get(tickets::list).post(tickets::create))
        .route("/tickets/show_many", get(tickets::show_many))
        .route("/tickets/update_many", put(jobs::update_many))
        .route("/tickets/{id}", get(tickets::show).put(tickets::update).delete(tickets::delete))
        .route("/tickets/{id}/comments", get(tickets::comments))
        .route("/tickets/{id}/audits", get(tickets::audits))
        .route("/tickets/{id}/tags", get(tags::list).post(tags::set).put(tags::add).delete(tags::remove))
        .route("/job_statuses/{id}", get(jobs::show))
        .route("/incremental/tickets/cursor", get(incremental::tickets))
        .route("/search", get(search::search))
        .route("/search/export", get(search::export))
        .route("/users/me", get(tickets::me))
        .route("/users/{id}", get(tickets::user))
        .route("/webhooks", get(webhooks::list).post(webhooks::create))
        .route("/webhooks/test", post(webhooks::test))
        .route(
            "/webhooks/{id}",
            get(webhooks::show).put(webhooks::update).patch(webhooks::update).delete(webhooks::delete),
        )
        .route("/webhooks/{id}/signing_secret", get(webhooks::secret).post(webhooks::rotate_secret))
        .route("/webhooks/{id}/invocations", get(webhooks::invocations))
        .route("/webhooks/{id}/invocations/{invocation}/attempts", get(webhooks::attempts))
        .route_layer(middleware::from_fn_with_state(Arc::clone(shared), limit))
        .route_layer(middleware::from_fn_with_state(Arc::clone(shared), authenticate));
    let injector = Injector { script: shared.script.clone(), edit };
    Router::new()
        .nest("/api/v2", api)
        .merge(control::routes(shared.script.clone(), shared.clock.clone()))
        .fallback(async || ApiError::NoSuchEndpoint)
        .layer(middleware::from_fn_with_state(injector, faults::layer))
        .with_state(Arc::clone(shared))
}

async fn authenticate(State(shared): State<Arc<Shared>>, mut request: Request, next: Next) -> Response {
    count(&shared.counters.requests);
    if !credentials_fit(&shared.options, request.headers()) {
        count(&shared.counters.unauthorized);
        return ApiError::Unauthorized.into_response();
    }
    request.extensions_mut().insert(Caller(API_USER));
    next.run(request).await
}

fn credentials_fit(options: &Options, headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    if let Some(token) = value.strip_prefix("Bearer ") {
        return token == options.bearer_token;
    }
    let Some(encoded) = value.strip_prefix("Basic ") else { return false };
    let decoded = BASE64_STANDARD.decode(encoded).unwrap_or_default();
    // The user part ends at the first colon; an e-mail address has none.
    String::from_utf8(decoded)
        .is_ok_and(|pair| pair == format!("{}/token:{}", options.email, options.api_token))
}

async fn limit(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let limits = shared.limits.lock().clone();
    // Nested routers see the path without their prefix.
    let path = format!("/api/v2{}", request.uri().path().trim_start_matches("/api/v2"));
    let verdict = shared.limiter.admit(&limits, API_USER, request.method(), &path, shared.clock.second());
    let mut response = match verdict.wait {
        None => next.run(request).await,
        Some(seconds) => {
            count(&shared.counters.rate_limited);
            ApiError::TooManyRequests(seconds).into_response()
        }
    };
    response.headers_mut().extend(verdict.headers);
    response
}

/// Error answers, with the bodies documented or recorded for them.
#[derive(Debug)]
pub(super) enum ApiError {
    Unauthorized,
    Forbidden(&'static str),
    NoSuchEndpoint,
    NotFound,
    /// A parameter that cannot be read; `error` is an object in these.
    BadParameter {
        name: &'static str,
        expected: &'static str,
    },
    /// 400 with `error` and `description`.
    Bad {
        error: &'static str,
        description: String,
    },
    /// 422 with the field at fault.
    Invalid {
        field: &'static str,
        description: String,
    },
    Closed,
    Conflict,
    TooManyRequests(i64),
    TooManyJobs,
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSuchTicket => Self::NotFound,
            Refusal::Closed => Self::Closed,
            Refusal::Conflict => Self::Conflict,
        }
    }
}

fn record_invalid(field: &str, description: &str) -> Value {
    json!({
        "error": "RecordInvalid", "description": "Record validation errors",
        "details": {field: [{"description": description}]},
    })
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, body) = match &self {
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, json!({"error": "Couldn't authenticate you"})),
            Self::Forbidden(message) => {
                (StatusCode::FORBIDDEN, json!({"error": {"title": "Forbidden", "message": message}}))
            }
            Self::NoSuchEndpoint => (
                StatusCode::NOT_FOUND,
                json!({"error": {"title": "No help desk at this address", "message": "There is no such endpoint"}}),
            ),
            Self::NotFound => {
                (StatusCode::NOT_FOUND, json!({"error": "RecordNotFound", "description": "Not found"}))
            }
            Self::BadParameter { name, expected } => (
                StatusCode::BAD_REQUEST,
                json!({"error": {
                    "title": "Invalid attribute",
                    "message": format!("You passed an invalid value for the {name} attribute. Invalid parameter: {name} must be {expected}"),
                }}),
            ),
            Self::Bad { error, description } => {
                (StatusCode::BAD_REQUEST, json!({"error": error, "description": description}))
            }
            Self::Invalid { field, description } => {
                (StatusCode::UNPROCESSABLE_ENTITY, record_invalid(field, description))
            }
            Self::Closed => (
                StatusCode::UNPROCESSABLE_ENTITY,
                record_invalid("status", "Status: closed prevents ticket update"),
            ),
            Self::Conflict => (
                StatusCode::CONFLICT,
                json!({
                    "error": "UpdateConflict",
                    "description": "Safe Update prevented the update due to outdated ticket data. \
                                    Please fetch the latest ticket data and try again.",
                }),
            ),
            Self::TooManyRequests(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                json!({"error": "APIRateLimitExceeded", "description": "Number of allowed API requests per minute exceeded"}),
            ),
            Self::TooManyJobs => (
                StatusCode::TOO_MANY_REQUESTS,
                json!({"error": "TooManyJobs", "description": "Too many jobs are currently queued or running. Try again later."}),
            ),
        };
        let mut response = (status, Json(body)).into_response();
        if let Self::TooManyRequests(seconds) = self {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if matches!(self, Self::TooManyJobs) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(5));
        }
        response
    }
}

/// Reads a JSON body into a value; anything else is a 400.
pub(super) fn read_json(body: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(body)
        .map_err(|_| ApiError::BadParameter { name: "body", expected: "a JSON object" })
}

/// Reads a path's id.
pub(super) fn read_id(text: &str) -> Result<u64, ApiError> {
    text.parse().map_err(|_| ApiError::BadParameter { name: "id", expected: "an integer" })
}
