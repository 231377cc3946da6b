//! Write-back: what the pipeline decided, written into the ticket once.
//!
//! # One command
//! 1. Wait until (or, where the account takes batches, see whether at once) the account's limit of updates admits one, so that what is read is fresh when it is written.
//!    Read the ticket; decide ([`decide`]); leave it alone where policy or its state says so.
//! 2. Where the command may have been written before — the delivery may be a repeat, an earlier attempt ended
//!    uncertainly, or the ticket bears tags of ours — read our notes. A note with this command's id means that
//!    it *was* written ([`OutcomeResult::AlreadyApplied`](deskstream_schemas::OutcomeResult)); one of a later
//!    version, that it is out of date.
//! 3. Write tags, priority and note by **one** request that Zendesk refuses if the ticket changed since it was
//!    read (`safe_update`). On 409, begin again.
//! 4. Compare what the answer's audit says was replaced with what was read: `updated_stamp` counts seconds, so
//!    an agent's edit within the same one can slip past it. What our write undid is given back.
//!
//! Where the account takes batches, what finds no turn goes out with others ([`super::batch`]), under the same stamp; the
//! job tells nothing of what was replaced, so that step 4 is left out.
//!
//! An answer that never came leaves open whether step 3 happened, so the next round looks first. A request that
//! arrives late after all meets either our note or an outdated stamp: there are never two notes for one decision.

use super::batch::Batcher;
use super::client::{Api, Replaced, TicketState, Update, Updated};
use super::decide;
use crate::helpdesk::decision::Decision;
use crate::helpdesk::{Round, Step, WriteBack, tags};
use crate::http::{CallError, RateLimits};
use deskstream_schemas::OutcomeResult;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where the write-backs of one account go.
pub struct Desk {
    api: Arc<Api>,
    fields: BTreeMap<String, u64>,
    batcher: Option<Batcher>,
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
    /// A tenant's account.
    pub fn new(api: Arc<Api>) -> Self {
        Self { api, fields: BTreeMap::new(), batcher: None }
    }

    /// Fills custom fields: their ids by the label that they hold.
    #[must_use]
    pub fn with_fields(mut self, fields: BTreeMap<String, u64>) -> Self {
        self.fields = fields;
        self
    }

    /// Sends updates together that would have to wait for a turn of their own.
    #[must_use]
    pub fn in_batches(mut self) -> Self {
        self.batcher = Some(Batcher::start(Arc::clone(&self.api)));
        self
    }

    async fn write(&self, round: &Round<'_>) -> Result<Step, CallError> {
        let (command, policy) = (round.command, round.policy);
        let ticket_id = command.ticket_id.as_str();
        let turn = match &self.batcher {
            _ if policy.dry_run => None,
            Some(_) => self.api.update_turn_at_once().await,
            None => Some(self.api.update_turn().await?),
        };
        round.request();
        let Some(ticket) = self.api.show(ticket_id).await? else { return Ok(Step::no_such_ticket()) };
        let update = match decide::decide(command, &ticket, policy, &self.fields) {
            Decision::Leave(why) => return Ok(Step::ended(OutcomeResult::Skipped, why)),
            Decision::Nothing => return Ok(Step::already_so()),
            Decision::Write(update) => update,
        };
        let ours_before = || ticket.tags.iter().any(|tag| tags::is_ours(tag, &command.tag_prefix));
        if update.comment.is_some() && (round.look || ours_before()) {
            round.request();
            if let Some(step) = round.settled(&self.api.notes(ticket_id).await?, false) {
                return Ok(step);
            }
        }
        if let Some(step) = round.withheld().await {
            return Ok(step);
        }
        round.request();
        let updated = match &self.batcher {
            Some(batcher) if turn.is_none() => batcher.update(ticket_id, update.clone()).await?,
            _ => self.api.update(ticket_id, &update, turn.as_ref()).await?,
        };
        Ok(match updated {
            Updated::Applied(replaced) => {
                Step::applied(self.repair(round, &ticket, &update, &replaced).await)
            }
            Updated::Conflict => Step::Conflict,
            Updated::NotFound => Step::no_such_ticket(),
            Updated::Refused(status) => Step::refused(status),
        })
    }

    /// Gives back what our write undid of an edit that slipped past the stamp.
    async fn repair(
        &self,
        round: &Round<'_>,
        read: &TicketState,
        written: &Update,
        replaced: &Replaced,
    ) -> &'static str {
        let command = round.command;
        let of_tags = replaced
            .tags
            .as_ref()
            .filter(|_| written.tags.is_some())
            .and_then(|before| tags::undone(&read.tags, before, &command.tag_prefix));
        let of_priority = replaced.priority.as_ref().filter(|_| written.priority.is_some());
        if of_tags.is_none() && of_priority.is_none() {
            return "written";
        }
        round.count("repaired");
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
                tracing::error!(tenant = command.tenant, ticket = command.ticket_id, %error, "an agent's edit was overwritten and could not be given back");
                "written; an edit of the same second was overwritten"
            }
        }
    }
}
