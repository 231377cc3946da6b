//! Passwords: argon2id with the parameters that OWASP's Password Storage Cheat Sheet names first for it (19 MiB, two
//! passes, one lane). Hashing is slow by design, so few run at a time, and never on a thread that serves others.

use crate::http::error::ApiError;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use secrecy::{ExposeSecret, SecretString};
use std::sync::{Arc, LazyLock};
use tokio::sync::Semaphore;

const MEMORY_KIB: u32 = 19 * 1024;

/// So many are hashed at a time: 76 MiB at most.
const AT_A_TIME: usize = 4;

/// Requests that wait longer than their turn is worth are refused instead.
const QUEUE: usize = 64;

/// A password of so many characters can't be guessed at the rate that lockout allows.
pub const MIN: usize = 12;

/// Longer ones only cost time.
pub const MAX: usize = 256;

static TURNS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(AT_A_TIME)));
static WAITING: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(QUEUE)));

/// What is compared with where there is no such user, so that both answers take as long.
static NOBODY: LazyLock<String> = LazyLock::new(|| {
    argon2().hash_password(b"nobody has this password").map(|hash| hash.to_string()).unwrap_or_default()
});

fn argon2() -> Argon2<'static> {
    let params =
        Params::new(MEMORY_KIB, 2, 1, None).expect("the parameters are within the algorithm's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// That a new password is good enough.
pub fn check(password: &SecretString, email: &str) -> Result<(), ApiError> {
    let text = password.expose_secret();
    let length = text.chars().count();
    if !(MIN..=MAX).contains(&length) {
        return Err(ApiError::field("password", "is too short or too long", "give 12 to 256 characters"));
    }
    let (name, _) = email.split_once('@').unwrap_or((email, ""));
    let first = text.chars().next();
    if text.eq_ignore_ascii_case(email)
        || text.chars().all(|c| Some(c) == first)
        || (name.len() > 3 && text.to_lowercase().contains(name))
    {
        return Err(ApiError::field(
            "password",
            "can be guessed from the address or is one character",
            "give another",
        ));
    }
    Ok(())
}

/// Hashes a password, as a PHC string.
pub async fn hash(password: SecretString) -> Result<String, ApiError> {
    in_turn(move || {
        let hash = argon2().hash_password(password.expose_secret().as_bytes());
        hash.map(|hash| hash.to_string()).map_err(|_| ApiError::Internal)
    })
    .await?
}

/// Whether the password is the one hashed. Without a hash it takes as long and is not.
pub async fn verify(password: SecretString, hash: Option<String>) -> Result<bool, ApiError> {
    in_turn(move || {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.clone());
        let same = PasswordHash::new(&hash)
            .is_ok_and(|hash| argon2().verify_password(password.expose_secret().as_bytes(), &hash).is_ok());
        same && known
    })
    .await
}

async fn in_turn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    let busy =
        || ApiError::TooMany { what: "too many sign-ins at once", after: std::time::Duration::from_secs(2) };
    let _waiting = WAITING.try_acquire().map_err(|_| busy())?;
    let turn = Arc::clone(&TURNS).acquire_owned().await.map_err(|_| busy())?;
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work()
    });
    done.await.map_err(|_| ApiError::Internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_and_no_other() {
        let hash = hash("correct horse battery".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verify("correct horse battery".into(), Some(hash.clone())).await.unwrap());
        assert!(!verify("correct horse batterz".into(), Some(hash)).await.unwrap());
        assert!(!verify("nobody has this password".into(), None).await.unwrap());
    }

    #[test]
    fn short_and_guessable_ones_are_refused() {
        for bad in ["short", "aaaaaaaaaaaaaaa", "anna@acme.example", "ANNA-2026-2026"] {
            assert!(check(&bad.into(), "anna@acme.example").is_err(), "{bad}");
        }
        assert!(check(&"correct horse battery".into(), "anna@acme.example").is_ok());
    }
}
