//! Slack: incoming webhooks, and a bot that answers in threads.
//!
//! An incoming webhook can't answer: it says nothing of the message that it made. A bot posts by `chat.postMessage`
//! (`Authorization: Bearer`), whose answer is 200 with `{"ok": true, "ts": …}`, or `{"ok": false, "error": code}`; a message
//! with that `ts` as its `thread_ts` answers the first one, and `reply_broadcast` shows it in the channel too.
//!
//! Facts from Slack's pages: JSON is posted to the webhook's URL, which is itself the credential, and answered
//! with `ok`. 400, 403, 404 and 410 come with a code as plain text and never go away by themselves; one message a
//! second is taken for each channel, 429 says in `Retry-After` when to come back. Blocks have limits: header 150
//! characters, section 3,000, its fields 2,000 each and 10 in all, context 10 elements.

use super::channel::{Acknowledged, Reply, client, secure};
use super::message::{escape, number, state, summary};
use super::{DeliveryError, DeliveryOptions};
use crate::http::{Call, CallError, Cause, Client, ClientOptions, Effect, Hint};
use bytes::Bytes;
use deskstream_runtime::config::{Secret, SlackConfig};
use deskstream_schemas::{Alert, AlertState, Severity};
use http::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;

const MAX_HEADER: usize = 150;
const MAX_SECTION: usize = 3000;

/// Ours, far below Slack's 2,000: facts are short, and a message of about 13,200 characters is refused.
const MAX_FIELD: usize = 200;

/// Ours: all labels together.
const MAX_LABELS: usize = 1000;

/// Slack's Web API.
const API: &str = "https://slack.com/api/";

/// Codes of the Web API that pass by themselves. Others are for people to mend, or mistakes of ours.
const PASSING: [&str; 7] = [
    "ratelimited",
    "rate_limited",
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "team_added_to_org",
];

/// Codes that say that the message which an update answers is gone.
const NO_THREAD: [&str; 3] = ["thread_not_found", "message_not_found", "cannot_reply_to_message"];

/// One channel at Slack.
pub(super) struct Slack {
    client: Client,
    /// Id of the channel that a bot writes to; none for a webhook, whose URL says where.
    channel: Option<String>,
}

/// The Web API's answer, which is 200 whatever it says.
#[derive(Deserialize)]
struct Posted {
    ok: bool,
    #[serde(default)]
    ts: Option<String>,
    #[serde(default)]
    error: Option<String>,
}

impl Slack {
    pub(super) fn open(
        channel: &str,
        config: &SlackConfig,
        options: &DeliveryOptions,
    ) -> Result<Self, DeliveryError> {
        let url_error = |problem, fix| DeliveryError::Url { channel: channel.to_owned(), problem, fix };
        let base = match (&config.url, &config.api) {
            (Some(url), _) => Url::parse(url.expose().expose_secret()).map_err(|_| {
                url_error(
                    "is no URL",
                    "give the incoming webhook's whole URL, https://hooks.slack.com/services/…",
                )
            })?,
            (None, Some(api)) => api.clone(),
            (None, None) => Url::parse(API).expect("the constant is a URL"),
        };
        secure(channel, &base)?;
        let bearer =
            |token: &Secret| SecretString::from(format!("Bearer {}", token.expose().expose_secret()));
        let own = ClientOptions {
            per_window: 1,
            window: Duration::from_secs(1),
            authorization: config.token.as_ref().map(bearer),
            ..ClientOptions::new("slack", channel, base)
        };
        Ok(Self { client: client(channel, options, own)?, channel: config.channel.clone() })
    }

    /// Whether updates answer the first message.
    pub(super) fn threads(&self) -> bool {
        self.channel.is_some()
    }

    pub(super) async fn send(
        &self,
        alert: &Alert,
        repeat: bool,
        thread: Option<&str>,
    ) -> Result<Reply, CallError> {
        let message = message(alert, repeat);
        let Some(channel) = &self.channel else { return self.hook(&message).await };
        // That it is over is for everybody who saw it begin, not only for those who follow the thread.
        let broadcast = alert.state == AlertState::Resolved;
        self.post(channel, message, thread, broadcast).await
    }

    /// Tells in the thread that somebody takes care of it.
    pub(super) async fn acknowledge(
        &self,
        told: &Acknowledged,
        thread: Option<&str>,
    ) -> Result<Reply, CallError> {
        let text = format!("👀 acknowledged by {}", escape(&told.by, MAX_FIELD));
        let message = json!({"text": text, "blocks": [{"type": "section", "text": mrkdwn(&text)}]});
        match &self.channel {
            Some(channel) => self.post(channel, message, thread, false).await,
            None => self.hook(&message).await,
        }
    }

    async fn hook(&self, message: &Value) -> Result<Reply, CallError> {
        let call = Call::write("webhook", Method::POST, "", Bytes::from(message.to_string()));
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

    /// `chat.postMessage`, in a thread if there is one.
    async fn post(
        &self,
        channel: &str,
        mut message: Value,
        thread: Option<&str>,
        broadcast: bool,
    ) -> Result<Reply, CallError> {
        message["channel"] = channel.into();
        if let Some(thread) = thread {
            message["thread_ts"] = thread.into();
            if broadcast {
                message["reply_broadcast"] = true.into();
            }
        }
        loop {
            let body = Bytes::from(message.to_string());
            let call = Call::write("chat.postMessage", Method::POST, "chat.postMessage", body);
            let answer = self.client.call(&call).await?;
            let posted: Posted = self.client.json("chat.postMessage", &answer, Effect::Unknown)?;
            if posted.ok {
                // Updates answer the first message, not each other.
                let first = message.get("thread_ts").and_then(Value::as_str).map(str::to_owned);
                return Ok(Reply { thread: first.or(posted.ts), ..Reply::accepted(&answer) });
            }
            let code = code(posted.error.unwrap_or_default().as_bytes());
            let answers = message.as_object_mut().is_some_and(|fields| {
                fields.remove("reply_broadcast");
                NO_THREAD.contains(&code.as_str()) && fields.remove("thread_ts").is_some()
            });
            if answers {
                // Somebody deleted the first message: the news is worth one of its own.
                continue;
            }
            if PASSING.contains(&code.as_str()) {
                let cause = Cause::Status { status: StatusCode::SERVICE_UNAVAILABLE, code: Some(code) };
                return Err(self.client.refuse(
                    "chat.postMessage",
                    &answer,
                    cause,
                    Effect::None,
                    Hint::Backoff,
                ));
            }
            let fix =
                "check alerts.channels: the bot's token, its scope chat:write, and that it is in the channel";
            return Ok(Reply::refused(&answer, code, fix));
        }
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
