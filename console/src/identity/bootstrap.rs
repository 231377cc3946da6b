//! The first operator: made by whoever holds the one-time token that the console prints at its start, as long as there
//! is no operator.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// What the token is compared with.
pub struct Bootstrap {
    sha256: [u8; 32],
}

impl Bootstrap {
    /// A new token, and what knows it again.
    pub fn new() -> (Self, SecretString) {
        let mut bytes = Zeroizing::new([0u8; 32]);
        rand::rng().fill_bytes(bytes.as_mut_slice());
        let token = SecretString::from(URL_SAFE_NO_PAD.encode(bytes.as_slice()));
        (Self { sha256: Sha256::digest(token.expose_secret().as_bytes()).into() }, token)
    }

    /// Whether it is the token.
    pub fn is(&self, presented: &SecretString) -> bool {
        let presented: [u8; 32] = Sha256::digest(presented.expose_secret().as_bytes()).into();
        presented.ct_eq(&self.sha256).into()
    }
}
