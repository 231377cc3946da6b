//! Webhook signatures.
//!
//! Signature = base64(HMAC-SHA256(secret, timestamp ‖ raw body)), sent as `X-Zendesk-Webhook-Signature`, with the
//! timestamp (ISO 8601, UTC) in `X-Zendesk-Webhook-Signature-Timestamp`. The key is the secret as text, as shown
//! in the admin center, not what its base64 decodes to. Source: Zendesk developer documentation, "Verifying
//! webhook authenticity"; an older revision put the body first, which is refused here.
//!
//! Freshness is judged by the signature's timestamp: the event inside may be older, since deliveries are retried.

use crate::webhook::{SignatureError, Signed};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use std::time::Duration;
use subtle::ConstantTimeEq;

const SIGNATURE: HeaderName = HeaderName::from_static("x-zendesk-webhook-signature");
const TIMESTAMP: HeaderName = HeaderName::from_static("x-zendesk-webhook-signature-timestamp");

/// Zendesk signs test requests from the webhook form with this, and publishes it: whoever knows it knows nothing.
const PUBLIC_TEST_SECRET: &str = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==";

/// The configured secret is Zendesk's public one.
#[derive(Debug, thiserror::Error)]
#[error(
    "the webhook secret is Zendesk's public test secret: use the one shown under \"Reveal secret\" of the webhook"
)]
pub struct PublicSecret;

/// Verifies the requests of one tenant.
#[derive(Clone)]
pub struct Verifier {
    mac: Hmac<Sha256>,
    window: Duration,
}

impl Verifier {
    /// A verifier with the webhook's secret.
    pub fn new(secret: &SecretString, window: Duration) -> Result<Self, PublicSecret> {
        let secret = secret.expose_secret().as_bytes();
        if bool::from(secret.ct_eq(PUBLIC_TEST_SECRET.as_bytes())) {
            return Err(PublicSecret);
        }
        let mac = Hmac::new_from_slice(secret).expect("HMAC takes keys of any length");
        Ok(Self { mac, window })
    }

    /// Whether a request is authentic and fresh. The comparison takes the same time wherever it fails.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<Signed, SignatureError> {
        let timestamp = only(headers, &TIMESTAMP).ok_or(SignatureError::Missing)?;
        let signature = only(headers, &SIGNATURE).ok_or(SignatureError::Missing)?;
        let mut claimed = [0u8; 32];
        let decoded = STANDARD.decode_slice(signature, &mut claimed);
        if !matches!(decoded, Ok(32)) {
            return Err(SignatureError::Wrong);
        }
        let mut mac = self.mac.clone();
        mac.update(timestamp.as_bytes());
        mac.update(body);
        mac.verify_slice(&claimed).map_err(|_| SignatureError::Wrong)?;
        // Only now is the timestamp the sender's own.
        let signed_at: Timestamp = timestamp.parse().map_err(|_| SignatureError::Stale)?;
        let away = now.duration_since(signed_at).unsigned_abs();
        if away > self.window {
            return Err(SignatureError::Stale);
        }
        let fresh_until = signed_at.checked_add(self.window).unwrap_or(Timestamp::MAX);
        Ok(Signed { mac: claimed, fresh_until })
    }
}

/// The header's value, if it is there exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const SECRET: &str = "s3cret-of-the-test";
    const AT: &str = "2026-11-23T12:00:00Z";
    const WINDOW: Duration = Duration::from_secs(300);

    fn verifier(secret: &str) -> Verifier {
        Verifier::new(&SecretString::from(secret), WINDOW).unwrap()
    }

    fn headers(signature: &str, timestamp: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(SIGNATURE, HeaderValue::from_str(signature).unwrap());
        headers.insert(TIMESTAMP, HeaderValue::from_str(timestamp).unwrap());
        headers
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Computed with `printf '%s' "$TS$BODY" | openssl dgst -sha256 -hmac "$SECRET" -binary | base64`.
    #[test]
    fn vectors_made_by_openssl_verify() {
        for (body, signature) in [
            (&b""[..], "y4z3iPcZj7wJSNJdZ1gYyx73tLYuw+V2y49RYxe5U0Q="),
            (br#"{"type":"zen:event-type:ticket.created"}"#, "+zFZJyWgtZna3krScdo521sGlWTvTr4U3OlNIX4VlU4="),
            (
                "{\n   \"subject\": \"Übergrößé\"\n}\n".as_bytes(),
                "IUCrBJ9igU1O6LfIjMxpBdIywMB34Pgyxv/XbvPKonQ=",
            ),
        ] {
            let signed = verifier(SECRET).verify(&headers(signature, AT), body, at(AT)).unwrap();
            assert_eq!(signed.fresh_until, at("2026-11-23T12:05:00Z"));
        }
    }

    /// The vector that an older revision of the documentation published: body first, then the timestamp.
    #[test]
    fn the_old_order_is_refused() {
        let verifier = verifier("HRkRd4BeOAoUkfZr-mhauJT64rvBASlJRoIyPsd3zeA=");
        let headers = headers("tRDSF7URY8BLCDlaBcQ7FHu051Zk+aAB0NKMP53teMw=", "2021-07-25T10:00:00Z");
        let now = at("2021-07-25T10:00:01Z");
        assert_eq!(verifier.verify(&headers, br#"{"say": "hello"}"#, now), Err(SignatureError::Wrong));
    }

    #[test]
    fn any_change_is_noticed() {
        let good = "+zFZJyWgtZna3krScdo521sGlWTvTr4U3OlNIX4VlU4=";
        let body = br#"{"type":"zen:event-type:ticket.created"}"#;
        let check = |secret: &str, signature: &str, timestamp: &str, body: &[u8]| {
            verifier(secret).verify(&headers(signature, timestamp), body, at(AT)).map(drop)
        };
        assert_eq!(check(SECRET, good, AT, body), Ok(()));
        assert_eq!(check("other", good, AT, body), Err(SignatureError::Wrong));
        assert_eq!(check(SECRET, good, "2026-11-23T12:00:01Z", body), Err(SignatureError::Wrong));
        assert_eq!(check(SECRET, good, AT, b"{}"), Err(SignatureError::Wrong));
        for broken in ["", "AAAA", &good[1..], &format!("{good}AAAA"), "!!!!", &good.replace('=', "")] {
            assert_eq!(check(SECRET, broken, AT, body), Err(SignatureError::Wrong), "{broken}");
        }
    }

    #[test]
    fn the_window_is_closed_on_both_sides() {
        let body = br#"{"type":"zen:event-type:ticket.created"}"#;
        for (now, expected) in [
            ("2026-11-23T12:05:00Z", Ok(())),
            ("2026-11-23T12:05:01Z", Err(SignatureError::Stale)),
            ("2026-11-23T11:55:00Z", Ok(())),
            ("2026-11-23T11:54:59Z", Err(SignatureError::Stale)),
        ] {
            let verified = verifier(SECRET).verify(
                &headers("+zFZJyWgtZna3krScdo521sGlWTvTr4U3OlNIX4VlU4=", AT),
                body,
                at(now),
            );
            assert_eq!(verified.map(drop), expected, "{now}");
        }
    }

    #[test]
    fn missing_or_doubled_headers_are_refused() {
        let verifier = verifier(SECRET);
        let mut doubled = headers("y4z3iPcZj7wJSNJdZ1gYyx73tLYuw+V2y49RYxe5U0Q=", AT);
        doubled.append(SIGNATURE, HeaderValue::from_static("x"));
        for headers in [HeaderMap::new(), doubled] {
            assert_eq!(verifier.verify(&headers, b"", at(AT)), Err(SignatureError::Missing));
        }
    }

    #[test]
    fn the_public_test_secret_is_refused() {
        assert!(Verifier::new(&SecretString::from(PUBLIC_TEST_SECRET), WINDOW).is_err());
    }
}
