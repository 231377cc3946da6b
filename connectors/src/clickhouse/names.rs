//! Enumerations as analysts read them: lower case, and `none` where the helpdesk says nothing.

use deskstream_schemas::{
    ActorKind, AlertState, AuditOutcome, EventKind, OpinionResult, Origin, OutcomeKind, OutcomeResult,
    Priority, Retention, SpanField, Stage, TicketStatus,
};

pub(super) fn kind(value: EventKind) -> &'static str {
    match value {
        EventKind::Created => "created",
        EventKind::Updated => "updated",
    }
}

pub(super) fn origin(value: Origin) -> &'static str {
    match value {
        Origin::Webhook => "webhook",
        Origin::Poll => "poll",
        Origin::Backfill => "backfill",
        Origin::Import => "import",
    }
}

pub(super) fn status(value: TicketStatus) -> &'static str {
    match value {
        TicketStatus::Unknown => "unknown",
        TicketStatus::New => "new",
        TicketStatus::Open => "open",
        TicketStatus::Pending => "pending",
        TicketStatus::Hold => "hold",
        TicketStatus::Solved => "solved",
        TicketStatus::Closed => "closed",
    }
}

pub(super) fn priority(value: Option<Priority>) -> &'static str {
    match value {
        None => "none",
        Some(Priority::Low) => "low",
        Some(Priority::Normal) => "normal",
        Some(Priority::High) => "high",
        Some(Priority::Urgent) => "urgent",
    }
}

pub(super) fn field(value: SpanField) -> &'static str {
    match value {
        SpanField::Subject => "subject",
        SpanField::Body => "body",
        SpanField::Tag => "tag",
    }
}

pub(super) fn opinion(value: OpinionResult) -> &'static str {
    match value {
        OpinionResult::Answered => "answered",
        OpinionResult::Skipped => "skipped",
        OpinionResult::Failed => "failed",
    }
}

pub(super) fn state(value: AlertState) -> &'static str {
    match value {
        AlertState::Firing => "firing",
        AlertState::Resolved => "resolved",
    }
}

pub(crate) fn actor(value: ActorKind) -> &'static str {
    match value {
        ActorKind::System => "system",
        ActorKind::User => "user",
        ActorKind::ApiKey => "api_key",
    }
}

pub(crate) fn audit_outcome(value: AuditOutcome) -> &'static str {
    match value {
        AuditOutcome::Ok => "ok",
        AuditOutcome::Denied => "denied",
        AuditOutcome::Error => "error",
    }
}

pub(crate) fn retention(value: Retention) -> &'static str {
    match value {
        Retention::Audit => "audit",
        Retention::Processing => "processing",
    }
}

pub(super) fn stage(value: Stage) -> &'static str {
    match value {
        Stage::Receive => "receive",
        Stage::Import => "import",
        Stage::Decode => "decode",
        Stage::Decrypt => "decrypt",
        Stage::Redact => "redact",
        Stage::Analyze => "analyze",
        Stage::Sink => "sink",
    }
}

pub(super) fn outcome_kind(value: OutcomeKind) -> &'static str {
    match value {
        OutcomeKind::WriteBack => "write_back",
        OutcomeKind::Poll => "poll",
        OutcomeKind::Alert => "alert",
    }
}

pub(super) fn result(value: OutcomeResult) -> &'static str {
    match value {
        OutcomeResult::Applied => "applied",
        OutcomeResult::AlreadyApplied => "already_applied",
        OutcomeResult::Skipped => "skipped",
        OutcomeResult::Rejected => "rejected",
        OutcomeResult::Failed => "failed",
    }
}
