//! Polls by search: pages, overlap, crashes, and what slips.

use super::support::{CHAT, World};
use deskstream_connectors::helpdesk::{PollError, Polled};
use deskstream_connectors::intercom::Poller;
use deskstream_connectors::intercom::client::Api;
use deskstream_samples::faults::{Fault, Rule};
use deskstream_schemas::{Origin, TicketEvent};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

const SEARCH: &str = "/conversations/search";

fn poller(world: &World) -> Poller {
    let config = world.process.config.tenants[CHAT].intercom.as_ref().unwrap();
    let api = Arc::new(Api::new(CHAT, config).unwrap());
    Poller::new(&world.process, world.sinks.clone(), CHAT, api)
}

async fn poll(poller: &mut Poller) -> Polled {
    poller.poll().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_conversation_of_every_page_is_taken_once() {
    let world = World::new().await;
    let ids: HashSet<String> = (0..170).map(|_| world.chat(&[]).to_string()).collect();
    let mut poller = poller(&world);
    assert_eq!(poll(&mut poller).await.taken, 170);
    let events: Vec<TicketEvent> = world.records(170).await;
    let found: HashSet<String> = events.iter().map(|event| event.ticket_id.clone()).collect();
    assert_eq!((events.len(), &found), (170, &ids));
    assert!(events.iter().all(|event| event.origin == Origin::Poll));
    let again = poll(&mut poller).await;
    assert_eq!((again.taken, again.refused), (0, 0));
}

/// A poll that breaks off keeps its cursor where it was, and the next process finds the same ids.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_nothing_is_lost_and_ids_are_the_same() {
    let world = World::new().await;
    let id = world.chat(&[]);
    let mut first = poller(&world);
    assert_eq!(poll(&mut first).await.taken, 1);
    world.intercom.faults().add(
        Rule::once("POST", SEARCH, Fault::Status { status: 403, retry_after: None, body: None }).times(1),
    );
    assert!(matches!(first.poll().await, Err(PollError::Call(_))));
    // Another process does not know what the first one has seen.
    assert_eq!(poll(&mut poller(&world)).await.taken, 1);
    let events: Vec<TicketEvent> = world.records(2).await;
    let ids: HashSet<_> = events.iter().map(|event| &event.event_id).collect();
    assert_eq!((ids.len(), events[0].ticket_id.as_str()), (1, id.to_string().as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_takes_the_newest_message_and_the_contacts_name() {
    let world = World::new().await;
    let id = world.chat(&["vip"]);
    assert!(world.intercom.contact_reply(id, "<p>Still waiting</p>"));
    assert_eq!(poll(&mut poller(&world)).await.taken, 1);
    let events: Vec<TicketEvent> = world.records(1).await;
    let content = world.open(&events[0]);
    assert_eq!(content.body, "Still waiting");
    assert_eq!(content.requester_name.as_deref(), Some("Sam Sample"));
    assert_eq!(content.tags, ["vip"]);
}

/// 429 without a Retry-After: the end of the window that the headers tell is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_waits_for_the_limit_and_goes_on() {
    let world = World::new().await;
    world.chat(&[]);
    world.intercom.faults().add(
        Rule::once("POST", SEARCH, Fault::Status { status: 429, retry_after: Some(1), body: None }).times(2),
    );
    let polled = tokio::time::timeout(Duration::from_secs(20), poller(&world).poll()).await.unwrap().unwrap();
    assert_eq!(polled.taken, 1);
}
