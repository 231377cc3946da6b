//! What a helpdesk brings to the webhook server: its signatures and its shapes.

use bytes::Bytes;
use deskstream_schemas::{Platform, TicketContent, TicketEvent};
use http::HeaderMap;
use jiff::Timestamp;
use std::net::IpAddr;
use std::pin::Pin;

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
    /// The echo of our own write-back; with the ticket and its version since, where polls shall know of it.
    OwnUpdate(Option<(String, i64)>),
    /// No more than the id of a ticket: what became of it is for [`Receiver::fetch`] to find out.
    Named(String),
}

/// An authentic body that can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Stable reason code in kebab-case.
    pub reason: &'static str,
    /// What is wrong, without personal data.
    pub error: String,
}

/// Why the ticket that a request names was not read.
#[derive(Debug)]
pub enum FetchError {
    /// Too many are being read.
    Busy,
    /// The helpdesk does not give it now.
    Away,
    /// What the helpdesk gives can't be read.
    Unreadable {
        /// Why.
        why: Unreadable,
        /// What it gave.
        payload: Bytes,
    },
}

/// A ticket being read.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Reading, FetchError>> + Send + 'a>>;

/// One tenant's account at one helpdesk, as the webhook server sees it.
pub trait Receiver: Send + Sync + 'static {
    /// The helpdesk.
    fn platform(&self) -> Platform;

    /// Whether requests from this address, or from an unknown one, are taken at all.
    fn admits(&self, _source: Option<IpAddr>) -> bool {
        true
    }

    /// Whether a request comes from the helpdesk, now. Without a signature of its own, nothing tells it from the
    /// next one like it, and it is never a replay.
    fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Option<Signed>, SignatureError>;

    /// Reads an authentic body.
    fn read(&self, body: &[u8], received_at: i64) -> Result<Reading, Unreadable>;

    /// Reads the ticket that [`Reading::Named`] names, at the helpdesk. Asked only of receivers that read so.
    fn fetch<'a>(&'a self, _ticket: &'a str, _received_at: i64) -> Fetching<'a> {
        Box::pin(async { Ok(Reading::Ignored) })
    }

    /// The helpdesk's own id of the delivery, if it sends one.
    fn delivery_id<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str>;
}
