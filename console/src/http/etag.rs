//! ETags of settings: the version of the entity. A change says which version it changes, so that none is lost.

use super::error::ApiError;
use axum::http::{HeaderMap, HeaderValue, header};

/// The ETag of a version.
pub fn of(version: i64) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\"")).expect("digits and quotes are a header")
}

/// That the caller has seen this version (0: that there is none yet, which `If-None-Match: *` says).
pub fn matches(headers: &HeaderMap, version: i64) -> Result<(), ApiError> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if let Some(seen) = text(header::IF_MATCH) {
        let seen = seen.split(',').map(str::trim).any(|tag| tag.trim_matches('"') == version.to_string());
        return if seen && version > 0 { Ok(()) } else { Err(ApiError::Changed) };
    }
    match text(header::IF_NONE_MATCH) {
        Some("*") if version == 0 => Ok(()),
        Some("*") => Err(ApiError::Changed),
        _ => Err(ApiError::NoPrecondition),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_needs_the_version_that_it_changes() {
        let with = |name: &'static str, value: &'static str| {
            HeaderMap::from_iter([(
                name.parse::<header::HeaderName>().unwrap(),
                HeaderValue::from_static(value),
            )])
        };
        assert!(matches(&with("if-match", "\"3\""), 3).is_ok());
        assert!(matches!(matches(&with("if-match", "\"2\""), 3), Err(ApiError::Changed)));
        assert!(matches!(matches(&with("if-match", "\"0\""), 0), Err(ApiError::Changed)));
        assert!(matches(&with("if-none-match", "*"), 0).is_ok());
        assert!(matches!(matches(&with("if-none-match", "*"), 1), Err(ApiError::Changed)));
        assert!(matches!(matches(&HeaderMap::new(), 1), Err(ApiError::NoPrecondition)));
    }
}
