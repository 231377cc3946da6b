//! Webhook management API.
//!
//! 201 with a ULID on creation; an event subscription must be POST and json; a webhook's secret is 44
//! characters, shown by `GET …/signing_secret` and changed by `POST`; invocations and their attempts (the
//! exact headers and payload, and the answer) are kept as a short log.

use super::breaker::Breaker;
use super::delivery;
use super::events::pretty;
use super::paging::{self, Query};
use super::server::{ApiError, Caller, Shared, read_json};
use super::signature::{self, TEST_SECRET};
use crate::clock::second_text;
use crate::ids;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, Query as QueryString, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::StatusCode;
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

type App = State<Arc<Shared>>;

/// Invocations kept per webhook; the real log covers seven days.
const INVOCATIONS_KEPT: usize = 500;

/// One attempt to deliver.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) status: &'static str,
    pub(super) status_code: Option<u16>,
    pub(super) completed_at: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) payload: Bytes,
    pub(super) answer: String,
}

#[derive(Debug)]
struct Invocation {
    id: String,
    attempts: Vec<Attempt>,
}

/// How a webhook authenticates to its receiver, beside the signature.
#[derive(Debug, Clone)]
enum Authentication {
    Basic { username: String, password: String },
    Bearer { token: String },
    ApiKey { name: String, value: String },
}

/// A webhook.
#[derive(Debug)]
pub(super) struct Webhook {
    pub(super) id: String,
    name: String,
    pub(super) endpoint: String,
    active: bool,
    subscriptions: Vec<String>,
    authentication: Option<Authentication>,
    custom_headers: Vec<(String, String)>,
    pub(super) secret: String,
    created_at: i64,
    updated_at: i64,
    created_by: u64,
    pub(super) breaker: Breaker,
    invocations: VecDeque<Invocation>,
}

impl Webhook {
    pub(super) fn new(
        name: &str,
        endpoint: &str,
        subscriptions: Vec<String>,
        created_by: u64,
        now: i64,
    ) -> Self {
        Self {
            id: ids::ulid(),
            name: name.to_owned(),
            endpoint: endpoint.to_owned(),
            active: true,
            subscriptions,
            authentication: None,
            custom_headers: Vec::new(),
            secret: signature::new_secret(),
            created_at: now,
            updated_at: now,
            created_by,
            breaker: Breaker::default(),
            invocations: VecDeque::new(),
        }
    }

    /// Whether it is active and subscribed to this kind of event.
    pub(super) fn wants(&self, kind: &str) -> bool {
        self.active && self.subscriptions.iter().any(|subscription| subscription == kind)
    }

    /// Authentication and custom headers.
    pub(super) fn own_headers(&self) -> Vec<(String, String)> {
        let authorization = |value: String| ("Authorization".to_owned(), value);
        let authentication = self.authentication.as_ref().map(|authentication| match authentication {
            Authentication::Basic { username, password } => {
                authorization(format!("Basic {}", BASE64_STANDARD.encode(format!("{username}:{password}"))))
            }
            Authentication::Bearer { token } => authorization(format!("Bearer {token}")),
            Authentication::ApiKey { name, value } => (name.clone(), value.clone()),
        });
        authentication.into_iter().chain(self.custom_headers.iter().cloned()).collect()
    }

    pub(super) fn record(&mut self, invocation: &str, attempt: Attempt) {
        // A retry's invocation is among the newest.
        if let Some(found) = self.invocations.iter_mut().rev().find(|found| found.id == invocation) {
            found.attempts.push(attempt);
            return;
        }
        if self.invocations.len() == INVOCATIONS_KEPT {
            self.invocations.pop_front();
        }
        self.invocations.push_back(Invocation { id: invocation.to_owned(), attempts: vec![attempt] });
    }

    fn rest(&self) -> Value {
        let authentication = self.authentication.as_ref().map(|authentication| match authentication {
            // Secrets are not echoed.
            Authentication::Basic { username, .. } => {
                json!({"type": "basic_auth", "data": {"username": username}, "add_position": "header"})
            }
            Authentication::Bearer { .. } => json!({"type": "bearer_token", "add_position": "header"}),
            Authentication::ApiKey { name, .. } => {
                json!({"type": "api_key", "data": {"name": name}, "add_position": "header"})
            }
        });
        let headers: Map<String, Value> =
            self.custom_headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        json!({
            "id": self.id, "name": self.name, "endpoint": self.endpoint, "http_method": "POST", "request_format": "json",
            "status": if self.active { "active" } else { "inactive" }, "subscriptions": self.subscriptions,
            "authentication": authentication, "custom_headers": headers, "created_at": second_text(self.created_at),
            "updated_at": second_text(self.updated_at), "created_by": self.created_by.to_string(),
            "updated_by": self.created_by.to_string(), "description": null,
        })
    }
}

fn invalid(description: &str) -> ApiError {
    ApiError::Bad { error: "InvalidParameter", description: description.to_owned() }
}

fn text<'a>(fields: &'a Value, name: &str) -> Option<&'a str> {
    fields.get(name).and_then(Value::as_str)
}

/// Applies the given fields to a webhook.
fn apply(webhook: &mut Webhook, fields: &Value) -> Result<(), ApiError> {
    if let Some(name) = text(fields, "name") {
        name.clone_into(&mut webhook.name);
    }
    if let Some(endpoint) = text(fields, "endpoint") {
        if url::Url::parse(endpoint).is_err() {
            return Err(invalid("Endpoint is not a valid URL"));
        }
        endpoint.clone_into(&mut webhook.endpoint);
    }
    if let Some(status) = text(fields, "status") {
        webhook.active = match status {
            "active" => true,
            "inactive" => false,
            _ => return Err(invalid("Status must be active or inactive")),
        };
    }
    if let Some(subscriptions) = fields.get("subscriptions").and_then(Value::as_array) {
        webhook.subscriptions = subscriptions.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    }
    let subscribed =
        webhook.subscriptions.iter().any(|subscription| subscription != "conditional_ticket_events");
    let form =
        (text(fields, "http_method").unwrap_or("POST"), text(fields, "request_format").unwrap_or("json"));
    if subscribed && form != ("POST", "json") {
        return Err(invalid("Webhooks subscribed to events must use POST and JSON"));
    }
    if let Some(authentication) = fields.get("authentication").filter(|value| value.is_object()) {
        webhook.authentication = Some(read_authentication(authentication)?);
    }
    if let Some(headers) = fields.get("custom_headers").and_then(Value::as_object) {
        let pair = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        webhook.custom_headers = headers.iter().filter_map(pair).collect();
    }
    Ok(())
}

fn read_authentication(value: &Value) -> Result<Authentication, ApiError> {
    let data = value.get("data").unwrap_or(&Value::Null);
    let part = |name: &str| {
        text(data, name).map(str::to_owned).ok_or_else(|| invalid("Authentication data is incomplete"))
    };
    match text(value, "type") {
        Some("basic_auth") => {
            Ok(Authentication::Basic { username: part("username")?, password: part("password")? })
        }
        Some("bearer_token") => Ok(Authentication::Bearer { token: part("token")? }),
        Some("api_key") => Ok(Authentication::ApiKey { name: part("name")?, value: part("value")? }),
        _ => Err(invalid("Authentication type is not supported")),
    }
}

pub(super) async fn create(
    State(shared): App,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let body = read_json(&body)?;
    let fields = body.get("webhook").ok_or_else(|| invalid("webhook is missing"))?;
    for name in ["name", "endpoint", "http_method", "request_format", "status"] {
        if text(fields, name).is_none() {
            return Err(invalid(&format!("{name} is missing")));
        }
    }
    let mut webhook = Webhook::new("", "", Vec::new(), caller.0, shared.clock.second());
    apply(&mut webhook, fields)?;
    let answer = json!({"webhook": webhook.rest()});
    shared.account.lock().webhooks.insert(webhook.id.clone(), webhook);
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

pub(super) async fn list(
    State(shared): App,
    QueryString(mut query): QueryString<Query>,
) -> Result<Response, ApiError> {
    let webhooks = shared.account.lock().webhooks.values().map(Webhook::rest).collect();
    query.entry("page[size]".to_owned()).or_insert_with(|| "100".to_owned());
    Ok(Json(paging::page("webhooks", webhooks, &query, &format!("{}/api/v2/webhooks", shared.base()))?)
        .into_response())
}

pub(super) async fn show(State(shared): App, Path(id): Path<String>) -> Result<Response, ApiError> {
    let account = shared.account.lock();
    let webhook = account.webhooks.get(&id).ok_or(ApiError::NotFound)?;
    Ok(Json(json!({"webhook": webhook.rest()})).into_response())
}

pub(super) async fn update(
    State(shared): App,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let body = read_json(&body)?;
    let fields = body.get("webhook").ok_or_else(|| invalid("webhook is missing"))?;
    let mut account = shared.account.lock();
    let webhook = account.webhooks.get_mut(&id).ok_or(ApiError::NotFound)?;
    apply(webhook, fields)?;
    webhook.updated_at = shared.clock.second();
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn delete(State(shared): App, Path(id): Path<String>) -> Result<Response, ApiError> {
    match shared.account.lock().webhooks.remove(&id) {
        Some(_) => Ok(StatusCode::NO_CONTENT.into_response()),
        None => Err(ApiError::NotFound),
    }
}

fn secret_body(webhook: &Webhook) -> Value {
    json!({"signing_secret": {"secret": webhook.secret, "algorithm": "SHA256"}})
}

pub(super) async fn secret(State(shared): App, Path(id): Path<String>) -> Result<Response, ApiError> {
    let account = shared.account.lock();
    Ok(Json(secret_body(account.webhooks.get(&id).ok_or(ApiError::NotFound)?)).into_response())
}

pub(super) async fn rotate_secret(State(shared): App, Path(id): Path<String>) -> Result<Response, ApiError> {
    let mut account = shared.account.lock();
    let webhook = account.webhooks.get_mut(&id).ok_or(ApiError::NotFound)?;
    webhook.secret = signature::new_secret();
    Ok((StatusCode::CREATED, Json(secret_body(webhook))).into_response())
}

pub(super) async fn invocations(
    State(shared): App,
    Path(id): Path<String>,
    QueryString(mut query): QueryString<Query>,
) -> Result<Response, ApiError> {
    let invocations = {
        let account = shared.account.lock();
        let webhook = account.webhooks.get(&id).ok_or(ApiError::NotFound)?;
        let rest = |invocation: &Invocation| {
            let last = invocation.attempts.last();
            let mut value = json!({
                "id": invocation.id, "status": last.map(|attempt| attempt.status),
                "latest_completed_at": last.map(|attempt| &attempt.completed_at),
            });
            if let Some(code) = last.and_then(|attempt| attempt.status_code) {
                value["status_code"] = json!(code);
            }
            value
        };
        webhook.invocations.iter().rev().map(rest).collect()
    };
    query.entry("page[size]".to_owned()).or_insert_with(|| "100".to_owned());
    let path = format!("{}/api/v2/webhooks/{id}/invocations", shared.base());
    Ok(Json(paging::page("invocations", invocations, &query, &path)?).into_response())
}

pub(super) async fn attempts(
    State(shared): App,
    Path((id, invocation)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let account = shared.account.lock();
    let webhook = account.webhooks.get(&id).ok_or(ApiError::NotFound)?;
    let found = webhook.invocations.iter().find(|found| found.id == invocation).ok_or(ApiError::NotFound)?;
    let rest = |attempt: &Attempt| {
        let mut value = json!({
            "id": id, "invocation_id": invocation, "status": attempt.status, "completed_at": attempt.completed_at,
        });
        if let Some(code) = attempt.status_code {
            let headers: Vec<Value> =
                attempt.headers.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
            value["status_code"] = json!(code);
            value["request"] =
                json!({"headers": headers, "payload": String::from_utf8_lossy(&attempt.payload)});
            value["response"] = json!({"payload": attempt.answer});
        }
        value
    };
    let attempts: Vec<Value> = found.attempts.iter().rev().map(rest).collect();
    Ok(Json(json!({"attempts": attempts})).into_response())
}

/// Sends one request now. With `webhook_id` it uses that webhook and its secret, else the request of the
/// body and the public test secret.
pub(super) async fn test(
    State(shared): App,
    QueryString(query): QueryString<Query>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let body = if body.is_empty() { Value::Null } else { read_json(&body)? };
    let request = body.get("request").unwrap_or(&Value::Null);
    let payload = match text(request, "payload") {
        Some(payload) => Bytes::from(payload.to_owned()),
        None => Bytes::from(pretty(&json!({"test": "payload"}))),
    };
    let timestamp = second_text(shared.clock.second());
    let invocation = ids::ulid();
    let (endpoint, headers) = match query.get("webhook_id") {
        Some(id) => {
            let account = shared.account.lock();
            let webhook = account.webhooks.get(id).ok_or(ApiError::NotFound)?;
            let headers =
                delivery::headers(shared.options.account_id, webhook, &invocation, &timestamp, &payload);
            (webhook.endpoint.clone(), headers)
        }
        None => {
            let endpoint = text(request, "endpoint").ok_or_else(|| invalid("request.endpoint is missing"))?;
            let mut webhook = Webhook::new("test", endpoint, Vec::new(), 0, 0);
            TEST_SECRET.clone_into(&mut webhook.secret);
            let headers =
                delivery::headers(shared.options.account_id, &webhook, &invocation, &timestamp, &payload);
            (endpoint.to_owned(), headers)
        }
    };
    let timeout = Duration::from_millis(shared.sender.lock().timeout_ms);
    let mut outgoing = shared.client.post(&endpoint).timeout(timeout).body(payload);
    for (name, value) in headers {
        outgoing = outgoing.header(name, value);
    }
    let (status, payload) = match outgoing.send().await {
        Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
        Err(error) if error.is_timeout() => (504, String::new()),
        Err(_) => (502, String::new()),
    };
    Ok(Json(json!({"response": {"status": status, "headers": [], "payload": payload}})).into_response())
}
