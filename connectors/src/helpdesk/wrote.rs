//! What became of a write that a helpdesk has no condition for.

use crate::http::{Call, CallError, Client, Effect};
use http::StatusCode;
use serde::de::DeserializeOwned;

/// What became of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrote<T> {
    /// Applied.
    Applied(T),
    /// There is no such ticket (any more).
    NotFound,
    /// The helpdesk refuses it for good: the ticket is in the trash, a value is not allowed …
    Refused(StatusCode),
}

impl<T> Wrote<T> {
    /// The same, where what was applied does not matter.
    pub fn done(self) -> Wrote<()> {
        match self {
            Self::Applied(_) => Wrote::Applied(()),
            Self::NotFound => Wrote::NotFound,
            Self::Refused(status) => Wrote::Refused(status),
        }
    }
}

const REFUSED: [StatusCode; 6] = [
    StatusCode::BAD_REQUEST,
    StatusCode::NOT_FOUND,
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::CONFLICT,
    StatusCode::GONE,
    StatusCode::UNPROCESSABLE_ENTITY,
];

/// Sends a write, once: it is never repeated blindly.
pub(crate) async fn write<T: DeserializeOwned>(http: &Client, call: Call<'_>) -> Result<Wrote<T>, CallError> {
    let endpoint = call.endpoint;
    let answer = http.call(&call.accepting(&REFUSED)).await?;
    Ok(match answer.status {
        StatusCode::NOT_FOUND | StatusCode::GONE => Wrote::NotFound,
        status if !status.is_success() => Wrote::Refused(status),
        // It was applied, whatever the rest of the answer looks like; a cut answer leaves that open.
        _ => Wrote::Applied(http.json(endpoint, &answer, Effect::Unknown)?),
    })
}
