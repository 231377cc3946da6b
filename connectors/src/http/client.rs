//! The client of one account. See the module's contract.

use super::backoff::Backoff;
use super::error::{CallError, Cause, Effect, Hint, SetupError};
use super::limits::{RateLimits, retry_after};
use super::metrics;
use super::throttle::Throttle;
use bytes::{Bytes, BytesMut};
use failsafe::failure_policy::{ConsecutiveFailures, consecutive_failures};
use failsafe::{Config as BreakerConfig, Instrument, StateMachine, backoff};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// Failures in a row that open the circuit.
const BREAKER_FAILURES: u32 = 8;

/// Most characters of a service's error code that are kept; longer ones are free text.
const MAX_CODE_CHARS: usize = 64;

/// A service's account and how it is called.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Name of the service in metrics and errors.
    pub service: &'static str,
    /// Name of the account in metrics: the tenant.
    pub account: String,
    /// Everything is asked of this origin.
    pub base: Url,
    /// Value of the `Authorization` header, if any.
    pub authorization: Option<SecretString>,
    /// How long one attempt may take, from its turn to its whole answer.
    pub attempt: Duration,
    /// How long a call may take in all, waits included.
    pub total: Duration,
    /// Most attempts of one call.
    pub attempts: u32,
    /// Waits between attempts.
    pub backoff: Backoff,
    /// Most requests at once.
    pub concurrency: usize,
    /// Requests per window until the service tells its own limit.
    pub per_window: u32,
    /// The window that the service counts in.
    pub window: Duration,
    /// Most bytes of an answer.
    pub max_answer: usize,
}

impl ClientOptions {
    /// Defaults for a helpdesk's REST API.
    pub fn new(service: &'static str, account: impl Into<String>, base: Url) -> Self {
        Self {
            service,
            account: account.into(),
            base,
            authorization: None,
            attempt: Duration::from_secs(15),
            total: Duration::from_secs(90),
            attempts: 5,
            backoff: Backoff::default(),
            concurrency: 8,
            per_window: 200,
            window: Duration::from_secs(60),
            max_answer: 32 * 1024 * 1024,
        }
    }
}

/// Whether a call may be sent again after an attempt of unknown effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Yes: it changes nothing, or always to the same.
    Safe,
    /// No: the caller looks first.
    Unsafe,
}

/// One call.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// Name in metrics and errors: the route without its ids.
    pub endpoint: &'static str,
    /// Method.
    pub method: Method,
    /// Path and query relative to the base, or an absolute URL of the same origin.
    pub url: &'a str,
    /// JSON body.
    pub body: Option<Bytes>,
    /// Whether it may be repeated blindly.
    pub repeat: Repeat,
    /// Statuses that are an answer, not an error, besides those below 300.
    pub accept: &'a [StatusCode],
    /// A deadline earlier than [`ClientOptions::total`] allows.
    pub deadline: Option<Instant>,
}

impl<'a> Call<'a> {
    /// A `GET`.
    pub fn get(endpoint: &'static str, url: &'a str) -> Self {
        Self {
            endpoint,
            method: Method::GET,
            url,
            body: None,
            repeat: Repeat::Safe,
            accept: &[],
            deadline: None,
        }
    }

    /// A call with a JSON body that must not be repeated blindly.
    pub fn write(endpoint: &'static str, method: Method, url: &'a str, body: Bytes) -> Self {
        Self { endpoint, method, url, body: Some(body), repeat: Repeat::Unsafe, accept: &[], deadline: None }
    }

    /// Takes these statuses as answers too.
    #[must_use]
    pub fn accepting(mut self, accept: &'a [StatusCode]) -> Self {
        self.accept = accept;
        self
    }
}

/// What the service answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Whole body.
    pub body: Bytes,
    /// Requests sent for it.
    pub attempts: u32,
    /// What the service said of its limits.
    pub limits: RateLimits,
}

type Breaker = StateMachine<ConsecutiveFailures<backoff::EqualJittered>, BreakerGauge>;

/// Tells when the circuit opens and closes.
struct BreakerGauge {
    service: &'static str,
    account: String,
}

impl Instrument for BreakerGauge {
    fn on_call_rejected(&self) {}

    fn on_open(&self) {
        tracing::warn!(
            service = self.service,
            account = self.account,
            "circuit opened: requests are held back"
        );
        metrics::CIRCUIT_OPEN.with_label_values(&[self.service, self.account.as_str()]).set(1);
    }

    fn on_half_open(&self) {}

    fn on_closed(&self) {
        metrics::CIRCUIT_OPEN.with_label_values(&[self.service, self.account.as_str()]).set(0);
    }
}

/// A client of one account; share it by `Arc`.
pub struct Client {
    options: ClientOptions,
    http: reqwest::Client,
    headers: HeaderMap,
    throttle: Throttle,
    breaker: Breaker,
    limits: Mutex<RateLimits>,
}

/// Why an attempt failed.
struct Failure {
    cause: Cause,
    effect: Effect,
    hint: Hint,
}

impl Client {
    /// A client. [`deskstream_runtime::install_crypto_provider`] must have been called.
    pub fn new(options: ClientOptions) -> Result<Self, SetupError> {
        let service = options.service;
        if options.base.cannot_be_a_base() || !matches!(options.base.scheme(), "http" | "https") {
            return Err(SetupError::Url { service, account: options.account });
        }
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(authorization) = &options.authorization {
            let mut value = HeaderValue::from_str(authorization.expose_secret())
                .map_err(|_| SetupError::Credentials { service, account: options.account.clone() })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let http = reqwest::Client::builder()
            .user_agent(concat!("deskstream/", env!("CARGO_PKG_VERSION")))
            // A redirect would carry the credentials to wherever the answer says.
            .redirect(reqwest::redirect::Policy::none())
            .https_only(options.base.scheme() == "https")
            .connect_timeout(Duration::from_secs(5).min(options.attempt))
            .pool_max_idle_per_host(options.concurrency)
            .tcp_nodelay(true)
            .build()
            .map_err(|source| SetupError::Client { service, source })?;
        let waits = backoff::equal_jittered(Duration::from_secs(1), Duration::from_secs(30));
        let breaker = BreakerConfig::new()
            .failure_policy(consecutive_failures(BREAKER_FAILURES, waits))
            .instrument(BreakerGauge { service, account: options.account.clone() })
            .build();
        metrics::CIRCUIT_OPEN.with_label_values(&[service, options.account.as_str()]).set(0);
        let throttle = Throttle::new(options.concurrency, options.per_window, options.window);
        Ok(Self { options, http, headers, throttle, breaker, limits: Mutex::default() })
    }

    /// What it was made with.
    pub fn options(&self) -> &ClientOptions {
        &self.options
    }

    /// What the service last said of its limits.
    pub fn limits(&self) -> RateLimits {
        *self.limits.lock()
    }

    /// Sends a call, again where that is safe, and gives its answer.
    pub async fn call(&self, call: &Call<'_>) -> Result<Answer, CallError> {
        let latest = Instant::now() + self.options.total;
        let deadline = call.deadline.map_or(latest, |deadline| deadline.min(latest));
        let mut waits = self.options.backoff.waits();
        let (mut attempts, mut effect) = (0, Effect::None);
        let url = match self.url(call.url) {
            Ok(url) => url,
            Err(cause) => {
                let failure = Failure { cause, effect, hint: Hint::Never };
                return Err(self.error(call, failure, effect, attempts));
            }
        };
        loop {
            let outcome = self.attempt(call, &url, deadline, &mut attempts).await;
            let failure = match outcome {
                Ok(mut answer) => {
                    answer.attempts = attempts;
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            if failure.effect == Effect::Unknown {
                effect = Effect::Unknown;
            }
            let blind = failure.effect == Effect::None || call.repeat == Repeat::Safe;
            let wait = match failure.hint {
                Hint::Never => None,
                Hint::Backoff => waits.next(),
                Hint::After(asked) => waits.next().map(|wait| wait.max(asked)),
            };
            let again = wait.filter(|wait| Instant::now() + *wait < deadline);
            match again {
                Some(wait) if blind && attempts < self.options.attempts => {
                    tracing::debug!(
                        service = self.options.service,
                        account = self.options.account,
                        endpoint = call.endpoint,
                        attempts,
                        cause = %failure.cause,
                        wait_ms = wait.as_millis(),
                        "trying again"
                    );
                    tokio::time::sleep(wait).await;
                }
                _ => return Err(self.error(call, failure, effect, attempts)),
            }
        }
    }

    fn error(&self, call: &Call<'_>, failure: Failure, effect: Effect, attempts: u32) -> CallError {
        CallError {
            service: self.options.service,
            endpoint: call.endpoint,
            cause: failure.cause,
            effect,
            hint: failure.hint,
            attempts,
        }
    }

    /// The whole URL, if it is of the configured origin.
    fn url(&self, relative: &str) -> Result<Url, Cause> {
        let url = self.options.base.join(relative).map_err(|_| Cause::ForeignOrigin)?;
        let ours = url.origin() == self.options.base.origin()
            && url.username().is_empty()
            && url.password().is_none();
        if ours { Ok(url) } else { Err(Cause::ForeignOrigin) }
    }

    async fn attempt(
        &self,
        call: &Call<'_>,
        url: &Url,
        deadline: Instant,
        attempts: &mut u32,
    ) -> Result<Answer, Failure> {
        let unsent = |cause| Failure { cause, effect: Effect::None, hint: Hint::Backoff };
        if !self.breaker.is_call_permitted() {
            self.count(call, "circuit_open");
            return Err(unsent(Cause::CircuitOpen));
        }
        let asked = Instant::now();
        let turn = self.throttle.turn(deadline).await;
        metrics::WAIT_SECONDS
            .with_label_values(&[self.options.service])
            .observe(asked.elapsed().as_secs_f64());
        let Some(_turn) = turn else {
            self.count(call, "no_turn");
            return Err(unsent(Cause::NoTurn));
        };
        *attempts += 1;
        let sent = Instant::now();
        let latest = deadline.min(sent + self.options.attempt);
        let exchanged = tokio::time::timeout_at(latest, self.exchange(call, url)).await;
        let result = match exchanged {
            Ok(Ok(answer)) => self.judge(call, answer),
            Ok(Err(cause)) => {
                // Only a connection that never came about is known to have carried nothing.
                let effect = match &cause {
                    Cause::Connect(_) | Cause::Invalid(_) => Effect::None,
                    _ => Effect::Unknown,
                };
                let hint = match &cause {
                    Cause::Invalid(_) | Cause::AnswerTooLarge { .. } => Hint::Never,
                    _ => Hint::Backoff,
                };
                Err(Failure { cause, effect, hint })
            }
            Err(_) => Err(Failure { effect: Effect::Unknown, ..unsent(Cause::Timeout) }),
        };
        let seconds = sent.elapsed().as_secs_f64();
        metrics::SECONDS.with_label_values(&[self.options.service, call.endpoint]).observe(seconds);
        self.count(call, result.as_ref().map_or_else(|failure| failure.cause.name(), |_| "ok"));
        self.inform_breaker(&result);
        result
    }

    /// The breaker is about the service being able to answer at all: what it says is another matter.
    fn inform_breaker(&self, result: &Result<Answer, Failure>) {
        match result {
            Ok(_) => self.breaker.on_success(),
            Err(failure) => match &failure.cause {
                Cause::Status { status, .. } if !status.is_server_error() => self.breaker.on_success(),
                _ => self.breaker.on_error(),
            },
        }
    }

    async fn exchange(&self, call: &Call<'_>, url: &Url) -> Result<Answer, Cause> {
        let mut request = self
            .http
            .request(call.method.clone(), url.clone())
            .headers(self.headers.clone())
            .header("x-request-id", uuid::Uuid::now_v7().to_string());
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let mut response = request.send().await.map_err(cause)?;
        let limit = self.options.max_answer;
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(cause)? {
            if body.len() + chunk.len() > limit {
                return Err(Cause::AnswerTooLarge { limit });
            }
            body.extend_from_slice(&chunk);
        }
        let limits = RateLimits::read(response.headers(), Timestamp::now());
        self.learn(&limits);
        Ok(Answer {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body: body.freeze(),
            attempts: 0,
            limits,
        })
    }

    fn learn(&self, limits: &RateLimits) {
        self.throttle.learn(limits);
        if limits.limit.is_some() || limits.remaining.is_some() {
            *self.limits.lock() = *limits;
        }
        let labels = [self.options.service, self.options.account.as_str()];
        if let Some(limit) = limits.limit {
            metrics::LIMIT.with_label_values(&labels).set(limit.into());
        }
        if let Some(remaining) = limits.remaining {
            metrics::REMAINING.with_label_values(&labels).set(remaining.into());
        }
    }

    fn judge(&self, call: &Call<'_>, answer: Answer) -> Result<Answer, Failure> {
        let status = answer.status;
        if status.is_success() || call.accept.contains(&status) {
            return Ok(answer);
        }
        let asked = retry_after(&answer.headers, Timestamp::now());
        let wait = asked.map_or(Hint::Backoff, Hint::After);
        let (effect, hint) = match status {
            StatusCode::TOO_MANY_REQUESTS => {
                let pause = asked.or(answer.limits.exhausted(self.options.window));
                // While the account has requests left it is one endpoint, or one ticket, that has to wait.
                let whole_account = answer.limits.remaining.is_none_or(|remaining| remaining == 0);
                if let Some(pause) = pause.filter(|_| whole_account) {
                    self.throttle.pause(pause);
                }
                (Effect::None, pause.map_or(Hint::Backoff, Hint::After))
            }
            // Who says when to come back has not done the work; without that it may be a proxy that gave up.
            StatusCode::SERVICE_UNAVAILABLE if asked.is_some() => (Effect::None, wait),
            StatusCode::REQUEST_TIMEOUT => (Effect::Unknown, wait),
            status if status.is_server_error() => (Effect::Unknown, wait),
            _ => (Effect::None, Hint::Never),
        };
        let cause = Cause::Status { status, code: error_code(&answer.body) };
        Err(Failure { cause, effect, hint })
    }

    fn count(&self, call: &Call<'_>, result: &str) {
        metrics::REQUESTS
            .with_label_values(&[self.options.service, self.options.account.as_str(), call.endpoint, result])
            .inc();
    }
}

fn cause(error: reqwest::Error) -> Cause {
    // The URL's query may hold a cursor or a search text.
    let error = error.without_url();
    if error.is_builder() {
        Cause::Invalid(error)
    } else if error.is_connect() {
        Cause::Connect(error)
    } else if error.is_timeout() {
        Cause::Timeout
    } else {
        Cause::Lost(error)
    }
}

/// The service's error code, if its answer has one that can't be free text with personal data in it.
fn error_code(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Body {
        #[serde(alias = "code")]
        error: serde_json::Value,
    }
    let body: Body = serde_json::from_slice(body).ok()?;
    let code = body.error.as_str().or_else(|| body.error.get("code")?.as_str())?;
    let plain = code.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    (plain && code.len() <= MAX_CODE_CHARS).then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(base: &str) -> Client {
        deskstream_runtime::install_crypto_provider();
        Client::new(ClientOptions::new("test", "acme", base.parse().unwrap())).unwrap()
    }

    #[test]
    fn requests_stay_at_the_configured_origin() {
        let client = client("https://acme.zendesk.com/");
        assert!(client.url("/api/v2/tickets/1").is_ok());
        assert!(client.url("https://acme.zendesk.com/api/v2/x?cursor=1").is_ok());
        for foreign in [
            "https://evil.example/api",
            "//evil.example/api",
            "http://acme.zendesk.com/api",
            "https://acme.zendesk.com:8443/api",
            "https://acme.zendesk.com@evil.example/",
            "https://user@acme.zendesk.com/",
            "file:///etc/passwd",
        ] {
            assert!(matches!(client.url(foreign), Err(Cause::ForeignOrigin)), "{foreign}");
        }
    }

    #[test]
    fn an_error_code_is_kept_and_free_text_is_not() {
        let code = |body: &str| error_code(body.as_bytes());
        assert_eq!(
            code(r#"{"error":"UpdateConflict","description":"x"}"#).as_deref(),
            Some("UpdateConflict")
        );
        assert_eq!(code(r#"{"error":{"code":"rate_limit","title":"x"}}"#).as_deref(), Some("rate_limit"));
        assert_eq!(code(r#"{"error":"mail jane@example.com"}"#), None);
        assert_eq!(code("<html>"), None);
    }

    #[test]
    fn credentials_never_show() {
        let mut options = ClientOptions::new("test", "acme", "http://127.0.0.1:1/".parse().unwrap());
        options.authorization = Some(SecretString::from("Basic hunter2"));
        assert!(!format!("{options:?}").contains("hunter2"));
        options.authorization = Some(SecretString::from("two\nlines"));
        deskstream_runtime::install_crypto_provider();
        let error = Client::new(options).err().unwrap().to_string();
        assert!(!error.contains("two") && error.contains("acme"), "{error}");
    }
}
