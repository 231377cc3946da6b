//! A child process under the guard: started, watched, stopped, and for fault tests killed or frozen.

use std::{
    ffi::{OsStr, OsString},
    fs::OpenOptions,
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use crate::{Error, Result, binaries, guard};

/// What to run, and how it ends.
#[derive(Debug)]
pub struct Spec {
    /// The part's name, for messages.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments: visible to every user of the machine, so no secrets.
    pub args: Vec<OsString>,
    /// Variables added to our own environment; secrets go here.
    pub env: Vec<(String, OsString)>,
    /// Where it runs.
    pub directory: PathBuf,
    /// Standard output and error are appended to this file.
    pub log: PathBuf,
    /// Held while the process lives, so that two never work on the same data.
    pub lock: PathBuf,
    /// From TERM to KILL.
    pub grace: Duration,
    /// A directory that is removed after the process's end if we are gone by then.
    pub remove: Option<PathBuf>,
}

/// A running child. Dropping it stops it gracefully and waits for that.
#[derive(Debug)]
pub struct Supervised {
    name: String,
    log: PathBuf,
    guard: Child,
    /// Open as long as the child shall live.
    leash: Option<ChildStdin>,
    group: Pid,
}

impl Supervised {
    /// Starts the guard and, through it, the program; returns when the program's process exists.
    pub fn spawn(spec: &Spec) -> Result<Self> {
        let guard = binaries::locate(binaries::GUARD)?;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&spec.log)
            .map_err(Error::file("open log file", &spec.log))?;
        let mut command = Command::new(&guard);
        command.arg("--lock").arg(&spec.lock);
        command.arg("--grace-ms").arg(spec.grace.as_millis().to_string());
        if let Some(directory) = &spec.remove {
            command.arg("--remove").arg(directory);
        }
        command.arg("--").arg(&spec.program).args(&spec.args);
        command.envs(spec.env.iter().map(|(name, value)| (name, value)));
        command.current_dir(&spec.directory);
        // Our own group: a Ctrl-C in the terminal is ours to handle, in our order.
        command.process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut guard = command
            .spawn()
            .map_err(|source| Error::Spawn { program: guard.display().to_string(), source })?;

        let leash = guard.stdin.take();
        let mut said = String::new();
        if let Some(stdout) = guard.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut said)
                .map_err(Error::file("read the guard's answer for", &spec.log))?;
        }
        let pid = said.trim_end().strip_prefix("pid ").and_then(|text| text.parse().ok());
        let Some(pid) = pid else {
            drop(leash);
            let status = guard.wait().map_err(Error::file("wait for the guard of", &spec.program))?;
            let what = spec.name.clone();
            if status.code() == Some(i32::from(guard::EXIT_LOCKED)) {
                return Err(Error::InUse { what, lock: spec.lock.clone() });
            }
            return Err(Error::Exited {
                what,
                status: status.to_string(),
                tail: tail(&spec.log),
                log: spec.log.clone(),
            });
        };
        Ok(Self { name: spec.name.clone(), log: spec.log.clone(), guard, leash, group: Pid::from_raw(pid) })
    }

    /// The child's process id, which is its group's too.
    pub fn pid(&self) -> u32 {
        self.group.as_raw().cast_unsigned()
    }

    /// The guard's process id.
    pub fn guard_pid(&self) -> u32 {
        self.guard.id()
    }

    /// Whether it has ended, and how (a signal's number + 128 as the code).
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.guard.try_wait().ok().flatten()
    }

    /// The error for a child that has ended too soon, or `None` while it runs.
    pub fn failure(&mut self) -> Option<Error> {
        self.exited().map(|status| Error::Exited {
            what: self.name.clone(),
            status: status.to_string(),
            log: self.log.clone(),
            tail: tail(&self.log),
        })
    }

    /// Tells it to stop, without waiting for that.
    pub fn release(&mut self) {
        if let Some(mut leash) = self.leash.take() {
            // A word before the end says that we are alive: the guard then leaves the cleaning to us.
            let _ = leash.write_all(b".");
        }
    }

    /// Stops it: TERM, KILL after the grace time. Returns when it is gone.
    pub fn stop(&mut self) {
        self.release();
        // The guard always ends: after the grace time it kills.
        let _ = self.guard.wait();
    }

    /// Kills it at once, as a crash would. Returns when it is gone.
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        let _ = self.guard.wait();
    }

    /// Sends a signal to the child's group, if it still runs.
    pub fn signal(&mut self, signal: Signal) {
        if self.exited().is_none() {
            // The group may end in this moment; then there is nothing to signal.
            let _ = killpg(self.group, signal);
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The most telling recent line of a log: the last that names an error, else the last at all.
pub(crate) fn tail(log: &Path) -> String {
    telling(&read_end(log, 64 * 1024))
}

/// The most telling line of an output, as [`tail`] says.
pub(crate) fn telling(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let names_error = |line: &&&str| {
        ["ERROR", "FATAL", "Exception", "Error", "error:", "deskstream-guard:"]
            .iter()
            .any(|word| line.contains(word))
    };
    let line = lines.iter().rev().find(names_error).or(lines.last());
    line.map_or_else(|| "nothing was logged".to_owned(), |line| line.chars().take(400).collect())
}

/// The last `limit` bytes of a file, as far as it can be read.
pub(crate) fn read_end(path: &Path, limit: u64) -> String {
    use std::io::{Read, Seek, SeekFrom};
    let mut text = Vec::new();
    if let Ok(mut file) = std::fs::File::open(path) {
        let length = file.metadata().map_or(0, |data| data.len());
        let _ = file.seek(SeekFrom::Start(length.saturating_sub(limit)));
        let _ = file.take(limit).read_to_end(&mut text);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Turns string-likes into arguments.
pub(crate) fn args<I>(items: I) -> Vec<OsString>
where
    I: IntoIterator,
    I::Item: AsRef<OsStr>,
{
    items.into_iter().map(|item| item.as_ref().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_prefers_a_line_that_names_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "start\n[1] ERROR Exiting: no disk\nshut down\n\n").unwrap();
        assert_eq!(tail(file.path()), "[1] ERROR Exiting: no disk");
        std::fs::write(file.path(), "start\nrunning\n").unwrap();
        assert_eq!(tail(file.path()), "running");
        assert_eq!(tail(Path::new("/does/not/exist")), "nothing was logged");
    }
}
