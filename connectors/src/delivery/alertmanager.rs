//! Prometheus Alertmanager, API v2.
//!
//! Facts from its OpenAPI description and the page on its alerts API: an array of alerts is posted to
//! `/api/v2/alerts`; 200 means taken, 400 is never retried, 5xx and network errors are. Alerts with the same set of
//! labels are one alert, so what changes within an episode is an annotation. An alert fires until its `endsAt`;
//! clients tell it again until it is resolved, since Alertmanager keeps alerts in memory only.
//!
//! Hence a firing alert ends [`hold`](AlertmanagerConfig::hold) from now, and module `keep` tells it again long
//! before. A resolve ends it at the time of the transition.

use super::channel::{Failure, Reply, client};
use super::message::{cut, number, summary, timestamp};
use super::{DeliveryError, DeliveryOptions};
use crate::http::{Call, Client, ClientOptions, Repeat};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use deskstream_runtime::config::AlertmanagerConfig;
use deskstream_runtime::time::now_ms;
use deskstream_schemas::{Alert, AlertState};
use http::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;
use url::Url;

/// Ours: there is no limit, but whoever Alertmanager tells has one.
const MAX_TEXT: usize = 4096;

/// Most characters that are kept of what it says about refused alerts.
const MAX_REASON: usize = 300;

/// It has no limit of its own. Ten a second is more than rules make, and no burden.
const REQUESTS_PER_MINUTE: u32 = 600;

/// One Alertmanager.
pub(super) struct Alertmanager {
    client: Client,
    generator: Option<Url>,
    hold: Duration,
}

/// An alert as posted.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Posted<'a> {
    labels: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    annotations: BTreeMap<&'static str, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    generator_url: Option<&'a str>,
}

impl Alertmanager {
    pub(super) fn open(
        channel: &str,
        config: &AlertmanagerConfig,
        options: &DeliveryOptions,
    ) -> Result<Self, DeliveryError> {
        let mut base = config.url.clone();
        // What it is served under is a folder, whether or not the configuration ends it in a slash.
        base.set_path(&format!("{}/", config.url.path().trim_end_matches('/')));
        let own = ClientOptions {
            authorization: authorization(config),
            per_window: REQUESTS_PER_MINUTE,
            window: Duration::from_secs(60),
            ..ClientOptions::new("alertmanager", channel, base)
        };
        let client = client(channel, options, own)?;
        Ok(Self { client, generator: config.generator_url.clone(), hold: config.hold })
    }

    /// Posts alerts in the states that they are in.
    pub(super) async fn send(&self, alerts: &[Alert]) -> Result<Reply, Failure> {
        let body = Bytes::from(self.body(alerts, now_ms()));
        let call = Call {
            // The labels make a repeat harmless.
            repeat: Repeat::Safe,
            ..Call::write("alerts", Method::POST, "api/v2/alerts", body)
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
        let fix = match answer.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                "check alerts.channels: it does not take the user and password, or the token"
            }
            StatusCode::NOT_FOUND => {
                "check alerts.channels: the URL is that of Alertmanager 0.16 or later, with the path it is served under"
            }
            _ => "this is a bug: report it with the alert's rule",
        };
        Ok(Reply::refused(&answer, reason(&answer.body), fix))
    }

    fn body(&self, alerts: &[Alert], now: i64) -> Vec<u8> {
        let generator = self.generator.as_ref().map(Url::as_str);
        let posted: Vec<_> = alerts.iter().map(|alert| posted(alert, generator, self.hold, now)).collect();
        serde_json::to_vec(&posted).expect("alerts are text under text keys")
    }
}

fn authorization(config: &AlertmanagerConfig) -> Option<SecretString> {
    if let Some(token) = &config.token {
        return Some(SecretString::from(format!("Bearer {}", token.expose().expose_secret())));
    }
    let (user, password) = (config.user.as_ref()?, config.password.as_ref()?.expose());
    let pair = SecretString::from(format!("{user}:{}", password.expose_secret()));
    Some(SecretString::from(format!("Basic {}", STANDARD.encode(pair.expose_secret()))))
}

fn posted<'a>(alert: &'a Alert, generator_url: Option<&'a str>, hold: Duration, now: i64) -> Posted<'a> {
    let hold_ms = i64::try_from(hold.as_millis()).unwrap_or(i64::MAX);
    let ends_at = match alert.state {
        AlertState::Firing => now.max(alert.started_at).saturating_add(hold_ms),
        AlertState::Resolved => alert.changed_at.max(alert.started_at),
    };
    Posted {
        labels: labels(alert),
        annotations: [
            ("summary", cut(&summary(alert), MAX_TEXT)),
            ("value", number(alert.value)),
            ("threshold", number(alert.threshold)),
        ]
        .into(),
        starts_at: timestamp(alert.started_at),
        ends_at: timestamp(ends_at),
        generator_url,
    }
}

/// What an alert is known by. All of it stays the same from firing to resolved, the rule's own labels included.
fn labels(alert: &Alert) -> BTreeMap<Cow<'_, str>, Cow<'_, str>> {
    let ours = [
        ("alertname", alert.rule.as_str()),
        ("rule", &alert.rule),
        ("tenant", &alert.tenant),
        ("severity", alert.severity.as_str()),
        ("group", &alert.group),
        ("dedup_key", &alert.dedup_key),
    ];
    let mut labels: BTreeMap<Cow<'_, str>, Cow<'_, str>> = BTreeMap::new();
    for (name, value) in &alert.labels {
        let mut name = label_name(name);
        if ours.iter().any(|(taken, _)| *taken == name) {
            // As Prometheus does with labels that stand in the way of its own.
            name = Cow::Owned(format!("exported_{name}"));
        }
        labels.entry(name).or_insert(Cow::Borrowed(value));
    }
    labels.extend(ours.map(|(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value))));
    // An empty value is no label to Alertmanager.
    labels.retain(|_, value| !value.is_empty());
    labels
}

/// A name that every Alertmanager takes: before 0.27 letters, digits and underscores only.
fn label_name(name: &str) -> Cow<'_, str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let digit = name.starts_with(|c: char| c.is_ascii_digit());
    if !name.is_empty() && !digit && name.chars().all(fits) {
        return Cow::Borrowed(name);
    }
    let fitted: String = name.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    Cow::Owned(if digit || fitted.is_empty() { format!("_{fitted}") } else { fitted })
}

/// What it says is wrong: a JSON string about the alert's labels and times, which hold no personal data. Anything
/// else may be a proxy's page.
fn reason(body: &[u8]) -> String {
    match serde_json::from_slice::<String>(body) {
        Ok(text) if !text.trim().is_empty() => cut(&text, MAX_REASON),
        _ => "no reason given".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::alert;
    use super::*;
    use serde_json::Value;

    const NOW: i64 = 1_795_435_300_000;
    const HOUR: Duration = Duration::from_secs(3600);

    fn value(alert: &Alert) -> Value {
        serde_json::to_value(posted(alert, Some("https://grafana.example/d/x"), HOUR, NOW)).unwrap()
    }

    #[test]
    fn a_firing_alert_ends_later_and_a_resolved_one_when_it_did() {
        let resolved = Alert { state: AlertState::Resolved, value: 0.01, ..alert() };
        insta::assert_json_snapshot!([value(&alert()), value(&resolved)]);
        assert_eq!(value(&alert())["labels"], value(&resolved)["labels"], "else it would never resolve");
    }

    #[test]
    fn a_label_of_a_rule_never_replaces_one_of_ours() {
        let labels = [("severity", "low"), ("team name", "billing"), ("2nd", "x"), ("", "y"), ("none", "")];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let labels = &value(&Alert { labels, ..alert() })["labels"];
        assert_eq!((&labels["severity"], &labels["exported_severity"]), (&"critical".into(), &"low".into()));
        assert_eq!(
            (&labels["team_name"], &labels["_2nd"], &labels["_"]),
            (&"billing".into(), &"x".into(), &"y".into())
        );
        assert!(labels.get("none").is_none() && labels.get("group").is_none());
    }

    #[test]
    fn it_never_ends_before_it_starts() {
        let skewed = Alert { state: AlertState::Resolved, changed_at: 0, ..alert() };
        let posted = value(&skewed);
        assert_eq!(posted["startsAt"], posted["endsAt"]);
    }

    #[test]
    fn only_its_own_words_are_quoted() {
        assert_eq!(reason(br#""start time must be before end time""#), "start time must be before end time");
        assert_eq!(reason(b"<html>who are you"), "no reason given");
    }
}
