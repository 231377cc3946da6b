//! `deskstream demo` as a user runs it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/bed.rs"]
mod bed;
#[path = "support/panels.rs"]
mod panels;
#[path = "support/running.rs"]
mod running;

use deskstream_connectors::clickhouse::migrate;
use deskstream_connectors::kafka::EventSink;
use deskstream_embedded::ClickHouseEndpoint;
use deskstream_runtime::config::{self, Config};
use deskstream_runtime::{Process, time::now_ms};
use deskstream_schemas::{TicketContent, TicketEvent};
use panels::Fill;
use running::{PATIENCE, Running, processes_of};
use secrecy::ExposeSecret;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// Two demos at a time would measure each other.
static ONE_DEMO: Mutex<()> = Mutex::const_new(());

/// What a demo in which nothing goes wrong can't show, and why.
const ABSENT: [(&str, &str); 1] = [(
    "deskstream_write_back_incidents_total",
    "counts conflicts with agents and uncertain answers, which come by chance",
)];

#[tokio::test]
async fn the_demo_shows_the_whole_way_and_leaves_nothing_behind() {
    let _alone = ONE_DEMO.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_deskstream"))
        .args(["demo", "--for", "20s", "--json", "--data"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let log = |name: &str| fs::read_to_string(folder.path().join("logs").join(name)).unwrap_or_default();
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
    // Accounts of Zendesk are configured, the others registered while all runs.
    for helpdesk in ["zendesk", "freshdesk", "intercom"] {
        assert!(summary["tickets_of"][helpdesk].as_u64().unwrap_or(0) > 0, "{helpdesk}: {summary:#}");
        assert!(summary["written_back_to"][helpdesk].as_u64().unwrap_or(0) > 0, "{helpdesk}: {summary:#}");
    }
    assert!(summary["redactions"]["EMAIL"].as_u64().unwrap() > 0, "{summary:#}");
    assert!(count("alerts_fired") >= 1 && count("chat_messages") >= 1, "{summary:#}");
    assert_eq!(summary["lag"], 0);
    assert_eq!(summary["console"], serde_json::json!({ "up": true, "requests": 0 }));
    assert_eq!(processes_of(folder.path()), BTreeSet::new());
}

/// What goes wrong in no demo: an event from the distant future, which becomes a dead letter of its tenant.
async fn send_an_event_from_the_future(config: &Config) {
    let process = Process::start(Arc::new(config.clone()), CancellationToken::new()).await.unwrap();
    EventSink::ready_tenant(&process, "acme", "test").await.unwrap();
    let event = TicketEvent {
        event_id: "from-the-future".into(),
        ticket_id: "future".into(),
        occurred_at: now_ms() + 365 * 86_400_000,
        ..bed::event(0)
    };
    EventSink::new(&process).unwrap().send(event, &TicketContent::default()).await.unwrap();
    process.shutdown.cancel();
}

fn dashboards() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dashboards/grafana");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    // Nobody reviews tickets in the demo: the panels of quality are asked in tests/reviews.rs.
    let named = files.filter(|path| {
        path.extension().is_some_and(|e| e == "json") && !path.ends_with("deskstream-quality.json")
    });
    let found: Vec<_> = named
        .map(|path| (path.file_name().unwrap().to_string_lossy().into(), fs::read_to_string(path).unwrap()))
        .collect();
    assert!(!found.is_empty());
    found
}

/// The dashboards' ClickHouse queries that have not said anything yet. An answer says something if it differs from
/// the answer of empty tables: a sum over nothing is a row, too.
async fn silent_panels(reader: &ClickHouseEndpoint, empty: &Config) -> Vec<String> {
    let now_s = now_ms() / 1000;
    let mut silent = Vec::new();
    let admin = &empty.clickhouse;
    let admin_password = admin.password.as_ref().unwrap().expose().expose_secret().to_owned();
    for (name, dashboard) in dashboards() {
        for tenant in ["*", "acme"] {
            let fill = Fill { from_s: now_s - 3600, to_s: now_s + 60, interval_s: 15, tenant };
            for (title, sql) in panels::queries(&dashboard, &fill).unwrap() {
                let what = format!("{name}: {title} ({tenant})");
                let (url, user) = (reader.url.as_str(), reader.user.as_str());
                let answer = panels::rows(url, user, reader.password.expose_secret(), "deskstream", &sql)
                    .await
                    .unwrap_or_else(|error| panic!("{what}: {error}\n{sql}"));
                let of_nothing = panels::rows(url, &admin.user, &admin_password, &admin.database, &sql)
                    .await
                    .unwrap_or_else(|error| panic!("{what}, on empty tables: {error}\n{sql}"));
                if answer.is_empty() || answer == of_nothing {
                    silent.push(what);
                }
            }
        }
    }
    silent
}

/// The metrics in the dashboards that no process of the demo has.
async fn unknown_metrics(endpoints: &[String]) -> Vec<String> {
    let mut exposition = String::new();
    for url in endpoints {
        exposition.push_str(&reqwest::get(url).await.unwrap().text().await.unwrap());
    }
    let mut unknown = Vec::new();
    for (name, dashboard) in dashboards() {
        for (title, expr) in panels::expressions(&dashboard).unwrap() {
            for asked in panels::asked(&expr) {
                let excused = ABSENT.iter().any(|(metric, _)| *metric == asked.metric);
                if !excused && !panels::has(&exposition, &asked) {
                    unknown.push(format!("{name}: {title}: {asked:?}"));
                }
            }
        }
    }
    unknown
}

/// Asks until nothing is missing any more: what comes each minute needs its time.
async fn until_nothing_is_missing(mut missing: impl AsyncFnMut() -> Vec<String>) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let still = missing().await;
        if still.is_empty() {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "within {PATIENCE:?} there was nothing for:\n{}",
            still.join("\n")
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_panel_has_an_answer_and_ctrl_c_ends_the_demo() {
    let _alone = ONE_DEMO.lock().await;
    deskstream_runtime::install_crypto_provider();
    let mut demo = Running::start("2");
    let welcome = demo.welcome().await;
    let config = config::load(Some(&demo.path("deskstream.toml")), &Vec::new()).unwrap();
    send_an_event_from_the_future(&config).await;
    let mut empty = config.clone();
    empty.clickhouse.database = "empty".into();
    migrate(&empty.clickhouse).await.unwrap();
    let password = fs::read_to_string(demo.path("secrets/clickhouse-reader")).unwrap();
    let reader = ClickHouseEndpoint {
        url: config.clickhouse.url.clone(),
        user: "reader".into(),
        password: password.trim().into(),
    };
    // Each has spoken once; an alert that was firing may be resolved when the last one speaks.
    let mut spoken: Option<BTreeSet<String>> = None;
    until_nothing_is_missing(async || {
        let silent: BTreeSet<_> = silent_panels(&reader, &empty).await.into_iter().collect();
        let still = match &spoken {
            Some(before) => before.intersection(&silent).cloned().collect(),
            None => silent,
        };
        spoken = Some(still.clone());
        still.into_iter().collect()
    })
    .await;
    let endpoints: Vec<_> = ["pipeline", "connectors"]
        .map(|name| welcome[name].split_whitespace().next().unwrap().to_owned())
        .into();
    until_nothing_is_missing(async || unknown_metrics(&endpoints).await).await;
    demo.interrupt();
}

#[test]
fn metrics_and_labels_are_found_in_expressions() {
    let asked = panels::asked(
        r#"sum by (le, table) (rate(deskstream_a_b_bucket{job="x", result!="done"}[5m])) / process_x - other_y"#,
    );
    let labels = ["le", "table", "result"];
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_eq!(
        (asked[0].metric.as_str(), &asked[0].labels[..]),
        ("deskstream_a_b_bucket", &labels.map(String::from)[..])
    );
    assert_eq!(asked[1].metric, "process_x");
    let exposition = "deskstream_a_b_bucket_more{le=\"1\"} 1\ndeskstream_a_b_bucket{table=\"t\",result=\"x\",le=\"1\"} 1\n";
    assert!(panels::has(exposition, &asked[0]) && !panels::has(exposition, &asked[1]));
}
