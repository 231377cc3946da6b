//! The HTTP client for health checks.

use std::time::Duration;

use url::Url;

use crate::{Error, Result};

/// Chooses the TLS implementation (ring) for the whole process; harmless when called again.
pub fn install_tls() {
    // An error means that one is chosen already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A client that gives up soon and goes to nobody else: no proxy, no redirect.
pub fn client() -> Result<reqwest::Client> {
    install_tls();
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(5))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(|error| Error::Option { option: "TLS", detail: error.to_string() })
}

/// What of a URL may be told: neither the user nor the password nor the query that may be in it.
pub(crate) fn origin(url: &Url) -> String {
    format!("{}://{}", url.scheme(), url.authority().rsplit('@').next().unwrap_or_default())
}

/// Why a request failed, down to the operating system's word, without the URL and what may be in it.
pub(crate) fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        // Each layer tends to repeat the one below.
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = cause.source();
    }
    text
}
