//! Polling by cursor-based incremental export: finds what webhooks lost.
//!
//! The cursor is an entity of the control topic (kind `cursor`, id `tenant/zendesk`, body
//! `{"cursor": …, "start_time": s, "reached_at": ms}`). It advances only after every ticket of its page is acknowledged, so a crash
//! repeats a page and loses none; the event ids are derived, so a repeated page repeats no id (see [`super::map`]).
//!
//! The first poll begins an hour back: older tickets are a matter for `deskstream backfill`. Zendesk wants a
//! start at least a minute in the past and leaves the last minute out, so a poll is a minute behind by nature.
//! A cursor that Zendesk no longer takes is replaced by the time at which it was last good.
//!
//! A helpdesk that is away is no reason to take webhooks away from this process, so a poll that fails shows in
//! metrics, log and outcomes, not in readiness.
//!
//! Each poll is told as an [`Outcome`] of kind `POLL` with the account's rate limit and what is left of it.

use super::client::{self, Api, Page, PageBody, Start};
use super::decode::User;
use super::map::{self, Users};
use crate::helpdesk::intake::Intake;
use crate::helpdesk::{DecodeError, Poll, PollError, Polled};
use crate::http::RateLimits;
use crate::kafka::Sinks;
use deskstream_runtime::Process;
use deskstream_runtime::time::now_ms;
use deskstream_schemas::{Origin, Platform, TicketContent, TicketEvent};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;

/// How far back the first poll looks.
const FIRST_LOOK_BACK_S: i64 = 60 * 60;

/// Zendesk wants a minute; our clock and theirs may differ by another.
const LEAST_LOOK_BACK_S: i64 = 120;

/// Overlap when a cursor has been lost.
const LOST_LOOK_BACK_S: i64 = 10 * 60;

/// The export takes ten requests a minute (thirty with an add-on).
const PAGE_SPACING: Duration = Duration::from_secs(6);

/// An export repeats tickets at its edges; a page has at most a thousand.
const REMEMBERED: usize = 4096;

/// The durable cursor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    /// Null as long as the export had nothing to give: then it begins at `start_time` again.
    cursor: Option<String>,
    /// Unix time at which the first export began.
    start_time: i64,
    /// When this was got, in ms since the Unix epoch.
    reached_at: i64,
}

/// Polls one tenant.
pub struct Poller {
    tenant: String,
    pub(super) api: Arc<Api>,
    pub(super) intake: Intake,
    page_spacing: Duration,
    origin: Origin,
}

impl Poller {
    /// A poller.
    pub fn new(process: &Process, sinks: Sinks, tenant: &str, api: Arc<Api>) -> Self {
        Self {
            tenant: tenant.to_owned(),
            api,
            intake: Intake::new(process, sinks, tenant, Platform::Zendesk, REMEMBERED),
            page_spacing: PAGE_SPACING,
            origin: Origin::Poll,
        }
    }

    /// Reads the past, with a cursor of its own.
    #[must_use]
    pub fn for_backfill(mut self) -> Self {
        self.origin = Origin::Backfill;
        self.intake = self.intake.beside("backfill");
        self
    }

    /// Waits this long between the pages of one poll.
    #[must_use]
    pub fn with_page_spacing(mut self, spacing: Duration) -> Self {
        self.page_spacing = spacing;
        self
    }

    /// Reads the export from the cursor to its present end.
    pub async fn poll(&mut self) -> Result<Polled, PollError> {
        let mut polled = Polled::default();
        loop {
            let turn = self.intake.page().await;
            let now = now_ms();
            let mut at = self.intake.cursor().unwrap_or_else(|| Cursor {
                cursor: None,
                start_time: now / 1000 - FIRST_LOOK_BACK_S,
                reached_at: now,
            });
            let start = match &at.cursor {
                Some(cursor) => Start::Cursor(cursor),
                None => Start::Time(at.start_time.min(now / 1000 - LEAST_LOOK_BACK_S)),
            };
            let page = match self.api.export(&start).await? {
                Some(page) => page,
                None => self.restart(at.reached_at).await?,
            };
            polled.requests += page.attempts();
            let body = self.api.page_body(&page)?;
            self.take(&body, &mut polled).await?;
            let moved = body.after_cursor.is_some();
            at.cursor = body.after_cursor.or(at.cursor);
            at.reached_at = now;
            self.intake.keep(&at).await?;
            if !moved && !body.end_of_stream {
                // Neither an end nor a way on: ask again from the same place next time.
                tracing::warn!(tenant = self.tenant, "the export gave no cursor and no end");
                break;
            }
            if body.end_of_stream {
                break;
            }
            let spacing = self.spacing(&page);
            drop((turn, page));
            self.intake.wait(spacing).await?;
        }
        self.intake.reached_the_end();
        Ok(polled)
    }

    /// Begins anew where a cursor was last good.
    async fn restart(&self, reached_at: i64) -> Result<Page, PollError> {
        let now = now_ms() / 1000;
        let from = (reached_at / 1000 - LOST_LOOK_BACK_S).min(now - LEAST_LOOK_BACK_S).max(0);
        tracing::warn!(tenant = self.tenant, from, "Zendesk no longer takes the cursor: beginning again");
        let page = self.api.export(&Start::Time(from)).await?;
        Ok(page.expect("an export from a time is an answer or an error"))
    }

    pub(super) fn spacing(&self, page: &Page) -> Duration {
        let told = page.limits().endpoint.and_then(|endpoint| endpoint.limit).filter(|limit| *limit > 0);
        told.map_or(self.page_spacing, |limit| (Duration::from_secs(60) / limit).min(self.page_spacing))
    }

    /// Writes a page's tickets; returns, when all are acknowledged, the time of the latest change.
    pub(super) async fn take(
        &mut self,
        page: &PageBody<'_>,
        polled: &mut Polled,
    ) -> Result<Option<i64>, PollError> {
        let received_at = now_ms();
        let users = users(&page.users);
        let mut events = Vec::with_capacity(page.tickets.len());
        for raw in &page.tickets {
            match read(&self.tenant, raw, &users, self.origin, received_at) {
                Ok(Some((event, content))) => {
                    if self.intake.knows(&event.ticket_id, event.version) {
                        self.intake.repeated(polled);
                    } else {
                        events.push((event, content));
                    }
                }
                Ok(None) => self.intake.count("deleted"),
                Err(error) => {
                    self.intake.refuse(raw.get(), error.reason(), error.to_string(), None, polled).await?;
                }
            }
        }
        let latest = events.iter().map(|(event, _)| event.version).max();
        self.intake.take(events, polled).await?;
        Ok(latest)
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

/// The users that a page names; one that can't be read names no one.
fn users<'a>(listed: &[&'a RawValue]) -> Users<'a> {
    let read = listed.iter().filter_map(|raw| serde_json::from_str::<User<'_>>(raw.get()).ok());
    read.filter_map(|user| Some((user.id.clone()?, user))).collect()
}

fn read(
    tenant: &str,
    raw: &RawValue,
    users: &Users<'_>,
    origin: Origin,
    received_at: i64,
) -> Result<Option<(TicketEvent, TicketContent)>, DecodeError> {
    let ticket = client::read_ticket(raw)?;
    let mapped = map::rest(tenant, &ticket, origin, received_at)?;
    Ok(mapped.map(|(event, mut content)| {
        map::name_people(&ticket, users, &mut content);
        (event, content)
    }))
}
