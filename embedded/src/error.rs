//! One error type for starting, watching and stopping the embedded parts.

use std::path::PathBuf;

/// What went wrong with an artifact, a child process or a part of the platform.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program that we need is not installed.
    #[error("{tool} is needed {purpose} and was not found; install it with: {fix}")]
    MissingTool {
        /// The program's name.
        tool: &'static str,
        /// What it is needed for.
        purpose: &'static str,
        /// One command that installs it.
        fix: String,
    },
    /// The Java runtime is older than the broker's class files.
    #[error("{path} is Java {found}, but Apache Kafka 4 needs Java 17 or newer; install it with: {fix}")]
    OldJava {
        /// The `java` that was found.
        path: PathBuf,
        /// Its version.
        found: String,
        /// One command that installs a newer one.
        fix: String,
    },
    /// One of our own binaries is not where it should be.
    #[error(
        "binary {name} was not found beside {beside}; build it with `cargo build --bins` or set {variable}"
    )]
    MissingBinary {
        /// The binary's name.
        name: String,
        /// Where it was looked for.
        beside: PathBuf,
        /// The environment variable that overrides the search.
        variable: String,
    },
    /// A file or directory could not be read, written, locked or removed.
    #[error("could not {action} {path}")]
    File {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A program could not be run.
    #[error("could not run {program}")]
    Spawn {
        /// Which program.
        program: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A program ran and failed.
    #[error("{what} failed ({status}): {detail}")]
    Command {
        /// What was being done.
        what: String,
        /// Its exit status.
        status: std::process::ExitStatus,
        /// The last lines it printed.
        detail: String,
    },
    /// A fetched file is not the one we pinned.
    #[error("{path} has sha256 {found} instead of {expected}: refusing to use it; delete it and try again")]
    Checksum {
        /// Which file.
        path: PathBuf,
        /// The pinned digest.
        expected: String,
        /// The digest found.
        found: String,
    },
    /// No artifact exists for this machine.
    #[error("no embedded {what} exists for {target}; give the URL of one that runs elsewhere: {flag}")]
    Unsupported {
        /// The part.
        what: &'static str,
        /// Operating system and architecture.
        target: String,
        /// The flag that replaces it.
        flag: &'static str,
    },
    /// A child process ended before it was ready.
    #[error("{what} ended while starting ({status}); its log is {log}: {tail}")]
    Exited {
        /// Which part.
        what: String,
        /// How it ended.
        status: String,
        /// The log file.
        log: PathBuf,
        /// The last telling line of the log.
        tail: String,
    },
    /// The data directory belongs to a process that runs.
    #[error("the data of {what} is in use: another process holds {lock}; stop that one first")]
    InUse {
        /// Which part.
        what: String,
        /// The lock file.
        lock: PathBuf,
    },
    /// A part did not become ready in time.
    #[error("{what} was not ready after {seconds} s: {detail}; its log is {log}")]
    NotReady {
        /// Which part.
        what: String,
        /// How long we waited.
        seconds: u64,
        /// What the last check said.
        detail: String,
        /// The log file.
        log: PathBuf,
    },
    /// No free loopback port could be found.
    #[error("could not find a free loopback port for {what}")]
    NoPort {
        /// For which part.
        what: String,
    },
    /// A given URL could not be reached or did not answer as its kind should.
    #[error("{what} at {url} cannot be used: {detail}")]
    Unreachable {
        /// Which part.
        what: &'static str,
        /// Where.
        url: String,
        /// What happened.
        detail: String,
    },
    /// An operation on Kafka failed.
    #[error("could not {action}")]
    Kafka {
        /// What was being done.
        action: String,
        /// Why it failed.
        #[source]
        source: rdkafka::error::KafkaError,
    },
    /// The topic that holds the schemas cannot be used.
    #[error("topic {topic} cannot hold the schemas: {detail}")]
    SchemaTopic {
        /// The topic.
        topic: String,
        /// What is wrong with it, and the fix.
        detail: String,
    },
    /// A wrong option was given.
    #[error("option {option} is wrong: {detail}")]
    Option {
        /// Which option.
        option: &'static str,
        /// Why, and what would be right.
        detail: String,
    },
}

impl Error {
    /// For `map_err` on file operations.
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    /// For `map_err` on Kafka client calls.
    pub(crate) fn kafka(action: impl Into<String>) -> impl FnOnce(rdkafka::error::KafkaError) -> Self {
        let action = action.into();
        move |source| Self::Kafka { action, source }
    }
}
