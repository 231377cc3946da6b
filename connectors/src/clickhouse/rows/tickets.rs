//! The row of an enriched ticket event.

use super::{count, counts, month, small, text, texts};
use crate::clickhouse::names;
use crate::clickhouse::native::{Millis, Seq};
use deskstream_schemas::{Analysis, EnrichedTicket, Label};

table! {
    /// A row of `ticket_events`: its columns are documented in sql/0002_ticket_events.sql.
    "ticket_events": ticket is EnrichedTicket, parted by month(ticket.occurred_at);
    "tenant" = &*ticket.tenant,
    "platform" = ticket.platform.as_str(),
    "ticket_id" = &*ticket.ticket_id,
    "event_id" = &*ticket.event_id,
    "kind" = names::kind(ticket.kind),
    "origin" = names::origin(ticket.origin),
    "occurred_at" = Millis(ticket.occurred_at),
    "received_at" = Millis(ticket.received_at),
    "created_at" = Millis(ticket.created_at),
    "enriched_at" = Millis(ticket.enriched_at),
    "version" = count(ticket.version),
    "status" = names::status(ticket.status),
    "priority" = names::priority(ticket.priority),
    "ticket_type" = text(&ticket.ticket_type),
    "channel" = text(&ticket.channel),
    "requester_ref" = text(&ticket.requester_ref),
    "assignee_ref" = text(&ticket.assignee_ref),
    "group_ref" = text(&ticket.group_ref),
    "organization_ref" = text(&ticket.organization_ref),
    "tags" = texts(&ticket.tags),
    "subject" = &*ticket.subject,
    "body" = &*ticket.body,
    "summary" = &*ticket.summary,
    "spans.field" = Seq(ticket.spans.iter().map(|span| names::field(span.field))),
    "spans.start" = Seq(ticket.spans.iter().map(|span| small(span.start))),
    "spans.end" = Seq(ticket.spans.iter().map(|span| small(span.end))),
    "spans.kind" = Seq(ticket.spans.iter().map(|span| &*span.kind)),
    "spans.detector" = Seq(ticket.spans.iter().map(|span| &*span.detector)),
    "spans.score" = Seq(ticket.spans.iter().map(|span| span.score)),
    "redactions" = counts(&ticket.redactions, small),
    "redactor" = &*ticket.redactor,
    "root_cause" = &*ticket.analysis.root_cause.value,
    "root_cause_confidence" = ticket.analysis.root_cause.confidence,
    "root_cause_abstained" = ticket.analysis.root_cause.abstained,
    "urgency" = &*ticket.analysis.urgency.value,
    "urgency_confidence" = ticket.analysis.urgency.confidence,
    "urgency_abstained" = ticket.analysis.urgency.abstained,
    "sentiment" = &*ticket.analysis.sentiment.value,
    "sentiment_confidence" = ticket.analysis.sentiment.confidence,
    "sentiment_abstained" = ticket.analysis.sentiment.abstained,
    "sentiment_score" = ticket.analysis.sentiment_score,
    "industry" = &*ticket.analysis.industry.value,
    "industry_confidence" = ticket.analysis.industry.confidence,
    "industry_abstained" = ticket.analysis.industry.abstained,
    "language" = &*ticket.analysis.language,
    "language_confidence" = ticket.analysis.language_confidence,
    "tier" = ticket.analysis.tier.as_str(),
    "model" = &*ticket.analysis.model,
    "analysis_us" = count(ticket.analysis.latency_us),
    "tokens_in" = count(ticket.analysis.tokens_in),
    "tokens_out" = count(ticket.analysis.tokens_out),
    "cost_microusd" = count(ticket.analysis.cost_microusd),
    "notes" = texts(&ticket.notes),
    "urgency_reasons" = texts(&ticket.urgency_reasons),
    "shadow_model" = ticket.shadow.as_ref().map_or("", |shadow| &*shadow.model),
    "shadow_root_cause" = shadow(ticket, |shadow| &shadow.root_cause),
    "shadow_root_cause_confidence" = shadow_confidence(ticket, |shadow| &shadow.root_cause),
    "shadow_urgency" = shadow(ticket, |shadow| &shadow.urgency),
    "shadow_urgency_confidence" = shadow_confidence(ticket, |shadow| &shadow.urgency),
    "shadow_sentiment" = shadow(ticket, |shadow| &shadow.sentiment),
    "shadow_sentiment_confidence" = shadow_confidence(ticket, |shadow| &shadow.sentiment),
    "shadow_latency_us" = ticket.shadow.as_ref().map_or(0, |shadow| count(shadow.latency_us)),
    "source_partition" = ticket.source_partition,
    "source_offset" = ticket.source_offset,
}

fn shadow(ticket: &EnrichedTicket, of: fn(&Analysis) -> &Label) -> &str {
    ticket.shadow.as_ref().map_or("", |shadow| &*of(shadow).value)
}

fn shadow_confidence(ticket: &EnrichedTicket, of: fn(&Analysis) -> &Label) -> f32 {
    ticket.shadow.as_ref().map_or(0.0, |shadow| of(shadow).confidence)
}
