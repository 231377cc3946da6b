//! Delivery of alerts: the `alerts` topic to PagerDuty, Slack, Alertmanager, signed webhooks and mail.
//!
//! # Contract
//! * **A task for each channel**, with a consumer group of its own (`{pipeline.group}-delivery-{channel}`): a
//!   channel that is down delays no other.
//! * **In order**: for each rule/tenant/group, firing goes out before its resolve, and an episode before the next.
//!   While a transition can't be delivered, later ones of the same key wait behind it.
//! * **Until it arrives**: what is not the alert's own fault (429, 5xx, no connection) is tried again without end,
//!   less and less often, or when `Retry-After` says. What the service refuses for good goes to the dead letter.
//! * **Acknowledged**: who takes care of an alert (`deskstream alerts acknowledge`) is told to PagerDuty and to Slack's
//!   threads (module `acknowledge`).
//! * **Recorded**: each transition ends in an [`Outcome`](deskstream_schemas::Outcome) of kind `ALERT` and an audit
//!   record.
//!
//! # How often
//! Delivery is at least once, duplicates over silence. What was delivered is remembered in the `control` topic
//! (module `ledger`), right after the service's answer and before anything else. So a replay of the topic, a lost
//! consumer group or a restart repeats nothing, except for **one window**: the service took the transition, and
//! the process died (or the answer was lost) before that was remembered. What then goes out again:
//!
//! * PagerDuty merges it by its dedup key: still one incident. A trigger is never sent after its own resolve was
//!   delivered, which would open a second one.
//! * Alertmanager merges it by its labels. It forgets what it was told, so it is told again every minute (module
//!   `keep`).
//! * A webhook's receiver knows it by its idempotency key, a mail's by its Message-ID, if they look.
//! * Slack can't tell, whether by webhook or by bot: the message appears twice, for each transition in flight at that moment at most. When only
//!   the answer was lost, the second message says that it may be a repeat.

mod acknowledge;
mod alertmanager;
mod channel;
mod email;
mod keep;
mod ledger;
mod message;
mod metrics;
mod pagerduty;
mod slack;
mod webhook;
mod worker;

pub use acknowledge::{ACKNOWLEDGED_KIND, AcknowledgeError, Episode, acknowledge, episodes};

use crate::http::{Backoff, SetupError};
use crate::kafka::{DeadLetterSink, Feed, FeedError, FeedOptions, Producer, ProducerOptions, Sink};
use alertmanager::Alertmanager;
use channel::Channel;
use deskstream_runtime::Process;
use deskstream_runtime::config::{AlertsConfig, ChannelConfig};
use deskstream_runtime::control::ControlError;
use deskstream_runtime::kafka::KafkaError;
use deskstream_schemas::{Alert, Encoder};
use email::Email;
use keep::Keeper;
use ledger::Ledger;
use pagerduty::PagerDuty;
use slack::Slack;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use webhook::Webhook;
use worker::Worker;

/// How delivery behaves.
#[derive(Debug, Clone)]
pub struct DeliveryOptions {
    /// Waits between tries of one transition.
    pub wait: Backoff,
    /// How long one request may take.
    pub attempt: Duration,
    /// How often alerts are told again to a service that forgets them.
    pub remind: Duration,
}

impl Default for DeliveryOptions {
    fn default() -> Self {
        Self {
            // PagerDuty asks to come back after minutes; a page that is late by more is none.
            wait: Backoff { first: Duration::from_secs(1), most: Duration::from_secs(120) },
            attempt: Duration::from_secs(10),
            // As Prometheus does.
            remind: Duration::from_secs(60),
        }
    }
}

/// Delivery could not start.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// A channel's URL can't be used.
    #[error("alerts.channels.{channel}.url: {problem}; {fix}")]
    Url {
        /// Name of the channel.
        channel: String,
        /// What is wrong. Never the URL itself, which may be a credential.
        problem: &'static str,
        /// What to do.
        fix: &'static str,
    },
    /// Another setting of a channel can't be used.
    #[error("alerts.channels.{channel}.{setting}: {problem}; {fix}")]
    Setting {
        /// Name of the channel.
        channel: String,
        /// The setting.
        setting: String,
        /// What is wrong. Never the value, which may be a person's address.
        problem: String,
        /// What to do.
        fix: &'static str,
    },
    /// A channel's HTTP client could not be made.
    #[error("set up alert channel {channel}")]
    Channel {
        /// Name of the channel.
        channel: String,
        /// Why.
        #[source]
        source: SetupError,
    },
    /// A producer could not be made.
    #[error(transparent)]
    Producer(#[from] KafkaError),
    /// The control topic could not be written.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The alerts topic could not be subscribed to.
    #[error(transparent)]
    Feed(#[from] FeedError),
}

/// Checks the configured channels without reaching any of them.
pub fn check(config: &AlertsConfig) -> Result<(), DeliveryError> {
    deskstream_runtime::install_crypto_provider();
    config
        .channels
        .iter()
        .try_for_each(|(name, channel)| open(name, channel, &DeliveryOptions::default()).map(drop))
}

/// Starts a task for each configured channel; they end on the process' shutdown.
pub async fn spawn(process: &Process) -> Result<JoinSet<()>, DeliveryError> {
    spawn_with(process, &DeliveryOptions::default()).await
}

/// As [`spawn`], with other options.
pub async fn spawn_with(process: &Process, options: &DeliveryOptions) -> Result<JoinSet<()>, DeliveryError> {
    let mut tasks = JoinSet::new();
    let channels = &process.config.alerts.channels;
    if channels.is_empty() {
        tracing::info!("no alert channels are configured: alerts are recorded and told to no one");
        return Ok(tasks);
    }
    let producer = Producer::new(process, ProducerOptions::records())?;
    let dead_letters = DeadLetterSink::start(process, producer.clone(), worker::ACTOR).await?;
    for (name, config) in channels {
        let channel = open(name, config, options)?;
        let feed_options = FeedOptions {
            concurrency: channel.concurrency(),
            ..FeedOptions::new(feed_name(name), format!("{}-delivery-{name}", process.config.pipeline.group))
        };
        let feed: Feed<Alert> = Feed::new(process, feed_options, dead_letters.clone())?;
        let worker = Arc::new(Worker {
            name: name.clone(),
            ledger: Ledger::new(process.control.clone(), name, channel.forgets()),
            keeper: Keeper::default(),
            channel,
            outcomes: Sink::new(process, producer.clone()),
            audit: Sink::new(process, producer.clone()),
            dead_letters: dead_letters.clone(),
            encoder: Encoder::new(&process.ids),
            wait: options.wait,
            shutdown: process.shutdown.clone(),
        });
        metrics::register(name);
        if worker.channel.forgets() {
            let (worker, every) = (Arc::clone(&worker), options.remind);
            tasks.spawn(async move { keep::run(&worker, every).await });
        }
        if worker.channel.acknowledges() {
            let (worker, wait) = (Arc::clone(&worker), options.wait);
            tasks.spawn(async move { acknowledge::run(&worker, wait).await });
        }
        tasks.spawn(feed.run(move |received| {
            let worker = Arc::clone(&worker);
            async move { worker.handle(&received).await }
        }));
    }
    Ok(tasks)
}

fn open(name: &str, config: &ChannelConfig, options: &DeliveryOptions) -> Result<Channel, DeliveryError> {
    match config {
        ChannelConfig::PagerDuty { routing_key, url } => {
            PagerDuty::open(name, routing_key, url.as_ref(), options).map(Channel::PagerDuty)
        }
        ChannelConfig::Slack(config) => Slack::open(name, config, options).map(Channel::Slack),
        ChannelConfig::Alertmanager(config) => {
            Alertmanager::open(name, config, options).map(Channel::Alertmanager)
        }
        ChannelConfig::Webhook(config) => Webhook::open(name, config, options).map(Channel::Webhook),
        ChannelConfig::Email(config) => Email::open(name, config, options).map(Channel::Email),
    }
}

/// Feeds are named by constants; channels are few, are named once in a process' life, and live as long as it.
fn feed_name(channel: &str) -> &'static str {
    Box::leak(format!("delivery-{channel}").into_boxed_str())
}
