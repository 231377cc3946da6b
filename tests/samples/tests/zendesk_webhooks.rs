//! Webhook management and delivery.
#![allow(clippy::unwrap_used, reason = "clippy does not see that the helpers here are tests too")]

mod common;

use axum::response::IntoResponse;
use common::{Delivery, Desk, Receiver, eventually};
use deskstream_samples::zendesk::{
    AgentEdit, BreakerOptions, Incident, Limits, NewTicket, Options, Priority, SUBSCRIPTIONS, SenderOptions,
    Status, TEST_SECRET, TicketUpdate, Traffic,
};
use http::StatusCode;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

fn options(sender: SenderOptions) -> Options {
    Options { limits: Limits::none(), sender, ..Options::default() }
}

fn quick() -> SenderOptions {
    SenderOptions { retry_pause_ms: 10, ..SenderOptions::default() }
}

fn in_order() -> SenderOptions {
    SenderOptions { concurrency: 1, ..quick() }
}

#[tokio::test]
async fn a_webhook_is_made_listed_rotated_and_deleted() {
    let desk = Desk::start(Options::default()).await;
    let body = json!({"webhook": {
        "name": "ds", "endpoint": "http://127.0.0.1:1/hook", "http_method": "POST", "request_format": "json", "status": "active",
        "subscriptions": ["zen:event-type:ticket.created"],
        "authentication": {"type": "basic_auth", "data": {"username": "u", "password": "p"}, "add_position": "header"},
    }});
    let created = desk.send("POST", "/api/v2/webhooks", &body).await;
    assert_eq!(created.status, 201);
    let webhook = created.json()["webhook"].clone();
    let id = webhook["id"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 26, "a ULID");
    assert!(webhook["created_by"].is_string());
    assert!(!created.text.contains("\"p\""), "passwords are not echoed");
    assert_eq!(created.headers["x-rate-limit"], "700");

    let path = format!("/api/v2/webhooks/{id}/signing_secret");
    let first = desk.get(&path).await.json();
    assert_eq!(first["signing_secret"]["algorithm"], json!("SHA256"));
    assert_eq!(first["signing_secret"]["secret"].as_str().unwrap().len(), 44);
    assert_eq!(desk.send("POST", &path, &json!({})).await.status, 201);
    assert_ne!(desk.get(&path).await.json(), first);

    let listed = desk.get("/api/v2/webhooks").await.json();
    assert_eq!(
        (listed["webhooks"].as_array().unwrap().len(), &listed["meta"]["has_more"]),
        (1, &json!(false))
    );
    let mut get = body.clone();
    get["webhook"]["http_method"] = json!("GET");
    assert_eq!(
        desk.send("POST", "/api/v2/webhooks", &get).await.status,
        400,
        "event subscriptions must be POST"
    );
    assert_eq!(
        desk.request(reqwest::Method::DELETE, &format!("/api/v2/webhooks/{id}"))
            .send()
            .await
            .unwrap()
            .status(),
        204
    );
    assert_eq!(desk.get(&path).await.status, 404);
}

#[tokio::test]
async fn deliveries_are_signed_and_shaped_as_documented() {
    let receiver = Receiver::ok().await;
    let desk = Desk::start(options(in_order())).await;
    let hook = desk.zendesk.create_webhook(&receiver.url, &SUBSCRIPTIONS);
    let id = desk.zendesk.create_ticket(NewTicket {
        subject: "Grüße".to_owned(),
        body: "Body".to_owned(),
        requester_email: "jane@example.com".to_owned(),
        requester_name: "Jane".to_owned(),
        priority: Some(Priority::Low),
        ..NewTicket::default()
    });
    assert!(desk.zendesk.delivered(SOON).await);
    let got = receiver.got();
    let [delivery] = got.as_slice() else { panic!("{got:?}") };
    assert!(delivery.signed_with(&hook.secret));
    assert!(!delivery.signed_with(TEST_SECRET));
    assert_eq!(delivery.header("user-agent"), "Zendesk Webhook");
    assert_eq!(delivery.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(delivery.header("x-zendesk-webhook-id"), hook.id);
    assert_eq!(delivery.header("x-zendesk-account-id"), desk.zendesk.options().account_id.to_string());
    assert_eq!(delivery.header("x-zendesk-webhook-invocation-id").len(), 26);
    let timestamp = delivery.header("x-zendesk-webhook-signature-timestamp");
    assert_eq!((timestamp.len(), &timestamp[19..]), (20, "Z"), "ISO 8601 in seconds: {timestamp}");

    let text = std::str::from_utf8(&delivery.body).unwrap();
    assert!(
        text.starts_with("{\n   \"account_id\": ")
            && text.ends_with("}\n")
            && text.contains("\"event\": { }"),
        "{text}"
    );
    let body = delivery.json();
    assert_eq!(body["type"], json!("zen:event-type:ticket.created"));
    assert_eq!(body["subject"], json!(format!("zen:ticket:{id}")));
    assert_eq!(body["zendesk_event_version"], json!("2022-11-06"));
    let detail = &body["detail"];
    assert_eq!(detail["id"], json!(id.to_string()), "ids are strings");
    assert_eq!(
        (&detail["status"], &detail["priority"], &detail["tags"]),
        (&json!("NEW"), &json!("LOW"), &Value::Null)
    );
    assert_eq!(detail["via"]["channel"], json!("email"));
    let keys: HashSet<&str> = detail.as_object().unwrap().keys().map(String::as_str).collect();
    let documented = [
        "actor_id",
        "assignee_id",
        "brand_id",
        "created_at",
        "custom_status",
        "description",
        "external_id",
        "form_id",
        "group_id",
        "id",
        "is_public",
        "organization_id",
        "priority",
        "requester_id",
        "status",
        "subject",
        "submitter_id",
        "tags",
        "type",
        "updated_at",
        "via",
    ];
    assert_eq!(keys, HashSet::from(documented));
}

#[tokio::test]
async fn each_change_is_an_event_and_own_writes_carry_the_api_user() {
    let receiver = Receiver::ok().await;
    let desk = Desk::start(options(in_order())).await;
    desk.zendesk.create_webhook(&receiver.url, &SUBSCRIPTIONS);
    let id = desk.ticket();
    desk.zendesk.requester_comment(id, "more");
    let update = TicketUpdate { status: Some(Status::Open), ..TicketUpdate::default() };
    desk.zendesk.agent_edit(id, &AgentEdit { update, same_second: false });
    let body = json!({"ticket": {"tags": ["web_form", "ds"], "priority": "high", "comment": {"body": "note", "public": false}}});
    assert_eq!(desk.send("PUT", &format!("/api/v2/tickets/{id}"), &body).await.status, 200);
    desk.zendesk.create_user("New Person", "new@example.com");
    assert!(desk.zendesk.delivered(SOON).await);

    let kinds = receiver.kinds();
    let expected = [
        "ticket.created",
        "ticket.comment_added",
        "ticket.status_changed",
        "ticket.priority_changed",
        "ticket.tags_changed",
        "ticket.comment_added",
        "user.created",
    ];
    assert_eq!(kinds, expected);
    let bodies: Vec<Value> = receiver.got().iter().map(Delivery::json).collect();
    let me = json!(desk.zendesk.api_user_id().to_string());
    let own: Vec<bool> = bodies[..6].iter().map(|body| body["detail"]["actor_id"] == me).collect();
    assert_eq!(own, [false, false, false, true, true, true], "loops can be told by their actor");
    assert_eq!(
        (&bodies[2]["event"]["previous"], &bodies[2]["event"]["current"]),
        (&json!("NEW"), &json!("OPEN"))
    );
    assert_eq!(
        (&bodies[3]["event"]["previous"], &bodies[3]["event"]["current"]),
        (&Value::Null, &json!("HIGH"))
    );
    assert_eq!(bodies[4]["event"]["added"]["tags"], json!(["ds"]));
    let comment = &bodies[5]["event"]["comment"];
    assert_eq!(
        (&comment["is_public"], &comment["body"], &comment["author"]["is_staff"]),
        (&json!(false), &json!("note"), &json!(true))
    );
    assert_eq!(bodies[1]["event"]["comment"]["author"]["is_staff"], json!(false));
    let sequence = |i: usize| bodies[i]["event"]["meta"]["sequence"].clone();
    assert_eq!(sequence(3)["id"], sequence(5)["id"], "one update, one sequence");
    assert_eq!((&sequence(3)["position"], &sequence(5)["position"]), (&json!(1), &json!(3)));
    assert_eq!(bodies[6]["subject"].as_str().unwrap().split(':').nth(1), Some("user"));
}

/// Statuses, how often the receiver is asked, and the end.
async fn attempts(
    reply: impl Fn(usize) -> axum::response::Response + Send + Sync + 'static,
) -> (usize, String) {
    let receiver = Receiver::start(reply).await;
    let desk = Desk::start(options(in_order())).await;
    let hook = desk.zendesk.create_webhook(&receiver.url, &SUBSCRIPTIONS);
    desk.ticket();
    assert!(desk.zendesk.delivered(SOON).await);
    let log = desk.get(&format!("/api/v2/webhooks/{}/invocations", hook.id)).await.json();
    let invocation = &log["invocations"][0];
    let path =
        format!("/api/v2/webhooks/{}/invocations/{}/attempts", hook.id, invocation["id"].as_str().unwrap());
    let shown = desk.get(&path).await.json()["attempts"].clone();
    let got = receiver.got();
    assert_eq!(shown.as_array().unwrap().len(), got.len());
    assert_eq!(
        shown[0]["request"]["payload"].as_str().unwrap().as_bytes(),
        got[0].body,
        "the exact payload is shown"
    );
    assert!(
        got.iter().all(|one| one.header("x-zendesk-webhook-invocation-id") == invocation["id"]),
        "one invocation"
    );
    (got.len(), invocation["status"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn only_409_and_named_waits_are_retried() {
    let status = |code: u16| StatusCode::from_u16(code).unwrap();
    let wait =
        move |code: u16, seconds: &'static str| (status(code), [("retry-after", seconds)]).into_response();
    assert_eq!(attempts(move |_| status(500).into_response()).await, (1, "terminated".to_owned()));
    assert_eq!(attempts(move |_| status(401).into_response()).await, (1, "terminated".to_owned()));
    assert_eq!(
        attempts(move |_| status(503).into_response()).await,
        (1, "terminated".to_owned()),
        "no Retry-After"
    );
    assert_eq!(attempts(move |_| wait(503, "60")).await, (1, "terminated".to_owned()), "60 s is too long");
    assert_eq!(
        attempts(move |_| status(409).into_response()).await,
        (4, "terminated".to_owned()),
        "three retries"
    );
    assert_eq!(
        attempts(move |n| if n == 0 { wait(429, "1") } else { status(200).into_response() }).await,
        (2, "success".to_owned())
    );
    assert_eq!(
        attempts(move |n| if n == 0 { wait(503, "1") } else { status(204).into_response() }).await,
        (2, "success".to_owned())
    );
}

#[tokio::test]
async fn a_slow_receiver_is_tried_six_times_in_all() {
    let receiver = Receiver::slow(Duration::from_millis(400), |_| StatusCode::OK.into_response()).await;
    let desk = Desk::start(options(SenderOptions { timeout_ms: 60, ..in_order() })).await;
    desk.zendesk.create_webhook(&receiver.url, &SUBSCRIPTIONS);
    desk.ticket();
    assert!(desk.zendesk.delivered(SOON).await);
    let stats = desk.zendesk.stats();
    assert_eq!((stats.timeouts, stats.sent, stats.acknowledged, stats.given_up), (6, 6, 0, 1));
    assert_eq!(SenderOptions::default().timeout_ms, 12_000);
}

#[tokio::test]
async fn the_circuit_breaker_pauses_and_recovers() {
    let receiver = Receiver::start(|n| {
        if n < 20 { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }.into_response()
    })
    .await;
    let breaker = BreakerOptions { least_requests: 20, pause_ms: 100, ..BreakerOptions::default() };
    let desk = Desk::start(options(SenderOptions { breaker, ..in_order() })).await;
    desk.zendesk.create_webhook(&receiver.url, &SUBSCRIPTIONS);
    for _ in 0..30 {
        desk.ticket();
    }
    assert!(desk.zendesk.delivered(SOON).await);
    let stats = desk.zendesk.stats();
    assert_eq!((stats.refused, stats.acknowledged), (20, 10));
    assert!(stats.circuit_broken > 0);
    let got = receiver.got();
    assert!(got[20].at - got[19].at >= Duration::from_millis(90), "nothing was sent during the pause");
}

#[tokio::test]
async fn losses_duplicates_and_disorder_come_at_the_set_shares() {
    let receiver = Receiver::ok().await;
    let sender =
        SenderOptions { loss: 0.1, duplicates: 0.1, reordered: 0.3, reorder_ms: 30, seed: 7, ..quick() };
    let desk = Desk::start(options(sender)).await;
    desk.zendesk.create_webhook(&receiver.url, &SUBSCRIPTIONS);
    for _ in 0..500 {
        desk.ticket();
    }
    assert!(desk.zendesk.delivered(SOON).await);
    let stats = desk.zendesk.stats();
    assert_eq!(stats.events, 500);
    assert!((25..=80).contains(&stats.lost) && (20..=80).contains(&stats.duplicated), "{stats:?}");
    assert_eq!(receiver.got().len() as u64, 500 - stats.lost + stats.duplicated);

    let mut by_event: HashMap<String, Vec<Delivery>> = HashMap::new();
    let mut order = Vec::new();
    for delivery in receiver.got() {
        let body = delivery.json();
        order.push(body["detail"]["id"].as_str().unwrap().parse::<u64>().unwrap());
        by_event.entry(body["id"].as_str().unwrap().to_owned()).or_default().push(delivery);
    }
    let doubled = by_event.values().filter(|deliveries| deliveries.len() == 2).count() as u64;
    assert_eq!(doubled, stats.duplicated, "a duplicate has the same event id");
    let invocation = |delivery: &Delivery| delivery.header("x-zendesk-webhook-invocation-id").to_owned();
    assert!(
        by_event
            .values()
            .filter(|pair| pair.len() == 2)
            .all(|pair| invocation(&pair[0]) != invocation(&pair[1]))
    );
    assert!(!order.is_sorted());
    // What was lost is still found by the export.
    assert_eq!(desk.zendesk.ticket_ids().len(), 500);
}

#[tokio::test]
async fn webhook_tests_are_signed_with_their_secret_or_the_public_one() {
    let receiver = Receiver::ok().await;
    let desk = Desk::start(options(quick())).await;
    let hook = desk.zendesk.create_webhook(&receiver.url, &[]);
    let answer =
        desk.send("POST", &format!("/api/v2/webhooks/test?webhook_id={}", hook.id), &json!({})).await.json();
    assert_eq!(answer["response"]["status"], json!(200));
    let request = json!({"request": {"endpoint": receiver.url, "payload": "{}"}});
    desk.send("POST", "/api/v2/webhooks/test", &request).await;
    let got = receiver.got();
    assert!(got[0].signed_with(&hook.secret) && got[1].signed_with(TEST_SECRET));
}

#[tokio::test]
async fn own_headers_and_authentication_are_sent() {
    let receiver = Receiver::ok().await;
    let desk = Desk::start(options(quick())).await;
    let body = json!({"webhook": {
        "name": "x", "endpoint": receiver.url, "http_method": "POST", "request_format": "json", "status": "active",
        "subscriptions": ["zen:event-type:ticket.created"], "custom_headers": {"X-Env": "test"},
        "authentication": {"type": "bearer_token", "data": {"token": "t0"}, "add_position": "header"},
    }});
    desk.send("POST", "/api/v2/webhooks", &body).await;
    desk.ticket();
    assert!(desk.zendesk.delivered(SOON).await);
    let got = receiver.got();
    assert_eq!((got[0].header("authorization"), got[0].header("x-env")), ("Bearer t0", "test"));
}

#[tokio::test]
async fn traffic_keeps_its_rate_and_ends_at_its_total() {
    let receiver = Receiver::ok().await;
    let desk = Desk::start(options(quick())).await;
    desk.zendesk.create_webhook(&receiver.url, &SUBSCRIPTIONS);
    let start = std::time::Instant::now();
    desk.zendesk.set_traffic(Traffic { rate: 400.0, follow_ups: 1.0, total: Some(400), seed: 3 });
    eventually("400 tickets", || desk.zendesk.stats().tickets_created == 400).await;
    let took = start.elapsed().as_secs_f64();
    assert!((0.9..3.0).contains(&took), "400 tickets at 400/s took {took} s");
    assert!(desk.zendesk.delivered(SOON).await);
    let kinds: HashSet<String> = receiver.kinds().into_iter().collect();
    let all = [
        "ticket.created",
        "ticket.comment_added",
        "ticket.status_changed",
        "ticket.priority_changed",
        "ticket.tags_changed",
        "user.created",
    ];
    assert!(all.iter().all(|kind| kinds.contains(*kind)), "{kinds:?}");

    // Planted values are really in the tickets they are said to be in.
    let planted = desk.zendesk.planted();
    assert!(planted.len() > 300);
    for (id, value) in planted {
        let ticket = desk.zendesk.ticket(id).unwrap();
        let comments = ticket.comments.iter().any(|comment| comment.body.contains(&value.value));
        assert!(comments || ticket.subject.contains(&value.value), "{value:?}");
    }
}

#[tokio::test]
async fn an_incident_bursts_and_is_solved() {
    let desk = Desk::start(options(quick())).await;
    desk.zendesk.start_incident(Incident { tickets: 20, over_ms: 100, solved_after_ms: Some(10), seed: 1 });
    eventually("solved", || {
        let tickets: Vec<_> =
            desk.zendesk.ticket_ids().into_iter().filter_map(|id| desk.zendesk.ticket(id)).collect();
        tickets.len() == 20 && tickets.iter().all(|ticket| ticket.status == Status::Solved)
    })
    .await;
}

#[tokio::test]
async fn shutdown_ends_everything() {
    let receiver = Receiver::ok().await;
    let desk = Desk::start(options(quick())).await;
    desk.zendesk.create_webhook(&receiver.url, &SUBSCRIPTIONS);
    desk.zendesk.set_traffic(Traffic { rate: 100.0, ..Traffic::default() });
    eventually("some traffic", || receiver.got().len() > 5).await;
    let url = desk.url("/api/v2/tickets/1");
    desk.zendesk.shutdown().await;
    let (client, seen) = (common::client(), receiver.got().len());
    assert!(client.get(url).send().await.unwrap_err().is_connect());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(receiver.got().len(), seen);
}
