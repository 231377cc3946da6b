//! What channels have in common: how a transition is sent, and what can come of it.

use super::DeliveryError;
use super::pagerduty::PagerDuty;
use super::slack::Slack;
use crate::http::{Answer, CallError};
use deskstream_schemas::Alert;
use url::Url;

/// One configured channel.
pub(super) enum Channel {
    PagerDuty(PagerDuty),
    Slack(Slack),
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
}

impl Reply {
    pub(super) fn accepted(answer: &Answer) -> Self {
        Self { verdict: Verdict::Accepted, status: answer.status.as_u16(), attempts: answer.attempts }
    }

    pub(super) fn refused(answer: &Answer, reason: String, fix: &'static str) -> Self {
        Self {
            verdict: Verdict::Refused { reason, fix },
            status: answer.status.as_u16(),
            attempts: answer.attempts,
        }
    }
}

impl Channel {
    /// Name of the service, as in outcomes.
    pub(super) fn service(&self) -> &'static str {
        match self {
            Self::PagerDuty(_) => "pagerduty",
            Self::Slack(_) => "slack",
        }
    }

    /// Transitions of different keys that may be out at the same time.
    pub(super) fn concurrency(&self) -> usize {
        match self {
            Self::PagerDuty(_) => 8,
            // A webhook takes one message a second.
            Self::Slack(_) => 2,
        }
    }

    /// Sends a transition once. `repeat` says that an earlier try may have arrived.
    pub(super) async fn send(&self, alert: &Alert, repeat: bool) -> Result<Reply, CallError> {
        match self {
            Self::PagerDuty(channel) => channel.send(alert).await,
            Self::Slack(channel) => channel.send(alert, repeat).await,
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
