//! The file: entries in the order in which they came, each on disk before it is reported as kept.
//!
//! One thread owns the file. It takes what waits, writes it in one transaction and syncs once for all of it; so the
//! more arrives at a time, the cheaper each is. A transaction is there as a whole or not at all, also after `kill -9`
//! or a power cut: redb verifies checksums of every page when it is opened. See decision 0018.

use super::SpoolError;
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Tenant, kind, data key, nonce and ciphertext by the entry's number.
type Row<'a> = (&'a str, u8, &'a str, &'a [u8], &'a [u8]);

const ENTRIES: TableDefinition<'static, u64, Row<'static>> = TableDefinition::new("entries");

/// Pages in memory: entries pass through once, so that more would be of no use.
const CACHE_BYTES: usize = 8 * 1024 * 1024;

/// Most requests to the thread that wait; whoever comes then waits before that.
const QUEUE: usize = 1024;

/// A file that is empty and larger than this gives its room back.
const KEPT_BYTES: u64 = 64 * 1024 * 1024;

/// What an entry takes besides its bytes: its place in the tree, rounded up.
const OVERHEAD_BYTES: usize = 64;

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) tenant: String,
    /// See `entry`.
    pub(super) kind: u8,
    pub(super) key_id: String,
    pub(super) nonce: Vec<u8>,
    pub(super) ciphertext: Vec<u8>,
}

impl Entry {
    /// What it counts for against the spool's bound.
    pub(super) fn bytes(&self) -> usize {
        bytes(&self.tenant, &self.key_id, &self.nonce, &self.ciphertext)
    }
}

fn bytes(tenant: &str, key_id: &str, nonce: &[u8], ciphertext: &[u8]) -> usize {
    tenant.len() + key_id.len() + nonce.len() + ciphertext.len() + OVERHEAD_BYTES
}

/// What lay in the file when it was opened.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) entries: u64,
}

enum Job {
    Append(Entry, oneshot::Sender<Result<(), SpoolError>>),
    Remove(Vec<u64>, oneshot::Sender<Result<(), SpoolError>>),
    Read { most_entries: usize, most_bytes: usize, done: oneshot::Sender<Read> },
}

type Read = Result<Vec<(u64, Entry)>, SpoolError>;

/// The file, from outside its thread; cheap to clone.
#[derive(Clone)]
pub(super) struct Store {
    jobs: mpsc::Sender<Job>,
}

impl Store {
    /// Opens the file in `directory`, and makes both if they are missing. `each` is told of what lies there. May take as
    /// long as reading the whole file does: not for async code.
    pub(super) fn open(
        directory: &Path,
        mut each: impl FnMut(&str, usize),
    ) -> Result<(Self, Found), SpoolError> {
        std::fs::create_dir_all(directory)
            .map_err(|source| SpoolError::Directory { directory: directory.to_owned(), source })?;
        let path = directory.join("spool.redb");
        let database = open(&path)?;
        // The file's name has to be on disk as well as its content.
        let synced = std::fs::File::open(directory).and_then(|directory| directory.sync_all());
        synced.map_err(|source| SpoolError::Directory { directory: directory.to_owned(), source })?;
        let mut found = Found::default();
        let mut next = 0;
        let reading = database.begin_read()?;
        for entry in reading.open_table(ENTRIES)?.iter()? {
            let (number, value) = entry?;
            let (tenant, _, key_id, nonce, ciphertext) = value.value();
            each(tenant, bytes(tenant, key_id, nonce, ciphertext));
            found.entries += 1;
            next = number.value() + 1;
        }
        drop(reading);
        let (jobs, queue) = mpsc::channel(QUEUE);
        let keeper = Keeper { path, database: Some(database), next };
        std::thread::Builder::new()
            .name("spool".to_owned())
            .spawn(move || keeper.run(queue))
            .expect("the system has threads to give at start");
        Ok((Self { jobs }, found))
    }

    /// Keeps an entry behind all others; returns when it is on disk.
    pub(super) async fn append(&self, entry: Entry) -> Result<(), SpoolError> {
        let (done, answer) = oneshot::channel();
        self.ask(Job::Append(entry, done), answer).await
    }

    /// Removes entries for good.
    pub(super) async fn remove(&self, numbers: Vec<u64>) -> Result<(), SpoolError> {
        let (done, answer) = oneshot::channel();
        self.ask(Job::Remove(numbers, done), answer).await
    }

    /// The first entries: one at least, if there is one.
    pub(super) async fn read(&self, most_entries: usize, most_bytes: usize) -> Read {
        let (done, answer) = oneshot::channel();
        self.ask(Job::Read { most_entries, most_bytes, done }, answer).await
    }

    async fn ask<T>(
        &self,
        job: Job,
        answer: oneshot::Receiver<Result<T, SpoolError>>,
    ) -> Result<T, SpoolError> {
        self.jobs.send(job).await.map_err(|_| SpoolError::Ended)?;
        answer.await.map_err(|_| SpoolError::Ended)?
    }
}

fn open(path: &Path) -> Result<Database, SpoolError> {
    let database = Database::builder()
        .set_cache_size(CACHE_BYTES)
        .set_check_integrity_on_open(true)
        .create(path)
        .map_err(|source| match source {
            redb::DatabaseError::DatabaseAlreadyOpen => SpoolError::InUse(path.to_owned()),
            source => SpoolError::Open { path: path.to_owned(), source: Box::new(source) },
        })?;
    let made = database.begin_write()?;
    made.open_table(ENTRIES)?;
    made.commit()?;
    Ok(database)
}

/// The thread that owns the file.
struct Keeper {
    path: PathBuf,
    /// None after an error that only opening it again can mend.
    database: Option<Database>,
    next: u64,
}

type Done = (oneshot::Sender<Result<(), SpoolError>>, Result<(), SpoolError>);

impl Keeper {
    fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut jobs = Vec::with_capacity(QUEUE);
        while let Some(first) = queue.blocking_recv() {
            jobs.push(first);
            while jobs.len() < QUEUE
                && let Ok(more) = queue.try_recv()
            {
                jobs.push(more);
            }
            self.work(jobs.drain(..));
        }
    }

    /// Does all of it in one transaction, then the reads.
    fn work(&mut self, jobs: impl Iterator<Item = Job>) {
        let (mut writes, mut reads) = (Vec::new(), Vec::new());
        for job in jobs {
            match job {
                Job::Read { most_entries, most_bytes, done } => reads.push((most_entries, most_bytes, done)),
                write => writes.push(write),
            }
        }
        if !writes.is_empty() {
            self.write(writes);
        }
        for (most_entries, most_bytes, done) in reads {
            let read = self.opened().and_then(|database| read(database, most_entries, most_bytes));
            drop(done.send(read));
        }
    }

    fn write(&mut self, writes: Vec<Job>) {
        let mut next = self.next;
        let result = self.opened().and_then(|database| {
            let writing = database.begin_write()?;
            {
                let mut table = writing.open_table(ENTRIES)?;
                for write in &writes {
                    match write {
                        Job::Append(entry, _) => {
                            let Entry { tenant, kind, key_id, nonce, ciphertext } = entry;
                            let value = (tenant.as_str(), *kind, key_id.as_str(), &**nonce, &**ciphertext);
                            table.insert(next, value)?;
                            next += 1;
                        }
                        Job::Remove(numbers, _) => {
                            for number in numbers {
                                table.remove(number)?;
                            }
                        }
                        Job::Read { .. } => {}
                    }
                }
            }
            writing.commit()?;
            Ok(())
        });
        let removed = writes.iter().any(|write| matches!(write, Job::Remove(..)));
        if result.is_ok() {
            self.next = next;
            if removed {
                self.give_room_back();
            }
        } else {
            // redb refuses everything after an error of the disk: the file is opened anew, and checked.
            self.database = None;
        }
        let result = result.map_err(Arc::new);
        let answers = writes.into_iter().filter_map(|write| match write {
            Job::Append(_, done) | Job::Remove(_, done) => Some(done),
            Job::Read { .. } => None,
        });
        for done in answers {
            let (done, result): Done = (done, result.clone().map_err(SpoolError::Disk));
            drop(done.send(result));
        }
    }

    fn opened(&mut self) -> Result<&mut Database, SpoolError> {
        if self.database.is_none() {
            self.database = Some(open(&self.path)?);
        }
        Ok(self.database.as_mut().expect("it was opened just now"))
    }

    fn give_room_back(&mut self) {
        let large = std::fs::metadata(&self.path).is_ok_and(|file| file.len() > KEPT_BYTES);
        let Some(database) = self.database.as_mut().filter(|_| large) else { return };
        let empty = database.begin_read().ok().and_then(|reading| {
            let table = reading.open_table(ENTRIES).ok()?;
            table.is_empty().ok()
        });
        if empty == Some(true)
            && let Err(error) = database.compact()
        {
            tracing::warn!(%error, "the spool's file keeps its size");
        }
    }
}

fn read(database: &Database, most_entries: usize, most_bytes: usize) -> Read {
    let reading = database.begin_read()?;
    let table = reading.open_table(ENTRIES)?;
    let (mut entries, mut size) = (Vec::new(), 0);
    for entry in table.iter()? {
        let (number, value) = entry?;
        let (tenant, kind, key_id, nonce, ciphertext) = value.value();
        size += bytes(tenant, key_id, nonce, ciphertext);
        if entries.len() >= most_entries || (size > most_bytes && !entries.is_empty()) {
            break;
        }
        entries.push((
            number.value(),
            Entry {
                tenant: tenant.to_owned(),
                kind,
                key_id: key_id.to_owned(),
                nonce: nonce.to_vec(),
                ciphertext: ciphertext.to_vec(),
            },
        ));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: usize) -> Entry {
        Entry {
            tenant: format!("t{}", number % 3),
            kind: 1,
            key_id: "t/1".into(),
            nonce: vec![7; 24],
            ciphertext: format!("entry {number} {}", "x".repeat(1500)).into_bytes(),
        }
    }

    async fn numbers(store: &Store) -> Vec<u64> {
        store.read(100_000, usize::MAX).await.unwrap().into_iter().map(|(number, _)| number).collect()
    }

    async fn append(store: &Store, numbers: std::ops::Range<usize>) {
        futures::future::try_join_all(numbers.map(|number| store.append(entry(number)))).await.unwrap();
    }

    #[tokio::test]
    async fn what_was_kept_is_there_in_order_after_the_file_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        {
            let (store, _) = Store::open(folder.path(), |_, _| {}).unwrap();
            append(&store, 0..500).await;
            let first = store.read(10, usize::MAX).await.unwrap();
            assert_eq!(first[9].1, entry(9));
            store.remove(first.into_iter().map(|(number, _)| number).collect()).await.unwrap();
        }
        let mut by_tenant = std::collections::BTreeMap::new();
        // The first one's thread ends by itself, and gives its lock back when it does.
        let (store, found) = loop {
            by_tenant.clear();
            let each = |tenant: &str, bytes| *by_tenant.entry(tenant.to_owned()).or_default() += bytes;
            match Store::open(folder.path(), each) {
                Err(SpoolError::InUse(_)) => tokio::task::yield_now().await,
                opened => break opened.unwrap(),
            }
        };
        assert_eq!(found.entries, 490);
        assert_eq!(by_tenant.values().sum::<usize>(), (10..500).map(|n| entry(n).bytes()).sum::<usize>());
        append(&store, 500..501).await;
        assert_eq!(numbers(&store).await, (10..501).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn one_file_has_one_owner() {
        let folder = tempfile::tempdir().unwrap();
        let (_store, _) = Store::open(folder.path(), |_, _| {}).unwrap();
        assert!(matches!(Store::open(folder.path(), |_, _| {}), Err(SpoolError::InUse(_))));
    }

    #[tokio::test]
    async fn a_file_whose_bytes_were_changed_is_refused_rather_than_believed() {
        use std::os::unix::fs::FileExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool.redb");
        let copy = tempfile::tempdir().unwrap();
        {
            let (store, _) = Store::open(folder.path(), |_, _| {}).unwrap();
            append(&store, 0..300).await;
            // As a crash would leave it: the owner has not closed it.
            std::fs::copy(&path, copy.path().join("spool.redb")).unwrap();
        }
        let torn = copy.path().join("spool.redb");
        let bytes = std::fs::read(&torn).unwrap();
        let at = bytes.windows(9).rposition(|window| window == b"entry 299").unwrap();
        std::fs::File::options().write(true).open(&torn).unwrap().write_all_at(b"ENTRY", at as u64).unwrap();
        // The last transaction is torn: what was before it is there, or nothing is believed.
        match Store::open(copy.path(), |_, _| {}) {
            Ok((store, _)) => {
                let there = store.read(1000, usize::MAX).await.unwrap();
                assert!(there.iter().all(|(number, found)| *found == entry(*number as usize)));
                assert!(there.len() < 300, "the changed page was not noticed");
            }
            Err(error) => assert!(matches!(error, SpoolError::Open { .. }), "{error:?}"),
        }
    }

    #[tokio::test]
    async fn the_file_takes_no_more_than_twice_what_it_holds_and_gives_it_back() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path(), |_, _| {}).unwrap();
        let on_disk = || std::fs::metadata(folder.path().join("spool.redb")).unwrap().blocks() * 512;
        let mut held = 0;
        for round in 0..60 {
            append(&store, round * 1000..(round + 1) * 1000).await;
            held += 1000 * entry(round * 1000).bytes() as u64;
        }
        assert!(on_disk() < 2 * held, "{} on disk for {held}", on_disk());
        let all = numbers(&store).await;
        for some in all.chunks(1000) {
            store.remove(some.to_vec()).await.unwrap();
        }
        assert!(on_disk() <= KEPT_BYTES, "{}", on_disk());
    }
}
