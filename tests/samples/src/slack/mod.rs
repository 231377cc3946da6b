//! A sample Slack: an incoming webhook, and the Web API's `chat.postMessage` for a bot (`bot`).
//!
//! `POST` to the webhook's path with JSON (or a form's `payload`) answers `ok` in plain text. Refusals, also
//! in plain text: 400 `invalid_payload`, `no_text`, `invalid_blocks` (a block beyond its documented limits) or
//! `msg_blocks_too_long` (more than about 13,200 characters in all), 404 `no_service`, 410
//! `channel_is_archived`, 429 with `Retry-After` beyond one message per second after a short burst.
//!
//! `GET /__control/messages`, `GET /__control/stats`, `POST /__control/state`, `/__control/faults`,
//! `/__control/clock`.

pub mod bot;

use crate::clock::Clock;
use crate::control::common_routes;
use crate::faults::{self, Injector, Script};
use crate::http_server::Server;
use crate::ids;
use axum::body::Bytes;
use axum::extract::{OriginalUri, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use http::{HeaderMap, StatusCode, header};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

/// Messages kept; the oldest are forgotten first.
const MESSAGES_KEPT: usize = 10_000;

/// How to start a [`Slack`].
#[derive(Debug, Clone)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Messages per second in the long run; unlimited if absent.
    pub per_second: Option<f64>,
    /// Messages that may come at once.
    pub burst: f64,
    /// Time.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self { port: 0, per_second: Some(1.0), burst: 3.0, clock: Clock::default() }
    }
}

/// What has become of the webhook.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookState {
    /// It works.
    #[default]
    Active,
    /// It was removed: 404 `no_service`.
    Removed,
    /// Its channel was archived: 410 `channel_is_archived`.
    Archived,
}

/// A message that was accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// When, RFC 3339.
    pub at: String,
    /// The payload as sent.
    pub payload: Value,
    /// Its id in the channel, where a bot wrote it.
    #[serde(default)]
    pub ts: Option<String>,
    /// Whether it would ring everybody's or somebody's bell: `<!channel>`, `<!here>`, `<!everyone>`, `<@…>`.
    pub pings: bool,
}

/// Counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Messages answered with `ok`.
    pub accepted: u64,
    /// Messages refused with 400.
    pub invalid: u64,
    /// Messages refused with 429.
    pub throttled: u64,
    /// Messages to a removed webhook or an archived channel, or to no webhook at all.
    pub undeliverable: u64,
    /// Accepted messages that ping.
    pub pings: u64,
    /// Requests hit by the fault script.
    pub faults_injected: u64,
}

#[derive(Default)]
struct Channel {
    state: HookState,
    messages: VecDeque<Message>,
    stats: Stats,
    /// Tokens left, and when that was true, in ms.
    tokens: Option<(f64, i64)>,
}

struct Shared {
    options: Options,
    path: String,
    token: String,
    script: Script,
    channel: Mutex<Channel>,
}

impl Shared {
    fn stats(&self) -> Stats {
        Stats { faults_injected: self.script.injected(), ..self.channel.lock().stats.clone() }
    }
}

/// A running sample Slack with one incoming webhook. Dropping it ends it.
pub struct Slack {
    shared: Arc<Shared>,
    server: Server,
}

impl std::fmt::Debug for Slack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slack").field("url", &self.server.url()).finish_non_exhaustive()
    }
}

impl Slack {
    /// Starts the service.
    pub async fn start(options: Options) -> io::Result<Self> {
        let id = |length| ids::hex(length).to_uppercase();
        // The path is the secret, as at the real one.
        let path = format!("/services/T{}/B{}/{}", id(8), id(8), ids::hex(24));
        let port = options.port;
        let token = format!("xoxb-{}", ids::hex(24));
        let (script, channel) = (Script::default(), Mutex::default());
        let shared = Arc::new(Shared { options, path, token, script, channel });
        let router = Router::new()
            .route("/api/chat.postMessage", post(bot::post_message))
            .route("/services/{team}/{hook}/{token}", post(receive))
            .route(
                "/__control/messages",
                get(async |State(shared): App| {
                    Json(shared.channel.lock().messages.iter().cloned().collect::<Vec<_>>())
                }),
            )
            .route("/__control/stats", get(async |State(shared): App| Json(shared.stats())))
            .route(
                "/__control/state",
                post(async |State(shared): App, Json(state): Json<HookState>| {
                    shared.channel.lock().state = state;
                    StatusCode::NO_CONTENT
                }),
            )
            .merge(common_routes(shared.script.clone(), shared.options.clock.clone()))
            .layer(middleware::from_fn_with_state(Injector::plain(shared.script.clone()), faults::layer))
            .with_state(Arc::clone(&shared));
        let server = Server::start(port, router).await?;
        Ok(Self { shared, server })
    }

    /// Base address, for `/__control`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The incoming webhook's whole address.
    pub fn webhook_url(&self) -> String {
        format!("{}{}", self.server.url(), self.shared.path)
    }

    /// Address of the Web API, below which its methods lie.
    pub fn api_url(&self) -> String {
        format!("{}/api/", self.server.url())
    }

    /// The bot's token.
    pub fn bot_token(&self) -> String {
        self.shared.token.clone()
    }

    /// Deletes a bot's message, as somebody in the channel may.
    pub fn delete(&self, ts: &str) {
        self.shared.channel.lock().messages.retain(|message| message.ts.as_deref() != Some(ts));
    }

    /// Its faults.
    pub fn faults(&self) -> &Script {
        &self.shared.script
    }

    /// Its clock.
    pub fn clock(&self) -> &Clock {
        &self.shared.options.clock
    }

    /// Removes the webhook, archives its channel, or restores it.
    pub fn set_state(&self, state: HookState) {
        self.shared.channel.lock().state = state;
    }

    /// Accepted messages, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.shared.channel.lock().messages.iter().cloned().collect()
    }

    /// All counts.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// Ends the service and waits until its tasks are gone.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
    }
}

type App = State<Arc<Shared>>;

async fn receive(
    State(shared): App,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut channel = shared.channel.lock();
    let refusal = match channel.state {
        _ if uri.path() != shared.path => Some((StatusCode::NOT_FOUND, "no_service")),
        HookState::Active => None,
        HookState::Removed => Some((StatusCode::NOT_FOUND, "no_service")),
        HookState::Archived => Some((StatusCode::GONE, "channel_is_archived")),
    };
    if let Some(refusal) = refusal {
        channel.stats.undeliverable += 1;
        return refusal.into_response();
    }
    if let Some(per_second) = shared.options.per_second {
        let wait =
            channel.take_token(per_second, shared.options.burst, shared.options.clock.now().as_millisecond());
        if let Some(seconds) = wait {
            channel.stats.throttled += 1;
            return (
                StatusCode::TOO_MANY_REQUESTS,
                [(header::RETRY_AFTER, seconds.to_string())],
                "rate_limited",
            )
                .into_response();
        }
    }
    match read(&headers, &body) {
        Err(error) => {
            channel.stats.invalid += 1;
            (StatusCode::BAD_REQUEST, error).into_response()
        }
        Ok(payload) => {
            channel.keep(payload, None, shared.options.clock.now().to_string());
            "ok".into_response()
        }
    }
}

impl Channel {
    fn keep(&mut self, payload: Value, ts: Option<String>, at: String) {
        let text = payload.to_string();
        let pings = ["<!channel", "<!here", "<!everyone", "<@"].iter().any(|mark| text.contains(mark));
        self.stats.accepted += 1;
        self.stats.pings += u64::from(pings);
        if self.messages.len() == MESSAGES_KEPT {
            self.messages.pop_front();
        }
        self.messages.push_back(Message { at, payload, ts, pings });
    }

    /// A token bucket; gives the seconds to wait if it is empty.
    fn take_token(&mut self, per_second: f64, burst: f64, now_ms: i64) -> Option<u64> {
        let (left, at) = self.tokens.unwrap_or((burst, now_ms));
        let elapsed = (now_ms - at).max(0) as f64 / 1_000.0;
        let left = (left + elapsed * per_second).min(burst);
        if left >= 1.0 {
            self.tokens = Some((left - 1.0, now_ms));
            return None;
        }
        self.tokens = Some((left, now_ms));
        Some(((1.0 - left) / per_second).ceil().max(1.0) as u64)
    }
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<Value, &'static str> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let form = kind.starts_with("application/x-www-form-urlencoded");
    let field = url::form_urlencoded::parse(body).find(|(name, _)| form && name == "payload");
    let json = field.map_or_else(|| body.to_vec(), |(_, value)| value.into_owned().into_bytes());
    let payload: Value = serde_json::from_slice(&json).map_err(|_| "invalid_payload")?;
    if !payload.is_object() {
        return Err("invalid_payload");
    }
    let text = payload.get("text").and_then(Value::as_str).unwrap_or("");
    if text.chars().count() > 40_000 {
        return Err("msg_too_long");
    }
    let blocks = match payload.get("blocks") {
        None | Some(Value::Null) => &Vec::new(),
        Some(Value::Array(blocks)) => blocks,
        Some(_) => return Err("invalid_blocks"),
    };
    let attachments =
        payload.get("attachments").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    if text.is_empty() && blocks.is_empty() && !attachments {
        return Err("no_text");
    }
    if blocks.len() > 50 || !blocks.iter().all(block_fits) {
        return Err("invalid_blocks");
    }
    if blocks.iter().map(text_length).sum::<usize>() > 13_200 {
        return Err("msg_blocks_too_long");
    }
    Ok(payload)
}

/// Characters of all `text` strings below a value.
fn text_length(value: &Value) -> usize {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| match value {
                Value::String(text) if name == "text" => text.chars().count(),
                other => text_length(other),
            })
            .sum(),
        Value::Array(items) => items.iter().map(text_length).sum(),
        _ => 0,
    }
}

/// A text object with 1 to `most` characters, of one of these kinds.
fn text_fits(value: Option<&Value>, kinds: &[&str], most: usize) -> bool {
    let Some(value) = value else { return false };
    let kind = value.get("type").and_then(Value::as_str).unwrap_or("");
    let length = value.get("text").and_then(Value::as_str).map_or(0, |text| text.chars().count());
    kinds.contains(&kind) && (1..=most).contains(&length)
}

fn short(block: &Value, name: &str, most: usize) -> bool {
    block.get(name).and_then(Value::as_str).is_none_or(|text| text.chars().count() <= most)
}

const ANY_TEXT: &[&str] = &["plain_text", "mrkdwn"];

/// The documented limits of each kind of block.
fn block_fits(block: &Value) -> bool {
    let list = |name: &str| block.get(name).and_then(Value::as_array);
    let within = short(block, "block_id", 255);
    within
        && match block.get("type").and_then(Value::as_str) {
            Some("section") => {
                let text = block.get("text");
                let fields = list("fields");
                let fields_fit = fields.is_none_or(|fields| {
                    (1..=10).contains(&fields.len())
                        && fields.iter().all(|field| text_fits(Some(field), ANY_TEXT, 2_000))
                });
                let text_fits = text.is_none() || text_fits(text, ANY_TEXT, 3_000);
                (text.is_some() || fields.is_some()) && text_fits && fields_fit
            }
            Some("header") => text_fits(block.get("text"), &["plain_text"], 150),
            Some("context") => list("elements").is_some_and(|elements| {
                let fits = |element: &Value| {
                    element.get("type").and_then(Value::as_str) == Some("image")
                        || text_fits(Some(element), ANY_TEXT, 3_000)
                };
                (1..=10).contains(&elements.len()) && elements.iter().all(fits)
            }),
            Some("actions") => list("elements").is_some_and(|elements| {
                (1..=25).contains(&elements.len()) && elements.iter().all(action_fits)
            }),
            Some("markdown") => block
                .get("text")
                .and_then(Value::as_str)
                .is_some_and(|text| (1..=12_000).contains(&text.chars().count())),
            Some("divider" | "image" | "rich_text" | "video" | "file" | "table") => true,
            _ => false,
        }
}

fn action_fits(element: &Value) -> bool {
    let is_button = element.get("type").and_then(Value::as_str) == Some("button");
    short(element, "action_id", 255)
        && short(element, "url", 3_000)
        && short(element, "value", 2_000)
        && (!is_button || text_fits(element.get("text"), &["plain_text"], 75))
}
