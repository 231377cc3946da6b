//! The row of an enriched ticket event.

use super::{count, counts32, month, small, text};
use crate::clickhouse::names;
use deskstream_schemas::{EnrichedTicket, Span, Text};
use serde::Serializer;
use std::collections::BTreeMap;

/// A column that is one field of every span.
macro_rules! span_column {
    ($name:ident, $span:ident => $value:expr) => {
        fn $name<S: Serializer>(spans: &&[Span], serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(spans.iter().map(|$span| $value))
        }
    };
}

span_column!(span_fields, span => names::field(span.field));
span_column!(span_starts, span => small(span.start));
span_column!(span_ends, span => small(span.end));
span_column!(span_kinds, span => span.kind.as_ref());
span_column!(span_detectors, span => span.detector.as_ref());
span_column!(span_scores, span => span.score);

table! {
    /// A row of `ticket_events`: its columns are documented in sql/0002_ticket_events.sql.
    TicketEventRow of "ticket_events": ticket is EnrichedTicket, parted by month(ticket.occurred_at);
    tenant: &'a str = &ticket.tenant,
    platform: &'a str = ticket.platform.as_str(),
    ticket_id: &'a str = &ticket.ticket_id,
    event_id: &'a str = &ticket.event_id,
    kind: &'a str = names::kind(ticket.kind),
    origin: &'a str = names::origin(ticket.origin),
    occurred_at: i64 = ticket.occurred_at,
    received_at: i64 = ticket.received_at,
    created_at: i64 = ticket.created_at,
    enriched_at: i64 = ticket.enriched_at,
    version: u64 = count(ticket.version),
    status: &'a str = names::status(ticket.status),
    priority: &'a str = names::priority(ticket.priority),
    ticket_type: &'a str = text(&ticket.ticket_type),
    channel: &'a str = text(&ticket.channel),
    requester_ref: &'a str = text(&ticket.requester_ref),
    assignee_ref: &'a str = text(&ticket.assignee_ref),
    group_ref: &'a str = text(&ticket.group_ref),
    organization_ref: &'a str = text(&ticket.organization_ref),
    tags: &'a [String] = &ticket.tags,
    subject: &'a str = &ticket.subject,
    body: &'a str = &ticket.body,
    summary: &'a str = &ticket.summary,
    #[serde(rename = "spans.field", serialize_with = "span_fields")]
    span_fields: &'a [Span] = &ticket.spans,
    #[serde(rename = "spans.start", serialize_with = "span_starts")]
    span_starts: &'a [Span] = &ticket.spans,
    #[serde(rename = "spans.end", serialize_with = "span_ends")]
    span_ends: &'a [Span] = &ticket.spans,
    #[serde(rename = "spans.kind", serialize_with = "span_kinds")]
    span_kinds: &'a [Span] = &ticket.spans,
    #[serde(rename = "spans.detector", serialize_with = "span_detectors")]
    span_detectors: &'a [Span] = &ticket.spans,
    #[serde(rename = "spans.score", serialize_with = "span_scores")]
    span_scores: &'a [Span] = &ticket.spans,
    #[serde(serialize_with = "counts32")]
    redactions: &'a BTreeMap<Text, i32> = &ticket.redactions,
    redactor: &'a str = &ticket.redactor,
    root_cause: &'a str = &ticket.analysis.root_cause.value,
    root_cause_confidence: f32 = ticket.analysis.root_cause.confidence,
    root_cause_abstained: bool = ticket.analysis.root_cause.abstained,
    urgency: &'a str = &ticket.analysis.urgency.value,
    urgency_confidence: f32 = ticket.analysis.urgency.confidence,
    urgency_abstained: bool = ticket.analysis.urgency.abstained,
    sentiment: &'a str = &ticket.analysis.sentiment.value,
    sentiment_confidence: f32 = ticket.analysis.sentiment.confidence,
    sentiment_abstained: bool = ticket.analysis.sentiment.abstained,
    sentiment_score: f32 = ticket.analysis.sentiment_score,
    industry: &'a str = &ticket.analysis.industry.value,
    industry_confidence: f32 = ticket.analysis.industry.confidence,
    industry_abstained: bool = ticket.analysis.industry.abstained,
    language: &'a str = &ticket.analysis.language,
    language_confidence: f32 = ticket.analysis.language_confidence,
    tier: &'a str = names::tier(ticket.analysis.tier),
    model: &'a str = &ticket.analysis.model,
    analysis_us: u64 = count(ticket.analysis.latency_us),
    tokens_in: u64 = count(ticket.analysis.tokens_in),
    tokens_out: u64 = count(ticket.analysis.tokens_out),
    cost_microusd: u64 = count(ticket.analysis.cost_microusd),
    notes: &'a [Text] = &ticket.notes,
    source_partition: i32 = ticket.source_partition,
    source_offset: i64 = ticket.source_offset,
}
