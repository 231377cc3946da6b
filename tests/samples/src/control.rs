//! Control requests that several services share.

use crate::clock::Clock;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// A change of a service's clock.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ClockRequest {
    advance_seconds: u64,
    hold: Option<Timestamp>,
    run: bool,
}

/// Applies it and answers with the time it then is.
pub(crate) fn set_clock(clock: &Clock, request: &ClockRequest) -> Value {
    if let Some(at) = request.hold {
        clock.hold(at);
    }
    if request.run {
        clock.run();
    }
    clock.advance(Duration::from_secs(request.advance_seconds));
    json!({"now": clock.now().to_string()})
}
