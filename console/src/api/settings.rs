//! Settings. The redaction policy of the caller's tenant; without a chosen tenant, the installation's. Running pipelines
//! take a change in within moments.

use crate::App;
use crate::audit::Note;
use crate::http::error::ApiError;
use crate::http::etag;
use crate::http::extract::Json;
use crate::identity::caller::Caller;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use deskstream_pipeline::policy::{self, POLICY_KIND, PolicyError};
use deskstream_redact::{PiiKind, RedactConfig};
use utoipa::ToSchema;

/// A redaction policy as in `docs/redaction-policy.example.yaml`, in JSON.
#[derive(ToSchema)]
#[schema(value_type = Object)]
#[allow(dead_code, reason = "stands for the type of another crate in the document")]
pub struct RedactionPolicy(serde_json::Value);

fn refused(error: PolicyError) -> ApiError {
    match error {
        PolicyError::Config(error) => {
            ApiError::field("policy", error.to_string(), "see docs/redaction-policy.example.yaml")
        }
        PolicyError::Control(error) => error.into(),
        other => {
            tracing::error!(error = %other, "a redaction policy can't be read or written");
            ApiError::Internal
        }
    }
}

fn version(app: &App, tenant: &str) -> i64 {
    app.process.control.get(POLICY_KIND, tenant).map_or(0, |policy| policy.version)
}

/// A kind of personal data, and what a policy may say of it.
#[derive(serde::Serialize, ToSchema)]
pub struct Kind {
    /// Its name, as in a policy and in masked text.
    pub name: String,
    /// Whether it is looked for only if a policy names it.
    pub optional: bool,
    /// What may be done with it: `mask`, `partial`, `pseudonym`, `hash`, `keep`, `off`.
    pub policies: Vec<&'static str>,
}

/// List the kinds of personal data
#[utoipa::path(get, path = "/api/v1/settings/redaction-kinds", tag = "settings",
    responses((status = 200, body = Vec<Kind>)))]
pub async fn kinds() -> axum::Json<Vec<Kind>> {
    let kinds = PiiKind::ALL.iter().map(|kind| {
        let allowed = [
            ("mask", true),
            ("partial", kind.allows_partial()),
            ("pseudonym", kind.allows_linking()),
            ("hash", kind.allows_linking()),
            ("keep", true),
            ("off", true),
        ];
        Kind {
            name: kind.to_string(),
            optional: kind.is_optional(),
            policies: allowed.into_iter().filter_map(|(name, may)| may.then_some(name)).collect(),
        }
    });
    axum::Json(kinds.collect())
}

/// Show the redaction policy
#[utoipa::path(get, path = "/api/v1/settings/redaction-policy", tag = "settings",
    responses((status = 200, body = RedactionPolicy, headers(("ETag" = String))),
        (status = 404, description = "None of one's own: the installation's holds", body = crate::http::error::Problem)))]
pub async fn show_policy(
    State(app): State<App>,
    caller: Caller,
    note: Note,
) -> Result<impl IntoResponse, ApiError> {
    let tenant = caller.scope.tenant();
    note.resource(format!("{POLICY_KIND}/{tenant}"));
    let entity = app.process.control.get(POLICY_KIND, tenant).ok_or(ApiError::NotFound)?;
    let policy = policy::read(&app.process.vault, &entity).map_err(refused)?;
    Ok(([(header::ETAG, etag::of(entity.version))], axum::Json(policy)))
}

/// Change the redaction policy
///
/// `If-Match` with the ETag read, or `If-None-Match: *` for the first. It is checked whole, patterns against their own
/// examples, before it is stored.
#[utoipa::path(put, path = "/api/v1/settings/redaction-policy", tag = "settings", request_body = RedactionPolicy,
    params(("If-Match" = Option<String>, Header, description = "The ETag read"),
        ("If-None-Match" = Option<String>, Header, description = "`*` for the first")),
    responses((status = 204, headers(("ETag" = String))), (status = 412, body = crate::http::error::Problem),
        (status = 422, body = crate::http::error::Problem), (status = 428, body = crate::http::error::Problem)))]
pub async fn change_policy(
    State(app): State<App>,
    caller: Caller,
    note: Note,
    headers: HeaderMap,
    Json(asked): Json<RedactConfig>,
) -> Result<impl IntoResponse, ApiError> {
    let tenant = caller.scope.tenant();
    note.resource(format!("{POLICY_KIND}/{tenant}"));
    let _changing = app.changes.lock().await;
    etag::matches(&headers, version(&app, tenant))?;
    let stored = policy::store(&app.process.control, &app.process.vault, tenant, &caller.id, &asked).await;
    let version = stored.map_err(refused)?;
    note.detail("version", version.to_string());
    Ok((StatusCode::NO_CONTENT, [(header::ETAG, etag::of(version))]))
}

/// Remove the redaction policy
///
/// The installation's holds again.
#[utoipa::path(delete, path = "/api/v1/settings/redaction-policy", tag = "settings",
    params(("If-Match" = String, Header, description = "The ETag read")),
    responses((status = 204), (status = 404, body = crate::http::error::Problem),
        (status = 412, body = crate::http::error::Problem), (status = 428, body = crate::http::error::Problem)))]
pub async fn remove_policy(
    State(app): State<App>,
    caller: Caller,
    note: Note,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let tenant = caller.scope.tenant();
    note.resource(format!("{POLICY_KIND}/{tenant}"));
    let _changing = app.changes.lock().await;
    let version = version(&app, tenant);
    if version == 0 {
        return Err(ApiError::NotFound);
    }
    etag::matches(&headers, version)?;
    app.process.control.remove(POLICY_KIND, tenant).await?;
    Ok(StatusCode::NO_CONTENT)
}
