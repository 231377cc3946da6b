//! What every request meets on its way in and out.

pub mod cursor;
pub mod error;
pub mod etag;
pub mod extract;
pub mod headers;
pub mod idempotency;
pub mod rate;
pub mod request;
