//! Tickets of the past, by the same export as the poll, with a cursor of its own.
//!
//! The cursor is an entity of the control topic (kind `cursor`, id `tenant/zendesk/backfill`). It advances only after
//! every ticket of its page is acknowledged; event ids are derived, so a repeated page repeats no id. The events' origin
//! is `BACKFILL`: they are counted and analyzed, and nothing is written back to old tickets.
//!
//! One page is in memory at a time, a thousand tickets at most. The export takes ten requests a minute (thirty with an
//! add-on): of these a backfill takes its share, and the poll finds the rest.

use super::client::Start;
use super::poll::Poller;
use crate::helpdesk::{Backfill, BackfillOptions, BackfillProgress, PollError, Polled};
use deskstream_runtime::time::now_ms;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Zendesk documents no oldest start; its first tickets are of 2007.
const EARLIEST_MS: i64 = 1_167_609_600_000;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Reached {
    since: i64,
    reached: i64,
    cursor: Option<String>,
    taken: u64,
    refused: u64,
    done: bool,
}

/// A backfill of one tenant's account.
pub(super) struct ZendeskBackfill {
    poller: Poller,
    share: f64,
    state: Reached,
    /// How long to wait before the next page.
    spacing: Option<Duration>,
}

impl ZendeskBackfill {
    /// Goes on where an earlier one with the same beginning, or an earlier beginning, broke off.
    pub(super) fn new(poller: Poller, options: BackfillOptions) -> Self {
        let since = options.since.max(EARLIEST_MS);
        let kept: Option<Reached> = poller.intake.cursor();
        let fresh = Reached { since, reached: since, ..Reached::default() };
        let state = kept.filter(|kept| !kept.done && kept.since <= since).unwrap_or(fresh);
        Self { poller, share: options.share.clamp(0.01, 1.0), state, spacing: None }
    }

    async fn next(&mut self) -> Result<BackfillProgress, PollError> {
        if self.state.done {
            return Ok(self.progress());
        }
        if let Some(spacing) = self.spacing {
            self.poller.intake.wait(spacing).await?;
        }
        let start = match &self.state.cursor {
            Some(cursor) => Start::Cursor(cursor),
            None => Start::Time(self.state.since / 1000),
        };
        let page = match self.poller.api.export(&start).await? {
            Some(page) => page,
            None => {
                tracing::warn!("Zendesk no longer takes the backfill's cursor: going on by time");
                let start = Start::Time(self.state.reached / 1000);
                self.poller.api.export(&start).await?.expect("an export from a time is an answer or an error")
            }
        };
        let body = self.poller.api.page_body(&page)?;
        let mut polled = Polled::default();
        let newest = self.poller.take(&body, &mut polled).await?;
        let stuck = body.after_cursor.is_none() && !body.end_of_stream;
        self.state.taken += polled.taken;
        self.state.refused += polled.refused;
        self.state.done = body.end_of_stream || stuck;
        self.state.reached =
            if self.state.done { now_ms() } else { newest.unwrap_or(0).max(self.state.reached) };
        self.state.cursor = body.after_cursor.or(self.state.cursor.take());
        self.poller.intake.keep(&self.state).await?;
        self.spacing = Some(self.poller.spacing(&page).div_f64(self.share));
        Ok(self.progress())
    }
}

impl Backfill for ZendeskBackfill {
    fn progress(&self) -> BackfillProgress {
        let Reached { since, reached, taken, refused, done, .. } = self.state;
        BackfillProgress { taken, refused, since, reached, done }
    }

    fn step(&mut self) -> BoxFuture<'_, Result<BackfillProgress, PollError>> {
        self.next().boxed()
    }
}
