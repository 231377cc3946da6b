//! Reading an answer's body.

use super::{Answer, CallError, Cause, Client, Effect, Hint};
use serde::Deserialize;

impl Client {
    /// Reads an answer's JSON. `effect` is what is known of the request where the body can't be read.
    pub fn json<'a, T: Deserialize<'a>>(
        &self,
        endpoint: &'static str,
        answer: &'a Answer,
        effect: Effect,
    ) -> Result<T, CallError> {
        serde_json::from_slice(&answer.body).map_err(|_| {
            let cause = Cause::Malformed("its body is not the documented JSON");
            self.refuse(endpoint, answer, cause, effect, Hint::Backoff)
        })
    }

    /// The error that an answer comes to.
    pub fn refuse(
        &self,
        endpoint: &'static str,
        answer: &Answer,
        cause: Cause,
        effect: Effect,
        hint: Hint,
    ) -> CallError {
        CallError {
            service: self.options().service,
            endpoint,
            cause,
            effect,
            hint,
            attempts: answer.attempts,
        }
    }
}

/// Most characters of a service's error code that are kept; longer ones are free text.
const MAX_CODE_CHARS: usize = 64;

/// The service's error code, if its answer has one that can't be free text with personal data in it. Zendesk's is
/// `error` or `error.code`, Freshdesk's and Intercom's `code` or the first of `errors`.
pub(super) fn error_code(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        #[serde(default, alias = "code")]
        error: serde_json::Value,
        #[serde(default)]
        errors: Vec<serde_json::Value>,
    }
    let body: Body = serde_json::from_slice(body).ok()?;
    let of = |error: &serde_json::Value| error.get("code")?.as_str().map(str::to_owned);
    let code = body.error.as_str().map(str::to_owned).or_else(|| of(&body.error));
    let code = code.or_else(|| of(body.errors.first()?))?;
    let plain = code.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    (plain && code.len() <= MAX_CODE_CHARS).then_some(code)
}
