//! How a write-back ends: an [`Outcome`], an audit record if it was written, or another try later.
//!
//! A command is finished only when its outcome is acknowledged. What may pass (429, 5xx, no connection, refused
//! credentials) is tried again later for as long as [`MAX_TRIES`] last.

use super::metrics;
use super::recent::Recent;
use crate::http::{Backoff, CallError, Domain, Hint, RateLimits};
use crate::kafka::{AuditSink, Handled, OutcomeSink, Sinks, Unhandled};
use crate::safety::Withheld;
use deskstream_runtime::control::ControlError;
use deskstream_runtime::time::now_ms;
use deskstream_schemas::{
    ActorKind, AuditOutcome, AuditRecord, Command, Outcome, OutcomeKind, OutcomeResult, Platform,
};
use http::StatusCode;
use parking_lot::Mutex;
use std::borrow::Cow;
use std::time::Duration;
use uuid::Uuid;

/// With the waits of [`LATER`] this is about two hours.
pub(crate) const MAX_TRIES: u32 = 30;

const LATER: Backoff = Backoff { first: Duration::from_secs(2), most: Duration::from_secs(180) };

/// Waits between the rounds of one try.
pub(crate) const SOON: Backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_secs(2) };

/// Commands whose outcome is acknowledged; more than a feed has in hand.
const REMEMBERED: usize = 16_384;

/// How a command ended.
pub struct Ending {
    result: OutcomeResult,
    status: Option<StatusCode>,
    detail: Cow<'static, str>,
    /// Why it was decided and not written, as a label.
    withheld: Option<&'static str>,
}

impl Ending {
    pub(crate) fn new(result: OutcomeResult, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { result, status: None, detail: detail.into(), withheld: None }
    }

    pub(crate) fn withheld(withheld: Withheld) -> Self {
        let Withheld { reason, detail } = withheld;
        Self { withheld: Some(reason), ..Self::new(OutcomeResult::Skipped, detail) }
    }

    pub(crate) fn with(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }
}

/// Why a command did not end.
pub(crate) enum Trouble {
    /// A call failed.
    Call(CallError),
    /// Others change the ticket faster than we can write.
    Contended,
    /// Whether it may be written could not be found out.
    Control(ControlError),
}

impl From<CallError> for Trouble {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

/// The commands of one tenant at one helpdesk, and how they ended.
pub(crate) struct Ledger {
    tenant: String,
    platform: Platform,
    outcomes: OutcomeSink,
    audit: AuditSink,
    done: Mutex<Recent<String>>,
}

impl Ledger {
    /// A ledger that knows of no command yet.
    pub(crate) fn new(sinks: &Sinks, tenant: &str, platform: Platform) -> Self {
        Self {
            tenant: tenant.to_owned(),
            platform,
            outcomes: sinks.outcomes.clone(),
            audit: sinks.audit.clone(),
            done: Mutex::new(Recent::new(REMEMBERED)),
        }
    }

    /// Whether the command is for this account, and not finished yet.
    pub(crate) fn concerns(&self, command: &Command) -> bool {
        if command.tenant != self.tenant || command.platform != self.platform {
            return false;
        }
        let done = self.done.lock().contains(&command.command_id);
        if done {
            metrics::COMMANDS.with_label_values(&[self.tenant.as_str(), "repeated"]).inc();
        }
        !done
    }

    /// Tells how a try ended, or asks for another one.
    pub(crate) async fn conclude(
        &self,
        command: &Command,
        written: Result<Ending, Trouble>,
        tries: u32,
        requests: i32,
        limits: RateLimits,
    ) -> Handled {
        let ending = match written {
            Ok(ending) => ending,
            Err(trouble) => self.later_or_never(command, &trouble, tries)?,
        };
        self.tell(command, &ending, requests, limits).await
    }

    /// Counts what a write-back met.
    pub(crate) fn count(&self, kind: &str) {
        metrics::INCIDENTS.with_label_values(&[self.tenant.as_str(), kind]).inc();
    }

    /// Whether to try again, or what to end with.
    fn later_or_never(&self, command: &Command, trouble: &Trouble, tries: u32) -> Result<Ending, Unhandled> {
        let (wait, ending) = match trouble {
            Trouble::Contended => {
                (LATER.wait(tries + 1), Ending::new(OutcomeResult::Failed, "others kept changing the ticket"))
            }
            Trouble::Control(error) => {
                tracing::warn!(tenant = self.tenant, command = command.command_id, tries, %error, "write-back waits");
                (LATER.wait(tries + 1), Ending::new(OutcomeResult::Failed, "updates could not be counted"))
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
                        platform = %self.platform,
                        "the helpdesk refuses us: check the account's credentials and permissions"
                    );
                }
                // Refused credentials can be put right, and what waited is then written. Our own mistakes can't.
                let (result, hopeless) = match error.domain() {
                    Domain::Internal => (OutcomeResult::Rejected, true),
                    Domain::User | Domain::External => (OutcomeResult::Failed, false),
                };
                let mut ending = Ending::new(result, "the helpdesk did not take the update");
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

    async fn tell(&self, command: &Command, ending: &Ending, requests: i32, limits: RateLimits) -> Handled {
        let finished_at = now_ms();
        let outcome = Outcome {
            kind: OutcomeKind::WriteBack,
            subject: command.command_id.clone(),
            tenant: command.tenant.clone(),
            service: self.platform.as_str().to_owned(),
            ticket_id: Some(command.ticket_id.clone()),
            result: ending.result,
            status: ending.status.map(|status| status.as_u16().into()),
            attempts: requests,
            detail: ending.detail.clone().into_owned(),
            received_at: Some(command.received_at),
            finished_at,
            rate_limit: limits.limit.map(Into::into),
            rate_remaining: limits.remaining.map(Into::into),
        };
        let audited = async {
            if ending.result != OutcomeResult::Applied && ending.withheld.is_none() {
                return Ok(());
            }
            let record = audit_record(command, finished_at, ending.withheld);
            self.audit.send(&command.tenant, &record).await.map(drop)
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
        if let Some(reason) = ending.withheld {
            metrics::WITHHELD.with_label_values(&[self.tenant.as_str(), reason]).inc();
        }
        if ending.result == OutcomeResult::Applied {
            let seconds = (finished_at - command.received_at).max(0) as f64 / 1000.0;
            metrics::LATENCY.with_label_values(&[self.tenant.as_str()]).observe(seconds);
        }
        Ok(())
    }
}

/// `withheld` is why it was not written.
fn audit_record(command: &Command, at: i64, withheld: Option<&'static str>) -> AuditRecord {
    let command_id = ("command".into(), command.command_id.clone());
    let event_id = ("event".into(), command.event_id.clone());
    let reason = withheld.map(|reason| ("withheld".into(), reason.to_owned()));
    AuditRecord {
        audit_id: Uuid::now_v7().to_string(),
        tenant: command.tenant.clone(),
        at,
        actor_kind: ActorKind::System,
        actor: "connect".to_owned(),
        action: "write_back.ticket".into(),
        resource: command.key(),
        outcome: if withheld.is_some() { AuditOutcome::Denied } else { AuditOutcome::Ok },
        detail: [command_id, event_id].into_iter().chain(reason).collect(),
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
