//! `POST /api/chat.postMessage` of a bot, with its token as bearer: 200 with `{"ok": true, "channel": …, "ts": …}`, or with
//! `{"ok": false, "error": code}`, whatever is wrong, but for 429 with `Retry-After`. `thread_ts` has to name a message of
//! the channel that is no answer itself.

use super::{App, HookState, Shared, read};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

/// The channel that the bot is in.
pub const CHANNEL: &str = "C0SAMPLE001";

pub(super) async fn post_message(State(shared): App, headers: HeaderMap, body: Bytes) -> Response {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let refusal = match bearer.strip_prefix("Bearer ") {
        None => Some("not_authed"),
        Some(token) if token != shared.token => Some("invalid_auth"),
        Some(_) => None,
    };
    if let Some(error) = refusal {
        shared.channel.lock().stats.undeliverable += 1;
        return refused(error);
    }
    match post(&shared, &headers, &body) {
        Ok(answer) => Json(answer).into_response(),
        Err(Refusal::Code(error)) => refused(error),
        Err(Refusal::Wait(seconds)) => {
            let wait = [(header::RETRY_AFTER, seconds.to_string())];
            let body = Json(json!({"ok": false, "error": "ratelimited"}));
            (StatusCode::TOO_MANY_REQUESTS, wait, body).into_response()
        }
    }
}

enum Refusal {
    Code(&'static str),
    Wait(u64),
}

fn refused(error: &str) -> Response {
    Json(json!({"ok": false, "error": error})).into_response()
}

fn post(shared: &Shared, headers: &HeaderMap, body: &[u8]) -> Result<Value, Refusal> {
    let mut channel = shared.channel.lock();
    let now = shared.options.clock.now();
    if let Some(per_second) = shared.options.per_second
        && let Some(seconds) = channel.take_token(per_second, shared.options.burst, now.as_millisecond())
    {
        channel.stats.throttled += 1;
        return Err(Refusal::Wait(seconds));
    }
    let payload = match read(headers, body) {
        Ok(payload) => payload,
        Err(error) => {
            channel.stats.invalid += 1;
            return Err(Refusal::Code(error));
        }
    };
    let wrong = match channel.state {
        _ if payload["channel"] != CHANNEL => Some("channel_not_found"),
        HookState::Active => None,
        HookState::Removed => Some("not_in_channel"),
        HookState::Archived => Some("is_archived"),
    };
    if let Some(error) = wrong {
        channel.stats.undeliverable += 1;
        return Err(Refusal::Code(error));
    }
    if let Some(thread) = payload.get("thread_ts").and_then(Value::as_str) {
        let found = channel.messages.iter().find(|message| message.ts.as_deref() == Some(thread));
        match found {
            None => return Err(Refusal::Code("thread_not_found")),
            Some(first) if first.payload.get("thread_ts").is_some() => {
                return Err(Refusal::Code("cannot_reply_to_message"));
            }
            Some(_) => {}
        }
    }
    let number = channel.stats.accepted + 1;
    let ts = format!("{}.{number:06}", now.as_second());
    channel.keep(payload, Some(ts.clone()), now.to_string());
    Ok(json!({"ok": true, "channel": CHANNEL, "ts": ts}))
}
