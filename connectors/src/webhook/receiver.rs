//! What a helpdesk brings to the webhook server: its signatures and its shapes.

use deskstream_schemas::{Platform, TicketContent, TicketEvent};
use http::HeaderMap;
use jiff::Timestamp;

/// Why a request is not authentic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A header is missing, is there twice, or is no text.
    #[error("signature headers are missing or ambiguous")]
    Missing,
    /// The signature is not one that the secret makes of this request.
    #[error("wrong signature")]
    Wrong,
    /// The signature's time lies outside the window.
    #[error("stale signature timestamp")]
    Stale,
}

/// An authentic signature: what it is, and until when it would be taken again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed {
    /// The signature itself, and so the identity of this very request.
    pub mac: [u8; 32],
    /// After this a replay is stale.
    pub fresh_until: Timestamp,
}

/// What an authentic body comes to.
#[derive(Debug)]
pub enum Reading {
    /// An event to take in.
    Event(Box<(TicketEvent, TicketContent)>),
    /// An event of a type that changes nothing we keep.
    Ignored,
    /// The echo of our own write-back.
    OwnUpdate,
}

/// An authentic body that can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Stable reason code in kebab-case.
    pub reason: &'static str,
    /// What is wrong, without personal data.
    pub error: String,
}

/// One tenant's account at one helpdesk, as the webhook server sees it.
pub trait Receiver: Send + Sync + 'static {
    /// The helpdesk.
    fn platform(&self) -> Platform;

    /// Whether a request comes from the helpdesk, now.
    fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<Signed, SignatureError>;

    /// Reads an authentic body.
    fn read(&self, body: &[u8], received_at: i64) -> Result<Reading, Unreadable>;

    /// The helpdesk's own id of the delivery, if it sends one.
    fn delivery_id<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str>;
}
