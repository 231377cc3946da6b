//! Typed producers.

use super::error::SendError;
use super::producer::{Ack, Producer};
use deskstream_runtime::Process;
use deskstream_schemas::{AuditRecord, Encoder, Outcome, Record, Subject};
use std::sync::Arc;

/// Writes outcomes; their key is that of the command, cursor or alert.
pub type OutcomeSink = Sink<Outcome>;

/// Writes audit records; their key is the tenant.
pub type AuditSink = Sink<AuditRecord>;

/// Writes records of one type to their topic; cheap to clone.
pub struct Sink<T: Record> {
    pub(super) producer: Producer,
    encoder: Arc<Encoder<T>>,
    topic: Arc<str>,
}

impl<T: Record> Clone for Sink<T> {
    fn clone(&self) -> Self {
        Self {
            producer: self.producer.clone(),
            encoder: Arc::clone(&self.encoder),
            topic: Arc::clone(&self.topic),
        }
    }
}

impl<T: Record> Sink<T> {
    /// A sink for the topic of `T`.
    ///
    /// # Panics
    /// If `T` is no topic's record ([`Subject::Content`]).
    pub fn new(process: &Process, producer: Producer) -> Self {
        let Subject::Value(topic) = T::SUBJECT else {
            panic!("{:?} is no topic's record", T::SUBJECT);
        };
        Self {
            producer,
            encoder: Arc::new(Encoder::new(&process.ids)),
            topic: process.topics.name(topic).into(),
        }
    }

    /// Writes a record; waits for room, then for the acknowledgement.
    pub async fn send(&self, key: &str, record: &T) -> Result<Ack, SendError> {
        let payload = self.encoder.encode(record)?;
        let room = self.producer.room(payload.len()).await;
        self.producer.send(&self.topic, key, &payload, room).await
    }

    /// As [`Sink::send`], but fails with [`SendError::Busy`] where that would wait for room.
    pub async fn try_send(&self, key: &str, record: &T) -> Result<Ack, SendError> {
        let payload = self.encoder.encode(record)?;
        let room = self.producer.try_room(payload.len())?;
        self.producer.send(&self.topic, key, &payload, room).await
    }
}
