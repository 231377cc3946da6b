//! One delivery: its attempts, what each answer means, and the log of them.

use super::sender::SenderOptions;
use super::server::Shared;
use super::signature::sign;
use super::stats::count;
use super::webhooks::{Attempt, Webhook};
use crate::clock::second_text;
use axum::body::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(super) struct Delivery {
    pub(super) shared: Arc<Shared>,
    pub(super) flights: Arc<Semaphore>,
    pub(super) webhook: String,
    pub(super) invocation: String,
    pub(super) body: Bytes,
}

enum Next {
    Done,
    Retry(Duration),
    GiveUp,
}

#[derive(Default)]
struct Tries {
    attempts: u32,
    timeouts: u32,
    conflicts: u32,
    throttles: u32,
}

impl Delivery {
    pub(super) async fn run(self, held_back: Option<Duration>, mut flight: Option<OwnedSemaphorePermit>) {
        if let Some(wait) = held_back {
            tokio::time::sleep(wait).await;
        }
        let mut tries = Tries::default();
        loop {
            let held = match flight.take() {
                Some(held) => Some(held),
                None => Arc::clone(&self.flights).acquire_owned().await.ok(),
            };
            let next = self.attempt(&mut tries).await;
            // A delivery that waits for its retry is not in flight.
            drop(held);
            match next {
                Next::Done => break,
                Next::GiveUp => {
                    count(&self.shared.counters.given_up);
                    break;
                }
                Next::Retry(wait) => tokio::time::sleep(wait).await,
            }
        }
        self.shared.outbox.finish();
    }

    async fn attempt(&self, tries: &mut Tries) -> Next {
        let options = self.shared.sender.lock().clone();
        let Some(request) = self.prepare(&options) else { return Next::GiveUp };
        let (request, headers) = match request {
            Ok(request) => request,
            Err(wait) => {
                count(&self.shared.counters.circuit_broken);
                self.record("circuit broken", None, Vec::new(), String::new());
                tries.throttles += 1;
                let again = tries.throttles <= options.throttle_retries;
                return if again { Next::Retry(wait) } else { Next::GiveUp };
            }
        };
        count(&self.shared.counters.sent);
        if tries.attempts > 0 {
            count(&self.shared.counters.retried);
        }
        tries.attempts += 1;
        let (outcome, answer) = match request.send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                let retry_after = response.headers().get("retry-after");
                let retry_after =
                    retry_after.and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
                // The body must arrive within the time as well.
                match response.text().await {
                    Ok(text) => (Outcome::Answered { status, retry_after }, text),
                    Err(error) => (Outcome::of_error(&error), String::new()),
                }
            }
            Err(error) => (Outcome::of_error(&error), String::new()),
        };
        self.conclude(&options, tries, outcome, headers, answer)
    }

    fn conclude(
        &self,
        options: &SenderOptions,
        tries: &mut Tries,
        outcome: Outcome,
        headers: Vec<(String, String)>,
        answer: String,
    ) -> Next {
        let counters = &self.shared.counters;
        let acknowledged = matches!(outcome, Outcome::Answered { status: 200..=299, .. });
        count(if acknowledged { &counters.acknowledged } else { &counters.refused });
        if matches!(outcome, Outcome::TimedOut) {
            count(&counters.timeouts);
        }
        self.with_webhook(|webhook| webhook.breaker.record(&options.breaker, !acknowledged, Instant::now()));
        let pause = Duration::from_millis(options.retry_pause_ms);
        let next = match outcome {
            Outcome::Answered { status: 200..=299, .. } => Next::Done,
            Outcome::Answered { status: 409, .. } => {
                tries.conflicts += 1;
                if tries.conflicts <= options.conflict_retries { Next::Retry(pause) } else { Next::GiveUp }
            }
            Outcome::Answered { status: 429 | 503, retry_after: Some(seconds) }
                if seconds < options.longest_retry_after =>
            {
                tries.throttles += 1;
                let again = tries.throttles <= options.throttle_retries;
                if again { Next::Retry(Duration::from_secs(seconds)) } else { Next::GiveUp }
            }
            Outcome::TimedOut => {
                tries.timeouts += 1;
                if tries.timeouts <= options.timeout_retries { Next::Retry(pause) } else { Next::GiveUp }
            }
            Outcome::Answered { .. } | Outcome::Unreachable => Next::GiveUp,
        };
        let status = match (&next, outcome) {
            (Next::Done, _) => "success",
            (Next::Retry(_), Outcome::Answered { .. }) => "throttled",
            (Next::Retry(_), _) => "retrying",
            (Next::GiveUp, _) => "terminated",
        };
        self.record(status, Some(outcome.code()), headers, answer);
        next
    }

    /// The signed request, or the breaker's wait; `None` if the webhook is gone.
    #[allow(clippy::type_complexity, reason = "used once")]
    fn prepare(
        &self,
        options: &SenderOptions,
    ) -> Option<Result<(reqwest::RequestBuilder, Vec<(String, String)>), Duration>> {
        let timestamp = second_text(self.shared.clock.second());
        self.with_webhook(|webhook| {
            webhook.breaker.admit(&options.breaker, Instant::now())?;
            let headers =
                headers(self.shared.options.account_id, webhook, &self.invocation, &timestamp, &self.body);
            let mut request = self
                .shared
                .client
                .post(&webhook.endpoint)
                .timeout(Duration::from_millis(options.timeout_ms))
                .body(self.body.clone());
            for (name, value) in &headers {
                request = request.header(name, value);
            }
            Ok((request, headers))
        })
    }

    fn with_webhook<T>(&self, action: impl FnOnce(&mut Webhook) -> T) -> Option<T> {
        self.shared.account.lock().webhooks.get_mut(&self.webhook).map(action)
    }

    fn record(
        &self,
        status: &'static str,
        code: Option<u16>,
        headers: Vec<(String, String)>,
        answer: String,
    ) {
        let attempt = Attempt {
            status,
            status_code: code,
            completed_at: second_text(self.shared.clock.second()),
            headers,
            payload: self.body.clone(),
            answer,
        };
        self.with_webhook(|webhook| webhook.record(&self.invocation, attempt));
    }
}

#[derive(Clone, Copy)]
enum Outcome {
    Answered { status: u16, retry_after: Option<u64> },
    TimedOut,
    Unreachable,
}

impl Outcome {
    fn of_error(error: &reqwest::Error) -> Self {
        if error.is_timeout() { Self::TimedOut } else { Self::Unreachable }
    }

    /// As in the vendor's log, which shows a slow receiver as 504.
    fn code(self) -> u16 {
        match self {
            Self::Answered { status, .. } => status,
            Self::TimedOut => 504,
            Self::Unreachable => 502,
        }
    }
}

/// All headers of a delivery, in the order of a recorded one; also used by webhook tests.
pub(super) fn headers(
    account: u64,
    webhook: &Webhook,
    invocation: &str,
    timestamp: &str,
    body: &[u8],
) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = [
        ("X-Zendesk-Webhook-Signature-Timestamp", timestamp.to_owned()),
        ("X-Zendesk-Webhook-Signature", sign(&webhook.secret, timestamp, body)),
        ("Content-Type", "application/json; charset=utf-8".to_owned()),
        ("User-Agent", "Zendesk Webhook".to_owned()),
        ("X-Zendesk-Account-Id", account.to_string()),
        ("X-Zendesk-Webhook-Id", webhook.id.clone()),
        ("X-Zendesk-Webhook-Invocation-Id", invocation.to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    headers.extend(webhook.own_headers());
    headers
}
