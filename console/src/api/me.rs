//! The caller: who, with which sessions.

use crate::App;
use crate::audit::Note;
use crate::history::millis::Millis;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Path};
use crate::identity::caller::Caller;
use crate::identity::permissions::{Permission, Role};
use crate::identity::{password, sessions, users};
use axum::extract::State;
use axum::http::StatusCode;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::time::Instant;
use utoipa::ToSchema;

/// The caller.
#[derive(Serialize, ToSchema)]
pub struct Me {
    /// Id of the user or key.
    pub id: String,
    /// The tenant worked in; `*` for an operator who has chosen none.
    pub tenant: String,
    /// The user's role; null for a key.
    pub role: Option<Role>,
    /// The user's name; null for a key.
    pub name: Option<String>,
    /// What may be done.
    pub permissions: Vec<Permission>,
}

/// Who am I
#[utoipa::path(get, path = "/api/v1/me", tag = "me", responses((status = 200, body = Me)))]
pub async fn show(State(app): State<App>, caller: Caller) -> axum::Json<Me> {
    let name = users::get(&app.process, &caller.id).map(|user| user.name);
    axum::Json(Me {
        tenant: caller.scope.tenant().to_owned(),
        role: caller.role,
        name,
        permissions: caller.permissions().to_vec(),
        id: caller.id,
    })
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// The present one.
    #[schema(value_type = String)]
    pub current: SecretString,
    /// The new one, of 12 characters at least.
    #[schema(value_type = String, min_length = 12, max_length = 256)]
    pub password: SecretString,
}

/// Change my password
///
/// Ends every other session.
#[utoipa::path(post, path = "/api/v1/me/password", tag = "me", request_body = NewPassword,
    responses((status = 204), (status = 404, body = crate::http::error::Problem), (status = 422, body = crate::http::error::Problem)))]
pub async fn change_password(
    State(app): State<App>,
    caller: Caller,
    note: Note,
    from: crate::http::request::Origin,
    Json(asked): Json<NewPassword>,
) -> Result<StatusCode, ApiError> {
    let session = caller.session()?;
    note.resource(format!("user/{}", caller.id));
    app.lockout.attempt(&caller.id, from.neighbourhood(), Instant::now())?;
    let _changing = app.changes.lock().await;
    let mut user = users::get(&app.process, &caller.id).ok_or(ApiError::NotFound)?;
    if !password::verify(asked.current, user.password.clone()).await? {
        return Err(ApiError::field("current", "is not your password", "give the one you signed in with"));
    }
    app.lockout.succeeded(&caller.id, from.neighbourhood());
    password::check(&asked.password, &user.email)?;
    user.password = Some(password::hash(asked.password).await?);
    users::store(&app.process, &user, &caller.id).await?;
    sessions::end_all(&app.process, &caller.id, Some(session)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A session.
#[derive(Serialize, ToSchema)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// Whether it is the one of this request.
    pub current: bool,
    /// When it began.
    pub created_at: Millis,
    /// When it was last refreshed.
    pub used_at: Millis,
    /// Where it was begun.
    pub address: String,
    /// With what.
    pub user_agent: String,
}

/// My sessions
#[utoipa::path(get, path = "/api/v1/me/sessions", tag = "me", responses((status = 200, body = Vec<Session>)))]
pub async fn list_sessions(
    State(app): State<App>,
    caller: Caller,
    note: Note,
) -> Result<axum::Json<Vec<Session>>, ApiError> {
    let current = caller.session()?;
    note.resource(format!("user/{}", caller.id));
    let sessions = sessions::of_user(&app.process, &caller.id).into_iter().map(|session| {
        let (address, user_agent) = sessions::origin(&app.process, &session.id).unwrap_or_default();
        Session {
            current: session.id == current,
            id: session.id,
            created_at: Millis(session.created_at),
            used_at: Millis(session.used_at),
            address,
            user_agent,
        }
    });
    Ok(axum::Json(sessions.collect()))
}

/// End one of my sessions
#[utoipa::path(delete, path = "/api/v1/me/sessions/{id}", tag = "me", params(("id" = String, Path, description = "Its id")),
    responses((status = 204), (status = 404, body = crate::http::error::Problem)))]
pub async fn end_session(
    State(app): State<App>,
    caller: Caller,
    note: Note,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    note.resource(format!("session/{id}"));
    let _changing = app.changes.lock().await;
    sessions::get(&app.process, &id).filter(|session| session.user == caller.id).ok_or(ApiError::NotFound)?;
    sessions::end(&app.process, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
