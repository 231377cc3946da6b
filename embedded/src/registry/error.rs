//! The error bodies of the API: an HTTP status, and a code whose first three digits usually repeat it.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// An answer other than success.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    status: StatusCode,
    code: u32,
    message: String,
}

#[derive(Serialize)]
struct Body<'a> {
    error_code: u32,
    message: &'a str,
}

impl ApiError {
    fn new(status: StatusCode, code: u32, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    fn not_found(code: u32, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    fn unprocessable(code: u32, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    pub(super) fn no_such_subject(subject: &str) -> Self {
        Self::not_found(40401, format!("Subject '{subject}' not found."))
    }

    pub(super) fn no_such_version(version: impl std::fmt::Display) -> Self {
        Self::not_found(40402, format!("Version {version} not found."))
    }

    pub(super) fn no_such_schema() -> Self {
        Self::not_found(40403, "Schema not found")
    }

    pub(super) fn subject_soft_deleted(subject: &str) -> Self {
        Self::not_found(
            40404,
            format!("Subject '{subject}' was soft deleted. Set permanent=true to delete permanently"),
        )
    }

    pub(super) fn subject_not_soft_deleted(subject: &str) -> Self {
        Self::not_found(
            40405,
            format!("Subject '{subject}' was not deleted first before being permanently deleted"),
        )
    }

    pub(super) fn version_soft_deleted(subject: &str, version: i32) -> Self {
        Self::not_found(
            40406,
            format!(
                "Subject '{subject}' Version {version} was soft deleted. Set permanent=true to delete permanently"
            ),
        )
    }

    pub(super) fn version_not_soft_deleted(subject: &str, version: i32) -> Self {
        Self::not_found(
            40407,
            format!(
                "Subject '{subject}' Version {version} was not deleted first before being permanently deleted"
            ),
        )
    }

    pub(super) fn no_config(subject: &str) -> Self {
        Self::not_found(
            40408,
            format!("Subject '{subject}' does not have subject-level compatibility configured"),
        )
    }

    pub(super) fn no_mode(subject: &str) -> Self {
        Self::not_found(40409, format!("Subject '{subject}' does not have subject-level mode configured"))
    }

    pub(super) fn incompatible(reasons: &[String]) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            409,
            format!(
                "Schema being registered is incompatible with an earlier schema; details: [{}]",
                reasons.join(", ")
            ),
        )
    }

    pub(super) fn unsupported_media_type() -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, 415, "HTTP 415 Unsupported Media Type")
    }

    pub(super) fn bad_request(reason: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, 400, format!("Unable to process JSON: {reason}"))
    }

    pub(super) fn no_such_path() -> Self {
        Self::not_found(404, "HTTP 404 Not Found")
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, 405, "HTTP 405 Method Not Allowed")
    }

    pub(super) fn invalid_schema(reason: impl std::fmt::Display) -> Self {
        Self::unprocessable(42201, format!("Invalid schema: {reason}"))
    }

    pub(super) fn invalid_version(given: &str) -> Self {
        Self::unprocessable(
            42202,
            format!(
                "The specified version '{given}' is not a valid version id. Allowed values are between [1, 2^31-1] \
                 and the string \"latest\""
            ),
        )
    }

    pub(super) fn invalid_level(given: &str) -> Self {
        Self::unprocessable(
            42203,
            format!(
                "Invalid compatibility level '{given}'. Valid values are none, backward, forward, full, \
                 backward_transitive, forward_transitive, and full_transitive"
            ),
        )
    }

    pub(super) fn invalid_mode(given: &str) -> Self {
        Self::unprocessable(42204, format!("Invalid mode '{given}'. Valid values are READWRITE and READONLY"))
    }

    pub(super) fn read_only(what: &str) -> Self {
        Self::unprocessable(42205, format!("{what} is in read-only mode"))
    }

    pub(super) fn referenced(subject: &str, version: i32) -> Self {
        Self::unprocessable(
            42206,
            format!(
                "One or more references exist to the schema {{magic=1,keytype=SCHEMA,subject={subject},version={version}}}."
            ),
        )
    }

    pub(super) fn invalid_subject(subject: &str) -> Self {
        Self::unprocessable(42208, format!("The specified subject '{subject}' is not a valid."))
    }

    pub(super) fn store(reason: impl std::fmt::Display) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            50001,
            format!("Error in the backend datastore: {reason}"),
        )
    }

    pub(super) fn timeout() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, 50002, "Write to the backend datastore timed out")
    }

    pub(super) fn fenced() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            50003,
            "Another registry has taken over this topic: this one only reads",
        )
    }

    #[cfg(test)]
    pub(super) fn code(&self) -> u32 {
        self.code
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::warn!(
                code = self.code,
                message = self.message,
                "schema registry could not do a request"
            );
        }
        let body = Body { error_code: self.code, message: &self.message };
        (self.status, super::api::Json(body)).into_response()
    }
}
