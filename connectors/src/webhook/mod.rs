//! The server that helpdesks call: `POST /webhooks/{platform}/{tenant}`.
//!
//! # One request
//! Each step only costs what the ones before have earned:
//! 1. tenant known, else 404; sender's address allowed, where the account says so, else 403
//! 2. room for it, else 503, or 429 where the tenant alone holds more than its share; body within `http.max_body`, else 413; read within [`BODY_TIMEOUT`], else 408
//! 3. signature there, right and fresh, else 401; of a helpdesk that signs nothing, the shared secret
//! 4. not answered before, else 200 without another event (nothing tells unsigned requests apart)
//! 5. readable, else 400 and the body goes, sealed, to the dead letter
//! 6. of a type that concerns us and not the echo of our own write-back, else 200
//! 7. where the request only names a ticket, that ticket read by API, else 503 with `Retry-After`
//! 8. written to `events`: **200 only after the broker's acknowledgement**, or after it is on disk where there is a
//!    [spool](crate::spool), else 503 with `Retry-After`
//!
//! Zendesk repeats a delivery for 429 and 503 with a `Retry-After` below 60 s and for timeouts, and gives others
//! up; so whatever is not the request's own fault is answered by such a 503 or 429, well within the sender's 12 s.
//!
//! # Many requests
//! In flight are at most `http.max_in_flight` requests and [`BODY_BUDGET_BYTES`] of bodies; of both a tenant holds its
//! share at most ([`Shares`](crate::fair::Shares)), so that room is left for others. Of those in flight
//! 512 are worked on, and tenants take turns ([`Turns`](crate::fair::Turns)). Nothing else queues: what finds no room
//! is refused at once, so that memory stays bounded and senders hear soon when to come again. Decision 0019.
//!
//! Every request is counted in `deskstream_webhook_requests_total{tenant,result}`. TLS ends in front of this server.

mod delivered;
mod metrics;
mod receiver;
mod replay;
mod server;
mod source;
mod verdict;

pub use delivered::Delivered;
pub use receiver::{FetchError, Fetching, Reading, Receiver, SignatureError, Signed, Unreadable};
pub use server::{BODY_BUDGET_BYTES, BODY_TIMEOUT, Receivers, ServeError, Webhooks, serve};
