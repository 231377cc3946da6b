//! How well the product does against what it aims at, in the range that is looked at.

use super::History;
use crate::http::error::ApiError;
use crate::identity::caller::Scope;
use clickhouse::Row;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Events that are not enriched end as dead letters.
const PROCESSED_TARGET: f64 = 0.999;

/// The README's aim for receipt to `enriched`: p95 below this. A window that keeps it is a good one.
const QUICK_MS: f64 = 250.0;
const QUICK_TARGET: f64 = 0.95;

/// What a helpdesk refuses for good is somebody's to look at.
const WRITTEN_TARGET: f64 = 0.99;

/// A share, and what it should be.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Sli {
    /// `processed`, `quick` or `written_back`.
    pub name: &'static str,
    /// In words.
    pub means: &'static str,
    /// 0 to 1; null if nothing happened.
    pub value: Option<f64>,
    /// At least this is aimed at.
    pub target: f64,
    /// Of how many events, windows or write-backs.
    pub of: u64,
}

#[derive(Debug, Row, Deserialize)]
struct Shares {
    events: u64,
    errors: u64,
    windows: u64,
    quick: u64,
}

const SHARES: &str = "\
SELECT
    sum(w.events) AS events, sum(w.errors) AS errors, countIf(w.events > 0) AS windows,
    countIf(w.events > 0 AND w.latency_p95_ms <= {quick_ms:Float64}) AS quick
FROM windows AS w FINAL
WHERE w.tenant = {scope:String} AND w.size_s = {size:UInt32}
    AND w.window_start >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')";

const WRITTEN: &str = "\
SELECT count() AS all, countIf(o.result NOT IN ('rejected', 'failed')) AS good
FROM outcomes AS o
WHERE ({scope:String} = '*' OR o.tenant = {scope:String}) AND o.kind = 'write_back'
    AND o.finished_at >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')";

fn share(good: u64, of: u64) -> Option<f64> {
    #[allow(clippy::cast_precision_loss, reason = "a share of counts")]
    (of > 0).then(|| good as f64 / of as f64)
}

impl History {
    /// The indicators since `from`.
    pub async fn slis(&self, scope: &Scope, window_s: u32, from: i64) -> Result<Vec<Sli>, ApiError> {
        let shares = self.ask(scope, SHARES)?.param("size", window_s).param("from", from);
        let shares = self.answer(shares.param("quick_ms", QUICK_MS).fetch_one::<Shares>());
        let written = self.ask(scope, WRITTEN)?.param("from", from);
        let written = self.answer(written.fetch_one::<(u64, u64)>());
        let (shares, (all, good)) = tokio::try_join!(shares, written)?;
        Ok(vec![
            Sli {
                name: "processed",
                means: "Events enriched, not refused",
                value: share(shares.events.saturating_sub(shares.errors), shares.events),
                target: PROCESSED_TARGET,
                of: shares.events,
            },
            Sli {
                name: "quick",
                means: "Windows with p95 to enriched within 250 ms",
                value: share(shares.quick, shares.windows),
                target: QUICK_TARGET,
                of: shares.windows,
            },
            Sli {
                name: "written_back",
                means: "Write-backs the helpdesk took",
                value: share(good, all),
                target: WRITTEN_TARGET,
                of: all,
            },
        ])
    }
}
