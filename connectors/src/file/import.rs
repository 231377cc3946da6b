//! The import itself: rows in, acknowledged events out, progress kept.

use super::mapping::{Mapping, MappingError};
use super::row::{self, Context, Format, Row, Rows};
use crate::http::Backoff;
use crate::kafka::{EventSink, Refusal, SendError, Sinks};
use deskstream_runtime::Process;
use deskstream_runtime::control::{Control, ControlError};
use deskstream_runtime::time::now_ms;
use deskstream_schemas::{ActorKind, AuditOutcome, AuditRecord, Stage};
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

const KIND: &str = "import";

/// Enough of a file to see its format and columns.
const HEAD_BYTES: usize = 256 * 1024;

/// Rows that are handed on, and acknowledged, together.
const BATCH: usize = 256;

/// Batches that are being written at the same time: with a few milliseconds for an acknowledgement, what 20,000
/// rows a second need, and room to spare.
const IN_FLIGHT: usize = 16;

/// How often progress is kept.
const SAVE_EVERY: Duration = Duration::from_secs(2);

/// How long the broker may be away before an import gives up, to be gone on with later.
const PATIENCE: Duration = Duration::from_secs(60);

const RESEND: Backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_secs(5) };

/// What to import, for whom.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// The file.
    pub path: PathBuf,
    /// The tenant that gets the tickets.
    pub tenant: String,
    /// The format; judged by the file if unset.
    pub format: Option<Format>,
    /// What the user said of columns.
    pub mapping: Mapping,
    /// Import again what was imported before. Event ids stay the same.
    pub again: bool,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the file read.
    pub bytes: u64,
    /// Bytes of the file.
    pub of: u64,
    /// Rows acknowledged or refused.
    pub rows: u64,
    /// Rows refused.
    pub refused: u64,
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The format that was read.
    pub format: Option<Format>,
    /// How columns were mapped, one line a field.
    pub mapping: Vec<String>,
    /// Rows written to `events` by this run.
    pub taken: u64,
    /// Rows that an earlier run had already written.
    pub before: u64,
    /// Rows refused by this run, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Where the first refused rows stand: `line` and reason.
    pub examples: Vec<(u64, &'static str)>,
    /// Whether the file was imported whole before, so that nothing was to do.
    pub nothing_to_do: bool,
    /// How long it took.
    pub elapsed: Duration,
}

impl Summary {
    /// Rows refused by this run.
    pub fn refused_rows(&self) -> u64 {
        self.refused.values().sum()
    }
}

/// An import failed; what it had written stays, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file can't be read.
    #[error("read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its columns can't be mapped.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// The broker was away for too long.
    #[error("the broker does not acknowledge: run the same command again to go on")]
    Broker(#[source] Box<SendError>),
    /// Progress can't be kept.
    #[error("keep the import's progress")]
    Control(#[from] ControlError),
    /// The process was told to end.
    #[error("interrupted: run the same command again to go on")]
    Interrupted,
}

/// Body of a progress entity.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    file: String,
    rows: u64,
    began_at: i64,
    done: bool,
}

/// A batch on its way.
type Batch = JoinHandle<Result<Vec<(u64, &'static str)>, SendError>>;

/// Imports a file. `tell` is called now and then with how far it is.
pub async fn import(
    process: &Process,
    sinks: &Sinks,
    options: ImportOptions,
    tell: impl Fn(Progress),
) -> Result<Summary, ImportError> {
    let began = Instant::now();
    EventSink::ready_tenant(process, &options.tenant, "import").await?;
    let name = options.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let opened = open(options.clone(), name.clone()).await?;
    let mut summary =
        Summary { format: Some(opened.format), mapping: opened.rows.describe(), ..Summary::default() };

    let progress = Keeper {
        control: &process.control,
        id: format!("{}/{}", options.tenant, opened.id),
        tenant: &options.tenant,
    };
    let fresh = Kept { file: name.clone(), rows: 0, began_at: now_ms(), done: false };
    let mut kept = progress.load().unwrap_or(fresh);
    if kept.done && !options.again {
        summary.nothing_to_do = true;
        summary.before = kept.rows;
        return Ok(summary);
    }
    if kept.done {
        (kept.rows, kept.done) = (0, false);
    }
    progress.save(&kept).await?;
    summary.before = kept.rows;

    let context = Context {
        tenant: options.tenant.clone(),
        file: opened.id.chars().take(12).collect(),
        mapping: opened.rows.fingerprint(),
        began_at: kept.began_at,
        received_at: now_ms(),
    };
    let (sender, mut batches) = mpsc::channel(2);
    let (skip, size) = (kept.rows, opened.size);
    let reader = tokio::task::spawn_blocking(move || read(opened.rows, skip, &context, &sender));
    let writer = Writer { sinks: sinks.clone(), tenant: options.tenant.clone(), name };
    let mut in_flight: VecDeque<(u64, u64, Batch)> = VecDeque::new();
    let mut saved = Instant::now();
    let mut open = true;
    while open || !in_flight.is_empty() {
        if open && in_flight.len() < IN_FLIGHT {
            let next = tokio::select! {
                next = batches.recv() => next,
                () = process.shutdown.cancelled() => {
                    progress.save(&kept).await?;
                    return Err(ImportError::Interrupted);
                }
            };
            match next {
                Some((rows, position)) => {
                    let count = rows.len() as u64;
                    in_flight.push_back((count, position, writer.spawn(rows)));
                }
                None => open = false,
            }
            continue;
        }
        // The oldest first: what is kept never runs ahead of what is acknowledged.
        let Some((count, position, batch)) = in_flight.pop_front() else { continue };
        let refused = match batch.await.expect("writing a batch does not panic") {
            Ok(refused) => refused,
            Err(error) => {
                progress.save(&kept).await?;
                return Err(ImportError::Broker(Box::new(error)));
            }
        };
        kept.rows += count;
        summary.taken += count - refused.len() as u64;
        for (line, reason) in refused {
            *summary.refused.entry(reason).or_default() += 1;
            if summary.examples.len() < 5 {
                summary.examples.push((line, reason));
            }
        }
        tell(Progress { bytes: position, of: size, rows: kept.rows, refused: summary.refused_rows() });
        if saved.elapsed() >= SAVE_EVERY {
            progress.save(&kept).await?;
            saved = Instant::now();
        }
    }
    let read = reader.await.expect("reading rows does not panic");
    read.map_err(|source| ImportError::Read { path: options.path.clone(), source })?;
    kept.done = true;
    progress.save(&kept).await?;
    summary.elapsed = began.elapsed();
    audit(sinks, &options.tenant, &kept, &summary).await;
    Ok(summary)
}

/// A file, ready to be read.
struct Opened {
    rows: Rows<File>,
    format: Format,
    size: u64,
    /// Hash of content and mapping.
    id: String,
}

async fn open(options: ImportOptions, name: String) -> Result<Opened, ImportError> {
    tokio::task::spawn_blocking(move || {
        let failed = |source| ImportError::Read { path: options.path.clone(), source };
        let (hash, head, size) = survey(&options.path).map_err(failed)?;
        let format = options.format.unwrap_or_else(|| Format::guess(&name, &head));
        let columns = row::columns(format, &head).map_err(failed)?;
        let file = File::open(&options.path).map_err(failed)?;
        let rows = Rows::new(format, file, &head, columns, &options.mapping)?;
        let id = format!("{hash}-{:016x}", rows.fingerprint());
        Ok(Opened { rows, format, size, id })
    })
    .await
    .expect("opening a file does not panic")
}

/// The file's hash, beginning and size.
fn survey(path: &Path) -> io::Result<(String, Vec<u8>, u64)> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut size = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        size += read as u64;
    }
    file.rewind()?;
    let mut head = Vec::with_capacity(HEAD_BYTES);
    file.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    let hash = hash.finalize().iter().take(16).fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    Ok((hash, head, size))
}

/// Reads rows in batches until the file ends or no one wants more.
fn read(
    mut rows: Rows<File>,
    skip: u64,
    context: &Context,
    sender: &mpsc::Sender<(Vec<Row>, u64)>,
) -> io::Result<()> {
    for _ in 0..skip {
        if !rows.skip()? {
            return Ok(());
        }
    }
    loop {
        let mut batch = Vec::with_capacity(BATCH);
        let mut ended = false;
        while batch.len() < BATCH {
            match rows.next(context)? {
                Some(row) => batch.push(row),
                None => {
                    ended = true;
                    break;
                }
            }
        }
        let nothing = batch.is_empty();
        if (!nothing && sender.blocking_send((batch, rows.position())).is_err()) || ended {
            return Ok(());
        }
    }
}

/// Writes batches.
#[derive(Clone)]
struct Writer {
    sinks: Sinks,
    tenant: String,
    name: String,
}

impl Writer {
    fn spawn(&self, rows: Vec<Row>) -> Batch {
        let writer = self.clone();
        tokio::spawn(async move {
            let written = join_all(rows.into_iter().map(|row| writer.write(row))).await;
            written.into_iter().filter_map(Result::transpose).collect()
        })
    }

    /// Writes a row; gives its line and why if it is refused.
    async fn write(&self, row: Row) -> Result<Option<(u64, &'static str)>, SendError> {
        let line = row.line;
        let (reason, error, bytes, event_id) = match row.event {
            Ok(mapped) => {
                let (event, content) = *mapped;
                let sent = patiently(|| self.sinks.events.send(event.clone(), &content)).await;
                match sent {
                    Ok(_) => return Ok(None),
                    Err(error) if error.retry() => return Err(error),
                    Err(error) => (error.reason(), error.to_string(), Vec::new(), Some(event.event_id)),
                }
            }
            Err((error, bytes)) => (error.reason(), error.to_string(), bytes, None),
        };
        let refusal = Refusal {
            tenant: &self.tenant,
            stage: Stage::Import,
            reason,
            error,
            fix: Cow::Borrowed("correct the row, or map its columns with --map, and import again"),
            source: format!("{}:{line}", self.name),
            event_id,
            attempts: 1,
            payload: (!bytes.is_empty()).then_some(&bytes),
        };
        patiently(|| self.sinks.dead_letters.send(refusal.clone())).await?;
        Ok(Some((line, reason)))
    }
}

/// Tries for as long as [`PATIENCE`] lasts.
async fn patiently<T, F: Future<Output = Result<T, SendError>>>(
    send: impl Fn() -> F,
) -> Result<T, SendError> {
    let deadline = Instant::now() + PATIENCE;
    let mut waits = RESEND.waits();
    loop {
        match send().await {
            Err(error) if error.retry() && Instant::now() < deadline => {
                tracing::debug!(%error, "a row is not acknowledged, trying again");
                tokio::time::sleep(waits.next().unwrap_or(RESEND.most)).await;
            }
            settled => return settled,
        }
    }
}

/// Where progress is kept.
struct Keeper<'a> {
    control: &'a Control,
    id: String,
    tenant: &'a str,
}

impl Keeper<'_> {
    fn load(&self) -> Option<Kept> {
        serde_json::from_str(&self.control.get(KIND, &self.id)?.body).ok()
    }

    async fn save(&self, kept: &Kept) -> Result<(), ControlError> {
        let body = serde_json::to_value(kept).expect("texts, numbers and truths are JSON");
        self.control.put_json(KIND, &self.id, self.tenant, "import", &body).await
    }
}

async fn audit(sinks: &Sinks, tenant: &str, kept: &Kept, summary: &Summary) {
    let record = AuditRecord {
        audit_id: uuid::Uuid::now_v7().to_string(),
        tenant: tenant.to_owned(),
        at: now_ms(),
        actor_kind: ActorKind::System,
        actor: "import".to_owned(),
        action: "import.file".into(),
        resource: kept.file.clone(),
        outcome: AuditOutcome::Ok,
        detail: [
            ("taken".into(), summary.taken.to_string()),
            ("refused".into(), summary.refused_rows().to_string()),
        ]
        .into(),
        source_ip: None,
        user_agent: None,
        request_id: None,
    };
    if let Err(error) = sinks.audit.send(tenant, &record).await {
        tracing::warn!(%error, "the import's audit record is not acknowledged");
    }
}
