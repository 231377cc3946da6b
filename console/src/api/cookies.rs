//! The one cookie, which holds the refresh token, and the guard against requests that other sites have a browser send.

use crate::App;
use crate::http::error::ApiError;
use axum::http::{HeaderMap, HeaderValue, header};

/// Its name.
pub const NAME: &str = "deskstream_refresh";

/// Only these paths get it.
const PATH: &str = "/api/v1/auth";

/// Sets the cookie, for as long as a session may last.
pub fn set(app: &App, token: &str) -> HeaderValue {
    cookie(app, token, app.process.config.console.session_max.as_secs())
}

/// Removes it.
pub fn clear(app: &App) -> HeaderValue {
    cookie(app, "", 0)
}

fn cookie(app: &App, value: &str, seconds: u64) -> HeaderValue {
    let secure = if app.process.config.console.https() { "; Secure" } else { "" };
    let text = format!("{NAME}={value}; Path={PATH}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&text).expect("a token is made of characters of base64 and dots")
}

/// The refresh token of a request.
pub fn read(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|line| line.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == NAME).then(|| value.to_owned())
    })
}

/// That a request with the cookie comes from the console's own pages: browsers say so by themselves in `Sec-Fetch-Site`
/// or `Origin`, which no page can forge. SameSite=Strict says the same; this holds also for sites beside ours, and for
/// browsers that don't know it.
pub fn same_origin(app: &App, headers: &HeaderMap) -> Result<(), ApiError> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text("sec-fetch-site") {
        return if site == "same-origin" { Ok(()) } else { Err(ApiError::CrossSite) };
    }
    let Some(origin) = text("origin") else { return Err(ApiError::CrossSite) };
    let own = match &app.process.config.console.public_url {
        Some(url) => url.origin().ascii_serialization(),
        None => {
            let scheme = if app.process.config.console.https() { "https" } else { "http" };
            format!("{scheme}://{}", text("host").unwrap_or_default())
        }
    };
    if origin == own { Ok(()) } else { Err(ApiError::CrossSite) }
}
