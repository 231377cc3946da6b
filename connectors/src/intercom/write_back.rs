//! Write-back: what the pipeline decided, written into the conversation once.
//!
//! # One command
//! 1. Read the conversation; decide ([`decide`]). What was read has our notes, too: one with this command's id means
//!    that it *was* written; one of a later version, that it is out of date; any, on a conversation that is as decided,
//!    that there is nothing to add.
//! 2. Attach and take off tags one by one, and set the attribute. Each of these changes one thing, whatever else
//!    there is: what agents do at the same time stays, and doing it again changes nothing.
//! 3. Send the reply, where policy says so; after an uncertain try only if no such reply is there.
//! 4. Add the note. It comes last, so that it means that all of the command is written.
//!
//! An answer that never came leaves open whether its step happened, so the next round reads again. A note that arrives
//! after we have looked is a second one: Intercom knows no idempotency keys.

use super::client::{Api, Tag};
use super::decide::{self, Write};
use crate::helpdesk::decision::Decision;
use crate::helpdesk::{Round, Step, WriteBack, Wrote, html};
use crate::http::{CallError, RateLimits};
use deskstream_schemas::OutcomeResult;
use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// Tags whose ids are remembered; we have a few dozen.
const REMEMBERED: usize = 4096;

/// Where the write-backs of one account go.
pub struct Desk {
    api: Arc<Api>,
    attribute: Option<String>,
    ids: Mutex<HashMap<String, String>>,
}

impl WriteBack for Desk {
    fn round<'a>(&'a self, round: &'a Round<'a>) -> BoxFuture<'a, Result<Step, CallError>> {
        self.write(round).boxed()
    }

    fn limits(&self) -> RateLimits {
        self.api.limits()
    }
}

/// What ends a round early.
macro_rules! applied {
    ($wrote:expr) => {
        match $wrote {
            Wrote::Applied(applied) => applied,
            Wrote::NotFound => return Ok(Step::no_such_ticket()),
            Wrote::Refused(status) => return Ok(Step::refused(status)),
        }
    };
}

impl Desk {
    /// A tenant's account. `attribute` is the custom attribute for the priority, if there is one.
    pub fn new(api: Arc<Api>, attribute: Option<String>) -> Self {
        Self { api, attribute, ids: Mutex::default() }
    }

    async fn write(&self, round: &Round<'_>) -> Result<Step, CallError> {
        let (command, policy) = (round.command, round.policy);
        let id = command.ticket_id.as_str();
        round.request();
        let Some(read) = self.api.state(id).await? else { return Ok(Step::no_such_ticket()) };
        let write = match decide::decide(command, &read, policy, self.attribute.as_deref()) {
            Decision::Leave(why) => return Ok(Step::ended(OutcomeResult::Skipped, why)),
            Decision::Nothing => return Ok(Step::already_so()),
            Decision::Write(write) => write,
        };
        // After an uncertain try the tags may be this command's own, whose note is still to come.
        let as_decided = !write.changes() && command.draft.is_none() && !round.look;
        if let Some(step) = round.settled(&read.notes, as_decided) {
            return Ok(step);
        }
        if let Some(step) = round.withheld().await {
            return Ok(step);
        }
        let Write { attach, detach, attribute, reply, note } = write;
        for name in attach {
            let tag_id = match self.known(&name) {
                Some(tag_id) => tag_id,
                None => {
                    round.request();
                    let tag = applied!(self.api.tag(&name).await?);
                    self.remember(name, &tag)
                }
            };
            round.request();
            applied!(self.api.attach(id, &tag_id).await?);
        }
        for tag in detach {
            round.request();
            match self.api.detach(id, &tag.id).await? {
                // Someone else took it off meanwhile.
                Wrote::Applied(()) | Wrote::NotFound => {}
                Wrote::Refused(status) => return Ok(Step::refused(status)),
            }
        }
        if let Some((name, value)) = attribute {
            round.request();
            applied!(self.api.set_attribute(id, &name, value).await?);
        }
        // After an uncertain try it may have reached the contact.
        let sent = |reply: &str| round.look && read.replies.iter().any(|text| html::same_words(text, reply));
        if let Some(reply) = reply.filter(|reply| !sent(reply)) {
            round.request();
            applied!(self.api.reply(id, &reply).await?);
        }
        if let Some(note) = note {
            round.request();
            applied!(self.api.add_note(id, &note).await?);
        }
        Ok(Step::applied("written"))
    }

    fn known(&self, name: &str) -> Option<String> {
        self.ids.lock().get(name).cloned()
    }

    fn remember(&self, name: String, tag: &Tag) -> String {
        let mut ids = self.ids.lock();
        if ids.len() >= REMEMBERED {
            ids.clear();
        }
        ids.insert(name, tag.id.clone());
        tag.id.clone()
    }
}
