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
//! A command ends with an [`Outcome`]; only when that is acknowledged is the command finished. What may pass
//! (429, 5xx, no connection, refused credentials) is tried again later for as long as [`MAX_TRIES`] last.

use super::client::{Api, TicketState, Update, Updated};
use super::decide::{self, Decision};
use super::recent::Recent;
use super::{metrics, tags};
use crate::http::{Backoff, CallError, Domain, Effect, Hint};
use crate::kafka::{AuditSink, Handled, OutcomeSink, Received, Sinks, Unhandled};
use deskstream_runtime::Process;
use deskstream_runtime::config::WriteBackConfig;
use deskstream_runtime::time::now_ms;
use deskstream_schemas::{
    ActorKind, AuditOutcome, AuditRecord, Command, Outcome, OutcomeKind, OutcomeResult, Platform,
};
use http::StatusCode;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// With the waits of [`LATER`] this is about two hours.
const MAX_TRIES: u32 = 30;

/// Rounds of one try: conflicts and uncertain answers each cost one.
const MAX_ROUNDS: u32 = 6;

const LATER: Backoff = Backoff { first: Duration::from_secs(2), most: Duration::from_secs(180) };
const SOON: Backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_secs(2) };

/// Commands whose outcome is acknowledged; more than a feed has in hand.
const REMEMBERED: usize = 16_384;

/// Writes the commands of one tenant.
pub struct WriteBack {
    tenant: String,
    api: Arc<Api>,
    policy: WriteBackConfig,
    outcomes: OutcomeSink,
    audit: AuditSink,
    done: Mutex<Recent<String>>,
}

/// How a command ended.
struct Ending {
    result: OutcomeResult,
    status: Option<StatusCode>,
    detail: &'static str,
}

impl Ending {
    fn new(result: OutcomeResult, detail: &'static str) -> Self {
        Self { result, status: None, detail }
    }

    fn with(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }
}

/// Why a command did not end.
enum Trouble {
    /// A call failed.
    Call(CallError),
    /// Others change the ticket faster than we can write.
    Contended,
}

impl From<CallError> for Trouble {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl WriteBack {
    /// Write-back for a tenant's account.
    pub fn new(process: &Process, sinks: &Sinks, tenant: &str, api: Arc<Api>) -> Self {
        Self {
            tenant: tenant.to_owned(),
            api,
            policy: process.config.write_back.clone(),
            outcomes: sinks.outcomes.clone(),
            audit: sinks.audit.clone(),
            done: Mutex::new(Recent::new(REMEMBERED)),
        }
    }

    /// Handles a command from the feed.
    pub async fn handle(&self, received: Arc<Received<Command>>) -> Handled {
        let command = &received.record;
        if command.tenant != self.tenant || command.platform != Platform::Zendesk {
            return Ok(());
        }
        if self.done.lock().contains(&command.command_id) {
            metrics::COMMANDS.with_label_values(&[self.tenant.as_str(), "repeated"]).inc();
            return Ok(());
        }
        let mut requests = 0;
        let ending = match self.write(command, received.maybe_repeated, &mut requests).await {
            Ok(ending) => ending,
            Err(trouble) => self.later_or_never(command, &trouble, received.tries)?,
        };
        self.conclude(command, &ending, requests).await
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
                    self.count("conflict");
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
                    self.count("uncertain");
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
        replaced: &super::client::Replaced,
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
        self.count("repaired");
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

    /// Whether to try again, or what to end with.
    fn later_or_never(&self, command: &Command, trouble: &Trouble, tries: u32) -> Result<Ending, Unhandled> {
        let (wait, ending) = match trouble {
            Trouble::Contended => {
                (LATER.wait(tries + 1), Ending::new(OutcomeResult::Failed, "others kept changing the ticket"))
            }
            Trouble::Call(error) => {
                tracing::warn!(tenant = self.tenant, command = command.command_id, tries, %error, "write-back failed");
                let wait = match error.hint {
                    Hint::After(wait) => wait.max(SOON.wait(1)),
                    Hint::Backoff | Hint::Never => LATER.wait(tries + 1),
                };
                if error.domain() == Domain::User {
                    self.count("refused_account");
                    tracing::error!(
                        tenant = self.tenant,
                        "Zendesk refuses us: check the account's e-mail, token and permissions"
                    );
                }
                // Refused credentials can be put right, and what waited is then written. Our own mistakes can't.
                let (result, hopeless) = match error.domain() {
                    Domain::Internal => (OutcomeResult::Rejected, true),
                    Domain::User | Domain::External => (OutcomeResult::Failed, false),
                };
                let mut ending = Ending::new(result, "Zendesk did not take the update");
                ending.status = error.status();
                if hopeless {
                    return Ok(ending);
                }
                (wait, ending)
            }
        };
        if tries + 1 < MAX_TRIES {
            self.count("later");
            return Err(Unhandled::Later(wait));
        }
        Ok(ending)
    }

    async fn conclude(&self, command: &Command, ending: &Ending, requests: i32) -> Handled {
        let limits = self.api.limits();
        let finished_at = now_ms();
        let outcome = Outcome {
            kind: OutcomeKind::WriteBack,
            subject: command.command_id.clone(),
            tenant: command.tenant.clone(),
            service: "zendesk".to_owned(),
            ticket_id: Some(command.ticket_id.clone()),
            result: ending.result,
            status: ending.status.map(|status| status.as_u16().into()),
            attempts: requests,
            detail: ending.detail.to_owned(),
            received_at: Some(command.received_at),
            finished_at,
            rate_limit: limits.limit.map(Into::into),
            rate_remaining: limits.remaining.map(Into::into),
        };
        let audited = async {
            if ending.result == OutcomeResult::Applied {
                self.audit.send(&command.tenant, &audit_record(command, finished_at)).await.map(drop)
            } else {
                Ok(())
            }
        };
        let key = command.key();
        let (told, audited) = tokio::join!(self.outcomes.send(&key, &outcome), audited);
        if let Err(error) = told.map(drop).and(audited) {
            // Written is written: the next delivery finds the note and tells the outcome.
            tracing::warn!(tenant = self.tenant, command = command.command_id, %error, "outcome not acknowledged");
            return Err(Unhandled::Later(Duration::from_secs(1)));
        }
        self.done.lock().insert(command.command_id.clone());
        metrics::COMMANDS.with_label_values(&[self.tenant.as_str(), result_name(ending.result)]).inc();
        if ending.result == OutcomeResult::Applied {
            let seconds = (finished_at - command.received_at).max(0) as f64 / 1000.0;
            metrics::LATENCY.with_label_values(&[self.tenant.as_str()]).observe(seconds);
        }
        Ok(())
    }

    fn count(&self, kind: &str) {
        metrics::INCIDENTS.with_label_values(&[self.tenant.as_str(), kind]).inc();
    }
}

fn audit_record(command: &Command, at: i64) -> AuditRecord {
    AuditRecord {
        audit_id: Uuid::now_v7().to_string(),
        tenant: command.tenant.clone(),
        at,
        actor_kind: ActorKind::System,
        actor: "connect".to_owned(),
        action: "write_back.ticket".into(),
        resource: command.key(),
        outcome: AuditOutcome::Ok,
        detail: [("command".into(), command.command_id.clone()), ("event".into(), command.event_id.clone())]
            .into(),
        source_ip: None,
        user_agent: None,
        request_id: None,
    }
}

fn result_name(result: OutcomeResult) -> &'static str {
    match result {
        OutcomeResult::Applied => "applied",
        OutcomeResult::AlreadyApplied => "already_applied",
        OutcomeResult::Skipped => "skipped",
        OutcomeResult::Rejected => "rejected",
        OutcomeResult::Failed => "failed",
    }
}
