//! What channels have in common: how a transition is sent, and what can come of it.

use super::alertmanager::Alertmanager;
use super::email::Email;
use super::pagerduty::PagerDuty;
use super::slack::Slack;
use super::webhook::Webhook;
use super::{DeliveryError, DeliveryOptions};
use crate::http::{Answer, CallError, Client, ClientOptions, Effect, Hint};
use deskstream_schemas::Alert;
use std::time::Duration;
use url::Url;

/// What a channel's client is made of; the rest is the same for all.
pub(super) fn client(
    channel: &str,
    delivery: &DeliveryOptions,
    own: ClientOptions,
) -> Result<Client, DeliveryError> {
    Client::new(ClientOptions {
        attempt: delivery.attempt,
        total: Duration::from_secs(300),
        // The worker repeats, so that shutdown and order stay in its hands.
        attempts: 1,
        max_answer: 64 * 1024,
        ..own
    })
    .map_err(|source| DeliveryError::Channel { channel: channel.to_owned(), source })
}

/// One configured channel.
pub(super) enum Channel {
    PagerDuty(PagerDuty),
    Slack(Slack),
    Alertmanager(Alertmanager),
    Webhook(Webhook),
    Email(Email),
}

/// What a service answered for good.
pub(super) enum Verdict {
    /// It took the transition.
    Accepted,
    /// It never will.
    Refused {
        /// The service's own words or code, bounded, without personal data.
        reason: String,
        /// What an operator can do about it.
        fix: &'static str,
    },
}

/// A definite answer.
pub(super) struct Reply {
    pub(super) verdict: Verdict,
    pub(super) status: u16,
    pub(super) attempts: u32,
    /// The message that updates answer, where the service has such a thing.
    pub(super) thread: Option<String>,
}

/// A try that came to no definite answer.
pub(super) struct Failure {
    /// What happened, without secrets and personal data.
    pub(super) cause: String,
    /// Whether it may have arrived all the same.
    pub(super) effect: Effect,
    /// What next.
    pub(super) hint: Hint,
    pub(super) status: Option<u16>,
    pub(super) attempts: u32,
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self {
            cause: error.cause.to_string(),
            effect: error.effect,
            hint: error.hint,
            status: error.status().map(|status| status.as_u16()),
            attempts: error.attempts,
        }
    }
}

impl Reply {
    pub(super) fn accepted(answer: &Answer) -> Self {
        Self {
            verdict: Verdict::Accepted,
            status: answer.status.as_u16(),
            attempts: answer.attempts,
            thread: None,
        }
    }

    pub(super) fn refused(answer: &Answer, reason: String, fix: &'static str) -> Self {
        Self {
            verdict: Verdict::Refused { reason, fix },
            status: answer.status.as_u16(),
            attempts: answer.attempts,
            thread: None,
        }
    }
}

/// That somebody takes care of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Acknowledged {
    /// The episode.
    pub(super) dedup_key: String,
    /// Who it is.
    pub(super) by: String,
}

impl Channel {
    /// Name of the service, as in outcomes.
    pub(super) fn service(&self) -> &'static str {
        match self {
            Self::PagerDuty(_) => "pagerduty",
            Self::Slack(_) => "slack",
            Self::Alertmanager(_) => "alertmanager",
            Self::Webhook(_) => "webhook",
            Self::Email(_) => "email",
        }
    }

    /// Transitions of different keys that may be out at the same time.
    pub(super) fn concurrency(&self) -> usize {
        match self {
            Self::PagerDuty(_) | Self::Alertmanager(_) | Self::Webhook(_) => 8,
            // A webhook takes one message a second.
            Self::Slack(_) => 2,
            // Each has a connection of its own, and mail servers count them.
            Self::Email(_) => 2,
        }
    }

    /// Sends a transition once. `repeat` says that an earlier try may have arrived, `thread` what it answers.
    pub(super) async fn send(
        &self,
        alert: &Alert,
        repeat: bool,
        thread: Option<&str>,
    ) -> Result<Reply, Failure> {
        match self {
            Self::PagerDuty(channel) => Ok(channel.send(alert).await?),
            Self::Slack(channel) => Ok(channel.send(alert, repeat, thread).await?),
            Self::Alertmanager(channel) => channel.send(std::slice::from_ref(alert)).await,
            Self::Webhook(channel) => channel.send(alert).await,
            Self::Email(channel) => channel.send(alert, repeat).await,
        }
    }

    /// Whether the service is told who takes care of an alert.
    pub(super) fn acknowledges(&self) -> bool {
        match self {
            Self::PagerDuty(_) => true,
            Self::Slack(channel) => channel.threads(),
            Self::Alertmanager(_) | Self::Webhook(_) | Self::Email(_) => false,
        }
    }

    /// Tells who takes care of an alert, once.
    pub(super) async fn acknowledge(
        &self,
        told: &Acknowledged,
        thread: Option<&str>,
    ) -> Result<Reply, Failure> {
        match self {
            Self::PagerDuty(channel) => Ok(channel.acknowledge(told).await?),
            Self::Slack(channel) => Ok(channel.acknowledge(told, thread).await?),
            Self::Alertmanager(_) | Self::Webhook(_) | Self::Email(_) => {
                Ok(Reply { verdict: Verdict::Accepted, status: 0, attempts: 0, thread: None })
            }
        }
    }

    /// Whether the service forgets what it was told, and has to be [reminded](Self::remind).
    pub(super) fn forgets(&self) -> bool {
        matches!(self, Self::Alertmanager(_))
    }

    /// Tells standing alerts again.
    pub(super) async fn remind(&self, alerts: &[Alert]) -> Result<(), Failure> {
        match self {
            Self::Alertmanager(channel) => channel.send(alerts).await.map(drop),
            Self::PagerDuty(_) | Self::Slack(_) | Self::Webhook(_) | Self::Email(_) => Ok(()),
        }
    }
}

/// Credentials travel with every request: only https, but for a service on this machine.
pub(super) fn secure(channel: &str, url: &Url) -> Result<(), DeliveryError> {
    let loopback = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    if url.scheme() == "https" || url.scheme() == "http" && loopback {
        return Ok(());
    }
    Err(DeliveryError::Url {
        channel: channel.to_owned(),
        problem: "is not https",
        fix: "credentials travel with every request: use https",
    })
}
