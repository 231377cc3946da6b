//! The record types, one file a topic family.

mod alert;
mod audit;
mod enriched;
mod event;
mod operations;
mod opinion;
mod quality;
mod window;
mod write_back;

pub use alert::{Alert, AlertState, Severity};
pub use audit::{ActorKind, AuditHead, AuditLink, AuditOutcome, AuditRecord, Retention};
pub use enriched::{Analysis, EnrichedTicket, Label, Span, SpanField, Text, TicketState, Tier};
pub use event::{
    Attachment, EventKind, Origin, Person, PersonRole, Platform, Priority, Sealed, TicketContent,
    TicketEvent, TicketStatus,
};
pub use operations::{ControlEntity, DeadLetter, EVERY_TENANT, Stage};
pub use opinion::{Opinion, OpinionRequest, OpinionResult};
pub use quality::{ClassQuality, Confusion, Drift, Prediction, Quality, Review, ReviewResult};
pub use window::Window;
pub use write_back::{Command, Outcome, OutcomeKind, OutcomeResult};
