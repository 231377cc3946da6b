//! Write-back: what the pipeline decided, written into the ticket once.
//!
//! # One command
//! 1. Wait until the account's limit of updates admits one, so that what is read is fresh when it is written.
//!    Read the ticket; decide ([`decide`]); leave it alone where policy or its state says so.
//! 2. Where the command may have been written before — the delivery may be a repeat, an earlier attempt ended
//!    uncertainly, or the ticket bears tags of ours — read our notes. A note with this command's id means that
//!    it *was* written ([`OutcomeResult::AlreadyApplied`]); one of a later version, that it is out of date.
//! 3. Write tags, priority and note by **one** request that Zendesk refuses if the ticket changed since it was
//!    read (`safe_update`). On 409, begin again.
//! 4. Compare what the answer's audit says was replaced with what was read: `updated_stamp` counts seconds, so
//!    an agent's edit within the same one can slip past it. What our write undid is given back.
//!
//! An answer that never came leaves open whether step 3 happened, so the next round looks first. A request that
//! arrives late after all meets either our note or an outdated stamp: there are never two notes for one decision.
//!
//! How it ends, and how long it is tried: `helpdesk::ending`.

use super::client::{Api, Replaced, TicketState, Update, Updated};
use super::decide::{self, Decision};
use super::tags;
use crate::helpdesk::ending::{Ending, Ledger, SOON, Trouble};
use crate::http::{CallError, Effect, Hint};
use crate::kafka::{Handled, Received, Sinks};
use deskstream_runtime::Process;
use deskstream_runtime::config::WriteBackConfig;
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
    ledger: Ledger,
}

impl WriteBack {
    /// Write-back for a tenant's account.
    pub fn new(process: &Process, sinks: &Sinks, tenant: &str, api: Arc<Api>) -> Self {
        Self {
            tenant: tenant.to_owned(),
            api,
            policy: process.config.write_back.clone(),
            ledger: Ledger::new(sinks, tenant, Platform::Zendesk),
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
        let ticket_id = command.ticket_id.as_str();
        let noted = decide::has_note(command, &self.policy).is_some();
        let mut look = maybe_repeated;
        for round in 1..=MAX_ROUNDS {
            let turn = if self.policy.dry_run { None } else { Some(self.api.update_turn().await?) };
            *requests += 1;
            let Some(ticket) = self.api.show(ticket_id).await? else {
                return Ok(Ending::new(OutcomeResult::Rejected, "there is no such ticket")
                    .with(StatusCode::NOT_FOUND));
            };
            let update = match decide::decide(command, &ticket, &self.policy) {
                Decision::Leave(why) => return Ok(Ending::new(OutcomeResult::Skipped, why)),
                Decision::Nothing => {
                    return Ok(Ending::new(OutcomeResult::AlreadyApplied, "the ticket is already so"));
                }
                Decision::Write(update) => update,
            };
            let ours_before = || ticket.tags.iter().any(|tag| tags::is_ours(tag, &command.tag_prefix));
            if noted && (look || ours_before()) {
                *requests += 1;
                if let Some(ending) = self.recognise(command).await? {
                    return Ok(ending);
                }
            }
            if self.policy.dry_run {
                return Ok(Ending::new(OutcomeResult::Skipped, "dry run: decided, not written"));
            }
            *requests += 1;
            match self.api.update(ticket_id, &update, turn.as_ref()).await {
                Ok(Updated::Applied(replaced)) => {
                    let detail = self.repair(command, &ticket, &update, &replaced).await;
                    return Ok(Ending::new(OutcomeResult::Applied, detail).with(StatusCode::OK));
                }
                Ok(Updated::Conflict) => {
                    self.ledger.count("conflict");
                    tokio::time::sleep(SOON.wait(round)).await;
                }
                Ok(Updated::NotFound) => {
                    return Ok(Ending::new(OutcomeResult::Rejected, "there is no such ticket")
                        .with(StatusCode::NOT_FOUND));
                }
                Ok(Updated::Refused(status)) => {
                    return Ok(
                        Ending::new(OutcomeResult::Rejected, "Zendesk refuses the update").with(status)
                    );
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

    /// Whether our notes on the ticket settle the matter.
    async fn recognise(&self, command: &Command) -> Result<Option<Ending>, CallError> {
        let notes = self.api.notes(&command.ticket_id).await?;
        if notes.iter().any(|note| note.command_id == command.command_id) {
            return Ok(Some(Ending::new(OutcomeResult::AlreadyApplied, "its note is there")));
        }
        let outdated = notes.iter().any(|note| note.version > command.version);
        Ok(outdated.then(|| Ending::new(OutcomeResult::Skipped, "a later decision is already written")))
    }

    /// Gives back what our write undid of an edit that slipped past the stamp.
    async fn repair(
        &self,
        command: &Command,
        read: &TicketState,
        written: &Update,
        replaced: &Replaced,
    ) -> &'static str {
        let of_tags = replaced
            .tags
            .as_ref()
            .filter(|_| written.tags.is_some())
            .and_then(|before| tags::undone(&read.tags, before, &command.tag_prefix));
        let of_priority = replaced.priority.as_ref().filter(|_| written.priority.is_some());
        if of_tags.is_none() && of_priority.is_none() {
            return "written";
        }
        self.ledger.count("repaired");
        let repaired = async {
            if let Some(undone) = &of_tags {
                if !undone.removed.is_empty() {
                    self.api.add_tags(&command.ticket_id, &undone.removed).await?;
                }
                if !undone.revived.is_empty() {
                    self.api.remove_tags(&command.ticket_id, &undone.revived).await?;
                }
            }
            if let Some(priority) = of_priority {
                let update = Update { priority: Some(priority.clone()), ..Update::default() };
                self.api.update(&command.ticket_id, &update, None).await?;
            }
            Ok::<_, CallError>(())
        };
        match repaired.await {
            Ok(()) => "written; an edit of the same second was given back",
            Err(error) => {
                tracing::error!(tenant = self.tenant, ticket = command.ticket_id, %error, "an agent's edit was overwritten and could not be given back");
                "written; an edit of the same second was overwritten"
            }
        }
    }
}
