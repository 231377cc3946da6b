//! `deskstream demo` as a user runs it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

/// Command lines of all processes that speak of the folder.
fn processes_of(folder: &Path) -> BTreeSet<String> {
    let folder = folder.to_str().unwrap();
    let lines = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.contains(folder).then_some(line)
    });
    lines.collect()
}

#[test]
fn the_demo_shows_the_whole_way_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_deskstream"))
        .args(["demo", "--for", "20s", "--json", "--data"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let log = |name: &str| std::fs::read_to_string(folder.path().join("logs").join(name)).unwrap_or_default();
    assert!(
        output.status.success(),
        "{}\n{text}\n--- run.log\n{}\n--- connect.log\n{}",
        String::from_utf8_lossy(&output.stderr),
        log("run.log"),
        log("connect.log")
    );
    let summary: serde_json::Value = serde_json::from_str(&text).unwrap();
    let count = |name: &str| summary[name].as_u64().unwrap();
    assert!(count("enriched") >= 20, "{summary:#}");
    assert_eq!(count("events_in"), count("enriched"));
    assert_eq!(count("dead_letters"), 0);
    assert_eq!(count("integrity_problems"), 0);
    assert_eq!(count("repeated_write_backs"), 0);
    assert!(count("write_backs_applied") > 0, "{summary:#}");
    assert!(summary["redactions"]["EMAIL"].as_u64().unwrap() > 0, "{summary:#}");
    assert!(count("alerts_fired") >= 1 && count("chat_messages") >= 1, "{summary:#}");
    assert_eq!(summary["lag"], 0);
    assert_eq!(processes_of(folder.path()), BTreeSet::new());
}
