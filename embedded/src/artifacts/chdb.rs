//! The ClickHouse engine as a library (`libchdb.so`, Apache-2.0) from its npm package. No Node code runs: the
//! package is only an archive that holds the file.

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sha2::{Digest, Sha256};

use super::{Artifacts, sha256, sync};
use crate::{Error, Result, tools};

/// The package's version; its dist-tag `latest` is an older one.
pub const VERSION: &str = "26.7.3-stable.1";
const PACKAGE: &str = "@chdb/lib-linux-x64-gnu";
const DIGEST: &str = "36ad4e999882821ef13cf2d0f52c93f48e6ee1b4498b35a201c23ce4b8d15bf5";
const BYTES: u64 = 566_000_000;

pub(super) fn library(artifacts: &Artifacts) -> PathBuf {
    artifacts.root.join("clickhouse").join(VERSION).join("libchdb.so")
}

pub(super) fn verify(library: &Path) -> Result<()> {
    check(library, sha256(library)?)
}

fn check(path: &Path, found: String) -> Result<()> {
    if found == DIGEST {
        return Ok(());
    }
    Err(Error::Checksum { path: path.into(), expected: DIGEST.into(), found })
}

pub(super) fn ensure(artifacts: &Artifacts) -> Result<PathBuf> {
    let library = library(artifacts);
    if library.is_file() {
        return Ok(library);
    }
    if !cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")) {
        return Err(Error::Unsupported {
            what: "ClickHouse engine",
            target: format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH),
            flag: "--clickhouse URL",
        });
    }
    let _lock = artifacts.lock()?;
    if !library.is_file() {
        fetch(artifacts, &library)?;
    }
    Ok(library)
}

fn fetch(artifacts: &Artifacts, library: &Path) -> Result<()> {
    let scratch = artifacts.scratch()?;
    let archive = match seeded(artifacts) {
        Some(path) => path,
        None => download(artifacts, scratch.path())?,
    };
    let task = artifacts.progress.task("unpacking the ClickHouse engine");
    task.bytes(BYTES);
    let unpacked = scratch.path().join("libchdb.so");
    let found = unpack(&archive, &unpacked, |count| task.advance(count))?;
    check(&archive, found)?;
    let parent = library.parent().unwrap_or(library);
    fs::create_dir_all(parent).map_err(Error::file("create", parent))?;
    fs::rename(&unpacked, library).map_err(Error::file("move the ClickHouse engine to", library))?;
    sync(parent)?;
    task.done("ready");
    Ok(())
}

/// An archive that somebody put there, for machines without a package registry.
fn seeded(artifacts: &Artifacts) -> Option<PathBuf> {
    let path = artifacts.root.join("downloads").join(format!("chdb-lib-linux-x64-gnu-{VERSION}.tgz"));
    path.is_file().then_some(path)
}

fn download(artifacts: &Artifacts, into: &Path) -> Result<PathBuf> {
    let npm = tools::NPM.find()?;
    let task = artifacts.progress.task(format!("fetching the ClickHouse engine {VERSION} (178 MB, once)"));
    let mut command = Command::new(npm);
    command.args(["pack", "--silent", "--ignore-scripts", "--pack-destination"]).arg(into);
    command.arg(format!("{PACKAGE}@{VERSION}")).current_dir(into);
    tools::run(&mut command, "fetching the ClickHouse engine with npm")?;
    task.done("downloaded");
    let name = format!("{}-{VERSION}.tgz", PACKAGE.trim_start_matches('@').replace('/', "-"));
    Ok(into.join(name))
}

/// Streams the one file out of the archive to `target`, synced, and returns its digest.
fn unpack(archive: &Path, target: &Path, mut progress: impl FnMut(u64)) -> Result<String> {
    let spawn = |source| Error::Spawn { program: "tar".into(), source };
    let mut tar = Command::new("tar")
        .arg("-xzOf")
        .arg(archive)
        .arg("package/libchdb.so")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(spawn)?;
    let mut file = File::create(target).map_err(Error::file("create", target))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    if let Some(mut bytes) = tar.stdout.take() {
        loop {
            let count = bytes.read(&mut buffer).map_err(Error::file("unpack", archive))?;
            if count == 0 {
                break;
            }
            hash.update(&buffer[..count]);
            file.write_all(&buffer[..count]).map_err(Error::file("write", target))?;
            progress(count as u64);
        }
    }
    let status = tar.wait().map_err(spawn)?;
    if !status.success() {
        let what = "unpacking the ClickHouse engine with tar".to_owned();
        return Err(Error::Command { what, status, detail: archive.display().to_string() });
    }
    file.sync_all().map_err(Error::file("sync", target))?;
    Ok(hex::encode(hash.finalize()))
}

#[cfg(test)]
#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
mod tests {
    use super::*;
    use crate::Progress;

    /// Packs `content` as the npm package would.
    fn archive(directory: &Path, content: &str) {
        fs::create_dir_all(directory.join("package")).unwrap();
        fs::write(directory.join("package/libchdb.so"), content).unwrap();
        fs::create_dir_all(directory.join("downloads")).unwrap();
        let target = directory.join("downloads").join(format!("chdb-lib-linux-x64-gnu-{VERSION}.tgz"));
        let status =
            Command::new("tar").arg("-C").arg(directory).arg("-czf").arg(&target).arg("package").status();
        assert!(status.unwrap().success());
    }

    #[test]
    fn a_wrong_library_is_refused_and_leaves_nothing_behind() {
        let root = tempfile::tempdir().unwrap();
        archive(root.path(), "not the engine");
        let artifacts = Artifacts::at(root.path(), Progress::silent());
        assert!(matches!(artifacts.chdb(), Err(Error::Checksum { .. })));
        assert!(!artifacts.has_chdb());
        let leftovers: Vec<_> = fs::read_dir(root.path())
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".fetch-"))
            .collect();
        assert!(leftovers.is_empty(), "{leftovers:?}");
    }

    #[test]
    fn a_broken_archive_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        archive(root.path(), "x");
        let path = seeded(&Artifacts::at(root.path(), Progress::silent())).unwrap();
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let artifacts = Artifacts::at(root.path(), Progress::silent());
        assert!(matches!(artifacts.chdb(), Err(Error::Command { .. })));
    }
}
