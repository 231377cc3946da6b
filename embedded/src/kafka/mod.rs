//! Apache Kafka itself, as child processes on loopback: one KRaft node, or three for fault tests.
//!
//! ```text
//! data_dir/
//!   cluster.json            cluster id and ports, kept so that clients find a restarted broker again
//!   node-1/data             log segments and KRaft metadata
//!   node-1/server.properties, log4j2.xml
//!   node-1/logs/server.log  the broker's log, rolled at 10 MiB, 3 kept
//!   node-1/logs/console.log what the JVM itself says
//! ```
//!
//! Contract:
//! - [`Kafka::start`] returns when a metadata request through librdkafka has named every broker, or with an error
//!   that names the log file.
//! - A restart on the same directory keeps the data and, unless somebody else took them, the ports.
//! - A killed process loses no acknowledged record; a power cut may, since a broker leaves syncing to the
//!   operating system and relies on replicas. That is Kafka's own default, and fine for one node on a
//!   developer's machine; production has its own cluster.
//! - Topics are not created by accident (`auto.create.topics.enable=false`): what writes to a topic creates it
//!   with the partitions and retention that it needs.

pub(crate) mod cds;
mod config;
mod ready;

pub(crate) use ready::Quiet;

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use base64::Engine;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use crate::{
    Error, Progress, Result,
    artifacts::{Artifacts, KafkaDist},
    ports,
    process::{self, Spec, Supervised, read_end},
    tools,
};

/// How the broker is run.
#[derive(Clone, Debug)]
pub struct KafkaOptions {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Brokers, each also a controller: 1, or 3 for fault tests.
    pub nodes: u16,
    /// Java heap of each node in MiB.
    pub heap_mib: u32,
    /// Broker properties on top of ours.
    pub properties: Vec<(String, String)>,
    /// Java flags on top of ours.
    pub jvm: Vec<String>,
    /// How long a start may take.
    pub start_timeout: Duration,
    /// Remove `data_dir` when this is dropped, or when we are killed: for tests.
    pub ephemeral: bool,
    /// Where downloads are announced.
    pub progress: Progress,
}

impl KafkaOptions {
    /// One node with the defaults for a small machine.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            nodes: 1,
            // Half of it is in use at 100,000 records/s; what Kafka is fast by is the page cache.
            heap_mib: 512,
            properties: Vec::new(),
            jvm: Vec::new(),
            // Warm 2 s; a cold disk and two busy cores have been seen to need 20 s.
            start_timeout: Duration::from_secs(90),
            ephemeral: false,
            progress: Progress::silent(),
        }
    }
}

/// A running Kafka. Dropping it stops it gracefully.
#[derive(Debug)]
pub struct Kafka {
    options: KafkaOptions,
    dist: KafkaDist,
    cluster: Cluster,
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    directory: PathBuf,
    process: Option<Supervised>,
}

/// What must be the same after a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Cluster {
    id: String,
    nodes: Vec<NodePorts>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct NodePorts {
    broker: u16,
    controller: u16,
}

/// New ports are drawn this often when somebody else was quicker.
const PORT_ATTEMPTS: usize = 5;

impl Kafka {
    /// Fetches Kafka if need be, starts it and waits until it serves.
    pub async fn start(options: KafkaOptions) -> Result<Self> {
        unblock(move || Self::start_blocking(options)).await
    }

    /// As [`Kafka::start`], for code without a runtime.
    pub fn start_blocking(options: KafkaOptions) -> Result<Self> {
        let dist = Artifacts::new(options.progress.clone())?.kafka()?;
        Self::start_with(options, dist)
    }

    fn start_with(options: KafkaOptions, dist: KafkaDist) -> Result<Self> {
        if !matches!(options.nodes, 1 | 3) {
            let detail = format!("{} is neither 1 nor 3", options.nodes);
            return Err(Error::Option { option: "nodes", detail });
        }
        let data_dir = &options.data_dir;
        fs::create_dir_all(data_dir).map_err(Error::file("create", data_dir))?;
        let mut cluster = Cluster::load(data_dir, usize::from(options.nodes))?;
        let nodes = (1..=options.nodes)
            .map(|id| Node { directory: data_dir.join(format!("node-{id}")), process: None })
            .collect();
        if !cluster.nodes.iter().all(|node| ports::is_free(node.broker) && ports::is_free(node.controller)) {
            // Either taken by a stranger, or our predecessor is just ending: the guard's lock tells which.
            wait_for_predecessor(data_dir, &options)?;
            cluster.replace_taken_ports()?;
        }
        let mut kafka = Self { options, dist, cluster, nodes };
        for attempt in 1.. {
            kafka.cluster.save(&kafka.options.data_dir)?;
            match kafka.start_all() {
                Ok(()) => break,
                Err(error) if attempt < PORT_ATTEMPTS && kafka.lost_a_port() => {
                    tracing::debug!(%error, attempt, "another process took a port: drawing new ones");
                    kafka.stop_blocking();
                    kafka.cluster.replace_ports()?;
                    kafka.clear_consoles();
                }
                Err(error) => return Err(error),
            }
        }
        Ok(kafka)
    }

    /// Where clients connect: `127.0.0.1:port`, comma-separated.
    pub fn bootstrap(&self) -> String {
        self.cluster.bootstrap()
    }

    /// The log of node `id` (from 1).
    pub fn log_file(&self, id: u16) -> PathBuf {
        config::server_log(&self.node(id).directory)
    }

    /// The process ids of the brokers that run.
    pub fn pids(&self) -> Vec<u32> {
        self.nodes.iter().filter_map(|node| Some(node.process.as_ref()?.pid())).collect()
    }

    /// Fails, with the reason as far as the log tells it, if a node has ended that nobody stopped.
    pub fn check(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            if let Some(error) = node.failure() {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Starts what does not run, on the same data and ports, and waits until all serve.
    pub async fn restart(self) -> Result<Self> {
        let mut kafka = self;
        unblock(move || kafka.restart_blocking().map(|()| kafka)).await
    }

    /// As [`Kafka::restart`], for code without a runtime.
    pub fn restart_blocking(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            if node.failure().is_some() {
                node.process = None;
            }
        }
        self.start_all()
    }

    /// Starts node `id` (from 1) alone, without waiting for it.
    pub fn start_node(&mut self, id: u16) -> Result<()> {
        self.prepare(id)?;
        self.launch(id)
    }

    /// Stops all nodes gracefully; the data stays.
    pub async fn stop(mut self) {
        let _ = tokio::task::spawn_blocking(move || self.stop_blocking()).await;
    }

    /// As [`Kafka::stop`], for code without a runtime; [`Kafka::restart_blocking`] brings it back.
    pub fn stop_blocking(&mut self) {
        // All at once: a quorum that shrinks one by one can't agree on the last one's leave.
        for process in self.nodes.iter_mut().filter_map(|node| node.process.as_mut()) {
            process.release();
        }
        for node in &mut self.nodes {
            node.process = None;
        }
    }

    /// Kills all nodes at once, as a crash of the machine's JVMs would.
    pub fn kill(&mut self) {
        for id in 1..=self.options.nodes {
            self.kill_node(id);
        }
    }

    /// Kills node `id` (from 1).
    pub fn kill_node(&mut self, id: u16) {
        if let Some(mut process) = self.node_mut(id).process.take() {
            process.kill();
        }
    }

    /// Freezes node `id`: its connections stay open and nothing answers.
    pub fn pause_node(&mut self, id: u16) {
        self.signal(id, Signal::SIGSTOP);
    }

    /// Lets a frozen node go on.
    pub fn resume_node(&mut self, id: u16) {
        self.signal(id, Signal::SIGCONT);
    }

    fn signal(&mut self, id: u16, signal: Signal) {
        if let Some(process) = &mut self.node_mut(id).process {
            process.signal(signal);
        }
    }

    fn node(&self, id: u16) -> &Node {
        &self.nodes[usize::from(id) - 1]
    }

    fn node_mut(&mut self, id: u16) -> &mut Node {
        &mut self.nodes[usize::from(id) - 1]
    }

    fn start_all(&mut self) -> Result<()> {
        let deadline = Instant::now() + self.options.start_timeout;
        for id in 1..=self.options.nodes {
            if self.node(id).process.is_none() {
                self.prepare(id)?;
                self.launch(id)?;
            }
        }
        self.wait_ready(deadline)
    }

    /// Writes the node's files and formats its directory if that has not happened yet.
    fn prepare(&self, id: u16) -> Result<()> {
        let directory = &self.node(id).directory;
        config::write(directory, id, &self.cluster, &self.options)?;
        if directory.join("data/meta.properties").exists() {
            return Ok(());
        }
        let mut command = std::process::Command::new(&self.dist.java);
        command.args(["-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx64m"]);
        if let Some(archive) = &self.dist.archive {
            command.arg(format!("-XX:SharedArchiveFile={}", archive.display()));
        }
        command.arg("-Dlog4j2.level=ERROR").arg("-cp").arg(&self.dist.class_path);
        command.args(["kafka.tools.StorageTool", "format", "--cluster-id", &self.cluster.id, "--config"]);
        command.arg(config::properties_file(directory));
        tools::run(&mut command, "formatting the broker's storage").map(drop)
    }

    fn launch(&mut self, id: u16) -> Result<()> {
        let directory = self.node(id).directory.clone();
        let mut args = config::jvm(&directory, &self.options, &self.dist);
        args.extend_from_slice(&self.options.jvm);
        args.extend(["-cp".into(), self.dist.class_path.clone(), "kafka.Kafka".into()]);
        args.push(config::properties_file(&directory).display().to_string());
        let process = Supervised::spawn(&Spec {
            name: format!("Kafka node {id}"),
            program: self.dist.java.clone(),
            args: process::args(args),
            env: Vec::new(),
            log: config::console_log(&directory),
            lock: directory.join("lock"),
            grace: if self.options.nodes == 1 { Duration::from_secs(20) } else { Duration::from_secs(5) },
            remove: self.options.ephemeral.then(|| {
                // A single node's guard takes the whole directory along.
                if self.options.nodes == 1 { self.options.data_dir.clone() } else { directory.clone() }
            }),
            directory,
        })?;
        self.node_mut(id).process = Some(process);
        Ok(())
    }

    fn wait_ready(&mut self, deadline: Instant) -> Result<()> {
        let bootstrap = self.bootstrap();
        let expected = self.nodes.len();
        let nodes = &mut self.nodes;
        let addresses =
            self.cluster.nodes.iter().map(|node| ports::loopback(node.broker)).collect::<Vec<_>>();
        let answer = ready::wait(&bootstrap, &addresses, expected, deadline, || {
            nodes.iter_mut().find_map(Node::failure).map_or(Ok(()), Err)
        })?;
        answer.map_err(|detail| Error::NotReady {
            what: "Kafka".into(),
            seconds: self.options.start_timeout.as_secs(),
            detail,
            log: self.log_file(1),
        })
    }

    fn lost_a_port(&self) -> bool {
        self.nodes.iter().any(|node| {
            let text = read_end(&config::console_log(&node.directory), 256 * 1024)
                + &read_end(&config::server_log(&node.directory), 256 * 1024);
            text.contains("Address already in use")
        })
    }

    /// So that the next attempt isn't judged by this one's words.
    fn clear_consoles(&self) {
        for node in &self.nodes {
            let _ = fs::write(config::console_log(&node.directory), "");
            let _ = fs::write(config::server_log(&node.directory), "");
        }
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.stop_blocking();
        if self.options.ephemeral {
            let _ = fs::remove_dir_all(&self.options.data_dir);
        }
    }
}

impl Node {
    /// The error of a node that has ended by itself, taken from the broker's own log where that says more.
    fn failure(&mut self) -> Option<Error> {
        let error = self.process.as_mut()?.failure()?;
        let log = config::server_log(&self.directory);
        Some(match error {
            Error::Exited { what, status, tail, .. } if log.exists() => {
                let said = process::tail(&log);
                let tail = if said.contains("ERROR") || said.contains("FATAL") { said } else { tail };
                Error::Exited { what, status, log, tail }
            }
            other => other,
        })
    }
}

impl Cluster {
    fn load(data_dir: &Path, nodes: usize) -> Result<Self> {
        let path = data_dir.join("cluster.json");
        match fs::read(&path) {
            Ok(bytes) => {
                let cluster: Self = serde_json::from_slice(&bytes)
                    .map_err(std::io::Error::from)
                    .map_err(Error::file("understand", &path))?;
                if cluster.nodes.len() != nodes {
                    let detail = format!("{} holds a cluster of {}", data_dir.display(), cluster.nodes.len());
                    return Err(Error::Option { option: "nodes", detail });
                }
                Ok(cluster)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let random: [u8; 16] = rand::random();
                let id = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random);
                let none = NodePorts { broker: 0, controller: 0 };
                // A leading dash would read as a flag.
                let mut cluster = Self { id: id.replacen('-', "A", 1), nodes: vec![none; nodes] };
                cluster.replace_ports()?;
                Ok(cluster)
            }
            Err(error) => Err(Error::file("read", path)(error)),
        }
    }

    fn save(&self, data_dir: &Path) -> Result<()> {
        let path = data_dir.join("cluster.json");
        let new = data_dir.join("cluster.json.new");
        let bytes = serde_json::to_vec_pretty(self)
            .map_err(std::io::Error::from)
            .map_err(Error::file("describe the cluster in", &path))?;
        fs::write(&new, bytes).map_err(Error::file("write", &new))?;
        fs::rename(&new, &path).map_err(Error::file("write", &path))
    }

    fn replace_ports(&mut self) -> Result<()> {
        let fresh = ports::free(self.nodes.len() * 2, "Kafka")?;
        for (node, pair) in self.nodes.iter_mut().zip(fresh.chunks_exact(2)) {
            *node = NodePorts { broker: pair[0], controller: pair[1] };
        }
        Ok(())
    }

    /// Keeps what clients may know as long as it is free.
    fn replace_taken_ports(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            for port in [&mut node.broker, &mut node.controller] {
                if !ports::is_free(*port) {
                    tracing::warn!(port, "another program uses the port that Kafka had: choosing a new one");
                    *port = ports::free(1, "Kafka")?[0];
                }
            }
        }
        Ok(())
    }

    fn bootstrap(&self) -> String {
        let addresses: Vec<String> =
            self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.broker)).collect();
        addresses.join(",")
    }
}

/// Gives a broker that is just ending (its parent was killed a moment ago) the time to free its ports.
fn wait_for_predecessor(data_dir: &Path, options: &KafkaOptions) -> Result<()> {
    let deadline = Instant::now() + options.start_timeout.min(Duration::from_secs(25));
    for id in 1..=options.nodes {
        let lock = data_dir.join(format!("node-{id}/lock"));
        let Ok(file) = fs::OpenOptions::new().write(true).open(&lock) else { continue };
        while file.try_lock().is_err() {
            if Instant::now() >= deadline {
                return Err(Error::InUse { what: format!("Kafka node {id}"), lock });
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(())
}

/// Runs blocking work beside the runtime.
pub(crate) async fn unblock<T, F>(work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_identity_survive_a_reload() {
        let directory = tempfile::tempdir().unwrap();
        let cluster = Cluster::load(directory.path(), 3).unwrap();
        cluster.save(directory.path()).unwrap();
        assert_eq!(Cluster::load(directory.path(), 3).unwrap(), cluster);
        assert_eq!(cluster.id.len(), 22);
        assert_eq!(cluster.bootstrap().split(',').count(), 3);
        let error = Cluster::load(directory.path(), 1).unwrap_err().to_string();
        assert!(error.contains("a cluster of 3"), "{error}");
    }

    #[test]
    fn only_a_taken_port_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let mut cluster = Cluster::load(directory.path(), 1).unwrap();
        let before = cluster.nodes[0];
        let _taken = std::net::TcpListener::bind(ports::loopback(before.controller)).unwrap();
        cluster.replace_taken_ports().unwrap();
        assert_eq!(cluster.nodes[0].broker, before.broker);
        assert_ne!(cluster.nodes[0].controller, before.controller);
    }

    #[test]
    fn two_nodes_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let options = KafkaOptions { nodes: 2, ..KafkaOptions::new(directory.path()) };
        let dist = KafkaDist { java: "java".into(), class_path: String::new(), archive: None };
        let error = Kafka::start_with(options, dist).unwrap_err().to_string();
        assert!(error.contains("neither 1 nor 3"), "{error}");
    }
}
