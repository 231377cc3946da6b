//! The trail as it lies in ClickHouse.

use super::chain::ChainId;
use super::owner::{self, ChainError};
use super::signing::{PublicKeys, SigningError};
use super::verify::{Report, Row, Walk};
use crate::clickhouse::{client, names};
use ::clickhouse::Client;
use ::clickhouse::error::Error as ClickHouseError;
use deskstream_runtime::Process;
use deskstream_runtime::time::now_ms;
use deskstream_schemas::{ActorKind, AuditHead, AuditOutcome, AuditRecord, Retention};
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

/// How often the table is looked at while rows are awaited.
const POLL: Duration = Duration::from_millis(250);

/// A chain could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ChainsError {
    /// ClickHouse did not answer.
    #[error("read the audit trail from ClickHouse")]
    ClickHouse(#[from] ClickHouseError),
    /// The heads could not be read.
    #[error("read the newest heads from Kafka")]
    Heads(#[from] ChainError),
    /// The public keys could not be read.
    #[error(transparent)]
    Keys(#[from] SigningError),
    /// A row is none of ours.
    #[error("row {sequence} of {chain}: {field} is `{value}`")]
    Row {
        /// The chain, as in the key of its head.
        chain: String,
        /// The row's place.
        sequence: u64,
        /// The column.
        field: &'static str,
        /// What it says.
        value: String,
    },
}

/// A row as it is asked for.
#[derive(Debug, ::clickhouse::Row, serde::Deserialize)]
pub(super) struct Columns {
    pub(super) sequence: u64,
    pub(super) chained_at: i64,
    pub(super) hash: String,
    pub(super) audit_id: String,
    pub(super) tenant: String,
    pub(super) at: i64,
    pub(super) actor_kind: String,
    pub(super) actor: String,
    pub(super) action: String,
    pub(super) resource: String,
    pub(super) outcome: String,
    pub(super) detail: Vec<(String, String)>,
    pub(super) source_ip: String,
    pub(super) user_agent: String,
    pub(super) request_id: String,
}

/// A head as it is asked for.
#[derive(Debug, ::clickhouse::Row, serde::Deserialize)]
struct HeadColumns {
    tenant: String,
    retention: String,
    sequence: u64,
    chained_at: i64,
    hash: String,
    key_id: String,
    signature: String,
}

/// The trail of an installation: its rows, its signed heads, and who signs.
pub struct Trail {
    process: Process,
    client: Client,
    newest: HashMap<ChainId, AuditHead>,
    keys: PublicKeys,
}

impl Trail {
    /// Reads the newest signed head of each chain from Kafka.
    pub async fn open(process: &Process) -> Result<Self, ChainsError> {
        let client = client(&process.config.clickhouse);
        let keys = PublicKeys::of(process)?;
        let newest = newest_heads(process).await?;
        Ok(Self { process: process.clone(), client, newest, keys })
    }

    /// The place of the newest signed head of a chain, 0 without one.
    fn newest(&self, chain: &ChainId) -> i64 {
        self.newest.get(chain).map_or(0, |head| head.sequence)
    }

    /// The signed heads of a chain up to its newest: earlier ones are in ClickHouse. One that was signed since the newest
    /// was read is left out, as are the rows before it.
    pub(super) async fn heads(&self, chain: &ChainId) -> Result<Vec<AuditHead>, ChainsError> {
        let earlier = self
            .client
            .query(
                "SELECT tenant, retention, sequence, toUnixTimestamp64Milli(h.chained_at) AS chained_at, hash, key_id, \
                 signature FROM audit_heads AS h FINAL WHERE tenant = ? AND retention = ? AND sequence <= ?",
            )
            .bind(&chain.tenant)
            .bind(names::retention(chain.retention))
            .bind(self.newest(chain))
            .fetch_all::<HeadColumns>()
            .await?;
        earlier.into_iter().map(head).chain(self.newest.get(chain).cloned().map(Ok)).collect()
    }

    /// Public keys by their ids.
    pub fn keys(&self) -> &PublicKeys {
        &self.keys
    }

    /// Every chain that has rows or a signed head, of one tenant or of all.
    pub async fn chains(&self, tenant: Option<&str>) -> Result<Vec<ChainId>, ChainsError> {
        let rows = self
            .client
            .query("SELECT DISTINCT tenant, retention FROM audit_trail")
            .fetch_all::<(String, String)>()
            .await?;
        let mut chains: BTreeSet<ChainId> = self.newest.keys().cloned().collect();
        for (tenant, named) in rows {
            let retention = parse(&RETENTIONS, names::retention, &named)
                .ok_or_else(|| wrong(&format!("{tenant}/{named}"), 0, "retention", &named))?;
            chains.insert(ChainId { tenant, retention });
        }
        Ok(chains.into_iter().filter(|chain| tenant.is_none_or(|tenant| chain.tenant == tenant)).collect())
    }

    /// Waits until the rows up to the newest head have come, or `patience` is over: the sink is behind the chain by as
    /// long as it gathers a batch.
    pub async fn settle(&self, chain: &ChainId, patience: Duration) -> Result<(), ChainsError> {
        let newest = self.newest(chain);
        let until = Instant::now() + patience;
        loop {
            if self.last(chain).await? >= newest || Instant::now() >= until {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Walks a chain from its first row to its newest head.
    pub async fn verify(&self, chain: &ChainId) -> Result<Report, ChainsError> {
        let kept = self.process.config.audit.keeps(chain.retention).as_millis();
        let retained_from = now_ms() - i64::try_from(kept).unwrap_or(i64::MAX);
        let mut walk = Walk::new(chain.clone(), &self.heads(chain).await?, &self.keys, retained_from);
        let newest = self.newest(chain);
        let mut rows = self
            .client
            .query(
                "SELECT sequence, toUnixTimestamp64Milli(a.chained_at) AS chained_at, hash, audit_id, tenant, \
                 toUnixTimestamp64Milli(a.at) AS at, actor_kind, actor, action, resource, outcome, detail, source_ip, \
                 user_agent, request_id FROM audit_trail AS a WHERE tenant = ? AND retention = ? AND sequence <= ? \
                 ORDER BY sequence, kafka_offset SETTINGS max_bytes_before_external_sort = 268435456",
            )
            .bind(&chain.tenant)
            .bind(names::retention(chain.retention))
            .bind(newest)
            .fetch::<Columns>()?;
        while let Some(columns) = rows.next().await? {
            walk.step(&row(&chain.key(), columns)?);
        }
        // What was chained since the heads were read was signed since: rows that nobody has signed were put in.
        let last = self.last(chain).await?;
        if last > newest {
            let signed = newest_heads(&self.process).await?.get(chain).map_or(0, |head| head.sequence);
            if last > signed {
                walk.beyond(signed, last);
            }
        }
        Ok(walk.finish())
    }

    /// The last place that a row claims.
    async fn last(&self, chain: &ChainId) -> Result<i64, ChainsError> {
        let last = self
            .client
            .query("SELECT max(sequence) FROM audit_trail WHERE tenant = ? AND retention = ?")
            .bind(&chain.tenant)
            .bind(names::retention(chain.retention))
            .fetch_one::<u64>()
            .await?;
        Ok(i64::try_from(last).unwrap_or(i64::MAX))
    }
}

async fn newest_heads(process: &Process) -> Result<HashMap<ChainId, AuditHead>, ChainError> {
    let process = process.clone();
    let read = tokio::task::spawn_blocking(move || owner::heads(&process)).await;
    read.expect("reading heads does not panic")
}

pub(super) const RETENTIONS: [Retention; 2] = [Retention::Audit, Retention::Processing];
const ACTORS: [ActorKind; 3] = [ActorKind::System, ActorKind::User, ActorKind::ApiKey];
const OUTCOMES: [AuditOutcome; 3] = [AuditOutcome::Ok, AuditOutcome::Denied, AuditOutcome::Error];

/// The value of that name.
pub(super) fn parse<T: Copy>(all: &[T], name: fn(T) -> &'static str, given: &str) -> Option<T> {
    all.iter().copied().find(|value| name(*value) == given)
}

fn wrong(chain: &str, sequence: u64, field: &'static str, value: &str) -> ChainsError {
    ChainsError::Row { chain: chain.to_owned(), sequence, field, value: value.to_owned() }
}

fn head(columns: HeadColumns) -> Result<AuditHead, ChainsError> {
    let chain = format!("{}/{}", columns.tenant, columns.retention);
    let retention = parse(&RETENTIONS, names::retention, &columns.retention)
        .ok_or_else(|| wrong(&chain, columns.sequence, "retention", &columns.retention))?;
    // What is no hexadecimal is no signature either: the walk says so.
    let bytes = |text: &str| hex::decode(text).unwrap_or_default();
    Ok(AuditHead {
        tenant: columns.tenant,
        retention,
        sequence: i64::try_from(columns.sequence).unwrap_or(i64::MAX),
        hash: bytes(&columns.hash),
        chained_at: columns.chained_at,
        key_id: columns.key_id,
        signature: bytes(&columns.signature),
    })
}

pub(super) fn row(chain: &str, columns: Columns) -> Result<Row, ChainsError> {
    let sequence = i64::try_from(columns.sequence)
        .map_err(|_| wrong(chain, columns.sequence, "sequence", &columns.sequence.to_string()))?;
    let actor_kind = parse(&ACTORS, names::actor, &columns.actor_kind);
    let outcome = parse(&OUTCOMES, names::audit_outcome, &columns.outcome);
    let mut hash = [0; 32];
    let readable =
        hex::decode_to_slice(&columns.hash, &mut hash).is_ok() && actor_kind.is_some() && outcome.is_some();
    let some = |text: String| (!text.is_empty()).then_some(text);
    Ok(Row {
        sequence,
        chained_at: columns.chained_at,
        hash,
        record: AuditRecord {
            audit_id: columns.audit_id,
            tenant: columns.tenant,
            at: columns.at,
            actor_kind: actor_kind.unwrap_or(ActorKind::System),
            actor: columns.actor,
            action: columns.action.into(),
            resource: columns.resource,
            outcome: outcome.unwrap_or(AuditOutcome::Error),
            detail: columns.detail.into_iter().map(|(name, value)| (name.into(), value)).collect(),
            source_ip: some(columns.source_ip),
            user_agent: some(columns.user_agent),
            request_id: some(columns.request_id),
        },
        readable,
    })
}
