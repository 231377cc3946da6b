//! Where records go that can't be processed: counted, explained, and kept sealed.

use super::error::SendError;
use super::producer::{Ack, Producer};
use super::sink::Sink;
use deskstream_runtime::Process;
use deskstream_runtime::control::ControlError;
use deskstream_runtime::seal::Vault;
use deskstream_runtime::time::now_ms;
use deskstream_schemas::{DeadLetter, EVERY_TENANT, Sealed, Stage};
use std::borrow::Cow;
use std::sync::Arc;

/// A larger payload is counted but not kept: with its envelope it would not fit a record.
const MAX_PAYLOAD_BYTES: usize = 7 * 1024 * 1024;

/// A record that could not be processed. Nothing but `payload` may hold personal data.
#[derive(Clone)]
pub struct Refusal<'a> {
    /// The tenant, or [`EVERY_TENANT`] if it could not be told.
    pub tenant: &'a str,
    /// Where it failed.
    pub stage: Stage,
    /// Stable reason code in kebab-case.
    pub reason: &'static str,
    /// What went wrong, in words.
    pub error: String,
    /// What an operator can do about it.
    pub fix: Cow<'static, str>,
    /// Source position: `topic/partition/offset`, `file:line`, `webhook/tenant/invocation`.
    pub source: String,
    /// The event's id, where it could be read.
    pub event_id: Option<String>,
    /// How often it was tried.
    pub attempts: i32,
    /// The record as received.
    pub payload: Option<&'a [u8]>,
}

/// Writes dead letters; cheap to clone.
#[derive(Clone)]
pub struct DeadLetterSink {
    sink: Sink<DeadLetter>,
    vault: Arc<Vault>,
}

impl DeadLetterSink {
    /// A sink for `deadletter`. Makes sure that a payload without a known tenant can be sealed too.
    pub async fn start(process: &Process, producer: Producer, by: &str) -> Result<Self, ControlError> {
        process.control.ensure_data_key(EVERY_TENANT, by).await?;
        Ok(Self { sink: Sink::new(process, producer), vault: Arc::clone(&process.vault) })
    }

    /// Writes a dead letter; waits for room, then for the acknowledgement.
    pub async fn send(&self, refusal: Refusal<'_>) -> Result<Ack, SendError> {
        let record = self.record(refusal)?;
        self.sink.send(&record.source, &record).await
    }

    /// As [`DeadLetterSink::send`], but fails with [`SendError::Busy`] where that would wait for room.
    pub async fn try_send(&self, refusal: Refusal<'_>) -> Result<Ack, SendError> {
        let record = self.record(refusal)?;
        self.sink.try_send(&record.source, &record).await
    }

    /// Writes a dead letter that was made before; waits as [`DeadLetterSink::send`] does.
    pub(crate) async fn send_record(&self, record: &DeadLetter) -> Result<Ack, SendError> {
        self.sink.send(&record.source, record).await
    }

    /// As [`DeadLetterSink::send_record`], without waiting for room.
    pub(crate) async fn try_send_record(&self, record: &DeadLetter) -> Result<Ack, SendError> {
        self.sink.try_send(&record.source, record).await
    }

    /// The dead letter, its payload sealed.
    pub(crate) fn record(&self, refusal: Refusal<'_>) -> Result<DeadLetter, SendError> {
        let payload_bytes = refusal.payload.map_or(0, |p| i64::try_from(p.len()).unwrap_or(i64::MAX));
        let kept = refusal.payload.filter(|p| p.len() <= MAX_PAYLOAD_BYTES);
        Ok(DeadLetter {
            payload: kept.map(|p| self.seal(refusal.tenant, &refusal.source, p)).transpose()?,
            payload_bytes,
            tenant: refusal.tenant.to_owned(),
            stage: refusal.stage,
            reason: refusal.reason.into(),
            error: refusal.error,
            fix: refusal.fix,
            source: refusal.source,
            event_id: refusal.event_id,
            failed_at: now_ms(),
            attempts: refusal.attempts,
        })
    }

    /// A tenant that has no key (yet, or any more) must not make the letter fail.
    fn seal(&self, tenant: &str, source: &str, payload: &[u8]) -> Result<Sealed, SendError> {
        let owner = if self.vault.has_key(tenant) { tenant } else { EVERY_TENANT };
        Ok(self.vault.seal(owner, source.as_bytes(), payload)?)
    }
}
