//! What went wrong with a call: whose fault, what next, and whether it may have been applied.

use http::StatusCode;
use std::time::Duration;

/// Who must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// Whoever configured the account: credentials, permissions, address.
    User,
    /// The service, or the way to it.
    External,
    /// We.
    Internal,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// The same call fails again.
    Never,
    /// Try again, less and less often.
    Backoff,
    /// Try again after this time, which the service asked for.
    After(Duration),
}

/// Whether the request may have changed something at the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It has not.
    None,
    /// Nobody knows: look before trying again.
    Unknown,
}

/// What happened.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The service answered with a status that the call does not accept.
    #[error("the service answered {status}{}", .code.as_deref().map(|c| format!(" ({c})")).unwrap_or_default())]
    Status {
        /// The status.
        status: StatusCode,
        /// The service's error code, where its answer holds one that is no free text.
        code: Option<String>,
    },
    /// No connection came about.
    #[error("can't connect")]
    Connect(#[source] reqwest::Error),
    /// No whole answer came in time.
    #[error("no answer in time")]
    Timeout,
    /// The connection broke after the request had been (partly) sent.
    #[error("the connection was lost")]
    Lost(#[source] reqwest::Error),
    /// The answer is larger than allowed.
    #[error("the answer is larger than {limit} bytes")]
    AnswerTooLarge {
        /// Most bytes.
        limit: usize,
    },
    /// The answer is not what the service documents.
    #[error("the answer is not as documented: {0}")]
    Malformed(&'static str),
    /// The breaker holds requests back, since the last ones failed.
    #[error("the service has been failing: requests are held back")]
    CircuitOpen,
    /// The call's deadline passed while it waited for its turn.
    #[error("waited too long for the account's rate limit")]
    NoTurn,
    /// The URL is not of the configured origin.
    #[error("the URL is not of the configured origin")]
    ForeignOrigin,
    /// The request can't be built.
    #[error("the request can't be built")]
    Invalid(#[source] reqwest::Error),
}

/// A call failed.
#[derive(Debug, thiserror::Error)]
#[error("call {endpoint} of {service} (attempts: {attempts}): {cause}")]
pub struct CallError {
    /// The service.
    pub service: &'static str,
    /// The call's name.
    pub endpoint: &'static str,
    /// What happened at last.
    #[source]
    pub cause: Cause,
    /// Whether it may have been applied, by this or an earlier attempt.
    pub effect: Effect,
    /// What to do next.
    pub hint: Hint,
    /// Requests sent.
    pub attempts: u32,
}

impl CallError {
    /// The last HTTP status, if one came.
    pub fn status(&self) -> Option<StatusCode> {
        match self.cause {
            Cause::Status { status, .. } => Some(status),
            _ => None,
        }
    }

    /// Who must act.
    pub fn domain(&self) -> Domain {
        match &self.cause {
            Cause::Status { status, .. } => match status.as_u16() {
                401 | 403 | 404 | 300..=399 => Domain::User,
                408 | 429 | 500..=599 => Domain::External,
                _ => Domain::Internal,
            },
            Cause::Connect(_)
            | Cause::Timeout
            | Cause::Lost(_)
            | Cause::AnswerTooLarge { .. }
            | Cause::Malformed(_)
            | Cause::CircuitOpen
            | Cause::NoTurn => Domain::External,
            Cause::ForeignOrigin | Cause::Invalid(_) => Domain::Internal,
        }
    }

    /// Whether the very same call may succeed later.
    pub fn retry(&self) -> bool {
        self.hint != Hint::Never
    }
}

/// A client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The credentials hold a character that a header can't carry.
    #[error(
        "the credentials of {service} for {account} can't be sent in a header: check them for line breaks"
    )]
    Credentials {
        /// The service.
        service: &'static str,
        /// The account.
        account: String,
    },
    /// The base URL can't be a base.
    #[error("the URL of {service} for {account} is no http(s) URL")]
    Url {
        /// The service.
        service: &'static str,
        /// The account.
        account: String,
    },
    /// TLS could not be set up.
    #[error("set up an HTTP client for {service}")]
    Client {
        /// The service.
        service: &'static str,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
}

impl Cause {
    /// Stable name, as in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Status { status, .. } => match status.as_u16() {
                429 => "429",
                409 => "409",
                300..=399 => "3xx",
                400..=499 => "4xx",
                _ => "5xx",
            },
            Self::Connect(_) => "connect",
            Self::Timeout => "timeout",
            Self::Lost(_) => "lost",
            Self::AnswerTooLarge { .. } => "too_large",
            Self::Malformed(_) => "malformed",
            Self::CircuitOpen => "circuit_open",
            Self::NoTurn => "no_turn",
            Self::ForeignOrigin | Self::Invalid(_) => "invalid",
        }
    }
}
