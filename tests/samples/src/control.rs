//! Control requests that several services share.

use crate::clock::Clock;
use crate::faults::{Rule, Script};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// A change of a service's clock.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ClockRequest {
    advance_seconds: u64,
    hold: Option<Timestamp>,
    run: bool,
}

/// Applies it and answers with the time it then is.
fn set_clock(clock: &Clock, request: &ClockRequest) -> Value {
    if let Some(at) = request.hold {
        clock.hold(at);
    }
    if request.run {
        clock.run();
    }
    clock.advance(Duration::from_secs(request.advance_seconds));
    json!({"now": clock.now().to_string()})
}

/// `/__control/faults` and `/__control/clock`, for any service that has a script and a clock.
pub(crate) fn common_routes<S: Clone + Send + Sync + 'static>(script: Script, clock: Clock) -> Router<S> {
    let (list, add, clear) = (script.clone(), script.clone(), script);
    Router::new()
        .route(
            "/__control/faults",
            get(async move || Json(list.rules()))
                .post(async move |Json(rule): Json<Rule>| {
                    add.add(rule);
                    StatusCode::NO_CONTENT
                })
                .delete(async move || {
                    clear.clear();
                    StatusCode::NO_CONTENT
                }),
        )
        .route(
            "/__control/clock",
            post(async move |Json(request): Json<ClockRequest>| Json(set_clock(&clock, &request))),
        )
}
