//! Routes, credentials, limits and error bodies.

use super::limits::{Endpoint, Limiter};
use super::model::{API_AGENT, Account};
use super::{Counters, Options, conversations, count, search, tickets};
use crate::control;
use crate::faults::{self, Injector, Script};
use axum::extract::{Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// What all handlers share.
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) script: Script,
    pub(super) account: Mutex<Account>,
    pub(super) limiter: Limiter,
    pub(super) counters: Counters,
    pub(super) base: OnceLock<String>,
}

impl Shared {
    pub(super) fn now(&self) -> i64 {
        self.options.clock.second()
    }

    pub(super) fn base(&self) -> &str {
        self.base.get().map_or("", String::as_str)
    }
}

pub(super) type Parameters = BTreeMap<String, String>;

pub(super) fn router(shared: &Arc<Shared>) -> Router {
    let edit: faults::EditHook = {
        let shared = Arc::clone(shared);
        Arc::new(move |path, edit| {
            let rest = path.strip_prefix("/api/v2/tickets/");
            if let Some(ticket) = rest.and_then(|rest| rest.split('/').next()?.parse().ok()) {
                super::agent_edit(&shared, ticket, edit);
            }
        })
    };
    let api = Router::new()
        .route("/tickets", get(tickets::list))
        .route("/tickets/{id}", get(tickets::view).put(tickets::update))
        .route("/tickets/{id}/notes", post(conversations::note))
        .route("/tickets/{id}/reply", post(conversations::reply))
        .route("/tickets/{id}/conversations", get(conversations::list))
        .route("/agents/me", get(me))
        .route("/search/tickets", get(search::search))
        .method_not_allowed_fallback(async || StatusCode::METHOD_NOT_ALLOWED)
        .route_layer(middleware::from_fn_with_state(Arc::clone(shared), admit));
    let injector = Injector { script: shared.script.clone(), edit };
    Router::new()
        .nest("/api/v2", api)
        .merge(control::common_routes(shared.script.clone(), shared.options.clock.clone()))
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(middleware::from_fn_with_state(injector, faults::layer))
        .with_state(Arc::clone(shared))
}

async fn me() -> Json<Value> {
    Json(json!({
        "available": false, "occasional": false, "id": API_AGENT, "ticket_scope": 1, "type": "support_agent",
        "created_at": "2026-01-05T09:00:00Z", "updated_at": "2026-01-05T09:00:00Z",
        "contact": {"active": true, "email": "bot@support.example", "name": "Deskstream", "language": "en"},
    }))
}

/// Credentials first, then the limits, as invalid requests count as well.
async fn admit(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<Parameters>,
    request: Request,
    next: Next,
) -> Response {
    count(&shared.counters.requests);
    if !credentials_fit(&shared.options.api_key, request.headers()) {
        count(&shared.counters.unauthorized);
        return ApiError::Unauthorized.into_response();
    }
    let path = request.uri().path().trim_start_matches("/api/v2");
    let segments = path.split('/').count();
    let endpoint = match (request.method(), segments) {
        (&Method::GET, 2) => Endpoint::List,
        (&Method::PUT, 3) => Endpoint::Update,
        _ => Endpoint::Other,
    };
    // "Each include costs two more credits" is said of the list; it is taken for the view, too.
    let includes = query.get("include").map_or(0, |include| include.split(',').count());
    let credits = 1 + 2 * u32::try_from(includes).unwrap_or(u32::MAX / 4);
    let verdict = shared.limiter.admit(shared.options.limits, endpoint, credits, shared.now());
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

/// The key is the user name; the password may be anything.
fn credentials_fit(key: &str, headers: &HeaderMap) -> bool {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let decoded = value
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(|encoded| String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok());
    decoded.is_some_and(|pair| pair.split_once(':').is_some_and(|(user, _)| user == key))
}

/// Error answers.
#[derive(Debug)]
pub(super) enum ApiError {
    Unauthorized,
    /// Without a body, as documented.
    NotFound,
    /// The ticket is in the trash.
    Deleted,
    Invalid {
        field: String,
        message: String,
        code: &'static str,
    },
    NotJson,
    TooManyRequests(i64),
}

impl ApiError {
    pub(super) fn invalid(field: &str, message: &str, code: &'static str) -> Self {
        Self::Invalid { field: field.to_owned(), message: message.to_owned(), code }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND.into_response(),
            Self::Deleted => StatusCode::METHOD_NOT_ALLOWED.into_response(),
            Self::Unauthorized => (
                StatusCode::UNAUTHORIZED,
                Json(json!({
                    "code": "invalid_credentials",
                    "message": "You have to be logged in to perform this action.",
                })),
            )
                .into_response(),
            Self::Invalid { field, message, code } => (
                StatusCode::BAD_REQUEST,
                Json(json!({
                    "description": "Validation failed",
                    "errors": [{"field": field, "message": message, "code": code}],
                })),
            )
                .into_response(),
            Self::NotJson => (
                StatusCode::BAD_REQUEST,
                Json(json!({"code": "invalid_json", "message": "Request body has invalid json format"})),
            )
                .into_response(),
            Self::TooManyRequests(seconds) => (
                StatusCode::TOO_MANY_REQUESTS,
                [(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)))],
                Json(json!({"message": "You have exceeded the limit of requests per minute"})),
            )
                .into_response(),
        }
    }
}

/// Page number and size, from 1 and 30 if absent; a larger page than 100 is an error.
pub(super) fn paging(query: &Parameters, most_pages: usize) -> Result<(usize, usize), ApiError> {
    let number = |name: &str, default: usize, most: usize| match query.get(name) {
        None => Ok(default),
        Some(text) => text.parse().ok().filter(|number| (1..=most).contains(number)).ok_or_else(|| {
            ApiError::invalid(name, "It should be a positive integer within the limit", "invalid_value")
        }),
    };
    Ok((number("page", 1, most_pages)?, number("per_page", 30, 100)?))
}

/// The `link` header that names the next page.
pub(super) fn link(base: &str, path: &str, query: &Parameters, page: usize) -> HeaderMap {
    let mut next = url::form_urlencoded::Serializer::new(String::new());
    next.extend_pairs(query.iter().filter(|(name, _)| *name != "page"));
    next.append_pair("page", &(page + 1).to_string());
    let value = format!("<{base}{path}?{}>; rel=\"next\"", next.finish());
    HeaderValue::try_from(value)
        .map(|value| HeaderMap::from_iter([(header::LINK, value)]))
        .unwrap_or_default()
}
