//! Numbers of the last minutes or hours, from windows in their latest version, and the alerts that fire now.

use super::History;
use super::millis::Millis;
use super::rising::{self, Rising};
use super::sli::Sli;
use crate::http::error::ApiError;
use crate::identity::caller::Scope;
use clickhouse::Row;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A window of the series.
#[derive(Debug, Clone, Row, Serialize, Deserialize, ToSchema)]
pub struct Point {
    /// When the window began.
    pub at: Millis,
    /// Events processed.
    pub events: u64,
    /// Events that went to the dead letter.
    pub errors: u64,
    /// Tickets created.
    pub tickets: u64,
    /// Of these, judged high or critical.
    pub high_urgency: u64,
    /// Of these, judged critical.
    pub critical: u64,
    /// Judged high.
    pub high: u64,
    /// Judged normal.
    pub normal: u64,
    /// Judged low.
    pub low: u64,
    /// Of these, of negative sentiment.
    pub negative: u64,
    /// Of neutral sentiment.
    pub neutral: u64,
    /// Of positive sentiment.
    pub positive: u64,
    /// Median from receipt to enriched, in milliseconds.
    pub latency_p50_ms: f64,
    /// 95th percentile from receipt to enriched, in milliseconds.
    pub latency_p95_ms: f64,
    /// What second opinions cost, in millionths of a US dollar.
    pub cost_microusd: u64,
}

/// A label and how many tickets have it.
#[derive(Debug, Clone, Row, Serialize, Deserialize, ToSchema)]
pub struct Count {
    /// The label.
    pub label: String,
    /// How many.
    pub count: u64,
}

#[derive(Debug, Row, Deserialize)]
struct Totals {
    urgency: Vec<(String, u64)>,
    sentiment: Vec<(String, u64)>,
    root_causes: Vec<(String, u64)>,
    languages: Vec<(String, u64)>,
    redactions: Vec<(String, u64)>,
}

/// An alert that fires.
#[derive(Debug, Clone, Row, Serialize, Deserialize, ToSchema)]
pub struct Firing {
    /// Its tenant; `*` is the whole installation.
    pub tenant: String,
    /// Its rule.
    pub rule: String,
    /// Value of the rule's label; empty if none.
    pub group: String,
    /// How bad.
    pub severity: String,
    /// Since when.
    pub fired_at: Millis,
    /// In words.
    pub summary: String,
    /// The worst value so far.
    pub worst_value: f64,
    /// What it is compared with.
    pub threshold: f64,
}

/// The overview.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Overview {
    /// When it was asked.
    pub at: Millis,
    /// Length of a window of the series, in seconds.
    pub window_s: u32,
    /// Windows, oldest first.
    pub series: Vec<Point>,
    /// Tickets by urgency.
    pub urgency: Vec<Count>,
    /// Tickets by sentiment.
    pub sentiment: Vec<Count>,
    /// Tickets by root cause.
    pub root_causes: Vec<Count>,
    /// Root causes with more tickets than in as much time before, the steepest first.
    pub rising: Vec<Rising>,
    /// How well the product does, against what it aims at.
    pub slis: Vec<Sli>,
    /// Events that wait to be enriched, of the whole installation: for operators who have chosen no tenant.
    pub lag: Option<i64>,
    /// Tickets by language.
    pub languages: Vec<Count>,
    /// Personal data found, by kind.
    pub redactions: Vec<Count>,
    /// Alerts that fire now, the newest first.
    pub alerts: Vec<Firing>,
}

const SERIES: &str = "\
SELECT
    toUnixTimestamp64Milli(window_start) AS at, events, errors, tickets, high_urgency,
    urgency['critical'] AS critical, urgency['high'] AS high, urgency['normal'] AS normal, urgency['low'] AS low,
    sentiment['negative'] AS negative, sentiment['neutral'] AS neutral, sentiment['positive'] AS positive,
    latency_p50_ms, latency_p95_ms, opinion_cost_microusd AS cost_microusd
FROM windows FINAL
WHERE tenant = {scope:String} AND size_s = {size:UInt32}
    AND window_start >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
ORDER BY window_start
LIMIT 2000";

/// The names of the answer differ from the columns', which would else be meant in their own sums.
const TOTALS: &str = "\
SELECT
    arrayMap((k, v) -> (toString(k), v), s.1.1, s.1.2) AS urgency,
    arrayMap((k, v) -> (toString(k), v), s.2.1, s.2.2) AS sentiment,
    arrayMap((k, v) -> (toString(k), v), s.3.1, s.3.2) AS root_causes,
    arrayMap((k, v) -> (toString(k), v), s.4.1, s.4.2) AS languages,
    arrayMap((k, v) -> (toString(k), v), s.5.1, s.5.2) AS redactions
FROM (
    SELECT (
        sumMap(mapKeys(w.urgency), mapValues(w.urgency)), sumMap(mapKeys(w.sentiment), mapValues(w.sentiment)),
        sumMap(mapKeys(w.root_causes), mapValues(w.root_causes)),
        sumMap(mapKeys(w.languages), mapValues(w.languages)),
        sumMap(mapKeys(w.redactions), mapValues(w.redactions))
    ) AS s
    FROM windows AS w FINAL
    WHERE w.tenant = {scope:String} AND w.size_s = {size:UInt32}
        AND w.window_start >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
)";

/// An operator without a tenant sees the alerts of all.
const ALERTS: &str = "\
SELECT
    toString(any(a.tenant)) AS tenant, toString(any(a.rule)) AS rule, any(a.alert_group) AS group,
    toString(argMax(a.severity, a.changed_at)) AS severity,
    toUnixTimestamp64Milli(min(a.started_at)) AS fired_at, argMax(a.summary, a.changed_at) AS summary,
    max(a.value) AS worst_value, any(a.threshold) AS threshold
FROM alerts AS a
WHERE {scope:String} = '*' OR a.tenant = {scope:String}
GROUP BY a.dedup_key
HAVING argMax(a.state, a.changed_at) = 'firing'
ORDER BY fired_at DESC
LIMIT 100";

fn counts(mut pairs: Vec<(String, u64)>) -> Vec<Count> {
    pairs.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    pairs.into_iter().map(|(label, count)| Count { label, count }).collect()
}

impl History {
    /// The last `minutes` until `now`.
    pub async fn overview(&self, scope: &Scope, minutes: u32, now: i64) -> Result<Overview, ApiError> {
        // Some hundred points at most.
        let window_s = match minutes {
            ..=180 => 60,
            181..=1440 => 300,
            _ => 3600,
        };
        let from = now - i64::from(minutes) * 60_000;
        let ranged =
            |sql| Ok::<_, ApiError>(self.ask(scope, sql)?.param("size", window_s).param("from", from));
        let (series, totals, alerts, before, slis) = tokio::try_join!(
            self.answer(ranged(SERIES)?.fetch_all::<Point>()),
            self.answer(ranged(TOTALS)?.fetch_one::<Totals>()),
            self.answer(self.ask(scope, ALERTS)?.fetch_all::<Firing>()),
            self.root_causes_before(scope, window_s, from, minutes),
            self.slis(scope, window_s, from),
        )?;
        let root_causes = counts(totals.root_causes);
        Ok(Overview {
            at: Millis(now),
            window_s,
            series,
            urgency: counts(totals.urgency),
            sentiment: counts(totals.sentiment),
            rising: rising::of(&root_causes, &before),
            root_causes,
            slis,
            lag: None,
            languages: counts(totals.languages),
            redactions: counts(totals.redactions),
            alerts,
        })
    }
}
