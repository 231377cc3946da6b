//! Scenarios as files: what is observed when, and every transition that must come of it. Nothing else may come.
//!
//! A file in `scenarios/` has
//! * `description`: what it shows;
//! * `rules`: `shipped`, or rules as YAML text;
//! * `step`, `until`: rules are evaluated at 0, step, 2 step … up to `until`;
//! * `windows`: values of one-minute windows, for each minute `from..=to`, observed as the minute begins or
//!   at `at`; `repeat` observes them again at every step from then on;
//! * `gauges`: a value observed at every step `from..=to`;
//! * `restarts`: before these times the evaluator is rebuilt from the transitions and windows so far;
//! * `expect`: the transitions, `at state rule/tenant/group value`.

use super::*;
use deskstream_schemas::{Alert, AlertState, Text};
use serde::Deserialize;
use std::collections::BTreeMap;

/// 2026-11-23T12:00:00Z.
const ZERO_MS: i64 = 1_795_435_200_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    #[allow(dead_code, reason = "for the reader of the file")]
    description: String,
    rules: String,
    step: String,
    until: String,
    #[serde(default)]
    windows: Vec<Windows>,
    #[serde(default)]
    gauges: Vec<Gauges>,
    #[serde(default)]
    restarts: Vec<String>,
    expect: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Windows {
    tenant: String,
    from: i64,
    to: i64,
    at: Option<String>,
    #[serde(default)]
    repeat: bool,
    #[serde(default)]
    events: u64,
    #[serde(default)]
    errors: u64,
    #[serde(default)]
    tickets: u64,
    #[serde(default)]
    high_urgency: u64,
    #[serde(default)]
    negative: u64,
    #[serde(default)]
    root_causes: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Gauges {
    tenant: String,
    metric: String,
    value: f64,
    from: String,
    to: String,
}

fn ms(duration: &str) -> i64 {
    let duration = humantime::parse_duration(duration).unwrap_or_else(|e| panic!("`{duration}`: {e}"));
    i64::try_from(duration.as_millis()).unwrap()
}

impl Windows {
    /// Windows that become known at a step, among all steps `step` apart.
    fn observed_at(&self, now: i64) -> Vec<MinuteMetrics> {
        (self.from..=self.to)
            .filter(|minute| {
                let known_at = self.at.as_deref().map_or(minute * 60_000, ms);
                known_at == now || self.repeat && known_at < now
            })
            .map(|minute| MinuteMetrics {
                events: self.events,
                errors: self.errors,
                tickets: self.tickets,
                high_urgency: self.high_urgency,
                negative: self.negative,
                root_causes: self.root_causes.iter().map(|(c, n)| (Text::from(c.clone()), *n)).collect(),
                ..MinuteMetrics::empty(&self.tenant, ZERO_MS + minute * 60_000)
            })
            .collect()
    }
}

fn show(alert: &Alert) -> String {
    let state = match alert.state {
        AlertState::Firing => "firing",
        AlertState::Resolved => "resolved",
    };
    let at = std::time::Duration::from_millis(u64::try_from(alert.changed_at - ZERO_MS).unwrap());
    let at = humantime::format_duration(at).to_string().replace(' ', "");
    format!("{at} {state} {}/{}/{} {}", alert.rule, alert.tenant, alert.group, alert.value)
}

fn run(scenario: &Scenario) -> Vec<Alert> {
    let rules = match scenario.rules.as_str() {
        "shipped" => RuleSet::shipped(),
        yaml => load(yaml).unwrap_or_else(|e| panic!("{e}")),
    };
    let mut evaluator = Evaluator::new(&rules);
    let restarts: Vec<_> = scenario.restarts.iter().map(|at| ms(at)).collect();
    let (mut told, mut observed) = (Vec::new(), Vec::new());
    let mut now = 0;
    while now <= ms(&scenario.until) {
        if restarts.contains(&now) {
            evaluator = Evaluator::new(&rules);
            told.iter().cloned().for_each(|alert| evaluator.restore(alert));
            observed.iter().for_each(|minute| evaluator.observe_window(minute));
        }
        for minute in scenario.windows.iter().flat_map(|windows| windows.observed_at(now)) {
            evaluator.observe_window(&minute);
            observed.push(minute);
        }
        for gauge in scenario.gauges.iter().filter(|g| (ms(&g.from)..=ms(&g.to)).contains(&now)) {
            let metric = Metric::parse(&gauge.metric).unwrap();
            evaluator.observe_gauge(&gauge.tenant, metric, gauge.value, ZERO_MS + now);
        }
        told.extend(evaluator.tick(ZERO_MS + now));
        now += ms(&scenario.step);
    }
    told
}

/// What holds of every sequence of transitions.
fn check_episodes(told: &[Alert]) {
    let mut firing: BTreeMap<String, &Alert> = BTreeMap::new();
    for alert in told {
        match alert.state {
            AlertState::Firing => {
                let before = firing.insert(alert.key(), alert);
                assert!(before.is_none(), "{} fired twice without a resolve", alert.key());
            }
            AlertState::Resolved => {
                let fired = firing.remove(&alert.key()).expect("a resolve follows a firing");
                assert_eq!(alert.dedup_key, fired.dedup_key, "an episode keeps its key");
                assert_eq!(alert.started_at, fired.started_at);
                assert_eq!(alert.channels, fired.channels);
            }
        }
        assert!(alert.value.is_finite() && alert.threshold.is_finite());
        assert!(alert.started_at <= alert.changed_at);
    }
}

#[test]
fn scenarios() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/alerts/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 10, "the scenarios were not found in {folder}");
    let mut failures = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let scenario: Scenario = serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        let told = run(&scenario);
        check_episodes(&told);
        let came: Vec<_> = told.iter().map(show).collect();
        if came != scenario.expect {
            failures.push(format!("{name}:\n  expected {:#?}\n  came {came:#?}", scenario.expect));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
