//! Every route, who may call it, and under which name it stands in the audit trail: the one table. A route that is not
//! here is refused, whatever its handler says.

use crate::identity::permissions::Permission;
use Permission::{
    ManageSettings, ManageTenants, ManageUsers, ReadAudit, ReadMetrics, ReadSettings, ReadTickets, ReadUsers,
    ReviewTickets,
};

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Whoever has a token or key.
    SignedIn,
    /// Whoever has the permission.
    Needs(Permission),
}

/// A route.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// GET, POST …
    pub method: &'static str,
    /// The path as matched.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// The action in the audit trail; none for what shows nothing of anybody and changes nothing.
    pub action: Option<&'static str>,
}

const fn route(
    method: &'static str,
    path: &'static str,
    access: Access,
    action: Option<&'static str>,
) -> Route {
    Route { method, path, access, action }
}

use Access::{Needs, Public, SignedIn};

/// The table.
pub const ROUTES: &[Route] = &[
    route("GET", "/api/v1/auth/bootstrap", Public, None),
    route("POST", "/api/v1/auth/bootstrap", Public, Some("bootstrap.operator")),
    route("POST", "/api/v1/auth/sign-in", Public, Some("sign-in.user")),
    route("POST", "/api/v1/auth/refresh", Public, Some("refresh.session")),
    route("POST", "/api/v1/auth/sign-out", Public, Some("sign-out.user")),
    route("POST", "/api/v1/auth/tenant", Needs(ManageTenants), Some("choose.tenant")),
    route("GET", "/.well-known/jwks.json", Public, None),
    route("GET", "/api/v1/openapi.json", Public, None),
    route("GET", "/api/v1/me", SignedIn, None),
    route("POST", "/api/v1/me/password", SignedIn, Some("change.password")),
    route("GET", "/api/v1/me/sessions", SignedIn, Some("read.sessions")),
    route("DELETE", "/api/v1/me/sessions/{id}", SignedIn, Some("end.session")),
    route("GET", "/api/v1/users", Needs(ReadUsers), Some("read.users")),
    route("POST", "/api/v1/users", Needs(ManageUsers), Some("create.user")),
    route("GET", "/api/v1/users/{id}", Needs(ReadUsers), Some("read.user")),
    route("PATCH", "/api/v1/users/{id}", Needs(ManageUsers), Some("change.user")),
    route("DELETE", "/api/v1/users/{id}", Needs(ManageUsers), Some("remove.user")),
    route("DELETE", "/api/v1/users/{id}/sessions", Needs(ManageUsers), Some("end.sessions")),
    route("GET", "/api/v1/api-keys", Needs(ReadUsers), Some("read.api-keys")),
    route("POST", "/api/v1/api-keys", Needs(ManageUsers), Some("create.api-key")),
    route("DELETE", "/api/v1/api-keys/{id}", Needs(ManageUsers), Some("revoke.api-key")),
    route("GET", "/api/v1/tenants", Needs(ManageTenants), None),
    route("GET", "/api/v1/settings/redaction-policy", Needs(ReadSettings), Some("read.redaction-policy")),
    route("PUT", "/api/v1/settings/redaction-policy", Needs(ManageSettings), Some("change.redaction-policy")),
    route(
        "DELETE",
        "/api/v1/settings/redaction-policy",
        Needs(ManageSettings),
        Some("remove.redaction-policy"),
    ),
    route("GET", "/api/v1/settings/redaction-kinds", Needs(ReadSettings), None),
    route("GET", "/api/v1/tickets/filters", Needs(ReadTickets), None),
    route("GET", "/api/v1/tickets", Needs(ReadTickets), Some("read.tickets")),
    route("GET", "/api/v1/tickets/{platform}/{ticket_id}", Needs(ReadTickets), Some("read.ticket")),
    route(
        "POST",
        "/api/v1/tickets/{platform}/{ticket_id}/reviews",
        Needs(ReviewTickets),
        Some("review.ticket"),
    ),
    route("GET", "/api/v1/overview", Needs(ReadMetrics), None),
    route("GET", "/api/v1/overview/stream", Needs(ReadMetrics), None),
    route("GET", "/api/v1/quality", Needs(ReadMetrics), None),
    route("GET", "/api/v1/audit", Needs(ReadAudit), Some("read.audit")),
    route("GET", "/api/v1/audit/export", Needs(ReadAudit), Some("export.audit")),
];

/// The rule of a route.
pub fn find(method: &str, path: &str) -> Option<&'static Route> {
    let method = if method == "HEAD" { "GET" } else { method };
    ROUTES.iter().find(|route| route.method == method && route.path == path)
}
