//! Write-backs against an Intercom that attaches tags one by one, throttles and forgets to answer.

use super::support::{CHAT, World, counted, eventually};
use deskstream_connectors::helpdesk::Writer;
use deskstream_connectors::intercom::Desk;
use deskstream_connectors::intercom::client::Api;
use deskstream_connectors::kafka::{Producer, ProducerOptions, Received, Sink};
use deskstream_samples::faults::{Fault, Rule};
use deskstream_samples::zendesk::{AgentEdit, TagEdit, TicketUpdate};
use deskstream_schemas::{Command, Outcome, OutcomeKind, OutcomeResult, Platform};
use std::sync::Arc;

const REPLY: &str = "/conversations/*/reply";
const TAGS: &str = "/conversations/*/tags";

fn command(world: &World, id: u64, number: u32) -> Command {
    let command = world.command(id, number);
    Command {
        command_id: format!("chat-{id}-{number}"),
        tenant: CHAT.into(),
        platform: Platform::Intercom,
        ..command
    }
}

async fn issue(world: &World, command: &Command) {
    let producer = Producer::new(&world.process, ProducerOptions::records()).unwrap();
    let sink = Sink::<Command>::new(&world.process, producer);
    sink.send(&command.key(), command).await.unwrap();
}

async fn outcome(world: &World, command: &Command) -> Outcome {
    eventually("the outcome", || async {
        let outcomes: Vec<Outcome> = world.now().await;
        outcomes.into_iter().find(|outcome| outcome.subject == command.command_id)
    })
    .await
}

fn sorted(mut tags: Vec<String>) -> Vec<String> {
    tags.sort();
    tags
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_attribute_and_one_note_arrive() {
    let world = World::new().await;
    let id = world.chat(&["vip", "ds_round_0"]);
    world.connect_intercom();
    let first = command(&world, id, 1);
    issue(&world, &first).await;
    let told = outcome(&world, &first).await;
    assert_eq!(
        (told.result, told.status, told.kind, told.service.as_str()),
        (OutcomeResult::Applied, Some(200), OutcomeKind::WriteBack, "intercom")
    );
    assert_eq!(sorted(world.intercom.tags(id)), ["ds_cause_refund", "ds_round_1", "vip"]);
    assert_eq!(world.intercom.conversation(id).unwrap().custom_attributes["Urgency"], "high");
    let notes = world.intercom.notes(id);
    assert!(notes.len() == 1 && notes[0].contains(&first.command_id), "{notes:?}");
    assert_eq!(world.intercom.stats().replies, 0, "nothing reaches the contact");
}

/// A decision that says no more than what stands adds no note; only where the command itself may have written the tags
/// is its note still to come.
#[tokio::test(flavor = "multi_thread")]
async fn the_echo_of_our_own_write_adds_no_note() {
    let world = World::new().await;
    let config = world.process.config.tenants[CHAT].intercom.as_ref().unwrap();
    let desk = Desk::new(Arc::new(Api::new(CHAT, config).unwrap()), config.priority_attribute.clone());
    let writer = Writer::new(&world.process, &world.sinks, CHAT, Platform::Intercom, Arc::new(desk));
    let id = world.chat(&["vip"]);
    let first = command(&world, id, 1);
    let echo = Command { command_id: "echo".into(), version: 2, ..first.clone() };
    let unsure = Command { command_id: "unsure".into(), version: 3, ..first.clone() };
    let again = first.clone();
    for (record, maybe_repeated, notes) in
        [(first, false, 1), (echo, false, 1), (again, true, 1), (unsure, true, 2)]
    {
        let key = record.key();
        let (topic, partition, offset, tries) = ("commands".to_owned(), 0, 0, 0);
        let received = Received { record, key, topic, partition, offset, tries, maybe_repeated };
        writer.handle(Arc::new(received)).await.unwrap();
        assert_eq!(world.intercom.notes(id).len(), notes);
    }
}

/// Each answer that never comes leaves open whether its step happened: the next round looks.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_never_came_adds_nothing_twice() {
    let world = World::new().await;
    world.connect_intercom();
    for (number, (method, path)) in
        [("POST", REPLY), ("POST", TAGS), ("PUT", "/conversations/*")].into_iter().enumerate()
    {
        let id = world.chat(&[]);
        world.intercom.faults().add(Rule::once(method, path, Fault::DropAfter));
        let command = command(&world, id, u32::try_from(number).unwrap() + 10);
        issue(&world, &command).await;
        let told = outcome(&world, &command).await;
        assert!(matches!(told.result, OutcomeResult::Applied | OutcomeResult::AlreadyApplied), "{told:?}");
        assert_eq!(world.intercom.notes(id).len(), 1, "{path}");
        assert_eq!(world.intercom.tags(id).len(), 2, "{path}");
    }
    assert!(
        counted("deskstream_write_back_incidents_total", &[("tenant", CHAT), ("kind", "uncertain")]) >= 1.0
    );
}

/// Tags are attached one by one, so that what an agent does meanwhile stays.
#[tokio::test(flavor = "multi_thread")]
async fn an_agents_edit_in_between_stays() {
    let world = World::new().await;
    let id = world.chat(&["vip"]);
    let edit = AgentEdit {
        update: TicketUpdate {
            tags: vec![TagEdit::Add(vec!["escalated".into()]), TagEdit::Remove(vec!["vip".into()])],
            ..TicketUpdate::default()
        },
        ..AgentEdit::default()
    };
    world.intercom.faults().add(Rule::once("POST", TAGS, Fault::AgentEdit { edit }));
    world.connect_intercom();
    let command = command(&world, id, 20);
    issue(&world, &command).await;
    assert_eq!(outcome(&world, &command).await.result, OutcomeResult::Applied);
    assert_eq!(sorted(world.intercom.tags(id)), ["ds_cause_refund", "ds_round_20", "escalated"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_and_a_conversation_that_is_gone_write_nothing() {
    let world = World::configured(&[("write_back.dry_run", "true")]).await;
    let id = world.chat(&[]);
    world.connect_intercom();
    let (dry, gone) = (command(&world, id, 30), command(&world, 999, 31));
    issue(&world, &dry).await;
    issue(&world, &gone).await;
    assert_eq!(outcome(&world, &dry).await.result, OutcomeResult::Skipped);
    let told = outcome(&world, &gone).await;
    assert_eq!((told.result, told.status), (OutcomeResult::Rejected, Some(404)));
    let stats = world.intercom.stats();
    assert_eq!((stats.updates, stats.notes), (0, 0));
}
