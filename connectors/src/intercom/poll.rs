//! Polling by search: finds what webhooks lost.
//!
//! # Progress
//! The cursor is an entity of the control topic (kind `cursor`, id `tenant/intercom`, body `{"since": s}`): every
//! change before that second is in `events`. A poll goes on from it in windows of [`WINDOW_S`], and the cursor moves
//! past a window only after every conversation of it is acknowledged, so a crash repeats a window and loses nothing;
//! the event ids are derived, so that it repeats no id (see [`super::map`]). Each poll begins [`OVERLAP_S`] before the
//! cursor, for changes that became visible late; the first one begins an hour back.
//!
//! # Pages
//! In what order a search gives its conversations is not documented, and one that changes while the pages are read
//! leaves the window: others may then slip onto a page already read. So a window of several pages is read again until
//! nothing new is found in it. Whether Intercom compares times or days is documented both ways; what lies outside of
//! the window is left for its own.
//!
//! A search gives no parts: each conversation is read by itself.

use super::client::{Api, listed};
use super::map;
use crate::helpdesk::intake::Intake;
use crate::helpdesk::{DecodeError, Poll, PollError, Polled};
use crate::http::RateLimits;
use crate::kafka::Sinks;
use deskstream_runtime::Process;
use deskstream_runtime::time::now_ms;
use deskstream_schemas::{Origin, Platform, TicketContent, TicketEvent};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::Arc;

/// How far back the first poll looks.
const FIRST_LOOK_BACK_S: i64 = 60 * 60;

/// How far before the cursor a poll begins, and how far beyond our clock it ends. The cursor is of our clock and the changes
/// are of theirs: so far apart may they be. What is found again costs no request of its own.
const OVERLAP_S: i64 = 300;

/// What is read between two keepings of the cursor.
const WINDOW_S: i64 = 60 * 60;

/// Conversations that are read by themselves at the same time.
const VIEWS: usize = 8;

/// Versions that are recognised when they are found again.
const REMEMBERED: usize = 65_536;

/// A window that keeps changing is read so often, and the rest is the next poll's.
const MOST_READINGS: u32 = 5;

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
}

/// What a listed conversation comes to.
enum Found {
    Repeated,
    Outside,
    Gone,
    Event(Box<(TicketEvent, TicketContent)>),
    Unreadable(DecodeError, Vec<u8>),
}

/// What reading a window came to.
#[derive(Default)]
struct Reading {
    pages: u32,
    taken: u64,
}

impl Poller {
    /// A poller.
    pub fn new(process: &Process, sinks: Sinks, tenant: &str, api: Arc<Api>) -> Self {
        let intake = Intake::new(process, sinks, tenant, Platform::Intercom, REMEMBERED);
        Self { tenant: tenant.to_owned(), api, intake }
    }

    /// Reads what changed from the cursor to the present.
    pub async fn poll(&mut self) -> Result<Polled, PollError> {
        let mut polled = Polled::default();
        let now = now_ms() / 1000;
        let end = now + OVERLAP_S;
        let mut cursor = match self.intake.cursor::<Cursor>() {
            Some(cursor) => cursor.since,
            None => {
                // Kept at once: who finds nothing and is away for long must not begin later than here.
                let since = now - FIRST_LOOK_BACK_S;
                self.intake.keep(&Cursor { since }).await?;
                since
            }
        };
        let mut from = (cursor - OVERLAP_S).max(1);
        loop {
            let to = (from + WINDOW_S).min(end);
            let mut readings = 1;
            loop {
                let reading = self.window(from, to, &mut polled).await?;
                if reading.pages <= 1 || reading.taken == 0 || readings == MOST_READINGS {
                    break;
                }
                readings += 1;
            }
            // The overlap lies behind what is known already.
            if to.min(now) > cursor {
                cursor = to.min(now);
                self.intake.keep(&Cursor { since: cursor }).await?;
            }
            if to >= end {
                break;
            }
            from = to;
        }
        self.intake.reached_the_end();
        Ok(polled)
    }

    async fn window(&mut self, from: i64, to: i64, polled: &mut Polled) -> Result<Reading, PollError> {
        let mut reading = Reading::default();
        let mut after: Option<String> = None;
        loop {
            let _turn = self.intake.page().await;
            let page = self.api.search(from, to, after.as_deref()).await?;
            polled.requests += page.attempts();
            reading.pages += 1;
            let body = self.api.page(&page)?;
            let next = body.next().map(str::to_owned);
            let before = polled.taken;
            self.take(&body.conversations, (from, to), polled).await?;
            reading.taken += polled.taken - before;
            match next {
                // A cursor that stays where it is would never end.
                Some(next) if after.as_ref() != Some(&next) => after = Some(next),
                _ => return Ok(reading),
            }
        }
    }

    /// Writes a page's conversations; returns when all are acknowledged.
    async fn take(
        &mut self,
        listed: &[&RawValue],
        window: (i64, i64),
        polled: &mut Polled,
    ) -> Result<(), PollError> {
        let received_at = now_ms();
        let found: Vec<_> = {
            // Gathered first: a closure in the stream is not general enough over the page's lifetime to be sent.
            let mut finding = Vec::with_capacity(listed.len());
            for raw in listed {
                finding.push(self.find(raw, window, received_at));
            }
            stream::iter(finding).buffered(VIEWS).collect().await
        };
        let mut events = Vec::with_capacity(found.len());
        for found in found {
            let (found, requests) = found?;
            polled.requests += requests;
            match found {
                Found::Repeated => self.intake.repeated(polled),
                Found::Outside => {}
                Found::Gone => self.intake.count("deleted"),
                Found::Event(event) => events.push(*event),
                Found::Unreadable(error, payload) => {
                    let raw = String::from_utf8_lossy(&payload);
                    self.intake.refuse(&raw, error.reason(), error.to_string(), None, polled).await?;
                }
            }
        }
        self.intake.take(events, polled).await
    }

    /// What a listed conversation comes to, and how many requests that took.
    async fn find(
        &self,
        raw: &RawValue,
        (from, to): (i64, i64),
        received_at: i64,
    ) -> Result<(Found, u32), PollError> {
        let look = listed(raw).and_then(|read| Ok((map::id(&read)?.to_owned(), map::version(&read)?)));
        let (id, version) = match look {
            Ok(look) => look,
            Err(error) => return Ok((Found::Unreadable(error, raw.get().into()), 0)),
        };
        if !(from..=to).contains(&(version / 1000)) {
            return Ok((Found::Outside, 0));
        }
        if self.intake.knows(&id, version) {
            return Ok((Found::Repeated, 0));
        }
        let Some(read) = super::read(&self.api, &id, None).await? else { return Ok((Found::Gone, 1)) };
        let found = match read.map(&self.tenant, Origin::Poll, received_at) {
            // It may have changed again, and been taken, since it was listed.
            Ok((event, _)) if self.intake.knows(&event.ticket_id, event.version) => Found::Repeated,
            Ok(mapped) => Found::Event(Box::new(mapped)),
            Err(error) => Found::Unreadable(error, read.conversation.to_vec()),
        };
        Ok((found, read.requests()))
    }
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
