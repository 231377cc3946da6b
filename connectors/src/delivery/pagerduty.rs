//! PagerDuty Events API v2.
//!
//! Facts from the vendor's `events-v2` OpenAPI description and its Events API pages: events go to
//! `/v2/enqueue` with the routing key in the body; 202 means taken; 400 is never retried; 429, 5xx and network
//! errors are retried with back-off. Events of one `dedup_key` and `routing_key` belong to one alert while it is
//! open; a resolve without an open alert is dropped with 202; a trigger after the resolve opens another alert.

use super::channel::{Acknowledged, Reply, client, secure};
use super::message::{cut, summary, timestamp};
use super::{DeliveryError, DeliveryOptions};
use crate::http::{Call, CallError, Client, ClientOptions, Repeat};
use bytes::Bytes;
use deskstream_runtime::config::Secret;
use deskstream_schemas::{Alert, AlertState};
use http::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use url::Url;

const EVENTS_URL: &str = "https://events.pagerduty.com/v2/enqueue";

/// Longest summary, in characters.
const MAX_SUMMARY: usize = 1024;

/// Largest event: 512 KB; Alertmanager reads that as 512,000 bytes.
const MAX_EVENT_BYTES: usize = 512_000;

/// Not documented; the least that was ever told.
const EVENTS_PER_MINUTE: u32 = 120;

/// Most characters that are kept of what the service says about a refused event.
const MAX_REASON: usize = 300;

/// A service's integration.
pub(super) struct PagerDuty {
    client: Client,
    routing_key: SecretString,
}

#[derive(Serialize)]
struct Event<'a> {
    routing_key: &'a str,
    event_action: &'static str,
    dedup_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Payload<'a>>,
}

#[derive(Serialize)]
struct Payload<'a> {
    summary: String,
    source: String,
    severity: &'static str,
    timestamp: String,
    component: &'a str,
    group: &'a str,
    class: &'a str,
    custom_details: Details<'a>,
}

#[derive(Serialize)]
struct Details<'a> {
    rule: &'a str,
    tenant: &'a str,
    value: f64,
    threshold: f64,
    started_at: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    group: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<&'a str, &'a str>,
}

/// The answer to an invalid event.
#[derive(Deserialize)]
struct Invalid {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<String>,
}

impl PagerDuty {
    pub(super) fn open(
        channel: &str,
        routing_key: &Secret,
        url: Option<&Url>,
        options: &DeliveryOptions,
    ) -> Result<Self, DeliveryError> {
        let base = url.cloned().unwrap_or_else(|| Url::parse(EVENTS_URL).expect("the constant is a URL"));
        secure(channel, &base)?;
        let own = ClientOptions {
            per_window: EVENTS_PER_MINUTE,
            window: Duration::from_secs(60),
            ..ClientOptions::new("pagerduty", channel, base)
        };
        let client = client(channel, options, own)?;
        Ok(Self { client, routing_key: routing_key.expose() })
    }

    pub(super) async fn send(&self, alert: &Alert) -> Result<Reply, CallError> {
        self.enqueue(body(alert, self.routing_key.expose_secret())).await
    }

    /// Tells that somebody takes care of the episode: its incident calls nobody else.
    pub(super) async fn acknowledge(&self, told: &Acknowledged) -> Result<Reply, CallError> {
        let event = Event {
            routing_key: self.routing_key.expose_secret(),
            event_action: "acknowledge",
            dedup_key: &told.dedup_key,
            client: None,
            payload: None,
        };
        self.enqueue(serde_json::to_vec(&event).expect("texts are JSON")).await
    }

    async fn enqueue(&self, body: Vec<u8>) -> Result<Reply, CallError> {
        let call = Call {
            // The dedup key makes a repeat harmless.
            repeat: Repeat::Safe,
            ..Call::write("enqueue", Method::POST, "", Bytes::from(body))
        };
        let refusals = [
            StatusCode::BAD_REQUEST,
            StatusCode::UNAUTHORIZED,
            StatusCode::FORBIDDEN,
            StatusCode::NOT_FOUND,
            StatusCode::PAYLOAD_TOO_LARGE,
        ];
        let answer = self.client.call(&call.accepting(&refusals)).await?;
        if answer.status.is_success() {
            return Ok(Reply::accepted(&answer));
        }
        let fix =
            "check alerts.channels: the routing key is the integration key of an Events API v2 integration";
        Ok(Reply::refused(&answer, reason(&answer.body), fix))
    }
}

fn body(alert: &Alert, routing_key: &str) -> Vec<u8> {
    let whole = encode(alert, routing_key, true);
    if whole.len() <= MAX_EVENT_BYTES { whole } else { encode(alert, routing_key, false) }
}

fn encode(alert: &Alert, routing_key: &str, labels: bool) -> Vec<u8> {
    let firing = alert.state == AlertState::Firing;
    let event = Event {
        routing_key,
        event_action: if firing { "trigger" } else { "resolve" },
        dedup_key: &alert.dedup_key,
        client: firing.then_some("Deskstream"),
        payload: firing.then(|| payload(alert, labels)),
    };
    serde_json::to_vec(&event).expect("an event has text keys, and serde_json writes any number")
}

fn payload(alert: &Alert, labels: bool) -> Payload<'_> {
    let kept = alert.labels.iter().filter(|_| labels);
    Payload {
        summary: cut(&summary(alert), MAX_SUMMARY),
        source: format!("deskstream/{}", alert.tenant),
        severity: alert.severity.as_str(),
        timestamp: timestamp(alert.changed_at),
        component: &alert.rule,
        group: &alert.tenant,
        class: if alert.group.is_empty() { &alert.rule } else { &alert.group },
        custom_details: Details {
            rule: &alert.rule,
            tenant: &alert.tenant,
            value: alert.value,
            threshold: alert.threshold,
            started_at: timestamp(alert.started_at),
            group: &alert.group,
            labels: kept.map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        },
    }
}

/// What the service says is wrong, bounded. It speaks of the event's fields, which hold no personal data.
fn reason(body: &[u8]) -> String {
    match serde_json::from_slice::<Invalid>(body) {
        Ok(invalid) if !invalid.errors.is_empty() => cut(&invalid.errors.join(", "), MAX_REASON),
        Ok(invalid) if !invalid.message.is_empty() => cut(&invalid.message, MAX_REASON),
        _ => "no reason given".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::alert;
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    fn event(alert: &Alert) -> serde_json::Value {
        serde_json::from_slice(&body(alert, KEY)).unwrap()
    }

    #[test]
    fn a_trigger_has_every_documented_field() {
        let grouped = Alert { group: "billing".into(), ..alert() };
        insta::assert_json_snapshot!([event(&alert()), event(&grouped)]);
    }

    #[test]
    fn a_resolve_names_only_the_episode() {
        let resolved = Alert { state: AlertState::Resolved, ..alert() };
        insta::assert_json_snapshot!(event(&resolved));
    }

    #[test]
    fn limits_are_kept() {
        let mut large = Alert { summary: "ü".repeat(3000), ..alert() };
        assert_eq!(event(&large)["payload"]["summary"].as_str().unwrap().chars().count(), MAX_SUMMARY);
        large.labels.insert("dump".into(), "x".repeat(MAX_EVENT_BYTES));
        assert!(body(&large, KEY).len() <= MAX_EVENT_BYTES);
        assert_eq!(event(&large)["payload"]["custom_details"].get("labels"), None);
        let blank = Alert { summary: " ".into(), ..alert() };
        assert_eq!(event(&blank)["payload"]["summary"], "error-rate for acme");
    }

    #[test]
    fn a_refusal_is_told_in_the_services_words() {
        let body = br#"{"status":"invalid event","message":"Event object is invalid","errors":["a is missing","b is bad"]}"#;
        assert_eq!(reason(body), "a is missing, b is bad");
        assert_eq!(reason(br#"{"message":"nope"}"#), "nope");
        assert_eq!(reason(b"<html>"), "no reason given");
    }
}
