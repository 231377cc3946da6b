//! What a feed's handler gets and answers, and what becomes of a record by that.

use super::dead_letter::{DeadLetterSink, Refusal};
use super::metrics;
use deskstream_schemas::{DecodeError, Decoder, EVERY_TENANT, Record, Stage};
use futures::FutureExt;
use rdkafka::message::{Message, OwnedMessage};
use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

const SCHEMA_RETRY: Duration = Duration::from_millis(50);
const DEAD_LETTER_RETRY: Duration = Duration::from_secs(1);

/// A record as a handler gets it.
#[derive(Debug)]
pub struct Received<T> {
    /// The record.
    pub record: T,
    /// Its key; empty if it has none or is no text.
    pub key: String,
    /// Full name of the topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// How often the handler was called for it before.
    pub tries: u32,
    /// Whether another process, or this one before it lost the partition, may have handled it already.
    pub maybe_repeated: bool,
}

impl<T> Received<T> {
    /// Its source position, as in dead letters.
    pub fn source(&self) -> String {
        position(&self.topic, self.partition, self.offset)
    }
}

/// How a handler ends: well, or with what shall happen instead.
pub type Handled = Result<(), Unhandled>;

/// What shall happen to a record that its handler did not finish.
#[derive(Debug, Clone)]
pub enum Unhandled {
    /// It can never be handled: to the dead letter.
    Poison {
        /// Stable reason code in kebab-case.
        reason: &'static str,
        /// What is wrong, without personal data.
        error: String,
        /// What an operator can do about it.
        fix: Cow<'static, str>,
    },
    /// Call the handler again after this time; later records of the same key wait.
    Later(Duration),
    /// The process is ending: leave it to the next one.
    Abandoned,
}

/// What becomes of one record, from its bytes to a finished offset.
pub(super) struct Worker<T: Record, H> {
    pub(super) name: &'static str,
    pub(super) handler: H,
    pub(super) decoder: Arc<Decoder<T>>,
    pub(super) dead_letters: DeadLetterSink,
    pub(super) slots: Semaphore,
    pub(super) shutdown: CancellationToken,
}

impl<T: Record + Sync, H, F> Worker<T, H>
where
    H: Fn(Arc<Received<T>>) -> F + Send + Sync + 'static,
    F: Future<Output = Handled> + Send + 'static,
{
    /// Whether the record is finished, so that its offset may be passed.
    pub(super) async fn work(&self, message: &OwnedMessage, maybe_repeated: bool) -> bool {
        let Some(payload) = message.payload() else {
            self.count("empty");
            return true;
        };
        let record = loop {
            match self.decoder.decode(payload) {
                Ok(record) => break record,
                Err(DecodeError::Pending { .. }) => {
                    if !self.wait(SCHEMA_RETRY).await {
                        return self.abandon();
                    }
                }
                Err(error) => {
                    let fix =
                        "find the producer that wrote it; the payload is kept sealed in the dead letter";
                    let poison = (Stage::Decode, error.reason(), error.to_string(), Cow::Borrowed(fix));
                    return self.bury(message, poison, 1).await;
                }
            }
        };
        let mut received = Arc::new(Received {
            record,
            key: message.key().and_then(|k| std::str::from_utf8(k).ok()).unwrap_or_default().to_owned(),
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            tries: 0,
            maybe_repeated,
        });
        loop {
            let slot = tokio::select! {
                slot = self.slots.acquire() => slot.expect("the slots' semaphore is never closed"),
                () = self.shutdown.cancelled() => return self.abandon(),
            };
            let call = async { (self.handler)(Arc::clone(&received)).await };
            let handled = AssertUnwindSafe(call).catch_unwind().await;
            drop(slot);
            let attempts = received.tries.saturating_add(1);
            match handled {
                Ok(Ok(())) => {
                    self.count("done");
                    return true;
                }
                Ok(Err(Unhandled::Abandoned)) => return self.abandon(),
                Ok(Err(Unhandled::Later(after))) => {
                    self.count("later");
                    if !self.wait(after).await {
                        return self.abandon();
                    }
                    match Arc::get_mut(&mut received) {
                        Some(received) => {
                            received.tries = attempts;
                            received.maybe_repeated = true;
                        }
                        None => {
                            tracing::debug!(feed = self.name, "a handler kept its record: tries not counted");
                        }
                    }
                }
                Ok(Err(Unhandled::Poison { reason, error, fix })) => {
                    return self.bury(message, (Stage::Sink, reason, error, fix), attempts).await;
                }
                Err(_panic) => {
                    let error = format!("the handler of feed {} panicked", self.name);
                    let fix = Cow::Borrowed("this is a bug: report it with the log around this time");
                    return self.bury(message, (Stage::Sink, "panic", error, fix), attempts).await;
                }
            }
        }
    }

    /// Writes the dead letter, however long that takes: the record is not lost.
    async fn bury(
        &self,
        message: &OwnedMessage,
        (stage, reason, error, fix): (Stage, &'static str, String, Cow<'static, str>),
        attempts: u32,
    ) -> bool {
        let source = position(message.topic(), message.partition(), message.offset());
        tracing::warn!(feed = self.name, source, reason, "record goes to the dead letter");
        let refusal = Refusal {
            tenant: tenant_of(message.key()),
            stage,
            reason,
            error,
            fix,
            source,
            event_id: None,
            attempts: i32::try_from(attempts).unwrap_or(i32::MAX),
            payload: message.payload(),
        };
        loop {
            match self.dead_letters.send(refusal.clone()).await {
                Ok(_) => {
                    self.count("dead_letter");
                    return true;
                }
                Err(error) if error.retry() => {
                    tracing::warn!(feed = self.name, %error, "dead letter not acknowledged, trying again");
                    if !self.wait(DEAD_LETTER_RETRY).await {
                        return self.abandon();
                    }
                }
                Err(error) => {
                    tracing::error!(feed = self.name, %error, "dead letter can't be written, record only counted");
                    self.count("lost");
                    return true;
                }
            }
        }
    }

    fn abandon(&self) -> bool {
        self.count("abandoned");
        false
    }

    /// False if the process ends meanwhile.
    async fn wait(&self, time: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(time) => true,
            () = self.shutdown.cancelled() => false,
        }
    }

    fn count(&self, result: &str) {
        metrics::HANDLED.with_label_values(&[self.name, result]).inc();
    }
}

/// The first part of a record key, where it is one that [`deskstream_schemas::ticket_key`] made.
fn tenant_of(key: Option<&[u8]>) -> &str {
    key.and_then(|k| std::str::from_utf8(k).ok())
        .and_then(|k| k.split_once('/'))
        .map_or(EVERY_TENANT, |(tenant, _)| tenant)
}

fn position(topic: &str, partition: i32, offset: i64) -> String {
    format!("{topic}/{partition}/{offset}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_the_tenant() {
        assert_eq!(tenant_of(Some(b"acme/zendesk/17")), "acme");
        assert_eq!(tenant_of(Some(b"whatever")), EVERY_TENANT);
        assert_eq!(tenant_of(Some(&[0xff, b'/'])), EVERY_TENANT);
        assert_eq!(tenant_of(None), EVERY_TENANT);
    }
}
