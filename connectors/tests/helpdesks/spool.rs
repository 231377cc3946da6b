//! Webhooks while the broker is away, with a spool on disk.

use super::support::{FRESH, SECRET, World, backbone, eventually, within};
use super::zendesk_webhook::{Sender, body_of, now};
use deskstream_embedded::Kafka;
use deskstream_samples::freshdesk::Auth;
use deskstream_samples::zendesk::{Limits, Options};
use deskstream_schemas::{DeadLetter, TicketEvent};
use reqwest::StatusCode;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

struct Outage {
    kafka: Kafka,
    _registry: deskstream_embedded::Registry,
    world: World,
    address: SocketAddr,
    folder: TempDir,
}

impl Outage {
    async fn new(more: &[(&str, &str)]) -> Self {
        let (kafka, registry, backbone) = backbone().await;
        let folder = TempDir::new().unwrap();
        let directory = folder.path().display().to_string();
        let mut overrides = vec![("spool.directory", directory.as_str()), ("spool.after", "300")];
        overrides.extend(more);
        let options = Options { limits: Limits::none(), ..Options::default() };
        let world = World::with(backbone, options, &overrides).await;
        let address = world.serve().await;
        Self { kafka, _registry: registry, world, address, folder }
    }

    async fn over(mut self) {
        self.kafka.resume_node(1);
        self.world.stop().await;
    }
}

fn spool_bytes(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("spool.redb")).unwrap()
}

/// Tickets with several events each, whose requesters were never seen before: their keys can't be made now.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_while_the_broker_is_away_is_replayed_in_order() {
    const TICKETS: usize = 40;
    const EACH: usize = 5;
    let mut outage = Outage::new(&[]).await;
    let sender = Sender::new(outage.address);
    assert_eq!(sender.signed(&body_of("before", "17", "3", "Hilfe")).await, StatusCode::OK);
    outage.kafka.pause_node(1);
    for each in 0..EACH {
        let sends = (0..TICKETS).map(|ticket| {
            let text = format!("A secret of ticket {ticket}: 4111 1111 1111 1111");
            let id = format!("t{ticket}-{each}");
            let body = body_of(&id, &ticket.to_string(), &format!("90{ticket}"), &text);
            let sender = &sender;
            async move { within(Duration::from_secs(5), sender.signed(&body)).await }
        });
        for status in futures::future::join_all(sends).await {
            assert_eq!(status, StatusCode::OK);
        }
    }
    assert!(outage.world.spool().bytes() > TICKETS * EACH * 200);
    let (ready, parts) = outage.world.process.health.report();
    assert!(parts["webhooks"].ready, "what is durable on disk is accepted: {ready} {parts:?}");
    let on_disk = spool_bytes(outage.folder.path());
    for secret in ["4111 1111", "A secret of", "Grüße", "t17-3"] {
        assert!(!on_disk.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }

    outage.kafka.resume_node(1);
    let world = &outage.world;
    let events: Vec<TicketEvent> = eventually("all events", || async {
        let events: Vec<TicketEvent> = world.now().await;
        let ids: std::collections::HashSet<_> = events.iter().map(|event| &event.event_id).collect();
        (ids.len() == TICKETS * EACH + 1).then_some(events)
    })
    .await;
    // The probes of a broker that is away, and what was handed over before it was known to be, may have arrived twice.
    let mut last: HashMap<&str, i64> = HashMap::new();
    let mut seen = std::collections::HashSet::new();
    for event in events.iter().filter(|event| event.event_id != "before" && seen.insert(&event.event_id)) {
        let (_, each) = event.event_id.split_once('-').unwrap();
        let each: i64 = each.parse().unwrap();
        if let Some(before) = last.insert(event.ticket_id.as_str(), each) {
            assert!(before < each, "ticket {}: {before} before {each}", event.ticket_id);
        }
        assert!(world.open(event).body.starts_with("A secret of ticket"));
    }
    assert!(events.len() < TICKETS * (EACH + 2), "{} records", events.len());
    // Nothing is left behind, and what comes now goes straight to the broker.
    let spool = world.spool();
    eventually("an empty spool", || async { (!spool.engaged() && spool.bytes() == 0).then_some(()) }).await;
    assert_eq!(sender.signed(&body_of("after", "17", "3", "Hilfe")).await, StatusCode::OK);
    assert!(!spool.engaged());
    outage.over().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_webhook_waits_for_the_dead_letter_on_disk() {
    let mut outage = Outage::new(&[]).await;
    let sender = Sender::new(outage.address);
    outage.kafka.pause_node(1);
    assert_eq!(sender.signed(b"{\"no\": \"event\"}").await, StatusCode::BAD_REQUEST);
    outage.kafka.resume_node(1);
    let letters: Vec<DeadLetter> = outage.world.records(1).await;
    assert_eq!(outage.world.open_dead(&letters[0]), b"{\"no\": \"event\"}");
    outage.over().await;
}

/// One tenant fills its share; another still finds room.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_refuses_and_a_tenant_can_not_fill_it_alone() {
    let mut outage = Outage::new(&[("spool.max_bytes", "200000")]).await;
    let sender = Sender::new(outage.address);
    // A ticket of the other tenant, read by API while all is well.
    let fresh = outage.world.fresh_ticket(&[]);
    let url = format!("http://{}/webhooks/freshdesk/{FRESH}", outage.address);
    let auth = Auth::Header("X-Webhook-Secret".into(), SECRET.into());
    outage.kafka.pause_node(1);
    let text = "x".repeat(4000);
    let refused = loop {
        let id = uuid::Uuid::now_v7().to_string();
        let body = body_of(&id, "17", "3", &text);
        let answer = sender.send(SECRET, &now(), &body).await;
        if answer.status() != StatusCode::OK {
            break answer;
        }
    };
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..60).contains(&wait));
    let held = outage.world.spool().bytes();
    assert!((140_000..=165_000).contains(&held), "{held} of 200,000");
    let other = outage.world.freshdesk.trigger(fresh, "{ticket_action:created}", &url, &auth).await;
    assert_eq!(other.unwrap(), 200);
    assert!(outage.world.spool().bytes() > held);
    outage.over().await;
}

/// What a process leaves on disk, its successor replays.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_process_replays_what_the_last_one_kept() {
    let mut outage = Outage::new(&[]).await;
    let sender = Sender::new(outage.address);
    outage.kafka.pause_node(1);
    for number in 0..30 {
        let body = body_of(&format!("e-{number}"), &number.to_string(), "3", "Hilfe");
        assert_eq!(sender.signed(&body).await, StatusCode::OK);
    }
    outage.world.stop().await;
    outage.kafka.resume_node(1);
    let Outage { kafka, _registry, world, folder, .. } = outage;
    let world = world.restarted().await;
    let address = eventually("the lock of the file", || async {
        tokio::time::timeout(Duration::from_secs(5), world.serve()).await.ok()
    })
    .await;
    let ids = eventually("all events", || async {
        let events: Vec<TicketEvent> = world.now().await;
        let ids: std::collections::HashSet<_> = events.into_iter().map(|event| event.event_id).collect();
        (ids.len() == 30).then_some(ids)
    })
    .await;
    assert!((0..30).all(|number| ids.contains(&format!("e-{number}"))));
    assert_eq!(Sender::new(address).signed(&body_of("after", "17", "3", "x")).await, StatusCode::OK);
    world.stop().await;
    drop((kafka, _registry, folder));
}
