//! Tickets of the past: broken off, gone on with, and beside the poll.

use super::support::{TENANT, World};
use deskstream_connectors::helpdesk::{self, Backfill, BackfillOptions, PollError};
use deskstream_samples::faults::{Fault, Rule};
use deskstream_schemas::{Origin, Platform, TicketEvent};
use std::collections::HashSet;
use std::time::Duration;

const EXPORT: &str = "/api/v2/incremental/tickets/cursor";

fn backfill(world: &World, since: i64) -> Box<dyn Backfill> {
    let accounts = helpdesk::accounts(&world.process.config);
    let account = accounts
        .iter()
        .find(|account| account.tenant() == TENANT && account.platform() == Platform::Zendesk)
        .unwrap();
    let options = BackfillOptions { since, share: 1.0 };
    account.backfill(&world.process, &world.sinks, options).unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_goes_on_where_it_broke_off() {
    let world = World::new().await;
    // A page holds a thousand.
    for _ in 0..1_010 {
        world.ticket(&[]);
    }
    world.zendesk.clock().advance(Duration::from_secs(120));
    let since = deskstream_runtime::time::now_ms() - 3_600_000;
    let mut first = backfill(&world, since);
    let after_one = first.step().await.unwrap();
    assert_eq!((after_one.taken, after_one.done), (1_000, false));
    assert!(after_one.reached >= since);

    // Another process goes on; an answer that fails moves nothing.
    let mut second = backfill(&world, since + 1_000);
    assert_eq!(second.progress(), after_one);
    world.zendesk.faults().add(Rule::once(
        "GET",
        EXPORT,
        Fault::Status { status: 403, retry_after: None, body: None },
    ));
    assert!(matches!(second.step().await, Err(PollError::Call(_))));
    let mut third = backfill(&world, since);
    let ended = third.step().await.unwrap();
    assert!(ended.done && (1_010..=1_011).contains(&ended.taken), "{ended:?}");
    assert_eq!(third.step().await.unwrap(), ended, "what is done asks no more");

    let taken = usize::try_from(ended.taken).unwrap();
    let events: Vec<TicketEvent> = world.records(taken).await;
    let tickets: HashSet<_> = events.iter().map(|event| &event.ticket_id).collect();
    assert_eq!(tickets.len(), 1_010);
    assert!(events.iter().all(|event| event.origin == Origin::Backfill));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_one_that_is_done_another_begins_anew() {
    let world = World::new().await;
    world.ticket(&[]);
    world.zendesk.clock().advance(Duration::from_secs(120));
    let since = deskstream_runtime::time::now_ms() - 3_600_000;
    assert!(backfill(&world, since).step().await.unwrap().done);
    let again = backfill(&world, since - 3_600_000);
    assert_eq!((again.progress().taken, again.progress().done), (0, false));
}
