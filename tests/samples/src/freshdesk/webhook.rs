//! The sender of an automation rule's webhook.

use serde_json::Value;
use std::time::Duration;

/// How the rule says who it is: Freshdesk signs nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// Not at all.
    None,
    /// By a custom header.
    Header(String, String),
    /// By user name and password.
    Basic(String, String),
}

/// Sends it once and gives the status. The real one tries again after 5, 30 and 60 minutes.
pub(super) async fn send(url: &str, auth: &Auth, body: &Value) -> Option<u16> {
    // reqwest wants a process-wide TLS provider even for plain HTTP; if there is one already, it stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().ok()?;
    let request = client.post(url).json(body);
    let request = match auth {
        Auth::None => request,
        Auth::Header(name, value) => request.header(name, value),
        Auth::Basic(user, password) => request.basic_auth(user, Some(password)),
    };
    Some(request.send().await.ok()?.status().as_u16())
}
