//! Records as rows: which table, which partition of it, and the columns, borrowed from the record.
//!
//! Column names and types are checked by the `clickhouse` crate against the table before the first insert.

use super::names;
use clickhouse::{Row, RowWrite};
use deskstream_schemas::{
    Alert, AuditRecord, DeadLetter, EnrichedTicket, Label, Outcome, Record, Span, Text, Window,
};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// A record's place in Kafka, kept with its row.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Full name of the topic.
    pub topic: &'a str,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

/// A record that has a table.
pub trait Table: Record + Sync {
    /// The table's name.
    const TABLE: &'static str;
    /// Its row.
    type Row: RowWrite + 'static;

    /// Tells rows of different table partitions apart, as the table's PARTITION BY does.
    fn partition_key(&self) -> u64;

    /// The record as a row.
    fn row<'a>(&'a self, place: Place<'a>) -> <Self::Row as Row>::Value<'a>;
}

/// The month of an instant in UTC, as `toYYYYMM` gives it.
fn month(ms: i64) -> u64 {
    civil(ms).map_or(0, |date| date.year().unsigned_abs() as u64 * 100 + date.month().unsigned_abs() as u64)
}

/// The year of an instant in UTC, as `toYear` gives it.
fn year(ms: i64) -> u64 {
    civil(ms).map_or(0, |date| date.year().unsigned_abs().into())
}

fn civil(ms: i64) -> Option<jiff::civil::Date> {
    Some(jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::from_millisecond(ms).ok()?).date())
}

/// Counts are never negative; what claims to be is no count.
fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn small<T: TryInto<u32>>(value: T) -> u32 {
    value.try_into().unwrap_or(0)
}

fn text(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or("")
}

fn counts32<S: Serializer>(map: &&BTreeMap<Text, i32>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(map.iter().map(|(name, value)| (name.as_ref(), small(*value))))
}

fn counts64<S: Serializer>(map: &&BTreeMap<Text, i64>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(map.iter().map(|(name, value)| (name.as_ref(), count(*value))))
}

/// Bucket indexes are numbers written as text, since Avro's maps have text keys.
fn buckets<S: Serializer>(map: &&BTreeMap<Text, i64>, serializer: S) -> Result<S::Ok, S::Error> {
    let buckets: Vec<(i32, u64)> =
        map.iter().filter_map(|(index, value)| Some((index.parse().ok()?, count(*value)))).collect();
    serializer.collect_map(buckets)
}

fn detail<S: Serializer>(map: &&BTreeMap<Text, String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(map.iter().map(|(name, value)| (name.as_ref(), value.as_str())))
}

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

/// A row of `ticket_events`.
#[derive(Row, Serialize)]
#[allow(missing_docs, reason = "the columns are documented in sql/0002_ticket_events.sql")]
pub struct TicketEventRow<'a> {
    pub tenant: &'a str,
    pub platform: &'a str,
    pub ticket_id: &'a str,
    pub event_id: &'a str,
    pub kind: &'a str,
    pub origin: &'a str,
    pub occurred_at: i64,
    pub received_at: i64,
    pub created_at: i64,
    pub enriched_at: i64,
    pub version: u64,
    pub status: &'a str,
    pub priority: &'a str,
    pub ticket_type: &'a str,
    pub channel: &'a str,
    pub requester_ref: &'a str,
    pub assignee_ref: &'a str,
    pub group_ref: &'a str,
    pub organization_ref: &'a str,
    pub tags: &'a [String],
    pub subject: &'a str,
    pub body: &'a str,
    pub summary: &'a str,
    #[serde(rename = "spans.field", serialize_with = "span_fields")]
    pub span_fields: &'a [Span],
    #[serde(rename = "spans.start", serialize_with = "span_starts")]
    pub span_starts: &'a [Span],
    #[serde(rename = "spans.end", serialize_with = "span_ends")]
    pub span_ends: &'a [Span],
    #[serde(rename = "spans.kind", serialize_with = "span_kinds")]
    pub span_kinds: &'a [Span],
    #[serde(rename = "spans.detector", serialize_with = "span_detectors")]
    pub span_detectors: &'a [Span],
    #[serde(rename = "spans.score", serialize_with = "span_scores")]
    pub span_scores: &'a [Span],
    #[serde(serialize_with = "counts32")]
    pub redactions: &'a BTreeMap<Text, i32>,
    pub redactor: &'a str,
    pub root_cause: &'a str,
    pub root_cause_confidence: f32,
    pub root_cause_abstained: bool,
    pub urgency: &'a str,
    pub urgency_confidence: f32,
    pub urgency_abstained: bool,
    pub sentiment: &'a str,
    pub sentiment_confidence: f32,
    pub sentiment_abstained: bool,
    pub sentiment_score: f32,
    pub industry: &'a str,
    pub industry_confidence: f32,
    pub industry_abstained: bool,
    pub language: &'a str,
    pub language_confidence: f32,
    pub tier: &'a str,
    pub model: &'a str,
    pub analysis_us: u64,
    pub tokens_in: u64,
    pub tokens_out: u64,
    pub cost_microusd: u64,
    pub notes: &'a [Text],
    pub source_partition: i32,
    pub source_offset: i64,
    pub kafka_topic: &'a str,
    pub kafka_partition: i32,
    pub kafka_offset: i64,
}

impl Table for EnrichedTicket {
    const TABLE: &'static str = "ticket_events";
    type Row = TicketEventRow<'static>;

    fn partition_key(&self) -> u64 {
        month(self.occurred_at)
    }

    fn row<'a>(&'a self, place: Place<'a>) -> TicketEventRow<'a> {
        let analysis = &self.analysis;
        let Label { value: root_cause, confidence: root_cause_confidence, abstained: root_cause_abstained } =
            &analysis.root_cause;
        let Label { value: urgency, confidence: urgency_confidence, abstained: urgency_abstained } =
            &analysis.urgency;
        let Label { value: sentiment, confidence: sentiment_confidence, abstained: sentiment_abstained } =
            &analysis.sentiment;
        let Label { value: industry, confidence: industry_confidence, abstained: industry_abstained } =
            &analysis.industry;
        TicketEventRow {
            tenant: &self.tenant,
            platform: self.platform.as_str(),
            ticket_id: &self.ticket_id,
            event_id: &self.event_id,
            kind: names::kind(self.kind),
            origin: names::origin(self.origin),
            occurred_at: self.occurred_at,
            received_at: self.received_at,
            created_at: self.created_at,
            enriched_at: self.enriched_at,
            version: count(self.version),
            status: names::status(self.status),
            priority: names::priority(self.priority),
            ticket_type: text(&self.ticket_type),
            channel: text(&self.channel),
            requester_ref: text(&self.requester_ref),
            assignee_ref: text(&self.assignee_ref),
            group_ref: text(&self.group_ref),
            organization_ref: text(&self.organization_ref),
            tags: &self.tags,
            subject: &self.subject,
            body: &self.body,
            summary: &self.summary,
            span_fields: &self.spans,
            span_starts: &self.spans,
            span_ends: &self.spans,
            span_kinds: &self.spans,
            span_detectors: &self.spans,
            span_scores: &self.spans,
            redactions: &self.redactions,
            redactor: &self.redactor,
            root_cause,
            root_cause_confidence: *root_cause_confidence,
            root_cause_abstained: *root_cause_abstained,
            urgency,
            urgency_confidence: *urgency_confidence,
            urgency_abstained: *urgency_abstained,
            sentiment,
            sentiment_confidence: *sentiment_confidence,
            sentiment_abstained: *sentiment_abstained,
            sentiment_score: analysis.sentiment_score,
            industry,
            industry_confidence: *industry_confidence,
            industry_abstained: *industry_abstained,
            language: &analysis.language,
            language_confidence: analysis.language_confidence,
            tier: names::tier(analysis.tier),
            model: &analysis.model,
            analysis_us: count(analysis.latency_us),
            tokens_in: count(analysis.tokens_in),
            tokens_out: count(analysis.tokens_out),
            cost_microusd: count(analysis.cost_microusd),
            notes: &self.notes,
            source_partition: self.source_partition,
            source_offset: self.source_offset,
            kafka_topic: place.topic,
            kafka_partition: place.partition,
            kafka_offset: place.offset,
        }
    }
}

/// A row of `windows`.
#[derive(Row, Serialize)]
#[allow(missing_docs, reason = "the columns are documented in sql/0005_windows.sql")]
pub struct WindowRow<'a> {
    pub tenant: &'a str,
    pub size_s: u32,
    pub window_start: i64,
    pub window_end: i64,
    pub version: u64,
    pub closed: bool,
    pub events: u64,
    pub errors: u64,
    pub success_rate: f64,
    pub error_rate: f64,
    #[serde(serialize_with = "counts64")]
    pub error_reasons: &'a BTreeMap<Text, i64>,
    pub latency_p50_ms: f64,
    pub latency_p95_ms: f64,
    pub latency_p99_ms: f64,
    pub latency_sum_ms: u64,
    #[serde(serialize_with = "buckets")]
    pub latency_sketch: &'a BTreeMap<Text, i64>,
    #[serde(serialize_with = "counts64")]
    pub redactions: &'a BTreeMap<Text, i64>,
    pub tickets: u64,
    #[serde(serialize_with = "counts64")]
    pub urgency: &'a BTreeMap<Text, i64>,
    #[serde(serialize_with = "counts64")]
    pub sentiment: &'a BTreeMap<Text, i64>,
    #[serde(serialize_with = "counts64")]
    pub root_causes: &'a BTreeMap<Text, i64>,
    #[serde(serialize_with = "counts64")]
    pub industries: &'a BTreeMap<Text, i64>,
    #[serde(serialize_with = "counts64")]
    pub languages: &'a BTreeMap<Text, i64>,
    pub negative_share: f64,
    pub high_urgency: u64,
    pub kafka_topic: &'a str,
    pub kafka_partition: i32,
    pub kafka_offset: i64,
}

impl Table for Window {
    const TABLE: &'static str = "windows";
    type Row = WindowRow<'static>;

    fn partition_key(&self) -> u64 {
        u64::from(small(self.size_s)) * 1_000_000 + month(self.window_start)
    }

    fn row<'a>(&'a self, place: Place<'a>) -> WindowRow<'a> {
        WindowRow {
            tenant: &self.tenant,
            size_s: small(self.size_s),
            window_start: self.window_start,
            window_end: self.window_end,
            version: count(self.version),
            closed: self.is_final,
            events: count(self.events),
            errors: count(self.errors),
            success_rate: self.success_rate,
            error_rate: self.error_rate,
            error_reasons: &self.error_reasons,
            latency_p50_ms: self.latency_p50_ms,
            latency_p95_ms: self.latency_p95_ms,
            latency_p99_ms: self.latency_p99_ms,
            latency_sum_ms: count(self.latency_sum_ms),
            latency_sketch: &self.latency_sketch,
            redactions: &self.redactions,
            tickets: count(self.tickets),
            urgency: &self.urgency,
            sentiment: &self.sentiment,
            root_causes: &self.root_causes,
            industries: &self.industries,
            languages: &self.languages,
            negative_share: self.negative_share,
            high_urgency: count(self.high_urgency),
            kafka_topic: place.topic,
            kafka_partition: place.partition,
            kafka_offset: place.offset,
        }
    }
}

/// A row of `alerts`.
#[derive(Row, Serialize)]
#[allow(missing_docs, reason = "the columns are documented in sql/0006_alerts.sql")]
pub struct AlertRow<'a> {
    pub tenant: &'a str,
    pub rule: &'a str,
    pub alert_group: &'a str,
    pub dedup_key: &'a str,
    pub state: &'a str,
    pub severity: &'a str,
    pub value: f64,
    pub threshold: f64,
    pub summary: &'a str,
    pub channels: &'a [String],
    pub started_at: i64,
    pub changed_at: i64,
    pub labels: &'a BTreeMap<String, String>,
    pub kafka_topic: &'a str,
    pub kafka_partition: i32,
    pub kafka_offset: i64,
}

impl Table for Alert {
    const TABLE: &'static str = "alerts";
    type Row = AlertRow<'static>;

    fn partition_key(&self) -> u64 {
        year(self.changed_at)
    }

    fn row<'a>(&'a self, place: Place<'a>) -> AlertRow<'a> {
        AlertRow {
            tenant: &self.tenant,
            rule: &self.rule,
            alert_group: &self.group,
            dedup_key: &self.dedup_key,
            state: names::state(self.state),
            severity: self.severity.as_str(),
            value: self.value,
            threshold: self.threshold,
            summary: &self.summary,
            channels: &self.channels,
            started_at: self.started_at,
            changed_at: self.changed_at,
            labels: &self.labels,
            kafka_topic: place.topic,
            kafka_partition: place.partition,
            kafka_offset: place.offset,
        }
    }
}

/// A row of `audit`.
#[derive(Row, Serialize)]
#[allow(missing_docs, reason = "the columns are documented in sql/0007_audit.sql")]
pub struct AuditRow<'a> {
    pub tenant: &'a str,
    pub at: i64,
    pub audit_id: &'a str,
    pub actor_kind: &'a str,
    pub actor: &'a str,
    pub action: &'a str,
    pub resource: &'a str,
    pub outcome: &'a str,
    #[serde(serialize_with = "detail")]
    pub detail: &'a BTreeMap<Text, String>,
    pub source_ip: &'a str,
    pub user_agent: &'a str,
    pub request_id: &'a str,
    pub kafka_topic: &'a str,
    pub kafka_partition: i32,
    pub kafka_offset: i64,
}

impl Table for AuditRecord {
    const TABLE: &'static str = "audit";
    type Row = AuditRow<'static>;

    fn partition_key(&self) -> u64 {
        month(self.at)
    }

    fn row<'a>(&'a self, place: Place<'a>) -> AuditRow<'a> {
        AuditRow {
            tenant: &self.tenant,
            at: self.at,
            audit_id: &self.audit_id,
            actor_kind: names::actor(self.actor_kind),
            actor: &self.actor,
            action: &self.action,
            resource: &self.resource,
            outcome: names::audit_outcome(self.outcome),
            detail: &self.detail,
            source_ip: text(&self.source_ip),
            user_agent: text(&self.user_agent),
            request_id: text(&self.request_id),
            kafka_topic: place.topic,
            kafka_partition: place.partition,
            kafka_offset: place.offset,
        }
    }
}

/// A row of `dead_letters`.
#[derive(Row, Serialize)]
#[allow(missing_docs, reason = "the columns are documented in sql/0008_dead_letters.sql")]
pub struct DeadLetterRow<'a> {
    pub tenant: &'a str,
    pub failed_at: i64,
    pub stage: &'a str,
    pub reason: &'a str,
    pub error: &'a str,
    pub fix: &'a str,
    pub source: &'a str,
    pub event_id: &'a str,
    pub attempts: u32,
    pub payload_kept: bool,
    pub payload_bytes: u64,
    pub kafka_topic: &'a str,
    pub kafka_partition: i32,
    pub kafka_offset: i64,
}

impl Table for DeadLetter {
    const TABLE: &'static str = "dead_letters";
    type Row = DeadLetterRow<'static>;

    fn partition_key(&self) -> u64 {
        month(self.failed_at)
    }

    fn row<'a>(&'a self, place: Place<'a>) -> DeadLetterRow<'a> {
        DeadLetterRow {
            tenant: &self.tenant,
            failed_at: self.failed_at,
            stage: names::stage(self.stage),
            reason: &self.reason,
            error: &self.error,
            fix: &self.fix,
            source: &self.source,
            event_id: text(&self.event_id),
            attempts: small(self.attempts),
            payload_kept: self.payload.is_some(),
            payload_bytes: count(self.payload_bytes),
            kafka_topic: place.topic,
            kafka_partition: place.partition,
            kafka_offset: place.offset,
        }
    }
}

/// A row of `outcomes`.
#[derive(Row, Serialize)]
#[allow(missing_docs, reason = "the columns are documented in sql/0009_outcomes.sql")]
pub struct OutcomeRow<'a> {
    pub tenant: &'a str,
    pub finished_at: i64,
    pub kind: &'a str,
    pub service: &'a str,
    pub subject: &'a str,
    pub ticket_id: &'a str,
    pub result: &'a str,
    pub status: u16,
    pub attempts: u32,
    pub detail: &'a str,
    pub received_at: Option<i64>,
    pub rate_limit: u32,
    pub rate_remaining: u32,
    pub kafka_topic: &'a str,
    pub kafka_partition: i32,
    pub kafka_offset: i64,
}

impl Table for Outcome {
    const TABLE: &'static str = "outcomes";
    type Row = OutcomeRow<'static>;

    fn partition_key(&self) -> u64 {
        month(self.finished_at)
    }

    fn row<'a>(&'a self, place: Place<'a>) -> OutcomeRow<'a> {
        OutcomeRow {
            tenant: &self.tenant,
            finished_at: self.finished_at,
            kind: names::outcome_kind(self.kind),
            service: &self.service,
            subject: &self.subject,
            ticket_id: text(&self.ticket_id),
            result: names::result(self.result),
            status: self.status.and_then(|status| u16::try_from(status).ok()).unwrap_or(0),
            attempts: small(self.attempts),
            detail: &self.detail,
            received_at: self.received_at,
            rate_limit: small(self.rate_limit.unwrap_or(0)),
            rate_remaining: small(self.rate_remaining.unwrap_or(0)),
            kafka_topic: place.topic,
            kafka_partition: place.partition,
            kafka_offset: place.offset,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_and_years_are_those_of_utc() {
        assert_eq!(month(0), 197_001);
        assert_eq!(month(-1), 196_912);
        assert_eq!(month(1_793_491_199_999), 202_610, "2026-10-31T23:59:59.999Z");
        assert_eq!(month(1_793_491_200_000), 202_611);
        assert_eq!(year(1_793_491_200_000), 2026);
        assert_eq!(month(i64::MAX), 0, "beyond what a date can be");
    }

    #[test]
    fn what_is_no_count_counts_for_nothing() {
        assert_eq!((count(-1), small(-1_i32), small(7_i64)), (0, 0, 7));
    }
}
