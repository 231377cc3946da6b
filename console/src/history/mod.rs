//! Questions about the past, to ClickHouse.
//!
//! Tenants are kept apart twice. Every statement compares `tenant` with the caller's scope, which is made from a token
//! only ([`Scope`]). Should a statement ever forget it, the server still adds the comparison to every table of ours
//! that it reads (`additional_table_filters`, which is sent with each question of a tenant).

pub mod audit;
pub mod millis;
pub mod overview;
pub mod quality;
pub mod rising;
pub mod sli;
pub mod tickets;

use crate::http::error::ApiError;
use crate::identity::caller::Scope;
use clickhouse::Client;
use clickhouse::error::Error;
use clickhouse::query::Query;
use deskstream_runtime::config::ClickHouseConfig;
use std::time::Duration;

/// Every table with rows of tenants.
const TABLES: [&str; 13] = [
    "ticket_events",
    "tickets",
    "opinions",
    "judgements",
    "reviews",
    "quality",
    "drift",
    "windows",
    "alerts",
    "audit_trail",
    "audit_heads",
    "dead_letters",
    "outcomes",
];

/// A question that takes longer is given up.
const MAX_SECONDS: &str = "15";

/// ClickHouse gives up itself after [`MAX_SECONDS`]; one that does not answer at all is not waited for much longer.
const PATIENCE: Duration = Duration::from_secs(17);

/// ClickHouse, as the console asks it.
#[derive(Clone)]
pub struct History {
    client: Client,
    database: String,
    patience: Duration,
}

impl History {
    /// With the process's settings.
    pub fn new(config: &ClickHouseConfig) -> Self {
        let client = deskstream_connectors::clickhouse::client(config)
            .with_setting("max_execution_time", MAX_SECONDS)
            // Nothing that the console asks may write; settings such as the filters below may be given.
            .with_setting("readonly", "2");
        Self { client, database: config.database.clone(), patience: PATIENCE }
    }

    /// With less patience.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The answer to a question, if it comes in time.
    async fn answer<T>(&self, asked: impl Future<Output = Result<T, Error>>) -> Result<T, ApiError> {
        let answer = tokio::time::timeout(self.patience, Box::pin(asked)).await;
        Ok(answer.unwrap_or(Err(Error::TimedOut))?)
    }

    /// A statement with `{scope:String}` bound to what the caller may see.
    pub fn ask(&self, scope: &Scope, sql: &str) -> Result<Query, ApiError> {
        if !sql.contains("{scope:String}") {
            tracing::error!(sql, "a statement compares no tenant: it is not sent");
            return Err(ApiError::Internal);
        }
        let query = self.client.query_raw(sql).param("scope", scope.tenant());
        if scope.is_all() {
            return Ok(query);
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if scope.tenant().is_empty() || !scope.tenant().chars().all(plain) {
            tracing::error!("a tenant's id has characters that none has");
            return Err(ApiError::Internal);
        }
        Ok(query.with_setting("additional_table_filters", filters(&self.database, scope.tenant())))
    }
}

fn filters(database: &str, tenant: &str) -> String {
    let each = TABLES.map(|table| format!("'{database}.{table}':'tenant = \\'{tenant}\\''"));
    format!("{{{}}}", each.join(","))
}
