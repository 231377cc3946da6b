//! Webhooks that prove nothing but a secret: what is published is what the API says.

use super::support::{FRESH, SECRET, World, counted};
use deskstream_samples::faults::{Fault, Rule};
use deskstream_samples::freshdesk::Auth;
use deskstream_schemas::{DeadLetter, EventKind, Origin, Platform, Priority, TicketEvent, TicketStatus};
use std::net::SocketAddr;
use std::time::Duration;

const VIEW: &str = "/api/v2/tickets/*";
const CREATED: &str = "{ticket_action:created}";

fn url(address: SocketAddr) -> String {
    format!("http://{address}/webhooks/freshdesk/{FRESH}")
}

fn header(secret: &str) -> Auth {
    Auth::Header("X-Webhook-Secret".into(), secret.into())
}

fn basic(password: &str) -> Auth {
    Auth::Basic("anyone".into(), password.into())
}

async fn trigger(world: &World, address: SocketAddr, ticket: u64, auth: &Auth) -> u16 {
    world.freshdesk.trigger(ticket, CREATED, &url(address), auth).await.unwrap()
}

async fn post(address: SocketAddr, body: &str) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(url(address)).header("X-Webhook-Secret", SECRET).body(body.to_owned());
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_the_ticket_as_the_api_gives_it() {
    let world = World::new().await;
    let address = world.serve().await;
    let ticket = world.fresh_ticket(&["vip"]);
    assert_eq!(trigger(&world, address, ticket, &header(SECRET)).await, 200);
    let events: Vec<TicketEvent> = world.now().await;
    let [event] = events.as_slice() else { panic!("{} events", events.len()) };
    assert_eq!(
        (event.platform, event.origin, event.kind),
        (Platform::Freshdesk, Origin::Webhook, EventKind::Created)
    );
    assert_eq!((event.status, event.priority), (TicketStatus::Open, None), "low is unset here");
    assert_eq!(event.key(), format!("{FRESH}/freshdesk/{ticket}"));
    let content = world.open(event);
    assert_eq!(content.body, "Please refund one of the two payments.");
    assert_eq!(content.requester_email.as_deref(), Some("sam@customer.example"));
    assert_eq!(content.tags, ["vip"]);

    // The newest public message is the text, once there is one.
    world.freshdesk.clock().advance(Duration::from_secs(5));
    assert!(world.freshdesk.customer_reply(ticket, "Any <news>?"));
    world.freshdesk.change(ticket, |ticket| ticket.priority = 4);
    assert_eq!(trigger(&world, address, ticket, &basic(SECRET)).await, 200);
    let events: Vec<TicketEvent> = world.records(2).await;
    let reply = events.iter().find(|event| event.kind == EventKind::Updated).unwrap();
    assert_eq!(reply.priority, Some(Priority::Urgent));
    let content = world.open(reply);
    assert_eq!((content.body.as_str(), content.author_is_agent), ("Any <news>?", false));
}

/// Two triggers for one change are two requests with one id; nothing tells them from a later change, so none is
/// taken for a replay.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_state_has_one_id() {
    let world = World::new().await;
    let address = world.serve().await;
    let ticket = world.fresh_ticket(&[]);
    for _ in 0..2 {
        assert_eq!(trigger(&world, address, ticket, &header(SECRET)).await, 200);
    }
    world.freshdesk.change(ticket, |ticket| ticket.updated_at += 0);
    world.freshdesk.clock().advance(Duration::from_secs(2));
    world.freshdesk.change(ticket, |ticket| ticket.status = 4);
    assert_eq!(trigger(&world, address, ticket, &header(SECRET)).await, 200);
    let events: Vec<TicketEvent> = world.records(3).await;
    let ids: std::collections::HashSet<_> = events.iter().map(|event| &event.event_id).collect();
    assert_eq!((events.len(), ids.len()), (3, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_secret_nothing_is_read_or_kept() {
    let world = World::new().await;
    let address = world.serve().await;
    let ticket = world.fresh_ticket(&[]);
    for auth in [Auth::None, header("wrong"), header(""), basic("wrong"), basic("")] {
        assert_eq!(trigger(&world, address, ticket, &auth).await, 401, "{auth:?}");
    }
    assert_eq!(world.freshdesk.stats().requests, 0, "a stranger costs the account nothing");
    assert!(world.now::<TicketEvent>().await.is_empty() && world.now::<DeadLetter>().await.is_empty());
}

/// Whoever knows the secret can name a ticket, and no more.
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_body_is_not_believed() {
    let world = World::new().await;
    let address = world.serve().await;
    let ticket = world.fresh_ticket(&[]);
    let forged = format!(
        r#"{{"freshdesk_webhook":{{"ticket_id":"{ticket}","ticket_subject":"FORGED","ticket_description":"FORGED"}}}}"#
    );
    assert_eq!(post(address, &forged).await, 200);
    assert_eq!(post(address, r#"{"ticket_id": 4711}"#).await, 200, "no such ticket: nothing to take");
    let events: Vec<TicketEvent> = world.now().await;
    assert_eq!(events.len(), 1);
    let content = world.open(&events[0]);
    assert_eq!(content.subject, "Charged twice");
    // What names no ticket is kept: the sender is authentic, so the rule is wrong.
    assert_eq!(post(address, r#"{"ticket_id":"../agents/me"}"#).await, 400);
    let letters: Vec<DeadLetter> = world.now().await;
    assert_eq!((letters.len(), letters[0].reason.as_ref()), (1, "bad-shape"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_allowed_sources_are_taken() {
    let settings =
        [("webhook_sources", "203.0.113.0/24,2001:db8::/32"), ("http.trust_forwarded_for", "true")];
    let world = World::configured(&settings).await;
    let address = world.serve().await;
    let ticket = world.fresh_ticket(&[]);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for (forwarded, expected) in [
        (Some("203.0.113.9"), 200),
        (Some("198.51.100.1, 203.0.113.9"), 200),
        (Some("2001:db8::1"), 200),
        (Some("203.0.113.9, 198.51.100.1"), 403),
        (Some("nonsense"), 403),
        (None, 403),
    ] {
        let request = client.post(url(address)).header("X-Webhook-Secret", SECRET);
        let request = match forwarded {
            Some(forwarded) => request.header("X-Forwarded-For", forwarded),
            None => request,
        };
        let answer = request.body(format!(r#"{{"ticket_id":{ticket}}}"#)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), expected, "{forwarded:?}");
    }
    // Untrusted, the header is the sender's own word: the connection's address counts.
    let world = World::configured(&[("webhook_sources", "203.0.113.0/24")]).await;
    let address = world.serve().await;
    let request = client.post(url(address)).header("X-Webhook-Secret", SECRET);
    let answer = request.header("X-Forwarded-For", "203.0.113.9").body("{}").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 403);
}

/// Freshdesk sends again what is answered by 503; what it can't read back is never published.
#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_cant_be_read_now_is_asked_for_again() {
    let world = World::new().await;
    let address = world.serve().await;
    let ticket = world.fresh_ticket(&[]);
    let away = [("tenant", FRESH), ("result", "helpdesk_away")];
    let before = counted("deskstream_webhook_requests_total", &away);
    for fault in [
        Fault::Status { status: 401, retry_after: None, body: None },
        Fault::Status { status: 429, retry_after: Some(60), body: None },
    ] {
        world.freshdesk.faults().add(Rule::once("GET", VIEW, fault));
        assert_eq!(trigger(&world, address, ticket, &header(SECRET)).await, 503);
    }
    assert!(counted("deskstream_webhook_requests_total", &away) >= before + 2.0);
    assert!(world.now::<TicketEvent>().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_no_ticket_goes_to_the_dead_letter() {
    let world = World::new().await;
    let address = world.serve().await;
    let ticket = world.fresh_ticket(&[]);
    let body = Some(r#"{"id":1,"subject":"no time"}"#.to_owned());
    world.freshdesk.faults().add(Rule::once(
        "GET",
        VIEW,
        Fault::Status { status: 200, retry_after: None, body },
    ));
    assert_eq!(trigger(&world, address, ticket, &header(SECRET)).await, 400);
    let letters: Vec<DeadLetter> = world.now().await;
    assert_eq!(world.open_dead(&letters[0]), br#"{"id":1,"subject":"no time"}"#);
    assert!(!letters[0].error.contains("no time"));
    assert_eq!(trigger(&world, address, ticket, &header(SECRET)).await, 200);
}
