//! Updates that go out together where single ones would have to wait.

use super::support::{World, eventually, shared};
use super::zendesk_write_back::{issue, outcome_of};
use deskstream_samples::faults::{Fault, Rule};
use deskstream_samples::zendesk::{AgentEdit, Limits, Options, TagEdit, TicketUpdate};
use deskstream_schemas::{Command, OutcomeResult};
use std::time::Duration;

const BATCH: &str = "/api/v2/tickets/update_many";

/// An account that grants eight single updates a minute, two at once.
async fn world(job_delay: Duration) -> World {
    let limits = Limits { updates_per_ticket: None, ..Limits::raised(100_000, 10) };
    let options =
        Options { limits: Limits { exports_per_minute: None, ..limits }, job_delay, ..Options::default() };
    World::with(shared(), options, &[("zendesk.batch", "true"), ("updates_per_minute", "10")]).await
}

/// Counts the batches that are sent.
fn counting(world: &World) {
    let counter = Rule { times: None, ..Rule::once("PUT", BATCH, Fault::Delay { ms: 1 }) };
    world.zendesk.faults().add(counter);
}

fn commands(world: &World, count: usize) -> Vec<Command> {
    (0..count).map(|_| world.command(world.ticket(&["vip"]), 1)).collect()
}

async fn each_is_written_once(world: &World, commands: &[Command]) {
    for command in commands {
        let outcome = outcome_of(world, command, 1).await.remove(0);
        let done = [OutcomeResult::Applied, OutcomeResult::AlreadyApplied];
        assert!(done.contains(&outcome.result), "{outcome:?}");
        let ticket = command.ticket_id.parse().unwrap();
        assert_eq!(world.zendesk.api_notes(ticket).len(), 1, "ticket {ticket}");
        let tags = world.tags(ticket);
        assert!(tags.contains(&"vip".to_owned()) && tags.contains(&"ds_cause_refund".to_owned()), "{tags:?}");
    }
    assert_eq!(world.zendesk.stats().repeated_notes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_wait_for_minutes_is_written_at_once() {
    let world = world(Duration::from_millis(20)).await;
    counting(&world);
    let commands = commands(&world, 40);
    futures::future::join_all(commands.iter().map(|command| issue(&world, command))).await;
    // One that is gone spoils no batch.
    let gone = Command { ticket_id: "999999".into(), command_id: "gone".into(), ..commands[0].clone() };
    issue(&world, &gone).await;
    world.connect();
    each_is_written_once(&world, &commands).await;
    assert_eq!(outcome_of(&world, &gone, 1).await[0].result, OutcomeResult::Rejected);
    let batches = world.zendesk.faults().injected();
    assert!((1..=10).contains(&batches), "{batches} requests for 40 updates");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_who_edits_while_the_job_waits_loses_nothing() {
    let world = world(Duration::from_millis(1500)).await;
    counting(&world);
    world.connect();
    let commands = commands(&world, 12);
    for command in &commands {
        issue(&world, command).await;
    }
    eventually("a batch", || async { (world.zendesk.faults().injected() > 0).then_some(()) }).await;
    // A second later, so that the stamp tells.
    world.zendesk.clock().advance(Duration::from_secs(2));
    let edit = TicketUpdate { tags: vec![TagEdit::Add(vec!["agent".into()])], ..TicketUpdate::default() };
    for command in &commands {
        let edit = AgentEdit { update: edit.clone(), same_second: false };
        assert!(world.zendesk.agent_edit(command.ticket_id.parse().unwrap(), &edit));
    }
    each_is_written_once(&world, &commands).await;
    for command in &commands {
        let tags = world.tags(command.ticket_id.parse().unwrap());
        assert!(tags.contains(&"agent".to_owned()), "an agent's tag is gone: {tags:?}");
    }
    assert!(world.zendesk.faults().injected() > 1, "what was in conflict went out again");
    world.stop().await;
}

/// The first job runs, and nobody hears of it; the next one meets what it wrote.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_never_came_makes_no_second_note() {
    let world = world(Duration::from_millis(700)).await;
    world.zendesk.faults().add(Rule::once("PUT", BATCH, Fault::DropAfter));
    world.zendesk.faults().add(Rule::once(
        "GET",
        "/api/v2/job_statuses/*",
        Fault::Status { status: 503, retry_after: None, body: None },
    ));
    world.connect();
    let commands = commands(&world, 12);
    for command in &commands {
        issue(&world, command).await;
    }
    each_is_written_once(&world, &commands).await;
    assert_eq!(world.zendesk.faults().injected(), 2, "a fault was not met");
    world.stop().await;
}
