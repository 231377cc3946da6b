//! Errors as callers see them: problem details (RFC 9457), each with a stable code, what is wrong and what to do.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use deskstream_connectors::kafka::SendError;
use deskstream_runtime::control::ControlError;
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// A field of a request and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldProblem {
    /// Its name.
    pub field: String,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub fix: String,
}

impl FieldProblem {
    /// A problem of a field.
    pub fn new(field: &str, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { field: field.to_owned(), problem: problem.into(), fix: fix.into() }
    }
}

/// Problem details (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// `urn:deskstream:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong in this case.
    pub detail: String,
    /// Each field that is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
}

/// Why a request was not done. Messages hold nothing that the caller did not send.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No valid token or key.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// The caller may not do this.
    #[error("this needs the permission {0}")]
    Forbidden(&'static str),
    /// A request with cookies that does not come from the console's own pages.
    #[error("the request does not come from the console's own pages")]
    CrossSite,
    /// There is no such thing, or it is not the caller's: the answers are the same.
    #[error("there is no such thing here")]
    NotFound,
    /// No route.
    #[error("there is no such path; see /api/v1/openapi.json")]
    NoRoute,
    /// The path is there, the method is not.
    #[error("this path does not know the method")]
    NoMethod,
    /// Fields are wrong.
    #[error("the request has {} wrong field(s)", .0.len())]
    Invalid(Vec<FieldProblem>),
    /// The request can't be read.
    #[error("{detail}")]
    Unreadable {
        /// 400, 413, 415 or 422.
        status: StatusCode,
        /// What is wrong.
        detail: String,
    },
    /// It is there already, or is in use.
    #[error("{0}")]
    Conflict(&'static str),
    /// Somebody changed it meanwhile.
    #[error("it was changed meanwhile: read it again, and send its ETag as If-Match")]
    Changed,
    /// A change needs `If-Match`.
    #[error("send the ETag of what you read as If-Match, so that nobody's change is lost")]
    NoPrecondition,
    /// Too many requests, or sign-ins that failed.
    #[error("{what}: try again in {}s", .after.as_secs().max(1))]
    TooMany {
        /// Too many of what.
        what: &'static str,
        /// When it may work again.
        after: Duration,
    },
    /// Something that is needed is away.
    #[error("{0} can't be reached at the moment")]
    Away(&'static str),
    /// Our fault.
    #[error("something went wrong here; the log has it under the request's id")]
    Internal,
}

impl ApiError {
    /// One field that is wrong.
    pub fn field(field: &str, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldProblem::new(field, problem, fix)])
    }

    fn parts(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "unauthenticated", "Not signed in"),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden", "Not allowed"),
            Self::CrossSite => (StatusCode::FORBIDDEN, "cross-site", "Cross-site request"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::NoRoute => (StatusCode::NOT_FOUND, "no-route", "No such path"),
            Self::NoMethod => (StatusCode::METHOD_NOT_ALLOWED, "no-method", "No such method"),
            Self::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "Invalid request"),
            Self::Unreadable { status, .. } => (*status, "unreadable", "Unreadable request"),
            Self::Conflict(_) => (StatusCode::CONFLICT, "conflict", "Conflict"),
            Self::Changed => (StatusCode::PRECONDITION_FAILED, "changed", "Changed meanwhile"),
            Self::NoPrecondition => {
                (StatusCode::PRECONDITION_REQUIRED, "no-precondition", "If-Match missing")
            }
            Self::TooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, "too-many", "Too many requests"),
            Self::Away(_) => (StatusCode::SERVICE_UNAVAILABLE, "away", "Unavailable"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code, title) = self.parts();
        let after = match &self {
            Self::TooMany { after, .. } => Some(after.as_secs().max(1)),
            Self::Away(_) => Some(2),
            _ => None,
        };
        let challenge = matches!(self, Self::Unauthenticated(_));
        let problem = Problem {
            kind: format!("urn:deskstream:problem:{code}"),
            title,
            status: status.as_u16(),
            detail: self.to_string(),
            errors: if let Self::Invalid(errors) = self { errors } else { Vec::new() },
        };
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(after) = after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after));
        }
        if challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        Self::Unreadable { status: rejection.status(), detail: rejection.body_text() }
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::Unreadable { status: rejection.status(), detail: rejection.body_text() }
    }
}

impl From<PathRejection> for ApiError {
    fn from(_: PathRejection) -> Self {
        Self::NotFound
    }
}

impl From<ControlError> for ApiError {
    fn from(error: ControlError) -> Self {
        tracing::error!(%error, "the control topic can't be written");
        Self::Away("the store of settings")
    }
}

impl From<SendError> for ApiError {
    fn from(error: SendError) -> Self {
        tracing::error!(%error, "the audit trail can't be written");
        Self::Away("the audit trail")
    }
}

impl From<clickhouse::error::Error> for ApiError {
    fn from(error: clickhouse::error::Error) -> Self {
        // The text of an answer may quote parameters of the query.
        let told = match &error {
            clickhouse::error::Error::BadResponse(text) => text.chars().take_while(|c| *c != '.').collect(),
            other => other.to_string(),
        };
        tracing::error!(error = %told, "ClickHouse did not answer a question");
        Self::Away("ClickHouse")
    }
}
