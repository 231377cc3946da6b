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
