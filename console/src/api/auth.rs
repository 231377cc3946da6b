//! Signing in and out, refreshing, and the first operator.

use super::cookies;
use crate::App;
use crate::audit::Note;
use crate::http::error::ApiError;
use crate::http::extract::Json;
use crate::http::request::Origin;
use crate::identity::caller::Caller;
use crate::identity::permissions::{Permission, Role};
use crate::identity::sessions::Refreshed;
use crate::identity::signing::Jwk;
use crate::identity::users::User;
use crate::identity::{password, sessions, signing, tokens, users};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse};
use deskstream_runtime::time::now_ms;
use deskstream_schemas::EVERY_TENANT;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::time::Instant;
use utoipa::ToSchema;

/// Address and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The user's address.
    pub email: String,
    /// The user's password.
    #[schema(value_type = String)]
    pub password: SecretString,
}

/// The first operator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Bootstrap {
    /// What the console printed at its start.
    #[schema(value_type = String)]
    pub token: SecretString,
    /// The operator's address.
    #[schema(max_length = 254, pattern = r"^[^\s@]+@[^\s@]*\.[^\s@]*$")]
    pub email: String,
    /// The operator's name.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// The operator's password, of 12 characters at least.
    #[schema(value_type = String, min_length = 12, max_length = 256)]
    pub password: SecretString,
}

/// An access token. The refresh token is in a cookie.
#[derive(Serialize, ToSchema)]
pub struct Access {
    /// To be sent as `Authorization: Bearer …`.
    pub access_token: String,
    /// `Bearer`
    pub token_type: &'static str,
    /// Seconds until it expires.
    pub expires_in: u64,
    /// The tenant it is for; `*` for an operator who has chosen none.
    pub tenant: String,
    /// The user's role.
    pub role: Role,
    /// What the user may do.
    pub permissions: &'static [Permission],
}

fn access(
    app: &App,
    user: &str,
    role: Role,
    tenant: &str,
    session: &str,
) -> Result<axum::Json<Access>, ApiError> {
    Ok(axum::Json(Access {
        access_token: tokens::issue(&app.process, user, tenant, session)?,
        token_type: "Bearer",
        expires_in: app.process.config.console.access_token_ttl.as_secs(),
        tenant: tenant.to_owned(),
        role,
        permissions: role.permissions(),
    }))
}

async fn begin(app: &App, user: &User, from: &Origin) -> Result<impl IntoResponse + use<>, ApiError> {
    let (session, refresh) = sessions::begin(&app.process, &user.id, &user.tenant, from).await?;
    let access = access(app, &user.id, user.role, &user.tenant, &session)?;
    Ok((AppendHeaders([(header::SET_COOKIE, cookies::set(app, &refresh))]), access))
}

/// Whether the first operator is still to be made.
#[derive(Serialize, ToSchema)]
pub struct BootstrapNeeded {
    /// True as long as there is no operator.
    pub needed: bool,
}

/// Is there an operator
///
/// Pages ask it before anybody can sign in.
#[utoipa::path(get, path = "/api/v1/auth/bootstrap", tag = "auth", security(()),
    responses((status = 200, body = BootstrapNeeded)))]
pub async fn bootstrap_needed(State(app): State<App>) -> axum::Json<BootstrapNeeded> {
    axum::Json(BootstrapNeeded { needed: !users::any_operator(&app.process) })
}

/// Make the first operator
///
/// With the one-time token that the console prints at its start, as long as there is no operator.
#[utoipa::path(post, path = "/api/v1/auth/bootstrap", tag = "auth", security(()), request_body = Bootstrap,
    responses((status = 200, body = Access), (status = 401, body = crate::http::error::Problem)))]
pub async fn bootstrap(
    State(app): State<App>,
    note: Note,
    from: Origin,
    Json(asked): Json<Bootstrap>,
) -> Result<impl IntoResponse, ApiError> {
    let refused = ApiError::Unauthenticated("the bootstrap token is not valid, or was used");
    app.lockout.attempt("bootstrap", from.neighbourhood(), Instant::now())?;
    let _changing = app.changes.lock().await;
    if users::any_operator(&app.process) || !app.bootstrap.is(&asked.token) {
        return Err(refused);
    }
    app.lockout.succeeded("bootstrap", from.neighbourhood());
    let problems = users::problems(&asked.email, &asked.name);
    if !problems.is_empty() {
        return Err(ApiError::Invalid(problems));
    }
    password::check(&asked.password, &asked.email)?;
    let user = User {
        id: uuid::Uuid::new_v4().to_string(),
        tenant: EVERY_TENANT.to_owned(),
        version: 0,
        role: Role::Operator,
        active: true,
        created_at: now_ms(),
        email: asked.email,
        name: asked.name,
        password: Some(password::hash(asked.password).await?),
    };
    users::store(&app.process, &user, &user.id).await?;
    note.actor(EVERY_TENANT, &user.id);
    begin(&app, &user, &from).await
}

/// Sign in
///
/// The answer sets the refresh cookie. Wrong passwords and unknown addresses get the same answer, after the same time.
#[utoipa::path(post, path = "/api/v1/auth/sign-in", tag = "auth", security(()), request_body = SignIn,
    responses((status = 200, body = Access), (status = 401, body = crate::http::error::Problem),
        (status = 429, body = crate::http::error::Problem)))]
pub async fn sign_in(
    State(app): State<App>,
    note: Note,
    from: Origin,
    Json(asked): Json<SignIn>,
) -> Result<impl IntoResponse, ApiError> {
    let login = users::login(&app.process, &asked.email)?;
    app.lockout.attempt(&login, from.neighbourhood(), Instant::now())?;
    let user = users::find(&app.process, &login);
    if let Some(user) = &user {
        note.actor(&user.tenant, &user.id);
    }
    let hash = user.as_ref().filter(|user| user.active).and_then(|user| user.password.clone());
    let right = password::verify(asked.password, hash).await?;
    // It may have been changed or removed while the password was compared.
    let user = user.filter(|user| right && users::standing(&app.process, &user.id).is_some());
    let user = user.ok_or(ApiError::Unauthenticated("address or password is wrong"))?;
    app.lockout.succeeded(&login, from.neighbourhood());
    begin(&app, &user, &from).await
}

/// Get a new access token
///
/// For the refresh cookie, which is replaced. A cookie that was used before ends the session.
#[utoipa::path(post, path = "/api/v1/auth/refresh", tag = "auth", security(()),
    responses((status = 200, body = Access), (status = 401, body = crate::http::error::Problem),
        (status = 403, body = crate::http::error::Problem)))]
pub async fn refresh(
    State(app): State<App>,
    note: Note,
    headers: HeaderMap,
) -> Result<impl IntoResponse, ApiError> {
    cookies::same_origin(&app, &headers)?;
    let presented = cookies::read(&headers).ok_or(ApiError::Unauthenticated("there is no refresh cookie"))?;
    let changing = app.changes.lock().await;
    let refreshed = sessions::refresh(&app.process, &presented).await?;
    drop(changing);
    let ended = ApiError::Unauthenticated("the session has ended: sign in again");
    match refreshed {
        Refreshed::Unknown => Err(ended),
        Refreshed::Reused(session) => {
            note.actor(&session.tenant, &session.user);
            note.resource(format!("session/{}", session.id));
            note.detail("reason", "refresh-token-reused");
            tracing::warn!(session = session.id, "a refresh token was used twice: the session is ended");
            Err(ended)
        }
        Refreshed::On(session, token) => {
            note.actor(&session.tenant, &session.user);
            note.resource(format!("session/{}", session.id));
            let standing = users::standing(&app.process, &session.user).ok_or(ended)?;
            let tenant = match standing.role {
                Role::Operator => session.acting.unwrap_or(standing.tenant),
                _ => standing.tenant,
            };
            let access = access(&app, &session.user, standing.role, &tenant, &session.id)?;
            Ok((AppendHeaders([(header::SET_COOKIE, cookies::set(&app, &token))]), access))
        }
    }
}

/// Sign out
///
/// Ends the session of the refresh cookie, here and everywhere.
#[utoipa::path(post, path = "/api/v1/auth/sign-out", tag = "auth", security(()),
    responses((status = 204), (status = 403, body = crate::http::error::Problem)))]
pub async fn sign_out(
    State(app): State<App>,
    note: Note,
    headers: HeaderMap,
) -> Result<impl IntoResponse, ApiError> {
    cookies::same_origin(&app, &headers)?;
    if let Some(presented) = cookies::read(&headers) {
        let _changing = app.changes.lock().await;
        if let Refreshed::On(session, _) = sessions::refresh(&app.process, &presented).await? {
            note.actor(&session.tenant, &session.user);
            note.resource(format!("session/{}", session.id));
            sessions::end(&app.process, &session.id).await?;
        }
    }
    Ok((StatusCode::NO_CONTENT, AppendHeaders([(header::SET_COOKIE, cookies::clear(&app))])))
}

/// The tenant that an operator works in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    /// Its id; null for all of them.
    pub tenant: Option<String>,
}

/// Choose a tenant
///
/// For operators: the session works in that tenant from then on, by the access token of the answer.
#[utoipa::path(post, path = "/api/v1/auth/tenant", tag = "auth", request_body = Chosen,
    responses((status = 200, body = Access), (status = 404, body = crate::http::error::Problem)))]
pub async fn tenant(
    State(app): State<App>,
    caller: Caller,
    note: Note,
    Json(asked): Json<Chosen>,
) -> Result<axum::Json<Access>, ApiError> {
    let session = caller.session()?;
    if let Some(tenant) = &asked.tenant {
        note.resource(format!("tenant/{tenant}"));
        if !super::tenants::known(&app).contains(tenant) {
            return Err(ApiError::NotFound);
        }
    }
    let _changing = app.changes.lock().await;
    sessions::act_in(&app.process, session, asked.tenant.clone()).await?;
    let tenant = asked.tenant.unwrap_or_else(|| EVERY_TENANT.to_owned());
    access(&app, &caller.id, caller.role.unwrap_or(Role::Operator), &tenant, session)
}

/// Keys in a set.
#[derive(Serialize, ToSchema)]
pub struct Jwks {
    keys: Vec<Jwk>,
}

/// The public keys of access tokens
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "auth", security(()), responses((status = 200, body = Jwks)))]
pub async fn jwks(State(app): State<App>) -> axum::Json<Jwks> {
    axum::Json(Jwks { keys: signing::public_keys(&app.process) })
}
