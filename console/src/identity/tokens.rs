//! Access tokens: JWTs (RFC 7519) of some minutes. They say who one is; what one may do is looked up at each request,
//! so that a session's end, a user's removal or another role hold at once.

use super::signing;
use crate::http::error::ApiError;
use deskstream_runtime::Process;
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};

/// Who issues tokens.
pub const ISSUER: &str = "deskstream";
/// Whom they are for.
pub const AUDIENCE: &str = "deskstream-console";

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Issuer.
    pub iss: String,
    /// Audience.
    pub aud: String,
    /// The user's id.
    pub sub: String,
    /// The tenant in which the user works: `*` for an operator who has chosen none.
    pub tenant: String,
    /// The session.
    pub sid: String,
    /// Id of the token.
    pub jti: String,
    /// When it was issued, in seconds since 1970.
    pub iat: u64,
    /// When it expires.
    pub exp: u64,
}

/// Signs a token for a session.
pub fn issue(process: &Process, user: &str, tenant: &str, session: &str) -> Result<String, ApiError> {
    let (kid, key) = signing::signing(process)?;
    let now = jsonwebtoken::get_current_timestamp();
    let claims = Claims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: user.to_owned(),
        tenant: tenant.to_owned(),
        sid: session.to_owned(),
        jti: uuid::Uuid::now_v7().to_string(),
        iat: now,
        exp: now + process.config.console.access_token_ttl.as_secs().max(1),
    };
    let header = Header { kid: Some(kid), ..Header::new(Algorithm::EdDSA) };
    encode(&header, &claims, &key).map_err(|error| {
        tracing::error!(%error, "an access token can't be signed");
        ApiError::Internal
    })
}

/// Reads a token that we have signed for ourselves and that has not expired.
pub fn read(process: &Process, token: &str) -> Result<Claims, ApiError> {
    let refused = || ApiError::Unauthenticated("the access token is not valid");
    let header = decode_header(token).map_err(|_| refused())?;
    if header.alg != Algorithm::EdDSA {
        return Err(refused());
    }
    let key = header.kid.and_then(|kid| signing::verifying(process, &kid)).ok_or_else(refused)?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.leeway = 0;
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    let token = decode::<Claims>(token, &key, &validation);
    token.map(|token| token.claims).map_err(|error| match error.kind() {
        jsonwebtoken::errors::ErrorKind::ExpiredSignature => {
            ApiError::Unauthenticated("the access token has expired")
        }
        _ => refused(),
    })
}
