//! From minutes and gauges to transitions.

use super::expression::{Reading, Source};
use super::history::{History, MINUTE_MS, MinuteMetrics, Sums};
use super::metric::{Metric, Unit};
use super::rules::{Grouping, Rule, RuleSet};
use super::state::{Instance, Step};
use super::template::Facts;
use deskstream_schemas::{Alert, AlertState, Text};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128;

/// A gauge whose last value is older than this is unknown: five minutes, as Prometheus' lookback.
pub const GAUGE_STALE_MS: i64 = 5 * 60 * 1000;

/// PagerDuty's limit for dedup keys.
const MAX_DEDUP_KEY_BYTES: usize = 255;

/// How many alerts stand where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// The condition holds, but not yet for long enough.
    pub pending: usize,
    /// Firing.
    pub firing: usize,
}

#[derive(Debug, Clone, Copy)]
struct Gauge {
    value: f64,
    at: i64,
}

/// What is known of one tenant.
#[derive(Debug, Default)]
struct Tenant {
    /// Positions of the rules that watch it.
    rules: Vec<usize>,
    history: History,
    /// Whether a window was observed since the start.
    seen: bool,
    gauges: [Option<Gauge>; Metric::GAUGES.len()],
    /// Alerts that are not inactive, by position of the rule and group.
    instances: BTreeMap<(usize, Text), Instance>,
    /// Sums over each range of the rule set, and the minute they were made for.
    sums: Vec<Sums>,
    summed_at: Option<i64>,
}

impl Tenant {
    fn sum_up(&mut self, ranges: &[u32], present: i64) {
        let longest = ranges.last().copied().unwrap_or(1);
        self.history.prune(present, longest);
        if self.summed_at != Some(present) {
            self.sums = ranges.iter().map(|minutes| self.history.sums(present, *minutes)).collect();
            self.summed_at = Some(present);
        }
    }

    fn idle(&self, now: i64) -> bool {
        self.history.is_empty()
            && self.instances.is_empty()
            && self.gauges.iter().flatten().all(|gauge| now - gauge.at > GAUGE_STALE_MS)
    }
}

/// One tenant's values for one group, as expressions see them.
struct View<'a> {
    tenant: &'a Tenant,
    ranges: &'a [u32],
    group: Option<&'a str>,
    now: i64,
}

impl Source for View<'_> {
    fn value(&self, metric: Metric, minutes: Option<u32>) -> Option<f64> {
        if let Some(index) = metric.gauge_index() {
            let gauge = self.tenant.gauges[index]?;
            return (self.now - gauge.at <= GAUGE_STALE_MS).then_some(gauge.value);
        }
        let range = self.ranges.binary_search(&minutes?).ok()?;
        self.tenant.sums.get(range)?.value(metric, self.group)
    }
}

/// Evaluates rules over what it is told of tenants; see the module's contract.
#[derive(Debug)]
pub struct Evaluator {
    rules: Arc<[Rule]>,
    /// Every range that a rule asks for, in minutes, ascending.
    ranges: Vec<u32>,
    tenants: BTreeMap<String, Tenant>,
    /// Restored alerts that no rule stands behind any more.
    orphans: BTreeMap<String, Alert>,
    first_tick: Option<i64>,
    clock: i64,
}

impl Evaluator {
    /// An evaluator that knows of no data yet.
    pub fn new(rules: &RuleSet) -> Self {
        let ranges: BTreeSet<u32> =
            rules.rules().iter().flat_map(|rule| rule.expression.metrics()).filter_map(|(_, m)| m).collect();
        Self {
            rules: rules.rules().into(),
            ranges: ranges.into_iter().collect(),
            tenants: BTreeMap::new(),
            orphans: BTreeMap::new(),
            first_tick: None,
            clock: i64::MIN,
        }
    }

    /// Minutes of windows to observe again after a restart.
    pub fn longest_range_minutes(&self) -> u32 {
        self.ranges.last().copied().unwrap_or(0)
    }

    /// Takes a transition from the `alerts` topic, in the topic's order. At start, before the first tick.
    pub fn restore(&mut self, alert: Alert) {
        let index = self.rules.iter().position(|rule| rule.name == alert.rule);
        let standing = index.filter(|index| {
            let rule = &self.rules[*index];
            rule.watches(&alert.tenant) && rule.group_by.is_some() != alert.group.is_empty()
        });
        match (standing, alert.state) {
            (Some(index), AlertState::Firing) => {
                let group = Cow::Owned(alert.group.clone());
                let tenant = tenant_of(&mut self.tenants, &self.rules, &alert.tenant);
                tenant.instances.insert((index, group), Instance::restored(alert));
            }
            (Some(index), AlertState::Resolved) => {
                if let Some(tenant) = self.tenants.get_mut(&alert.tenant) {
                    tenant.instances.remove(&(index, Cow::Owned(alert.group)));
                }
            }
            (None, AlertState::Firing) => drop(self.orphans.insert(alert.key(), alert)),
            (None, AlertState::Resolved) => drop(self.orphans.remove(&alert.key())),
        }
    }

    /// Takes the latest value of a one-minute window.
    pub fn observe_window(&mut self, minute: &MinuteMetrics) {
        let tenant = tenant_of(&mut self.tenants, &self.rules, &minute.tenant);
        tenant.seen = true;
        if tenant.history.observe(minute) {
            tenant.summed_at = None;
        }
    }

    /// Takes a gauge's value at a time; an older one than the last is ignored, and so is what is no number or no
    /// gauge.
    pub fn observe_gauge(&mut self, tenant: &str, metric: Metric, value: f64, at: i64) {
        let Some(index) = metric.gauge_index() else { return };
        if !value.is_finite() {
            return;
        }
        let gauge = &mut tenant_of(&mut self.tenants, &self.rules, tenant).gauges[index];
        if gauge.is_none_or(|last| last.at <= at) {
            *gauge = Some(Gauge { value, at });
        }
    }

    /// Evaluates every rule as of `now` (milliseconds since the Unix epoch; a time before the last one counts as
    /// the last one) and returns what changed, ordered by tenant, rule and group.
    pub fn tick(&mut self, now: i64) -> Vec<Alert> {
        let now = now.max(self.clock);
        self.clock = now;
        let first_tick = *self.first_tick.get_or_insert(now);
        let present = now.div_euclid(MINUTE_MS);

        let mut transitions: Vec<Alert> =
            std::mem::take(&mut self.orphans).into_values().map(|orphan| resolved(&orphan, now)).collect();
        for (name, tenant) in &mut self.tenants {
            tenant.sum_up(&self.ranges, present);
            let context = Context { name, rules: &self.rules, ranges: &self.ranges, now, first_tick };
            context.evaluate(tenant, &mut transitions);
        }
        self.tenants.retain(|_, tenant| !tenant.idle(now));
        transitions
    }

    /// How many alerts are pending and firing.
    pub fn standing(&self) -> Standing {
        let mut standing = Standing::default();
        for instance in self.tenants.values().flat_map(|tenant| tenant.instances.values()) {
            match instance {
                Instance::Pending { .. } => standing.pending += 1,
                Instance::Firing { .. } => standing.firing += 1,
            }
        }
        standing
    }

    /// The alerts that fire, as they were told.
    pub fn firing(&self) -> impl Iterator<Item = &Alert> {
        self.tenants.values().flat_map(|tenant| tenant.instances.values()).filter_map(|instance| {
            match instance {
                Instance::Firing { alert, .. } => Some(&**alert),
                Instance::Pending { .. } => None,
            }
        })
    }
}

fn tenant_of<'a>(tenants: &'a mut BTreeMap<String, Tenant>, rules: &[Rule], name: &str) -> &'a mut Tenant {
    if !tenants.contains_key(name) {
        let watching = rules.iter().enumerate().filter(|(_, rule)| rule.watches(name)).map(|(i, _)| i);
        tenants.insert(name.to_owned(), Tenant { rules: watching.collect(), ..Tenant::default() });
    }
    tenants.get_mut(name).expect("it was inserted above if it was missing")
}

/// One tick of one tenant.
struct Context<'a> {
    name: &'a str,
    rules: &'a [Rule],
    ranges: &'a [u32],
    now: i64,
    first_tick: i64,
}

impl Context<'_> {
    fn evaluate(&self, tenant: &mut Tenant, transitions: &mut Vec<Alert>) {
        for position in 0..tenant.rules.len() {
            let index = tenant.rules[position];
            for group in groups(tenant, &self.rules[index], index) {
                transitions.extend(self.evaluate_group(tenant, index, group));
            }
        }
    }

    fn evaluate_group(&self, tenant: &mut Tenant, index: usize, group: Text) -> Option<Alert> {
        let rule = &self.rules[index];
        let view = View {
            tenant,
            ranges: self.ranges,
            group: rule.group_by.is_some().then_some(&*group),
            now: self.now,
        };
        let reading = rule.expression.read(&view);
        let key = (index, group);
        let Some(instance) = tenant.instances.get_mut(&key) else {
            if reading.holds != Some(true) {
                return None;
            }
            let mut instance = Instance::Pending { since: self.now };
            return match instance.step(rule, reading.holds, self.now) {
                Step::Fire { since } => {
                    let alert = self.fire(rule, &key.1, reading, since);
                    tenant.instances.insert(key, Instance::firing(alert.clone()));
                    Some(alert)
                }
                _ => {
                    tenant.instances.insert(key, instance);
                    None
                }
            };
        };
        // After a restart, data that has not come back yet is no reason to resolve.
        let waiting = instance.unconfirmed() && self.now - self.first_tick < GAUGE_STALE_MS;
        let unseen = |metric: Metric| match metric.gauge_index() {
            Some(index) => tenant.gauges[index].is_none(),
            None => !tenant.seen,
        };
        if waiting
            && reading.holds != Some(true)
            && rule.expression.metrics().into_iter().any(|(metric, _)| unseen(metric))
        {
            return None;
        }
        match instance.step(rule, reading.holds, self.now) {
            Step::Stay => None,
            Step::Drop => {
                tenant.instances.remove(&key);
                None
            }
            Step::Fire { since } => {
                let alert = self.fire(rule, &key.1, reading, since);
                *instance = Instance::firing(alert.clone());
                Some(alert)
            }
            Step::Resolve => match tenant.instances.remove(&key) {
                Some(Instance::Firing { alert, .. }) => Some(self.resolve(rule, &alert, reading)),
                _ => None,
            },
        }
    }

    fn fire(&self, rule: &Rule, group: &str, reading: Reading, started_at: i64) -> Alert {
        let (value, threshold, unit) =
            reading.telling.map_or((0.0, 0.0, Unit::Number), |c| (c.value, c.threshold, c.unit));
        let mut labels = rule.labels.clone();
        if let Some(grouping) = rule.group_by {
            labels.insert(grouping.name().to_owned(), group.to_owned());
        }
        Alert {
            dedup_key: dedup_key(&rule.name, self.name, group, started_at),
            rule: rule.name.clone(),
            tenant: self.name.to_owned(),
            group: group.to_owned(),
            state: AlertState::Firing,
            severity: rule.severity,
            value,
            threshold,
            summary: summary(rule, self.name, group, value, threshold, unit),
            channels: rule.channels.clone(),
            started_at,
            changed_at: self.now,
            labels,
        }
    }

    /// The resolve goes where the firing went, whatever the rule says by now.
    fn resolve(&self, rule: &Rule, fired: &Alert, reading: Reading) -> Alert {
        let mut alert = resolved(fired, self.now);
        if let Some(telling) = reading.telling {
            alert.value = telling.value;
            alert.threshold = telling.threshold;
            alert.summary =
                summary(rule, self.name, &alert.group, telling.value, telling.threshold, telling.unit);
        }
        alert
    }
}

fn resolved(fired: &Alert, now: i64) -> Alert {
    Alert { state: AlertState::Resolved, changed_at: now, ..fired.clone() }
}

/// The groups of a rule to look at: those with tickets in its ranges, and those with an alert.
fn groups(tenant: &Tenant, rule: &Rule, index: usize) -> BTreeSet<Text> {
    match rule.group_by {
        None => BTreeSet::from([Cow::Borrowed("")]),
        Some(Grouping::RootCause) => {
            let in_data = tenant.sums.iter().flat_map(|sums| sums.root_causes.keys());
            let from = (index, Cow::Borrowed(""));
            let with_alert = tenant
                .instances
                .range(from..)
                .take_while(|((i, _), _)| *i == index)
                .map(|((_, group), _)| group);
            in_data.chain(with_alert).cloned().collect()
        }
    }
}

fn summary(rule: &Rule, tenant: &str, group: &str, value: f64, threshold: f64, unit: Unit) -> String {
    rule.summary.fill(&Facts {
        rule: &rule.name,
        tenant,
        group,
        severity: rule.severity.as_str(),
        value,
        threshold,
        unit,
    })
}

/// Identity of an episode, at most 255 bytes: names that are too long give way to their hash.
fn dedup_key(rule: &str, tenant: &str, group: &str, started_at: i64) -> String {
    let key = format!("deskstream/{rule}/{tenant}/{group}/{started_at}");
    if key.len() <= MAX_DEDUP_KEY_BYTES {
        return key;
    }
    format!("deskstream/{:032x}/{started_at}", xxh3_128(key.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dedup_keys_are_readable_and_bounded() {
        assert_eq!(dedup_key("errors", "acme", "", 7), "deskstream/errors/acme//7");
        let long = dedup_key("errors", "acme", &"x".repeat(300), 7);
        assert!(long.len() <= MAX_DEDUP_KEY_BYTES, "{long}");
        assert_ne!(long, dedup_key("errors", "acme", &"y".repeat(300), 7));
        assert!(long.ends_with("/7"));
    }

    #[test]
    fn quiet_tenants_are_forgotten() {
        let mut evaluator = Evaluator::new(&RuleSet::shipped());
        for number in 0..1000 {
            evaluator.observe_window(&MinuteMetrics::empty(format!("t{number}"), 0));
            evaluator.observe_gauge("gauged", Metric::QueueDepth, 1.0, 0);
        }
        assert!(evaluator.tick(0).is_empty());
        assert_eq!(evaluator.tenants.len(), 1001);
        assert!(evaluator.tick(24 * 60 * MINUTE_MS).is_empty());
        assert_eq!(evaluator.tenants.len(), 0);
    }
}
