//! API keys of the caller's tenant.

use crate::App;
use crate::audit::Note;
use crate::history::millis::Millis;
use crate::http::error::{ApiError, FieldProblem};
use crate::http::extract::{Json, Path};
use crate::identity::api_keys;
use crate::identity::caller::Caller;
use crate::identity::permissions::Permission;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use deskstream_runtime::time::now_ms;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const DAY_MS: i64 = 24 * 3600 * 1000;
const MOST_DAYS: u16 = 366;

/// An API key, without the secret.
#[derive(Serialize, ToSchema)]
pub struct ApiKey {
    /// Its id.
    pub id: String,
    /// Its tenant.
    pub tenant: String,
    /// What it is called.
    pub name: String,
    /// What it may do.
    pub permissions: Vec<Permission>,
    /// When it was made.
    pub created_at: Millis,
    /// When it ends.
    pub expires_at: Millis,
    /// Id of the user who made it.
    pub created_by: String,
}

/// List API keys
#[utoipa::path(get, path = "/api/v1/api-keys", tag = "api-keys", responses((status = 200, body = Vec<ApiKey>)))]
pub async fn list(State(app): State<App>, caller: Caller) -> axum::Json<Vec<ApiKey>> {
    let keys = api_keys::list(&app.process, caller.scope.tenant()).into_iter().map(|key| ApiKey {
        id: key.id,
        tenant: key.tenant,
        name: key.name,
        permissions: key.permissions,
        created_at: Millis(key.created_at),
        expires_at: Millis(key.expires_at),
        created_by: key.created_by,
    });
    axum::Json(keys.collect())
}

/// A new API key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// What it is for.
    #[schema(min_length = 1, max_length = 100, pattern = r"\S")]
    pub name: String,
    /// What it may do: nothing that its maker may not.
    #[schema(min_items = 1)]
    pub permissions: Vec<Permission>,
    /// Days until it ends, 1 to 366.
    #[schema(minimum = 1, maximum = 366)]
    pub expires_in_days: u16,
}

/// A key that was made.
#[derive(Serialize, ToSchema)]
pub struct Made {
    /// Its id.
    pub id: String,
    /// What to send as `Authorization: Bearer …`. It is shown now and never again.
    pub key: String,
    /// When it ends.
    pub expires_at: Millis,
}

/// Create an API key
#[utoipa::path(post, path = "/api/v1/api-keys", tag = "api-keys", request_body = NewKey,
    params(("Idempotency-Key" = Option<String>, Header, description = "A request sent again gets the first answer")),
    responses((status = 201, body = Made), (status = 422, body = crate::http::error::Problem)))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    note: Note,
    Json(asked): Json<NewKey>,
) -> Result<impl IntoResponse, ApiError> {
    let tenant = caller.scope.one()?;
    let mut problems = Vec::new();
    if asked.name.trim().is_empty() || asked.name.chars().count() > 100 {
        problems.push(FieldProblem::new("name", "is empty or too long", "give 1 to 100 characters"));
    }
    if asked.permissions.is_empty() {
        problems.push(FieldProblem::new("permissions", "is empty", "give at least one"));
    }
    if let Some(more) = asked.permissions.iter().find(|permission| !caller.may(**permission)) {
        let problem = format!("has {}, which you may not give", more.name());
        problems.push(FieldProblem::new("permissions", problem, "leave it out"));
    }
    if asked.permissions.contains(&Permission::ManageTenants) {
        let fix = "leave it out: a key is of one tenant";
        problems.push(FieldProblem::new("permissions", "has manage-tenants", fix));
    }
    if !(1..=MOST_DAYS).contains(&asked.expires_in_days) {
        problems.push(FieldProblem::new("expires_in_days", "is out of range", "give 1 to 366"));
    }
    if !problems.is_empty() {
        return Err(ApiError::Invalid(problems));
    }
    let mut permissions = asked.permissions;
    permissions.sort_unstable();
    permissions.dedup();
    let expires_at = now_ms() + i64::from(asked.expires_in_days) * DAY_MS;
    let (id, key) =
        api_keys::create(&app.process, tenant, asked.name.trim(), &permissions, expires_at, &caller.id)
            .await?;
    note.resource(format!("api-key/{id}"));
    Ok((StatusCode::CREATED, axum::Json(Made { id, key, expires_at: Millis(expires_at) })))
}

/// Revoke an API key
#[utoipa::path(delete, path = "/api/v1/api-keys/{id}", tag = "api-keys",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 204), (status = 404, body = crate::http::error::Problem)))]
pub async fn revoke(
    State(app): State<App>,
    caller: Caller,
    note: Note,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    note.resource(format!("api-key/{id}"));
    let _changing = app.changes.lock().await;
    let keys = api_keys::list(&app.process, caller.scope.tenant());
    keys.iter().find(|key| key.id == id).ok_or(ApiError::NotFound)?;
    api_keys::revoke(&app.process, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
