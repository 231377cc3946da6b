//! What processes used, from /proc.

use serde_json::{Map, Value, json};

/// CPU time and memory of processes, by name, since it was made.
pub struct Meter {
    processes: Vec<Metered>,
}

struct Metered {
    name: String,
    pid: u32,
    cpu_before: f64,
}

impl Meter {
    /// Starts counting. Several processes of one name are told apart by their order.
    pub fn start(processes: impl IntoIterator<Item = (String, u32)>) -> Self {
        let metered = |(name, pid): (String, u32)| Metered {
            name: name.replace(' ', "_"),
            pid,
            cpu_before: cpu_seconds(pid).unwrap_or_default(),
        };
        Self { processes: processes.into_iter().map(metered).collect() }
    }

    /// Per process: CPU seconds and, over its whole life, peak memory; with the CPU time that an event took.
    pub fn read(&self, events: usize) -> Value {
        let rows = self.processes.iter().map(|process| {
            let cpu = cpu_seconds(process.pid).map(|now| now - process.cpu_before);
            #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
            let per_event = cpu.map(|cpu| (cpu * 1e7 / events.max(1) as f64).round() / 10.0);
            let usage = json!({
                "cpu_seconds": cpu.map(|cpu| (cpu * 100.0).round() / 100.0),
                "cpu_us_per_event": per_event,
                "peak_rss_mib": status_mib(process.pid, "VmHWM:"),
            });
            (process.name.clone(), usage)
        });
        Value::Object(rows.collect::<Map<_, _>>())
    }

    /// Memory now, in MiB, by name.
    pub fn rss_mib(&self) -> Vec<(&str, u64)> {
        let rows = self.processes.iter();
        rows.filter_map(|p| Some((p.name.as_str(), status_mib(p.pid, "VmRSS:")?))).collect()
    }
}

fn status_mib(pid: u32, field: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix(field))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib / 1024)
}

fn cpu_seconds(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command may hold spaces: fields count from behind its parenthesis; utime and stime are 14 and 15 of all.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u32>().ok()? + fields.get(12)?.parse::<u32>().ok()?;
    // USER_HZ is 100 on every Linux we run on.
    Some(f64::from(ticks) / 100.0)
}
