//! The REST API, one file for each resource.

pub mod api_keys;
pub mod audit;
pub mod auth;
pub mod cookies;
mod document;
pub mod me;
pub mod overview;
pub mod quality;
pub mod settings;
pub mod tenants;
pub mod tickets;
pub mod users;

use crate::App;
use crate::guard::guard;
use crate::http::error::{ApiError, Problem};
use axum::extract::DefaultBodyLimit;
use axum::routing::get;
use axum::{Json, Router, middleware};
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Deskstream",
        description = "Redacted tickets, their analyses, live numbers, settings and the audit trail. Errors are problem \
            details (RFC 9457). Lists are paged by `cursor`. Every answer has an X-Request-Id, which the audit trail names."
    ),
    components(schemas(Problem, audit::Format)),
    modifiers(&Bearer),
    security(("bearer" = []))
)]
struct Api;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut Document) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT");
        let scheme = scheme.description(Some("An access token, or an API key (dsk_…)"));
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme.build()));
    }
}

fn documented() -> (Router<App>, Document) {
    let (router, mut document) = OpenApiRouter::with_openapi(Api::openapi())
        .routes(routes!(auth::bootstrap_needed, auth::bootstrap))
        .routes(routes!(auth::sign_in))
        .routes(routes!(auth::refresh))
        .routes(routes!(auth::sign_out))
        .routes(routes!(auth::tenant))
        .routes(routes!(auth::jwks))
        .routes(routes!(me::show))
        .routes(routes!(me::change_password))
        .routes(routes!(me::list_sessions))
        .routes(routes!(me::end_session))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::show, users::change, users::remove))
        .routes(routes!(users::end_sessions))
        .routes(routes!(api_keys::list, api_keys::create))
        .routes(routes!(api_keys::revoke))
        .routes(routes!(tenants::list))
        .routes(routes!(settings::show_policy, settings::change_policy, settings::remove_policy))
        .routes(routes!(settings::kinds))
        .routes(routes!(tickets::list))
        .routes(routes!(tickets::filters))
        .routes(routes!(tickets::show))
        .routes(routes!(tickets::review))
        .routes(routes!(overview::show))
        .routes(routes!(overview::stream))
        .routes(routes!(quality::show))
        .routes(routes!(audit::list))
        .routes(routes!(audit::export))
        .split_for_parts();
    document::complete(&mut document);
    (router, document)
}

/// The API's document.
pub fn document() -> Document {
    documented().1
}

/// The API behind its guard.
pub fn router(app: &App) -> Router<App> {
    let (router, document) = documented();
    let text: axum::body::Bytes = document.to_json().unwrap_or_default().into();
    let described = get(move || async move { ([("content-type", "application/json")], text) });
    router
        .route("/api/v1/openapi.json", described)
        .method_not_allowed_fallback(|| async { ApiError::NoMethod })
        .layer(DefaultBodyLimit::max(app.process.config.console.max_body.0))
        .route_layer(middleware::from_fn_with_state(app.clone(), guard))
}

/// A page of a list.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Cursor of the next page; none on the last.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A page of `limit` rows from one more than that, if there is one.
    fn of<K: serde::Serialize>(mut rows: Vec<T>, limit: u32, key: impl Fn(&T) -> K) -> Json<Self> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|row| crate::http::cursor::encode(&key(row)));
        Json(Self { items: rows, next })
    }
}
