//! Users of the caller's tenant; without a chosen tenant, operators.

use crate::App;
use crate::audit::Note;
use crate::history::millis::Millis;
use crate::http::error::ApiError;
use crate::http::etag;
use crate::http::extract::{Json, Path};
use crate::identity::caller::{Caller, Scope};
use crate::identity::permissions::Role;
use crate::identity::{password, sessions, users};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use deskstream_runtime::time::now_ms;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A user.
#[derive(Serialize, ToSchema)]
pub struct User {
    /// Its id.
    pub id: String,
    /// Its tenant; `*` for operators.
    pub tenant: String,
    /// Its address.
    pub email: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// Whether it may sign in.
    pub active: bool,
    /// When it was made.
    pub created_at: Millis,
}

fn shown(user: users::User) -> User {
    User {
        id: user.id,
        tenant: user.tenant,
        email: user.email,
        name: user.name,
        role: user.role,
        active: user.active,
        created_at: Millis(user.created_at),
    }
}

/// The user, if the caller may know of it.
fn within(app: &App, scope: &Scope, id: &str) -> Result<users::User, ApiError> {
    users::get(&app.process, id).filter(|user| scope.contains(&user.tenant)).ok_or(ApiError::NotFound)
}

/// Users of a tenant are no operators, and operators are of no tenant.
fn check_role(role: Role, tenant: &str) -> Result<(), ApiError> {
    if (role == Role::Operator) == (tenant == deskstream_schemas::EVERY_TENANT) {
        return Ok(());
    }
    let fix = "operators are made without a chosen tenant, all others within one";
    Err(ApiError::field("role", "can't be given here", fix))
}

/// List users
#[utoipa::path(get, path = "/api/v1/users", tag = "users", responses((status = 200, body = Vec<User>)))]
pub async fn list(State(app): State<App>, caller: Caller) -> axum::Json<Vec<User>> {
    axum::Json(users::list(&app.process, caller.scope.tenant()).into_iter().map(shown).collect())
}

/// A new user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// Its address.
    #[schema(max_length = 254, pattern = r"^[^\s@]+@[^\s@]*\.[^\s@]*$")]
    pub email: String,
    /// Its name.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// What it is.
    pub role: Role,
    /// Its first password, of 12 characters at least.
    #[schema(value_type = String, min_length = 12, max_length = 256)]
    pub password: SecretString,
}

/// Create a user
///
/// In the tenant of the access token.
#[utoipa::path(post, path = "/api/v1/users", tag = "users", request_body = NewUser,
    params(("Idempotency-Key" = Option<String>, Header, description = "A request sent again gets the first answer")),
    responses((status = 201, body = User, headers(("ETag" = String))), (status = 409, body = crate::http::error::Problem),
        (status = 422, body = crate::http::error::Problem)))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    note: Note,
    Json(asked): Json<NewUser>,
) -> Result<impl IntoResponse, ApiError> {
    let tenant = caller.scope.tenant();
    let problems = users::problems(&asked.email, &asked.name);
    if !problems.is_empty() {
        return Err(ApiError::Invalid(problems));
    }
    check_role(asked.role, tenant)?;
    password::check(&asked.password, &asked.email)?;
    let hash = password::hash(asked.password).await?;
    let _changing = app.changes.lock().await;
    let login = users::login(&app.process, &asked.email)?;
    if users::find(&app.process, &login).is_some() {
        return Err(ApiError::Conflict("this address can't be used for a new user"));
    }
    let mut user = users::User {
        id: uuid::Uuid::new_v4().to_string(),
        tenant: tenant.to_owned(),
        version: 0,
        role: asked.role,
        active: true,
        created_at: now_ms(),
        email: asked.email,
        name: asked.name,
        password: Some(hash),
    };
    user.version = users::store(&app.process, &user, &caller.id).await?;
    note.resource(format!("user/{}", user.id));
    note.detail("role", format!("{:?}", user.role).to_lowercase());
    let tag = etag::of(user.version);
    Ok((StatusCode::CREATED, [(header::ETAG, tag)], axum::Json(shown(user))))
}

/// Show a user
#[utoipa::path(get, path = "/api/v1/users/{id}", tag = "users", params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = User, headers(("ETag" = String))), (status = 404, body = crate::http::error::Problem)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    note: Note,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, ApiError> {
    note.resource(format!("user/{id}"));
    let user = within(&app, &caller.scope, &id)?;
    Ok(([(header::ETAG, etag::of(user.version))], axum::Json(shown(user))))
}

/// What is to be changed; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    /// Its name.
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// What it is.
    pub role: Option<Role>,
    /// Whether it may sign in.
    pub active: Option<bool>,
    /// A new password, of 12 characters at least; ends its sessions.
    #[schema(value_type = Option<String>, min_length = 12, max_length = 256)]
    pub password: Option<SecretString>,
}

/// Change a user
#[utoipa::path(patch, path = "/api/v1/users/{id}", tag = "users", request_body = UserChange,
    params(("id" = String, Path, description = "Its id"), ("If-Match" = String, Header, description = "The ETag read")),
    responses((status = 200, body = User, headers(("ETag" = String))), (status = 404, body = crate::http::error::Problem),
        (status = 409, description = "Nobody changes their own role, or locks themselves out", body = crate::http::error::Problem),
        (status = 412, body = crate::http::error::Problem), (status = 428, body = crate::http::error::Problem)))]
pub async fn change(
    State(app): State<App>,
    caller: Caller,
    note: Note,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(asked): Json<UserChange>,
) -> Result<impl IntoResponse, ApiError> {
    note.resource(format!("user/{id}"));
    let _changing = app.changes.lock().await;
    let mut user = within(&app, &caller.scope, &id)?;
    etag::matches(&headers, user.version)?;
    if user.id == caller.id && (asked.role.is_some() || asked.active.is_some()) {
        return Err(ApiError::Conflict("nobody changes their own role, or locks themselves out"));
    }
    if let Some(name) = asked.name {
        let problems = users::problems(&user.email, &name);
        if !problems.is_empty() {
            return Err(ApiError::Invalid(problems));
        }
        user.name = name;
    }
    if let Some(role) = asked.role {
        check_role(role, &user.tenant)?;
        note.detail("role", format!("{role:?}").to_lowercase());
        user.role = role;
    }
    if let Some(active) = asked.active {
        note.detail("active", active.to_string());
        user.active = active;
    }
    let ends = asked.password.is_some() || !user.active;
    if let Some(new) = asked.password {
        password::check(&new, &user.email)?;
        note.detail("password", "changed");
        user.password = Some(password::hash(new).await?);
    }
    user.version = users::store(&app.process, &user, &caller.id).await?;
    if ends {
        sessions::end_all(&app.process, &user.id, None).await?;
    }
    Ok(([(header::ETAG, etag::of(user.version))], axum::Json(shown(user))))
}

/// Remove a user
///
/// Ends its sessions. API keys that it made stay.
#[utoipa::path(delete, path = "/api/v1/users/{id}", tag = "users", params(("id" = String, Path, description = "Its id")),
    responses((status = 204), (status = 404, body = crate::http::error::Problem),
        (status = 409, description = "Nobody removes themselves", body = crate::http::error::Problem)))]
pub async fn remove(
    State(app): State<App>,
    caller: Caller,
    note: Note,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    note.resource(format!("user/{id}"));
    let _changing = app.changes.lock().await;
    let user = within(&app, &caller.scope, &id)?;
    if user.id == caller.id {
        return Err(ApiError::Conflict("nobody removes themselves"));
    }
    sessions::end_all(&app.process, &user.id, None).await?;
    app.process.control.remove(users::USER_KIND, &user.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End a user's sessions
#[utoipa::path(delete, path = "/api/v1/users/{id}/sessions", tag = "users",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 204), (status = 404, body = crate::http::error::Problem)))]
pub async fn end_sessions(
    State(app): State<App>,
    caller: Caller,
    note: Note,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    note.resource(format!("user/{id}"));
    let _changing = app.changes.lock().await;
    let user = within(&app, &caller.scope, &id)?;
    let ended = sessions::end_all(&app.process, &user.id, None).await?;
    note.detail("sessions", ended.to_string());
    Ok(StatusCode::NO_CONTENT)
}
