//! Brings ClickHouse's schema up to date.
//!
//! `sql/NNNN_name.sql` hold one idempotent statement each. They are applied in order and recorded with a checksum in
//! `schema_migrations`. An applied file never changes: a difference is an error, as is a database that knows
//! migrations this program does not. A migration that fails half-way is applied again by the next run.

use super::server;
use clickhouse::Client;
use clickhouse::error::Error as ClickHouseError;
use clickhouse::sql::Identifier;
use deskstream_runtime::config::ClickHouseConfig;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;

/// One file of `sql/`.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// The number in its name: its place in the order.
    pub version: u32,
    /// The rest of its name.
    pub name: &'static str,
    /// Its text: one statement.
    pub sql: &'static str,
}

impl Migration {
    /// SHA-256 of the file, in hexadecimal.
    pub fn checksum(&self) -> String {
        Sha256::digest(self.sql.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

// The version is written as text, since `concat!` prints a number without its zeros.
macro_rules! migrations {
    ($($text:literal $name:literal),* $(,)?) => {
        /// Every migration, in order. The first makes the table that records the others.
        pub const MIGRATIONS: &[Migration] = &[$(Migration {
            version: number($text),
            name: $name,
            sql: include_str!(concat!("../../../sql/", $text, "_", $name, ".sql")),
        }),*];
    };
}

migrations![
    "0001" "schema_migrations",
    "0002" "ticket_events",
    "0003" "tickets",
    "0004" "tickets_from_events",
    "0005" "windows",
    "0006" "alerts",
    "0007" "audit",
    "0008" "dead_letters",
    "0009" "outcomes",
    "0010" "v_tickets",
    "0011" "v_window_1m",
    "0012" "v_window_5m",
    "0013" "v_window_1h",
    "0014" "v_window_1d",
    "0015" "v_alert_episodes",
    "0016" "lighter_text",
    "0017" "lighter_ticket_text",
    "0018" "fewer_files",
    "0019" "fewer_files_of_tickets",
    "0020" "opinions",
    "0021" "judgements",
    "0022" "judgements_from_opinions",
    "0023" "text_of_tickets",
    "0024" "tickets_with_text_hash",
    "0025" "windows_of_opinions",
    "0026" "v_window_1m_with_opinions",
    "0027" "v_window_5m_with_opinions",
    "0028" "v_window_1h_with_opinions",
    "0029" "v_window_1d_with_opinions",
    "0030" "v_tickets_with_opinions",
    "0031" "audit_trail",
    "0032" "audit_heads",
    "0033" "reviews",
    "0034" "v_tickets_with_reviews",
    "0035" "v_reviews",
    "0036" "quality",
    "0037" "v_quality",
    "0038" "v_quality_classes",
    "0039" "v_confusion",
    "0040" "drift",
    "0041" "v_drift",
    "0042" "reasons_and_shadow",
];

const fn number(text: &str) -> u32 {
    let digits = text.as_bytes();
    let (mut at, mut value) = (0, 0);
    while at < digits.len() {
        value = value * 10 + (digits[at] - b'0') as u32;
        at += 1;
    }
    value
}

/// A server that is there answers the simplest question in far less.
const REACH_TIMEOUT: Duration = Duration::from_secs(10);

/// The schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// ClickHouse does not answer.
    #[error("can't reach ClickHouse at {url} within {}s: start it, or set clickhouse.url (--clickhouse)", REACH_TIMEOUT.as_secs())]
    Unreachable {
        /// Where.
        url: String,
        /// Why; none if nothing at all was heard.
        #[source]
        source: Option<ClickHouseError>,
    },
    /// ClickHouse refuses.
    #[error("{doing} at ClickHouse {url}: check clickhouse.url (--clickhouse), user and password")]
    ClickHouse {
        /// What was being done.
        doing: String,
        /// Where.
        url: String,
        /// Why.
        #[source]
        source: ClickHouseError,
    },
    /// A migration's statement failed.
    #[error("apply migration {version:04}_{name}")]
    Apply {
        /// Its number.
        version: u32,
        /// Its name.
        name: &'static str,
        /// Why.
        #[source]
        source: ClickHouseError,
    },
    /// An applied file was changed.
    #[error(
        "migration {version:04}_{name} was applied to database {database} with another text; an applied file never \
         changes: restore it, and put the change into a new file"
    )]
    Changed {
        /// Its number.
        version: u32,
        /// Its name.
        name: &'static str,
        /// The database.
        database: String,
    },
    /// The database is ahead of the program.
    #[error(
        "database {database} has migration {version:04}, which this program does not know: run a newer deskstream"
    )]
    Newer {
        /// The number.
        version: u32,
        /// The database.
        database: String,
    },
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Migrations applied now.
    pub applied: Vec<String>,
    /// Migrations that had been applied before.
    pub already: usize,
}

/// Creates the database if need be, and applies what is missing.
pub async fn migrate(config: &ClickHouseConfig) -> Result<Report, MigrateError> {
    migrate_with(config, MIGRATIONS).await
}

async fn migrate_with(config: &ClickHouseConfig, migrations: &[Migration]) -> Result<Report, MigrateError> {
    // A URL may hold a password, an origin does not.
    let url = config.url.origin().ascii_serialization();
    let failed = |doing: &str| {
        let (doing, url) = (doing.to_owned(), url.clone());
        move |source| MigrateError::ClickHouse { doing, url, source }
    };
    let name = &config.database;
    match tokio::time::timeout(REACH_TIMEOUT, server(config).query("SELECT 1").execute()).await {
        Ok(Ok(())) => {}
        Ok(Err(error @ ClickHouseError::BadResponse(_))) => return Err(failed("log in")(error)),
        Ok(Err(error)) => return Err(MigrateError::Unreachable { url, source: Some(error) }),
        Err(_) => return Err(MigrateError::Unreachable { url, source: None }),
    }
    server(config)
        .query("CREATE DATABASE IF NOT EXISTS ?")
        .bind(Identifier(name))
        .execute()
        .await
        .map_err(failed("create the database"))?;
    let client = server(config).with_database(name);
    if let Some(first) = migrations.first() {
        apply(&client, first).await?;
    }
    let applied: BTreeMap<u32, String> = client
        .query(
            "SELECT version, argMax(toString(checksum), applied_at) FROM schema_migrations GROUP BY version",
        )
        .fetch_all::<(u32, String)>()
        .await
        .map_err(failed("read the applied migrations"))?
        .into_iter()
        .collect();
    if let Some(version) =
        applied.keys().find(|version| migrations.iter().all(|known| known.version != **version))
    {
        return Err(MigrateError::Newer { version: *version, database: name.clone() });
    }
    let mut report = Report { applied: Vec::new(), already: 0 };
    for migration in migrations {
        let (version, name) = (migration.version, migration.name);
        let checksum = migration.checksum();
        match applied.get(&version) {
            Some(recorded) if *recorded == checksum => report.already += 1,
            Some(_) => {
                return Err(MigrateError::Changed { version, name, database: config.database.clone() });
            }
            None => {
                apply(&client, migration).await?;
                client
                    .query("INSERT INTO schema_migrations (version, name, checksum) VALUES (?, ?, ?)")
                    .bind(version)
                    .bind(name)
                    .bind(&checksum)
                    .execute()
                    .await
                    .map_err(failed("record a migration"))?;
                tracing::info!(version, name, "migration applied");
                report.applied.push(format!("{version:04}_{name}"));
            }
        }
    }
    Ok(report)
}

async fn apply(client: &Client, migration: &Migration) -> Result<(), MigrateError> {
    let Migration { version, name, sql } = *migration;
    // Raw: a question mark in a comment is no placeholder.
    client.query_raw(sql).execute().await.map_err(|source| MigrateError::Apply { version, name, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_file_is_embedded_in_order_without_gaps() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".sql").map(str::to_owned))
            .collect();
        files.sort();
        let embedded: Vec<String> = MIGRATIONS
            .iter()
            .map(|migration| format!("{:04}_{}", migration.version, migration.name))
            .collect();
        assert_eq!(files, embedded);
        assert!(MIGRATIONS.iter().zip(1..).all(|(migration, n)| migration.version == n));
    }

    #[test]
    fn every_migration_can_be_applied_again() {
        for migration in MIGRATIONS {
            let text = migration.sql.to_uppercase();
            let idempotent = [
                "IF NOT EXISTS",
                "CREATE OR REPLACE VIEW",
                "MODIFY COLUMN",
                "MODIFY SETTING",
                "MODIFY QUERY",
            ];
            let idempotent = idempotent.iter().any(|words| text.contains(words));
            assert!(idempotent, "{:04}_{}", migration.version, migration.name);
            assert!(!migration.sql.trim_end().ends_with(';'), "one statement, without an end mark");
        }
    }
}
