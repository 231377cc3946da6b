//! Rows in ClickHouse, and the files that hold them.
//!
//! A deletion writes the parts anew without the rows. The old parts lie on disk until ClickHouse takes them away
//! (`old_parts_lifetime`, eight minutes by default): they are waited for too. ClickHouse keeps the text of the deletion
//! beside the parts, so a requester is never named in it: rows are named by the ids of their events.

use super::EraseError;
use crate::clickhouse;
use ::clickhouse::Client;
use ::clickhouse::error::Error as ClickHouseError;
use ::clickhouse::query::Query;
use deskstream_runtime::Process;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// ClickHouse's eight minutes, and its cleaner's pauses, which grow to five.
const FILES_TIMEOUT: Duration = Duration::from_secs(20 * 60);
const FILES_POLL: Duration = Duration::from_secs(1);

/// So many ids stand in one deletion: some 40 KiB of a text that may have 256.
const IDS: usize = 1000;

/// Rows that come in while others are deleted need another round.
const ROUNDS: usize = 3;

/// A table in which rows are deleted, the column that names them, and where a requester's names are found.
struct Target {
    table: &'static str,
    column: &'static str,
    source: &'static str,
    named: &'static str,
}

/// In the order in which rows are deleted: `ticket_events` last, since the others are found by it.
const TARGETS: [Target; 7] = [
    Target { table: "opinions", column: "event_id", source: "ticket_events", named: "event_id" },
    Target { table: "judgements", column: "event_id", source: "ticket_events", named: "event_id" },
    Target { table: "reviews", column: "event_id", source: "ticket_events", named: "event_id" },
    Target { table: "outcomes", column: "ticket_id", source: "ticket_events", named: "ticket_id" },
    Target { table: "dead_letters", column: "event_id", source: "ticket_events", named: "event_id" },
    Target { table: "tickets", column: "last_event_id", source: "tickets", named: "last_event_id" },
    Target { table: "ticket_events", column: "event_id", source: "ticket_events", named: "event_id" },
];

/// Tables that have rows of a tenant, besides.
const TENANT_TABLES: [&str; 4] = ["windows", "alerts", "quality", "drift"];

/// Whose rows.
pub(super) struct Rows {
    client: Client,
    tenant: String,
    /// References of requesters in lower case; none for the whole tenant.
    refs: Option<Vec<String>>,
}

impl Rows {
    pub(super) fn new(process: &Process, tenant: &str, refs: Option<Vec<String>>) -> Self {
        // Nor does the log of queries have to know who it was.
        let client = clickhouse::client(&process.config.clickhouse).with_setting("log_queries", "0");
        Self { client, tenant: tenant.to_owned(), refs }
    }

    fn tables(&self) -> impl Iterator<Item = &'static str> {
        let more: &'static [&'static str] = if self.refs.is_none() { &TENANT_TABLES } else { &[] };
        more.iter().copied().chain(TARGETS.iter().map(|target| target.table))
    }

    /// How many there are, by table.
    pub(super) async fn count(&self) -> Result<BTreeMap<String, u64>, EraseError> {
        let mut counts = BTreeMap::new();
        for table in self.tables() {
            let query = match (&self.refs, TARGETS.iter().find(|target| target.table == table)) {
                (Some(refs), Some(target)) => {
                    let Target { column, source, named, .. } = target;
                    let ids = format!(
                        "SELECT {named} FROM {source} WHERE tenant = ? AND lower(requester_ref) IN ?"
                    );
                    let sql = format!(
                        "SELECT count() FROM {table} WHERE tenant = ? AND {column} != '' AND {column} IN ({ids})"
                    );
                    self.client.query(&sql).bind(&self.tenant).bind(&self.tenant).bind(refs)
                }
                _ => self.of_tenant(&format!("SELECT count() FROM {table} WHERE tenant = ?")),
            };
            let count = query.fetch_one::<u64>().await.map_err(failed("count rows", table))?;
            counts.insert(table.to_owned(), count);
        }
        Ok(counts)
    }

    fn of_tenant(&self, sql: &str) -> Query {
        self.client.query(sql).bind(&self.tenant)
    }

    /// Deletes them and waits until no file holds them; gives how many there were.
    pub(super) async fn delete(&self) -> Result<BTreeMap<String, u64>, EraseError> {
        let counts = self.count().await?;
        let mut left = counts.clone();
        for _ in 0..ROUNDS {
            if left.values().all(|rows| *rows == 0) {
                break;
            }
            match &self.refs {
                Some(refs) => {
                    for target in &TARGETS {
                        self.delete_of(target, refs).await?;
                    }
                }
                None => {
                    for table in self.tables() {
                        let sql = format!(
                            "ALTER TABLE {table} DELETE WHERE tenant = ? SETTINGS mutations_sync = 2"
                        );
                        self.of_tenant(&sql).execute().await.map_err(failed("delete rows", table))?;
                    }
                }
            }
            left = self.count().await?;
        }
        // Also where no row was left: an erasure that was broken off may have left files.
        for table in self.tables() {
            self.wait_for_files(table).await?;
        }
        Ok(counts)
    }

    async fn delete_of(&self, target: &Target, refs: &Vec<String>) -> Result<(), EraseError> {
        let Target { table, column, source, named } = target;
        let sql =
            format!("SELECT DISTINCT {named} FROM {source} WHERE tenant = ? AND lower(requester_ref) IN ?");
        let ids = self.of_tenant(&sql).bind(refs).fetch_all::<String>().await;
        let mut ids = ids.map_err(failed("find rows", source))?;
        ids.retain(|id| !id.is_empty());
        for ids in ids.chunks(IDS) {
            // A real deletion, waited for: a lightweight one only hides rows until some merge.
            let sql = format!(
                "ALTER TABLE {table} DELETE WHERE tenant = ? AND {column} IN ? SETTINGS mutations_sync = 2"
            );
            self.of_tenant(&sql).bind(ids).execute().await.map_err(failed("delete rows", table))?;
        }
        Ok(())
    }

    /// Waits until the parts that are out of use now are off the disk.
    async fn wait_for_files(&self, table: &str) -> Result<(), EraseError> {
        let outdated =
            "SELECT name FROM system.parts WHERE database = currentDatabase() AND table = ? AND NOT active";
        let deadline = Instant::now() + FILES_TIMEOUT;
        let looking = failed("look at the files", table);
        let mut left =
            self.client.query(outdated).bind(table).fetch_all::<String>().await.map_err(&looking)?;
        while !left.is_empty() {
            if Instant::now() > deadline {
                return Err(EraseError::Files { table: table.to_owned(), parts: left.len() });
            }
            tokio::time::sleep(FILES_POLL).await;
            let still = format!("{outdated} AND name IN ?");
            left = self.client.query(&still).bind(table).bind(&left).fetch_all().await.map_err(&looking)?;
        }
        Ok(())
    }
}

fn failed(doing: &str, table: &str) -> impl Fn(ClickHouseError) -> EraseError + use<> {
    let doing = format!("{doing} of {table}");
    move |source| EraseError::ClickHouse { doing: doing.clone(), source }
}
