//! The client of one account. See the module's contract.

use super::breaker::{Breaker, breaker};
use super::call::{Answer, Call, Repeat};
use super::error::{CallError, Cause, Effect, Hint, SetupError};
use super::gate::{NoTurn, Turn};
use super::limits::{RateLimits, retry_after};
use super::metrics;
use super::options::ClientOptions;
use super::read::error_code;
use super::throttle::Throttle;
use bytes::BytesMut;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use parking_lot::Mutex;
use secrecy::ExposeSecret;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// Who stands behind another is told so after this.
const AT_ONCE: Duration = Duration::from_millis(20);

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
        let mut headers = options.headers.clone();
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
        let breaker = breaker(service, options.account.clone());
        let throttle = Throttle::new(&options);
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

    /// Waits for a turn at a budget before the caller does what the request rests on, such as reading the ticket
    /// that it updates: what was read a minute ago is stale. A turn that no call spends is given back.
    pub async fn reserve(&self, endpoint: &'static str, budget: &'static str) -> Result<Turn<'_>, CallError> {
        let asked = Instant::now();
        let turn = self.throttle.reserve(budget, asked + self.options.total).await;
        self.waited(asked);
        turn.map_err(|refused| CallError {
            service: self.options.service,
            endpoint,
            cause: Cause::NoTurn,
            effect: Effect::None,
            hint: hint(refused),
            attempts: 0,
        })
    }

    /// As [`Client::reserve`], if a turn comes at once.
    pub async fn reserve_at_once(&self, budget: &'static str) -> Option<Turn<'_>> {
        self.throttle.reserve(budget, Instant::now() + AT_ONCE).await.ok()
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
        let turn = self.throttle.turn(call, deadline).await;
        self.waited(asked);
        let _turn = turn.map_err(|refused| {
            self.count(call, "no_turn");
            Failure { hint: hint(refused), ..unsent(Cause::NoTurn) }
        })?;
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
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
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
        self.learn(call, &limits);
        Ok(Answer {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body: body.freeze(),
            attempts: 0,
            limits,
        })
    }

    fn waited(&self, since: Instant) {
        let seconds = since.elapsed().as_secs_f64();
        metrics::WAIT_SECONDS.with_label_values(&[self.options.service]).observe(seconds);
    }

    fn learn(&self, call: &Call<'_>, limits: &RateLimits) {
        self.throttle.learn(limits, call.budget);
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
        if let (Some(budget), Some(limit)) = (call.budget, limits.endpoint.and_then(|own| own.limit)) {
            let labels = [self.options.service, self.options.account.as_str(), budget];
            metrics::BUDGET.with_label_values(&labels).set(limit.into());
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
                // An endpoint whose own limit is used up has been paused by what the answer said of that.
                let whole_account = match answer.limits.remaining {
                    Some(remaining) => remaining == 0,
                    None => answer.limits.endpoint.is_none(),
                };
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

fn hint(refused: NoTurn) -> Hint {
    refused.wait.map_or(Hint::Backoff, Hint::After)
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

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::SecretString;

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
