//! What is left in the audit trail of each request. A request is answered only when its record is acknowledged: what
//! can't be recorded is not shown.

use crate::http::request::Origin;
use crate::identity::caller::Caller;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use deskstream_runtime::time::now_ms;
use deskstream_schemas::{ActorKind, AuditOutcome, AuditRecord, EVERY_TENANT, Text};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

#[derive(Debug, Default)]
struct Written {
    tenant: Option<String>,
    actor: Option<String>,
    resource: Option<String>,
    detail: BTreeMap<Text, String>,
}

/// What a handler has to say about what it does, whether or not it succeeds. No personal data.
#[derive(Debug, Clone, Default)]
pub struct Note(Arc<Mutex<Written>>);

impl Note {
    /// What it is done to.
    pub fn resource(&self, resource: impl Into<String>) {
        self.0.lock().resource = Some(resource.into());
    }

    /// Who does it and where, where no token says so.
    pub fn actor(&self, tenant: &str, actor: &str) {
        let mut written = self.0.lock();
        (written.tenant, written.actor) = (Some(tenant.to_owned()), Some(actor.to_owned()));
    }

    /// A further fact.
    pub fn detail(&self, name: &'static str, value: impl Into<String>) {
        self.0.lock().detail.insert(Text::Borrowed(name), value.into());
    }

    /// The record of a request that was answered with `status`.
    pub fn record(
        &self,
        action: &'static str,
        path: &str,
        caller: Option<&Caller>,
        from: &Origin,
        status: StatusCode,
    ) -> AuditRecord {
        let mut written = self.0.lock();
        let mut detail = std::mem::take(&mut written.detail);
        detail.insert(Text::Borrowed("status"), status.as_u16().to_string());
        let outcome = match status.as_u16() {
            ..=399 => AuditOutcome::Ok,
            401 | 403 | 429 => AuditOutcome::Denied,
            _ => AuditOutcome::Error,
        };
        let tenant = written.tenant.take().or_else(|| caller.map(|caller| caller.scope.tenant().to_owned()));
        let actor = written.actor.take().or_else(|| caller.map(|caller| caller.id.clone()));
        AuditRecord {
            audit_id: uuid::Uuid::now_v7().to_string(),
            tenant: tenant.unwrap_or_else(|| EVERY_TENANT.to_owned()),
            at: now_ms(),
            actor_kind: caller.map_or(ActorKind::User, |caller| caller.kind),
            actor: actor.unwrap_or_else(|| "anonymous".to_owned()),
            action: action.into(),
            resource: written.resource.take().unwrap_or_else(|| path.to_owned()),
            outcome,
            detail,
            source_ip: Some(from.address.to_string()),
            user_agent: from.user_agent.clone(),
            request_id: Some(from.request_id.clone()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Note {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}
