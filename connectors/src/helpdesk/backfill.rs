//! Tickets of the past: read once, page by page, beside the polls.

use super::intake::PollError;
use futures::future::BoxFuture;

/// What to read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BackfillOptions {
    /// What changed since this Unix time in milliseconds.
    pub since: i64,
    /// Which share of the helpdesk's rate limit to take: above 0, at most 1.
    pub share: f64,
}

/// How far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BackfillProgress {
    /// Tickets written to `events`, over all runs.
    pub taken: u64,
    /// Tickets that can't be read, over all runs: dead letters.
    pub refused: u64,
    /// Where it began, in ms since the Unix epoch.
    pub since: i64,
    /// Every change before this is there, in ms since the Unix epoch.
    pub reached: i64,
    /// Whether that is the present.
    pub done: bool,
}

/// A backfill under way. What it has reached is kept, so that another one with the same tenant goes on from there.
pub trait Backfill: Send {
    /// How far it is.
    fn progress(&self) -> BackfillProgress;

    /// Reads the next page, when its turn has come; returns when all of it is acknowledged.
    fn step(&mut self) -> BoxFuture<'_, Result<BackfillProgress, PollError>>;
}
