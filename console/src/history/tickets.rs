//! The inbox: tickets in their latest state, and all that is known of one.

use super::History;
use super::millis::Millis;
use crate::http::error::ApiError;
use crate::identity::caller::Scope;
use clickhouse::Row;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Most events of one ticket that are shown.
const MOST_EVENTS: u32 = 500;

/// What the inbox is narrowed by; an empty text narrows nothing.
#[derive(Debug, Default)]
pub struct Filter {
    /// Each with the column's name.
    pub equal: [(&'static str, String); 8],
    /// Words of the redacted subject or summary.
    pub text: String,
    /// Only tickets that are not solved.
    pub open: bool,
    /// Last change, from and to.
    pub from: Option<i64>,
    /// Not later than this.
    pub to: Option<i64>,
}

/// The columns a list can be narrowed by.
pub const COLUMNS: [&str; 8] =
    ["tenant", "platform", "status", "urgency", "sentiment", "root_cause", "language", "priority"];

/// A ticket in its latest state, redacted.
#[derive(Debug, Clone, Row, Serialize, Deserialize, ToSchema)]
pub struct Ticket {
    /// Its tenant.
    pub tenant: String,
    /// The helpdesk.
    pub platform: String,
    /// Its id there.
    pub ticket_id: String,
    /// When it last changed.
    pub occurred_at: Millis,
    /// When it was created.
    pub created_at: Millis,
    /// `new`, `open`, `pending`, `hold`, `solved` or `closed`.
    pub status: String,
    /// `none` if the helpdesk has none set.
    pub priority: String,
    /// Redacted.
    pub subject: String,
    /// Redacted.
    pub summary: String,
    /// How urgent it is.
    pub urgency: String,
    /// 0 to 1.
    pub urgency_confidence: f32,
    /// How its writer feels.
    pub sentiment: String,
    /// −1 to 1.
    pub sentiment_score: f32,
    /// What it is about.
    pub root_cause: String,
    /// 0 to 1.
    pub root_cause_confidence: f32,
    /// ISO 639-1.
    pub language: String,
    /// Who judged: `local`, `encoder`, `llm` or `human`.
    pub tier: String,
    /// Which model.
    pub model: String,
    /// How much personal data was found.
    pub redactions: u64,
}

/// Sort key of the list: newest change first.
pub type Key = (i64, String, String, String);

impl Ticket {
    /// The key behind which the next page begins.
    pub fn key(&self) -> Key {
        (self.occurred_at.0, self.tenant.clone(), self.platform.clone(), self.ticket_id.clone())
    }
}

const LIST: &str = "\
SELECT
    toString(tenant) AS tenant, toString(platform) AS platform, ticket_id,
    toUnixTimestamp64Milli(t.occurred_at) AS occurred_at, toUnixTimestamp64Milli(t.created_at) AS created_at,
    toString(status) AS status, toString(priority) AS priority, subject, summary,
    toString(urgency) AS urgency, toFloat32(t.urgency_confidence) AS urgency_confidence,
    toString(sentiment) AS sentiment, toFloat32(t.sentiment_score) AS sentiment_score,
    toString(root_cause) AS root_cause, toFloat32(t.root_cause_confidence) AS root_cause_confidence,
    toString(language) AS language, toString(tier) AS tier, toString(model) AS model, toUInt64(arraySum(mapValues(t.redactions))) AS redactions
FROM v_tickets AS t
WHERE ({scope:String} = '*' OR t.tenant = {scope:String})
    AND ({tenant:String} = '' OR t.tenant = {tenant:String})
    AND ({platform:String} = '' OR t.platform = {platform:String})
    AND ({status:String} = '' OR t.status = {status:String})
    AND ({urgency:String} = '' OR t.urgency = {urgency:String})
    AND ({sentiment:String} = '' OR t.sentiment = {sentiment:String})
    AND ({root_cause:String} = '' OR t.root_cause = {root_cause:String})
    AND ({language:String} = '' OR t.language = {language:String})
    AND ({priority:String} = '' OR t.priority = {priority:String})
    AND ({open:UInt8} = 0 OR t.status IN ('new', 'open', 'pending', 'hold'))
    AND ({text:String} = '' OR positionCaseInsensitiveUTF8(t.subject, {text:String}) > 0
        OR positionCaseInsensitiveUTF8(t.summary, {text:String}) > 0)
    AND t.occurred_at >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
    AND t.occurred_at <= fromUnixTimestamp64Milli({to:Int64}, 'UTC')
    AND (toUnixTimestamp64Milli(t.occurred_at), toString(t.tenant), toString(t.platform), t.ticket_id)
        < ({last_at:Int64}, {last_tenant:String}, {last_platform:String}, {last_ticket:String})
ORDER BY t.occurred_at DESC, toString(t.tenant) DESC, toString(t.platform) DESC, t.ticket_id DESC
LIMIT {limit:UInt32}";

/// Behind every ticket: 2200-01-01.
const END: i64 = 7_258_118_400_000;

impl History {
    /// A page of the inbox.
    pub async fn tickets(
        &self,
        scope: &Scope,
        filter: &Filter,
        after: Option<Key>,
        limit: u32,
    ) -> Result<Vec<Ticket>, ApiError> {
        let (at, tenant, platform, ticket) =
            after.unwrap_or((END, String::new(), String::new(), String::new()));
        let mut query = self.ask(scope, LIST)?;
        for (column, value) in &filter.equal {
            query = query.param(column, value);
        }
        query = query
            .param("text", &filter.text)
            .param("open", u8::from(filter.open))
            .param("from", filter.from.unwrap_or(0))
            .param("to", filter.to.unwrap_or(END))
            .param("last_at", at)
            .param("last_tenant", tenant)
            .param("last_platform", platform)
            .param("last_ticket", ticket)
            .param("limit", limit);
        self.answer(query.fetch_all()).await
    }
}

/// The values that tickets have, for lists to choose from.
#[derive(Debug, Clone, Default, Row, Serialize, Deserialize, ToSchema)]
pub struct Seen {
    /// Helpdesks.
    pub platforms: Vec<String>,
    /// Languages.
    pub languages: Vec<String>,
    /// Root causes.
    pub root_causes: Vec<String>,
}

/// A label set of one's own may have thousands of causes; nobody scrolls through more than this.
const SEEN: &str = "\
SELECT
    arraySort(groupUniqArray(20)(toString(t.platform))) AS platforms,
    arraySort(groupUniqArray(100)(toString(t.language))) AS languages,
    arraySort(groupUniqArray(500)(toString(t.root_cause))) AS root_causes
FROM v_tickets AS t
WHERE {scope:String} = '*' OR t.tenant = {scope:String}";

impl History {
    /// The values that the scope's tickets have.
    pub async fn seen(&self, scope: &Scope) -> Result<Seen, ApiError> {
        self.answer(self.ask(scope, SEEN)?.fetch_one()).await
    }
}

/// One event of a ticket: what was written, redacted, and how it was judged.
#[derive(Debug, Clone, Row, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its id.
    pub event_id: String,
    /// `created` or `updated`.
    pub kind: String,
    /// `webhook`, `poll`, `backfill` or `import`.
    pub origin: String,
    /// When it happened at the helpdesk.
    pub occurred_at: Millis,
    /// When a connector took it in.
    pub received_at: Millis,
    /// When the pipeline had finished it.
    pub enriched_at: Millis,
    /// Orders the states of the ticket.
    pub version: u64,
    /// Status after it.
    pub status: String,
    /// Priority after it.
    pub priority: String,
    /// Redacted.
    pub subject: String,
    /// Redacted.
    pub body: String,
    /// Redacted.
    pub summary: String,
    /// Redacted.
    pub tags: Vec<String>,
    /// What was found, by kind.
    pub redactions: Vec<(String, u32)>,
    /// Each finding: field, kind, detector and score. Where it stood is in the original text, which is not kept.
    pub spans: Vec<(String, String, String, f32)>,
    /// Which redactor, with the version of the policy.
    pub redactor: String,
    /// What it is about.
    pub root_cause: String,
    /// 0 to 1.
    pub root_cause_confidence: f32,
    /// Whether that is only a guess.
    pub root_cause_abstained: bool,
    /// How urgent it is.
    pub urgency: String,
    /// 0 to 1.
    pub urgency_confidence: f32,
    /// Whether that is only a guess.
    pub urgency_abstained: bool,
    /// How its writer feels.
    pub sentiment: String,
    /// 0 to 1.
    pub sentiment_confidence: f32,
    /// −1 to 1.
    pub sentiment_score: f32,
    /// The writer's line of business.
    pub industry: String,
    /// 0 to 1.
    pub industry_confidence: f32,
    /// ISO 639-1.
    pub language: String,
    /// 0 to 1.
    pub language_confidence: f32,
    /// Who judged: `local`, `encoder`, `llm` or `human`.
    pub tier: String,
    /// Which model.
    pub model: String,
    /// How long judging took, in microseconds.
    pub analysis_us: u64,
    /// What it cost, in millionths of a US dollar.
    pub cost_microusd: u64,
    /// What the pipeline remarked.
    pub notes: Vec<String>,
}

const EVENTS: &str = "\
SELECT
    event_id, toString(kind) AS kind, toString(origin) AS origin,
    toUnixTimestamp64Milli(e.occurred_at) AS occurred_at, toUnixTimestamp64Milli(e.received_at) AS received_at,
    toUnixTimestamp64Milli(e.enriched_at) AS enriched_at, version, toString(status) AS status,
    toString(priority) AS priority, subject, body, summary, arrayMap(x -> toString(x), e.tags) AS tags,
    arrayMap((k, v) -> (toString(k), v), mapKeys(e.redactions), mapValues(e.redactions)) AS redactions,
    arrayMap((f, k, d, s) -> (toString(f), toString(k), toString(d), s),
        e.`spans.field`, e.`spans.kind`, e.`spans.detector`, e.`spans.score`) AS spans,
    toString(redactor) AS redactor,
    toString(root_cause) AS root_cause, root_cause_confidence, root_cause_abstained,
    toString(urgency) AS urgency, urgency_confidence, urgency_abstained,
    toString(sentiment) AS sentiment, sentiment_confidence, sentiment_score,
    toString(industry) AS industry, industry_confidence, toString(language) AS language, language_confidence,
    toString(tier) AS tier, toString(model) AS model, analysis_us, cost_microusd,
    arrayMap(x -> toString(x), e.notes) AS notes
FROM ticket_events AS e
WHERE e.tenant = {scope:String} AND e.platform = {platform:String} AND e.ticket_id = {ticket:String}
ORDER BY e.version DESC, e.kafka_offset DESC
LIMIT {limit:UInt32}";

/// What the helpdesk answered to a write-back.
#[derive(Debug, Clone, Row, Serialize, Deserialize, ToSchema)]
pub struct WriteBack {
    /// When.
    pub finished_at: Millis,
    /// Id of the command.
    pub command: String,
    /// `applied`, `already_applied`, `skipped`, `rejected` or `failed`.
    pub result: String,
    /// Last HTTP status; 0 if none came.
    pub status: u16,
    /// How often it was tried.
    pub attempts: u32,
    /// Further facts.
    pub detail: String,
}

const WRITE_BACKS: &str = "\
SELECT
    toUnixTimestamp64Milli(o.finished_at) AS finished_at, subject AS command, toString(result) AS result, status,
    attempts, detail
FROM outcomes AS o
WHERE o.tenant = {scope:String} AND o.kind = 'write_back' AND o.service = {platform:String}
    AND o.ticket_id = {ticket:String}
ORDER BY o.finished_at DESC
LIMIT {limit:UInt32}";

/// What a language model said of a ticket, or why it was not asked.
#[derive(Debug, Clone, Row, Serialize, Deserialize, ToSchema)]
pub struct Opinion {
    /// Which event's text was judged.
    pub event_id: String,
    /// When.
    pub answered_at: Millis,
    /// `answered`, `skipped` or `failed`.
    pub result: String,
    /// Why it was skipped or failed.
    pub reason: String,
    /// Who was asked.
    pub provider: String,
    /// Which model.
    pub model: String,
    /// Version of the question.
    pub prompt: String,
    /// Whether it was the answer to the same question before.
    pub cached: bool,
    /// How long it took, in milliseconds.
    pub latency_ms: u64,
    /// What it cost, in millionths of a US dollar.
    pub cost_microusd: u64,
    /// Empty unless answered, as the next ones.
    pub root_cause: String,
    /// 0 to 1, in the model's own words.
    pub root_cause_confidence: f32,
    /// How urgent it is.
    pub urgency: String,
    /// 0 to 1, in the model's own words.
    pub urgency_confidence: f32,
    /// How its writer feels.
    pub sentiment: String,
    /// 0 to 1, in the model's own words.
    pub sentiment_confidence: f32,
}

const OPINIONS: &str = "\
SELECT
    event_id, toUnixTimestamp64Milli(o.answered_at) AS answered_at, toString(result) AS result,
    toString(reason) AS reason, toString(provider) AS provider, toString(model) AS model, toString(prompt) AS prompt,
    cached, latency_ms, cost_microusd, toString(root_cause) AS root_cause, root_cause_confidence,
    toString(urgency) AS urgency, urgency_confidence, toString(sentiment) AS sentiment, sentiment_confidence
FROM opinions AS o
WHERE o.tenant = {scope:String} AND o.platform = {platform:String} AND o.ticket_id = {ticket:String}
ORDER BY o.answered_at DESC
LIMIT {limit:UInt32}";

impl History {
    /// The opinions on a ticket, newest first.
    pub async fn opinions(
        &self,
        scope: &Scope,
        platform: &str,
        ticket: &str,
    ) -> Result<Vec<Opinion>, ApiError> {
        scope.one()?;
        let query = self.ask(scope, OPINIONS)?.param("platform", platform).param("ticket", ticket);
        self.answer(query.param("limit", MOST_EVENTS).fetch_all()).await
    }

    /// The events of a ticket, newest first; empty if the tenant has no such ticket.
    pub async fn events(&self, scope: &Scope, platform: &str, ticket: &str) -> Result<Vec<Event>, ApiError> {
        scope.one()?;
        let query = self.ask(scope, EVENTS)?.param("platform", platform).param("ticket", ticket);
        self.answer(query.param("limit", MOST_EVENTS).fetch_all()).await
    }

    /// The write-backs to a ticket, newest first.
    pub async fn write_backs(
        &self,
        scope: &Scope,
        platform: &str,
        ticket: &str,
    ) -> Result<Vec<WriteBack>, ApiError> {
        scope.one()?;
        let query = self.ask(scope, WRITE_BACKS)?.param("platform", platform).param("ticket", ticket);
        self.answer(query.param("limit", MOST_EVENTS).fetch_all()).await
    }
}
