//! Cursors of lists: the sort key of the last row, opaque to callers. A cursor holds nothing but values to compare
//! with, within what the caller may see anyway: a forged one leads nowhere else.

use super::error::ApiError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest cursor that is read.
const MAX: usize = 1024;

/// Most rows of a page.
pub const MAX_LIMIT: u32 = 200;

/// The cursor behind a row.
pub fn encode(key: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).unwrap_or_default())
}

/// The sort key in a cursor.
pub fn decode<T: DeserializeOwned>(cursor: Option<&str>) -> Result<Option<T>, ApiError> {
    let Some(cursor) = cursor else { return Ok(None) };
    let key = (cursor.len() <= MAX).then(|| URL_SAFE_NO_PAD.decode(cursor).ok()).flatten();
    let key = key.and_then(|key| serde_json::from_slice(&key).ok());
    key.map(Some).ok_or_else(|| {
        ApiError::field("cursor", "is none of this list", "send `next` of the page before, or leave it out")
    })
}

/// How many rows a page has.
pub fn limit(asked: Option<u32>) -> Result<u32, ApiError> {
    match asked {
        None => Ok(50),
        Some(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
        Some(_) => Err(ApiError::field("limit", "is out of range", "give 1 to 200")),
    }
}
