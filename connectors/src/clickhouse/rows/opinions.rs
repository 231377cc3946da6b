//! The row of a second opinion.

use super::{count, month, small};
use crate::clickhouse::names;
use crate::clickhouse::native::Millis;
use deskstream_schemas::{Analysis, Label, Opinion};

table! {
    /// A row of `opinions`: its columns are documented in sql/0020_opinions.sql.
    "opinions": opinion is Opinion, parted by month(opinion.answered_at);
    "tenant" = &*opinion.tenant,
    "platform" = opinion.platform.as_str(),
    "ticket_id" = &*opinion.ticket_id,
    "event_id" = &*opinion.event_id,
    "version" = count(opinion.version),
    "text_hash" = opinion.text_hash.cast_unsigned(),
    "opinion_id" = &*opinion.opinion_id,
    "request_id" = &*opinion.request_id,
    "asked_at" = Millis(opinion.asked_at),
    "answered_at" = Millis(opinion.answered_at),
    "result" = names::opinion(opinion.result),
    "reason" = &*opinion.reason,
    "provider" = &*opinion.provider,
    "model" = opinion.analysis.as_ref().map_or("", |analysis| &*analysis.model),
    "prompt" = &*opinion.prompt,
    "cached" = opinion.cached,
    "attempts" = small(opinion.attempts),
    "latency_ms" = count(opinion.latency_ms),
    "tokens_in" = count(opinion.tokens_in),
    "tokens_out" = count(opinion.tokens_out),
    "cost_microusd" = count(opinion.cost_microusd),
    "price_as_of" = &*opinion.price_as_of,
    "root_cause" = value(opinion, |analysis| &analysis.root_cause),
    "root_cause_confidence" = confidence(opinion, |analysis| &analysis.root_cause),
    "urgency" = value(opinion, |analysis| &analysis.urgency),
    "urgency_confidence" = confidence(opinion, |analysis| &analysis.urgency),
    "sentiment" = value(opinion, |analysis| &analysis.sentiment),
    "sentiment_confidence" = confidence(opinion, |analysis| &analysis.sentiment),
    "sentiment_score" = opinion.analysis.as_ref().map_or(0.0, |analysis| analysis.sentiment_score),
    "industry" = value(opinion, |analysis| &analysis.industry),
}

fn value(opinion: &Opinion, label: fn(&Analysis) -> &Label) -> &str {
    opinion.analysis.as_ref().map_or("", |analysis| &*label(analysis).value)
}

fn confidence(opinion: &Opinion, label: fn(&Analysis) -> &Label) -> f32 {
    opinion.analysis.as_ref().map_or(0.0, |analysis| label(analysis).confidence)
}
