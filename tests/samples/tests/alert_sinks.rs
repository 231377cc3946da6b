//! The sample PagerDuty and the sample Slack.
#![allow(clippy::unwrap_used, reason = "clippy does not see that the helpers here are tests too")]

mod common;

use common::{Answer, client};
use deskstream_samples::faults::{Fault, Rule};
use deskstream_samples::pagerduty::{self, IncidentStatus, PagerDuty};
use deskstream_samples::slack::{self, HookState, Slack};
use serde_json::{Value, json};
use std::time::Duration;

fn key() -> String {
    "R".repeat(32)
}

fn trigger(dedup: &str) -> Value {
    json!({
        "routing_key": key(), "event_action": "trigger", "dedup_key": dedup,
        "payload": {"summary": "error rate above 5 %", "source": "deskstream", "severity": "critical", "custom_details": {"tenant": "acme"}},
        "links": [{"href": "https://console.example/alerts/1", "text": "console"}],
    })
}

async fn enqueue(pagerduty: &PagerDuty, event: &Value) -> Answer {
    Answer::of(client().post(format!("{}/v2/enqueue", pagerduty.url())).json(event).send().await.unwrap())
        .await
}

#[tokio::test]
async fn an_episode_is_one_incident_and_the_next_trigger_another() {
    let pagerduty = PagerDuty::start(pagerduty::Options::default()).await.unwrap();
    let first = enqueue(&pagerduty, &trigger("a")).await;
    assert_eq!(first.status, 202);
    assert_eq!(first.json(), json!({"status": "success", "message": "Event processed", "dedup_key": "a"}));
    enqueue(&pagerduty, &trigger("a")).await;
    let act =
        |action: &str, dedup: &str| json!({"routing_key": key(), "event_action": action, "dedup_key": dedup});
    enqueue(&pagerduty, &act("acknowledge", "a")).await;
    assert_eq!(pagerduty.incidents()[0].status, IncidentStatus::Acknowledged);
    enqueue(&pagerduty, &act("resolve", "a")).await;
    // Unknown and closed ones are dropped without a word.
    assert_eq!(enqueue(&pagerduty, &act("resolve", "a")).await.status, 202);
    assert_eq!(enqueue(&pagerduty, &act("acknowledge", "never")).await.status, 202);
    enqueue(&pagerduty, &trigger("a")).await;
    let mut elsewhere = trigger("a");
    elsewhere["routing_key"] = json!("S".repeat(32));
    enqueue(&pagerduty, &elsewhere).await;

    let incidents = pagerduty.incidents();
    assert_eq!(incidents.len(), 3, "resolved, reopened, and another service's");
    let actions: Vec<&str> = incidents[0].history.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["trigger", "trigger", "acknowledge", "resolve"]);
    assert_eq!(incidents[0].status, IncidentStatus::Resolved);
    assert_eq!(incidents[1].status, IncidentStatus::Triggered);
    let stats = pagerduty.stats();
    assert_eq!((stats.accepted, stats.opened, stats.merged, stats.resolved, stats.dropped), (8, 3, 1, 1, 2));
    let shown = client().get(format!("{}/__control/incidents", pagerduty.url())).send().await.unwrap();
    assert_eq!(Answer::of(shown).await.json().as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn events_beyond_the_specification_get_400_with_reasons() {
    let pagerduty = PagerDuty::start(pagerduty::Options::default()).await.unwrap();
    let changed = |path: &str, value: Value| {
        let mut event = trigger("a");
        *event.pointer_mut(path).unwrap() = value;
        event
    };
    let bad = [
        changed("/routing_key", json!("short")),
        changed("/event_action", json!("page")),
        changed("/dedup_key", json!("x".repeat(256))),
        changed("/payload/summary", json!("ü".repeat(1_025))),
        changed("/payload/summary", json!("")),
        changed("/payload/severity", json!("high")),
        changed("/payload", Value::Null),
        changed("/links/0", json!({"text": "no href"})),
        changed("/payload/custom_details", json!("x".repeat(513 * 1024))),
        json!({"routing_key": key(), "event_action": "resolve"}),
    ];
    for event in &bad {
        let answer = enqueue(&pagerduty, event).await;
        assert_eq!((answer.status, &answer.json()["status"]), (400, &json!("invalid event")), "{event:.200}");
        assert!(!answer.json()["errors"].as_array().unwrap().is_empty());
    }
    let garbage = client().post(format!("{}/v2/enqueue", pagerduty.url())).body("{").send().await.unwrap();
    assert_eq!(garbage.status(), 400);
    // At the limits all is well: characters count, not bytes.
    assert_eq!(enqueue(&pagerduty, &changed("/payload/summary", json!("ü".repeat(1_024)))).await.status, 202);
    let mut unnamed = trigger("a");
    unnamed.as_object_mut().unwrap().remove("dedup_key");
    assert!(
        enqueue(&pagerduty, &unnamed).await.json()["dedup_key"].as_str().is_some_and(|made| !made.is_empty())
    );
    assert_eq!(pagerduty.stats().invalid, 11);
}

#[tokio::test]
async fn pagerduty_throttles_and_fails_as_told() {
    let options = pagerduty::Options { events_per_minute: Some(2), ..pagerduty::Options::default() };
    let pagerduty = PagerDuty::start(options).await.unwrap();
    let statuses = [
        enqueue(&pagerduty, &trigger("a")).await.status,
        enqueue(&pagerduty, &trigger("b")).await.status,
        enqueue(&pagerduty, &trigger("c")).await.status,
    ];
    assert_eq!(statuses, [202, 202, 429]);
    pagerduty.clock().advance(Duration::from_secs(60));
    pagerduty.faults().add(Rule::once(
        "POST",
        "/v2/enqueue",
        Fault::Status { status: 500, retry_after: None, body: None },
    ));
    assert_eq!(enqueue(&pagerduty, &trigger("c")).await.status, 500);
    assert_eq!(enqueue(&pagerduty, &trigger("c")).await.status, 202);
    assert_eq!(pagerduty.incidents().len(), 3);
}

async fn post(slack: &Slack, payload: &Value) -> Answer {
    Answer::of(client().post(slack.webhook_url()).json(payload).send().await.unwrap()).await
}

fn unlimited() -> slack::Options {
    slack::Options { per_second: None, ..slack::Options::default() }
}

#[tokio::test]
async fn slack_says_ok_and_keeps_the_message() {
    let slack = Slack::start(unlimited()).await.unwrap();
    let message = json!({"text": "fallback", "blocks": [
        {"type": "header", "text": {"type": "plain_text", "text": "High urgency"}},
        {"type": "section", "fields": [{"type": "mrkdwn", "text": "*tenant* acme"}]},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "rule 2"}]},
        {"type": "actions", "elements": [{"type": "button", "text": {"type": "plain_text", "text": "Open"}, "url": "https://x.example"}]},
        {"type": "divider"},
    ]});
    let answer = post(&slack, &message).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "ok"));
    assert_eq!(slack.messages()[0].payload, message);
    let form = client()
        .post(slack.webhook_url())
        .header("content-type", "application/x-www-form-urlencoded")
        .body("payload=%7B%22text%22%3A%22hi%22%7D")
        .send()
        .await
        .unwrap();
    assert_eq!(form.text().await.unwrap(), "ok");
    assert_eq!(slack.stats().pings, 0);
    post(&slack, &json!({"text": "ticket says <!channel> look"})).await;
    assert_eq!(slack.stats().pings, 1, "unescaped ticket text is noticed");
}

#[tokio::test]
async fn slack_refuses_what_goes_beyond_its_limits() {
    let slack = Slack::start(unlimited()).await.unwrap();
    let section =
        |length: usize| json!({"type": "section", "text": {"type": "mrkdwn", "text": "x".repeat(length)}});
    let blocks = |blocks: Value| json!({"text": "t", "blocks": blocks});
    let field = json!({"type": "mrkdwn", "text": "f"});
    let cases = [
        (json!([1]), "invalid_payload"),
        (json!({}), "no_text"),
        (blocks(json!([section(3_001)])), "invalid_blocks"),
        (
            blocks(json!([{"type": "header", "text": {"type": "plain_text", "text": "x".repeat(151)}}])),
            "invalid_blocks",
        ),
        (blocks(json!([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}])), "invalid_blocks"),
        (blocks(json!([{"type": "section", "fields": vec![field.clone(); 11]}])), "invalid_blocks"),
        (blocks(json!([{"type": "section"}])), "invalid_blocks"),
        (blocks(json!([{"type": "context", "elements": vec![field; 11]}])), "invalid_blocks"),
        (blocks(json!(vec![json!({"type": "divider"}); 51])), "invalid_blocks"),
        (blocks(json!([{"type": "divider", "block_id": "x".repeat(256)}])), "invalid_blocks"),
        (
            blocks(
                json!([{"type": "actions", "elements": [{"type": "button", "text": {"type": "plain_text", "text": "x".repeat(76)}}]}]),
            ),
            "invalid_blocks",
        ),
        (blocks(json!(vec![section(3_000); 5])), "msg_blocks_too_long"),
    ];
    for (payload, error) in &cases {
        let answer = post(&slack, payload).await;
        assert_eq!((answer.status, answer.text.as_str()), (400, *error), "{payload:.120}");
    }
    let garbage = client().post(slack.webhook_url()).body("hello").send().await.unwrap();
    assert_eq!((garbage.status().as_u16(), garbage.text().await.unwrap().as_str()), (400, "invalid_payload"));
    assert_eq!(slack.messages().len(), 0);
    assert_eq!(post(&slack, &blocks(json!(vec![section(3_000); 4]))).await.status, 200);
}

#[tokio::test]
async fn slack_allows_a_burst_then_one_a_second() {
    let slack = Slack::start(slack::Options::default()).await.unwrap();
    slack.clock().hold("2026-11-23T12:00:00Z".parse().unwrap());
    let message = json!({"text": "t"});
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(post(&slack, &message).await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 429]);
    assert_eq!(post(&slack, &message).await.headers["retry-after"], "1");
    slack.clock().advance(Duration::from_secs(1));
    assert_eq!(post(&slack, &message).await.status, 200);
    assert_eq!(post(&slack, &message).await.status, 429);
    assert_eq!(slack.stats().throttled, 3);
}

#[tokio::test]
async fn dead_webhooks_say_so() {
    let slack = Slack::start(unlimited()).await.unwrap();
    let message = json!({"text": "t"});
    slack.set_state(HookState::Removed);
    let answer = post(&slack, &message).await;
    assert_eq!((answer.status, answer.text.as_str()), (404, "no_service"));
    slack.set_state(HookState::Archived);
    let answer = post(&slack, &message).await;
    assert_eq!((answer.status, answer.text.as_str()), (410, "channel_is_archived"));
    slack.set_state(HookState::Active);
    assert_eq!(post(&slack, &message).await.status, 200);
    let wrong =
        client().post(format!("{}/services/T0/B0/x", slack.url())).json(&message).send().await.unwrap();
    assert_eq!(wrong.status(), 404);
    assert_eq!(slack.stats().undeliverable, 3);
}
