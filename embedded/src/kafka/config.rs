//! The files and flags that a node is started with.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use super::{Cluster, KafkaOptions};
use crate::{Error, Result, artifacts::KafkaDist};

/// Room for a 5 MiB ticket and its analysis, uncompressed, in one record.
const MAX_MESSAGE_BYTES: usize = 8 << 20;

pub(super) fn properties_file(directory: &Path) -> PathBuf {
    directory.join("server.properties")
}

pub(super) fn server_log(directory: &Path) -> PathBuf {
    directory.join("logs/server.log")
}

pub(super) fn console_log(directory: &Path) -> PathBuf {
    directory.join("logs/console.log")
}

/// Writes everything that node `id` reads at start.
pub(super) fn write(directory: &Path, id: u16, cluster: &Cluster, options: &KafkaOptions) -> Result<()> {
    for part in ["logs", "data", "tmp"] {
        let path = directory.join(part);
        fs::create_dir_all(&path).map_err(Error::file("create", path))?;
    }
    let properties = properties_file(directory);
    fs::write(&properties, server_properties(directory, id, cluster, options))
        .map_err(Error::file("write", properties))?;
    let logging = directory.join("log4j2.xml");
    fs::write(&logging, log4j2(directory)).map_err(Error::file("write", logging))
}

/// The broker's configuration; a later line wins, so the caller's own come last.
fn server_properties(directory: &Path, id: u16, cluster: &Cluster, options: &KafkaOptions) -> String {
    let ports = cluster.nodes[usize::from(id) - 1];
    let nodes = cluster.nodes.len();
    let voters: Vec<String> =
        (1..).zip(&cluster.nodes).map(|(id, node)| format!("{id}@127.0.0.1:{}", node.controller)).collect();
    let in_sync = if nodes == 1 { 1 } else { 2 };
    let fixed: &[(&str, String)] = &[
        ("process.roles", "broker,controller".into()),
        ("node.id", id.to_string()),
        ("controller.quorum.voters", voters.join(",")),
        (
            "listeners",
            format!("PLAINTEXT://127.0.0.1:{},CONTROLLER://127.0.0.1:{}", ports.broker, ports.controller),
        ),
        ("advertised.listeners", format!("PLAINTEXT://127.0.0.1:{}", ports.broker)),
        ("controller.listener.names", "CONTROLLER".into()),
        ("inter.broker.listener.name", "PLAINTEXT".into()),
        ("listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT".into()),
        ("log.dirs", directory.join("data").display().to_string()),
        // What a production cluster would enforce by its own settings.
        ("default.replication.factor", nodes.to_string()),
        ("min.insync.replicas", in_sync.to_string()),
        ("offsets.topic.replication.factor", nodes.to_string()),
        ("transaction.state.log.replication.factor", nodes.to_string()),
        ("transaction.state.log.min.isr", in_sync.to_string()),
        ("share.coordinator.state.topic.replication.factor", nodes.to_string()),
        ("share.coordinator.state.topic.min.isr", in_sync.to_string()),
        ("auto.create.topics.enable", "false".into()),
        ("num.partitions", "4".into()),
        ("message.max.bytes", MAX_MESSAGE_BYTES.to_string()),
        ("replica.fetch.max.bytes", MAX_MESSAGE_BYTES.to_string()),
        // A group's first member would else wait 3 s for others.
        ("group.initial.rebalance.delay.ms", "0".into()),
        ("group.streams.initial.rebalance.delay.ms", "0".into()),
        // 50 each by default: 100 directories, and most of the first commit's latency.
        ("offsets.topic.num.partitions", "4".into()),
        ("transaction.state.log.num.partitions", "4".into()),
        ("share.coordinator.state.topic.num.partitions", "1".into()),
        // A killed broker's successor is let in only when the session of the one before has run out, 9 s by default;
        // and a dead node's partitions move on only then.
        ("broker.heartbeat.interval.ms", "500".into()),
        ("broker.session.timeout.ms", if nodes == 1 { "2000" } else { "3000" }.into()),
        ("replica.lag.time.max.ms", "5000".into()),
        // Threads for a machine with few cores.
        ("num.network.threads", "2".into()),
        ("num.io.threads", "4".into()),
        ("background.threads", "2".into()),
        ("group.coordinator.threads", "1".into()),
        // The cleaner's map is allocated at once, 128 MiB by default: a quarter of the heap. 16 MiB still holds
        // 700,000 keys per pass.
        ("log.cleaner.dedupe.buffer.size", (16 << 20).to_string()),
        ("log.segment.bytes", (256 << 20).to_string()),
        ("offsets.topic.segment.bytes", (16 << 20).to_string()),
        ("transaction.state.log.segment.bytes", (16 << 20).to_string()),
        // The first retention check would else come after 5 minutes, when a demo's disk may be full.
        ("log.retention.check.interval.ms", "60000".into()),
    ];
    let mut text = String::from("# written at every start\n");
    let all = fixed.iter().map(|(key, value)| (*key, value.as_str()));
    let own = options.properties.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    for (key, value) in all.chain(own) {
        // Java's properties format: the backslash escapes, and a value ends with its line.
        let value = value.replace('\\', "\\\\").replace('\n', "\\n");
        let _ = writeln!(text, "{key}={value}");
    }
    text
}

/// Logs to a file, rolled; the JVM's own words go to the console log.
fn log4j2(directory: &Path) -> String {
    let log = server_log(directory);
    let log = escape(&log.display().to_string());
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="ERROR" shutdownHook="disable">
  <Appenders>
    <RollingFile name="server" fileName="{log}" filePattern="{log}.%i">
      <PatternLayout pattern="[%d{{ISO8601}}] %p %m (%c)%n"/>
      <SizeBasedTriggeringPolicy size="10 MB"/>
      <DefaultRolloverStrategy max="3"/>
    </RollingFile>
  </Appenders>
  <Loggers>
    <Root level="INFO"><AppenderRef ref="server"/></Root>
    <Logger name="org.apache.kafka.common.config.AbstractConfig" level="WARN"/>
    <Logger name="kafka.log.LogCleaner" level="WARN"/>
    <Logger name="state.change.logger" level="WARN"/>
  </Loggers>
</Configuration>
"#
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// The flags of the Java virtual machine.
pub(super) fn jvm(directory: &Path, options: &KafkaOptions, dist: &KafkaDist) -> Vec<String> {
    let heap = options.heap_mib;
    let mut flags = vec![
        format!("-Xmx{heap}m"),
        // Start small: most tests never fill it.
        format!("-Xms{}m", heap.min(128)),
        // Measured with examples/broker_load.rs on two busy cores, 400,000 records of 1 KiB: with the first-tier
        // compiler alone the broker starts with 1.6 s of CPU and not 2.5 s, and needs 3.0 s of CPU per million
        // records and not 5.0 s (the second tier's own work included). It moves bytes; there is little to optimise.
        "-XX:TieredStopAtLevel=1".into(),
        // The heap is small and two cores have better to do: G1 costs 50 MiB and its threads' wake-ups.
        "-XX:+UseSerialGC".into(),
        "-Xshare:auto".into(),
        // A broker that ran out of memory is half dead: end it, so that it is noticed.
        "-XX:+ExitOnOutOfMemoryError".into(),
        // No memory-mapped statistics under /tmp, which a killed JVM leaves behind.
        "-XX:-UsePerfData".into(),
        "-Djava.awt.headless=true".into(),
        "-Djava.net.preferIPv4Stack=true".into(),
        // Native compression libraries are unpacked here: ours to remove, and never on a noexec /tmp.
        format!("-Djava.io.tmpdir={}", directory.join("tmp").display()),
        format!("-Dlog4j2.configurationFile={}", directory.join("log4j2.xml").display()),
    ];
    if let Some(archive) = &dist.archive {
        flags.push(format!("-XX:SharedArchiveFile={}", archive.display()));
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::NodePorts;

    fn cluster(nodes: u16) -> Cluster {
        let nodes = (0..nodes).map(|n| NodePorts { broker: 20_000 + n, controller: 30_000 + n }).collect();
        Cluster { id: "A".into(), nodes }
    }

    #[test]
    fn three_nodes_replicate_and_one_does_not() {
        let options = KafkaOptions::new("/x");
        let one = server_properties(Path::new("/x/node-1"), 1, &cluster(1), &options);
        assert!(one.contains("\ncontroller.quorum.voters=1@127.0.0.1:30000\n"));
        assert!(one.contains("\nmin.insync.replicas=1\n"));
        let three = server_properties(Path::new("/x/node-2"), 2, &cluster(3), &options);
        assert!(three.contains("=1@127.0.0.1:30000,2@127.0.0.1:30001,3@127.0.0.1:30002\n"));
        assert!(three.contains("\ndefault.replication.factor=3\nmin.insync.replicas=2\n"));
        assert!(three.contains("\nlisteners=PLAINTEXT://127.0.0.1:20001,CONTROLLER://127.0.0.1:30001\n"));
    }

    #[test]
    fn every_listener_is_on_loopback() {
        let text = server_properties(Path::new("/x"), 1, &cluster(1), &KafkaOptions::new("/x"));
        for line in text.lines().filter(|line| line.contains("://")) {
            assert_eq!(line.matches("://").count(), line.matches("://127.0.0.1:").count(), "{line}");
        }
    }

    #[test]
    fn own_properties_come_last_and_are_escaped() {
        let mut options = KafkaOptions::new("/x");
        options.properties = vec![("num.partitions".into(), "9".into()), ("a".into(), "b\\c\nd=e".into())];
        let text = server_properties(Path::new("/x"), 1, &cluster(1), &options);
        assert!(text.ends_with("num.partitions=9\na=b\\\\c\\nd=e\n"), "{text}");
    }

    #[test]
    fn a_path_with_markup_stays_a_path() {
        assert!(log4j2(Path::new("/a&b<c\"d")).contains("fileName=\"/a&amp;b&lt;c&quot;d/logs/server.log\""));
    }
}
