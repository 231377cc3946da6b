//! What a command leaves in the audit trail.

use crate::options;
use anyhow::Context;
use deskstream_connectors::kafka::{AuditSink, Producer, ProducerOptions};
use deskstream_runtime::Process;
use deskstream_runtime::time::now_ms;
use deskstream_schemas::{ActorKind, AuditOutcome, AuditRecord, Text};

/// Writes that the user has done `action` to `resource`, and waits until it is acknowledged.
pub async fn done<const N: usize>(
    process: &Process,
    tenant: &str,
    action: &'static str,
    resource: String,
    detail: [(&'static str, String); N],
) -> anyhow::Result<()> {
    let record = AuditRecord {
        audit_id: uuid::Uuid::now_v7().to_string(),
        tenant: tenant.to_owned(),
        at: now_ms(),
        actor_kind: ActorKind::User,
        actor: options::user(),
        action: action.into(),
        resource,
        outcome: AuditOutcome::Ok,
        detail: detail.into_iter().map(|(name, value)| (Text::Borrowed(name), value)).collect(),
        source_ip: None,
        user_agent: None,
        request_id: None,
    };
    let sink = AuditSink::new(process, Producer::new(process, ProducerOptions::records())?);
    sink.send(tenant, &record).await.context("write the audit record")?;
    Ok(())
}
