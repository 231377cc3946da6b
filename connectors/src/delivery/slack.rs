//! Slack incoming webhooks.
//!
//! Facts from Slack's pages: JSON is posted to the webhook's URL, which is itself the credential, and answered
//! with `ok`. 400, 403, 404 and 410 come with a code as plain text and never go away by themselves; one message a
//! second is taken for each channel, 429 says in `Retry-After` when to come back. Blocks have limits: header 150
//! characters, section 3,000, its fields 2,000 each and 10 in all, context 10 elements.

use super::channel::{Reply, client, secure};
use super::message::{escape, number, state, summary};
use super::{DeliveryError, DeliveryOptions};
use crate::http::{Call, CallError, Client, ClientOptions};
use bytes::Bytes;
use deskstream_runtime::config::Secret;
use deskstream_schemas::{Alert, AlertState, Severity};
use http::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;

const MAX_HEADER: usize = 150;
const MAX_SECTION: usize = 3000;

/// Ours, far below Slack's 2,000: facts are short, and a message of about 13,200 characters is refused.
const MAX_FIELD: usize = 200;

/// Ours: all labels together.
const MAX_LABELS: usize = 1000;

/// A webhook of one channel.
pub(super) struct Slack {
    client: Client,
}

impl Slack {
    pub(super) fn open(
        channel: &str,
        url: &Secret,
        options: &DeliveryOptions,
    ) -> Result<Self, DeliveryError> {
        let base = Url::parse(url.expose().expose_secret()).map_err(|_| DeliveryError::Url {
            channel: channel.to_owned(),
            problem: "is no URL",
            fix: "give the incoming webhook's whole URL, https://hooks.slack.com/services/…",
        })?;
        secure(channel, &base)?;
        let own = ClientOptions {
            per_window: 1,
            window: Duration::from_secs(1),
            ..ClientOptions::new("slack", channel, base)
        };
        let client = client(channel, options, own)?;
        Ok(Self { client })
    }

    pub(super) async fn send(&self, alert: &Alert, repeat: bool) -> Result<Reply, CallError> {
        let body = Bytes::from(message(alert, repeat).to_string());
        let call = Call::write("webhook", Method::POST, "", body);
        let refusals =
            [StatusCode::BAD_REQUEST, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND, StatusCode::GONE];
        let answer = self.client.call(&call.accepting(&refusals)).await?;
        if answer.status.is_success() {
            return Ok(Reply::accepted(&answer));
        }
        let fix = match answer.status {
            StatusCode::BAD_REQUEST => "this is a bug: report it with the alert's rule",
            _ => "the webhook or its channel is gone: make a new webhook and set alerts.channels",
        };
        Ok(Reply::refused(&answer, code(&answer.body), fix))
    }
}

fn message(alert: &Alert, repeat: bool) -> Value {
    let firing = alert.state == AlertState::Firing;
    let sign = match (firing, alert.severity) {
        (false, _) => "✅",
        (true, Severity::Critical | Severity::Error) => "🔴",
        (true, Severity::Warning) => "🟠",
        (true, Severity::Info) => "🔵",
    };
    let title = format!("{sign} {} · {} · {}", state(alert), alert.rule, alert.tenant);
    let mut fields = vec![
        field("Severity", alert.severity.as_str()),
        field("Tenant", &alert.tenant),
        field("Value", &number(alert.value)),
        field("Threshold", &number(alert.threshold)),
    ];
    if !alert.group.is_empty() {
        fields.push(field("Group", &alert.group));
    }
    let mut blocks = vec![
        json!({"type": "header", "text": {"type": "plain_text", "emoji": true, "text": escape(&title, MAX_HEADER)}}),
        json!({"type": "section", "text": mrkdwn(&escape(&summary(alert), MAX_SECTION))}),
        json!({"type": "section", "fields": fields}),
    ];
    let mut context = vec![mrkdwn(&times(alert))];
    if !alert.labels.is_empty() {
        let labels: Vec<_> = alert.labels.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        context.push(mrkdwn(&escape(&labels.join(" · "), MAX_LABELS)));
    }
    if repeat {
        context.push(mrkdwn("This may be a repeat: the answer to an earlier try was lost."));
    }
    blocks.push(json!({"type": "context", "elements": context}));
    // What notifications and old clients show.
    let text = format!("{sign} {}: {}", state(alert), summary(alert));
    json!({"text": escape(&text, MAX_SECTION), "blocks": blocks})
}

fn mrkdwn(text: &str) -> Value {
    json!({"type": "mrkdwn", "text": text})
}

fn field(name: &str, value: &str) -> Value {
    mrkdwn(&format!("*{name}*\n{}", escape(value, MAX_FIELD)))
}

/// Times in the reader's own zone, which Slack's date markup gives, with UTC for clients that don't know it.
fn times(alert: &Alert) -> String {
    let date = |at_ms: i64| {
        let fallback = super::message::timestamp(at_ms);
        format!("<!date^{}^{{date_short_pretty}} {{time_secs}}|{fallback}>", at_ms.div_euclid(1000))
    };
    match alert.state {
        AlertState::Firing => format!("since {}", date(alert.started_at)),
        AlertState::Resolved => format!("from {} to {}", date(alert.started_at), date(alert.changed_at)),
    }
}

/// The service's error code, which is plain text; anything else may be a proxy's page.
fn code(body: &[u8]) -> String {
    let text = std::str::from_utf8(body).unwrap_or_default().trim();
    let plain = (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain { text.to_owned() } else { "no reason given".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::alert;
    use super::*;

    #[test]
    fn a_message_says_what_when_and_how_bad() {
        let resolved = Alert { state: AlertState::Resolved, group: "billing".into(), ..alert() };
        insta::assert_json_snapshot!([message(&alert(), false), message(&resolved, true)]);
    }

    #[test]
    fn text_of_others_can_not_ping() {
        let evil = "<!channel> <@U123> <https://evil.example|click> &amp;";
        let alert = Alert {
            summary: evil.into(),
            group: evil.into(),
            rule: evil.into(),
            tenant: evil.into(),
            labels: [(evil.to_owned(), evil.to_owned())].into(),
            ..alert()
        };
        let text = message(&alert, false).to_string();
        assert!(!text.contains("<!channel") && !text.contains("<@") && !text.contains("<https"), "{text}");
    }

    #[test]
    fn block_limits_are_kept_whatever_comes() {
        let long = "<&é>".repeat(5000);
        let alert = Alert {
            summary: long.clone(),
            group: long.clone(),
            rule: long.clone(),
            tenant: long.clone(),
            labels: [(long.clone(), long)].into(),
            ..alert()
        };
        let message = message(&alert, true);
        let blocks = message["blocks"].as_array().unwrap();
        let length = |value: &Value| value["text"].as_str().unwrap().chars().count();
        assert!(length(&blocks[0]["text"]) <= 150);
        assert!(length(&blocks[1]["text"]) <= 3000);
        let fields = blocks[2]["fields"].as_array().unwrap();
        assert!(fields.len() <= 10 && fields.iter().all(|field| length(field) <= 2000));
        let context = blocks[3]["elements"].as_array().unwrap();
        assert!(context.len() <= 10);
        let total: usize = context.iter().chain(fields).map(length).sum();
        assert!(total + 150 + 3000 < 13_200);
        assert!(length(&message) <= 3000);
    }

    #[test]
    fn only_codes_are_quoted() {
        assert_eq!(code(b"channel_is_archived\n"), "channel_is_archived");
        assert_eq!(code(b"<html><body>who are you"), "no reason given");
        assert_eq!(code(&[0xff, 0xfe]), "no reason given");
    }
}
