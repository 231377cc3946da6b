//! Erases a requester, or a whole tenant.
//!
//! # Order
//! 1. The keys are destroyed by tombstones in `control`. From the acknowledgement on nothing sealed opens in any
//!    process: events, dead letters, copies and backups of them.
//! 2. Tombstones for the tickets in the compacted topic `tickets`.
//! 3. Rows in ClickHouse. They hold redacted text, but say who wrote when about what. What lies in `enriched` and is
//!    not inserted yet would come after the deletion: the sink is waited for first. `ticket_events` goes last, since
//!    the other tables' rows are found by it.
//! 4. An audit record, with a keyed hash in the place of the requester.
//!
//! # Restart
//! Every step finds what is left and does it; an erasure that was broken off is simply run again.

use crate::clickhouse;
use crate::kafka::{AuditSink, SendError, requester_name};
use ::clickhouse::error::Error as ClickHouseError;
use deskstream_runtime::control::ControlError;
use deskstream_runtime::seal::{DATA_KEY_KIND, REQUESTER_KEY_KIND};
use deskstream_runtime::{Process, kafka, time::now_ms};
use deskstream_schemas::{ActorKind, AuditOutcome, AuditRecord, Decoder, TicketState, Topic};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

const READ_TIMEOUT: Duration = Duration::from_secs(120);
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);

/// The sink catches up within this, or the erasure is run again later.
const SINK_TIMEOUT: Duration = Duration::from_secs(120);
const SINK_POLL: Duration = Duration::from_millis(200);

/// Tables in the order in which rows are deleted, and how a requester's rows are found there.
const TABLES: [(&str, &str); 4] = [
    (
        "outcomes",
        "ticket_id != '' AND ticket_id IN (SELECT ticket_id FROM ticket_events WHERE tenant = ? AND requester_ref IN ?)",
    ),
    (
        "dead_letters",
        "event_id != '' AND event_id IN (SELECT event_id FROM ticket_events WHERE tenant = ? AND requester_ref IN ?)",
    ),
    ("tickets", "requester_ref IN ?"),
    ("ticket_events", "requester_ref IN ?"),
];

/// Tables that have rows of a tenant, besides.
const TENANT_TABLES: [&str; 2] = ["windows", "alerts"];

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

/// What was found, and erased unless it was a dry run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Erased {
    /// Nothing was changed.
    pub dry_run: bool,
    /// Keys destroyed.
    pub keys: usize,
    /// Tombstones written to `tickets`.
    pub tickets: usize,
    /// Rows deleted, by table.
    pub rows: BTreeMap<String, u64>,
    /// Id of the audit record.
    pub audit_id: Option<String>,
}

/// Erases the tenant's requesters of these names (ids at the helpdesk, e-mail addresses), or with none of them the
/// tenant.
pub async fn erase(
    process: &Process,
    audit: &AuditSink,
    tenant: &str,
    requesters: &[String],
    dry_run: bool,
) -> Result<Erased, EraseError> {
    let whole = requesters.is_empty();
    let names: Vec<String> = requesters.iter().map(|r| requester_name(r)).collect();
    // Rows hold a reference as the helpdesk gave it, keys know it in lower case.
    let refs: BTreeSet<String> = requesters.iter().cloned().chain(names.iter().cloned()).collect();
    let mut erased = Erased { dry_run, ..Erased::default() };
    // The hash is made while there is a key to make it with.
    let who = process.vault.fingerprint(tenant, &names.join("\n"));

    let mut keys: Vec<(&str, String)> = if whole {
        process.vault.requester_keys(tenant, None)
    } else {
        names.iter().flat_map(|name| process.vault.requester_keys(tenant, Some(name))).collect()
    }
    .into_iter()
    .map(|id| (REQUESTER_KEY_KIND, id))
    .collect();
    if whole {
        let of_tenant = process.control.list(DATA_KEY_KIND).into_iter().filter(|key| key.tenant == tenant);
        keys.extend(of_tenant.map(|key| (DATA_KEY_KIND, key.id.clone())));
    }
    erased.keys = keys.len();
    if !dry_run {
        for (kind, id) in &keys {
            process.control.remove(kind, id).await?;
        }
    }

    let tickets = tickets_of(process, tenant, (!whole).then_some(&refs)).await?;
    erased.tickets = tickets.len();
    if !dry_run {
        bury(process, &tickets).await?;
        wait_for_sink(process).await?;
    }
    erased.rows = rows(process, tenant, &refs, whole, dry_run).await?;
    if !dry_run {
        let record = audit_record(tenant, whole, who, &erased);
        audit.send(tenant, &record).await?;
        erased.audit_id = Some(record.audit_id);
    }
    Ok(erased)
}

fn audit_record(tenant: &str, whole: bool, who: Option<(String, String)>, erased: &Erased) -> AuditRecord {
    let mut detail: BTreeMap<_, _> = [
        ("keys".into(), erased.keys.to_string()),
        ("tickets".into(), erased.tickets.to_string()),
        ("rows".into(), erased.rows.values().sum::<u64>().to_string()),
    ]
    .into();
    let mut resource = format!("tenant/{tenant}");
    if let (false, Some((key, hash))) = (whole, who) {
        resource = format!("requester/{hash}");
        detail.insert("hash_key".into(), key);
    }
    AuditRecord {
        audit_id: uuid::Uuid::now_v7().to_string(),
        tenant: tenant.to_owned(),
        at: now_ms(),
        actor_kind: ActorKind::System,
        actor: "erase".to_owned(),
        action: if whole { "erase.tenant".into() } else { "erase.requester".into() },
        resource,
        outcome: AuditOutcome::Ok,
        detail,
        source_ip: None,
        user_agent: None,
        request_id: None,
    }
}

/// Keys and partitions of the tickets that the compacted topic holds.
async fn tickets_of(
    process: &Process,
    tenant: &str,
    refs: Option<&BTreeSet<String>>,
) -> Result<Vec<(String, i32)>, EraseError> {
    let (process, tenant, refs) = (process.clone(), tenant.to_owned(), refs.cloned());
    tokio::task::spawn_blocking(move || read_tickets(&process, &tenant, refs.as_ref()))
        .await
        .expect("reading a topic does not panic")
}

fn read_tickets(
    process: &Process,
    tenant: &str,
    refs: Option<&BTreeSet<String>>,
) -> Result<Vec<(String, i32)>, EraseError> {
    let topic = process.topics.name(Topic::Tickets);
    let failed = |source| EraseError::Topic { topic: topic.clone(), source };
    let consumer: BaseConsumer =
        kafka::consumer(&process.config.kafka, "deskstream-erase").create().map_err(failed)?;
    let mut ends = ends(&consumer, &topic).map_err(failed)?;
    ends.retain(|_, (low, high)| low < high);
    let mut list = TopicPartitionList::new();
    for partition in ends.keys() {
        list.add_partition_offset(&topic, *partition, Offset::Beginning).map_err(failed)?;
    }
    consumer.assign(&list).map_err(failed)?;
    let decoder: Decoder<TicketState> = Decoder::new(Arc::clone(&process.registry));
    let of_tenant = format!("{tenant}/");
    let (mut found, deadline) = (HashMap::new(), Instant::now() + READ_TIMEOUT);
    while !ends.is_empty() {
        if Instant::now() > deadline {
            return Err(EraseError::Slow(topic));
        }
        if let Some(message) = consumer.poll(SINK_POLL) {
            let message = message.map_err(failed)?;
            let key = message.key().and_then(|key| std::str::from_utf8(key).ok()).unwrap_or_default();
            if key.starts_with(&of_tenant) {
                // The schema may be on its way to us: it is asked for again, within the deadline.
                let state = message.payload().and_then(|payload| {
                    loop {
                        match decoder.decode(payload) {
                            Err(deskstream_schemas::DecodeError::Pending { .. })
                                if Instant::now() < deadline =>
                            {
                                std::thread::park_timeout(SINK_POLL / 4);
                            }
                            decoded => break decoded.ok(),
                        }
                    }
                });
                match (state, refs) {
                    (Some(_), None) => drop(found.insert(key.to_owned(), message.partition())),
                    (Some(state), Some(refs))
                        if state.requester_ref.as_ref().is_some_and(|r| refs.contains(r)) =>
                    {
                        found.insert(key.to_owned(), message.partition());
                    }
                    _ => drop(found.remove(key)),
                }
            }
        }
        for element in consumer.position().map_err(failed)?.elements() {
            if let Offset::Offset(at) = element.offset() {
                ends.retain(|partition, (_, high)| *partition != element.partition() || at < *high);
            }
        }
    }
    Ok(found.into_iter().collect())
}

fn ends(consumer: &BaseConsumer, topic: &str) -> Result<BTreeMap<i32, (i64, i64)>, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), WRITE_TIMEOUT)?;
    let partitions = metadata.topics().first().map(|t| t.partitions()).unwrap_or_default();
    let marks = |id| Ok((id, kafka::watermarks(consumer, topic, id, WRITE_TIMEOUT)?));
    partitions.iter().map(|partition| marks(partition.id())).collect()
}

async fn bury(process: &Process, tickets: &[(String, i32)]) -> Result<(), EraseError> {
    let topic = process.topics.name(Topic::Tickets);
    let failed = |source| EraseError::Topic { topic: topic.clone(), source };
    let producer: FutureProducer = kafka::producer(&process.config.kafka).create().map_err(failed)?;
    let sends = tickets.iter().map(|(key, partition)| {
        // To the partition it lies in, whoever chose that.
        let record = FutureRecord::<str, [u8]>::to(&topic).partition(*partition).key(key);
        producer.send(record, WRITE_TIMEOUT)
    });
    futures::future::try_join_all(sends).await.map_err(|(source, _)| failed(source))?;
    Ok(())
}

/// Waits until the sink of `ticket_events` has inserted everything that lay in `enriched` when this began.
async fn wait_for_sink(process: &Process) -> Result<(), EraseError> {
    let (process, deadline) = (process.clone(), Instant::now() + SINK_TIMEOUT);
    tokio::task::spawn_blocking(move || {
        let topic = process.topics.name(Topic::Enriched);
        let failed = |source| EraseError::Topic { topic: topic.clone(), source };
        let group = format!("{}.clickhouse.ticket_events", process.config.pipeline.group);
        let consumer: BaseConsumer =
            kafka::consumer(&process.config.kafka, &group).create().map_err(failed)?;
        let ends = ends(&consumer, &topic).map_err(failed)?;
        let mut list = TopicPartitionList::new();
        for partition in ends.keys() {
            list.add_partition(&topic, *partition);
        }
        loop {
            let committed = consumer.committed_offsets(list.clone(), WRITE_TIMEOUT).map_err(failed)?;
            let behind: i64 = committed
                .elements()
                .iter()
                .map(|element| {
                    let (low, high) = ends.get(&element.partition()).copied().unwrap_or_default();
                    let at = if let Offset::Offset(at) = element.offset() { at } else { low };
                    // The marker of a transaction is the last offset, and no record: the sink stands before it.
                    (high - at - 1).max(0)
                })
                .sum();
            if behind == 0 {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(EraseError::SinkBehind(behind));
            }
            std::thread::park_timeout(SINK_POLL);
        }
    })
    .await
    .expect("asking for offsets does not panic")
}

async fn rows(
    process: &Process,
    tenant: &str,
    refs: &BTreeSet<String>,
    whole: bool,
    dry_run: bool,
) -> Result<BTreeMap<String, u64>, EraseError> {
    let client = clickhouse::client(&process.config.clickhouse);
    let refs: Vec<&str> = refs.iter().map(String::as_str).collect();
    let mut counts = BTreeMap::new();
    let of_tenant = if whole { TENANT_TABLES.as_slice() } else { &[] };
    let tables = of_tenant.iter().map(|table| (*table, "")).chain(TABLES);
    for (table, of_requester) in tables {
        let filter = if whole { String::new() } else { format!(" AND {of_requester}") };
        let bind = |sql: &str| {
            let query = client.query(sql).bind(tenant);
            match (whole, of_requester.matches('?').count()) {
                (true, _) => query,
                (false, 1) => query.bind(&refs),
                (false, _) => query.bind(tenant).bind(&refs),
            }
        };
        let failed = |doing: &str| {
            let doing = format!("{doing} rows of {table}");
            move |source| EraseError::ClickHouse { doing, source }
        };
        let count = bind(&format!("SELECT count() FROM {table} WHERE tenant = ?{filter}"))
            .fetch_one::<u64>()
            .await
            .map_err(failed("count"))?;
        counts.insert(table.to_owned(), count);
        if count > 0 && !dry_run {
            // A real deletion, waited for: a lightweight one only hides rows until some merge.
            bind(&format!("ALTER TABLE {table} DELETE WHERE tenant = ?{filter} SETTINGS mutations_sync = 2"))
                .execute()
                .await
                .map_err(failed("delete"))?;
        }
    }
    Ok(counts)
}
