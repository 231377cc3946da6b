//! Who a request comes from, by its token or key, and the scope that everything it reads is held to.

use super::api_keys;
use super::permissions::{Permission, Role};
use super::sessions;
use super::tokens;
use super::users;
use crate::http::error::ApiError;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use deskstream_runtime::Process;
use deskstream_schemas::{ActorKind, EVERY_TENANT};

/// The tenant whose data a caller may see: made from a token or key, never from what a request says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope(String);

impl Scope {
    /// Of a command on the machine itself, whose user has the configuration, and with it every key: never of a request.
    pub fn of_command(tenant: &str) -> Self {
        Self(tenant.to_owned())
    }

    /// The tenant's id; `*` for all of them.
    pub fn tenant(&self) -> &str {
        &self.0
    }

    /// Whether it is every tenant.
    pub fn is_all(&self) -> bool {
        self.0 == EVERY_TENANT
    }

    /// Whether something of that tenant is within.
    pub fn contains(&self, tenant: &str) -> bool {
        self.is_all() || self.0 == tenant
    }

    /// The one tenant, for what can only be of one.
    pub fn one(&self) -> Result<&str, ApiError> {
        if self.is_all() {
            return Err(ApiError::Conflict("choose a tenant first: POST /api/v1/auth/tenant"));
        }
        Ok(&self.0)
    }
}

/// Who is calling.
#[derive(Debug, Clone)]
pub struct Caller {
    /// User or key.
    pub kind: ActorKind,
    /// Id of the user or key.
    pub id: String,
    /// What may be seen.
    pub scope: Scope,
    /// The user's role; none for a key.
    pub role: Option<Role>,
    /// The user's session; none for a key.
    pub session: Option<String>,
    permissions: Vec<Permission>,
}

impl Caller {
    /// Whether the caller may do it.
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }

    /// All that the caller may do.
    pub fn permissions(&self) -> &[Permission] {
        &self.permissions
    }

    /// A user who is signed in, and no key.
    pub fn session(&self) -> Result<&str, ApiError> {
        self.session.as_deref().ok_or(ApiError::Forbidden("of a user who is signed in, which a key is not"))
    }

    /// Who the headers say is calling, if that holds now.
    pub fn of(process: &Process, headers: &HeaderMap) -> Result<Self, ApiError> {
        let missing =
            || ApiError::Unauthenticated("send an access token or API key as Authorization: Bearer");
        let mut sent = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (sent.next(), sent.next()) else { return Err(missing()) };
        let (scheme, token) =
            value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(missing)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(missing());
        }
        if api_keys::is_key(token) { Self::of_key(process, token) } else { Self::of_token(process, token) }
    }

    fn of_key(process: &Process, token: &str) -> Result<Self, ApiError> {
        let key =
            api_keys::verify(process, token).ok_or(ApiError::Unauthenticated("the API key is not valid"))?;
        Ok(Self {
            kind: ActorKind::ApiKey,
            id: key.id,
            scope: Scope(key.tenant),
            role: None,
            session: None,
            permissions: key.permissions,
        })
    }

    fn of_token(process: &Process, token: &str) -> Result<Self, ApiError> {
        let ended = || ApiError::Unauthenticated("the session has ended");
        let claims = tokens::read(process, token)?;
        let session = sessions::get(process, &claims.sid).filter(|session| session.user == claims.sub);
        let session = session.ok_or_else(ended)?;
        let standing = users::standing(process, &claims.sub).ok_or_else(ended)?;
        let tenant = match standing.role {
            Role::Operator => session.acting.unwrap_or(standing.tenant),
            _ => standing.tenant,
        };
        // A token from before the operator turned to another tenant would act where its holder no longer looks.
        if tenant != claims.tenant {
            return Err(ApiError::Unauthenticated("the access token is of another tenant: refresh it"));
        }
        Ok(Self {
            kind: ActorKind::User,
            id: claims.sub,
            scope: Scope(tenant),
            role: Some(standing.role),
            session: Some(claims.sid),
            permissions: standing.role.permissions().to_vec(),
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // Put there by the guard, which every route has passed.
        parts.extensions.get::<Self>().cloned().ok_or(ApiError::Unauthenticated("sign in first"))
    }
}
