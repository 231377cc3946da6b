//! Reviews by humans through the whole product: written to `control` as the console writes them, and then seen in windows, in
//! the ticket, in its write-back, and in how models are measured; over a restart, and corrected again.
#![allow(clippy::print_stdout, reason = "a test that measures tells what it measured")]

use crate::bed::Bed;
use crate::panels::Fill;
use deskstream_pipeline::reviews::{REVIEW_KIND, entity_id};
use deskstream_runtime::time::now_ms;
use deskstream_schemas::TicketContent;
use secrecy::ExposeSecret as _;
use serde_json::json;
use std::time::{Duration, Instant};

/// Reviews the ticket of that number in its latest state.
async fn review(bed: &Bed, ticket: &str, labels: serde_json::Value) {
    let sql = format!("SELECT last_event_id, version FROM v_tickets WHERE ticket_id = '{ticket}'");
    let (event_id, version) = bed.client.query(&sql).fetch_one::<(String, u64)>().await.unwrap();
    let mut body = json!({ "event_id": event_id, "version": version, "root_cause": null, "urgency": null,
        "sentiment": null, "reviewed_by": "u1", "reviewed_at": now_ms() });
    body.as_object_mut().unwrap().extend(labels.as_object().unwrap().clone());
    let id = entity_id("acme", "import", ticket);
    bed.process.control.put_json(REVIEW_KIND, &id, "acme", "u1", &body).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_review_corrects_windows_ticket_and_quality_and_a_restart_changes_nothing() {
    let bed = Bed::start("").await;
    let mut connect = bed.service("connect", &["connect"]);
    let mut run = bed.service("run", &["run", "--workers", "2"]);
    bed.send(0..20).await;
    bed.wait_for_enriched(20, &["run", "connect"]);
    let day = |what: &str| format!("SELECT toUInt64(sum({what})) FROM v_window_1d WHERE tenant = 'acme'");
    bed.wait_for_answer(&day("tickets"), 10).await;
    bed.wait_for_answer("SELECT count() FROM v_tickets", 10).await;
    let model = "SELECT any(toString(root_cause)) FROM v_tickets";
    let model = bed.client.query(model).fetch_one::<String>().await.unwrap();
    assert_ne!(model, "delivery");

    let written = Instant::now();
    review(&bed, "1", json!({ "root_cause": "delivery", "urgency": "critical" })).await;
    bed.wait_for_answer(&day("root_causes['delivery']"), 1).await;
    let corrected = written.elapsed();
    bed.wait_for_answer("SELECT count() FROM v_tickets WHERE root_cause = 'delivery' AND urgency = 'critical' AND tier = 'human'", 1).await;
    println!("the day's window in ClickHouse was corrected {corrected:?} after the review was written");
    assert!(corrected < Duration::from_secs(5), "{corrected:?}");
    review(&bed, "2", json!({ "root_cause": model })).await;
    for (what, wanted) in [("tickets", 10), ("tiers['human']", 2), ("urgency['critical']", 1)] {
        bed.wait_for_answer(&day(what), wanted).await;
    }
    // One of two was right.
    let quality = |what: &str, head: &str| {
        format!(
            "SELECT toUInt64(sum({what})) FROM v_quality WHERE tenant = 'acme' AND head = '{head}' AND language = '*' AND size_s = 0"
        )
    };
    bed.wait_for_answer(&quality("samples", "root_cause"), 2).await;
    bed.wait_for_answer(&quality("correct", "root_cause"), 1).await;
    bed.wait_for_answer(&quality("samples", "urgency"), 1).await;
    bed.wait_for_answer(&quality("samples", "sentiment"), 0).await;

    // Killed and started again with another number of workers; then the reviewer has second thoughts.
    run.kill();
    drop(run);
    let mut run = bed.service("run-2", &["run", "--workers", "1"]);
    review(&bed, "1", json!({ "root_cause": "refund" })).await;
    bed.wait_for_answer(&day("root_causes['refund']"), 1).await;
    for (what, wanted) in
        [("root_causes['delivery']", 0), ("tickets", 10), ("tiers['human']", 2), ("urgency['critical']", 0)]
    {
        bed.wait_for_answer(&day(what), wanted).await;
    }
    bed.wait_for_answer(&quality("samples", "root_cause"), 2).await;
    bed.wait_for_answer(&quality("correct", "root_cause"), 1).await;
    bed.wait_for_answer(&quality("samples", "urgency"), 0).await;
    let class = "SELECT support FROM v_quality_classes WHERE tenant = 'acme' AND head = 'root_cause' AND language = '*' AND size_s = 0 AND label = 'refund'";
    bed.wait_for_answer(class, 1).await;
    let cells = "SELECT toUInt64(sum(count)) FROM v_confusion WHERE tenant = 'acme' AND head = 'root_cause' AND language = '*' AND size_s = 0";
    bed.wait_for_answer(cells, 2).await;
    bed.wait_for_answer("SELECT count() FROM v_tickets WHERE root_cause = 'refund' AND tier = 'human'", 1)
        .await;

    // Nobody knows this one: it is recorded all the same.
    let id = entity_id("acme", "import", "nobody");
    let body = json!({ "event_id": "e", "version": 1, "root_cause": "refund", "urgency": null,
        "sentiment": null, "reviewed_by": "u1", "reviewed_at": now_ms() });
    bed.process.control.put_json(REVIEW_KIND, &id, "acme", "u1", &body).await.unwrap();
    bed.wait_for_answer("SELECT count() FROM v_reviews WHERE result = 'unknown_ticket'", 1).await;
    bed.wait_for_answer(&day("tickets"), 10).await;
    bed.assert_integrity().await;
    run.stop();
    connect.stop();
    bed.shutdown().await;
}

/// Tickets of one day with one text.
async fn tickets_of(bed: &Bed, name: &str, created_at: i64, count: usize, body: &str) {
    let sends = (0..count).map(|number| {
        let id = format!("{name}-{number}");
        let mut event = crate::bed::event(0);
        event.event_id.clone_from(&id);
        event.ticket_id = id;
        (event.created_at, event.occurred_at) = (created_at, created_at);
        let content =
            TicketContent { subject: "Hello".into(), body: body.into(), ..TicketContent::default() };
        async move { bed.sink.send(event, &content).await.map(drop) }
    });
    futures::future::try_join_all(sends).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_that_shift_fire_the_alert_and_resolve_it_when_they_are_as_before() {
    const LOGIN: &str = "I cannot log in, please reset my password";
    const REFUND: &str = "You charged me twice, I want my money back now, this is outrageous";
    // The shipped rule, without its patience.
    let shipped = include_str!("../pipeline/rules.yaml");
    let impatient =
        shipped.replace("for: 10m", "for: 0s").replace("keep_firing_for: 30m", "keep_firing_for: 0s");
    let rules = tempfile::NamedTempFile::new().unwrap();
    // Nobody is told: the topic of alerts is looked at.
    let silent = impatient
        .replace("channels: [pager, chat]", "channels: []")
        .replace("channels: [chat]", "channels: []");
    std::fs::write(rules.path(), silent).unwrap();
    let bed = Bed::start(&format!("[alerts]\nrules = {:?}\n", rules.path())).await;
    let mut connect = bed.service("connect", &["connect"]);
    let mut run = bed.service("run", &["run", "--workers", "2"]);
    let today = now_ms() / 86_400_000 * 86_400_000;
    let yesterday = today - 3_600_000;
    tickets_of(&bed, "a", yesterday, 70, LOGIN).await;
    tickets_of(&bed, "b", yesterday, 30, REFUND).await;
    let days = "SELECT toUInt64(count()) FROM v_drift WHERE tenant = 'acme' AND head = 'root_cause' AND tickets = 100";
    bed.wait_for_answer(days, 1).await;
    tickets_of(&bed, "c", today, 60, REFUND).await;
    let alerts = |state: &str| {
        format!(
            "SELECT count() FROM alerts WHERE rule = 'label-drift' AND tenant = 'acme' AND state = '{state}'"
        )
    };
    bed.wait_for_answer(&alerts("firing"), 1).await;
    let index = "SELECT count() FROM v_drift WHERE tenant = 'acme' AND head = 'root_cause' AND label_psi > 0.25 AND label_psi > label_noise AND reference_tickets = 100";
    bed.wait_for_answer(index, 1).await;
    tickets_of(&bed, "d", today, 140, LOGIN).await;
    bed.wait_for_answer(&alerts("resolved"), 1).await;
    bed.wait_for_answer(index, 0).await;
    bed.wait_for_answer(&alerts("firing"), 1).await;

    // What the days are compared with is there after a restart, though their windows may be closed by then.
    run.kill();
    drop(run);
    let mut run = bed.service("run-2", &["run"]);
    tickets_of(&bed, "e", today, 400, REFUND).await;
    bed.wait_for_answer(&alerts("firing"), 2).await;

    // With a review, every panel of the dashboard has something to say.
    review(&bed, "c-1", json!({ "root_cause": "delivery", "urgency": "low", "sentiment": "positive" })).await;
    bed.wait_for_answer(
        "SELECT count() FROM v_quality WHERE tenant = 'acme' AND size_s = 0 AND language = '*'",
        3,
    )
    .await;
    let now_s = now_ms() / 1000;
    let fill = Fill { from_s: now_s - 30 * 86_400, to_s: now_s + 60, interval_s: 3600, tenant: "acme" };
    let endpoint = bed.platform.clickhouse();
    let dashboard = include_str!("../dashboards/grafana/deskstream-quality.json");
    for (title, sql) in crate::panels::queries(dashboard, &fill).unwrap() {
        let (url, user) = (endpoint.url.as_str(), endpoint.user.as_str());
        let answer = crate::panels::rows(url, user, endpoint.password.expose_secret(), "deskstream", &sql)
            .await
            .unwrap_or_else(|error| panic!("{title}: {error}\n{sql}"));
        assert!(!answer.is_empty(), "{title} says nothing\n{sql}");
    }
    run.stop();
    connect.stop();
    bed.shutdown().await;
}
