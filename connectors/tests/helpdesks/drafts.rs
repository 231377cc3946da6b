//! Replies that are proposed or sent, and custom fields: by policy, and once.

use super::support::{CHAT, FRESH, World, ample, shared};
use super::zendesk_write_back::write;
use deskstream_connectors::helpdesk::note::DRAFT;
use deskstream_samples::faults::{Fault, Rule};
use deskstream_samples::zendesk::Options;
use deskstream_schemas::{Command, OutcomeResult, Platform};

const REPLY: &str = "Dear Sam,\nwe have refunded <one> of the two payments.";

fn command(world: &World, platform: Platform, ticket: u64) -> Command {
    let tenant = match platform {
        Platform::Freshdesk => FRESH,
        Platform::Intercom => CHAT,
        _ => super::support::TENANT,
    };
    let command_id = format!("{platform}-{ticket}");
    let draft = Some(REPLY.to_owned());
    Command { tenant: tenant.into(), platform, command_id, draft, ..world.command(ticket, 1) }
}

fn shows_the_draft(note: &str) -> bool {
    note.contains(DRAFT) && note.contains("we have refunded")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_in_the_private_note_and_nothing_is_sent() {
    let world = World::configured(&[("write_back.draft", "note")]).await;
    world.connect();
    world.connect_freshdesk();
    world.connect_intercom();
    let (ticket, fresh, chat) = (world.ticket(&[]), world.fresh_ticket(&[]), world.chat(&[]));
    let desks = [(Platform::Zendesk, ticket), (Platform::Freshdesk, fresh), (Platform::Intercom, chat)];
    for (platform, ticket) in desks {
        let outcome = write(&world, &command(&world, platform, ticket)).await;
        assert_eq!(outcome.result, OutcomeResult::Applied, "{outcome:?}");
    }
    let notes = [world.zendesk.api_notes(ticket), world.freshdesk.notes(fresh), world.intercom.notes(chat)];
    for notes in notes {
        assert_eq!(notes.len(), 1);
        assert!(shows_the_draft(&notes[0]), "{}", notes[0]);
    }
    assert_eq!(world.zendesk.stats().public_comments, 0);
    assert_eq!((world.freshdesk.stats().replies, world.intercom.stats().replies), (0, 0));

    // Another process knows the note with its draft for what it is.
    let world = world.restarted().await;
    world.connect();
    world.connect_freshdesk();
    world.connect_intercom();
    for (platform, ticket) in desks {
        let again = command(&world, platform, ticket);
        super::zendesk_write_back::issue(&world, &again).await;
        let outcomes = super::zendesk_write_back::outcome_of(&world, &again, 2).await;
        assert!(
            outcomes.iter().any(|outcome| outcome.result == OutcomeResult::AlreadyApplied),
            "{outcomes:?}"
        );
    }
    assert_eq!(world.intercom.notes(chat).len(), 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_is_sent_once_whatever_is_lost() {
    let world = World::configured(&[("write_back.draft", "reply")]).await;
    world.connect();
    world.connect_freshdesk();
    world.connect_intercom();
    // The reply arrives, its answer does not.
    world.freshdesk.faults().add(Rule::once("POST", "/api/v2/tickets/*/reply", Fault::DropAfter));
    world.intercom.faults().add(Rule::once("POST", "/conversations/*/reply", Fault::DropAfter));
    let (ticket, fresh, chat) = (world.ticket(&[]), world.fresh_ticket(&[]), world.chat(&[]));
    for (platform, ticket) in
        [(Platform::Freshdesk, fresh), (Platform::Intercom, chat), (Platform::Zendesk, ticket)]
    {
        let outcome = write(&world, &command(&world, platform, ticket)).await;
        assert_eq!(outcome.result, OutcomeResult::Applied, "{outcome:?}");
    }
    assert_eq!((world.freshdesk.stats().replies, world.freshdesk.stats().notes), (1, 1));
    assert_eq!((world.intercom.stats().replies, world.intercom.stats().notes), (1, 1));
    assert!(!shows_the_draft(&world.freshdesk.notes(fresh)[0]), "what was sent is no draft");
    // Zendesk's stays a draft, for an agent.
    assert_eq!(world.zendesk.stats().public_comments, 0);
    assert!(shows_the_draft(&world.zendesk.api_notes(ticket)[0]));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_fields_are_filled_and_an_agents_value_stays() {
    const FIELD: u64 = 360_012_345_678;
    let options = Options { limits: ample(), custom_fields: vec![FIELD, 7], ..Options::default() };
    let world = World::with(shared(), options, &[("zendesk.root_cause", &FIELD.to_string())]).await;
    world.connect();
    let (empty, filled) = (world.ticket(&[]), world.ticket(&[]));
    let by_agent = deskstream_samples::zendesk::TicketUpdate {
        custom_fields: [(FIELD, "billing".into())].into(),
        ..Default::default()
    };
    let edit = deskstream_samples::zendesk::AgentEdit { update: by_agent, same_second: false };
    assert!(world.zendesk.agent_edit(filled, &edit));
    for ticket in [empty, filled] {
        let command = Command { command_id: format!("field-{ticket}"), ..world.command(ticket, 1) };
        assert_eq!(write(&world, &command).await.result, OutcomeResult::Applied);
    }
    let held = |ticket| world.zendesk.ticket(ticket).unwrap().custom_fields[&FIELD].clone();
    assert_eq!((held(empty), held(filled)), ("refund".into(), "billing".into()));
    world.stop().await;
}
