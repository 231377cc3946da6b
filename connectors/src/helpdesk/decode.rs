//! Why what a helpdesk sent can't be read.

/// Why a body is not what the helpdesk documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It is no JSON, or no UTF-8.
    #[error("the body is not JSON")]
    NotJson,
    /// It is JSON of another shape.
    #[error("the body is JSON of another shape than the helpdesk documents: {0}")]
    BadShape(&'static str),
}

impl DecodeError {
    /// Stable reason code.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotJson => "not-json",
            Self::BadShape(_) => "bad-shape",
        }
    }

    /// Tells by serde's error; `what` it is not, if it is JSON.
    pub(crate) fn of(error: &serde_json::Error, what: &'static str) -> Self {
        match error.classify() {
            serde_json::error::Category::Data => Self::BadShape(what),
            _ => Self::NotJson,
        }
    }
}

impl From<DecodeError> for crate::webhook::Unreadable {
    fn from(error: DecodeError) -> Self {
        Self { reason: error.reason(), error: error.to_string() }
    }
}

/// That a body is an object: serde would also read an array, as the values of the fields in their order.
pub(crate) fn object(json: &[u8]) -> Result<&[u8], DecodeError> {
    if json.trim_ascii_start().first() == Some(&b'{') {
        Ok(json)
    } else {
        Err(DecodeError::BadShape("it is no object"))
    }
}
