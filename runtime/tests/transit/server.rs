//! What tests ask of a server of Transit's protocol.
#![allow(dead_code, reason = "each test uses its part")]

/// A server with an engine at `transit`, and in it the keys `deskstream` (aes256-gcm96) and `signing` (ed25519).
pub trait Server {
    /// Its URL.
    fn address(&self) -> String;
    /// A token that may do all that Deskstream does.
    fn token(&self) -> String;
    /// Gives a key a new version.
    fn rotate(&self, key: &str);
    /// Seals it: from then on it does nothing.
    fn seal(&self);
}
