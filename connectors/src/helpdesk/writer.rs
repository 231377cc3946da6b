//! Writes the commands of one account: when, how often, and that it ends.
//!
//! A helpdesk brings one [`Round`]: read, decide, look, write. A conflict, and an answer that never came, begin the
//! next one; after the latter it looks for our own note before it writes again, since it may have been written.
//!
//! How it ends, and how long it is tried: [`super::ending`].

use super::account::WriteBack;
use super::ending::{Ending, Ledger, SOON, Trouble};
use super::note::Written;
use super::state;
use crate::http::{Effect, Hint};
use crate::kafka::{Handled, Received, Sinks, Unhandled};
use crate::safety::{Guard, Withheld};
use deskstream_runtime::Process;
use deskstream_runtime::config::WriteBackConfig;
use deskstream_runtime::control::{Control, ControlError};
use deskstream_schemas::{Command, OutcomeResult, Platform};
use http::StatusCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use tokio_util::sync::CancellationToken;

/// Rounds of one try: conflicts and uncertain answers each cost one.
const MAX_ROUNDS: u32 = 6;

/// One round at a ticket.
pub struct Round<'a> {
    /// What was decided.
    pub command: &'a Command,
    /// What may be written.
    pub policy: &'a WriteBackConfig,
    /// Whether it may have been written before: then look.
    pub look: bool,
    ledger: &'a Ledger,
    guard: &'a Guard,
    /// Whether the hour's ceiling has admitted this command, in this try.
    admitted: &'a AtomicBool,
    requests: &'a AtomicI32,
}

impl Round<'_> {
    /// Counts a request.
    pub(crate) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts what it met.
    pub(crate) fn count(&self, kind: &str) {
        self.ledger.count(kind);
    }

    /// What keeps the write from being sent, if anything: asked right before it.
    pub(crate) async fn withheld(&self) -> Option<Step> {
        let counted = self.admitted.load(Ordering::Relaxed);
        match self.guard.admit(!counted).await {
            Ok(Ok(())) => {
                self.admitted.store(true, Ordering::Relaxed);
                None
            }
            Ok(Err(withheld)) => Some(Step::Ended(Ending::withheld(withheld))),
            Err(error) => Some(Step::Later(error)),
        }
    }

    /// Whether our notes on the ticket settle the matter. One with this command's id means that it *was* written;
    /// one of a later version, that it is out of date; and any, on a ticket that is `as_decided`, that it has been
    /// said: an event that our own write has caused is no reason for another note.
    pub(crate) fn settled(&self, notes: &[Written], as_decided: bool) -> Option<Step> {
        let applied = |detail| Some(Step::ended(OutcomeResult::AlreadyApplied, detail));
        if notes.iter().any(|note| note.command_id == self.command.command_id) {
            return applied("its note is there");
        }
        if as_decided && !notes.is_empty() {
            return applied("the ticket is already so");
        }
        let outdated = notes.iter().any(|note| note.version > self.command.version);
        outdated.then(|| Step::ended(OutcomeResult::Skipped, "a later decision is already written"))
    }
}

/// How a round went.
pub enum Step {
    /// The command is finished.
    Ended(Ending),
    /// Someone else changed the ticket since it was read.
    Conflict,
    /// Whether it may be written can't be found out now.
    Later(ControlError),
}

impl Step {
    pub(crate) fn ended(result: OutcomeResult, detail: &'static str) -> Self {
        Self::Ended(Ending::new(result, detail))
    }

    pub(crate) fn applied(detail: &'static str) -> Self {
        Self::Ended(Ending::new(OutcomeResult::Applied, detail).with(StatusCode::OK))
    }

    pub(crate) fn already_so() -> Self {
        Self::ended(OutcomeResult::AlreadyApplied, "the ticket is already so")
    }

    pub(crate) fn dry_run() -> Self {
        Self::Ended(Ending::withheld(Withheld::dry_run()))
    }

    pub(crate) fn no_such_ticket() -> Self {
        let ending = Ending::new(OutcomeResult::Rejected, "there is no such ticket");
        Self::Ended(ending.with(StatusCode::NOT_FOUND))
    }

    pub(crate) fn refused(status: StatusCode) -> Self {
        // It says no more than that something else is being done to the ticket.
        if status == StatusCode::CONFLICT {
            return Self::Conflict;
        }
        Self::Ended(Ending::new(OutcomeResult::Rejected, "the helpdesk refuses the update").with(status))
    }
}

/// Writes the commands of one account.
pub struct Writer {
    tenant: String,
    platform: Platform,
    desk: Arc<dyn WriteBack>,
    guard: Guard,
    control: Control,
    shutdown: CancellationToken,
    ledger: Ledger,
}

impl Writer {
    /// A writer for a tenant's account.
    pub fn new(
        process: &Process,
        sinks: &Sinks,
        tenant: &str,
        platform: Platform,
        desk: Arc<dyn WriteBack>,
    ) -> Self {
        Self {
            tenant: tenant.to_owned(),
            platform,
            desk,
            control: process.control.clone(),
            shutdown: process.shutdown.clone(),
            guard: Guard::new(process, tenant, &format!("{tenant}/{platform}")),
            ledger: Ledger::new(sinks, tenant, platform),
        }
    }

    /// Handles a command from the feed.
    pub async fn handle(&self, received: Arc<Received<Command>>) -> Handled {
        let command = &received.record;
        if !self.ledger.concerns(command) {
            return Ok(());
        }
        if !state::resumed(&self.control, &self.tenant, self.platform, &self.shutdown).await {
            return Err(Unhandled::Abandoned);
        }
        let requests = AtomicI32::new(0);
        let written = self.write(command, received.maybe_repeated, &requests).await;
        let requests = requests.into_inner();
        self.ledger.conclude(command, written, received.tries, requests, self.desk.limits()).await
    }

    async fn write(
        &self,
        command: &Command,
        maybe_repeated: bool,
        requests: &AtomicI32,
    ) -> Result<Ending, Trouble> {
        let policy = match self.guard.policy() {
            Ok(policy) => policy,
            // It may have been written before: that is looked for first. What is sent is asked about again.
            Err(withheld) if maybe_repeated && !withheld.always() => self.guard.config().clone(),
            Err(withheld) => return Ok(Ending::withheld(withheld)),
        };
        let (policy, ledger, guard, admitted) = (&policy, &self.ledger, &self.guard, &AtomicBool::new(false));
        let mut look = maybe_repeated;
        for number in 1..=MAX_ROUNDS {
            match self.desk.round(&Round { command, policy, look, ledger, guard, admitted, requests }).await {
                Ok(Step::Ended(ending)) => return Ok(ending),
                Ok(Step::Later(error)) => return Err(Trouble::Control(error)),
                Ok(Step::Conflict) => {
                    self.ledger.count("conflict");
                    tokio::time::sleep(SOON.wait(number)).await;
                }
                Err(error) if error.effect == Effect::Unknown => {
                    self.ledger.count("uncertain");
                    tracing::info!(tenant = self.tenant, command = command.command_id, %error, "uncertain write-back: looking before writing again");
                    look = true;
                    match error.hint {
                        _ if number == MAX_ROUNDS => return Err(error.into()),
                        Hint::After(wait) if wait > SOON.most => return Err(error.into()),
                        Hint::After(wait) => tokio::time::sleep(wait).await,
                        Hint::Backoff | Hint::Never => tokio::time::sleep(SOON.wait(number)).await,
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Trouble::Contended)
    }
}
