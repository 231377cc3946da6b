//! Polling against an export that repeats, throttles and loses cursors.

use super::support::{TENANT, World, shared};
use super::zendesk_webhook::{Sender, body_of};
use deskstream_connectors::helpdesk;
use deskstream_connectors::zendesk::client::Api;
use deskstream_connectors::zendesk::{PollError, Polled, Poller};
use deskstream_samples::faults::{Fault, Rule};
use deskstream_samples::zendesk::{Limits, Options};
use deskstream_schemas::{Origin, Outcome, OutcomeKind, OutcomeResult, PersonRole, TicketEvent};
use jiff::Timestamp;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

const EXPORT: &str = "/api/v2/incremental/tickets/cursor";

fn options() -> Options {
    Options {
        limits: Limits::none(),
        export_margin: Duration::from_secs(0),
        repeat_exported: true,
        ..Options::default()
    }
}

fn poller(world: &World) -> Poller {
    let config = world.process.config.tenants[TENANT].zendesk.as_ref().unwrap();
    let api = Arc::new(Api::new(TENANT, config).unwrap());
    Poller::new(&world.process, world.sinks.clone(), TENANT, api).with_page_spacing(Duration::ZERO)
}

async fn poll(poller: &mut Poller) -> Polled {
    poller.poll().await.unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_ticket_is_found_and_a_restart_goes_on_from_the_cursor() {
    let world = World::with(shared(), options(), &[]).await;
    let mut first = poller(&world);
    assert_eq!(poll(&mut first).await.taken, 0);
    for _ in 0..25 {
        world.ticket(&["vip"]);
    }
    // The export leaves out the second that is under way.
    world.zendesk.clock().advance(Duration::from_secs(2));
    assert_eq!(poll(&mut first).await.taken, 25);
    let again = poll(&mut first).await;
    assert_eq!((again.taken, again.repeated), (0, 1), "the export repeats its last ticket");

    let world = world.restarted().await;
    let mut second = poller(&world);
    // It knows nothing of what the first had seen: the repeated ticket comes again, under the same id.
    assert_eq!(poll(&mut second).await.taken, 1);
    world.ticket(&[]);
    world.zendesk.clock().advance(Duration::from_secs(2));
    assert_eq!(poll(&mut second).await.taken, 1);

    let events: Vec<TicketEvent> = world.records(27).await;
    let ids: HashSet<_> = events.iter().map(|event| &event.event_id).collect();
    assert_eq!((events.len(), ids.len()), (27, 26));
    assert!(events.iter().all(|event| event.origin == Origin::Poll));
    // Users come beside the tickets: redaction has to know their names.
    let content = world.open(&events[0]);
    assert_eq!(content.requester_name.as_deref(), Some("Sam Sample"));
    assert_eq!(content.requester_email.as_deref(), Some("sam@customer.example"));
    assert!(content.people.iter().any(|person| person.role == PersonRole::Requester));
    assert_eq!(world.open(&events[0]).body, "Please refund one of the two payments.");
}

/// A webhook brought one ticket's creation, and lost another's.
#[tokio::test(flavor = "multi_thread")]
async fn what_webhooks_have_missed_is_found_and_counted() {
    let world = World::with(shared(), Options { repeat_exported: false, ..options() }, &[]).await;
    let sender = Sender::new(world.serve().await);
    world.zendesk.clock().advance(Duration::from_secs(5));
    let (told, _lost) = (world.ticket(&[]), world.ticket(&[]));
    let changed = world.zendesk.ticket(told).unwrap().updated_at;
    let mut body: serde_json::Value =
        serde_json::from_slice(&body_of("e-1", &told.to_string(), "3", "Hilfe")).unwrap();
    body["detail"]["updated_at"] = Timestamp::from_second(changed).unwrap().to_string().into();
    assert!(sender.signed(body.to_string().as_bytes()).await.is_success());
    world.zendesk.clock().advance(Duration::from_secs(2));
    let polled = poll(&mut poller(&world)).await;
    assert_eq!((polled.taken, polled.missed), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_update_is_the_same_version() {
    let world = World::with(shared(), Options { repeat_exported: false, ..options() }, &[]).await;
    let mut poller = poller(&world);
    let ticket = world.ticket(&[]);
    world.zendesk.clock().advance(Duration::from_secs(2));
    assert_eq!(poll(&mut poller).await.taken, 1);
    assert!(world.zendesk.system_update(ticket));
    world.zendesk.clock().advance(Duration::from_secs(2));
    let again = poll(&mut poller).await;
    assert_eq!((again.taken, again.repeated), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_export_waits() {
    let world = World::with(shared(), options(), &[]).await;
    world.ticket(&[]);
    world.zendesk.clock().advance(Duration::from_secs(2));
    world.zendesk.faults().add(Rule::once(
        "GET",
        EXPORT,
        Fault::Status { status: 429, retry_after: Some(1), body: None },
    ));
    let polled = poll(&mut poller(&world)).await;
    assert_eq!((polled.taken, polled.requests), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_cursor_begins_again_without_a_gap() {
    let world = World::with(shared(), options(), &[]).await;
    let mut poller = poller(&world);
    world.ticket(&[]);
    world.zendesk.clock().advance(Duration::from_secs(2));
    assert_eq!(poll(&mut poller).await.taken, 1);
    world.ticket(&[]);
    world.zendesk.clock().advance(Duration::from_secs(2));
    let body = Some(r#"{"error":"InvalidCursor"}"#.to_owned());
    world.zendesk.faults().add(Rule::once(
        "GET",
        EXPORT,
        Fault::Status { status: 422, retry_after: None, body },
    ));
    let polled = poll(&mut poller).await;
    assert_eq!((polled.taken, polled.repeated >= 1), (1, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_name_the_account() {
    let world = World::with(shared(), options(), &[]).await;
    let fault = Fault::Status { status: 401, retry_after: None, body: None };
    world.zendesk.faults().add(Rule::once("GET", EXPORT, fault));
    let error = poller(&world).poll().await.unwrap_err();
    assert!(matches!(error, PollError::Call(_)) && error.to_string().contains("401"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_poll_tells_its_outcome() {
    let world = World::with(shared(), Options { limits: Limits::default(), ..options() }, &[]).await;
    world.ticket(&[]);
    world.zendesk.clock().advance(Duration::from_secs(2));
    world.tasks.spawn(helpdesk::every(Duration::from_secs(3600), Box::new(poller(&world))));
    let outcomes: Vec<Outcome> = world.records(1).await;
    let outcome = &outcomes[0];
    assert_eq!(
        (outcome.kind, outcome.result, outcome.subject.as_str()),
        (OutcomeKind::Poll, OutcomeResult::Applied, "acme/zendesk")
    );
    assert_eq!((outcome.rate_limit, outcome.detail.as_str()), (Some(700), "taken 1, repeated 0, refused 0"));
    world.stop().await;
}
