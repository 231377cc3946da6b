//! What second opinions a ticket has had, and the ticket that waits for one.
//!
//! Opinions and enriched events come by different topics, in any order, also when they are read again after a restart.
//! So a judgement is kept under the text it is about, and holds for whatever state of the ticket has that text: an event
//! that changes only the status takes it over, and one that changes the text leaves it.

use super::facts::Second;
use deskstream_schemas::{Analysis, EnrichedTicket, OpinionResult};
use smallvec::SmallVec;
use std::collections::HashMap;

/// Texts of a ticket whose judgements are kept: the latest ones.
const TEXTS: usize = 4;

/// Opinions that are known again when they come twice.
const REMEMBERED: usize = 8;

/// Tickets of a worker that wait for an opinion at the most: some 1 KB each. Beyond, an opinion corrects windows only,
/// and the ticket's latest state with its next event.
const MOST_WAITING: usize = 50_000;

/// Nobody waits longer: whoever was to answer is not there.
const LONGEST_WAIT_MS: i64 = 3_600_000;

/// A judgement by a slower model.
#[derive(Debug)]
struct Judgement {
    text_hash: i64,
    analysis: Analysis,
    /// Whether what follows from it has been published, now or before a restart.
    published: bool,
}

#[derive(Debug, Default)]
struct OfTicket {
    seen: SmallVec<[i64; 2]>,
    judgements: SmallVec<[Judgement; 1]>,
    waiting: Option<Box<Waiting>>,
    touched_at: i64,
}

#[derive(Debug)]
struct Waiting {
    text_hash: i64,
    since: i64,
    ticket: EnrichedTicket,
}

/// What an opinion that was taken in means for its ticket.
pub(super) struct Taken {
    /// The judgement, if there is a new one.
    pub(super) analysis: Option<Analysis>,
    /// The ticket that waited for it.
    pub(super) ticket: Option<EnrichedTicket>,
}

/// The opinions of one worker's tickets.
#[derive(Debug, Default)]
pub(super) struct Opinions {
    tickets: HashMap<u128, OfTicket, ahash::RandomState>,
    waiting: usize,
}

impl Opinions {
    /// Takes an opinion in; none if it was here before.
    pub(super) fn take(&mut self, second: Second, now: i64) -> Option<Taken> {
        let Second { ticket_hash, opinion_hash, replayed, opinion } = second;
        let of = self.tickets.entry(ticket_hash).or_default();
        if of.seen.contains(&opinion_hash) {
            return None;
        }
        if of.seen.len() == REMEMBERED {
            of.seen.remove(0);
        }
        of.seen.push(opinion_hash);
        of.touched_at = now;
        let ticket = match of.waiting.take_if(|waiting| waiting.text_hash == opinion.text_hash) {
            Some(waiting) => {
                self.waiting -= 1;
                Some(waiting.ticket)
            }
            None => None,
        };
        let judged = opinion.analysis.filter(|_| opinion.result == OpinionResult::Answered);
        let held = of.judgements.iter().position(|judgement| judgement.text_hash == opinion.text_hash);
        let analysis = match (judged, held) {
            // What was said before, once more.
            (Some(_), Some(_)) if opinion.cached => None,
            (Some(analysis), held) => {
                if let Some(held) = held {
                    of.judgements.remove(held);
                } else if of.judgements.len() == TEXTS {
                    of.judgements.remove(0);
                }
                of.judgements.push(Judgement {
                    text_hash: opinion.text_hash,
                    analysis: analysis.clone(),
                    published: replayed || ticket.is_some(),
                });
                Some(analysis)
            }
            (None, _) => None,
        };
        Some(Taken { analysis, ticket })
    }

    /// The judgement on a text, and whether what follows from it is still to be published: told once.
    pub(super) fn judgement(&mut self, ticket_hash: u128, text_hash: i64) -> Option<(&Analysis, bool)> {
        let of = self.tickets.get_mut(&ticket_hash)?;
        let judgement = of.judgements.iter_mut().find(|judgement| judgement.text_hash == text_hash)?;
        let news = !std::mem::replace(&mut judgement.published, true);
        Some((&judgement.analysis, news))
    }

    /// The judgement on a text.
    pub(super) fn said(&self, ticket_hash: u128, text_hash: i64) -> Option<&Analysis> {
        let judgements = &self.tickets.get(&ticket_hash)?.judgements;
        judgements.iter().find(|judgement| judgement.text_hash == text_hash).map(|held| &held.analysis)
    }

    /// Keeps the ticket until its opinion comes, in the place of an earlier state of it.
    pub(super) fn wait(&mut self, ticket_hash: u128, text_hash: i64, ticket: &EnrichedTicket, now: i64) {
        let full = self.waiting >= MOST_WAITING;
        let of = self.tickets.entry(ticket_hash).or_default();
        of.touched_at = now;
        if of.waiting.take().is_some() {
            self.waiting -= 1;
        } else if full {
            return;
        }
        of.waiting = Some(Box::new(Waiting { text_hash, since: now, ticket: ticket.clone() }));
        self.waiting += 1;
    }

    /// A later state of the ticket is there, whose text nobody is asked about.
    pub(super) fn no_longer(&mut self, ticket_hash: u128) {
        if let Some(of) = self.tickets.get_mut(&ticket_hash)
            && of.waiting.take().is_some()
        {
            self.waiting -= 1;
        }
    }

    /// How many tickets wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Forgets what nobody will answer, and what has been quiet since `limit`.
    pub(super) fn forget_old(&mut self, now: i64, limit: i64) {
        for of in self.tickets.values_mut() {
            if of.waiting.take_if(|waiting| now - waiting.since > LONGEST_WAIT_MS).is_some() {
                self.waiting -= 1;
            }
        }
        let waiting = &mut self.waiting;
        self.tickets.retain(|_, of| {
            let keep = of.touched_at > limit;
            *waiting -= usize::from(!keep && of.waiting.is_some());
            keep
        });
    }
}
