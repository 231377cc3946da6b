//! What processes used, from /proc.

use serde_json::{Map, Value, json};

/// Peak memory and CPU time of processes, by name.
pub fn of(processes: &[(String, u32)]) -> Value {
    let rows = processes.iter().map(|(name, pid)| {
        let usage = json!({ "peak_rss_mib": peak_rss_mib(*pid), "cpu_seconds": cpu_seconds(*pid) });
        (name.replace(' ', "_"), usage)
    });
    Value::Object(rows.collect::<Map<_, _>>())
}

fn peak_rss_mib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib / 1024)
}

fn cpu_seconds(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command may hold spaces: fields count from behind its parenthesis; utime and stime are 14 and 15 of all.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    // USER_HZ is 100 on every Linux we run on.
    Some(ticks / 100)
}
