//! Who an event is about, where all that is known is a name or an address: a keyed hash in its place.
//!
//! It travels in clear, so that rows of one person can be found and erased. Whoever has not got the tenant's key can
//! neither make it nor test a guess, and once the key is destroyed nobody can.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Marks references, so that redaction does not take their digits for a number.
const MARK: &str = "ref_";
const BYTES: usize = 16;

/// What the hash of a requester is labelled with, so that it equals no other hash under the same key.
pub(super) const LABEL: &str = "requester";

/// HMAC-SHA-256.
pub(super) fn mac(key: &[u8; 32], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// The reference of a requester, under a secret of the tenant.
pub(super) fn reference(secret: &[u8; 32], requester: &str) -> String {
    let mac = mac(secret, requester.as_bytes());
    mac.iter().take(BYTES).fold(MARK.to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// Whether a text is a reference, as far as its form tells.
pub fn is_reference(text: &str) -> bool {
    text.strip_prefix(MARK).is_some_and(|hex| {
        hex.len() == 2 * BYTES && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}
