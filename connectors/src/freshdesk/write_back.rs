//! Write-back: what the pipeline decided, written into the ticket once.
//!
//! Freshdesk has no conditional write, and its `tags` stand for the whole list. So this is the most that can be done:
//!
//! # One command
//! 1. Wait until the account's limit of updates admits one. Read the ticket; decide ([`decide`]).
//! 2. Where the command may have been written before (the delivery may be a repeat, an earlier attempt ended
//!    uncertainly, or the ticket bears tags of ours) read our notes. A note with this command's id means that it
//!    *was* written; one of a later version, that it is out of date; any, on a ticket that is as decided, that there
//!    is nothing to add. Then read the ticket again: if it is not as
//!    it was, begin again.
//! 3. Write tags and priority by one request, at once after the ticket was read. What an agent saves within that
//!    round trip is overwritten, and Freshdesk tells nobody.
//! 4. Send the reply, where policy says so; after an uncertain try only if no such reply is there.
//! 5. Add the private note. It comes last, so that it means that all of the command is written.
//!
//! An answer that never came leaves open whether its step happened, so the next round reads ticket and notes: tags
//! that are there are not written again, and neither is a note. A note that arrives after we have looked is a second
//! one: Freshdesk knows no idempotency keys.

use super::client::{Api, TicketState, Update};
use super::decide::{self, Write};
use crate::helpdesk::decision::Decision;
use crate::helpdesk::{Round, Step, WriteBack, Wrote, tags};
use crate::http::{CallError, RateLimits};
use deskstream_runtime::config::FreshdeskPriority;
use deskstream_schemas::OutcomeResult;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;

/// Where the write-backs of one account go.
pub struct Desk {
    api: Arc<Api>,
    unset: Option<FreshdeskPriority>,
}

impl WriteBack for Desk {
    fn round<'a>(&'a self, round: &'a Round<'a>) -> BoxFuture<'a, Result<Step, CallError>> {
        self.write(round).boxed()
    }

    fn limits(&self) -> RateLimits {
        self.api.limits()
    }
}

impl Desk {
    /// A tenant's account. `unset` is the priority that means that nobody has set one.
    pub fn new(api: Arc<Api>, unset: Option<FreshdeskPriority>) -> Self {
        Self { api, unset }
    }

    async fn write(&self, round: &Round<'_>) -> Result<Step, CallError> {
        let (command, policy) = (round.command, round.policy);
        let turn = if policy.dry_run { None } else { Some(self.api.update_turn().await?) };
        round.request();
        let Some(read) = self.api.state(&command.ticket_id).await? else {
            return Ok(Step::no_such_ticket());
        };
        let Write { update, reply, note } = match decide::decide(command, &read, policy, self.unset) {
            Decision::Leave(why) => return Ok(Step::ended(OutcomeResult::Skipped, why)),
            Decision::Nothing => return Ok(Step::already_so()),
            Decision::Write(write) => write,
        };
        let ours_before = || read.tags.iter().any(|tag| tags::is_ours(tag, &command.tag_prefix));
        let mut fresh = true;
        if note.is_some() && (round.look || ours_before()) {
            round.request();
            // After an uncertain try the tags may be this command's own, whose note is still to come.
            let as_decided = update.is_none() && command.draft.is_none() && !round.look;
            if let Some(step) = round.settled(&self.api.notes(&command.ticket_id).await?, as_decided) {
                return Ok(step);
            }
            fresh = false;
        }
        if let Some(step) = round.withheld().await {
            return Ok(step);
        }
        let Some(turn) = turn else { return Ok(Step::dry_run()) };
        let mut detail = "written";
        if let Some(update) = update {
            if !fresh {
                round.request();
                if self.api.state(&command.ticket_id).await?.as_ref() != Some(&read) {
                    return Ok(Step::Conflict);
                }
            }
            round.request();
            match self.api.update(&command.ticket_id, &update, &turn).await? {
                Wrote::Applied(after) if !holds(&update, &after) => {
                    round.count("altered");
                    detail = "written; Freshdesk kept other tags or another priority than were sent";
                }
                Wrote::Applied(_) => {}
                Wrote::NotFound => return Ok(Step::no_such_ticket()),
                Wrote::Refused(status) => return Ok(Step::refused(status)),
            }
        }
        if let Some(reply) = reply {
            round.request();
            // After an uncertain try it may have reached the requester.
            let sent = round.look && self.api.replied(&command.ticket_id, &reply).await?;
            if !sent {
                round.request();
                match self.api.reply(&command.ticket_id, &reply).await? {
                    Wrote::Applied(()) => {}
                    Wrote::NotFound => return Ok(Step::no_such_ticket()),
                    Wrote::Refused(status) => return Ok(Step::refused(status)),
                }
            }
        }
        if let Some(note) = note {
            round.request();
            match self.api.add_note(&command.ticket_id, &note).await? {
                Wrote::Applied(()) => {}
                Wrote::NotFound => return Ok(Step::no_such_ticket()),
                Wrote::Refused(status) => return Ok(Step::refused(status)),
            }
        }
        Ok(Step::applied(detail))
    }
}

/// Whether the ticket is as the update says.
fn holds(update: &Update, after: &TicketState) -> bool {
    update.tags.as_ref().is_none_or(|tags| tags::same(tags, &after.tags))
        && update.priority.is_none_or(|priority| priority == after.priority)
}
