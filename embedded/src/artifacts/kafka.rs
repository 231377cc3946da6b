//! Apache Kafka from Maven Central: there is no smaller official way to have just the broker.
//!
//! The whole class path is pinned by digest (`kafka-4.3.1.sha256`), transitive dependencies included, so that
//! neither a mirror nor a version range can slip in another jar.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Artifacts, sha256, sync};
use crate::{Error, Result, kafka::cds, tools};

/// The release; 4.3.1 is the newest at which all of its artifacts resolve.
pub const VERSION: &str = "4.3.1";

/// Kafka 4's own choice of logging is log4j 2 behind slf4j 1.7, but its pom leaves the bridge to the operator.
const POM: &str = r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>deskstream</groupId><artifactId>embedded-kafka</artifactId><version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>4.3.1</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.4</version>
    </dependency>
  </dependencies>
</project>
"#;

/// `sha256sum` of every jar, as it prints it.
const DIGESTS: &str = include_str!("kafka-4.3.1.sha256");

/// A broker that can be run.
#[derive(Clone, Debug)]
pub struct KafkaDist {
    /// The Java that runs it.
    pub java: PathBuf,
    /// All jars, in the one order that the class data archive was made with.
    pub class_path: String,
    /// The class data archive, if one could be made.
    pub archive: Option<PathBuf>,
}

pub(super) fn libs(artifacts: &Artifacts) -> PathBuf {
    artifacts.root.join("kafka").join(VERSION).join("libs")
}

pub(super) fn ensure(artifacts: &Artifacts) -> Result<KafkaDist> {
    let java = tools::JAVA.find()?;
    let libs = libs(artifacts);
    let archive = archive_path(artifacts, &java);
    if !libs.is_dir() || !archive.exists() {
        let _lock = artifacts.lock()?;
        tools::require_java(&java)?;
        if !libs.is_dir() {
            fetch(artifacts, &libs)?;
        }
        if !archive.exists() {
            make_archive(artifacts, &java, &libs, &archive)?;
        }
    }
    // An empty file says: this Java could not make one.
    let usable = fs::metadata(&archive).is_ok_and(|data| data.len() > 0);
    Ok(KafkaDist { java, class_path: class_path(&libs), archive: usable.then_some(archive) })
}

fn fetch(artifacts: &Artifacts, libs: &Path) -> Result<()> {
    let maven = tools::MAVEN.find()?;
    let task = artifacts.progress.task(format!("fetching Apache Kafka {VERSION} (44 MB, once)"));
    let scratch = artifacts.scratch()?;
    let pom = scratch.path().join("pom.xml");
    fs::write(&pom, POM).map_err(Error::file("write", &pom))?;
    let mut command = Command::new(maven);
    // -C: a jar whose checksum differs from the repository's is an error, not a warning.
    command.args(["-q", "-B", "-C", "dependency:copy-dependencies", "-DincludeScope=runtime"]);
    command.args(["-DoutputDirectory=libs"]).current_dir(scratch.path());
    tools::run(&mut command, "fetching Apache Kafka with Maven")?;

    let fetched = scratch.path().join("libs");
    verify(&fetched)?;
    for name in names() {
        sync(&fetched.join(name))?;
    }
    sync(&fetched)?;
    let parent = libs.parent().unwrap_or(libs);
    fs::create_dir_all(parent).map_err(Error::file("create", parent))?;
    fs::rename(&fetched, libs).map_err(Error::file("move the fetched jars to", libs))?;
    sync(parent)?;
    task.done("ready");
    Ok(())
}

/// Every pinned jar is there with its digest.
pub(super) fn verify(libs: &Path) -> Result<()> {
    for line in DIGESTS.lines() {
        if let Some((expected, name)) = line.split_once("  ") {
            let path = libs.join(name);
            let found = sha256(&path)?;
            if found != expected {
                return Err(Error::Checksum { path, expected: expected.into(), found });
            }
        }
    }
    Ok(())
}

fn names() -> impl Iterator<Item = &'static str> {
    DIGESTS.lines().filter_map(|line| Some(line.split_once("  ")?.1))
}

/// Only pinned jars, in the order of the list: whatever else lies in the directory is not run.
fn class_path(libs: &Path) -> String {
    let paths: Vec<String> = names().map(|name| libs.join(name).display().to_string()).collect();
    paths.join(":")
}

/// One archive per Java binary: another build of Java would ignore it.
fn archive_path(artifacts: &Artifacts, java: &Path) -> PathBuf {
    let real = java.canonicalize().unwrap_or_else(|_| java.into());
    let (size, changed) = fs::metadata(&real).map_or((0, 0), |data| (data.len(), data.mtime()));
    let text = format!("{} {size} {changed}", real.display());
    let name = hex::encode(&<sha2::Sha256 as sha2::Digest>::digest(text.as_bytes())[..8]);
    artifacts.root.join("kafka").join(VERSION).join("cds").join(format!("{name}.jsa"))
}

fn make_archive(artifacts: &Artifacts, java: &Path, libs: &Path, archive: &Path) -> Result<()> {
    let task = artifacts.progress.task("preparing Apache Kafka for a quick start (once)");
    let parent = archive.parent().unwrap_or(archive);
    fs::create_dir_all(parent).map_err(Error::file("create", parent))?;
    let dist = KafkaDist { java: java.into(), class_path: class_path(libs), archive: None };
    let scratch = artifacts.scratch()?;
    let made = scratch.path().join("kafka.jsa");
    match cds::record(&dist, scratch.path(), &made) {
        Ok(()) => task.done("ready"),
        Err(error) => {
            tracing::warn!(%error, "no class data archive could be made: the broker will start more slowly");
            fs::write(&made, "").map_err(Error::file("write", &made))?;
            task.done("not possible with this Java; the broker will start more slowly");
        }
    }
    sync(&made)?;
    fs::rename(&made, archive).map_err(Error::file("move the class data archive to", archive))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_list_names_the_broker_and_a_logging_bridge() {
        let names: Vec<&str> = names().collect();
        assert_eq!(names.len(), DIGESTS.lines().count());
        for jar in ["kafka_2.13-4.3.1.jar", "kafka-server-4.3.1.jar", "log4j-slf4j-impl-2.25.4.jar"] {
            assert!(names.contains(&jar), "{jar}");
        }
        assert!(POM.contains(&format!("<version>{VERSION}</version>")));
    }

    #[test]
    fn a_changed_jar_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        for name in names() {
            fs::write(directory.path().join(name), "not the jar").unwrap();
        }
        assert!(matches!(verify(directory.path()), Err(Error::Checksum { .. })));
    }
}
