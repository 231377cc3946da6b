//! A plain client and a plain webhook receiver.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "clippy sees no test in a module that holds only helpers")]

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use deskstream_samples::zendesk::{NewTicket, Options, Zendesk};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde_json::Value;
use sha2::Sha256;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// A sample with a client that authenticates.
pub struct Desk {
    pub zendesk: Zendesk,
    client: reqwest::Client,
}

impl Desk {
    pub async fn start(options: Options) -> Self {
        Self { zendesk: Zendesk::start(options).await.unwrap(), client: client() }
    }

    pub fn url(&self, path: &str) -> String {
        if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.zendesk.url()) }
    }

    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let options = self.zendesk.options();
        let user = format!("{}/token", options.email);
        self.client.request(method, self.url(path)).basic_auth(user, Some(&options.api_token))
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(reqwest::Method::GET, path).send().await.unwrap()).await
    }

    pub async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let method = method.parse().unwrap();
        Answer::of(self.request(method, path).json(body).send().await.unwrap()).await
    }

    pub fn ticket(&self) -> u64 {
        self.zendesk.create_ticket(NewTicket {
            subject: "Cannot log in".to_owned(),
            body: "Since this morning I cannot log in.".to_owned(),
            requester_name: "Jane Roe".to_owned(),
            requester_email: "jane.roe@example.com".to_owned(),
            tags: vec!["web_form".to_owned()],
            ..NewTicket::default()
        })
    }
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

/// A request that a receiver got.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub headers: HeaderMap,
    pub body: Bytes,
    pub at: Instant,
}

impl Delivery {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().trim_start_matches("zen:event-type:").to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// Checked as a receiver would, apart from the sample's own code.
    pub fn signed_with(&self, secret: &str) -> bool {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(self.header("x-zendesk-webhook-signature-timestamp").as_bytes());
        mac.update(&self.body);
        let given = BASE64_STANDARD.decode(self.header("x-zendesk-webhook-signature")).unwrap();
        mac.verify_slice(&given).is_ok()
    }
}

type Reply = Arc<dyn Fn(usize) -> Response + Send + Sync>;

#[derive(Clone)]
struct ReceiverState {
    got: Arc<Mutex<Vec<Delivery>>>,
    reply: Reply,
    delay: Duration,
}

/// Takes webhooks; the reply to the n-th request (from 0) is the caller's.
pub struct Receiver {
    pub url: String,
    got: Arc<Mutex<Vec<Delivery>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    pub async fn start(reply: impl Fn(usize) -> Response + Send + Sync + 'static) -> Self {
        Self::slow(Duration::ZERO, reply).await
    }

    pub async fn ok() -> Self {
        Self::start(|_| StatusCode::OK.into_response()).await
    }

    pub async fn slow(delay: Duration, reply: impl Fn(usize) -> Response + Send + Sync + 'static) -> Self {
        let got = Arc::default();
        let state = ReceiverState { got: Arc::clone(&got), reply: Arc::new(reply), delay };
        let router = Router::new().route("/hook", post(take)).with_state(state);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, got, task }
    }

    pub fn got(&self) -> Vec<Delivery> {
        self.got.lock().clone()
    }

    pub fn kinds(&self) -> Vec<String> {
        self.got().iter().map(Delivery::kind).collect()
    }
}

async fn take(State(state): State<ReceiverState>, headers: HeaderMap, body: Bytes) -> Response {
    let number = {
        let mut got = state.got.lock();
        got.push(Delivery { headers, body, at: Instant::now() });
        got.len() - 1
    };
    tokio::time::sleep(state.delay).await;
    (state.reply)(number)
}

/// Waits until a condition holds.
pub async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < end, "not within 10 s: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
