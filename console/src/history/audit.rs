//! The audit trail.

use super::History;
use super::millis::Millis;
use crate::http::error::ApiError;
use crate::identity::caller::Scope;
use clickhouse::Row;
use clickhouse::query::{Query, RowCursor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the trail is narrowed by; an empty text narrows nothing.
#[derive(Debug, Default)]
pub struct AuditFilter {
    /// Each with the column's name.
    pub equal: [(&'static str, String); 7],
    /// From when.
    pub from: Option<i64>,
    /// Until when.
    pub to: Option<i64>,
}

/// The columns the trail can be narrowed by.
pub const COLUMNS: [&str; 7] =
    ["tenant", "actor_kind", "actor", "action", "resource", "outcome", "request_id"];

/// A record of the audit trail.
#[derive(Debug, Clone, Row, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    /// Its id.
    pub audit_id: String,
    /// The tenant concerned; `*` is the whole installation.
    pub tenant: String,
    /// When.
    pub at: Millis,
    /// `system`, `user` or `api_key`.
    pub actor_kind: String,
    /// Process, or id of user or key.
    pub actor: String,
    /// verb.noun
    pub action: String,
    /// What it was done to.
    pub resource: String,
    /// `ok`, `denied` or `error`.
    pub outcome: String,
    /// Further facts.
    pub detail: Vec<(String, String)>,
    /// The caller's address.
    pub source_ip: String,
    /// The caller's user agent.
    pub user_agent: String,
    /// Id of the request.
    pub request_id: String,
}

/// Sort key: newest first.
pub type Key = (i64, String);

impl Entry {
    /// The key behind which the next page begins.
    pub fn key(&self) -> Key {
        (self.at.0, self.audit_id.clone())
    }
}

const LIST: &str = "\
SELECT
    audit_id, toString(a.tenant) AS tenant, toUnixTimestamp64Milli(a.at) AS at, toString(actor_kind) AS actor_kind,
    toString(actor) AS actor, toString(action) AS action, resource, toString(outcome) AS outcome,
    arrayMap((k, v) -> (toString(k), v), mapKeys(a.detail), mapValues(a.detail)) AS detail,
    toString(source_ip) AS source_ip, toString(user_agent) AS user_agent, request_id
FROM audit_trail AS a
WHERE ({scope:String} = '*' OR a.tenant = {scope:String})
    AND ({tenant:String} = '' OR a.tenant = {tenant:String})
    AND ({actor_kind:String} = '' OR a.actor_kind = {actor_kind:String})
    AND ({actor:String} = '' OR a.actor = {actor:String})
    AND ({action:String} = '' OR a.action = {action:String})
    AND ({resource:String} = '' OR a.resource = {resource:String})
    AND ({outcome:String} = '' OR a.outcome = {outcome:String})
    AND ({request_id:String} = '' OR a.request_id = {request_id:String})
    AND a.at >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND a.at <= fromUnixTimestamp64Milli({to:Int64}, 'UTC')
    AND (toUnixTimestamp64Milli(a.at), a.audit_id) < ({last_at:Int64}, {last_id:String})
ORDER BY a.at DESC, a.audit_id DESC
LIMIT {limit:UInt32}";

/// 2200-01-01.
const END: i64 = 7_258_118_400_000;

impl History {
    fn audit_query(
        &self,
        scope: &Scope,
        filter: &AuditFilter,
        after: Option<Key>,
        limit: u32,
    ) -> Result<Query, ApiError> {
        let (at, id) = after.unwrap_or((END, String::new()));
        let mut query = self.ask(scope, LIST)?;
        for (column, value) in &filter.equal {
            query = query.param(column, value);
        }
        Ok(query
            .param("from", filter.from.unwrap_or(0))
            .param("to", filter.to.unwrap_or(END))
            .param("last_at", at)
            .param("last_id", id)
            .param("limit", limit))
    }

    /// A page of the trail.
    pub async fn audit(
        &self,
        scope: &Scope,
        filter: &AuditFilter,
        after: Option<Key>,
        limit: u32,
    ) -> Result<Vec<Entry>, ApiError> {
        self.answer(self.audit_query(scope, filter, after, limit)?.fetch_all()).await
    }

    /// The trail row by row.
    pub fn audit_rows(
        &self,
        scope: &Scope,
        filter: &AuditFilter,
        limit: u32,
    ) -> Result<RowCursor<Entry>, ApiError> {
        Ok(self.audit_query(scope, filter, None, limit)?.fetch()?)
    }
}
