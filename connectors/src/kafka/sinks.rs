//! Every sink that a connector process uses, on two producers.

use super::dead_letter::DeadLetterSink;
use super::events::EventSink;
use super::producer::{Producer, ProducerOptions};
use super::sink::{AuditSink, OutcomeSink, Sink};
use crate::fair::Turns;
use crate::webhook::Delivered;
use deskstream_runtime::Process;
use deskstream_runtime::control::ControlError;
use deskstream_runtime::kafka::KafkaError;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

/// Most bytes of polled events in flight: apart from what webhooks need, which can't wait.
const POLLED_BYTES: usize = 16 * 1024 * 1024;

/// Pages of polls in memory at the same time, over all accounts: one of a thousand tickets may take some megabytes.
const PAGES: usize = 16;

/// The sinks could not be set up.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each variant wraps the error of one step")]
pub enum SinksError {
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    #[error("make sure that each tenant has a data key")]
    Keys(#[from] ControlError),
}

/// The sinks; cheap to clone.
#[derive(Clone)]
pub struct Sinks {
    /// Ticket events.
    pub events: EventSink,
    /// As `events`, for polls.
    pub polled: EventSink,
    /// Whose page of a poll is next.
    pub pages: Arc<Turns>,
    /// What webhooks have brought.
    pub delivered: Arc<Delivered>,
    /// What outside services answered.
    pub outcomes: OutcomeSink,
    /// Who did what.
    pub audit: AuditSink,
    /// What could not be processed.
    pub dead_letters: DeadLetterSink,
    /// How many tenants are served: for what is shared out among them.
    pub tenants: Arc<AtomicUsize>,
    producers: [Producer; 2],
}

impl Sinks {
    /// Sets them up, and makes sure that content of every configured tenant can be sealed. `by` is the name
    /// of the process, as in `updated_by`.
    pub async fn start(process: &Process, by: &str) -> Result<Self, SinksError> {
        let events = Producer::new(process, ProducerOptions::events())?;
        let records = Producer::new(process, ProducerOptions::records())?;
        for tenant in process.config.tenants.keys() {
            EventSink::ready_tenant(process, tenant, by).await?;
        }
        Ok(Self {
            polled: EventSink::with_producer(process, events.with_budget("polled", POLLED_BYTES)),
            pages: Arc::new(Turns::new(PAGES)),
            delivered: Arc::default(),
            events: EventSink::with_producer(process, events.clone()),
            outcomes: Sink::new(process, records.clone()),
            audit: Sink::new(process, records.clone()),
            dead_letters: DeadLetterSink::start(process, records.clone(), by).await?,
            tenants: Arc::new(AtomicUsize::new(process.config.tenants.len())),
            producers: [events, records],
        })
    }

    /// Waits until what was handed over is acknowledged or has failed.
    pub async fn flush(&self, timeout: Duration) {
        for producer in &self.producers {
            producer.flush(timeout).await;
        }
    }
}
