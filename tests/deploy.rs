//! What can be checked of docker-compose.yml, deploy/ and dashboards/ without Docker: that every image is pinned,
//! that what is mounted is there, that the configuration is valid, that dashboards and rules ask for metrics that
//! exist. That each panel has an answer while a demo runs is tests/demo.rs's.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says what it could not run")]

#[path = "support/panels.rs"]
#[allow(dead_code, reason = "the part about metrics is for the test of the running demo")]
mod panels;

use deskstream_connectors::clickhouse::migrate;
use deskstream_embedded::{ClickHouse, ClickHouseOptions};
use deskstream_runtime::config;
use panels::Fill;
use secrecy::ExposeSecret;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("read {path}: {e}"))
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&read(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn compose() -> Value {
    yaml("docker-compose.yml")
}

fn services(compose: &Value) -> impl Iterator<Item = (&String, &Value)> {
    compose["services"].as_object().unwrap().iter()
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().map(|v| v.as_str().unwrap())
}

/// Whether an image's name ends in a version: a tag with a digit, that isn't `latest`.
fn pinned(image: &str) -> bool {
    let tag = image.rsplit('/').next().and_then(|name| name.split_once(':')).map(|(_, tag)| tag);
    tag.is_some_and(|tag| !tag.starts_with("latest") && tag.contains(|c: char| c.is_ascii_digit()))
}

/// Runs deploy/secrets.sh into a folder of its own.
fn secrets() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new(root().join("deploy/secrets.sh")).arg(folder.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    folder
}

#[test]
fn every_image_is_pinned() {
    assert!(pinned("apache/kafka:4.3.1") && pinned("registry:5000/a/b:1"));
    assert!(!pinned("grafana/grafana") && !pinned("a:latest") && !pinned("registry:5000/a"));
    for (name, service) in services(&compose()) {
        let image = service["image"].as_str().unwrap_or_else(|| panic!("{name} has no image"));
        assert!(pinned(image), "{name}: {image}");
    }
    let dockerfile = read("Dockerfile");
    let bases: Vec<_> = dockerfile.lines().filter_map(|l| l.strip_prefix("FROM ")).collect();
    assert_eq!(bases.len(), 2, "{bases:?}");
    for base in bases {
        assert!(pinned(base.split_whitespace().next().unwrap()), "{base}");
    }
    let last_user = dockerfile.lines().rfind(|l| l.starts_with("USER ")).unwrap();
    assert!(!last_user.contains("root") && !last_user.starts_with("USER 0"), "{last_user}");
}

#[test]
fn every_service_is_checked_and_waits_for_what_it_needs() {
    let compose = compose();
    for (name, service) in services(&compose) {
        assert!(service["healthcheck"]["test"].is_array(), "{name} has no health check");
        assert_eq!(service["restart"], "unless-stopped", "{name}");
        let Some(needs) = service.get("depends_on") else { continue };
        for (other, need) in needs.as_object().unwrap() {
            assert!(compose["services"].get(other).is_some(), "{name} waits for {other}, which is not there");
            assert_eq!(need["condition"], "service_healthy", "{name} waits for {other}");
        }
    }
    for part in ["connect", "run"] {
        let needs = compose["services"][part]["depends_on"].as_object().unwrap();
        let needs: BTreeSet<_> = needs.keys().map(String::as_str).collect();
        assert_eq!(needs, BTreeSet::from(["clickhouse", "kafka", "schema-registry"]), "{part}");
    }
}

#[test]
fn ports_are_bound_to_this_machine() {
    let mut seen = BTreeSet::new();
    for (name, service) in services(&compose()) {
        for port in strings(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
            assert!(seen.insert(port.to_owned()), "{name}: {port} is taken twice");
        }
    }
    assert!(seen.contains("127.0.0.1:8080:8080"), "webhooks can't come in: {seen:?}");
}

#[test]
fn everything_mounted_is_there() {
    let (compose, secrets) = (compose(), secrets());
    let there = |path: &str| match path.strip_prefix("./deploy/secrets") {
        Some(made) => secrets.path().join(made.trim_start_matches('/')).exists(),
        None => root().join(path).exists(),
    };
    let mut mounted = 0;
    for (name, service) in services(&compose) {
        for volume in strings(&service["volumes"]) {
            let (source, target) = volume.split_once(':').unwrap();
            if source.starts_with('.') {
                assert!(there(source), "{name} mounts {source}, which is not there");
                assert!(target.ends_with(":ro"), "{name} may write to {source}");
                mounted += 1;
            } else {
                assert!(compose["volumes"].get(source).is_some(), "{name}: volume {source} is not declared");
            }
        }
        for secret in strings(&service["secrets"]) {
            let file = compose["secrets"][secret]["file"].as_str();
            assert!(file.is_some_and(there), "{name}: secret {secret} is not made by deploy/secrets.sh");
        }
        // A secret in the environment shows in `docker inspect`.
        for (key, value) in service["environment"].as_object().into_iter().flatten() {
            assert!(!key.contains("PASSWORD") || key.ends_with("__FILE"), "{name}: {key} = {value}");
        }
    }
    assert!(mounted >= 8, "only {mounted} mounts were seen");
}

#[test]
fn secrets_are_made_once_and_kept() {
    let folder = secrets();
    let master = fs::read(folder.path().join("deskstream/master")).unwrap();
    let again = Command::new(root().join("deploy/secrets.sh")).arg(folder.path()).output().unwrap();
    assert!(again.status.success() && again.stdout.is_empty());
    assert_eq!(fs::read(folder.path().join("deskstream/master")).unwrap(), master);
    let users = fs::read_to_string(folder.path().join("clickhouse-users.xml")).unwrap();
    for secret in ["deskstream/clickhouse", "clickhouse-reader"] {
        let password = fs::read_to_string(folder.path().join(secret)).unwrap();
        assert!(
            password.len() >= 32 && !users.contains(&password),
            "{secret} is short, or stands in the users' file"
        );
    }
    let tracked =
        Command::new("git").args(["ls-files", "deploy/secrets"]).current_dir(root()).output().unwrap();
    assert!(tracked.stdout.is_empty(), "{}", String::from_utf8_lossy(&tracked.stdout));
}

/// What a user who takes the comment signs away gets, too.
#[test]
fn the_configuration_is_valid_with_and_without_a_helpdesk() {
    let secrets = secrets();
    let folder = secrets.path().join("deskstream");
    let shipped = read("deploy/deskstream.toml").replace("/run/secrets", folder.to_str().unwrap());
    let from = shipped.find("# [tenants.acme.zendesk]").unwrap();
    let uncommented = shipped[from..].lines().map(|line| match line.strip_prefix("# ") {
        Some(setting) if setting.starts_with('[') || setting.contains(" = ") => setting,
        _ => line,
    });
    let full = format!("{}{}\n", &shipped[..from], uncommented.collect::<Vec<_>>().join("\n"));
    let helpdesks = [
        "acme-token",
        "acme-webhook",
        "acme-freshdesk-key",
        "acme-freshdesk-webhook",
        "acme-intercom-token",
        "acme-intercom-secret",
    ];
    for name in helpdesks.into_iter().chain(["pagerduty"]) {
        fs::write(folder.join(name), "x".repeat(32)).unwrap();
    }
    fs::write(folder.join("slack"), "https://hooks.slack.com/services/T0/B0/x").unwrap();
    for (text, expected) in
        [(shipped.as_str(), "ok: 0 tenants, 0 alert channels"), (&full, "ok: 1 tenants, 2 alert channels")]
    {
        let path = secrets.path().join("deskstream.toml");
        fs::write(&path, text).unwrap();
        let validated = Command::new(env!("CARGO_BIN_EXE_deskstream"))
            .arg("validate")
            .arg("--config")
            .arg(path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&validated.stdout);
        assert!(validated.status.success(), "{}\n{text}", String::from_utf8_lossy(&validated.stderr));
        assert!(said.contains(expected), "{said}");
    }
}

/// Names of metrics in a text, without what histograms add.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names = words.filter(|w| w.starts_with("deskstream_") && w.matches('_').count() >= 2);
    names
        .map(|w| w.trim_end_matches("_bucket").trim_end_matches("_count").trim_end_matches("_sum").to_owned())
        .collect()
}

/// Every string in the sources that is the name of a metric.
fn metrics_of_the_product() -> BTreeSet<String> {
    fn walk(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() && path.file_name().is_some_and(|n| n != "target") {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                // A metric has a part and a name; what has fewer words is a crate or a field.
                let metric = |s: &&str| {
                    s.starts_with("deskstream_")
                        && s.matches('_').count() >= 2
                        && s.chars().all(|c| c.is_ascii_lowercase() || c == '_')
                };
                found.extend(text.split('"').filter(metric).map(str::to_owned));
            }
        }
    }
    let mut found = BTreeSet::new();
    for folder in ["pipeline/src", "connectors/src", "console/src", "runtime/src"] {
        walk(&root().join(folder), &mut found);
    }
    found
}

#[test]
fn dashboards_rules_and_the_guide_name_metrics_that_exist() {
    let known = metrics_of_the_product();
    assert!(known.len() > 40, "{known:?}");
    let texts = [
        "dashboards/grafana/deskstream-overview.json",
        "dashboards/prometheus/rules/deskstream.yml",
        "docs/operations.md",
    ];
    for path in texts {
        let named = metrics_in(&read(path));
        assert!(named.len() > 10, "{path} names {named:?}");
        let unknown: Vec<_> = named.difference(&known).collect();
        assert!(unknown.is_empty(), "{path} names metrics that the product does not have: {unknown:?}");
    }
    let untold: Vec<_> = known.difference(&metrics_in(&read("docs/operations.md"))).cloned().collect();
    assert!(untold.is_empty(), "docs/operations.md does not tell of {untold:?}");
}

/// The dashboards, and how many panels each has at least.
const DASHBOARDS: [(&str, usize); 2] =
    [("dashboards/grafana/deskstream-overview.json", 30), ("dashboards/grafana/deskstream-quality.json", 10)];

#[test]
fn every_panel_says_what_it_shows_in_which_unit() {
    for (path, least) in DASHBOARDS {
        let dashboard: Value = serde_json::from_str(&read(path)).unwrap();
        each_panel_says_what_it_shows(&dashboard, least);
    }
}

fn each_panel_says_what_it_shows(dashboard: &Value, least: usize) {
    let (mut ids, mut titles) = (BTreeSet::new(), BTreeSet::new());
    let panels = dashboard["panels"].as_array().unwrap();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(!title.is_empty() && titles.insert(title), "{title}: empty, or there twice");
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: its id is taken");
        if panel["type"] == "row" {
            continue;
        }
        assert!(panel["description"].as_str().is_some_and(|d| d.len() > 20), "{title} has no description");
        assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title} has no unit");
        let uid = panel["datasource"]["uid"].as_str().unwrap();
        assert!(matches!(uid, "${prometheus}" | "${clickhouse}"), "{title}: {uid}");
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{title} asks nothing");
        for target in targets {
            assert_eq!(target["datasource"]["uid"], uid, "{title}");
            let query = if uid == "${prometheus}" { "expr" } else { "rawSql" };
            assert!(target[query].as_str().is_some_and(|q| !q.is_empty()), "{title} has no {query}");
        }
    }
    assert!(panels.len() > least);
}

#[test]
fn clickhouse_panels_are_filled_in() {
    let fill = Fill { from_s: 100, to_s: 200, interval_s: 10, tenant: "o'brien" };
    let found = panels::queries(&read("dashboards/grafana/deskstream-overview.json"), &fill).unwrap();
    assert!(found.len() >= 14, "{found:?}");
    assert!(found.iter().all(|(_, sql)| !sql.contains('$')), "{found:?}");
    let (_, urgency) = found.iter().find(|(title, _)| title.starts_with("Urgency")).unwrap();
    assert!(urgency.contains("tenant = 'o''brien'"), "{urgency}");
    assert!(
        urgency.contains("window_start >= toDateTime(100) AND window_start <= toDateTime(200)"),
        "{urgency}"
    );
    assert!(panels::expand("SELECT $__unheard_of(x)", &fill).is_err());
    assert!(panels::expand("SELECT ${other}", &fill).is_err());
}

/// On empty tables, as the user who may only read: names, types and macros are right. That each has an answer in
/// a demo is tests/demo.rs's.
#[tokio::test]
async fn every_clickhouse_query_runs_on_the_real_engine() {
    let folder = tempfile::tempdir().unwrap();
    let engine = ClickHouse::start(ClickHouseOptions::new(folder.path())).await.unwrap();
    let (admin, reader) = (engine.endpoint(), engine.reader());
    let mut config = config::load(None, &vec![("keys.master".into(), "env:PATH".into())]).unwrap().clickhouse;
    config.url = admin.url.clone();
    config.user = admin.user.clone();
    let password = folder.path().join("admin");
    fs::write(&password, admin.password.expose_secret()).unwrap();
    config.password = Some(format!("file:{}", password.display()).as_str().into());
    migrate(&config).await.unwrap();
    let fill = Fill { from_s: 1_790_000_000, to_s: 1_790_003_600, interval_s: 15, tenant: "*" };
    for (title, sql) in DASHBOARDS.iter().flat_map(|(path, _)| panels::queries(&read(path), &fill).unwrap()) {
        let (url, secret) = (reader.url.as_str(), reader.password.expose_secret());
        let answer = panels::rows(url, &reader.user, secret, &config.database, &sql).await;
        assert!(answer.is_ok(), "{title}: {}\n{sql}", answer.unwrap_err());
    }
    let wrong = panels::rows(
        reader.url.as_str(),
        &reader.user,
        reader.password.expose_secret(),
        &config.database,
        "SELECT nothing",
    );
    assert!(wrong.await.is_err());
    engine.stop().await;
}

/// The data sources that the dashboard means are the ones that are provisioned.
#[test]
fn the_data_sources_are_provisioned() {
    let sources = yaml("dashboards/provisioning/datasources/deskstream.yml");
    let uids: BTreeSet<_> =
        sources["datasources"].as_array().unwrap().iter().map(|s| s["uid"].as_str().unwrap()).collect();
    for (path, _) in DASHBOARDS {
        let dashboard: Value = serde_json::from_str(&read(path)).unwrap();
        let variables = dashboard["templating"]["list"].as_array().unwrap();
        for variable in variables.iter().filter(|v| v["type"] == "datasource") {
            assert!(uids.contains(variable["current"]["value"].as_str().unwrap()), "{variable}");
        }
    }
    let providers = yaml("dashboards/provisioning/dashboards/deskstream.yml");
    let path = providers["providers"][0]["options"]["path"].as_str().unwrap();
    let mounts = compose();
    assert!(
        strings(&mounts["services"]["grafana"]["volumes"])
            .any(|v| v == format!("./dashboards/grafana:{path}:ro"))
    );
}

/// Every runbook that a rule names is a section of the guide.
#[test]
fn every_rule_has_a_runbook() {
    let rules = yaml("dashboards/prometheus/rules/deskstream.yml");
    let guide = read("docs/operations.md");
    let anchors: BTreeSet<String> = guide
        .lines()
        .filter_map(|l| l.trim_start_matches('#').strip_prefix(' ').filter(|_| l.starts_with('#')))
        .map(|h| {
            h.to_lowercase()
                .chars()
                .filter(|c| c.is_alphanumeric() || " -".contains(*c))
                .collect::<String>()
                .replace(' ', "-")
        })
        .collect();
    let mut seen = 0;
    for rule in rules["groups"].as_array().unwrap().iter().flat_map(|g| g["rules"].as_array().unwrap()) {
        let (file, anchor) = rule["annotations"]["runbook"].as_str().unwrap().split_once('#').unwrap();
        assert_eq!(file, "docs/operations.md");
        assert!(anchors.contains(anchor), "{}: no section {anchor} in {anchors:?}", rule["alert"]);
        assert!(matches!(rule["labels"]["severity"].as_str(), Some("warning" | "critical")), "{rule}");
        seen += 1;
    }
    assert!(seen >= 15);
}

/// Runs a checker if this machine has it; it is no part of what the product needs.
fn check(program: &str, args: &[&str]) {
    match Command::new(program).args(args).current_dir(root()).output() {
        Err(_) => println!("{program} is not installed: `{program} {}` was not run", args.join(" ")),
        Ok(output) => assert!(
            output.status.success(),
            "{program} {}:\n{}{}",
            args.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}

#[test]
fn promtool_accepts_config_and_rules_and_their_tests_pass() {
    check("promtool", &["check", "config", "--syntax-only", "dashboards/prometheus/prometheus.yml"]);
    check("promtool", &["check", "rules", "dashboards/prometheus/rules/deskstream.yml"]);
    check("promtool", &["test", "rules", "tests/deploy/rules_test.yml"]);
}

#[test]
fn compose_itself_accepts_the_file() {
    let plugin =
        Command::new("docker").args(["compose", "version"]).output().is_ok_and(|o| o.status.success());
    if plugin {
        check("docker", &["compose", "-f", "docker-compose.yml", "config", "--quiet"]);
    } else {
        check("docker-compose", &["-f", "docker-compose.yml", "config", "--quiet"]);
    }
}
