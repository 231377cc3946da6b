//! Users. In clear there is what steers (role, tenant, whether active); address, name and password hash are sealed.
//! A user is found by a keyed hash of the address, so that no address stands in clear on the topic.

use super::permissions::Role;
use super::seal;
use crate::http::error::{ApiError, FieldProblem};
use deskstream_runtime::Process;
use deskstream_schemas::{ControlEntity, EVERY_TENANT};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Kind of the control entities that hold users; their id is a UUID.
pub const USER_KIND: &str = "user";

const LOGIN_LABEL: &str = "console-logins";

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Body {
    role: Role,
    active: bool,
    login: String,
    created_at: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Private {
    email: String,
    name: String,
    password: Option<String>,
}

/// A user.
#[derive(Debug, Clone)]
pub struct User {
    /// Its id.
    pub id: String,
    /// Its tenant; `*` for operators.
    pub tenant: String,
    /// Its version, for ETags; 0 if it is not stored yet.
    pub version: i64,
    /// What it is.
    pub role: Role,
    /// Whether it may sign in.
    pub active: bool,
    /// When it was made.
    pub created_at: i64,
    /// Its address, by which it signs in.
    pub email: String,
    /// Its name.
    pub name: String,
    /// Its password's hash.
    pub password: Option<String>,
}

/// What a user who is signed in may do is read from what is in clear alone: nothing is decrypted for each request.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The user's tenant.
    pub tenant: String,
    /// Its role.
    pub role: Role,
}

/// The standing of a user that is active.
pub fn standing(process: &Process, id: &str) -> Option<Standing> {
    let entity = process.control.get(USER_KIND, id)?;
    let body: Body = seal::body(&entity)?;
    // Only who is of no tenant may be an operator, and the other way round.
    let sound = (body.role == Role::Operator) == (entity.tenant == EVERY_TENANT);
    (body.active && sound).then(|| Standing { tenant: entity.tenant.clone(), role: body.role })
}

/// The keyed hash of an address.
pub fn login(process: &Process, email: &str) -> Result<String, ApiError> {
    let secret = process.vault.tenant_secret(EVERY_TENANT, LOGIN_LABEL).ok_or(ApiError::Internal)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_slice()).map_err(|_| ApiError::Internal)?;
    mac.update(email.trim().to_lowercase().as_bytes());
    Ok(hex::encode(mac.finalize().into_bytes()))
}

fn read(process: &Process, entity: &ControlEntity) -> Option<User> {
    let body: Body = seal::body(entity)?;
    let private: Private = serde_json::from_slice(&seal::open(process, entity)?).ok()?;
    Some(User {
        id: entity.id.clone(),
        tenant: entity.tenant.clone(),
        version: entity.version,
        role: body.role,
        active: body.active,
        created_at: body.created_at,
        email: private.email,
        name: private.name,
        password: private.password,
    })
}

/// A user by id.
pub fn get(process: &Process, id: &str) -> Option<User> {
    read(process, &*process.control.get(USER_KIND, id)?)
}

/// A user by the keyed hash of its address.
pub fn find(process: &Process, login: &str) -> Option<User> {
    let users = process.control.list(USER_KIND).into_iter();
    let found = users.filter(|user| user.body.contains(login));
    found
        .filter(|user| seal::body::<Body>(user).is_some_and(|body| body.login == login))
        .find_map(|user| read(process, &user))
}

/// Users of a tenant (`*`: of all), by id.
pub fn list(process: &Process, tenant: &str) -> Vec<User> {
    let users = process.control.list(USER_KIND).into_iter();
    users
        .filter(|user| tenant == EVERY_TENANT || user.tenant == tenant)
        .filter_map(|user| read(process, &user))
        .collect()
}

/// Whether there is an operator: then nobody can become one by the bootstrap token.
pub fn any_operator(process: &Process) -> bool {
    process.control.list(USER_KIND).iter().any(|user| user.tenant == EVERY_TENANT)
}

/// Writes the next version of a user.
pub async fn store(process: &Process, user: &User, by: &str) -> Result<i64, ApiError> {
    process.control.ensure_data_key(&user.tenant, by).await?;
    let login = login(process, &user.email)?;
    let body = Body { role: user.role, active: user.active, login, created_at: user.created_at };
    let private =
        Private { email: user.email.clone(), name: user.name.clone(), password: user.password.clone() };
    let private = zeroize::Zeroizing::new(serde_json::to_vec(&private).map_err(|_| ApiError::Internal)?);
    let entity = seal::entity(process, (USER_KIND, &user.id, &user.tenant), by, &body, Some(&private))?;
    process.control.put(&entity).await?;
    Ok(entity.version)
}

/// What is wrong with an address or a name.
pub fn problems(email: &str, name: &str) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    let plausible = email.len() <= 254
        && !email.chars().any(|c| c.is_whitespace() || c.is_control())
        && email
            .split_once('@')
            .is_some_and(|(local, host)| !local.is_empty() && host.contains('.') && !host.contains('@'));
    if !plausible {
        problems.push(FieldProblem::new("email", "is no e-mail address", "give one such as ana@example.com"));
    }
    if name.trim().is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        problems.push(FieldProblem::new("name", "is empty or too long", "give 1 to 100 characters"));
    }
    problems
}
