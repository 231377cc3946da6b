//! Records which classes a broker loads, so that later starts map them ready-made (class data sharing).
//!
//! Half of a broker's start is loading and verifying 9,000 classes. The archive is made once per Java build by a
//! broker that starts, serves and stops; Java ignores an archive that does not fit, so it can only help.

use std::{fs, path::Path, time::Duration};

use super::{Kafka, KafkaOptions};
use crate::{Error, Result, artifacts::KafkaDist};

/// Runs a throw-away broker under `scratch` and leaves its archive at `target`.
pub(crate) fn record(dist: &KafkaDist, scratch: &Path, target: &Path) -> Result<()> {
    let options = KafkaOptions {
        jvm: vec![format!("-XX:ArchiveClassesAtExit={}", target.display())],
        start_timeout: Duration::from_secs(120),
        ..KafkaOptions::new(scratch.join("cds"))
    };
    let mut kafka = Kafka::start_with(options, dist.clone())?;
    kafka.stop_blocking();
    match fs::metadata(target) {
        Ok(data) if data.len() > 0 => Ok(()),
        Ok(_) => Err(Error::file("find classes in", target)(std::io::Error::other("it is empty"))),
        Err(error) => Err(Error::file("make the class data archive", target)(error)),
    }
}
