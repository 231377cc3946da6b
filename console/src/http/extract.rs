//! Extractors whose refusals are problem details.

use super::error::ApiError;
use axum::extract::{FromRequest, FromRequestParts};

/// A JSON body.
#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(ApiError))]
pub struct Json<T>(pub T);

/// The query string.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(ApiError))]
pub struct Query<T>(pub T);

/// Parts of the path.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub struct Path<T>(pub T);

/// No text to compare with needs to be longer.
const MAX_TEXT: usize = 200;

/// A text that rows are compared with; empty if there is none.
pub fn bounded(field: &str, value: Option<String>) -> Result<String, ApiError> {
    let value = value.unwrap_or_default();
    let sound = value.chars().count() <= MAX_TEXT && !value.chars().any(char::is_control);
    if sound {
        Ok(value)
    } else {
        Err(ApiError::field(field, "is too long, or has control characters", "shorten it"))
    }
}
