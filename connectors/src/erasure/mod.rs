//! Erases a requester, or a whole tenant.
//!
//! # Order
//! 1. The keys are destroyed by tombstones in `control`. From the acknowledgement on nothing sealed opens in any
//!    process: events, dead letters, copies and backups of them.
//! 2. Tombstones for the tickets in the compacted topic `tickets`.
//! 3. Rows in ClickHouse. They hold redacted text, but say who wrote when about what. What lies in `enriched` and is
//!    not inserted yet would come after the deletion: the sink is waited for first. `ticket_events` goes last, since
//!    the other tables' rows are found by it.
//! 4. An audit record, with a keyed hash in the place of the requester; also if a step failed.
//!
//! # Restart
//! Every step finds what is left and does it; an erasure that was broken off is simply run again.

mod rows;
mod topics;

use crate::kafka::{AuditSink, SendError, is_opaque, requester_name};
use ::clickhouse::error::Error as ClickHouseError;
use deskstream_runtime::control::ControlError;
use deskstream_runtime::seal::{DATA_KEY_KIND, REQUESTER_KEY_KIND};
use deskstream_runtime::{Process, time::now_ms};
use deskstream_schemas::{ActorKind, AuditOutcome, AuditRecord};
use rdkafka::error::KafkaError;
use rows::Rows;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// By then a running pipeline has read the tombstones, and committed and published what it had opened before.
const SETTLE: Duration = Duration::from_secs(3);

/// An erasure could not be finished: what was done stays done, and running it again does the rest.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// Keys could not be destroyed.
    #[error("destroy keys")]
    Keys(#[from] ControlError),
    /// The topic `tickets` could not be read or written.
    #[error("erase tickets from topic {topic}")]
    Topic {
        /// Full name.
        topic: String,
        /// Why.
        #[source]
        source: KafkaError,
    },
    /// The topic's end was not reached.
    #[error("topic {0} could not be read to its end in time: run the same command again")]
    Slow(String),
    /// ClickHouse refused.
    #[error("{doing} in ClickHouse: run the same command again once it answers")]
    ClickHouse {
        /// What was being done.
        doing: String,
        /// Why.
        #[source]
        source: ClickHouseError,
    },
    /// Rows are deleted, and files that hold them are still there.
    #[error(
        "{parts} outdated parts of {table} are still on ClickHouse's disk: run the same command again later"
    )]
    Files {
        /// The table.
        table: String,
        /// How many.
        parts: usize,
    },
    /// The sink has not inserted what lies before it.
    #[error(
        "the ClickHouse sink is {0} records behind, which would bring rows back: start `deskstream connect`, then \
         run the same command again"
    )]
    SinkBehind(i64),
    /// The audit record was not written.
    #[error("write the audit record")]
    Audit(#[from] SendError),
}

impl EraseError {
    /// The step that failed.
    fn step(&self) -> &'static str {
        match self {
            Self::Keys(_) => "keys",
            Self::Topic { .. } | Self::Slow(_) => "tickets",
            Self::SinkBehind(_) => "sink",
            Self::ClickHouse { .. } => "rows",
            Self::Files { .. } => "files",
            Self::Audit(_) => "audit",
        }
    }
}

/// What to erase.
#[derive(Debug, Clone)]
pub struct Erasure {
    /// The tenant.
    pub tenant: String,
    /// Requesters by id at the helpdesk, e-mail address or name; empty for the whole tenant.
    pub requesters: Vec<String>,
    /// Only count.
    pub dry_run: bool,
    /// Whether there is a ClickHouse.
    pub clickhouse: bool,
}

/// What was found, and erased unless it was a dry run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Erased {
    /// Nothing was changed.
    pub dry_run: bool,
    /// Keys destroyed.
    pub keys: usize,
    /// Other entities of the tenant removed from `control`: positions of polls and imports, settings.
    pub entities: usize,
    /// Tombstones written to `tickets`.
    pub tickets: usize,
    /// Rows deleted, by table.
    pub rows: BTreeMap<String, u64>,
    /// Id of the audit record.
    pub audit_id: Option<String>,
}

impl fmt::Display for Erased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (did, deleted) =
            if self.dry_run { ("would destroy", "would delete") } else { ("destroyed", "deleted") };
        writeln!(
            f,
            "{did} {} keys: what they sealed opens nowhere any more, copies and backups included",
            self.keys
        )?;
        if self.entities > 0 {
            writeln!(f, "{deleted} {} other entries of the tenant on the topic control", self.entities)?;
        }
        writeln!(f, "{deleted} {} tickets from the topic tickets", self.tickets)?;
        for (table, rows) in self.rows.iter().filter(|(_, rows)| **rows > 0) {
            writeln!(f, "{deleted} {rows} rows of {table}")?;
        }
        if self.keys + self.tickets == 0 && self.rows.values().all(|rows| *rows == 0) {
            writeln!(f, "nothing is left, or nobody of that name was ever seen")?;
        }
        match &self.audit_id {
            Some(id) => write!(f, "audit record {id}"),
            None => write!(f, "nothing was changed"),
        }
    }
}

/// Erases; what a failure leaves is done by calling it again.
pub async fn erase(process: &Process, audit: &AuditSink, erasure: &Erasure) -> Result<Erased, EraseError> {
    let whole = erasure.requesters.is_empty();
    let names: BTreeSet<String> = erasure.requesters.iter().map(|r| requester_name(r)).collect();
    // What stands for them in rows, and in the audit record: made while there is a key to make it with.
    let (tenant, vault) = (&erasure.tenant, &process.vault);
    let references = names.iter().flat_map(|name| vault.requester_references(tenant, name));
    // A name or an address stands in no row, and has no business in a query.
    let ids = names.iter().filter(|name| is_opaque(name)).cloned();
    let refs: BTreeSet<String> = references.chain(ids).collect();
    let who: Vec<_> = names.iter().filter_map(|name| vault.requester_reference(tenant, name)).collect();

    let mut erased = Erased { dry_run: erasure.dry_run, ..Erased::default() };
    let result = steps(process, erasure, &names, &refs, &mut erased).await;
    if erasure.dry_run {
        return result.map(|()| erased);
    }
    let failed = result.as_ref().err().map(EraseError::step);
    let record = audit_record(tenant, (!whole).then_some(who), &erased, failed);
    let written = audit.send(tenant, &record).await;
    result?;
    written?;
    erased.audit_id = Some(record.audit_id);
    Ok(erased)
}

async fn steps(
    process: &Process,
    erasure: &Erasure,
    names: &BTreeSet<String>,
    refs: &BTreeSet<String>,
    erased: &mut Erased,
) -> Result<(), EraseError> {
    let (tenant, whole) = (erasure.tenant.as_str(), names.is_empty());
    let (keys, others) = entities(process, tenant, names);
    (erased.keys, erased.entities) = (keys.len(), others.len());
    if !erasure.dry_run {
        process.control.remove_all(&keys).await?;
        process.control.remove_all(&others).await?;
        tokio::time::sleep(SETTLE).await;
    }
    let tickets = topics::tickets_of(process, tenant, (!whole).then_some(refs)).await?;
    erased.tickets = tickets.len();
    if !erasure.dry_run {
        topics::bury(process, &tickets).await?;
    }
    if erasure.clickhouse {
        let rows = Rows::new(process, tenant, (!whole).then(|| refs.iter().cloned().collect()));
        if erasure.dry_run {
            erased.rows = rows.count().await?;
        } else {
            topics::wait_for_sink(process).await?;
            erased.rows = rows.delete().await?;
        }
    }
    Ok(())
}

type Entities = Vec<(String, String)>;

/// Kinds and ids of the keys, and of what else the control topic holds of the tenant.
fn entities(process: &Process, tenant: &str, names: &BTreeSet<String>) -> (Entities, Entities) {
    let of_requesters = |ids: Vec<String>| ids.into_iter().map(|id| (REQUESTER_KEY_KIND.to_owned(), id));
    if !names.is_empty() {
        let ids = names.iter().flat_map(|name| process.vault.requester_keys(tenant, Some(name)));
        return (of_requesters(ids.collect()).collect(), Vec::new());
    }
    let of_tenant = process.control.of_tenant(tenant);
    let of_tenant = of_tenant.iter().map(|entity| (entity.kind.clone(), entity.id.clone()));
    let (mut keys, others): (Entities, Entities) = of_tenant.partition(|(kind, _)| kind == DATA_KEY_KIND);
    // The tenant's first: with them those of requesters open nothing any more.
    keys.extend(of_requesters(process.vault.requester_keys(tenant, None)));
    (keys, others)
}

/// `who` is none for the whole tenant.
fn audit_record(
    tenant: &str,
    who: Option<Vec<String>>,
    erased: &Erased,
    failed: Option<&'static str>,
) -> AuditRecord {
    let mut detail: BTreeMap<_, _> = [
        ("keys".into(), erased.keys.to_string()),
        ("tickets".into(), erased.tickets.to_string()),
        ("rows".into(), erased.rows.values().sum::<u64>().to_string()),
    ]
    .into();
    detail.extend(failed.map(|step| ("failed_at".into(), step.to_owned())));
    AuditRecord {
        audit_id: uuid::Uuid::now_v7().to_string(),
        tenant: tenant.to_owned(),
        at: now_ms(),
        actor_kind: ActorKind::System,
        actor: "erase".to_owned(),
        action: if who.is_none() { "erase.tenant".into() } else { "erase.requester".into() },
        resource: match who {
            None => format!("tenant/{tenant}"),
            Some(who) => format!("requester/{}", who.join(",")),
        },
        outcome: if failed.is_none() { AuditOutcome::Ok } else { AuditOutcome::Error },
        detail,
        source_ip: None,
        user_agent: None,
        request_id: None,
    }
}
