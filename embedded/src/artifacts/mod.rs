//! What the embedded default needs from the package registries, fetched once into the user's cache.
//!
//! ```text
//! ${XDG_CACHE_HOME:-$HOME/.cache}/deskstream/
//!   kafka/4.3.1/libs/*.jar                      Apache Kafka and what it needs, by Maven
//!   kafka/4.3.1/cds/<java>.jsa                  class data archive: halves the broker's start
//!   clickhouse/26.7.3-stable.1/libchdb.so       the ClickHouse engine, by npm
//!   fetch.lock                                  one fetch at a time, over all processes
//! ```
//!
//! Contract: a path that exists under its final name is whole and has the pinned SHA-256 digests. Files are
//! written under a temporary name, checked, synced and then renamed, so an interrupted download leaves nothing
//! that looks done. Everything is idempotent and, when already there, costs a few `stat` calls.

mod chdb;
mod kafka;

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::Read,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

pub use self::{
    chdb::VERSION as CLICKHOUSE_VERSION,
    kafka::{KafkaDist, VERSION as KAFKA_VERSION},
};
use crate::{Error, Progress, Result};

/// What unfinished work is called.
const SCRATCH: &str = ".fetch-";

/// The cache and how to fill it.
#[derive(Clone, Debug)]
pub struct Artifacts {
    root: PathBuf,
    progress: Progress,
}

impl Artifacts {
    /// The user's cache directory.
    pub fn new(progress: Progress) -> Result<Self> {
        let root = cache_root().ok_or_else(|| Error::Option {
            option: "HOME",
            detail: "set HOME or XDG_CACHE_HOME: the embedded default keeps its downloads there".into(),
        })?;
        Ok(Self::at(root, progress))
    }

    /// Another directory, for tests.
    pub fn at(root: impl Into<PathBuf>, progress: Progress) -> Self {
        Self { root: root.into(), progress }
    }

    /// Where everything lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Apache Kafka, fetched if it is not there.
    pub fn kafka(&self) -> Result<KafkaDist> {
        kafka::ensure(self)
    }

    /// Whether [`Artifacts::kafka`] would find everything there.
    pub fn has_kafka(&self) -> bool {
        kafka::libs(self).is_dir()
    }

    /// `libchdb.so`, fetched if it is not there.
    pub fn chdb(&self) -> Result<PathBuf> {
        chdb::ensure(self)
    }

    /// Whether [`Artifacts::chdb`] would find it there.
    pub fn has_chdb(&self) -> bool {
        chdb::library(self).is_file()
    }

    /// Checks what is there against the pinned digests: slow (600 MB are read), for the doctor.
    pub fn verify(&self) -> Result<()> {
        if self.has_kafka() {
            kafka::verify(&kafka::libs(self))?;
        }
        if self.has_chdb() {
            chdb::verify(&chdb::library(self))?;
        }
        Ok(())
    }

    /// Waits until no other process fetches.
    fn lock(&self) -> Result<File> {
        fs::create_dir_all(&self.root).map_err(Error::file("create", &self.root))?;
        let path = self.root.join("fetch.lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(Error::file("open", &path))?;
        if file.try_lock().is_err() {
            let task = self.progress.task("waiting for another process that fetches");
            file.lock().map_err(Error::file("lock", &path))?;
            task.done("it is done");
        }
        Ok(file)
    }

    /// A fresh directory on the cache's file system, removed when dropped. Only for the holder of the lock: what
    /// others of its kind have left behind, they were killed.
    fn scratch(&self) -> Result<tempfile::TempDir> {
        let entries = fs::read_dir(&self.root).map_err(Error::file("list", &self.root))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(SCRATCH) {
                let _ = fs::remove_dir_all(&path);
            }
        }
        tempfile::Builder::new()
            .prefix(SCRATCH)
            .tempdir_in(&self.root)
            .map_err(Error::file("create a directory in", &self.root))
    }
}

/// `${XDG_CACHE_HOME:-$HOME/.cache}/deskstream`; an empty or relative XDG value counts as unset, as the XDG
/// base directory specification says.
pub fn cache_root() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("deskstream"))
}

/// The hexadecimal SHA-256 of a file.
fn sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(Error::file("open", path))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(Error::file("read", path))? {
            0 => return Ok(hex::encode(hash.finalize())),
            count => hash.update(&buffer[..count]),
        }
    }
}

/// Writes a file's data to the disk itself.
fn sync(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).map_err(Error::file("sync", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_sha256sum() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "abc").unwrap();
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            sha256(file.path()).unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn what_a_killed_fetch_left_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let artifacts = Artifacts::at(root.path(), Progress::silent());
        let left = artifacts.scratch().unwrap().keep();
        fs::write(left.join("half"), "x").unwrap();
        let fresh = artifacts.scratch().unwrap();
        assert!(!left.exists() && fresh.path().exists());
    }

    #[test]
    fn a_second_fetch_waits_for_the_first() {
        let root = tempfile::tempdir().unwrap();
        let artifacts = Artifacts::at(root.path(), Progress::silent());
        let held = artifacts.lock().unwrap();
        let waiting = std::thread::spawn(move || artifacts.lock().map(drop));
        assert!(!waiting.is_finished());
        drop(held);
        waiting.join().unwrap().unwrap();
    }
}
