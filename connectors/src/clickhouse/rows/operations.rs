//! Rows of what Deskstream itself did: audit records, dead letters, outcomes.

use super::{count, detail, month, small, text};
use crate::clickhouse::names;
use deskstream_schemas::{AuditRecord, DeadLetter, Outcome, Text};
use std::collections::BTreeMap;

table! {
    /// A row of `audit`: its columns are documented in sql/0007_audit.sql.
    AuditRow of "audit": audit is AuditRecord, parted by month(audit.at);
    tenant: &'a str = &audit.tenant,
    at: i64 = audit.at,
    audit_id: &'a str = &audit.audit_id,
    actor_kind: &'a str = names::actor(audit.actor_kind),
    actor: &'a str = &audit.actor,
    action: &'a str = &audit.action,
    resource: &'a str = &audit.resource,
    outcome: &'a str = names::audit_outcome(audit.outcome),
    #[serde(serialize_with = "detail")]
    detail: &'a BTreeMap<Text, String> = &audit.detail,
    source_ip: &'a str = text(&audit.source_ip),
    user_agent: &'a str = text(&audit.user_agent),
    request_id: &'a str = text(&audit.request_id),
}

table! {
    /// A row of `dead_letters`: its columns are documented in sql/0008_dead_letters.sql.
    DeadLetterRow of "dead_letters": letter is DeadLetter, parted by month(letter.failed_at);
    tenant: &'a str = &letter.tenant,
    failed_at: i64 = letter.failed_at,
    stage: &'a str = names::stage(letter.stage),
    reason: &'a str = &letter.reason,
    error: &'a str = &letter.error,
    fix: &'a str = &letter.fix,
    source: &'a str = &letter.source,
    event_id: &'a str = text(&letter.event_id),
    attempts: u32 = small(letter.attempts),
    payload_kept: bool = letter.payload.is_some(),
    payload_bytes: u64 = count(letter.payload_bytes),
}

table! {
    /// A row of `outcomes`: its columns are documented in sql/0009_outcomes.sql.
    OutcomeRow of "outcomes": outcome is Outcome, parted by month(outcome.finished_at);
    tenant: &'a str = &outcome.tenant,
    finished_at: i64 = outcome.finished_at,
    kind: &'a str = names::outcome_kind(outcome.kind),
    service: &'a str = &outcome.service,
    subject: &'a str = &outcome.subject,
    ticket_id: &'a str = text(&outcome.ticket_id),
    result: &'a str = names::result(outcome.result),
    status: u16 = outcome.status.and_then(|status| u16::try_from(status).ok()).unwrap_or(0),
    attempts: u32 = small(outcome.attempts),
    detail: &'a str = &outcome.detail,
    received_at: Option<i64> = outcome.received_at,
    rate_limit: u32 = small(outcome.rate_limit.unwrap_or(0)),
    rate_remaining: u32 = small(outcome.rate_remaining.unwrap_or(0)),
}
