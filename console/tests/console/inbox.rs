//! The inbox, reviews and the overview, from records that came through Kafka and the ClickHouse sink.

use crate::support::{World, outcome, ticket};
use deskstream_console::history::History;
use deskstream_console::http::error::ApiError;
use deskstream_console::identity::caller::Scope;
use deskstream_runtime::time::now_ms;
use deskstream_schemas::{Alert, AlertState, Severity, Topic, Window};
use futures::StreamExt as _;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_inbox_is_filtered_searched_and_paged_and_a_ticket_is_shown_whole() {
    let world = World::new("inbox").await;
    let (anna, _) = world.admins().await;
    world.sinks().await;
    let now = now_ms();
    for n in 0..25 {
        let mut ticket = ticket("acme", &n.to_string(), now - n * 1000, "mark");
        if n % 5 == 0 {
            ticket.analysis.urgency = crate::support::label("low");
            ticket.subject = "Größe falsch".into();
        }
        world.produce(Topic::Enriched, &ticket.key(), &ticket).await;
    }
    let mut later = ticket("acme", "3", now + 60_000, "again");
    later.status = deskstream_schemas::TicketStatus::Solved;
    world.produce(Topic::Enriched, &later.key(), &later).await;
    let written = outcome("acme", "3", now, "ds_refund");
    world.produce(Topic::Outcomes, &written.subject, &written).await;
    world
        .until(&anna, "/api/v1/tickets?status=solved", |page| page["items"].as_array().unwrap().len() == 1)
        .await;
    world
        .until(&anna, "/api/v1/tickets?limit=200", |page| page["items"].as_array().unwrap().len() == 25)
        .await;

    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world.api.get(&anna, &format!("/api/v1/tickets?limit=10{cursor}")).await.json();
        seen.extend(
            page["items"].as_array().unwrap().iter().map(|t| t["ticket_id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen.len(), 25);
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 25, "each once");
    assert_eq!(seen[..3], ["3", "0", "1"], "the last changed first");
    for (filter, count) in [
        ("urgency=low", 5),
        ("urgency=high&platform=zendesk&language=en&root_cause=refund&sentiment=negative&priority=high", 20),
        ("q=gr%C3%B6%C3%9Fe", 5),
        ("q=MARK", 24),
        ("q='%20OR%201%3D1%20--", 0),
        ("open=true", 24),
        ("tenant=umbrella", 0),
        ("tenant=acme", 25),
        ("from=2999-01-01T00:00:00Z", 0),
    ] {
        let page = world.api.get(&anna, &format!("/api/v1/tickets?limit=200&{filter}")).await.json();
        assert_eq!(page["items"].as_array().unwrap().len(), count, "{filter}");
    }

    let path = "/api/v1/tickets/zendesk/3";
    let shown = world.until(&anna, path, |t| t["write_backs"].as_array().unwrap().len() == 1).await;
    assert_eq!(shown["events"].as_array().unwrap().len(), 2);
    let newest = &shown["events"][0];
    assert_eq!(
        (&newest["status"], &newest["root_cause"], &newest["tier"]),
        (&json!("solved"), &json!("refund"), &json!("local"))
    );
    assert_eq!(newest["redactions"], json!([["email", 1]]));
    assert_eq!(newest["spans"], json!([["subject", "email", "regex", 1.0]]));
    let filters = world.api.get(&anna, "/api/v1/tickets/filters").await.json();
    assert_eq!((&filters["platforms"], &filters["languages"]), (&json!(["zendesk"]), &json!(["en"])));
    assert!(filters["root_causes"].as_array().unwrap().contains(&json!("refund")), "{filters}");
    assert_eq!(filters["labels"]["urgency"], json!(["low", "normal", "high", "critical"]));
    assert!((newest["urgency_confidence"].as_f64().unwrap() - 0.75).abs() < 1e-6);
    assert_eq!(shown["review"], json!(null));

    // A correction is an event of its own; what is no label is refused.
    let reviews = format!("{path}/reviews");
    let wrong = world.api.post(&anna, &reviews, &json!({ "urgency": "very" })).await;
    assert!(wrong.problem() == "invalid" && wrong.text.contains("critical"), "{wrong:?}");
    assert_eq!(world.api.post(&anna, &reviews, &json!({})).await.problem(), "invalid");
    let made = world.api.post(&anna, &reviews, &json!({ "root_cause": "billing", "urgency": "low" })).await;
    assert_eq!((made.status.as_u16(), &made.json()["event_id"]), (201, &newest["event_id"]));
    let review = world.api.get(&anna, path).await.json()["review"].clone();
    assert_eq!((&review["root_cause"], &review["sentiment"]), (&json!("billing"), &json!(null)));
    let entity = world.process.control.get("review", "acme/zendesk/3").unwrap();
    assert_eq!((entity.tenant.as_str(), entity.version), ("acme", 1));
    let nowhere =
        world.api.post(&anna, "/api/v1/tickets/zendesk/999/reviews", &json!({ "urgency": "low" })).await;
    assert_eq!(nowhere.problem(), "not-found");
}

/// Whoever accepts a question and never answers it is not waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_clickhouse_is_away() {
    let frozen = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", frozen.local_addr().unwrap());
    let mut config = crate::support::process("frozen", &[]).await.config.clickhouse.clone();
    config.url = url.parse().unwrap();
    let history = History::new(&config).with_patience(std::time::Duration::from_millis(200));
    let scope = Scope::of_command("acme");
    let accepted = async { frozen.accept().await.unwrap() };
    let (answer, _held) = tokio::join!(history.events(&scope, "zendesk", "1"), accepted);
    assert!(matches!(answer, Err(ApiError::Away("ClickHouse"))), "{answer:?}");
    let overview = history.overview(&scope, 60, now_ms()).await;
    assert!(matches!(overview, Err(ApiError::Away("ClickHouse"))), "{overview:?}");
}

fn window(tenant: &str, start: i64, version: i64, tickets: i64) -> Window {
    Window {
        tenant: tenant.to_owned(),
        size_s: 60,
        window_start: start,
        window_end: start + 60_000,
        version,
        is_final: false,
        events: tickets * 2,
        errors: 1,
        success_rate: 0.9,
        error_rate: 0.1,
        error_reasons: BTreeMap::new(),
        latency_p50_ms: 1.5,
        latency_p95_ms: 2.5,
        latency_p99_ms: 3.5,
        latency_sum_ms: 30,
        latency_sketch: BTreeMap::new(),
        redactions: BTreeMap::from([("email".into(), 4)]),
        tickets,
        urgency: BTreeMap::from([("high".into(), 3)]),
        sentiment: BTreeMap::from([("negative".into(), 2)]),
        root_causes: BTreeMap::from([("refund".into(), 3), ("billing".into(), 5)]),
        industries: BTreeMap::new(),
        languages: BTreeMap::from([("en".into(), 3)]),
        negative_share: 0.67,
        high_urgency: 3,
        tiers: BTreeMap::new(),
        opinions: BTreeMap::new(),
        opinion_tokens_in: 0,
        opinion_tokens_out: 0,
        opinion_cost_microusd: 0,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_overview_counts_the_latest_windows_and_follows_them() {
    let world = World::new("overview").await;
    let (anna, ulf) = world.admins().await;
    world.sinks().await;
    let start = (now_ms() / 60_000 - 5) * 60_000;
    for window in
        [window("acme", start, 1, 10), window("acme", start, 2, 8), window("acme", start + 60_000, 1, 7)]
    {
        world.produce(Topic::Windows, &window.key(), &window).await;
    }
    for (rule, state) in
        [("urgent", AlertState::Firing), ("over", AlertState::Firing), ("over", AlertState::Resolved)]
    {
        let changed_at = start + if state == AlertState::Firing { 0 } else { 1000 };
        let alert = Alert {
            dedup_key: format!("{rule}/acme//1"),
            rule: rule.into(),
            tenant: "acme".into(),
            group: String::new(),
            state,
            severity: Severity::Critical,
            value: 12.0,
            threshold: 10.0,
            summary: format!("{rule}: much"),
            channels: vec![],
            started_at: start,
            changed_at,
            labels: BTreeMap::new(),
        };
        world.produce(Topic::Alerts, &alert.dedup_key, &alert).await;
    }
    // In the hour before there was less.
    let earlier = window("acme", start - 3_600_000, 1, 1);
    let earlier = Window { root_causes: BTreeMap::from([("billing".into(), 4)]), ..earlier };
    world.produce(Topic::Windows, &earlier.key(), &earlier).await;
    let path = "/api/v1/overview?minutes=60";
    let overview = world
        .until(&anna, path, |o| {
            o["series"].as_array().unwrap().len() == 2 && o["alerts"].as_array().unwrap().len() == 1
        })
        .await;
    assert_eq!(overview["series"][0]["tickets"], 8, "the latest version holds");
    assert_eq!(overview["root_causes"][0], json!({ "label": "billing", "count": 10 }));
    assert_eq!(overview["redactions"][0]["count"], 8);
    assert_eq!((&overview["series"][0]["high"], &overview["series"][0]["negative"]), (&json!(3), &json!(2)));
    let rising =
        world.until(&anna, path, |o| o["rising"].as_array().unwrap().len() == 2).await["rising"].clone();
    assert_eq!(rising[0], json!({ "label": "refund", "count": 6, "before": 0 }));
    assert_eq!(rising[1], json!({ "label": "billing", "count": 10, "before": 4 }));
    // 30 events, of which two were refused; both windows are quick; nothing was written back.
    let slis = &overview["slis"];
    assert!((slis[0]["value"].as_f64().unwrap() - 28.0 / 30.0).abs() < 1e-9, "{slis}");
    assert_eq!(
        (&slis[1]["value"], &slis[1]["of"], &slis[2]["value"]),
        (&json!(1.0), &json!(2), &json!(null))
    );
    assert_eq!(overview["lag"], json!(null), "a tenant is not told of the others' events");
    assert_eq!(
        (&overview["alerts"][0]["rule"], &overview["alerts"][0]["worst_value"]),
        (&json!("urgent"), &json!(12.0))
    );
    let others = world.api.get(&ulf, path).await.json();
    assert_eq!((others["series"].clone(), others["alerts"].clone()), (json!([]), json!([])));

    let answer = world
        .api
        .request(reqwest::Method::GET, "/api/v1/overview/stream")
        .bearer_auth(&anna)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut body = answer.bytes_stream();
    let mut text = String::new();
    let mut changed = false;
    while !text.contains("event: ended") {
        let piece = tokio::time::timeout(crate::support::PATIENCE, body.next()).await.unwrap();
        text.push_str(std::str::from_utf8(&piece.expect("a stream says that it ends").unwrap()).unwrap());
        if !changed && text.contains("\"tickets\":8") {
            let corrected = window("acme", start, 3, 99);
            world.produce(Topic::Windows, &corrected.key(), &corrected).await;
            changed = true;
        }
        if text.contains("\"tickets\":99") && !text.contains("event: ended") {
            // The session's end ends the stream.
            let sessions = world.api.get(&anna, "/api/v1/me/sessions").await.json();
            let id = sessions[0]["id"].as_str().map(str::to_owned);
            if let Some(id) = id {
                world.api.delete(&anna, &format!("/api/v1/me/sessions/{id}")).await;
            }
        }
    }
    assert!(text.contains("\"tickets\":99"));
}
