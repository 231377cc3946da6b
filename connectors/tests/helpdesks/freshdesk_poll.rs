//! Polling lists that end early, shift and repeat.

use super::support::{FRESH, World};
use deskstream_connectors::freshdesk::client::Api;
use deskstream_connectors::freshdesk::{PollError, Polled, Poller};
use deskstream_connectors::helpdesk;
use deskstream_samples::faults::{Fault, Rule};
use deskstream_samples::freshdesk::{Limits, Options};
use deskstream_schemas::{Origin, Outcome, OutcomeKind, OutcomeResult, TicketEvent};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

const LIST: &str = "/api/v2/tickets";

fn options() -> Options {
    Options { limits: Limits::none(), ..Options::default() }
}

fn poller(world: &World) -> Poller {
    let mut config = world.process.config.tenants[FRESH].freshdesk.clone().unwrap();
    // The sample has no limits here, and tells none: ours would only slow the test down.
    config.requests_per_minute = 60_000.try_into().unwrap();
    config.lists_per_minute = 60_000.try_into().unwrap();
    let api = Arc::new(Api::new(FRESH, &config).unwrap());
    Poller::new(&world.process, world.sinks.clone(), FRESH, api, None)
}

async fn poll(poller: &mut Poller) -> Polled {
    poller.poll().await.unwrap_or_else(|error| panic!("{error}"))
}

fn tick(world: &World) {
    world.freshdesk.clock().advance(Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_ticket_is_found_once_and_a_restart_goes_on_from_the_cursor() {
    let world = World::with_freshdesk(options(), &[]).await;
    let mut first = poller(&world);
    assert_eq!(poll(&mut first).await.taken, 0);
    let cursor = world.process.control.get("cursor", "fresh/freshdesk");
    assert!(cursor.is_some(), "kept although nothing was found: a long absence must lose nothing");
    for _ in 0..30 {
        world.fresh_ticket(&["vip"]);
    }
    assert_eq!(poll(&mut first).await.taken, 30);
    let again = poll(&mut first).await;
    assert_eq!((again.taken, again.repeated), (0, 30), "the overlap");
    // Longer than the overlap.
    world.freshdesk.clock().advance(Duration::from_secs(600));
    let late = world.fresh_ticket(&[]);
    assert_eq!(poll(&mut first).await.taken, 1);

    let world = world.restarted().await;
    let mut second = poller(&world);
    // It knows the cursor and nothing of what was seen: only what lies in the overlap comes again, under the same id.
    assert_eq!(poll(&mut second).await.taken, 1);
    world.freshdesk.clock().advance(Duration::from_secs(2));
    assert!(world.freshdesk.customer_reply(late, "Any news?"));
    assert_eq!(poll(&mut second).await.taken, 1);

    let events: Vec<TicketEvent> = world.records(33).await;
    let ids: HashSet<_> = events.iter().map(|event| &event.event_id).collect();
    assert_eq!((events.len(), ids.len()), (33, 32));
    assert!(events.iter().all(|event| event.origin == Origin::Poll));
    let bodies: HashSet<String> = events.iter().map(|event| world.open(event).body).collect();
    assert!(bodies.contains("Any news?") && bodies.contains("Please refund one of the two payments."));
}

/// 500 tickets and a helpdesk that lists two pages: beyond that, `updated_since` moves.
#[tokio::test(flavor = "multi_thread")]
async fn more_tickets_than_a_list_may_have_are_all_found() {
    let world = World::with_freshdesk(Options { most_pages: 2, ..options() }, &[]).await;
    for number in 0..500 {
        world.fresh_ticket(&[]);
        if number % 3 == 0 {
            tick(&world);
        }
    }
    let polled = poll(&mut poller(&world).with_most_pages(2)).await;
    assert_eq!((polled.taken, polled.refused), (500, 0));
}

/// A bulk update of 250 tickets in one second is three pages of that second.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_with_several_pages_is_read_to_its_end() {
    let world = World::with_freshdesk(options(), &[]).await;
    let now = world.freshdesk.clock().now();
    world.freshdesk.clock().hold(now);
    for _ in 0..250 {
        world.fresh_ticket(&[]);
    }
    tick(&world);
    world.fresh_ticket(&[]);
    let mut poller = poller(&world);
    assert_eq!(poll(&mut poller).await.taken, 251);
    assert_eq!(poll(&mut poller).await.taken, 0);
}

/// More in one second than is ever listed can't be had; the poll tells, and does not hang.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_beyond_the_limit_does_not_stop_the_poll() {
    let world = World::with_freshdesk(Options { most_pages: 2, ..options() }, &[]).await;
    let now = world.freshdesk.clock().now();
    world.freshdesk.clock().hold(now);
    for _ in 0..250 {
        world.fresh_ticket(&[]);
    }
    tick(&world);
    world.fresh_ticket(&[]);
    assert_eq!(poll(&mut poller(&world).with_most_pages(2)).await.taken, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn webhook_and_poll_arrive_at_the_same_id() {
    let world = World::with_freshdesk(options(), &[]).await;
    let address = world.serve().await;
    let ticket = world.fresh_ticket(&[]);
    tick(&world);
    assert!(world.freshdesk.customer_reply(ticket, "Hello?"));
    let url = format!("http://{address}/webhooks/freshdesk/{FRESH}");
    let auth =
        deskstream_samples::freshdesk::Auth::Header("X-Webhook-Secret".into(), super::support::SECRET.into());
    assert_eq!(world.freshdesk.trigger(ticket, "{reply_sent}", &url, &auth).await, Some(200));
    assert_eq!(poll(&mut poller(&world)).await.taken, 1);
    let events: Vec<TicketEvent> = world.records(2).await;
    assert_eq!(events[0].event_id, events[1].event_id);
    assert_eq!(world.open(&events[0]).body, world.open(&events[1]).body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_list_waits_and_deleted_tickets_are_passed_over() {
    let world = World::with_freshdesk(options(), &[]).await;
    let (kept, gone) = (world.fresh_ticket(&[]), world.fresh_ticket(&[]));
    world.freshdesk.change(gone, |ticket| ticket.deleted = true);
    let fault = Fault::Status { status: 429, retry_after: Some(1), body: None };
    world.freshdesk.faults().add(Rule::once("GET", LIST, fault));
    let polled = poll(&mut poller(&world)).await;
    assert_eq!((polled.taken, polled.requests), (1, 2), "without replies the list has all of a ticket");
    let events: Vec<TicketEvent> = world.records(1).await;
    assert_eq!(events[0].ticket_id, kept.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_name_the_account() {
    let world = World::with_freshdesk(options(), &[]).await;
    let fault = Fault::Status { status: 401, retry_after: None, body: None };
    world.freshdesk.faults().add(Rule::once("GET", LIST, fault));
    let error = poller(&world).poll().await.unwrap_err();
    assert!(matches!(error, PollError::Call(_)) && error.to_string().contains("401"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_poll_tells_its_outcome() {
    let world = World::with_freshdesk(Options::default(), &[]).await;
    world.fresh_ticket(&[]);
    world.tasks.spawn(helpdesk::every(Duration::from_secs(3600), Box::new(poller(&world))));
    let outcomes: Vec<Outcome> = world.records(1).await;
    let outcome = &outcomes[0];
    assert_eq!(
        (outcome.kind, outcome.result, outcome.subject.as_str(), outcome.service.as_str()),
        (OutcomeKind::Poll, OutcomeResult::Applied, "fresh/freshdesk", "freshdesk")
    );
    assert_eq!((outcome.rate_limit, outcome.detail.as_str()), (Some(700), "taken 1, repeated 0, refused 0"));
    world.stop().await;
}
