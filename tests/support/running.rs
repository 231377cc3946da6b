//! `deskstream demo` as it runs on a user's machine.
#![allow(dead_code, reason = "each test uses its part")]

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A demo has started, or a panel has got its answer, within this time.
pub const PATIENCE: Duration = Duration::from_secs(150);

/// Command lines of all processes that speak of the folder.
pub fn processes_of(folder: &Path) -> BTreeSet<String> {
    let folder = folder.to_str().unwrap();
    let lines = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.contains(folder).then_some(line)
    });
    lines.collect()
}

/// A demo that runs until it is told to stop; killed if the test fails before.
pub struct Running {
    child: Child,
    pub folder: tempfile::TempDir,
}

impl Running {
    pub fn start(rate: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| fs::File::create(folder.path().join(name)).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_deskstream"))
            .args(["demo", "--rate", rate, "--data"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(file("said"))
            .stderr(file("complained"))
            .spawn()
            .unwrap();
        Self { child, folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits for the welcome; gives what follows the names in it.
    pub async fn welcome(&mut self) -> BTreeMap<String, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = fs::read_to_string(self.path("said")).unwrap();
            if said.contains("Ctrl-C ends it") {
                let entries = said.lines().filter_map(|l| l.strip_prefix("  ")?.trim().split_once("  "));
                return entries.map(|(k, v)| (k.to_owned(), v.trim().to_owned())).collect();
            }
            let complained = fs::read_to_string(self.path("complained")).unwrap();
            assert!(self.child.try_wait().unwrap().is_none(), "the demo has ended: {complained}");
            assert!(Instant::now() < deadline, "the demo is not up: {complained}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Ends it as Ctrl-C does.
    pub fn interrupt(mut self) {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGINT).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {}", fs::read_to_string(self.path("complained")).unwrap());
        assert_eq!(processes_of(self.folder.path()), BTreeSet::new());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Its children are bound to it and end with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
