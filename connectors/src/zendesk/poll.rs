//! Polling by cursor-based incremental export: finds what webhooks lost.
//!
//! The cursor is an entity of the control topic (kind `cursor`, id `tenant/zendesk`, body
//! `{"cursor": …, "start_time": s, "reached_at": ms}`). It advances only after every ticket of its page is acknowledged, so a crash
//! repeats a page and loses none; the event ids are derived, so a repeated page repeats no id (see [`super::map`]).
//!
//! The first poll begins an hour back: older tickets are a matter for `deskstream import`. Zendesk wants a
//! start at least a minute in the past and leaves the last minute out, so a poll is a minute behind by nature.
//! A cursor that Zendesk no longer takes is replaced by the time at which it was last good.
//!
//! A helpdesk that is away is no reason to take webhooks away from this process, so a poll that fails shows in
//! metrics, log and outcomes, not in readiness.
//!
//! Each poll is told as an [`Outcome`] of kind `POLL` with the account's rate limit and what is left of it.

use super::client::{self, Api, Page, Start};
use super::decode::DecodeError;
use super::recent::Recent;
use super::{map, metrics};
use crate::http::{Backoff, CallError, Domain};
use crate::kafka::{Refusal, SendError, Sinks};
use deskstream_runtime::Process;
use deskstream_runtime::control::{Control, ControlError};
use deskstream_runtime::time::now_ms;
use deskstream_schemas::{Origin, Outcome, OutcomeKind, OutcomeResult, Stage, TicketContent, TicketEvent};
use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const CURSOR_KIND: &str = "cursor";

/// How far back the first poll looks.
const FIRST_LOOK_BACK_S: i64 = 60 * 60;

/// Zendesk wants a minute; our clock and theirs may differ by another.
const LEAST_LOOK_BACK_S: i64 = 120;

/// Overlap when a cursor has been lost.
const LOST_LOOK_BACK_S: i64 = 10 * 60;

/// The export takes ten requests a minute (thirty with an add-on).
const PAGE_SPACING: Duration = Duration::from_secs(6);

/// Tickets that are being written at the same time.
const CONCURRENCY: usize = 256;

/// An export repeats tickets at its edges; a page has at most a thousand.
const REMEMBERED: usize = 4096;

const RESEND: Backoff = Backoff { first: Duration::from_millis(500), most: Duration::from_secs(15) };
const AFTER_FAILURE: Backoff = Backoff { first: Duration::from_secs(2), most: Duration::from_secs(120) };

/// The durable cursor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    /// Null as long as the export had nothing to give: then it begins at `start_time` again.
    cursor: Option<String>,
    /// Unix time at which the first export began.
    start_time: i64,
    /// When this was got, in ms since the Unix epoch.
    reached_at: i64,
}

/// What a poll found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Polled {
    /// Tickets written to `events`.
    pub taken: u64,
    /// Tickets that an earlier page held in the same version.
    pub repeated: u64,
    /// Tickets that can't be read.
    pub refused: u64,
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

/// Polls one tenant.
pub struct Poller {
    tenant: String,
    api: Arc<Api>,
    control: Control,
    sinks: Sinks,
    shutdown: CancellationToken,
    seen: Recent<(String, i64)>,
    page_spacing: Duration,
}

impl Poller {
    /// A poller.
    pub fn new(process: &Process, sinks: Sinks, tenant: &str, api: Arc<Api>) -> Self {
        Self {
            tenant: tenant.to_owned(),
            api,
            control: process.control.clone(),
            sinks,
            shutdown: process.shutdown.clone(),
            seen: Recent::new(REMEMBERED),
            page_spacing: PAGE_SPACING,
        }
    }

    /// Waits this long between the pages of one poll.
    #[must_use]
    pub fn with_page_spacing(mut self, spacing: Duration) -> Self {
        self.page_spacing = spacing;
        self
    }

    /// Polls every `interval` until shutdown.
    pub async fn run(mut self, interval: Duration) {
        let mut failures = 0;
        while !self.shutdown.is_cancelled() {
            let polled = self.poll().await;
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
                    tracing::warn!(tenant = self.tenant, %error, failures, "poll failed");
                    AFTER_FAILURE.wait(failures).min(interval.max(AFTER_FAILURE.first))
                }
            };
            self.tell(&polled).await;
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.shutdown.cancelled() => break,
            }
        }
    }

    /// Reads the export from the cursor to its present end.
    pub async fn poll(&mut self) -> Result<Polled, PollError> {
        let mut polled = Polled::default();
        loop {
            let now = now_ms();
            let mut at = self.cursor().unwrap_or_else(|| Cursor {
                cursor: None,
                start_time: now / 1000 - FIRST_LOOK_BACK_S,
                reached_at: now,
            });
            let start = match &at.cursor {
                Some(cursor) => Start::Cursor(cursor),
                None => Start::Time(at.start_time.min(now / 1000 - LEAST_LOOK_BACK_S)),
            };
            let page = match self.api.export(&start).await? {
                Some(page) => page,
                None => self.restart(at.reached_at).await?,
            };
            polled.requests += page.attempts();
            let body = self.api.page_body(&page)?;
            self.take(&body.tickets, &mut polled).await?;
            let moved = body.after_cursor.is_some();
            at.cursor = body.after_cursor.or(at.cursor);
            at.reached_at = now;
            let entity = serde_json::to_value(&at).expect("texts and numbers are JSON");
            self.control.put_json(CURSOR_KIND, &self.name(), &self.tenant, "connect", &entity).await?;
            if !moved && !body.end_of_stream {
                // Neither an end nor a way on: ask again from the same place next time.
                tracing::warn!(tenant = self.tenant, "the export gave no cursor and no end");
                break;
            }
            if body.end_of_stream {
                break;
            }
            let spacing = self.spacing(&page);
            self.wait(spacing).await?;
        }
        metrics::POLLED_AT.with_label_values(&[self.tenant.as_str()]).set(now_ms() / 1000);
        Ok(polled)
    }

    /// Begins anew where a cursor was last good.
    async fn restart(&self, reached_at: i64) -> Result<Page, PollError> {
        let now = now_ms() / 1000;
        let from = (reached_at / 1000 - LOST_LOOK_BACK_S).min(now - LEAST_LOOK_BACK_S).max(0);
        tracing::warn!(tenant = self.tenant, from, "Zendesk no longer takes the cursor: beginning again");
        let page = self.api.export(&Start::Time(from)).await?;
        Ok(page.expect("an export from a time is an answer or an error"))
    }

    fn spacing(&self, page: &Page) -> Duration {
        let told = page.limits().endpoint.and_then(|endpoint| endpoint.limit).filter(|limit| *limit > 0);
        told.map_or(self.page_spacing, |limit| (Duration::from_secs(60) / limit).min(self.page_spacing))
    }

    fn name(&self) -> String {
        format!("{}/zendesk", self.tenant)
    }

    fn cursor(&self) -> Option<Cursor> {
        let entity = self.control.get(CURSOR_KIND, &self.name())?;
        match serde_json::from_str(&entity.body) {
            Ok(cursor) => Some(cursor),
            Err(error) => {
                tracing::error!(tenant = self.tenant, %error, "the stored cursor can't be read: beginning again");
                None
            }
        }
    }

    /// Writes a page's tickets; returns when all are acknowledged.
    async fn take(&mut self, tickets: &[&RawValue], polled: &mut Polled) -> Result<(), PollError> {
        let received_at = now_ms();
        let mut events = Vec::with_capacity(tickets.len());
        for raw in tickets {
            match read(&self.tenant, raw, received_at) {
                Ok(Some((event, content))) => {
                    if self.seen.contains(&(event.ticket_id.clone(), event.version)) {
                        polled.repeated += 1;
                        self.count("repeated");
                    } else {
                        events.push((event, content));
                    }
                }
                Ok(None) => self.count("deleted"),
                Err(error) => {
                    polled.refused += 1;
                    self.refuse(raw, error.reason(), error.to_string(), None).await?;
                }
            }
        }
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
                        self.seen.insert((event.ticket_id, event.version));
                    }
                    Err(error) if error.retry() => left.push((event, content)),
                    Err(error) => {
                        polled.refused += 1;
                        let raw = RawValue::from_string("null".to_owned()).expect("null is JSON");
                        self.refuse(&raw, error.reason(), error.to_string(), Some(event.event_id)).await?;
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

    async fn refuse(
        &self,
        raw: &RawValue,
        reason: &'static str,
        error: String,
        event_id: Option<String>,
    ) -> Result<(), PollError> {
        self.count("dead_letter");
        let payload = raw.get().as_bytes();
        let refusal = Refusal {
            tenant: &self.tenant,
            stage: Stage::Receive,
            reason,
            error,
            fix: Cow::Borrowed("read the ticket at the helpdesk; report it if Zendesk's shape has changed"),
            source: format!("poll/{}/{:016x}", self.tenant, xxhash_rust::xxh3::xxh3_64(payload)),
            event_id,
            attempts: 1,
            payload: Some(payload),
        };
        self.sinks.dead_letters.send(refusal).await?;
        Ok(())
    }

    /// Tells the poll's outcome; one that can't be told is no reason to stop.
    async fn tell(&self, polled: &Result<Polled, PollError>) {
        let limits = self.api.limits();
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
            subject: self.name(),
            tenant: self.tenant.clone(),
            service: "zendesk".to_owned(),
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
        if let Err(error) = self.sinks.outcomes.send(&self.name(), &outcome).await {
            tracing::warn!(tenant = self.tenant, %error, "outcome of a poll not acknowledged");
        }
    }

    async fn wait(&self, time: Duration) -> Result<(), PollError> {
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            () = self.shutdown.cancelled() => Err(PollError::Shutdown),
        }
    }

    fn count(&self, result: &str) {
        metrics::POLLED.with_label_values(&[self.tenant.as_str(), result]).inc();
    }
}

fn read(
    tenant: &str,
    raw: &RawValue,
    received_at: i64,
) -> Result<Option<(TicketEvent, TicketContent)>, DecodeError> {
    map::rest(tenant, &client::read_ticket(raw)?, Origin::Poll, received_at)
}

async fn send_all(
    sinks: &Sinks,
    events: Vec<(TicketEvent, TicketContent)>,
) -> Vec<(TicketEvent, TicketContent, Result<(), SendError>)> {
    stream::iter(events)
        .map(|(event, content)| async move {
            let sent = sinks.events.send(event.clone(), &content).await.map(drop);
            (event, content, sent)
        })
        .buffer_unordered(CONCURRENCY)
        .collect()
        .await
}
