//! Write-backs against a Freshdesk that can't be written conditionally, throttles and forgets to answer.

use super::support::{FRESH, World, counted, eventually};
use deskstream_connectors::freshdesk::Desk;
use deskstream_connectors::freshdesk::client::Api;
use deskstream_connectors::helpdesk::Writer;
use deskstream_connectors::kafka::{Producer, ProducerOptions, Received, Sink};
use deskstream_samples::faults::{Fault, Rule};
use deskstream_samples::zendesk::{AgentEdit, Priority, TagEdit, TicketUpdate};
use deskstream_schemas::{Command, Outcome, OutcomeKind, OutcomeResult, Platform};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

const TICKET: &str = "/api/v2/tickets/*";
const NOTES: &str = "/api/v2/tickets/*/notes";
const CONVERSATIONS: &str = "/api/v2/tickets/*/conversations";

fn command(world: &World, ticket: u64, number: u32) -> Command {
    let command = world.command(ticket, number);
    Command {
        command_id: format!("fresh-{ticket}-{number}"),
        tenant: FRESH.into(),
        platform: Platform::Freshdesk,
        ..command
    }
}

async fn issue(world: &World, command: &Command) {
    let producer = Producer::new(&world.process, ProducerOptions::records()).unwrap();
    Sink::<Command>::new(&world.process, producer).send(&command.key(), command).await.unwrap();
}

async fn outcomes(world: &World, command: &Command, count: usize) -> Vec<Outcome> {
    eventually(&format!("{count} outcomes of {}", command.command_id), || async {
        let all: Vec<Outcome> = world.now().await;
        let own: Vec<Outcome> =
            all.into_iter().filter(|outcome| outcome.subject == command.command_id).collect();
        (own.len() >= count).then_some(own)
    })
    .await
}

async fn write(world: &World, command: &Command) -> Outcome {
    issue(world, command).await;
    outcomes(world, command, 1).await.remove(0)
}

fn tags(world: &World, ticket: u64) -> Vec<String> {
    let mut tags = world.freshdesk.ticket(ticket).unwrap().tags;
    tags.sort();
    tags
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_tags_priority_and_a_private_note() {
    let world = World::new().await;
    world.connect_freshdesk();
    let ticket = world.fresh_ticket(&["VIP customer", "ds_old"]);
    let command = command(&world, ticket, 1);
    let outcome = write(&world, &command).await;
    assert_eq!(
        (outcome.result, outcome.status, outcome.kind, outcome.service.as_str()),
        (OutcomeResult::Applied, Some(200), OutcomeKind::WriteBack, "freshdesk")
    );
    assert_eq!(outcome.rate_limit, Some(700));
    assert_eq!(tags(&world, ticket), ["VIP customer", "ds_cause_refund", "ds_round_1"]);
    assert_eq!(world.freshdesk.ticket(ticket).unwrap().priority, 3, "low is unset here");
    let notes = world.freshdesk.notes(ticket);
    let note: Value = serde_json::from_str(&notes[0]).unwrap();
    assert_eq!((notes.len(), &note["deskstream_command"]), (1, &Value::from(command.command_id.as_str())));
    assert_eq!(note["analysis"]["root_cause"], "refund");
    assert_eq!(world.freshdesk.stats().replies, 0, "nothing reaches the customer");

    // A priority that someone has set stays.
    let urgent = world.fresh_ticket(&[]);
    world.freshdesk.change(urgent, |ticket| ticket.priority = 2);
    write(&world, &self::command(&world, urgent, 1)).await;
    assert_eq!(world.freshdesk.ticket(urgent).unwrap().priority, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_delivered_again_is_recognised_by_its_note() {
    let world = World::new().await;
    world.connect_freshdesk();
    let ticket = world.fresh_ticket(&[]);
    let (first, second) = (command(&world, ticket, 1), command(&world, ticket, 2));
    write(&world, &first).await;
    write(&world, &second).await;
    let world = world.restarted().await;
    world.connect_freshdesk();
    issue(&world, &second).await;
    let again = outcomes(&world, &second, 2).await;
    assert!(again.iter().any(|outcome| outcome.result == OutcomeResult::AlreadyApplied), "{again:?}");
    let late = Command { command_id: "late".into(), ..first };
    let outcome = write(&world, &late).await;
    assert_eq!(
        (outcome.result, outcome.detail.as_str()),
        (OutcomeResult::Skipped, "a later decision is already written")
    );
    assert_eq!(world.freshdesk.notes(ticket).len(), 2);
    assert_eq!(tags(&world, ticket), ["ds_cause_refund", "ds_round_2"]);
}

/// The priority that we set changes what the next event's decision says of it, and nothing else: no second note.
/// Only where the command itself may have written the tags is its note still to come.
#[tokio::test(flavor = "multi_thread")]
async fn the_echo_of_our_own_write_adds_no_note() {
    let world = World::new().await;
    let config = world.process.config.tenants[FRESH].freshdesk.as_ref().unwrap();
    let api = Arc::new(Api::new(FRESH, config).unwrap());
    let desk = Arc::new(Desk::new(api, config.unset_priority));
    let writer = Writer::new(&world.process, &world.sinks, FRESH, Platform::Freshdesk, desk);
    let ticket = world.fresh_ticket(&["vip"]);
    let first = command(&world, ticket, 1);
    let echo = Command { command_id: "echo".into(), version: 2, priority: None, ..first.clone() };
    let unsure = Command { command_id: "unsure".into(), version: 3, ..echo.clone() };
    for (record, maybe_repeated, notes) in [(first, false, 1), (echo, false, 1), (unsure, true, 2)] {
        let key = record.key();
        let (topic, partition, offset, tries) = ("commands".to_owned(), 0, 0, 0);
        let received = Received { record, key, topic, partition, offset, tries, maybe_repeated };
        writer.handle(Arc::new(received)).await.unwrap();
        assert_eq!(world.freshdesk.notes(ticket).len(), notes);
    }
    let stats = world.freshdesk.stats();
    assert_eq!((stats.updates, stats.notes), (1, 2));
}

/// An agent saves while we look for our notes: the second read sees it, and nothing of theirs is lost.
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_between_read_and_write_is_a_conflict() {
    let world = World::new().await;
    world.connect_freshdesk();
    let ticket = world.fresh_ticket(&["vip", "billing", "ds_old"]);
    for same_second in [true, false] {
        let update = TicketUpdate {
            tags: vec![
                TagEdit::Add(vec![format!("agent-{same_second}")]),
                TagEdit::Remove(vec!["billing".into()]),
            ],
            priority: Some(Priority::Urgent),
            ..TicketUpdate::default()
        };
        let edit = Fault::AgentEdit { edit: AgentEdit { update, same_second } };
        world.freshdesk.faults().add(Rule::once("GET", CONVERSATIONS, edit));
        let conflicts = [("tenant", FRESH), ("kind", "conflict")];
        let before = counted("deskstream_write_back_incidents_total", &conflicts);
        let outcome = write(&world, &command(&world, ticket, if same_second { 1 } else { 2 })).await;
        assert_eq!(outcome.result, OutcomeResult::Applied);
        assert!(counted("deskstream_write_back_incidents_total", &conflicts) > before);
    }
    assert_eq!(tags(&world, ticket), ["agent-false", "agent-true", "ds_cause_refund", "ds_round_2", "vip"]);
    assert_eq!(world.freshdesk.ticket(ticket).unwrap().priority, 4);
}

/// Each step applied, and its answer lost or cut: one note all the same.
#[tokio::test(flavor = "multi_thread")]
async fn an_uncertain_write_is_looked_for_before_it_is_repeated() {
    let world = World::new().await;
    world.connect_freshdesk();
    for (method, path) in [("PUT", TICKET), ("POST", NOTES)] {
        for fault in [
            Fault::DropAfter,
            Fault::Malformed,
            Fault::DropBefore,
            Fault::Status { status: 502, retry_after: None, body: None },
        ] {
            let ticket = world.fresh_ticket(&["vip"]);
            world.freshdesk.faults().add(Rule::once(method, path, fault.clone()));
            let outcome = write(&world, &command(&world, ticket, 1)).await;
            let written = [OutcomeResult::Applied, OutcomeResult::AlreadyApplied];
            assert!(written.contains(&outcome.result), "{method} {fault:?} {outcome:?}");
            assert_eq!(world.freshdesk.notes(ticket).len(), 1, "{method} {fault:?}");
            assert_eq!(tags(&world, ticket), ["ds_cause_refund", "ds_round_1", "vip"], "{method} {fault:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_is_honoured() {
    let world = World::new().await;
    world.connect_freshdesk();
    for (method, path) in [("PUT", TICKET), ("POST", NOTES)] {
        let ticket = world.fresh_ticket(&[]);
        let fault = Fault::Status { status: 429, retry_after: Some(2), body: None };
        world.freshdesk.faults().add(Rule::once(method, path, fault));
        let started = Instant::now();
        let outcome = write(&world, &command(&world, ticket, 1)).await;
        assert_eq!(outcome.result, OutcomeResult::Applied, "{method}");
        assert!(started.elapsed() >= Duration::from_secs(2), "{method}: {:?}", started.elapsed());
        assert_eq!(world.freshdesk.notes(ticket).len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_not_be_written_is_told_and_left() {
    let world = World::new().await;
    world.connect_freshdesk();
    let closed = world.fresh_ticket(&[]);
    world.freshdesk.change(closed, |ticket| ticket.status = 5);
    assert_eq!(write(&world, &command(&world, closed, 1)).await.result, OutcomeResult::Skipped);
    let deleted = world.fresh_ticket(&[]);
    world.freshdesk.change(deleted, |ticket| ticket.deleted = true);
    assert_eq!(write(&world, &command(&world, deleted, 1)).await.result, OutcomeResult::Skipped);
    let missing = write(&world, &command(&world, 999_999, 1)).await;
    assert_eq!((missing.result, missing.status), (OutcomeResult::Rejected, Some(404)));
    assert_eq!((world.freshdesk.stats().updates, world.freshdesk.stats().notes), (0, 0));
}
