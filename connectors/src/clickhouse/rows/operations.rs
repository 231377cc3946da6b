//! Rows of what Deskstream itself did: audit records, dead letters, outcomes.

use super::{count, details, month, small, text, year};
use crate::clickhouse::names;
use crate::clickhouse::native::{Hex, Millis};
use deskstream_schemas::{AuditHead, AuditLink, DeadLetter, Outcome, Retention};

table! {
    /// A row of `audit_trail`: its columns are documented in sql/0031_audit_trail.sql.
    "audit_trail": link is AuditLink, parted by month(link.chained_at) * 2 + u64::from(link.retention == Retention::Audit);
    "retention" = names::retention(link.retention),
    "sequence" = count(link.sequence),
    "chained_at" = Millis(link.chained_at),
    "hash" = Hex(&link.hash),
    "tenant" = &*link.record.tenant,
    "at" = Millis(link.record.at),
    "audit_id" = &*link.record.audit_id,
    "actor_kind" = names::actor(link.record.actor_kind),
    "actor" = &*link.record.actor,
    "action" = &*link.record.action,
    "resource" = &*link.record.resource,
    "outcome" = names::audit_outcome(link.record.outcome),
    "detail" = details(&link.record.detail),
    "source_ip" = text(&link.record.source_ip),
    "user_agent" = text(&link.record.user_agent),
    "request_id" = text(&link.record.request_id),
}

table! {
    /// A row of `audit_heads`: its columns are documented in sql/0032_audit_heads.sql.
    "audit_heads": head is AuditHead, parted by year(head.chained_at);
    "tenant" = &*head.tenant,
    "retention" = names::retention(head.retention),
    "sequence" = count(head.sequence),
    "chained_at" = Millis(head.chained_at),
    "hash" = Hex(&head.hash),
    "key_id" = &*head.key_id,
    "signature" = Hex(&head.signature),
}

table! {
    /// A row of `dead_letters`: its columns are documented in sql/0008_dead_letters.sql.
    "dead_letters": letter is DeadLetter, parted by month(letter.failed_at);
    "tenant" = &*letter.tenant,
    "failed_at" = Millis(letter.failed_at),
    "stage" = names::stage(letter.stage),
    "reason" = &*letter.reason,
    "error" = &*letter.error,
    "fix" = &*letter.fix,
    "source" = &*letter.source,
    "event_id" = text(&letter.event_id),
    "attempts" = small(letter.attempts),
    "payload_kept" = letter.payload.is_some(),
    "payload_bytes" = count(letter.payload_bytes),
}

table! {
    /// A row of `outcomes`: its columns are documented in sql/0009_outcomes.sql.
    "outcomes": outcome is Outcome, parted by month(outcome.finished_at);
    "tenant" = &*outcome.tenant,
    "finished_at" = Millis(outcome.finished_at),
    "kind" = names::outcome_kind(outcome.kind),
    "service" = &*outcome.service,
    "subject" = &*outcome.subject,
    "ticket_id" = text(&outcome.ticket_id),
    "result" = names::result(outcome.result),
    "status" = outcome.status.and_then(|status| u16::try_from(status).ok()).unwrap_or(0),
    "attempts" = small(outcome.attempts),
    "detail" = &*outcome.detail,
    "received_at" = outcome.received_at.map(Millis),
    "rate_limit" = small(outcome.rate_limit.unwrap_or(0)),
    "rate_remaining" = small(outcome.rate_remaining.unwrap_or(0)),
}
