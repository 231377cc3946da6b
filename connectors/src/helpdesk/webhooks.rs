//! Registration of webhooks, where a helpdesk has an API for that.

use super::wrote::Wrote;
use crate::http::CallError;
use futures::future::BoxFuture;
use http::StatusCode;
use secrecy::SecretString;

/// A webhook at a helpdesk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id there.
    pub id: String,
    /// Its name there.
    pub name: String,
    /// Where it sends to.
    pub endpoint: String,
    /// Whether it sends.
    pub active: bool,
    /// Types of events that it sends.
    pub subscriptions: usize,
}

/// A webhook and what it signs with.
#[derive(Debug)]
pub struct Registered {
    /// The webhook.
    pub webhook: Webhook,
    /// What it signs with.
    pub secret: SecretString,
    /// Whether it was there already.
    pub existed: bool,
}

/// A webhook was not managed.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The helpdesk did not answer, or not as documented.
    #[error(transparent)]
    Call(#[from] CallError),
    /// There is none with this id.
    #[error("there is no webhook {0}: see `list`")]
    Unknown(String),
    /// The helpdesk refuses it.
    #[error("the helpdesk refuses it ({0}): the endpoint has to be public https, and our user an admin")]
    Refused(StatusCode),
}

impl WebhookError {
    /// What was asked for, or why it was not had.
    pub(crate) fn had<T>(wrote: Wrote<T>, id: &str) -> Result<T, Self> {
        match wrote {
            Wrote::Applied(had) => Ok(had),
            Wrote::NotFound => Err(Self::Unknown(id.to_owned())),
            Wrote::Refused(status) => Err(Self::Refused(status)),
        }
    }
}

/// Manages the webhooks of an account.
pub trait Webhooks: Send + Sync {
    /// All of them.
    fn list(&self) -> BoxFuture<'_, Result<Vec<Webhook>, WebhookError>>;

    /// Makes one that sends what concerns us to `endpoint`; if there is one with that endpoint, it is that.
    fn register<'a>(&'a self, endpoint: &'a str) -> BoxFuture<'a, Result<Registered, WebhookError>>;

    /// Gives one another secret, with which it signs from now on.
    fn rotate_secret<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<SecretString, WebhookError>>;

    /// Deletes one.
    fn delete<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), WebhookError>>;
}
