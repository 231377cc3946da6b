//! What every request of the API passes: address and caller are counted, the caller is known, the table is asked, a
//! repeated request gets its first answer, and the audit trail has a record before anything is answered.

use crate::App;
use crate::audit::Note;
use crate::http::error::ApiError;
use crate::http::idempotency::{Idempotency, MAX_ANSWER, Verdict};
use crate::http::request::Origin;
use crate::identity::caller::Caller;
use crate::routes::{self, Access, Route};
use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus::{IntCounterVec, register_int_counter_vec};
use std::sync::LazyLock;

static REQUESTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "deskstream_console_requests_total",
        "Requests of the console's API, by route and class of answer (2xx …)",
        &["method", "route", "class"]
    )
    .expect("a metric is registered once, under a valid name")
});

/// The guard; a `route_layer`, so that the matched path is known.
pub async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let from =
        Origin::of(request.headers(), request.extensions(), app.process.config.http.trust_forwarded_for);
    let method = request.method().clone();
    let path =
        request.extensions().get::<MatchedPath>().map_or_else(String::new, |path| path.as_str().to_owned());
    // Fails closed: a handler that was added without a line in the table can't be called.
    let Some(route) = routes::find(method.as_str(), &path) else {
        let known = routes::ROUTES.iter().any(|route| route.path == path);
        return if known { ApiError::NoMethod } else { ApiError::NoRoute }.into_response();
    };
    let note = Note::default();
    request.extensions_mut().insert(from.clone());
    request.extensions_mut().insert(note.clone());
    let caller = identify(&app, route, &request, &from);
    let (caller, response) = match caller {
        Err(error) => (None, error.into_response()),
        Ok(caller) => {
            let refused = caller.as_ref().and_then(|caller| refuse(route, caller));
            if let Some(caller) = &caller {
                request.extensions_mut().insert(caller.clone());
            }
            let response = match refused {
                Some(error) => error.into_response(),
                None => serve(&app, caller.as_ref(), request, next).await,
            };
            (caller, response)
        }
    };
    let status = response.status();
    REQUESTS.with_label_values(&[method.as_str(), route.path, class(status)]).inc();
    if let Some(action) = route.action {
        // Who only floods is counted, not recorded: else anybody could fill the audit trail.
        if caller.is_none() && status == StatusCode::TOO_MANY_REQUESTS {
            return response;
        }
        let record = note.record(action, route.path, caller.as_ref(), &from, status);
        if let Err(error) = app.audit.send(&record.tenant, &record).await {
            return ApiError::from(error).into_response();
        }
    }
    response
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

/// The caller of a route that is not public. Whoever has no valid token is counted by address.
fn identify(app: &App, route: &Route, request: &Request, from: &Origin) -> Result<Option<Caller>, ApiError> {
    if route.access == Access::Public {
        app.anonymous.take(&from.neighbourhood())?;
        return Ok(None);
    }
    match Caller::of(&app.process, request.headers()) {
        Ok(caller) => {
            app.callers.take(&caller.id)?;
            Ok(Some(caller))
        }
        Err(error) => {
            app.anonymous.take(&from.neighbourhood())?;
            Err(error)
        }
    }
}

fn refuse(route: &Route, caller: &Caller) -> Option<ApiError> {
    match route.access {
        Access::Needs(permission) if !caller.may(permission) => Some(ApiError::Forbidden(permission.name())),
        _ => None,
    }
}

/// Forgets a claim whose request came to no end.
struct Claim<'a>(&'a Idempotency, Option<String>);

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if let Some(key) = &self.1 {
            self.0.failed(key);
        }
    }
}

async fn serve(app: &App, caller: Option<&Caller>, request: Request, next: Next) -> Response {
    let key = match caller.filter(|_| request.method() == Method::POST) {
        Some(caller) => Idempotency::key(&caller.id, request.headers()),
        None => Ok(None),
    };
    match key {
        Ok(None) => next.run(request).await,
        Ok(Some(key)) => once(app, key, request, next).await.unwrap_or_else(IntoResponse::into_response),
        Err(error) => error.into_response(),
    }
}

async fn once(app: &App, key: String, request: Request, next: Next) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let body =
        to_bytes(body, app.process.config.console.max_body.0).await.map_err(|_| ApiError::Unreadable {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            detail: "the body is too large, or did not come to its end".to_owned(),
        })?;
    let fingerprint = Idempotency::fingerprint(parts.method.as_str(), parts.uri.path(), &body);
    if let Verdict::Repeat(response) = app.idempotency.claim(&key, fingerprint)? {
        return Ok(response);
    }
    let mut claim = Claim(&app.idempotency, Some(key.clone()));
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    if !response.status().is_success() {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, MAX_ANSWER).await.map_err(|_| ApiError::Internal)?;
    let response = Response::from_parts(parts, Body::from(body.clone()));
    app.idempotency.done(key, fingerprint, &response, body);
    claim.1 = None;
    Ok(response)
}
