//! One cut batch on its way: planned, inserted until acknowledged, committed.

use super::batch::{Cut, Placed, Refused};
use super::metrics;
use super::native::Writer;
use super::owner::Owner;
use super::position::{Committed, Range};
use super::rows::{Rows, Table};
use super::troubles::Troubles;
use crate::http::Backoff;
use crate::kafka::{DeadLetterSink, Refusal};
use clickhouse::Client;
use clickhouse::error::Error as ClickHouseError;
use deskstream_schemas::{EVERY_TENANT, Stage, Subject, Topic};
use rdkafka::consumer::StreamConsumer;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The longest a chunk may take to be sent, and an insert to be acknowledged once all is sent.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
const END_TIMEOUT: Duration = Duration::from_secs(180);

const BACKOFF: Backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_secs(10) };

/// Failures in a row before readiness is lost: a restart of ClickHouse is no news.
const PATIENCE: usize = 3;

/// Said with every insert, so that any server does the same whatever its defaults are.
const SETTINGS: [(&str, &str); 6] = [
    // Since 26.2 inserts are asynchronous by default: acknowledged in another block than the one that was sent.
    ("async_insert", "0"),
    ("insert_deduplicate", "1"),
    // A repeated block is known in the views' targets too.
    ("deduplicate_blocks_in_dependent_materialized_views", "1"),
    // One insert, one block: more rows and bytes than a batch can have.
    ("max_insert_block_size", "1048576"),
    ("input_format_parallel_parsing", "0"),
    // Merges replace what is replaced; doing it in each block too costs more than the few rows that it saves.
    ("optimize_on_insert", "0"),
];

/// Pieces of a block that are written ahead of the socket.
const PIECES_AHEAD: usize = 4;

/// The insert into the table of `T`, its columns by name.
fn statement<T: Table>() -> String {
    format!("INSERT INTO {} (`{}`) FORMAT Native", T::TABLE, T::COLUMNS.join("`, `"))
}

/// What inserts of one sink share.
pub(super) struct Deliver {
    pub(super) consumer: StreamConsumer<Owner>,
    pub(super) client: Client,
    pub(super) topic: String,
    pub(super) dead_letters: Option<DeadLetterSink>,
    pub(super) troubles: Troubles,
    /// Inserts at the same time.
    pub(super) slots: Semaphore,
    pub(super) shutdown: CancellationToken,
}

/// The batch was left: the partition is no longer ours, or the process ends. Its plan stays for who comes next.
#[derive(Debug)]
pub(super) struct Abandoned;

impl Deliver {
    /// Plans (unless this repeats a plan), inserts and commits a batch. Gives up only when abandoned.
    pub(super) async fn deliver<T: Table>(
        self: Arc<Self>,
        partition: i32,
        cut: Cut<T>,
        plan: bool,
        cancel: CancellationToken,
    ) -> Result<(), Abandoned> {
        let outcome = self.deliver_all(partition, cut, plan, cancel).await;
        if outcome.is_err() {
            // Whoever has the partition now will see for himself.
            self.troubles.over(partition);
        }
        outcome
    }

    async fn deliver_all<T: Table>(
        self: &Arc<Self>,
        partition: i32,
        cut: Cut<T>,
        plan: bool,
        cancel: CancellationToken,
    ) -> Result<(), Abandoned> {
        if plan {
            self.commit::<T>(partition, Committed::plan(cut.range), &cancel).await?;
        }
        for refused in &cut.refused {
            self.bury::<T>(partition, refused, &cancel).await?;
        }
        {
            let _slot = tokio::select! {
                slot = self.slots.acquire() => slot.expect("the semaphore is never closed"),
                () = cancel.cancelled() => return Err(Abandoned),
            };
            for (key, rows) in &cut.groups {
                self.insert(partition, cut.range, *key, rows, &cancel).await?;
                metrics::ROWS.with_label_values(&[T::TABLE]).inc_by(rows.len() as u64);
                let result = if plan { "done" } else { "repeated" };
                metrics::INSERTS.with_label_values(&[T::TABLE, result]).inc();
            }
        }
        self.commit::<T>(partition, Committed::done(cut.range.to), &cancel).await
    }

    /// Inserts one group until ClickHouse acknowledges it.
    async fn insert<T: Table>(
        &self,
        partition: i32,
        range: Range,
        key: u64,
        rows: &Arc<Vec<Placed<T>>>,
        cancel: &CancellationToken,
    ) -> Result<(), Abandoned> {
        let token = range.token(&self.topic, partition, key);
        for (failures, wait) in BACKOFF.waits().enumerate() {
            let started = Instant::now();
            let outcome = tokio::select! {
                outcome = self.try_insert(partition, &token, rows) => outcome,
                () = cancel.cancelled() => return Err(Abandoned),
            };
            metrics::INSERT_SECONDS.with_label_values(&[T::TABLE]).observe(started.elapsed().as_secs_f64());
            let error = match outcome {
                Ok(()) => {
                    if self.troubles.over(partition) {
                        tracing::info!(table = T::TABLE, failures, "ClickHouse takes inserts again");
                    }
                    return Ok(());
                }
                Err(error) => error,
            };
            metrics::INSERTS.with_label_values(&[T::TABLE, "failed"]).inc();
            // Whatever went wrong, the same block is sent again: nothing may be skipped, and its token makes a
            // repeat harmless. A schema that does not fit shows here too, and is cured by `deskstream migrate`.
            let reason = explain(&error);
            tracing::warn!(table = T::TABLE, partition, %range, rows = rows.len(), failures, reason, "insert failed, trying again");
            if failures + 1 >= PATIENCE {
                let reason = format!("ClickHouse does not take inserts into {}: {reason}", T::TABLE);
                self.troubles.fail(partition, reason);
            }
            self.wait(wait, cancel).await?;
        }
        Err(Abandoned)
    }

    async fn try_insert<T: Table>(
        &self,
        partition: i32,
        token: &str,
        placed: &Arc<Vec<Placed<T>>>,
    ) -> Result<(), ClickHouseError> {
        let (mut writer, mut pieces) = Writer::new(PIECES_AHEAD);
        let (rows, topic) = (Arc::clone(placed), self.topic.clone());
        // Tens of milliseconds of work, which must not hold up what else this thread serves.
        let writing = tokio::task::spawn_blocking(move || {
            T::block(Rows { topic: &topic, partition, placed: &rows }, &mut writer);
            writer.flush();
        });
        let mut insert = self
            .client
            .insert_formatted_with(statement::<T>())
            .with_timeouts(Some(SEND_TIMEOUT), Some(END_TIMEOUT))
            .with_setting("insert_deduplication_token", token);
        for (name, value) in SETTINGS {
            insert = insert.with_setting(name, value);
        }
        while let Some(piece) = pieces.recv().await {
            insert.send(piece).await?;
        }
        // A block that was not written to its end must not be inserted.
        writing.await.map_err(|error| ClickHouseError::Other(error.into()))?;
        insert.end().await
    }

    /// Commits a position, again and again while the partition is ours.
    async fn commit<T: Table>(
        self: &Arc<Self>,
        partition: i32,
        position: Committed,
        cancel: &CancellationToken,
    ) -> Result<(), Abandoned> {
        for wait in BACKOFF.waits() {
            let deliver = Arc::clone(self);
            let attempt = tokio::task::spawn_blocking(move || {
                let owner = rdkafka::consumer::Consumer::context(&deliver.consumer);
                owner.commit(&deliver.consumer, &deliver.topic, partition, position)
            });
            match attempt.await {
                Ok(Ok(true)) => return Ok(()),
                Ok(Ok(false)) | Err(_) => return Err(Abandoned),
                Ok(Err(error)) => {
                    metrics::COMMIT_RETRIES.with_label_values(&[T::TABLE]).inc();
                    tracing::warn!(table = T::TABLE, partition, %error, "commit failed, trying again");
                }
            }
            self.wait(wait, cancel).await?;
        }
        Err(Abandoned)
    }

    /// Writes a record that can't be read to the dead letter. Repeating it after a crash writes it again: the letter's
    /// key is the record's place.
    async fn bury<T: Table>(
        &self,
        partition: i32,
        refused: &Refused,
        cancel: &CancellationToken,
    ) -> Result<(), Abandoned> {
        metrics::REFUSED.with_label_values(&[T::TABLE, refused.reason]).inc();
        let source = format!("{}/{partition}/{}", self.topic, refused.offset);
        // A dead letter that can't be read must not make another one.
        let Some(dead_letters) = &self.dead_letters else { return Ok(()) };
        if T::SUBJECT == Subject::Value(Topic::DeadLetter) {
            tracing::error!(source, reason = refused.reason, "dead letter can't be read, only counted");
            return Ok(());
        }
        let refusal = Refusal {
            tenant: tenant_of(refused.key.as_deref()),
            stage: Stage::Sink,
            reason: refused.reason,
            error: refused.error.clone(),
            fix: "find the producer that wrote it; the payload is kept sealed in the dead letter".into(),
            source,
            event_id: None,
            attempts: 1,
            payload: Some(&refused.payload),
        };
        for wait in BACKOFF.waits() {
            match dead_letters.send(refusal.clone()).await {
                Ok(_) => return Ok(()),
                Err(error) if error.retry() => {
                    tracing::warn!(table = T::TABLE, %error, "dead letter not acknowledged, trying again");
                }
                Err(error) => {
                    tracing::error!(table = T::TABLE, %error, "dead letter can't be written, record only counted");
                    return Ok(());
                }
            }
            self.wait(wait, cancel).await?;
        }
        Err(Abandoned)
    }

    /// Waits, unless the partition is taken away or the process ends: then there is no further try.
    async fn wait(&self, time: Duration, cancel: &CancellationToken) -> Result<(), Abandoned> {
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            () = cancel.cancelled() => Err(Abandoned),
            () = self.shutdown.cancelled() => Err(Abandoned),
        }
    }
}

/// An error for people. What ClickHouse quotes of the data stays out.
fn explain(error: &ClickHouseError) -> String {
    match (super::code(error), error) {
        (Some(code), _) => format!("ClickHouse error {code}"),
        (None, ClickHouseError::BadResponse(_)) => "no ClickHouse answer (a proxy?)".to_owned(),
        (None, ClickHouseError::Network(_)) => "ClickHouse can't be reached".to_owned(),
        (None, error) => error.to_string(),
    }
}

fn tenant_of(key: Option<&[u8]>) -> &str {
    key.and_then(|key| std::str::from_utf8(key).ok())
        .and_then(|key| key.split_once('/'))
        .map_or(EVERY_TENANT, |(tenant, _)| tenant)
}
