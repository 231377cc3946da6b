//! What must hold of every history: drawn at random, run, compared.

use super::*;
use deskstream_schemas::{Alert, AlertState, Text};
use proptest::prelude::*;
use std::collections::BTreeMap;

const STEP_MS: i64 = 30_000;
const STEPS: usize = 60;
const TENANTS: [&str; 2] = ["acme", "beta"];
const CAUSES: [&str; 2] = ["billing", "refund"];

/// No hysteresis and no waiting: after a restart such rules go on exactly as if there had been none.
const IMMEDIATE: &str = "
rules:
  - {name: errors, expr: 'error_rate[3m] > 20%', severity: error}
  - {name: urgent, expr: 'high_urgency[2m] > 3 or negative_share[3m] > 90%', severity: error}
  - {name: causes, expr: 'tickets[3m] > 8', severity: info, group_by: root_cause}
  - {name: queue, expr: 'queue_depth > 50', severity: info}
";

const PATIENT: &str = "
rules:
  - {name: errors, expr: 'error_rate[3m] > 20%', severity: error, for: 1m, keep_firing_for: 90s}
  - {name: causes, expr: 'tickets[3m] > 8', severity: info, group_by: root_cause, keep_firing_for: 1m}
  - {name: queue, expr: 'queue_depth > 50', severity: info, for: 30s, no_data: keep}
";

/// What becomes known at one step.
#[derive(Debug, Clone)]
struct Known {
    windows: Vec<MinuteMetrics>,
    gauge: Option<f64>,
}

fn window(step: usize) -> impl Strategy<Value = MinuteMetrics> {
    let present = i64::try_from(step).unwrap() * STEP_MS / 60_000;
    // Up to four minutes late, one minute early.
    (0..TENANTS.len(), -4i64..=1, 0u64..20, 0u64..10, 0u64..6, prop::array::uniform2(0u64..6)).prop_map(
        move |(tenant, offset, events, errors, high_urgency, causes)| {
            let root_causes: BTreeMap<Text, u64> =
                CAUSES.into_iter().map(Text::from).zip(causes).filter(|(_, n)| *n > 0).collect();
            let tickets = root_causes.values().sum::<u64>();
            MinuteMetrics {
                events: events + errors,
                errors,
                tickets,
                high_urgency: high_urgency.min(tickets),
                negative: tickets / 2,
                root_causes,
                ..MinuteMetrics::empty(TENANTS[tenant], (present + offset) * 60_000)
            }
        },
    )
}

fn history() -> impl Strategy<Value = Vec<Known>> {
    let steps: Vec<_> = (0..STEPS)
        .map(|step| {
            (prop::collection::vec(window(step), 0..3), prop::option::of(0.0..100.0))
                .prop_map(|(windows, gauge)| Known { windows, gauge })
        })
        .collect();
    steps
}

fn time(step: usize) -> i64 {
    i64::try_from(step).unwrap() * STEP_MS
}

struct Run {
    rules: RuleSet,
    evaluator: Evaluator,
    told: Vec<Alert>,
}

impl Run {
    fn new(rules: &str) -> Self {
        let rules = load(rules).unwrap();
        Self { evaluator: Evaluator::new(&rules), rules, told: Vec::new() }
    }

    fn observe(&mut self, known: &Known, step: usize) {
        known.windows.iter().for_each(|minute| self.evaluator.observe_window(minute));
        if let Some(value) = known.gauge {
            self.evaluator.observe_gauge("*", Metric::QueueDepth, value, time(step));
        }
    }

    fn tick(&mut self, step: usize) {
        self.told.extend(self.evaluator.tick(time(step)));
    }

    /// Rebuilds the evaluator from what was told and what was known.
    fn restart(&mut self, past: &[Known]) {
        self.evaluator = Evaluator::new(&self.rules);
        self.told.iter().cloned().for_each(|alert| self.evaluator.restore(alert));
        past.iter().enumerate().for_each(|(step, known)| self.observe(known, step));
    }
}

fn whole_run(rules: &str, history: &[Known]) -> Vec<Alert> {
    let mut run = Run::new(rules);
    for (step, known) in history.iter().enumerate() {
        run.observe(known, step);
        run.tick(step);
    }
    run.told
}

fn alternate(told: &[Alert]) -> Result<(), TestCaseError> {
    let mut firing = BTreeMap::new();
    for alert in told {
        if alert.state == AlertState::Firing {
            prop_assert_eq!(firing.insert(alert.key(), alert.dedup_key.clone()), None, "{}", alert.key());
        } else {
            prop_assert_eq!(firing.remove(&alert.key()), Some(alert.dedup_key.clone()));
        }
    }
    let keys: std::collections::HashSet<_> = told.iter().map(|a| (&a.dedup_key, a.state)).collect();
    prop_assert_eq!(keys.len(), told.len(), "a transition was told twice");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn firing_and_resolved_alternate(history in history()) {
        alternate(&whole_run(IMMEDIATE, &history))?;
        alternate(&whole_run(PATIENT, &history))?;
    }

    #[test]
    fn a_restart_at_any_point_changes_nothing_for_rules_without_timers(
        history in history(),
        at in prop::collection::btree_set(1..STEPS, 1..4),
    ) {
        let mut run = Run::new(IMMEDIATE);
        for (step, known) in history.iter().enumerate() {
            if at.contains(&step) {
                run.restart(&history[..step]);
            }
            run.observe(known, step);
            run.tick(step);
        }
        prop_assert_eq!(run.told, whole_run(IMMEDIATE, &history));
    }

    #[test]
    fn a_restart_keeps_episodes_whole_for_every_rule(
        history in history(),
        at in prop::collection::btree_set(1..STEPS, 1..4),
    ) {
        let mut run = Run::new(PATIENT);
        for (step, known) in history.iter().enumerate() {
            if at.contains(&step) {
                run.restart(&history[..step]);
            }
            run.observe(known, step);
            run.tick(step);
        }
        alternate(&run.told)?;
    }

    #[test]
    fn observing_the_same_again_changes_nothing(history in history()) {
        let mut run = Run::new(PATIENT);
        let mut latest = BTreeMap::new();
        for (step, known) in history.iter().enumerate() {
            run.observe(known, step);
            latest.extend(known.windows.iter().map(|m| ((m.tenant.clone(), m.window_start), m.clone())));
            latest.values().for_each(|minute| run.evaluator.observe_window(minute));
            run.tick(step);
            let again = run.evaluator.tick(time(step));
            prop_assert!(again.is_empty(), "{again:?}");
        }
        prop_assert_eq!(run.told, whole_run(PATIENT, &history));
    }

    #[test]
    fn a_clock_that_jumps_back_tells_nothing_new(history in history(), back in 1..1_000_000i64) {
        let mut run = Run::new(IMMEDIATE);
        for (step, known) in history.iter().enumerate() {
            run.observe(known, step);
            run.tick(step);
            prop_assert!(run.evaluator.tick(time(step) - back).is_empty());
        }
        prop_assert_eq!(run.told, whole_run(IMMEDIATE, &history));
    }

    #[test]
    fn sums_agree_with_a_slow_reference(history in history()) {
        let rules = load("rules: [{name: e, expr: 'errors[3m] > 5', severity: info}]").unwrap();
        let mut evaluator = Evaluator::new(&rules);
        let mut all: BTreeMap<(String, i64), u64> = BTreeMap::new();
        for (step, known) in history.iter().enumerate() {
            for minute in &known.windows {
                evaluator.observe_window(minute);
                all.insert((minute.tenant.clone(), minute.window_start), minute.errors);
            }
            evaluator.tick(time(step));
            let present = time(step).div_euclid(60_000) * 60_000;
            for tenant in TENANTS {
                let errors: u64 = all
                    .iter()
                    .filter(|((t, start), _)| t == tenant && (present - 120_000..=present).contains(start))
                    .map(|(_, errors)| errors)
                    .sum();
                let fires = evaluator.firing().any(|alert| alert.tenant == tenant);
                prop_assert_eq!(fires, errors > 5, "{} at step {}: {} errors", tenant, step, errors);
            }
        }
    }
}

#[test]
fn a_rule_that_disappears_resolves_what_it_fired() {
    let firing = whole_run(
        "rules: [{name: old, expr: 'queue_depth > 1', severity: info, channels: [chat]}]",
        &[Known { windows: Vec::new(), gauge: Some(5.0) }],
    );
    let mut evaluator = Evaluator::new(&load(IMMEDIATE).unwrap());
    evaluator.restore(firing[0].clone());
    let told = evaluator.tick(60_000);
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].state, &told[0].dedup_key), (AlertState::Resolved, &firing[0].dedup_key));
    assert_eq!(told[0].channels, ["chat"]);
    assert!(evaluator.tick(120_000).is_empty());
}

#[test]
fn what_was_resolved_is_not_restored() {
    let history = [Some(100.0), Some(1.0)].map(|gauge| Known { windows: Vec::new(), gauge });
    let told = whole_run(IMMEDIATE, &history);
    assert_eq!(told.len(), 2);
    let mut evaluator = Evaluator::new(&load(IMMEDIATE).unwrap());
    told.into_iter().for_each(|alert| evaluator.restore(alert));
    assert_eq!(evaluator.standing(), Standing::default());
}

#[test]
fn a_restored_alert_without_data_resolves_after_the_grace() {
    let rules = "rules: [{name: e, expr: 'errors[3m] > 1', severity: info}]";
    let mut one = MinuteMetrics::empty("acme", 0);
    one.errors = 9;
    let told = whole_run(rules, &[Known { windows: vec![one], gauge: None }]);
    let mut evaluator = Evaluator::new(&load(rules).unwrap());
    evaluator.restore(told[0].clone());
    assert!(evaluator.tick(1_000_000).is_empty());
    assert!(evaluator.tick(1_000_000 + GAUGE_STALE_MS - 1).is_empty());
    assert_eq!(evaluator.tick(1_000_000 + GAUGE_STALE_MS).len(), 1);
}
