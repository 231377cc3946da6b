//! What every poll does with the tickets that it finds: once per version into `events`, the unreadable into the dead
//! letter, and an [`Outcome`] of each round.
//!
//! A helpdesk that is away is no reason to take webhooks away from this process, so a poll that fails shows in
//! metrics, log and outcomes, not in readiness.

use super::account::Poll;
use super::metrics;
use super::recent::Recent;
use super::state;
use crate::fair::Turn;
use crate::http::{Backoff, CallError, Domain, RateLimits};
use crate::kafka::{Refusal, SendError, Sinks};
use deskstream_runtime::Process;
use deskstream_runtime::control::{Control, ControlError};
use deskstream_runtime::time::now_ms;
use deskstream_schemas::{Outcome, OutcomeKind, OutcomeResult, Platform, Stage, TicketContent, TicketEvent};
use futures::{StreamExt, stream};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

pub(super) const CURSOR_KIND: &str = "cursor";

/// Tickets that are being written at the same time.
const CONCURRENCY: usize = 256;

const RESEND: Backoff = Backoff { first: Duration::from_millis(500), most: Duration::from_secs(15) };
const AFTER_FAILURE: Backoff = Backoff { first: Duration::from_secs(2), most: Duration::from_secs(120) };

/// What a poll found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Polled {
    /// Tickets written to `events`.
    pub taken: u64,
    /// Tickets that an earlier page held in the same version.
    pub repeated: u64,
    /// Tickets that can't be read.
    pub refused: u64,
    /// Changes that a webhook should have brought and has not: of those taken, and of Zendesk only.
    pub missed: u64,
    /// Requests sent.
    pub requests: u32,
}

/// A poll failed; what it had acknowledged stays.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each variant wraps the error of one step")]
pub enum PollError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Send(#[from] SendError),
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error("the process is ending")]
    Shutdown,
}

/// Polls every `interval` until shutdown.
pub async fn every(interval: Duration, mut poller: Box<dyn Poll>) {
    let mut failures = 0;
    let shutdown = poller.intake().shutdown.clone();
    while poller.intake().resumed().await {
        // What a round had acknowledged stays, and the next one begins where its cursor is.
        let polled = tokio::select! {
            polled = poller.round() => polled,
            () = shutdown.cancelled() => break,
        };
        if matches!(polled, Err(PollError::Shutdown)) {
            break;
        }
        let wait = match &polled {
            Ok(_) => {
                failures = 0;
                interval
            }
            Err(error) => {
                failures += 1;
                let tenant = &poller.intake().tenant;
                tracing::warn!(tenant, %error, failures, "poll failed");
                AFTER_FAILURE.wait(failures).min(interval.max(AFTER_FAILURE.first))
            }
        };
        poller.intake().tell(&polled, poller.limits()).await;
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = shutdown.cancelled() => break,
        }
    }
}

/// Where the tickets of one tenant's polls go.
pub struct Intake {
    tenant: String,
    platform: Platform,
    name: String,
    sinks: Sinks,
    control: Control,
    shutdown: CancellationToken,
    seen: Recent<(String, i64)>,
}

impl Intake {
    /// An intake that remembers the latest so many versions.
    pub(crate) fn new(
        process: &Process,
        sinks: Sinks,
        tenant: &str,
        platform: Platform,
        remembered: usize,
    ) -> Self {
        Self {
            tenant: tenant.to_owned(),
            platform,
            name: format!("{tenant}/{platform}"),
            sinks,
            control: process.control.clone(),
            shutdown: process.shutdown.clone(),
            seen: Recent::new(remembered),
        }
    }

    /// The durable cursor: an entity of the control topic of kind `cursor`, whose id is [`Intake::name`].
    pub(crate) fn cursor<T: DeserializeOwned>(&self) -> Option<T> {
        let entity = self.control.get(CURSOR_KIND, self.name())?;
        match serde_json::from_str(&entity.body) {
            Ok(cursor) => Some(cursor),
            Err(error) => {
                tracing::error!(tenant = self.tenant, platform = %self.platform, %error, "the stored cursor can't be read: beginning again");
                None
            }
        }
    }

    /// Keeps the cursor.
    pub(crate) async fn keep<T: Serialize>(&self, cursor: &T) -> Result<(), PollError> {
        let body = serde_json::to_value(cursor).expect("texts and numbers are JSON");
        self.control.put_json(CURSOR_KIND, self.name(), &self.tenant, "connect", &body).await?;
        Ok(())
    }

    /// Name of the account in outcomes, and of its cursor.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The same with a cursor of its own, beside that of the poll.
    pub(crate) fn beside(mut self, what: &str) -> Self {
        self.name = format!("{}/{what}", self.name);
        self
    }

    /// Whether this version of the ticket was taken lately.
    pub(crate) fn knows(&self, ticket_id: &str, version: i64) -> bool {
        self.seen.contains(&(ticket_id.to_owned(), version))
    }

    /// Counts a ticket that was taken before.
    pub(crate) fn repeated(&self, polled: &mut Polled) {
        polled.repeated += 1;
        self.count("repeated");
    }

    /// Writes events; returns when all are acknowledged.
    pub(crate) async fn take(
        &mut self,
        events: Vec<(TicketEvent, TicketContent)>,
        polled: &mut Polled,
    ) -> Result<(), PollError> {
        let mut tries = 0;
        let mut left = events;
        while !left.is_empty() {
            let results = send_all(&self.sinks, left).await;
            left = Vec::new();
            for (event, content, result) in results {
                match result {
                    Ok(()) => {
                        polled.taken += 1;
                        self.count("taken");
                        polled.missed += u64::from(self.missed(&event));
                        self.seen.insert((event.ticket_id, event.version));
                    }
                    Err(error) if error.retry() => left.push((event, content)),
                    Err(error) => {
                        let (reason, id) = (error.reason(), Some(event.event_id));
                        self.refuse("null", reason, error.to_string(), id, polled).await?;
                    }
                }
            }
            if !left.is_empty() {
                tries += 1;
                tracing::warn!(tenant = self.tenant, left = left.len(), "the broker does not acknowledge");
                self.wait(RESEND.wait(tries)).await?;
            }
        }
        Ok(())
    }

    /// Waits while the account is paused; false if the process ends.
    async fn resumed(&self) -> bool {
        state::resumed(&self.control, &self.tenant, self.platform, &self.shutdown).await
    }

    /// Waits until this account's next page may be read. Hold it until what the page holds is taken.
    pub(crate) async fn page(&self) -> Turn {
        self.sinks.pages.turn(&self.tenant, 1).await
    }

    /// Whether no webhook has brought a change. Of Zendesk only: others send no webhook for what we write.
    fn missed(&self, event: &TicketEvent) -> bool {
        let missed =
            || self.sinks.delivered.missed(&self.tenant, self.platform, &event.ticket_id, event.version);
        let missed = self.platform == Platform::Zendesk && missed();
        if missed {
            metrics::MISSED.with_label_values(&[self.tenant.as_str()]).inc();
        }
        missed
    }

    /// Keeps what can't be used, sealed, in the dead letter.
    pub(crate) async fn refuse(
        &self,
        raw: &str,
        reason: &'static str,
        error: String,
        event_id: Option<String>,
        polled: &mut Polled,
    ) -> Result<(), PollError> {
        polled.refused += 1;
        self.count("dead_letter");
        let payload = raw.as_bytes();
        let refusal = Refusal {
            tenant: &self.tenant,
            stage: Stage::Receive,
            reason,
            error,
            fix: Cow::Borrowed(
                "read the ticket at the helpdesk; report it if the helpdesk's shape has changed",
            ),
            source: format!("poll/{}/{:016x}", self.tenant, xxhash_rust::xxh3::xxh3_64(payload)),
            event_id,
            attempts: 1,
            payload: Some(payload),
        };
        self.sinks.dead_letters.send(refusal).await?;
        Ok(())
    }

    /// Notes that a poll came to the present end.
    pub(crate) fn reached_the_end(&self) {
        metrics::POLLED_AT.with_label_values(&[self.tenant.as_str()]).set(now_ms() / 1000);
    }

    /// Tells the poll's outcome; one that can't be told is no reason to stop.
    async fn tell(&self, polled: &Result<Polled, PollError>, limits: RateLimits) {
        let (result, status, attempts, detail) = match polled {
            Ok(polled) => (
                OutcomeResult::Applied,
                Some(200),
                polled.requests,
                format!("taken {}, repeated {}, refused {}", polled.taken, polled.repeated, polled.refused),
            ),
            Err(PollError::Call(error)) => {
                let whose = if error.domain() == Domain::User { "check the account: " } else { "" };
                let status = error.status().map(|status| status.as_u16().into());
                (OutcomeResult::Failed, status, error.attempts, format!("{whose}{error}"))
            }
            Err(error) => (OutcomeResult::Failed, None, 0, error.to_string()),
        };
        let counted = if result == OutcomeResult::Applied { "done" } else { "failed" };
        metrics::POLLS.with_label_values(&[self.tenant.as_str(), counted]).inc();
        let outcome = Outcome {
            kind: OutcomeKind::Poll,
            subject: self.name().to_owned(),
            tenant: self.tenant.clone(),
            service: self.platform.as_str().to_owned(),
            ticket_id: None,
            result,
            status,
            attempts: i32::try_from(attempts).unwrap_or(i32::MAX),
            detail,
            received_at: None,
            finished_at: now_ms(),
            rate_limit: limits.limit.map(Into::into),
            rate_remaining: limits.remaining.map(Into::into),
        };
        if let Err(error) = self.sinks.outcomes.send(self.name(), &outcome).await {
            tracing::warn!(tenant = self.tenant, %error, "outcome of a poll not acknowledged");
        }
    }

    /// Waits, unless the process ends.
    pub(crate) async fn wait(&self, time: Duration) -> Result<(), PollError> {
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            () = self.shutdown.cancelled() => Err(PollError::Shutdown),
        }
    }

    /// Counts a ticket that was found.
    pub(crate) fn count(&self, result: &str) {
        metrics::POLLED.with_label_values(&[self.tenant.as_str(), result]).inc();
    }
}

async fn send_all(
    sinks: &Sinks,
    events: Vec<(TicketEvent, TicketContent)>,
) -> Vec<(TicketEvent, TicketContent, Result<(), SendError>)> {
    stream::iter(events)
        .map(|(event, content)| async move {
            let sent = sinks.polled.send(event.clone(), &content).await.map(drop);
            (event, content, sent)
        })
        .buffer_unordered(CONCURRENCY)
        .collect()
        .await
}
