use super::*;

fn complaint(yaml: &str) -> String {
    load(yaml).unwrap_err().in_file("rules.yaml").to_string()
}

const MINIMAL: &str = "rules:\n  - name: errors\n    expr: error_rate[5m] > 5%\n    severity: critical\n";

#[test]
fn the_shipped_rules_are_those_of_the_plan_and_of_drift() {
    let rules = RuleSet::shipped();
    let names: Vec<_> = rules.rules().iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "error-rate",
            "high-urgency-tickets",
            "negative-sentiment",
            "queue-depth",
            "api-usage",
            "label-drift",
            "confidence-drift",
            "language-drift"
        ]
    );
    let critical = &rules.rules()[0];
    assert_eq!(critical.severity, Severity::Critical);
    assert_eq!(critical.channels, ["pager", "chat"]);
    assert_eq!(rules.channels(), BTreeSet::from(["chat", "pager"]));
}

#[test]
fn a_minimal_rule_has_the_documented_defaults() {
    let rules = load(MINIMAL).unwrap();
    let rule = &rules.rules()[0];
    assert_eq!((rule.hold, rule.keep_firing_for), (Duration::ZERO, Duration::ZERO));
    assert_eq!((rule.scope, rule.no_data, rule.group_by), (Scope::Tenants, NoData::Resolve, None));
    assert!(rule.channels.is_empty() && rule.labels.is_empty());
    assert!(rule.watches("acme") && !rule.watches(EVERY_TENANT));
    assert_eq!(rule.line, 2);
}

#[test]
fn tenants_are_chosen_by_globs() {
    let yaml = format!("{MINIMAL}    tenants: {{include: [\"acme-*\", beta], exclude: [\"*-test\"]}}\n");
    let rules = load(&yaml).unwrap();
    let watched = ["acme-eu", "acme-eu-test", "beta", "beta2", "acme", EVERY_TENANT];
    let watched: Vec<_> = watched.into_iter().filter(|tenant| rules.rules()[0].watches(tenant)).collect();
    assert_eq!(watched, ["acme-eu", "beta"]);
}

#[test]
fn the_whole_installation_is_watched_where_asked_or_where_it_is_a_gauge() {
    let rules = load(&format!("{MINIMAL}    scope: installation\n")).unwrap();
    assert!(rules.rules()[0].watches(EVERY_TENANT) && !rules.rules()[0].watches("acme"));
    let rules = load("rules: [{name: q, expr: queue_depth > 1, severity: info}]").unwrap();
    assert!(rules.rules()[0].watches(EVERY_TENANT) && rules.rules()[0].watches("acme"));
}

#[test]
fn complaints_name_line_field_and_fix() {
    let with = |extra: &str| complaint(&format!("{MINIMAL}    {extra}\n"));
    let two = |second: &str| complaint(&format!("{MINIMAL}{second}"));
    let report = [
        with("severty: critical"),
        with("channel: [pager]"),
        with("for: soon"),
        with("keep_firing_for: 3d"),
        with("group_by: rootcause"),
        with("scope: everything"),
        with("no_data: keeep"),
        with("summary: \"{{tennant}} is on fire\""),
        with("channels: [pager, pager]"),
        with("for: [1, 2]"),
        complaint("rules:\n  - name: a b\n    expr: queue_depth > 1\n    severity: critical\n"),
        complaint("rules:\n  - name: errors\n    severity: critical\n"),
        complaint("rules:\n  - name: errors\n    expr: eror_rate[5m] > 5%\n    severity: urgent\n"),
        complaint(
            "rules:\n  - name: errors\n    expr: >\n      error_rate[5m] > 5%\n      and tickets > 1\n    severity: info\n",
        ),
        complaint("rule: []\n"),
        complaint("rules: [\n"),
        complaint(""),
        two("  - name: errors\n    expr: queue_depth > 100\n    severity: info\n"),
        complaint(
            "rules:\n  - {name: e, expr: \"error_rate[5m] > 5%\", severity: info, scope: installation, tenants: {include: [a]}}\n",
        ),
    ];
    insta::assert_snapshot!(report.join("\n\n"));
}

#[test]
fn channels_must_exist() {
    let mut rules = load(&format!("{MINIMAL}    channels: [pgaer, chat]\n")).unwrap();
    let known = BTreeSet::from(["pager", "chat"]);
    let errors = rules.check_channels(&known).unwrap_err().in_file("my.yaml").to_string();
    assert_eq!(errors, "my.yaml:2: errors.channels: no channel `pgaer` is configured; did you mean `pager`?");
    assert_eq!(rules.retain_channels(&known), BTreeSet::from(["pgaer".to_owned()]));
    assert_eq!(rules.channels(), BTreeSet::from(["chat"]));
    assert!(rules.check_channels(&known).is_ok());
}
