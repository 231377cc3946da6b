//! What is rising: root causes that have more tickets than in as much time before.

use super::History;
use super::overview::Count;
use crate::http::error::ApiError;
use crate::identity::caller::Scope;
use serde::Serialize;
use std::collections::HashMap;
use utoipa::ToSchema;

/// One ticket more is chance, and a list is read to its end only if it is short.
const LEAST: u64 = 3;
const MOST: usize = 8;

/// A label that rises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Rising {
    /// The label.
    pub label: String,
    /// How many tickets.
    pub count: u64,
    /// How many in as much time before.
    pub before: u64,
}

/// As `TOTALS` of the overview, of the time before.
const BEFORE: &str = "\
SELECT toString(s.1) AS label, s.2 AS count
FROM (
    SELECT arrayJoin(arrayZip(m.1, m.2)) AS s
    FROM (
        SELECT sumMap(mapKeys(w.root_causes), mapValues(w.root_causes)) AS m
        FROM windows AS w FINAL
        WHERE w.tenant = {scope:String} AND w.size_s = {size:UInt32}
            AND w.window_start >= fromUnixTimestamp64Milli({before:Int64}, 'UTC')
            AND w.window_start < fromUnixTimestamp64Milli({from:Int64}, 'UTC')
    )
)";

impl History {
    /// Root causes of the `minutes` that end at `from`.
    pub async fn root_causes_before(
        &self,
        scope: &Scope,
        window_s: u32,
        from: i64,
        minutes: u32,
    ) -> Result<Vec<Count>, ApiError> {
        let query = self.ask(scope, BEFORE)?.param("size", window_s).param("from", from);
        self.answer(query.param("before", from - i64::from(minutes) * 60_000).fetch_all()).await
    }
}

/// What rises from `before` to `now`; nothing if there is no before, when all would.
pub fn of(now: &[Count], before: &[Count]) -> Vec<Rising> {
    if before.is_empty() {
        return Vec::new();
    }
    let before: HashMap<&str, u64> = before.iter().map(|c| (c.label.as_str(), c.count)).collect();
    let risen = now.iter().filter_map(|now| {
        let before = before.get(now.label.as_str()).copied().unwrap_or(0);
        let rises = now.count >= LEAST && now.count > before;
        rises.then(|| Rising { label: now.label.clone(), count: now.count, before })
    });
    let mut risen: Vec<_> = risen.collect();
    // By how many standard deviations of a Poisson count: from 2 to 8 says more than from 102 to 108.
    #[allow(clippy::cast_precision_loss, reason = "an order of counts")]
    let steepness = |r: &Rising| (r.count - r.before) as f64 / (r.before as f64 + 1.0).sqrt();
    risen.sort_by(|a, b| steepness(b).total_cmp(&steepness(a)).then_with(|| a.label.cmp(&b.label)));
    risen.truncate(MOST);
    risen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(&str, u64)]) -> Vec<Count> {
        pairs.iter().map(|(label, count)| Count { label: (*label).to_owned(), count: *count }).collect()
    }

    #[test]
    fn the_steepest_is_first_and_what_falls_or_is_chance_is_not_there() {
        let now = counts(&[("login", 8), ("billing", 108), ("refund", 5), ("new", 3), ("rare", 2)]);
        let before = counts(&[("login", 2), ("billing", 102), ("refund", 9)]);
        let risen = of(&now, &before);
        let labels: Vec<_> = risen.iter().map(|r| (r.label.as_str(), r.before)).collect();
        assert_eq!(labels, [("login", 2), ("new", 0), ("billing", 102)]);
        assert_eq!(of(&now, &[]), []);
    }
}
