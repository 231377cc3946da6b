//! ClickHouse's errors as HTTP carries them: `Code: N. DB::Exception: text. (NAME)` with the code in
//! `X-ClickHouse-Exception-Code` and a status that follows from the code.
//!
//! Codes: `src/Common/ErrorCodes.cpp`; statuses: `src/Server/HTTP/exceptionCodeToHTTPStatus.cpp` of ClickHouse.

use http::StatusCode;

use crate::ffi::EngineError;

/// An error code this program raises by itself. Others come from the engine as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// A body ended inside a block.
    CannotReadAllData = 33,
    /// A request that makes no sense.
    BadArguments = 36,
    /// A compressed block's checksum is wrong.
    ChecksumDoesntMatch = 40,
    /// Something ClickHouse has and this engine has not.
    NotImplemented = 48,
    /// A failure of our own.
    LogicalError = 49,
    /// Text that is not one SQL statement.
    SyntaxError = 62,
    /// A compressed block larger than we take.
    TooLargeSizeCompressed = 39,
    /// A compression method we do not have.
    UnknownCompressionMethod = 89,
    /// The request took too long.
    TimeoutExceeded = 159,
    /// The engine is full.
    TooManySimultaneousQueries = 202,
    /// The client stopped sending.
    NetworkError = 210,
    /// The id is in use.
    QueryWithSameIdIsAlreadyRunning = 216,
    /// A compressed block that does not decompress.
    CannotDecompress = 271,
    /// A body or statement over the limit.
    QueryIsTooLarge = 229,
    /// Something the guard refuses.
    AccessDenied = 497,
    /// Wrong user or password.
    AuthenticationFailed = 516,
}

impl Code {
    fn name(self) -> &'static str {
        match self {
            Self::CannotReadAllData => "CANNOT_READ_ALL_DATA",
            Self::BadArguments => "BAD_ARGUMENTS",
            Self::ChecksumDoesntMatch => "CHECKSUM_DOESNT_MATCH",
            Self::NotImplemented => "NOT_IMPLEMENTED",
            Self::LogicalError => "LOGICAL_ERROR",
            Self::SyntaxError => "SYNTAX_ERROR",
            Self::TooLargeSizeCompressed => "TOO_LARGE_SIZE_COMPRESSED",
            Self::UnknownCompressionMethod => "UNKNOWN_COMPRESSION_METHOD",
            Self::TimeoutExceeded => "TIMEOUT_EXCEEDED",
            Self::TooManySimultaneousQueries => "TOO_MANY_SIMULTANEOUS_QUERIES",
            Self::NetworkError => "NETWORK_ERROR",
            Self::QueryWithSameIdIsAlreadyRunning => "QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING",
            Self::CannotDecompress => "CANNOT_DECOMPRESS",
            Self::QueryIsTooLarge => "QUERY_IS_TOO_LARGE",
            Self::AccessDenied => "ACCESS_DENIED",
            Self::AuthenticationFailed => "AUTHENTICATION_FAILED",
        }
    }
}

/// A request's failure: its code and the text the client gets.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{text}")]
pub struct Exception {
    code: u32,
    text: String,
}

impl Exception {
    /// An exception of our own.
    pub fn new(code: Code, message: impl std::fmt::Display) -> Self {
        Self {
            code: code as u32,
            text: format!("Code: {}. DB::Exception: {message}. ({})", code as u32, code.name()),
        }
    }

    /// The number for `X-ClickHouse-Exception-Code`.
    pub fn code(&self) -> u32 {
        self.code
    }

    /// The text, with a line end as ClickHouse sends it.
    pub fn body(&self) -> String {
        format!("{}\n", self.text)
    }

    /// The HTTP status ClickHouse gives this code; a full engine is 503 here, as every proxy understands it.
    pub fn status(&self) -> StatusCode {
        match self.code {
            194 => StatusCode::UNAUTHORIZED,
            192 | 193 | 497 | 512 | 516 => StatusCode::FORBIDDEN,
            6 | 8 | 15 | 25 | 26 | 27 | 36 | 37 | 38 | 41 | 44 | 53 | 62 | 72 | 117 | 123 | 167 | 168
            | 223 | 321 | 376 | 427 | 441 | 675 | 676 => StatusCode::BAD_REQUEST,
            46 | 47 | 50 | 56 | 60 | 63 | 73 | 78 | 81 | 115 | 152 | 336 | 511 => StatusCode::NOT_FOUND,
            159 => StatusCode::REQUEST_TIMEOUT,
            229 => StatusCode::PAYLOAD_TOO_LARGE,
            779 => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            48 => StatusCode::NOT_IMPLEMENTED,
            76 | 202 | 209 | 439 => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<EngineError> for Exception {
    fn from(error: EngineError) -> Self {
        let text = error.into_message();
        // The first number counts: some paths wrap an exception in itself.
        let code = text
            .find("Code: ")
            .map(|at| &text[at + "Code: ".len()..])
            .and_then(|rest| rest.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok())
            // STD_EXCEPTION: what ClickHouse calls an error without a code of its own.
            .unwrap_or(1001);
        Self { code, text: text.trim_end().to_owned() }
    }
}
