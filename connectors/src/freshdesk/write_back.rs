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
//! 4. Add the private note. It comes last, so that it means that all of the command is written.
//!
//! An answer that never came leaves open whether its step happened, so the next round reads ticket and notes: tags
//! that are there are not written again, and neither is a note. A note that arrives after we have looked is a second
//! one: Freshdesk knows no idempotency keys.
//!
//! How it ends, and how long it is tried: `helpdesk::ending`.

use super::client::{Api, TicketState, Update, Wrote};
use super::decide::{self, Decision};
use crate::helpdesk::ending::{Ending, Ledger, SOON, Trouble};
use crate::helpdesk::tags;
use crate::http::{CallError, Effect, Hint};
use crate::kafka::{Handled, Received, Sinks};
use deskstream_runtime::Process;
use deskstream_runtime::config::{FreshdeskPriority, WriteBackConfig};
use deskstream_schemas::{Command, OutcomeResult, Platform};
use http::StatusCode;
use std::sync::Arc;

/// Rounds of one try: conflicts and uncertain answers each cost one.
const MAX_ROUNDS: u32 = 6;

/// Writes the commands of one tenant.
pub struct WriteBack {
    tenant: String,
    api: Arc<Api>,
    policy: WriteBackConfig,
    unset: Option<FreshdeskPriority>,
    ledger: Ledger,
}

/// How the writes of one round went.
enum Step {
    Ended(Ending),
    Conflict,
}

impl WriteBack {
    /// Write-back for a tenant's account.
    pub fn new(
        process: &Process,
        sinks: &Sinks,
        tenant: &str,
        api: Arc<Api>,
        unset: Option<FreshdeskPriority>,
    ) -> Self {
        Self {
            tenant: tenant.to_owned(),
            api,
            policy: process.config.write_back.clone(),
            unset,
            ledger: Ledger::new(sinks, tenant, Platform::Freshdesk),
        }
    }

    /// Handles a command from the feed.
    pub async fn handle(&self, received: Arc<Received<Command>>) -> Handled {
        let command = &received.record;
        if !self.ledger.concerns(command) {
            return Ok(());
        }
        let mut requests = 0;
        let written = self.write(command, received.maybe_repeated, &mut requests).await;
        self.ledger.conclude(command, written, received.tries, requests, self.api.limits()).await
    }

    async fn write(
        &self,
        command: &Command,
        maybe_repeated: bool,
        requests: &mut i32,
    ) -> Result<Ending, Trouble> {
        if !self.policy.enabled {
            return Ok(Ending::new(OutcomeResult::Skipped, "write-back is switched off"));
        }
        let mut look = maybe_repeated;
        for round in 1..=MAX_ROUNDS {
            match self.round(command, look, requests).await {
                Ok(Step::Ended(ending)) => return Ok(ending),
                Ok(Step::Conflict) => {
                    self.ledger.count("conflict");
                    tokio::time::sleep(SOON.wait(round)).await;
                }
                Err(error) if error.effect == Effect::Unknown => {
                    self.ledger.count("uncertain");
                    tracing::info!(tenant = self.tenant, command = command.command_id, %error, "uncertain write-back: looking before writing again");
                    look = true;
                    match error.hint {
                        _ if round == MAX_ROUNDS => return Err(error.into()),
                        Hint::After(wait) if wait > SOON.most => return Err(error.into()),
                        Hint::After(wait) => tokio::time::sleep(wait).await,
                        Hint::Backoff | Hint::Never => tokio::time::sleep(SOON.wait(round)).await,
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Trouble::Contended)
    }

    async fn round(&self, command: &Command, look: bool, requests: &mut i32) -> Result<Step, CallError> {
        let turn = if self.policy.dry_run { None } else { Some(self.api.update_turn().await?) };
        *requests += 1;
        let Some(read) = self.api.state(&command.ticket_id).await? else { return Ok(no_such_ticket()) };
        let (update, note) = match decide::decide(command, &read, &self.policy, self.unset) {
            Decision::Leave(why) => return Ok(ended(OutcomeResult::Skipped, why)),
            Decision::Nothing => return Ok(ended(OutcomeResult::AlreadyApplied, "the ticket is already so")),
            Decision::Write { update, note } => (update, note),
        };
        let ours_before = || read.tags.iter().any(|tag| tags::is_ours(tag, &command.tag_prefix));
        let mut fresh = true;
        if note.is_some() && (look || ours_before()) {
            *requests += 1;
            // After an uncertain try the tags may be this command's own, whose note is still to come.
            let as_decided = update.is_none() && !look;
            if let Some(ending) = self.recognise(command, as_decided).await? {
                return Ok(Step::Ended(ending));
            }
            fresh = false;
        }
        let Some(turn) = turn else {
            return Ok(ended(OutcomeResult::Skipped, "dry run: decided, not written"));
        };
        let mut detail = "written";
        if let Some(update) = update {
            if !fresh {
                *requests += 1;
                if self.api.state(&command.ticket_id).await?.as_ref() != Some(&read) {
                    return Ok(Step::Conflict);
                }
            }
            *requests += 1;
            match self.api.update(&command.ticket_id, &update, &turn).await? {
                Wrote::Applied(after) if !holds(&update, &after) => {
                    self.ledger.count("altered");
                    detail = "written; Freshdesk kept other tags or another priority than were sent";
                }
                Wrote::Applied(_) => {}
                Wrote::NotFound => return Ok(no_such_ticket()),
                Wrote::Refused(status) => return Ok(refused(status)),
            }
        }
        if let Some(note) = note {
            *requests += 1;
            match self.api.add_note(&command.ticket_id, &note).await? {
                Wrote::Applied(()) => {}
                Wrote::NotFound => return Ok(no_such_ticket()),
                Wrote::Refused(status) => return Ok(refused(status)),
            }
        }
        Ok(Step::Ended(Ending::new(OutcomeResult::Applied, detail).with(StatusCode::OK)))
    }

    /// Whether our notes on the ticket settle the matter. On a ticket that is as decided a note of ours has said so
    /// already: an event that our own write has caused is no reason for another one.
    async fn recognise(&self, command: &Command, as_decided: bool) -> Result<Option<Ending>, CallError> {
        let notes = self.api.notes(&command.ticket_id).await?;
        if notes.iter().any(|note| note.command_id == command.command_id) {
            return Ok(Some(Ending::new(OutcomeResult::AlreadyApplied, "its note is there")));
        }
        if as_decided && !notes.is_empty() {
            return Ok(Some(Ending::new(OutcomeResult::AlreadyApplied, "the ticket is already so")));
        }
        let outdated = notes.iter().any(|note| note.version > command.version);
        Ok(outdated.then(|| Ending::new(OutcomeResult::Skipped, "a later decision is already written")))
    }
}

/// Whether the ticket is as the update says.
fn holds(update: &Update, after: &TicketState) -> bool {
    update.tags.as_ref().is_none_or(|tags| tags::same(tags, &after.tags))
        && update.priority.is_none_or(|priority| priority == after.priority)
}

fn ended(result: OutcomeResult, detail: &'static str) -> Step {
    Step::Ended(Ending::new(result, detail))
}

fn no_such_ticket() -> Step {
    let ending = Ending::new(OutcomeResult::Rejected, "there is no such ticket");
    Step::Ended(ending.with(StatusCode::NOT_FOUND))
}

fn refused(status: StatusCode) -> Step {
    Step::Ended(Ending::new(OutcomeResult::Rejected, "Freshdesk refuses the update").with(status))
}
