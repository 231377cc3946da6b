//! Data keys wrapped by the Transit engine of HashiCorp Vault, or of OpenBao, which speaks the same protocol.
//!
//! The wrapping key never leaves the service; data keys lie unwrapped in this process's memory only. What ties a
//! wrapped key to its place travels as `associated_data`. The service's own `rewrap` can't take that, so a key is
//! wrapped anew by unwrapping and wrapping it.
//!
//! # Failure
//! [`Transit::connect`] reads the key's description: a wrong address, token, mount, key or type is told before anything
//! else begins. Afterwards a call is tried [`ATTEMPTS`] times where trying again can help. A token in a file is read
//! again when it is refused, so that an agent can renew it.

mod answer;
mod error;

use super::wrap::{KeyWrap, WrapError};
use crate::config::{Secret, VaultConfig};
use answer::Answer;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use deskstream_schemas::Sealed;
pub use error::TransitError;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use zeroize::{Zeroize, Zeroizing};

/// A restart of the service, or of what stands before it, is ridden out; what lasts longer is told.
const ATTEMPTS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Types of keys that authenticate associated data.
const TYPES: [&str; 3] = ["aes256-gcm96", "aes128-gcm96", "chacha20-poly1305"];

/// Answers are small: anything longer is not the service's.
const MAX_ANSWER: usize = 64 * 1024;

struct Call {
    method: Method,
    path: String,
    body: Option<Value>,
    reply: std::sync::mpsc::Sender<Result<Answer, TransitError>>,
}

/// The client. Its requests are made by a thread of its own, since keys are taken in where nothing is async.
pub struct Transit {
    /// `vault:MOUNT/KEY:v`, before the version.
    name: String,
    mount: String,
    key: String,
    version: AtomicU64,
    /// As long as there are callers, since each waits for its answer.
    calls: mpsc::UnboundedSender<Call>,
}

impl Transit {
    /// Reaches the service and makes sure that the key can be used. Not for async code.
    pub fn connect(config: &VaultConfig) -> Result<Self, TransitError> {
        let worker = Worker::new(config)?;
        let (calls, receiver) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(TransitError::Thread)?;
        std::thread::Builder::new()
            .name("kms".to_owned())
            .spawn(move || runtime.block_on(worker.run(receiver)))
            .map_err(TransitError::Thread)?;
        let mount = config.mount.trim_matches('/').to_owned();
        let transit = Self {
            name: format!("vault:{mount}/{}:v", config.key),
            key: config.key.clone(),
            mount,
            version: AtomicU64::new(0),
            calls,
        };
        transit.check()?;
        Ok(transit)
    }

    /// Reads the key's type and newest version.
    fn check(&self) -> Result<(), TransitError> {
        let answer = self.call(Method::GET, "keys", None).map_err(|error| match error {
            TransitError::NotFound { path } => TransitError::NoKey { path },
            error => error,
        })?;
        let kind = answer.text("type")?;
        if !TYPES.contains(&kind.as_str()) {
            return Err(TransitError::WrongType { key: self.key.clone(), kind });
        }
        self.version.store(answer.number("latest_version")?, Ordering::Relaxed);
        Ok(())
    }

    fn call(&self, method: Method, verb: &str, body: Option<Value>) -> Result<Answer, TransitError> {
        let (reply, answer) = std::sync::mpsc::channel();
        let path = format!("{}/{verb}/{}", self.mount, self.key);
        let gone = || TransitError::Thread(std::io::Error::other("the thread has ended"));
        self.calls.send(Call { method, path, body, reply }).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    }
}

impl KeyWrap for Transit {
    fn current(&self) -> String {
        format!("{}{}", self.name, self.version.load(Ordering::Relaxed))
    }

    fn has(&self, id: &str) -> bool {
        id.strip_prefix(&self.name).is_some_and(|version| version.bytes().all(|b| b.is_ascii_digit()))
    }

    fn wrap(&self, name: &str, key: &[u8; 32]) -> Result<Sealed, WrapError> {
        let body = json!({ "plaintext": STANDARD.encode(key), "associated_data": STANDARD.encode(name) });
        let ciphertext = self.call(Method::POST, "encrypt", Some(body))?.text("ciphertext")?;
        let version = ciphertext.split(':').nth(1).and_then(|v| v.strip_prefix('v')?.parse().ok());
        let version: u64 = version.ok_or(TransitError::Answer("a ciphertext without a version"))?;
        // The key may have been rotated since we asked.
        self.version.fetch_max(version, Ordering::Relaxed);
        let key_id = format!("{}{version}", self.name);
        Ok(Sealed { key_id, nonce: Vec::new(), ciphertext: ciphertext.into_bytes() })
    }

    fn unwrap(&self, name: &str, wrapped: &Sealed) -> Result<Zeroizing<[u8; 32]>, WrapError> {
        let ciphertext = std::str::from_utf8(&wrapped.ciphertext).map_err(|_| WrapError::Tampered)?;
        let body = json!({ "ciphertext": ciphertext, "associated_data": STANDARD.encode(name) });
        let answer = self.call(Method::POST, "decrypt", Some(body)).map_err(|error| match error {
            TransitError::Unauthentic => WrapError::Tampered,
            error => WrapError::Kms(error),
        })?;
        let text = Zeroizing::new(answer.text("plaintext")?);
        let plain = Zeroizing::new(STANDARD.decode(text.as_bytes()).map_err(|_| WrapError::Tampered)?);
        Ok(Zeroizing::new(plain.as_slice().try_into().map_err(|_| WrapError::Tampered)?))
    }
}

/// Makes the requests, one after another.
struct Worker {
    client: reqwest::Client,
    base: String,
    secret: Secret,
    token: SecretString,
    timeout: Duration,
}

impl Worker {
    fn new(config: &VaultConfig) -> Result<Self, TransitError> {
        let mut headers = HeaderMap::new();
        // Vault asks for it where it shall not be fooled by forged requests of others.
        headers.insert("x-vault-request", HeaderValue::from_static("true"));
        if let Some(namespace) = &config.namespace {
            let value =
                HeaderValue::from_str(namespace).map_err(|_| TransitError::Header("keys.vault.namespace"))?;
            headers.insert("x-vault-namespace", value);
        }
        // A redirect would carry the token to wherever it leads.
        let mut client = reqwest::Client::builder()
            .default_headers(headers)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(config.timeout);
        if let Some(path) = &config.ca {
            let unusable = |source| TransitError::Ca { path: path.clone(), source };
            let pem = std::fs::read(path).map_err(unusable)?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|error| unusable(std::io::Error::new(std::io::ErrorKind::InvalidData, error)))?;
            client = client.tls_certs_merge(certificates);
        }
        Ok(Self {
            client: client.build().map_err(TransitError::Client)?,
            base: format!("{}/v1/", config.address.as_str().trim_end_matches('/')),
            secret: config.token.clone(),
            token: config.token.expose(),
            timeout: config.timeout,
        })
    }

    async fn run(mut self, mut calls: mpsc::UnboundedReceiver<Call>) {
        while let Some(Call { method, path, mut body, reply }) = calls.recv().await {
            let answer = self.patiently(&method, &path, body.as_ref()).await;
            if let Some(Value::String(plain)) = body.as_mut().and_then(|body| body.get_mut("plaintext")) {
                plain.zeroize();
            }
            // Whoever asked may have given up.
            drop(reply.send(answer));
        }
    }

    async fn patiently(
        &mut self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, TransitError> {
        let (mut tried, mut pause, mut renewed) = (1, FIRST_PAUSE, false);
        loop {
            let error = match self.once(method, path, body).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if matches!(error, TransitError::Denied { .. }) && !renewed {
                // Read again once: an agent may have put a new one into the file.
                renewed = true;
                let fresh = self.secret.read_again();
                if let Some(fresh) = fresh.filter(|f| f.expose_secret() != self.token.expose_secret()) {
                    self.token = fresh;
                    continue;
                }
            }
            if !error.retry() || tried == ATTEMPTS {
                return Err(error);
            }
            tracing::debug!(%error, tried, "the key management service is asked again");
            tokio::time::sleep(pause).await;
            tried += 1;
            pause *= 4;
        }
    }

    async fn once(&self, method: &Method, path: &str, body: Option<&Value>) -> Result<Answer, TransitError> {
        let mut token = HeaderValue::from_str(self.token.expose_secret())
            .map_err(|_| TransitError::Header("keys.vault.token"))?;
        token.set_sensitive(true);
        let request = self.client.request(method.clone(), format!("{}{path}", self.base));
        let mut request = request.header("x-vault-token", token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let failed = |error: reqwest::Error| {
            let (base, error) = (self.base.trim_end_matches("/v1/").to_owned(), error.without_url());
            if error.is_timeout() {
                TransitError::Timeout { base, after: self.timeout }
            } else {
                TransitError::Unreachable { base, source: error }
            }
        };
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        let mut bytes = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if bytes.len() + chunk.len() > MAX_ANSWER {
                return Err(TransitError::Answer("more than it ever says"));
            }
            bytes.extend_from_slice(&chunk);
        }
        answer::read(status, path, &bytes)
    }
}
