//! The programs of the machine that we need: Java to run Kafka, Maven and npm to fetch artifacts once.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    Error, Result,
    process::{read_end, telling},
};

/// Kafka 4's class files need this Java at least.
pub const MIN_JAVA: u32 = 17;

/// A program, what it is for, and the Debian package that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tool {
    /// The program's name.
    pub name: &'static str,
    /// What it is needed for, after "is needed".
    pub purpose: &'static str,
    /// The Debian and Ubuntu package.
    pub package: &'static str,
}

/// Runs the Kafka broker.
pub const JAVA: Tool = Tool { name: "java", purpose: "to run Apache Kafka", package: "default-jre-headless" };
/// Fetches the broker's jars.
pub const MAVEN: Tool = Tool { name: "mvn", purpose: "to fetch Apache Kafka once", package: "maven" };
/// Fetches the ClickHouse engine.
pub const NPM: Tool = Tool { name: "npm", purpose: "to fetch the ClickHouse engine once", package: "npm" };

impl Tool {
    /// Finds the program (`JAVA_HOME` first for Java, then `PATH`), or says what to install.
    ///
    /// The advice names every package of this module that is missing, so that one command mends all.
    pub fn find(self) -> Result<PathBuf> {
        self.look().ok_or_else(|| Error::MissingTool {
            tool: self.name,
            purpose: self.purpose,
            fix: install(&missing()),
        })
    }

    /// Finds the program without advice.
    pub fn look(self) -> Option<PathBuf> {
        let home = env::var_os("JAVA_HOME").filter(|_| self == JAVA).map(|home| Path::new(&home).join("bin"));
        let path = env::var_os("PATH").unwrap_or_default();
        home.into_iter()
            .chain(env::split_paths(&path))
            .map(|directory| directory.join(self.name))
            .find(|candidate| candidate.is_file())
    }
}

/// The tools that are not there.
pub fn missing() -> Vec<Tool> {
    [JAVA, MAVEN, NPM].into_iter().filter(|tool| tool.look().is_none()).collect()
}

/// The command that installs these tools on this machine.
pub fn install(tools: &[Tool]) -> String {
    let packages: Vec<&str> = tools.iter().map(|tool| tool.package).collect();
    let packages = packages.join(" ");
    if cfg!(target_os = "macos") {
        return format!(
            "brew install {}",
            packages.replace("default-jre-headless", "openjdk").replace("npm", "node")
        );
    }
    let sudo = if nix::unistd::geteuid().is_root() { "" } else { "sudo " };
    format!("{sudo}apt-get install -y {packages}")
}

/// Java's own statement of its version, such as `17.0.15`, and the major number in it.
pub fn java_version(java: &Path) -> Result<(String, u32)> {
    let text = run(Command::new(java).arg("-version"), "asking Java for its version")?;
    parse_java_version(&text).ok_or_else(|| Error::OldJava {
        path: java.into(),
        found: text.lines().next().unwrap_or("unknown").to_owned(),
        fix: install(&[JAVA]),
    })
}

/// Fails unless `java` can run Kafka 4; returns its version.
pub fn require_java(java: &Path) -> Result<String> {
    let (found, major) = java_version(java)?;
    if major < MIN_JAVA {
        return Err(Error::OldJava { path: java.into(), found, fix: install(&[JAVA]) });
    }
    Ok(found)
}

/// Reads `openjdk version "17.0.15" 2025-04-15`; versions before 9 say `1.8.0_412`.
fn parse_java_version(text: &str) -> Option<(String, u32)> {
    let quoted = text.split_once("version \"")?.1.split_once('"')?.0;
    let mut numbers = quoted.split(['.', '-', '_', '+']);
    let first: u32 = numbers.next()?.parse().ok()?;
    let major = if first == 1 { numbers.next()?.parse().ok()? } else { first };
    Some((quoted.to_owned(), major))
}

/// Runs a command to its end, in a group of its own, and returns all that it printed.
pub(crate) fn run(command: &mut Command, what: &str) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let spawn = |source| Error::Spawn { program: program.clone(), source };
    // A file and not pipes: both streams in one, in order, with no thread to drain them.
    let output = tempfile::NamedTempFile::new().map_err(spawn)?;
    let out = output.reopen().map_err(spawn)?;
    let err = output.reopen().map_err(spawn)?;
    let (out, err) = (append(out), append(err));
    let status = command.stdin(Stdio::null()).stdout(out).stderr(err).status().map_err(spawn)?;
    let text = read_end(output.path(), 256 * 1024);
    if status.success() {
        return Ok(text);
    }
    Err(Error::Command { what: what.into(), status, detail: telling(&text) })
}

/// Both streams share the file's end only if each write goes there.
fn append(file: std::fs::File) -> Stdio {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    // Without it the later stream overwrites the earlier: a worse message, nothing else.
    let _ = fcntl(&file, FcntlArg::F_SETFL(OFlag::O_APPEND));
    Stdio::from(file)
}

/// Bytes that we may still write on the file system of `path`, or of its nearest parent that exists.
pub fn free_disk(path: &Path) -> Result<u64> {
    let there = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let stat =
        nix::sys::statvfs::statvfs(there).map_err(|code| Error::file("measure", there)(code.into()))?;
    Ok(stat.blocks_available() * stat.fragment_size())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_versions_old_and_new_are_read() {
        for (text, version, major) in [
            ("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK", "17.0.15", 17),
            ("Picked up JAVA_TOOL_OPTIONS: -Dx\njava version \"1.8.0_412\"", "1.8.0_412", 8),
            ("openjdk version \"21\" 2023-09-19", "21", 21),
            ("openjdk version \"25-ea\" 2025-09-16", "25-ea", 25),
        ] {
            assert_eq!(parse_java_version(text), Some((version.to_owned(), major)), "{text}");
        }
        assert_eq!(parse_java_version("no java here"), None);
    }

    #[test]
    fn the_advice_is_one_command_for_all_that_is_missing() {
        let advice = install(&[JAVA, MAVEN]);
        assert!(advice.ends_with("apt-get install -y default-jre-headless maven"), "{advice}");
    }

    #[test]
    fn free_disk_is_measured_where_the_path_will_be() {
        let directory = tempfile::tempdir().unwrap();
        assert!(free_disk(&directory.path().join("not/yet/there")).unwrap() > 0);
    }

    #[test]
    fn a_failing_command_tells_its_error_from_either_stream() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo 'Error: no disk' >&2; echo bye; exit 3"]);
        let message = run(&mut command, "testing").unwrap_err().to_string();
        assert!(message.contains("Error: no disk") && message.contains("testing failed"), "{message}");
    }
}
