//! The tenants, for operators.

use crate::App;
use axum::extract::State;
use deskstream_runtime::seal::DATA_KEY_KIND;
use deskstream_schemas::EVERY_TENANT;
use serde::Serialize;
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// A tenant.
#[derive(Serialize, ToSchema)]
pub struct Tenant {
    /// Its id.
    pub id: String,
}

/// Every tenant of the configuration, and whoever has a data key.
pub fn known(app: &App) -> BTreeSet<String> {
    let configured = app.process.config.tenants.keys().cloned();
    let keyed = app.process.control.list(DATA_KEY_KIND).into_iter().map(|key| key.tenant.clone());
    configured.chain(keyed).filter(|tenant| tenant != EVERY_TENANT).collect()
}

/// List tenants
#[utoipa::path(get, path = "/api/v1/tenants", tag = "tenants", responses((status = 200, body = Vec<Tenant>)))]
pub async fn list(State(app): State<App>) -> axum::Json<Vec<Tenant>> {
    axum::Json(known(&app).into_iter().map(|id| Tenant { id }).collect())
}
