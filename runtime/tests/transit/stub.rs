//! A server of Transit's protocol, as its public API documentation and the answers of OpenBao 2.7 have it.

use super::server::Server;
use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

const TOKEN: &str = "hvs.good";

#[derive(Default)]
struct Inner {
    /// Versions of each key that can encrypt.
    keys: HashMap<String, Vec<[u8; 32]>>,
    sealed: bool,
    next: VecDeque<(u16, String)>,
}

pub struct Stub {
    address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
    _runtime: tokio::runtime::Runtime,
}

impl Stub {
    pub fn start() -> Self {
        let inner = Arc::new(Mutex::new(Inner::default()));
        inner.lock().keys.insert("deskstream".into(), vec![[1; 32]]);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().route("/v1/{mount}/{verb}/{key}", any(answer)).with_state(Arc::clone(&inner));
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { address, inner, _runtime: runtime }
    }

    /// Answers the next requests so.
    pub fn answer_next(&self, answers: &[(u16, &str)]) {
        let answers = answers.iter().map(|(status, body)| (*status, (*body).to_owned()));
        self.inner.lock().next.extend(answers);
    }
}

impl Server for Stub {
    fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    fn token(&self) -> String {
        TOKEN.into()
    }

    fn rotate(&self, key: &str) {
        let mut inner = self.inner.lock();
        let versions = inner.keys.get_mut(key).unwrap();
        let next = u8::try_from(versions.len() + 1).unwrap();
        versions.push([next; 32]);
    }

    fn seal(&self) {
        self.inner.lock().sealed = true;
    }
}

fn errors(status: u16, said: &[&str]) -> Response {
    let body = json!({ "errors": said }).to_string();
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

fn data(data: &Value) -> Response {
    json!({ "request_id": "r", "data": data, "warnings": null }).to_string().into_response()
}

async fn answer(
    State(inner): State<Arc<Mutex<Inner>>>,
    Path((mount, verb, key)): Path<(String, String, String)>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut inner = inner.lock();
    if let Some((status, body)) = inner.next.pop_front() {
        return (StatusCode::from_u16(status).unwrap(), body).into_response();
    }
    if inner.sealed {
        return errors(503, &["Vault is sealed"]);
    }
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    assert_eq!(header("x-vault-request"), Some("true"));
    if header("x-vault-token") != Some(TOKEN) {
        return errors(403, &["permission denied"]);
    }
    if mount != "transit" {
        return errors(404, &["no handler for route"]);
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let bytes = |field: &str| STANDARD.decode(body[field].as_str().unwrap_or_default()).unwrap();
    let versions = inner.keys.get(&key);
    match (method.as_str(), verb.as_str(), versions) {
        ("GET", "keys", _) if key == "signing" => data(&json!({ "type": "ed25519", "latest_version": 1 })),
        ("GET", "keys", Some(v)) => data(&json!({ "type": "aes256-gcm96", "latest_version": v.len() })),
        ("GET", "keys", None) => errors(404, &[]),
        ("POST", "encrypt", Some(v)) => {
            let (nonce, aad) = (rand::random::<[u8; 12]>(), bytes("associated_data"));
            let cipher = Aes256Gcm::new(v.last().unwrap().into());
            let payload = Payload { msg: &bytes("plaintext"), aad: &aad };
            let sealed = cipher.encrypt(&Nonce::from(nonce), payload).unwrap();
            let text = STANDARD.encode([&nonce[..], &sealed].concat());
            data(&json!({ "ciphertext": format!("vault:v{}:{text}", v.len()), "key_version": v.len() }))
        }
        ("POST", "decrypt", Some(v)) => {
            let ciphertext = body["ciphertext"].as_str().unwrap();
            let Some((version, text)) = ciphertext.strip_prefix("vault:v").and_then(|c| c.split_once(':'))
            else {
                return errors(400, &["invalid ciphertext: no prefix"]);
            };
            let Some(key) = version.parse::<usize>().ok().and_then(|n| v.get(n - 1)) else {
                return errors(400, &["invalid ciphertext: version is too new"]);
            };
            let Ok(whole) = STANDARD.decode(text) else {
                return errors(400, &["invalid ciphertext: could not decode base64"]);
            };
            let nonce: [u8; 12] = whole[..12].try_into().unwrap();
            let payload = Payload { msg: &whole[12..], aad: &bytes("associated_data") };
            match Aes256Gcm::new(key.into()).decrypt(&Nonce::from(nonce), payload) {
                Ok(plain) => data(&json!({ "plaintext": STANDARD.encode(plain) })),
                Err(_) => errors(400, &["cipher: message authentication failed"]),
            }
        }
        ("POST", "decrypt", None) => errors(400, &["encryption key not found"]),
        _ => errors(405, &["unsupported operation"]),
    }
}
