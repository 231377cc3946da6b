//! Rows of what Deskstream itself did: audit records, dead letters, outcomes.

use super::{count, details, month, small, text};
use crate::clickhouse::names;
use crate::clickhouse::native::Millis;
use deskstream_schemas::{AuditRecord, DeadLetter, Outcome};

table! {
    /// A row of `audit`: its columns are documented in sql/0007_audit.sql.
    "audit": audit is AuditRecord, parted by month(audit.at);
    "tenant" = &*audit.tenant,
    "at" = Millis(audit.at),
    "audit_id" = &*audit.audit_id,
    "actor_kind" = names::actor(audit.actor_kind),
    "actor" = &*audit.actor,
    "action" = &*audit.action,
    "resource" = &*audit.resource,
    "outcome" = names::audit_outcome(audit.outcome),
    "detail" = details(&audit.detail),
    "source_ip" = text(&audit.source_ip),
    "user_agent" = text(&audit.user_agent),
    "request_id" = text(&audit.request_id),
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
