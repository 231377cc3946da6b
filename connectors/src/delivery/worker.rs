//! What becomes of one transition at one channel: sent until there is a definite answer, remembered, recorded.

use super::channel::{Channel, Failure, Reply, Verdict};
use super::keep::Keeper;
use super::ledger::{APPLIED, Ledger};
use super::message::state;
use super::metrics;
use crate::http::{Backoff, Effect, Hint};
use crate::kafka::{
    AuditSink, DeadLetterSink, Handled, OutcomeSink, Received, Refusal, SendError, Unhandled,
};
use deskstream_runtime::time::now_ms;
use deskstream_schemas::{
    ActorKind, Alert, AuditOutcome, AuditRecord, Encoder, Outcome, OutcomeKind, OutcomeResult, Stage, Text,
};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Who did it, in audit records and control entities.
pub(super) const ACTOR: &str = "deskstream-delivery";

/// Between tries to write to Kafka.
const RECORD_RETRY: Duration = Duration::from_secs(1);

/// One channel.
pub(super) struct Worker {
    pub(super) name: String,
    pub(super) channel: Channel,
    pub(super) ledger: Ledger,
    pub(super) keeper: Keeper,
    pub(super) outcomes: OutcomeSink,
    pub(super) audit: AuditSink,
    pub(super) dead_letters: DeadLetterSink,
    pub(super) encoder: Encoder<Alert>,
    pub(super) wait: Backoff,
    pub(super) shutdown: CancellationToken,
}

/// How a transition ended.
struct End {
    result: OutcomeResult,
    status: Option<u16>,
    attempts: u32,
    detail: String,
    thread: Option<String>,
}

impl Worker {
    /// Handles a record of the alerts topic.
    pub(super) async fn handle(&self, received: &Received<Alert>) -> Handled {
        let alert = &received.record;
        if !alert.channels.contains(&self.name) {
            return Ok(());
        }
        let end = if self.ledger.covers(alert) {
            End {
                result: OutcomeResult::AlreadyApplied,
                status: None,
                attempts: 0,
                detail: format!("{} via {}: delivered before", state(alert), self.name),
                thread: None,
            }
        } else {
            let _in_hand = self.keeper.take(alert.key());
            let end = self.deliver(received).await?;
            self.remember(alert, &end).await?;
            end
        };
        self.record(alert, &end).await?;
        self.count(alert, &end);
        Ok(())
    }

    /// Sends until the answer is definite.
    async fn deliver(&self, received: &Received<Alert>) -> Result<End, Unhandled> {
        let alert = &received.record;
        let stuck = Stuck::new(&self.name);
        let (mut attempts, mut repeat) = (0u32, false);
        let thread = self.ledger.thread(alert);
        let mut waits = self.wait.waits();
        loop {
            let sent = {
                let _sending = self.keeper.sending().await;
                self.channel.send(alert, repeat, thread.as_deref()).await
            };
            match sent {
                Ok(Reply { verdict, status, attempts: more, thread }) => {
                    attempts += more;
                    let end = self.ended(received, verdict, status, attempts).await?;
                    return Ok(End { thread, ..end });
                }
                Err(failure) if failure.hint == Hint::Never => {
                    attempts += failure.attempts;
                    let verdict = Verdict::Refused {
                        reason: failure.cause,
                        fix: "check alerts.channels: the service does not take our requests",
                    };
                    return self.ended(received, verdict, failure.status.unwrap_or(0), attempts).await;
                }
                Err(failure) => {
                    attempts += failure.attempts;
                    repeat |= failure.effect == Effect::Unknown;
                    stuck.failed();
                    let wait = waits.next().unwrap_or(self.wait.most);
                    self.pause(alert, &failure, wait).await?;
                }
            }
        }
    }

    async fn pause(&self, alert: &Alert, failure: &Failure, wait: Duration) -> Result<(), Unhandled> {
        let wait = match failure.hint {
            Hint::After(asked) => wait.max(asked),
            Hint::Backoff | Hint::Never => wait,
        };
        metrics::TRIES.with_label_values(&[&self.name]).inc();
        tracing::warn!(
            channel = self.name,
            dedup_key = alert.dedup_key,
            state = state(alert),
            cause = failure.cause,
            wait_ms = wait.as_millis(),
            "alert not delivered, trying again"
        );
        self.sleep(wait).await
    }

    async fn ended(
        &self,
        received: &Received<Alert>,
        verdict: Verdict,
        status: u16,
        attempts: u32,
    ) -> Result<End, Unhandled> {
        let alert = &received.record;
        let status = (status > 0).then_some(status);
        match verdict {
            Verdict::Accepted => Ok(End {
                result: OutcomeResult::Applied,
                status,
                attempts,
                detail: format!("{} via {}", state(alert), self.name),
                thread: None,
            }),
            Verdict::Refused { reason, fix } => {
                let detail = format!("{} via {}: refused ({reason})", state(alert), self.name);
                tracing::error!(
                    channel = self.name,
                    dedup_key = alert.dedup_key,
                    status,
                    reason,
                    "alert refused"
                );
                self.bury(received, &detail, fix, attempts).await?;
                Ok(End { result: OutcomeResult::Rejected, status, attempts, detail, thread: None })
            }
        }
    }

    async fn bury(
        &self,
        received: &Received<Alert>,
        error: &str,
        fix: &'static str,
        attempts: u32,
    ) -> Result<(), Unhandled> {
        let alert = &received.record;
        let payload = self.encoder.encode(alert).ok();
        let refusal = Refusal {
            tenant: &alert.tenant,
            stage: Stage::Sink,
            reason: "alert-rejected",
            error: format!("{} {error}", self.channel.service()),
            fix: Cow::Borrowed(fix),
            source: received.source(),
            event_id: None,
            attempts: number(attempts),
            payload: payload.as_deref(),
        };
        self.until_written("dead letter", async || self.dead_letters.send(refusal.clone()).await.map(drop))
            .await
    }

    /// Until this is durable, a crash sends the transition again: it comes before all other records.
    async fn remember(&self, alert: &Alert, end: &End) -> Result<(), Unhandled> {
        let result = result_name(end.result);
        while let Err(error) = self.ledger.enter(alert, result, end.thread.clone(), ACTOR).await {
            tracing::warn!(channel = self.name, %error, "delivery not remembered, trying again");
            self.sleep(RECORD_RETRY).await?;
        }
        Ok(())
    }

    async fn record(&self, alert: &Alert, end: &End) -> Result<(), Unhandled> {
        let now = now_ms();
        let outcome = Outcome {
            kind: OutcomeKind::Alert,
            subject: alert.dedup_key.clone(),
            tenant: alert.tenant.clone(),
            service: self.channel.service().to_owned(),
            ticket_id: None,
            result: end.result,
            status: end.status.map(i32::from),
            attempts: number(end.attempts),
            detail: end.detail.clone(),
            received_at: Some(alert.changed_at),
            finished_at: now,
            rate_limit: None,
            rate_remaining: None,
        };
        let key = alert.key();
        self.until_written("outcome", async || self.outcomes.send(&key, &outcome).await.map(drop)).await?;
        let audit = self.audit_record(alert, end, now);
        self.until_written("audit record", async || self.audit.send(&audit.tenant, &audit).await.map(drop))
            .await
    }

    fn audit_record(&self, alert: &Alert, end: &End, at: i64) -> AuditRecord {
        let detail: BTreeMap<Text, String> = [
            (Text::Borrowed("channel"), self.name.clone()),
            (Text::Borrowed("service"), self.channel.service().to_owned()),
            (Text::Borrowed("state"), state(alert).to_owned()),
            (Text::Borrowed("dedup_key"), alert.dedup_key.clone()),
            (Text::Borrowed("result"), result_name(end.result).to_owned()),
            (Text::Borrowed("attempts"), end.attempts.to_string()),
        ]
        .into();
        AuditRecord {
            audit_id: Uuid::now_v7().to_string(),
            tenant: alert.tenant.clone(),
            at,
            actor_kind: ActorKind::System,
            actor: ACTOR.to_owned(),
            action: Cow::Borrowed("deliver.alert"),
            resource: format!("alert/{}", alert.key()),
            outcome: match end.result {
                OutcomeResult::Rejected | OutcomeResult::Failed => AuditOutcome::Error,
                _ => AuditOutcome::Ok,
            },
            detail,
            source_ip: None,
            user_agent: None,
            request_id: None,
        }
    }

    fn count(&self, alert: &Alert, end: &End) {
        metrics::TRANSITIONS.with_label_values(&[self.name.as_str(), result_name(end.result)]).inc();
        if end.result == OutcomeResult::Applied {
            let ms = now_ms().saturating_sub(alert.changed_at).max(0);
            metrics::SECONDS.with_label_values(&[&self.name]).observe(ms as f64 / 1000.0);
        }
    }

    /// Writes a record however long that takes; one that can never be written is given up, with an error line.
    async fn until_written<F>(&self, what: &str, send: impl Fn() -> F) -> Result<(), Unhandled>
    where
        F: Future<Output = Result<(), SendError>>,
    {
        while let Err(error) = send().await {
            if !error.retry() {
                tracing::error!(channel = self.name, %error, what, "record can't be written");
                return Ok(());
            }
            tracing::warn!(channel = self.name, %error, what, "record not acknowledged, trying again");
            self.sleep(RECORD_RETRY).await?;
        }
        Ok(())
    }

    async fn sleep(&self, wait: Duration) -> Result<(), Unhandled> {
        tokio::select! {
            () = tokio::time::sleep(wait) => Ok(()),
            () = self.shutdown.cancelled() => Err(Unhandled::Abandoned),
        }
    }
}

fn result_name(result: OutcomeResult) -> &'static str {
    match result {
        OutcomeResult::Applied => APPLIED,
        OutcomeResult::AlreadyApplied => "already_applied",
        OutcomeResult::Skipped => "skipped",
        OutcomeResult::Rejected => "rejected",
        OutcomeResult::Failed => "failed",
    }
}

fn number(attempts: u32) -> i32 {
    i32::try_from(attempts).unwrap_or(i32::MAX)
}

/// Counts a transition as stuck from its first failure until it is dropped.
struct Stuck<'a> {
    channel: &'a str,
    counted: std::cell::Cell<bool>,
}

impl<'a> Stuck<'a> {
    fn new(channel: &'a str) -> Self {
        Self { channel, counted: std::cell::Cell::new(false) }
    }

    fn failed(&self) {
        if !self.counted.replace(true) {
            metrics::STUCK.with_label_values(&[self.channel]).inc();
        }
    }
}

impl Drop for Stuck<'_> {
    fn drop(&mut self) {
        if self.counted.get() {
            metrics::STUCK.with_label_values(&[self.channel]).dec();
        }
    }
}
