//! What the endpoint answers, and that what it accepted is durable.

use super::support::{SECRET, TENANT, World, backbone, counted, eventually, within};
use deskstream_connectors::helpdesk;
use deskstream_samples::zendesk::{Limits, Options, SUBSCRIPTIONS, TEST_SECRET, sign};
use deskstream_schemas::{DeadLetter, EventKind, Origin, Platform, Stage, TicketEvent};
use jiff::Timestamp;
use reqwest::{Response, StatusCode};
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub fn body(id: &str) -> Vec<u8> {
    body_of(id, "17", "3", "Hilfe")
}

/// A `ticket.created` event.
pub fn body_of(id: &str, ticket: &str, requester: &str, text: &str) -> Vec<u8> {
    let envelope = json!({
        "type": "zen:event-type:ticket.created", "id": id, "time": Timestamp::now().to_string(),
        "subject": format!("zen:ticket:{ticket}"), "account_id": 1, "zendesk_event_version": "2022-11-06", "event": {},
        "detail": {
            "id": ticket, "actor_id": requester, "requester_id": requester, "submitter_id": "3", "status": "NEW", "priority": null,
            "subject": "Grüße", "description": text, "tags": null, "via": {"channel": "email"}, "type": null,
            "created_at": "2026-11-23T12:00:00Z", "updated_at": "2026-11-23T12:00:00Z",
        },
    });
    format!("{envelope:#}\n").into_bytes()
}

pub fn now() -> String {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap().to_string()
}

pub struct Sender {
    url: String,
    client: reqwest::Client,
}

impl Sender {
    pub fn new(address: SocketAddr) -> Self {
        Self::of(TENANT, address)
    }

    pub fn of(tenant: &str, address: SocketAddr) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { url: format!("http://{address}/webhooks/zendesk/{tenant}"), client }
    }

    pub async fn send(&self, secret: &str, at: &str, body: &[u8]) -> Response {
        self.client
            .post(&self.url)
            .header("X-Zendesk-Webhook-Signature", sign(secret, at, body))
            .header("X-Zendesk-Webhook-Signature-Timestamp", at)
            .header("X-Zendesk-Webhook-Invocation-Id", "01JD7Z2M4X5P6Q7R8S9T0V1W2X")
            .body(body.to_vec())
            .send()
            .await
            .unwrap()
    }

    pub async fn signed(&self, body: &[u8]) -> StatusCode {
        self.send(SECRET, &now(), body).await.status()
    }
}

fn results(result: &str) -> f64 {
    counted("deskstream_webhook_requests_total", &[("tenant", TENANT), ("result", result)])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_event_is_durable_when_it_is_answered() {
    let world = World::new().await;
    let sender = Sender::new(world.serve().await);
    assert_eq!(sender.signed(&body("e-1")).await, StatusCode::OK);
    let events: Vec<TicketEvent> = world.now().await;
    let [event] = events.as_slice() else { panic!("{} events", events.len()) };
    assert_eq!((event.event_id.as_str(), event.key().as_str()), ("e-1", "acme/zendesk/17"));
    assert_eq!(
        (event.kind, event.origin, event.platform),
        (EventKind::Created, Origin::Webhook, Platform::Zendesk)
    );
    let content = world.open(event);
    assert_eq!((content.subject.as_str(), content.body.as_str()), ("Grüße", "Hilfe"));
    let raw = serde_json::to_string(&event).unwrap();
    assert!(!raw.contains("Hilfe"), "the text is sealed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_authentic_is_refused_and_kept_nowhere() {
    let world = World::configured(&[("http.max_body", "4096")]).await;
    let address = world.serve().await;
    let sender = Sender::new(address);
    let good = body("e-1");

    let unsigned = sender.client.post(&sender.url).body(good.clone()).send().await.unwrap();
    assert_eq!(unsigned.status(), StatusCode::UNAUTHORIZED);
    for secret in ["another-secret", TEST_SECRET, ""] {
        assert_eq!(sender.send(secret, &now(), &good).await.status(), StatusCode::UNAUTHORIZED);
    }
    let old = Timestamp::from_second(Timestamp::now().as_second() - 301).unwrap().to_string();
    let stale = sender.send(SECRET, &old, &good).await;
    assert_eq!(stale.status(), StatusCode::UNAUTHORIZED);
    assert!(stale.text().await.unwrap().contains("stale"));

    let large = vec![b' '; 4097];
    assert_eq!(sender.signed(&large).await, StatusCode::PAYLOAD_TOO_LARGE);
    let elsewhere =
        Sender { url: format!("http://{address}/webhooks/zendesk/nobody"), ..Sender::new(address) };
    assert_eq!(elsewhere.signed(&good).await, StatusCode::NOT_FOUND);
    let elsewhere = Sender { url: format!("http://{address}/webhooks/freshdesk/{TENANT}"), ..elsewhere };
    assert_eq!(elsewhere.signed(&good).await, StatusCode::NOT_FOUND);
    let got = sender.client.get(&sender.url).send().await.unwrap();
    assert_eq!(got.status(), StatusCode::METHOD_NOT_ALLOWED);

    assert!(world.now::<TicketEvent>().await.is_empty());
    assert!(world.now::<DeadLetter>().await.is_empty(), "anyone could fill it");
}

/// Without a length, the limit holds while the body is read.
#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_body_has_the_same_limit() {
    let world = World::configured(&[("http.max_body", "4096")]).await;
    let address = world.serve().await;
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head =
        format!("POST /webhooks/zendesk/{TENANT} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));
    for _ in 0..5 {
        // The server may hang up before all of it is sent.
        let _ = stream.write_all(chunk.as_bytes()).await;
    }
    let mut answer = vec![0; 64];
    let read = within(Duration::from_secs(10), stream.read(&mut answer)).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authentic_body_that_cant_be_used_goes_to_the_dead_letter() {
    let world = World::new().await;
    let sender = Sender::new(world.serve().await);
    let cases: [(&[u8], &str); 4] = [
        (b"hello", "not-json"),
        (b"{\"type\":\"zen:event-type:ticket.created\",\"detail\":{\"subject\":\"\xff\xfe\"}}", "not-json"),
        (b"{\"hello\":1}", "bad-shape"),
        (b"{\"type\":\"zen:event-type:ticket.created\",\"detail\":{\"id\":\"../../etc\"}}", "bad-shape"),
    ];
    for (body, _) in cases {
        assert_eq!(sender.signed(body).await, StatusCode::BAD_REQUEST);
    }
    let letters: Vec<DeadLetter> = world.now().await;
    assert_eq!(letters.len(), cases.len());
    for (letter, (body, reason)) in letters.iter().zip(cases) {
        assert_eq!(
            (letter.reason.as_ref(), letter.stage, letter.tenant.as_str()),
            (reason, Stage::Receive, TENANT)
        );
        assert_eq!(world.open_dead(letter), body);
        assert!(!letter.error.contains("etc") && letter.source.starts_with("webhook/zendesk/acme/"));
    }
    assert!(world.now::<TicketEvent>().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn other_event_types_are_acknowledged_and_counted() {
    let world = World::new().await;
    let sender = Sender::new(world.serve().await);
    let before = results("ignored");
    for kind in ["zen:event-type:ticket.csat_received", "zen:event-type:user.created", "anything"] {
        let body = json!({"type": kind, "detail": {"id": "1"}}).to_string();
        assert_eq!(sender.signed(body.as_bytes()).await, StatusCode::OK);
    }
    assert!(results("ignored") >= before + 3.0);
    assert!(world.now::<TicketEvent>().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_answered_and_not_taken_again() {
    let world = World::new().await;
    let sender = Sender::new(world.serve().await);
    let (at, body) = (now(), body("e-1"));
    let before = results("replayed");
    for _ in 0..3 {
        assert_eq!(sender.send(SECRET, &at, &body).await.status(), StatusCode::OK);
    }
    let together = (0..8).map(|_| sender.send(SECRET, &at, &body));
    assert!(futures::future::join_all(together).await.iter().all(|answer| answer.status() == StatusCode::OK));
    assert_eq!(world.now::<TicketEvent>().await.len(), 1);
    assert!(results("replayed") >= before + 10.0);
}

/// A ticket of 5 MiB: taken if `http.max_body` allows it, and whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_huge_ticket_is_taken_whole() {
    let world = World::configured(&[("http.max_body", "8388608")]).await;
    let sender = Sender::new(world.serve().await);
    let mut envelope: serde_json::Value = serde_json::from_slice(&body("e-1")).unwrap();
    envelope["detail"]["description"] = json!("x".repeat(5 * 1024 * 1024));
    assert_eq!(sender.signed(envelope.to_string().as_bytes()).await, StatusCode::OK);
    let events: Vec<TicketEvent> = world.records(1).await;
    assert_eq!(world.open(&events[0]).body.len(), 5 * 1024 * 1024);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_the_distant_past_and_future_are_taken_as_they_are() {
    let world = World::new().await;
    let sender = Sender::new(world.serve().await);
    for (id, year) in [("e-1", "1970"), ("e-2", "2999")] {
        let mut envelope: serde_json::Value = serde_json::from_slice(&body(id)).unwrap();
        envelope["time"] = json!(format!("{year}-01-01T00:00:00Z"));
        assert_eq!(sender.signed(envelope.to_string().as_bytes()).await, StatusCode::OK);
    }
    // What is too far away is for the pipeline to judge, which knows the limits.
    assert_eq!(world.records::<TicketEvent>(2).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_at_once_are_asked_to_come_back() {
    let world = World::configured(&[("http.max_in_flight", "1")]).await;
    let address = world.serve().await;
    // One request whose body does not come holds the only place.
    let mut slow = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!("POST /webhooks/zendesk/{TENANT} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n");
    slow.write_all(head.as_bytes()).await.unwrap();
    let sender = Sender::new(address);
    let refused = eventually("a refusal", || async {
        let answer = sender.send(SECRET, &now(), &body("e-1")).await;
        (answer.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(answer)
    })
    .await;
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..60).contains(&wait));
    drop(slow);
    eventually("a free place", || async {
        (sender.signed(&body("e-2")).await == StatusCode::OK).then_some(())
    })
    .await;
}

/// Frozen, then back: not a single 200 for an event that is not in the topic, and none lost that got one.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_broker_nothing_is_accepted() {
    let (mut kafka, registry, backbone) = backbone().await;
    let options = Options { limits: Limits::none(), ..Options::default() };
    let world = World::with(backbone, options, &[]).await;
    let sender = Sender::new(world.serve().await);
    assert_eq!(sender.signed(&body("before")).await, StatusCode::OK);

    kafka.pause_node(1);
    let (at, held) = (now(), body("meanwhile"));
    let refused = within(Duration::from_secs(11), sender.send(SECRET, &at, &held)).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..60).contains(&wait));
    let (ready, parts) = world.process.health.report();
    assert!(!ready && !parts["webhooks"].ready, "{parts:?}");

    kafka.resume_node(1);
    // The sender repeats the very same request: it was not accepted, so it is no replay.
    eventually("an answer of 200", || async {
        (sender.send(SECRET, &at, &held).await.status() == StatusCode::OK).then_some(())
    })
    .await;
    let ids: Vec<String> = world.now::<TicketEvent>().await.into_iter().map(|event| event.event_id).collect();
    assert!(ids.contains(&"before".to_owned()) && ids.contains(&"meanwhile".to_owned()), "{ids:?}");
    world.stop().await;
    drop((kafka, registry));
}

/// The sample Zendesk's own deliveries, with duplicates and disorder, all arrive.
#[tokio::test(flavor = "multi_thread")]
async fn deliveries_of_the_helpdesk_arrive() {
    let world = World::new().await;
    world.zendesk.set_sender(deskstream_samples::zendesk::SenderOptions {
        duplicates: 0.3,
        reordered: 0.3,
        reorder_ms: 50,
        ..Default::default()
    });
    // The account's secret is made by Zendesk: give it to a process that starts after it.
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let endpoint = format!("http://{address}/webhooks/zendesk/{TENANT}");
    let created = world.zendesk.create_webhook(&endpoint, &SUBSCRIPTIONS);
    let mut config = world.process.config.as_ref().clone();
    config.http.webhooks = address;
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), &created.secret).unwrap();
    let account = config.tenants.get_mut(TENANT).unwrap().zendesk.as_mut().unwrap();
    account.webhook_secret = format!("file:{}", secret.path().display()).as_str().into();
    let mut process = world.process.clone();
    process.config = std::sync::Arc::new(config);
    let accounts = helpdesk::accounts(&process.config);
    let receivers = helpdesk::receivers(&process, &accounts).unwrap();
    deskstream_connectors::webhook::serve(&process, world.sinks.clone(), None, receivers).await.unwrap();

    let tickets: Vec<u64> = (0..20).map(|_| world.ticket(&["vip"])).collect();
    for ticket in &tickets {
        assert!(world.zendesk.requester_comment(*ticket, "Any news?"));
    }
    world.zendesk.create_user("New User", "new@customer.example");
    assert!(world.zendesk.delivered(Duration::from_secs(30)).await);
    assert_eq!(world.zendesk.stats().given_up, 0);
    let events: Vec<TicketEvent> = world.now().await;
    let ids: std::collections::HashSet<_> = events.iter().map(|event| &event.event_id).collect();
    let created = events.iter().filter(|event| event.kind == EventKind::Created);
    let created: std::collections::HashSet<_> = created.map(|event| event.ticket_id.clone()).collect();
    assert_eq!(created.len(), tickets.len());
    assert!(ids.len() >= 40 && events.len() >= ids.len(), "{} of {}", ids.len(), events.len());
    let comment = events.iter().find(|event| world.open(event).body == "Any news?").unwrap();
    assert!(!world.open(comment).author_is_agent);
}

/// Many at once over a few connections: each 200 is an event in the topic, under its own id.
#[tokio::test(flavor = "multi_thread")]
async fn thousands_are_durable_when_they_are_answered() {
    const CONNECTIONS: usize = 32;
    const EACH: usize = 100;
    let world = World::new().await;
    let address = world.serve().await;
    let (at, template) = (now(), String::from_utf8(body("EVENT-ID")).unwrap());
    let mut senders = tokio::task::JoinSet::new();
    let started = std::time::Instant::now();
    for connection in 0..CONNECTIONS {
        let (sender, at, template) = (Sender::new(address), at.clone(), template.clone());
        senders.spawn(async move {
            for number in 0..EACH {
                let body = template.replace("EVENT-ID", &format!("e-{connection}-{number}"));
                assert_eq!(sender.send(SECRET, &at, body.as_bytes()).await.status(), StatusCode::OK);
            }
        });
    }
    while let Some(sent) = senders.join_next().await {
        sent.unwrap();
    }
    let rate = (CONNECTIONS * EACH) as f64 / started.elapsed().as_secs_f64();
    println!("{rate:.0} signed requests/s, sender and receiver unoptimised on the same cores");
    let events: Vec<TicketEvent> = world.now().await;
    let ids: std::collections::HashSet<_> = events.iter().map(|event| &event.event_id).collect();
    assert_eq!((events.len(), ids.len()), (CONNECTIONS * EACH, CONNECTIONS * EACH));
}
