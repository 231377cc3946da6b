//! A signed webhook to any receiver.
//!
//! # Contract (version 1; receivers read `docs/alert-channels.md`)
//! * `POST` of a JSON body (`Body`). Fields may be added under the same version; a change of meaning or a removal
//!   raises it.
//! * `Deskstream-Timestamp`: seconds since the Unix epoch at which this try was signed.
//! * `Deskstream-Signature`: `v1=` and the lower-case hex of HMAC-SHA256 over timestamp, `.` and body, under the
//!   channel's secret. A receiver that refuses old timestamps refuses replays.
//! * `Idempotency-Key`: the transition, `{dedup_key}/{state}`, the same in every try and as `id` in the body.
//! * 2xx takes it. 408, 429, 5xx and lost connections are tried again, when `Retry-After` says if it does. Every
//!   other answer refuses for good. Redirects are not followed. Answers are not read, but for their status.

use super::channel::{Failure, Reply, client, secure};
use super::message::{cut, state, summary, timestamp};
use super::{DeliveryError, DeliveryOptions};
use crate::http::{Call, Client, ClientOptions, Repeat};
use bytes::Bytes;
use deskstream_runtime::config::WebhookConfig;
use deskstream_runtime::time::now_ms;
use deskstream_schemas::Alert;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;
use url::Url;

/// Version of the body and of what is signed.
const VERSION: u32 = 1;

const TIMESTAMP: HeaderName = HeaderName::from_static("deskstream-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("deskstream-signature");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Ours: nobody reads more, and receivers have limits that we don't know.
const MAX_TEXT: usize = 4096;

/// Ours: ten a second is more than rules make.
const REQUESTS_PER_MINUTE: u32 = 600;

/// Where alerts are posted to.
pub(super) struct Webhook {
    client: Client,
    secret: SecretString,
}

#[derive(Serialize)]
struct Body<'a> {
    version: u32,
    id: &'a str,
    state: &'static str,
    dedup_key: &'a str,
    rule: &'a str,
    tenant: &'a str,
    group: &'a str,
    severity: &'static str,
    summary: String,
    value: f64,
    threshold: f64,
    started_at: String,
    changed_at: String,
    labels: &'a BTreeMap<String, String>,
}

impl Webhook {
    pub(super) fn open(
        channel: &str,
        config: &WebhookConfig,
        options: &DeliveryOptions,
    ) -> Result<Self, DeliveryError> {
        let base = Url::parse(config.url.expose().expose_secret()).map_err(|_| DeliveryError::Url {
            channel: channel.to_owned(),
            problem: "is no URL",
            fix: "give the receiver's whole URL, https://…",
        })?;
        secure(channel, &base)?;
        let own = ClientOptions {
            per_window: REQUESTS_PER_MINUTE,
            window: Duration::from_secs(60),
            ..ClientOptions::new("webhook", channel, base)
        };
        let client = client(channel, options, own)?;
        Ok(Self { client, secret: config.secret.expose() })
    }

    pub(super) async fn send(&self, alert: &Alert) -> Result<Reply, Failure> {
        let id = id(alert);
        let body = body(alert, &id);
        let headers = headers(&self.secret, now_ms().div_euclid(1000), &id, &body);
        let call = Call {
            // The idempotency key makes a repeat harmless.
            repeat: Repeat::Safe,
            headers: &headers,
            ..Call::write("webhook", Method::POST, "", Bytes::from(body))
        };
        let refusals = [
            StatusCode::BAD_REQUEST,
            StatusCode::UNAUTHORIZED,
            StatusCode::FORBIDDEN,
            StatusCode::NOT_FOUND,
            StatusCode::METHOD_NOT_ALLOWED,
            StatusCode::GONE,
            StatusCode::PAYLOAD_TOO_LARGE,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            StatusCode::UNPROCESSABLE_ENTITY,
        ];
        let answer = self.client.call(&call.accepting(&refusals)).await?;
        if answer.status.is_success() {
            return Ok(Reply::accepted(&answer));
        }
        let fix = match answer.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                "check alerts.channels: the receiver has the same secret, and its clock is right"
            }
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::METHOD_NOT_ALLOWED => {
                "check alerts.channels: the receiver takes POST at this URL"
            }
            _ => "look at the receiver's log: it does not take the documented body",
        };
        Ok(Reply::refused(&answer, "no reason is read".to_owned(), fix))
    }
}

/// Names the transition in visible ASCII, as a header carries it: groups are root causes in any language.
fn id(alert: &Alert) -> String {
    let mut id = String::with_capacity(alert.dedup_key.len() + 9);
    for byte in alert.dedup_key.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            id.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(id, "%{byte:02X}");
        }
    }
    id.push('/');
    id.push_str(state(alert));
    id
}

fn body(alert: &Alert, id: &str) -> Vec<u8> {
    let body = Body {
        version: VERSION,
        id,
        state: state(alert),
        dedup_key: &alert.dedup_key,
        rule: &alert.rule,
        tenant: &alert.tenant,
        group: &alert.group,
        severity: alert.severity.as_str(),
        summary: cut(&summary(alert), MAX_TEXT),
        value: alert.value,
        threshold: alert.threshold,
        started_at: timestamp(alert.started_at),
        changed_at: timestamp(alert.changed_at),
        labels: &alert.labels,
    };
    serde_json::to_vec(&body).expect("a body has text keys, and serde_json writes any number")
}

fn headers(secret: &SecretString, second: i64, id: &str, body: &[u8]) -> [(HeaderName, HeaderValue); 3] {
    let second = second.to_string();
    let ascii = |text: &str| HeaderValue::from_str(text).expect("visible ASCII is a header's value");
    [
        (SIGNATURE, ascii(&format!("v1={}", sign(secret, &second, body)))),
        (TIMESTAMP, ascii(&second)),
        (IDEMPOTENCY_KEY, ascii(id)),
    ]
}

fn sign(secret: &SecretString, second: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(second.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.finalize().into_bytes().iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::alert;
    use super::*;
    use deskstream_schemas::AlertState;
    use serde_json::Value;

    #[test]
    fn the_body_is_the_documented_one() {
        let resolved = Alert { state: AlertState::Resolved, group: "billing".into(), ..alert() };
        let values: Vec<Value> =
            [alert(), resolved].iter().map(|a| serde_json::from_slice(&body(a, &id(a))).unwrap()).collect();
        insta::assert_json_snapshot!(values);
    }

    /// Computed with `printf '%s' '1795435200.{"version":1}' | openssl dgst -sha256 -hmac 'a secret of ours'`.
    #[test]
    fn the_signature_is_what_others_compute() {
        let signature = sign(&SecretString::from("a secret of ours"), "1795435200", br#"{"version":1}"#);
        assert_eq!(signature, "1f393a72f996263e5381dcb389dee35b43d5f2ea69c96271f81d51dd942c8c8b");
    }

    #[test]
    fn a_transition_has_one_key_in_any_language() {
        let alert = Alert { dedup_key: "deskstream/r/acme/Störung 5%/7".into(), ..alert() };
        assert_eq!(id(&alert), "deskstream/r/acme/St%C3%B6rung%205%25/7/firing");
        let [_, _, key] = headers(&SecretString::from("x"), 0, &id(&alert), b"");
        assert_eq!(key.1.to_str().unwrap(), id(&alert));
        let resolved = Alert { state: AlertState::Resolved, ..alert.clone() };
        assert_ne!(id(&resolved), id(&alert));
    }

    #[test]
    fn an_endless_summary_is_cut() {
        let long = Alert { summary: "ü".repeat(100_000), ..alert() };
        assert!(body(&long, "id").len() < 10_000);
    }
}
