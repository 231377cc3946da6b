//! Kafka as connectors use it: durable typed producers and ordered typed consumers.
//!
//! # Producing
//! A [`Sink`] writes records of one type; [`EventSink`] and [`DeadLetterSink`] also seal what may hold personal
//! data. Every `send` resolves when the broker has acknowledged the record under `acks=all` from an idempotent
//! producer, or with an error that says whether trying again can help ([`SendError::retry`]). After a retryable
//! error the record may still have arrived: whoever sends it again uses the same event id. What is in flight is
//! bounded in bytes; a full producer makes `send` wait and `try_send` fail with [`SendError::Busy`].
//!
//! # Consuming
//! A [`Feed`] hands the records of a topic to an async handler: at least once, in order for each key, with a
//! bounded number of keys at the same time. The group's offset of a partition stands at its lowest unfinished
//! record, so a restart repeats what was unfinished and what finished after it: **handlers are idempotent**.
//! A record that can't be decoded, or that its handler calls poison, goes to the dead letter and the feed goes
//! on. A handler that asks for time ([`Unhandled::Later`]) holds up its key only.
//!
//! On shutdown a feed takes nothing more, lets running handlers end, commits and leaves the group.

mod dead_letter;
mod error;
mod events;
mod feed;
mod handler;
mod lanes;
mod membership;
mod metrics;
mod producer;
mod progress;
mod sink;
mod sinks;

pub use dead_letter::{DeadLetterSink, Refusal};
pub use error::SendError;
pub use events::{EventSink, event_id, is_opaque, requester_name, unsealed};
pub use feed::{Feed, FeedError, FeedOptions};
pub use handler::{Handled, Received, Unhandled};
pub use producer::{Ack, Producer, ProducerOptions};
pub use sink::{AuditSink, OutcomeSink, Sink};
pub use sinks::{Sinks, SinksError};
