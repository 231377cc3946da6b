//! Puts months that are past their retention into the archive, then drops them.

use super::super::chain::ChainId;
use super::super::rows::{ChainsError, RETENTIONS, Trail, parse};
use super::super::verify::Walk;
use super::read::{self, ReadError};
use super::store::{self, StoreError};
use crate::clickhouse::names;
use ::clickhouse::Client;
use ::clickhouse::error::Error as ClickHouseError;
use deskstream_runtime::Process;
use deskstream_schemas::Retention;
use futures::TryStreamExt;
use jiff::civil::Date;
use jiff::tz::Offset;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use std::fs::File;
use std::io::{Seek, Write};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;

/// Rows of a chain that were chained in a month, as they are written. The order is that of the chain.
const ROWS: &str = "SELECT tenant, retention, sequence, chained_at, hash, at, audit_id, actor_kind, actor, action, \
    resource, outcome, detail, source_ip, user_agent, request_id FROM audit_trail \
    WHERE retention = ? AND toYYYYMM(chained_at) = ? AND tenant = ? ORDER BY sequence \
    SETTINGS max_bytes_before_external_sort = 268435456, output_format_parquet_compression_method = 'zstd', \
    output_format_parquet_string_as_string = 1, max_threads = 1";

/// A month could not be archived; its rows stay.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The archive can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The trail can't be read.
    #[error(transparent)]
    Chains(#[from] ChainsError),
    /// ClickHouse failed.
    #[error("ask ClickHouse for rows past their retention, or drop them")]
    ClickHouse(#[from] ClickHouseError),
    /// An object can't be written or read back.
    #[error("write {object} to the archive")]
    Object {
        /// Its path.
        object: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What was read back is not what was written, or was not whole before.
    #[error("{object} is not whole, and its rows are not dropped: {fault}; see `deskstream audit verify`")]
    Unsound {
        /// Its path.
        object: String,
        /// The first thing that is wrong.
        fault: String,
    },
}

/// A month of one retention that went from ClickHouse to the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// Which retention.
    pub retention: Retention,
    /// As `YYYY-MM`.
    pub month: String,
    /// Its chains.
    pub chains: usize,
    /// Its rows.
    pub rows: u64,
}

/// What ClickHouse has of a month.
#[derive(Debug, ::clickhouse::Row, serde::Deserialize)]
struct Month {
    retention: String,
    month: u32,
    tenants: Vec<String>,
    count: u64,
}

/// Archives and drops every month that is past its retention at `now` (milliseconds since 1970).
pub async fn archive(process: &Process, now: i64) -> Result<Vec<Archived>, ArchiveError> {
    let client = crate::clickhouse::client(&process.config.clickhouse);
    let months = client
        .query(
            "SELECT retention, toYYYYMM(chained_at) AS month, groupUniqArray(tenant) AS tenants, count() AS count \
             FROM audit_trail GROUP BY retention, month ORDER BY retention, month",
        )
        .fetch_all::<Month>()
        .await?;
    let due: Vec<_> = months
        .into_iter()
        .filter_map(|Month { retention, month, tenants, count }| {
            let retention = parse(&RETENTIONS, names::retention, &retention)?;
            let kept = i64::try_from(process.config.audit.keeps(retention).as_millis()).unwrap_or(i64::MAX);
            (end_of(month)?.saturating_add(kept) <= now).then_some((retention, month, tenants, count))
        })
        .collect();
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let trail = Trail::open(process).await?;
    let place = store::open(&process.config.audit.archive)?;
    let keys = serde_json::to_vec_pretty(trail.keys()).unwrap_or_default();
    put(&place, &Path::from("keys.json"), keys).await?;
    let mut done = Vec::new();
    for (retention, month, mut tenants, rows) in due {
        tenants.sort_unstable();
        let label = format!("{}-{:02}", month / 100, month % 100);
        let archiver =
            Archiver { client: &client, trail: &trail, place: &place, retention, month, label: &label };
        let mut kept = 0;
        for tenant in &tenants {
            kept += archiver.keep(tenant).await?;
        }
        let there = archiver.count().await?;
        if kept != there || kept != rows {
            let fault = format!("{kept} rows were archived, {there} are there");
            return Err(ArchiveError::Unsound {
                object: format!("{}/*/{label}", names::retention(retention)),
                fault,
            });
        }
        // A literal: a partition can't be a parameter.
        let drop =
            format!("ALTER TABLE audit_trail DROP PARTITION ('{}', {month})", names::retention(retention));
        client.query(&drop).execute().await?;
        tracing::info!(retention = names::retention(retention), month = %label, rows, "audit rows went to the archive");
        done.push(Archived { retention, month: label, chains: tenants.len(), rows });
    }
    Ok(done)
}

struct Archiver<'a> {
    client: &'a Client,
    trail: &'a Trail,
    place: &'a Arc<dyn ObjectStore>,
    retention: Retention,
    month: u32,
    label: &'a str,
}

impl Archiver<'_> {
    /// Writes a chain's month and its heads, and reads them back; gives the number of rows.
    async fn keep(&self, tenant: &str) -> Result<u64, ArchiveError> {
        let chain = ChainId { tenant: tenant.to_owned(), retention: self.retention };
        let named = |end: &str| {
            Path::from_iter([names::retention(self.retention), tenant, &format!("{}.{end}", self.label)])
        };
        let (rows, heads) = (named("parquet"), named("heads.json"));
        let (from, to) = (start_of(self.month).unwrap_or(0), end_of(self.month).unwrap_or(i64::MAX));
        let mut signed = self.trail.heads(&chain).await?;
        signed.retain(|head| (from..to).contains(&head.chained_at));
        put(self.place, &heads, serde_json::to_vec(&signed).unwrap_or_default()).await?;
        self.write(tenant, &rows).await?;
        let file = fetch(self.place, &rows).await?;
        // What is before this month was held against it when it was archived; here only the month itself is.
        let mut walk = Walk::part_of(chain.clone(), &signed, self.trail.keys());
        let key = chain.key();
        let read = tokio::task::spawn_blocking(move || {
            let count = read::rows(file, &key, |row| walk.step(row));
            count.map(|count| (count, walk.finish()))
        });
        let (count, report) = read
            .await
            .expect("reading Parquet does not panic")
            .map_err(|source: ReadError| failed(&rows, source))?;
        match report.faults.first() {
            Some(fault) => Err(ArchiveError::Unsound { object: rows.to_string(), fault: fault.to_string() }),
            None => Ok(count),
        }
    }

    async fn write(&self, tenant: &str, object: &Path) -> Result<(), ArchiveError> {
        let mut rows = self
            .client
            .query(ROWS)
            .bind(names::retention(self.retention))
            .bind(self.month)
            .bind(tenant)
            .fetch_bytes("Parquet")?;
        let mut writer = BufWriter::new(Arc::clone(self.place), object.clone());
        while let Some(bytes) = rows.next().await? {
            writer.write_all(&bytes).await.map_err(|source| failed(object, source))?;
        }
        writer.shutdown().await.map_err(|source| failed(object, source))
    }

    async fn count(&self) -> Result<u64, ArchiveError> {
        let count = self
            .client
            .query("SELECT count() FROM audit_trail WHERE retention = ? AND toYYYYMM(chained_at) = ?");
        Ok(count.bind(names::retention(self.retention)).bind(self.month).fetch_one::<u64>().await?)
    }
}

fn failed(object: &Path, source: impl std::error::Error + Send + Sync + 'static) -> ArchiveError {
    ArchiveError::Object { object: object.to_string(), source: Box::new(source) }
}

async fn put(place: &Arc<dyn ObjectStore>, object: &Path, bytes: Vec<u8>) -> Result<(), ArchiveError> {
    place.put(object, bytes.into()).await.map(drop).map_err(|source| failed(object, source))
}

/// An object as a file without a name: Parquet is read from its end.
pub(super) async fn fetch(place: &Arc<dyn ObjectStore>, object: &Path) -> Result<File, ArchiveError> {
    let mut file = tempfile::tempfile().map_err(|source| failed(object, source))?;
    let got = place.get(object).await.map_err(|source| failed(object, source))?;
    let mut pieces = got.into_stream();
    while let Some(piece) = pieces.try_next().await.map_err(|source| failed(object, source))? {
        file.write_all(&piece).map_err(|source| failed(object, source))?;
    }
    file.rewind().map_err(|source| failed(object, source))?;
    Ok(file)
}

/// When a month (`YYYYMM`) begins, in UTC.
fn start_of(month: u32) -> Option<i64> {
    let (year, month) = (i16::try_from(month / 100).ok()?, i8::try_from(month % 100).ok()?);
    let start = Offset::UTC.to_timestamp(Date::new(year, month, 1).ok()?.at(0, 0, 0, 0)).ok()?;
    Some(start.as_millisecond())
}

fn end_of(month: u32) -> Option<i64> {
    start_of(if month % 100 == 12 { month + 89 } else { month + 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_ends_where_the_next_begins() {
        assert_eq!(start_of(202_611), Some(1_793_491_200_000));
        assert_eq!(end_of(202_610), start_of(202_611));
        assert_eq!(end_of(202_612), start_of(202_701));
        assert_eq!(start_of(202_613), None);
    }
}
