//! The web UI: files that are part of the binary, and one page, which finds its way by its own path.
//!
//! Assets stand under a version, which is made of all of them: their address changes when one of them does, so browsers
//! keep them for good. The page itself is asked for each time, and answered by 304 while it is the same.

use crate::http::error::ApiError;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// In debug builds the files are read from the source tree at each request, so that a change needs no build.
#[derive(RustEmbed)]
#[folder = "ui"]
struct Files;

const PAGE: &str = "index.html";
const ASSETS: &str = "/assets/";

/// Where pages are; what follows one of them is the page's own business. `ui/app.js` has the same list.
const PAGES: [&str; 13] = [
    "/",
    "/first-operator",
    "/sign-in",
    "/overview",
    "/inbox",
    "/tickets",
    "/quality",
    "/audit",
    "/settings",
    "/users",
    "/api-keys",
    "/sessions",
    "/reference",
];

/// Of release builds; see [`version`].
static VERSION: LazyLock<String> = LazyLock::new(hash_of_all);

fn hash_of_all() -> String {
    let mut names: Vec<_> = Files::iter().collect();
    names.sort_unstable();
    let mut hash = Sha256::new();
    for name in names {
        if let Some(file) = Files::get(&name) {
            hash.update(name.as_bytes());
            hash.update(file.metadata.sha256_hash());
        }
    }
    hex::encode(&hash.finalize()[..8])
}

/// The version of all assets.
fn version() -> String {
    if cfg!(debug_assertions) { hash_of_all() } else { VERSION.clone() }
}

/// Answers what is no path of the API.
pub async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return ApiError::NoRoute.into_response();
    }
    let path = uri.path();
    if let Some(asset) = path.strip_prefix(ASSETS) {
        return self::asset(asset).unwrap_or_else(|| ApiError::NoRoute.into_response());
    }
    let known = PAGES.iter().any(|page| {
        path.strip_prefix(page).is_some_and(|rest| rest.is_empty() || (*page != "/" && rest.starts_with('/')))
    });
    let wants_page = headers.get_all(header::ACCEPT).iter().any(|accept| {
        let accept = accept.to_str().unwrap_or_default();
        accept.contains("text/html")
    });
    if path.starts_with("/api/") || !(known || wants_page) {
        return ApiError::NoRoute.into_response();
    }
    page(if known { StatusCode::OK } else { StatusCode::NOT_FOUND }, &headers)
}

/// `version/name`.
fn asset(path: &str) -> Option<Response> {
    let (asked, name) = path.split_once('/')?;
    if asked != version() || name == PAGE {
        return None;
    }
    let file = Files::get(name)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind(name))),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
        (header::ETAG, etag(asked)),
    ];
    let bytes = match file.data {
        std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        std::borrow::Cow::Owned(bytes) => Bytes::from(bytes),
    };
    Some((headers, bytes).into_response())
}

fn page(status: StatusCode, headers: &HeaderMap) -> Response {
    let version = version();
    let tag = etag(&version);
    let seen = headers.get(header::IF_NONE_MATCH).and_then(|seen| seen.to_str().ok());
    let fixed = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))];
    if status == StatusCode::OK && seen.is_some_and(|seen| seen.split(',').any(|one| tag == one.trim())) {
        return (StatusCode::NOT_MODIFIED, fixed).into_response();
    }
    let Some(file) = Files::get(PAGE) else { return ApiError::Internal.into_response() };
    let text = String::from_utf8_lossy(&file.data).replace("{{version}}", &version);
    (status, fixed, axum::response::Html(text)).into_response()
}

/// Weak, since an answer may be compressed or not.
fn etag(version: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("W/\"{version}\"")).expect("hexadecimal digits and quotes are a header")
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `sha256sum`'s form.
    fn sums() -> Vec<(String, String)> {
        let text = include_str!("../ui/vendor/SHA256SUMS");
        text.lines().filter_map(|line| line.split_once("  ")).map(|(a, b)| (a.into(), b.into())).collect()
    }

    #[test]
    fn libraries_are_those_that_were_taken_in() {
        let sums = sums();
        assert!(sums.len() >= 5, "{sums:?}");
        for (sum, name) in &sums {
            let file = Files::get(&format!("vendor/{name}")).unwrap();
            assert_eq!(&hex::encode(file.metadata.sha256_hash()), sum, "{name}");
        }
        let code = Files::iter()
            .filter(|name| name.starts_with("vendor/") && kind(name) != "text/plain; charset=utf-8");
        assert_eq!(code.count(), sums.len(), "each library has its line in SHA256SUMS");
    }

    #[test]
    fn nothing_is_inline_and_the_page_names_every_module() {
        let page = Files::get(PAGE).unwrap();
        let page = std::str::from_utf8(&page.data).unwrap();
        for inline in ["<style", "style=", "onclick=", "onload=", "javascript:"] {
            assert!(!page.contains(inline), "{inline}");
        }
        assert_eq!(
            page.matches("<script").count(),
            page.matches("<script src=").count() + page.matches("<script type=\"module\" src=").count()
        );
        let app = Files::get("app.js").unwrap();
        let app = std::str::from_utf8(&app.data).unwrap();
        for known in PAGES.iter().map(|page| page.trim_start_matches('/')).filter(|page| !page.is_empty()) {
            let named = [format!("  {known}: ["), format!("  \"{known}\": ["), format!("\"{known}\"")];
            assert!(named.iter().any(|name| app.contains(name)), "app.js does not know /{known}");
        }
        // Asked for at once, not one after the other.
        for name in Files::iter().filter(|name| name.ends_with("js")) {
            assert!(page.contains(&format!("/assets/{{{{version}}}}/{name}\"")), "{name}");
        }
    }
}
