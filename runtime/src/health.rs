//! Health of a process, part by part: `/readyz` tells which part is not ready and why.

use parking_lot::RwLock;
use prometheus::{IntGaugeVec, register_int_gauge_vec};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

static READY: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!("deskstream_part_ready", "Whether a part does its work: 1 or 0", &["part"])
        .expect("a metric is registered once, under a valid name")
});

/// State of one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartState {
    /// Whether it does its work.
    pub ready: bool,
    /// Why not; empty when ready.
    pub reason: String,
}

/// The parts of a process.
#[derive(Debug, Clone, Default)]
pub struct Health {
    parts: Arc<RwLock<BTreeMap<&'static str, PartState>>>,
}

impl Health {
    /// Adds a part, not ready yet.
    pub fn part(&self, name: &'static str) -> Part {
        let part = Part { name, health: self.clone() };
        part.not_ready("starting");
        part
    }

    /// Forgets a part: what it did is not wanted any more.
    pub fn remove(&self, name: &str) {
        self.parts.write().remove(name);
        drop(READY.remove_label_values(&[name]));
    }

    /// Whether every part is ready, and the state of each.
    pub fn report(&self) -> (bool, BTreeMap<&'static str, PartState>) {
        let parts = self.parts.read().clone();
        (parts.values().all(|p| p.ready), parts)
    }
}

/// One part's own handle.
#[derive(Debug, Clone)]
pub struct Part {
    name: &'static str,
    health: Health,
}

impl Part {
    /// It does its work.
    pub fn ready(&self) {
        self.set(PartState { ready: true, reason: String::new() });
    }

    /// It does not; `reason` holds no personal data.
    pub fn not_ready(&self, reason: impl Into<String>) {
        self.set(PartState { ready: false, reason: reason.into() });
    }

    fn set(&self, state: PartState) {
        let mut parts = self.health.parts.write();
        READY.with_label_values(&[self.name]).set(i64::from(state.ready));
        let changed = parts.get(self.name).is_none_or(|old| old.ready != state.ready);
        if changed && parts.contains_key(self.name) {
            tracing::info!(part = self.name, ready = state.ready, reason = %state.reason, "readiness changed");
        }
        parts.insert(self.name, state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ready_when_every_part_is() {
        let health = Health::default();
        assert!(health.report().0);
        let (kafka, engine) = (health.part("kafka"), health.part("clickhouse"));
        kafka.ready();
        assert!(!health.report().0);
        engine.ready();
        assert!(health.report().0);
        kafka.not_ready("connection refused");
        let (ready, parts) = health.report();
        assert!(!ready && parts["clickhouse"].ready);
        assert_eq!(parts["kafka"].reason, "connection refused");
        assert_eq!(READY.with_label_values(&["kafka"]).get(), 0);
        assert_eq!(READY.with_label_values(&["clickhouse"]).get(), 1);
        health.remove("kafka");
        assert_eq!((health.report().0, health.report().1.len()), (true, 1));
    }
}
