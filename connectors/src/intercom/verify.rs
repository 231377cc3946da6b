//! Webhook signatures: `X-Hub-Signature: sha1=<hex of HMAC-SHA1(client secret, raw body)>`.
//!
//! Source: Intercom developer documentation, "Webhook notifications". The signature has no time. A replay is known by
//! the signature itself for as long as `http.signature_window`, and by the notification's id for ever: it becomes
//! the id of the event. SHA-1's collisions don't forge an HMAC, and Intercom offers nothing else.

use crate::webhook::{SignatureError, Signed};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use std::time::Duration;

const SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature");

/// Verifies the requests of one tenant.
#[derive(Clone)]
pub struct Verifier {
    mac: Hmac<Sha1>,
    window: Duration,
}

impl Verifier {
    /// A verifier with the app's client secret.
    pub fn new(secret: &SecretString, window: Duration) -> Self {
        let mac = Hmac::new_from_slice(secret.expose_secret().as_bytes());
        Self { mac: mac.expect("HMAC takes keys of any length"), window }
    }

    /// Whether a request is authentic. The comparison takes the same time wherever it fails.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<Signed, SignatureError> {
        let mut values = headers.get_all(&SIGNATURE).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(SignatureError::Missing);
        };
        let value = value.to_str().map_err(|_| SignatureError::Missing)?;
        let digits = value.strip_prefix("sha1=").ok_or(SignatureError::Wrong)?;
        let mut claimed = [0u8; 20];
        hex::decode_to_slice(digits, &mut claimed).map_err(|_| SignatureError::Wrong)?;
        let mut mac = self.mac.clone();
        mac.update(body);
        mac.verify_slice(&claimed).map_err(|_| SignatureError::Wrong)?;
        let mut identity = [0u8; 32];
        identity[..20].copy_from_slice(&claimed);
        let fresh_until = now.checked_add(self.window).unwrap_or(Timestamp::MAX);
        Ok(Signed { mac: identity, fresh_until })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const BODY: &[u8] = br#"{"type":"notification_event","topic":"ping"}"#;

    fn verify(values: &[&str], body: &[u8]) -> Result<Signed, SignatureError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(SIGNATURE, HeaderValue::from_str(value).unwrap());
        }
        let verifier = Verifier::new(&SecretString::from("s3cret-of-the-test"), Duration::from_secs(300));
        verifier.verify(&headers, body, Timestamp::UNIX_EPOCH)
    }

    /// Computed with `printf '%s' "$BODY" | openssl dgst -sha1 -hmac "$SECRET"`.
    const VECTOR: &str = "sha1=189a28ebea508f0b05ab9e16700100b97a189f8d";

    #[test]
    fn a_vector_made_by_openssl_verifies() {
        let signed = verify(&[VECTOR], BODY).unwrap();
        assert_eq!(signed.fresh_until.as_second(), 300);
    }

    #[test]
    fn everything_else_does_not() {
        assert_eq!(verify(&[], BODY), Err(SignatureError::Missing));
        assert_eq!(verify(&[VECTOR, VECTOR], BODY), Err(SignatureError::Missing));
        let upper = VECTOR.replace("sha1=", "SHA1=");
        let (cut, no_name) = (&VECTOR[..VECTOR.len() - 2], VECTOR.trim_start_matches("sha1="));
        for wrong in [cut, no_name, upper.as_str(), "sha1=", "sha256=00", "sha1=zz"] {
            assert_eq!(verify(&[wrong], BODY), Err(SignatureError::Wrong), "{wrong}");
        }
        assert_eq!(verify(&[VECTOR], b"{}"), Err(SignatureError::Wrong));
    }
}
