//! Polling by `updated_since`: finds what webhooks lost.
//!
//! # Progress
//! The cursor is an entity of the control topic (kind `cursor`, id `tenant/freshdesk`, body `{"since": s}`): every
//! change before that second is in `events`. It advances only after every ticket of its page is acknowledged, so a
//! crash repeats a page and loses none; the event ids are derived, so a repeated page repeats no id (see
//! [`super::map`]). Each poll begins [`OVERLAP_S`] before it, for changes that became visible late; the first one
//! begins an hour back.
//!
//! # Pages
//! A list by page numbers has two faults: Freshdesk ends it after 300 pages, and a ticket that changes meanwhile
//! leaves its place, so that another slips onto a page already read. So a list, ordered by change, is read by its
//! first page only, and goes on by moving `updated_since` to the last change of that page. Only where a whole page
//! changed within one second (a bulk update) are further pages read, and then again from the first until nothing
//! new is found in that second.
//!
//! A list has no conversations: a ticket that may have replies is read by itself, so that poll and webhook take
//! the same text for the same version.

use super::client::{Api, Page};
use super::decode::{self, Ticket};
use super::map;
use crate::helpdesk::intake::Intake;
use crate::helpdesk::{DecodeError, Poll, PollError, Polled};
use crate::http::RateLimits;
use crate::kafka::Sinks;
use deskstream_runtime::Process;
use deskstream_runtime::config::FreshdeskPriority;
use deskstream_runtime::time::now_ms;
use deskstream_schemas::{Origin, Platform, TicketContent, TicketEvent};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::Arc;

/// How far back the first poll looks.
const FIRST_LOOK_BACK_S: i64 = 60 * 60;

/// How far before the cursor a poll begins.
const OVERLAP_S: i64 = 60;

/// Freshdesk gives no more of one list.
const MOST_PAGES: usize = 300;

/// Tickets that are read by themselves at the same time.
const VIEWS: usize = 4;

/// Two lists of the greatest length: one second's changes must be recognised when they are read again.
const REMEMBERED: usize = 65_536;

/// The durable cursor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    since: i64,
}

/// Polls one tenant.
pub struct Poller {
    tenant: String,
    api: Arc<Api>,
    intake: Intake,
    unset: Option<FreshdeskPriority>,
    most_pages: usize,
}

/// What a listed ticket comes to.
enum Found {
    Repeated,
    Gone,
    Event(Box<(TicketEvent, TicketContent)>),
    Unreadable(DecodeError, Vec<u8>),
}

impl Poller {
    /// A poller.
    pub fn new(
        process: &Process,
        sinks: Sinks,
        tenant: &str,
        api: Arc<Api>,
        unset: Option<FreshdeskPriority>,
    ) -> Self {
        Self {
            tenant: tenant.to_owned(),
            api,
            intake: Intake::new(process, sinks, tenant, Platform::Freshdesk, REMEMBERED),
            unset,
            most_pages: MOST_PAGES,
        }
    }

    /// Gives a list up after so many pages, as the helpdesk does.
    #[must_use]
    pub fn with_most_pages(mut self, pages: usize) -> Self {
        self.most_pages = pages.max(1);
        self
    }

    /// Reads what changed from the cursor to the present.
    pub async fn poll(&mut self) -> Result<Polled, PollError> {
        let mut polled = Polled::default();
        let mut cursor = match self.intake.cursor::<Cursor>() {
            Some(cursor) => cursor.since,
            None => {
                // Kept at once: who finds nothing and is away for long must not begin later than here.
                let first = now_ms() / 1000 - FIRST_LOOK_BACK_S;
                self.intake.keep(&Cursor { since: first }).await?;
                first
            }
        };
        let mut since = (cursor - OVERLAP_S).max(0);
        let (mut number, mut new_in_second) = (1, 0);
        loop {
            let _turn = self.intake.page().await;
            let page = self.api.list(since, number).await?;
            polled.requests += page.attempts();
            let taken_before = polled.taken;
            let last = self.take(&page, &mut polled).await?;
            new_in_second += polled.taken - taken_before;
            let last = last.unwrap_or(since);
            let more = page.has_next();
            if more && last <= since && number < self.most_pages {
                number += 1;
                continue;
            }
            if number > 1 && new_in_second > 0 {
                // Tickets that left the second while it was read have moved others onto pages already read.
                (number, new_in_second) = (1, 0);
                continue;
            }
            let next = if more && last <= since {
                tracing::error!(
                    tenant = self.tenant,
                    second = since,
                    "more tickets changed in one second than Freshdesk lists: going on with the next second"
                );
                self.intake.count("unlisted");
                since + 1
            } else {
                last
            };
            // The overlap lies behind what is known already.
            if next > cursor {
                cursor = next;
                self.intake.keep(&Cursor { since: cursor }).await?;
            }
            if !more {
                break;
            }
            (since, number, new_in_second) = (next, 1, 0);
        }
        self.intake.reached_the_end();
        Ok(polled)
    }

    /// Writes a page's tickets; returns, when all are acknowledged, the second of its last change.
    async fn take(&mut self, page: &Page, polled: &mut Polled) -> Result<Option<i64>, PollError> {
        let received_at = now_ms();
        let listed = self.api.tickets(page)?;
        let last = listed.iter().filter_map(|raw| changed_at(raw)).max();
        let found: Vec<_> = {
            // Gathered first: a closure in the stream is not general enough over the page's lifetime to be sent.
            let mut finding = Vec::with_capacity(listed.len());
            for raw in &listed {
                finding.push(self.find(raw, received_at));
            }
            stream::iter(finding).buffered(VIEWS).collect().await
        };
        let mut events = Vec::with_capacity(found.len());
        for found in found {
            let (found, requests) = found?;
            polled.requests += requests;
            match found {
                Found::Repeated => self.intake.repeated(polled),
                Found::Gone => self.intake.count("deleted"),
                Found::Event(event) => events.push(*event),
                Found::Unreadable(error, payload) => {
                    let raw = String::from_utf8_lossy(&payload);
                    self.intake.refuse(&raw, error.reason(), error.to_string(), None, polled).await?;
                }
            }
        }
        self.intake.take(events, polled).await?;
        Ok(last)
    }

    /// What a listed ticket comes to, and how many requests that took.
    async fn find(&self, raw: &RawValue, received_at: i64) -> Result<(Found, u32), PollError> {
        let payload = raw.get().as_bytes();
        let look = decode::ticket(payload).and_then(|ticket| self.look(&ticket));
        match look {
            Ok(Look::Known) => Ok((Found::Repeated, 0)),
            Ok(Look::Whole) => Ok((self.read(payload, received_at), 0)),
            Ok(Look::View(id)) => match self.api.view(&id, None).await? {
                Some(viewed) => Ok((self.read(&viewed, received_at), 1)),
                None => Ok((Found::Gone, 1)),
            },
            Err(error) => Ok((Found::Unreadable(error, payload.to_vec()), 0)),
        }
    }

    fn look(&self, ticket: &Ticket<'_>) -> Result<Look, DecodeError> {
        let (id, version) = (map::id(ticket)?, map::version(ticket)?);
        Ok(if self.intake.knows(id, version) {
            Look::Known
        } else if ticket.may_have_replies() {
            Look::View(id.to_owned())
        } else {
            Look::Whole
        })
    }

    fn read(&self, payload: &[u8], received_at: i64) -> Found {
        let ticket = decode::ticket(payload);
        let mapped = ticket
            .and_then(|ticket| map::ticket(&self.tenant, &ticket, Origin::Poll, received_at, self.unset));
        match mapped {
            // It may have changed again, and been taken, since it was listed.
            Ok(Some((event, _))) if self.intake.knows(&event.ticket_id, event.version) => Found::Repeated,
            Ok(Some(mapped)) => Found::Event(Box::new(mapped)),
            Ok(None) => Found::Gone,
            Err(error) => Found::Unreadable(error, payload.to_vec()),
        }
    }
}

/// What to do about a listed ticket.
enum Look {
    /// Nothing: this version was taken.
    Known,
    /// Read it by itself: it may have replies.
    View(String),
    /// The list has all of it.
    Whole,
}

fn changed_at(raw: &RawValue) -> Option<i64> {
    let ticket = decode::ticket(raw.get().as_bytes()).ok()?;
    map::version(&ticket).ok().map(|version| version.div_euclid(1000))
}

impl Poll for Poller {
    fn round(&mut self) -> BoxFuture<'_, Result<Polled, PollError>> {
        self.poll().boxed()
    }

    fn intake(&self) -> &Intake {
        &self.intake
    }

    fn limits(&self) -> RateLimits {
        self.api.limits()
    }
}
