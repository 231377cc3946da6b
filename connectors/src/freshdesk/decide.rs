//! What to write to a ticket: a pure function of command, ticket and policy.

use super::client::{TicketState, Update};
use super::map;
use crate::helpdesk::decision::{self, Decision, Sends};
use crate::helpdesk::tags;
use deskstream_runtime::config::{FreshdeskPriority, WriteBackConfig};
use deskstream_schemas::Command;

/// Freshdesk refuses the whole update for one longer tag.
const MAX_TAG_CHARS: usize = 32;

const CLOSED: u64 = 5;

/// What to write: first the fields, if any, then the note, if there is one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Write {
    /// Tags and priority, as far as they change.
    pub update: Option<Update>,
    /// What is sent to the requester.
    pub reply: Option<String>,
    /// Text of the note.
    pub note: Option<String>,
}

/// Decides. `unset` is the priority that means that nobody has set one.
pub fn decide(
    command: &Command,
    ticket: &TicketState,
    policy: &WriteBackConfig,
    unset: Option<FreshdeskPriority>,
) -> Decision<Write> {
    if ticket.deleted || ticket.spam {
        return Decision::Leave("the ticket is deleted or spam");
    }
    if ticket.status == CLOSED {
        return Decision::Leave("the ticket is closed");
    }
    let wanted: Vec<String> =
        command.tags.iter().map(|tag| tag.chars().take(MAX_TAG_CHARS).collect()).collect();
    let merged = tags::merge(&ticket.tags, &command.tag_prefix, &wanted);
    let update = Update {
        tags: (policy.tags && !tags::same(&merged, &ticket.tags)).then_some(merged),
        priority: priority(command, ticket, policy, unset),
    };
    let update = (update != Update::default()).then_some(update);
    let reply = decision::reply(command, policy).map(str::to_owned);
    let write = Write { update, reply, note: decision::note(command, policy, Sends::Replies) };
    if write == Write::default() { Decision::Nothing } else { Decision::Write(write) }
}

/// Freshdesk gives every ticket a priority, so only the account knows which one means that nobody has set it.
fn priority(
    command: &Command,
    ticket: &TicketState,
    policy: &WriteBackConfig,
    unset: Option<FreshdeskPriority>,
) -> Option<u64> {
    let is_unset = map::code(map::known(unset?)) == ticket.priority;
    decision::priority(command, policy, is_unset).map(map::code).filter(|code| *code != ticket.priority)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::helpdesk::decision::tests::policy;
    use deskstream_schemas::Platform;

    fn command() -> Command {
        decision::tests::command(Platform::Freshdesk)
    }

    fn ticket() -> TicketState {
        TicketState {
            tags: vec!["VIP customer".into(), "ds_urgency_low".into()],
            priority: 1,
            status: 2,
            updated_at: "2026-11-23T12:00:00Z".into(),
            ..TicketState::default()
        }
    }

    fn update(command: &Command, ticket: &TicketState, unset: Option<FreshdeskPriority>) -> Option<Update> {
        match decide(command, ticket, &policy(), unset) {
            Decision::Write(write) => write.update,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_our_own_tags_are_replaced() {
        let written = update(&command(), &ticket(), None).unwrap();
        assert_eq!(written.tags.unwrap(), ["VIP customer", "ds_cause_refund", "ds_urgency_high"]);
        let long = Command { tags: vec![format!("ds_{}", "x".repeat(40))], ..command() };
        let written = update(&long, &ticket(), None).unwrap().tags.unwrap();
        assert!(written.iter().all(|tag| tag.chars().count() <= MAX_TAG_CHARS), "{written:?}");
    }

    #[test]
    fn a_priority_is_set_only_where_the_account_says_that_it_means_none() {
        let low = Some(FreshdeskPriority::Low);
        assert_eq!(update(&command(), &ticket(), low).unwrap().priority, Some(3));
        assert_eq!(update(&command(), &ticket(), None).unwrap().priority, None);
        for set in [2, 3, 4] {
            let ticket = TicketState { priority: set, ..ticket() };
            assert_eq!(update(&command(), &ticket, low).unwrap().priority, None);
        }
    }

    #[test]
    fn what_is_closed_deleted_or_spam_is_left_alone() {
        for ticket in [
            TicketState { status: CLOSED, ..ticket() },
            TicketState { deleted: true, ..ticket() },
            TicketState { spam: true, ..ticket() },
        ] {
            assert!(matches!(decide(&command(), &ticket, &policy(), None), Decision::Leave(_)));
        }
    }

    #[test]
    fn what_is_as_it_shall_be_is_not_written() {
        let done = TicketState { tags: tags::merge(&ticket().tags, "ds_", &command().tags), ..ticket() };
        assert_eq!(update(&command(), &done, None), None, "the note alone");
        let quiet = WriteBackConfig { note: false, ..policy() };
        assert_eq!(decide(&command(), &done, &quiet, None), Decision::Nothing);
    }
}
