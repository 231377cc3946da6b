//! Signed notifications of Intercom, and what the API says where they don't.

use super::support::{CHAT, World, counted};
use deskstream_samples::faults::{Fault, Rule};
use deskstream_samples::intercom::sign;
use deskstream_schemas::{DeadLetter, EventKind, Origin, Platform, TicketEvent, TicketStatus};
use std::net::SocketAddr;
use std::time::Duration;

const VIEW: &str = "/conversations/*";

fn url(address: SocketAddr) -> String {
    format!("http://{address}/webhooks/intercom/{CHAT}")
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn post(address: SocketAddr, signature: &str, body: Vec<u8>) -> u16 {
    let request = client().post(url(address)).header("X-Hub-Signature", signature).body(body);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_becomes_an_event_without_another_request() {
    let world = World::new().await;
    let address = world.serve().await;
    let id = world.chat(&["vip"]);
    assert_eq!(world.intercom.notify(id, "conversation.user.created", &url(address)).await, Some(200));
    let events: Vec<TicketEvent> = world.now().await;
    let [event] = events.as_slice() else { panic!("{} events", events.len()) };
    assert_eq!(
        (event.platform, event.origin, event.kind, event.status),
        (Platform::Intercom, Origin::Webhook, EventKind::Created, TicketStatus::Open)
    );
    assert_eq!(event.key(), format!("{CHAT}/intercom/{id}"));
    let content = world.open(event);
    assert_eq!(content.body, "Please refund one of the two payments.");
    assert_eq!(content.requester_email.as_deref(), Some("sam@customer.example"));
    assert_eq!(content.people.len(), 1);
    assert_eq!(world.intercom.stats().views, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_without_a_message_is_read_by_api() {
    let world = World::new().await;
    let address = world.serve().await;
    let id = world.chat(&[]);
    world.intercom.clock().advance(Duration::from_secs(5));
    assert!(world.intercom.contact_reply(id, "<p>Any &lt;news&gt;?</p>"));
    assert!(world.intercom.change(id, |found| found.state = "snoozed".into()));
    assert_eq!(world.intercom.notify(id, "conversation.admin.snoozed", &url(address)).await, Some(200));
    let events: Vec<TicketEvent> = world.records(1).await;
    assert_eq!((events[0].status, events[0].kind), (TicketStatus::Pending, EventKind::Updated));
    assert_eq!(world.open(&events[0]).body, "Any <news>?");
    assert_eq!(world.intercom.stats().views, 1);

    // While Intercom does not give it, the sender is asked to come again.
    world
        .intercom
        .faults()
        .add(Rule::once("GET", VIEW, Fault::Status { status: 401, retry_after: None, body: None }).always());
    assert_eq!(world.intercom.notify(id, "conversation.admin.closed", &url(address)).await, Some(503));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_signed_requests_count_and_each_once() {
    let world = World::new().await;
    let address = world.serve().await;
    let id = world.chat(&[]);
    let secret = world.intercom.options().client_secret.clone();
    let body = world.intercom.notification(id, "conversation.user.created").unwrap();
    assert_eq!(post(address, &sign("another", &body), body.clone()).await, 401);
    assert_eq!(post(address, "", body.clone()).await, 401);
    assert_eq!(client().post(url(address)).body(body.clone()).send().await.unwrap().status(), 401);
    assert!(world.now::<TicketEvent>().await.is_empty());
    for _ in 0..3 {
        assert_eq!(post(address, &sign(&secret, &body), body.clone()).await, 200);
    }
    assert_eq!(world.now::<TicketEvent>().await.len(), 1);
    let broken = b"{\"topic\":".to_vec();
    assert_eq!(post(address, &sign(&secret, &broken), broken.clone()).await, 400);
    let dead: Vec<DeadLetter> = world.records(1).await;
    assert_eq!(world.open_dead(&dead[0]), broken);
}

/// Intercom asks by HEAD when an endpoint is entered, and by a ping whenever an admin wants to know.
#[tokio::test(flavor = "multi_thread")]
async fn the_endpoint_answers_head_and_ping() {
    let world = World::new().await;
    let address = world.serve().await;
    assert_eq!(client().head(url(address)).send().await.unwrap().status(), 200);
    let stranger = format!("http://{address}/webhooks/intercom/nobody");
    assert_eq!(client().head(stranger).send().await.unwrap().status(), 404);
    let ping =
        br#"{"type":"notification_event","app_id":"x","data":{"type":"notification_event_data","item":{
        "type":"ping","message":"hello"}},"id":null,"topic":"ping","created_at":1553288147}"#;
    let secret = world.intercom.options().client_secret.clone();
    let before = counted("deskstream_webhook_requests_total", &[("tenant", CHAT), ("result", "ignored")]);
    assert_eq!(post(address, &sign(&secret, ping), ping.to_vec()).await, 200);
    let after = counted("deskstream_webhook_requests_total", &[("tenant", CHAT), ("result", "ignored")]);
    assert!(after > before);
}
