//! Vault's answers: `{"data": {…}}`, or `{"errors": ["…"]}` under a status that says what kind of failure it is.

use super::TransitError;
use reqwest::StatusCode;
use serde_json::Value;
use zeroize::Zeroize;

/// More of an error than this helps nobody.
const MAX_SAID: usize = 200;

/// What lies under `data`.
pub(super) struct Answer(Value);

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(Value::String(plain)) = self.0.get_mut("plaintext") {
            plain.zeroize();
        }
    }
}

impl Answer {
    pub(super) fn text(&self, field: &'static str) -> Result<String, TransitError> {
        self.0.get(field).and_then(Value::as_str).map(str::to_owned).ok_or(TransitError::Answer(field))
    }

    pub(super) fn number(&self, field: &'static str) -> Result<u64, TransitError> {
        self.0.get(field).and_then(Value::as_u64).ok_or(TransitError::Answer(field))
    }
}

pub(super) fn read(status: StatusCode, path: &str, bytes: &[u8]) -> Result<Answer, TransitError> {
    if status.is_success() {
        let mut whole: Value =
            serde_json::from_slice(bytes).map_err(|_| TransitError::Answer("no JSON under a good status"))?;
        let data = whole.get_mut("data").map(Value::take).unwrap_or_default();
        return Ok(Answer(data));
    }
    let path = path.to_owned();
    let said = said(bytes);
    Err(match status.as_u16() {
        300..=399 => TransitError::Redirect,
        403 => TransitError::Denied { path },
        404 => TransitError::NotFound { path },
        503 => TransitError::Sealed,
        400 if said.contains("message authentication failed") || said.contains("invalid ciphertext") => {
            TransitError::Unauthentic
        }
        400 if said.contains("encryption key not found") => TransitError::NoKey { path },
        status => TransitError::Refused { status, path, said },
    })
}

/// Its own words, on one line.
fn said(bytes: &[u8]) -> String {
    let errors = serde_json::from_slice::<Value>(bytes).ok();
    let errors = errors.as_ref().and_then(|value| value.get("errors")?.as_array());
    let lines: Vec<_> = errors.into_iter().flatten().filter_map(Value::as_str).collect();
    let said: String = lines.join("; ").chars().take(MAX_SAID).collect();
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    if said.is_empty() { "nothing".to_owned() } else { said }
}
