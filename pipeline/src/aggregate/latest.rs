//! The latest state of each ticket, and what its changes add to windows.

use super::contribution::{Contribution, Labels, count_event, intern};
use super::decide::Decision;
use super::facts::{Fact, Failure, Position, Second};
use super::opinions::{Opinions, Taken};
use super::reviewed::Reviews;
use super::samples::{DAY_S, Samples};
use super::tally::{Dimension, Tally, WINDOW_SIZES_S, WindowKey};
use crate::metrics;
use crate::opinions::Policies;
use deskstream_runtime::config::WriteBackConfig;
use deskstream_schemas::{Command, EVERY_TENANT, EnrichedTicket, Opinion, Origin, Review, TicketState};
use smallvec::SmallVec;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// How many of a ticket's latest events are remembered to recognise redeliveries.
const REMEMBERED_EVENTS: usize = 8;

const DAY_MS: i64 = 86_400_000;

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) version: i64,
    pub(super) text_hash: i64,
    /// The first version of those without a break that have this text.
    pub(super) text_since: i64,
    /// Where its latest event lies in `enriched`.
    pub(super) position: Position,
    pub(super) tenant: Arc<str>,
    pub(super) contribution: Contribution,
    pub(super) recent: SmallVec<[i64; 2]>,
    pub(super) decision: u64,
    pub(super) seen_at: i64,
}

/// What follows from an event beyond the windows.
#[derive(Debug, Default, PartialEq)]
pub struct Effects {
    /// The ticket's new latest state, if the event brought one.
    pub state: Option<TicketState>,
    /// A write-back, if the decision on the ticket is new.
    pub command: Option<Command>,
    /// The new state of the ticket's review, if there is one.
    pub review: Option<Review>,
    /// The event that must be read back for the rest.
    pub read_back: Option<Position>,
}

/// The tickets of one worker.
pub struct Tickets {
    pub(super) config: WriteBackConfig,
    horizon_ms: i64,
    pub(super) entries: HashMap<u128, Entry, ahash::RandomState>,
    pub(super) labels: Labels,
    policies: Policies,
    pub(super) opinions: Opinions,
    pub(super) reviews: Reviews,
}

/// Contributions gathered in an epoch, by tenant and minute. Adding them up before they enter the collection
/// changes nothing, since they form a group; it turns thousands of updates into a few.
#[derive(Debug, Default)]
pub struct Gathered {
    minutes: HashMap<(Arc<str>, i64), Tally, ahash::RandomState>,
    /// Changes of what quality is counted from.
    pub(super) samples: Samples,
}

impl Gathered {
    pub(super) fn minute(&mut self, tenant: &Arc<str>, at_ms: i64) -> &mut Tally {
        let minute = at_ms.div_euclid(60_000) * 60_000;
        self.minutes.entry((Arc::clone(tenant), minute)).or_default()
    }

    /// A failed event.
    pub fn failure(&mut self, failure: &Failure) {
        let tally = self.minute(&Arc::from(failure.tenant.as_str()), failure.at);
        tally.add(Dimension::Events, 1);
        tally.add(Dimension::Errors, 1);
        tally.add(Dimension::ErrorReason(failure.reason.as_str().into()), 1);
    }

    /// Updates of the windows that are open at `now`, those over all tenants included.
    pub fn into_windows(self, now: i64, horizon_ms: i64) -> BTreeMap<WindowKey, Tally> {
        use differential_dataflow::difference::Semigroup;
        let everyone: Arc<str> = EVERY_TENANT.into();
        let mut windows: BTreeMap<WindowKey, Tally> = BTreeMap::new();
        for ((tenant, minute), whole) in self.minutes {
            // Confidences are compared by day; there are many minutes, and each would hold them.
            let short = whole.without(|dimension| matches!(dimension, Dimension::Confidence(..)));
            for size in WINDOW_SIZES_S {
                let tally = if size == DAY_S { &whole } else { &short };
                let key = WindowKey::containing(Arc::clone(&tenant), size, minute);
                if key.end_ms() + horizon_ms <= now {
                    metrics::TOO_LATE.inc();
                    continue;
                }
                if &*tenant != EVERY_TENANT {
                    let all = WindowKey { tenant: Arc::clone(&everyone), ..key.clone() };
                    windows.entry(all).or_default().plus_equals(tally);
                }
                windows.entry(key).or_default().plus_equals(tally);
            }
        }
        windows
    }
}

impl Tickets {
    /// No tickets yet, but for their reviews.
    pub fn new(config: WriteBackConfig, policies: Policies, horizon_ms: i64, reviews: Reviews) -> Self {
        Self {
            config,
            horizon_ms,
            entries: HashMap::default(),
            labels: HashMap::default(),
            policies,
            opinions: Opinions::default(),
            reviews,
        }
    }

    /// Takes an event in: adds what it changes to `gathered`, returns what else follows.
    pub fn apply(&mut self, fact: Fact, now: i64, gathered: &mut Gathered) -> Effects {
        let mut none = Effects::default();
        let mut news = false;
        if let Some(held) = self.reviews.get_mut(fact.ticket_hash)
            && held.bind(&fact, &mut gathered.samples)
        {
            none.review = Some(held.published(now));
            news = true;
        }
        let Fact { ticket_hash, event_hash, text_hash, position, replayed, mut ticket } = fact;
        let known = self.entries.get(&ticket_hash);
        if known.is_some_and(|entry| entry.recent.contains(&event_hash)) {
            metrics::DUPLICATES.inc();
            return none;
        }
        // A poll or a backfill finds the state that a webhook has told of: one change, two ids.
        let found = matches!(ticket.origin, Origin::Poll | Origin::Backfill);
        if found && known.is_some_and(|entry| entry.version >= ticket.version) {
            metrics::DUPLICATES.inc();
            return none;
        }
        let tenant =
            known.map_or_else(|| Arc::from(ticket.tenant.as_str()), |entry| Arc::clone(&entry.tenant));
        count_event(&ticket, gathered.minute(&tenant, ticket.occurred_at), &mut self.labels);
        if known.is_some_and(|entry| entry.version > ticket.version) {
            // It arrived after a later state of the ticket: it counts as an event, and changes nothing else.
            if let Some(entry) = self.entries.get_mut(&ticket_hash) {
                remember(&mut entry.recent, event_hash);
            }
            return none;
        }

        match self.opinions.judgement(ticket_hash, text_hash) {
            Some((judged, unpublished)) => {
                ticket.analysis = judged.clone();
                news |= unpublished;
            }
            None if self.policies.asks(&ticket).is_some() => {
                self.opinions.wait(ticket_hash, text_hash, &ticket, now);
            }
            None => self.opinions.no_longer(ticket_hash),
        }
        let mut contribution = Contribution::of(&mut self.labels, ticket.created_at, &ticket.analysis);
        if let Some(held) = self.reviews.get_mut(ticket_hash) {
            held.supersede(text_hash, &mut ticket.analysis, &mut contribution, &mut self.labels);
        }
        let entry = self.entries.get_mut(&ticket_hash);
        let changed = entry.as_ref().is_none_or(|entry| entry.contribution != contribution);
        if changed {
            if let Some(entry) = &entry {
                entry.contribution.add_to(gathered.minute(&tenant, entry.contribution.created_at), -1);
            }
            contribution.add_to(gathered.minute(&tenant, contribution.created_at), 1);
        }
        let decision = Decision::of(&ticket, &self.config);
        let decision_hash = decision.as_ref().map_or(0, Decision::hash);
        let decided_anew = entry.as_ref().is_none_or(|entry| entry.decision != decision_hash);

        let (recent, version) = match entry {
            Some(entry) => {
                remember(&mut entry.recent, event_hash);
                entry.version = ticket.version;
                if entry.text_hash != text_hash {
                    entry.text_hash = text_hash;
                    entry.text_since = ticket.version;
                }
                entry.position = position;
                entry.contribution = contribution;
                entry.decision = decision_hash;
                entry.seen_at = now;
                (entry.recent.to_vec(), ticket.version)
            }
            None => {
                let recent: SmallVec<[i64; 2]> = SmallVec::from_slice(&[event_hash]);
                let remembered = recent.to_vec();
                let version = ticket.version;
                let decision = decision_hash;
                let entry = Entry {
                    version,
                    text_hash,
                    text_since: version,
                    position,
                    tenant,
                    contribution,
                    recent,
                    decision,
                    seen_at: now,
                };
                self.entries.insert(ticket_hash, entry);
                (remembered, version)
            }
        };
        // An opinion that had not been committed before the restart may have come ahead of its event.
        if replayed && !news {
            return none;
        }
        if decided_anew && let Some(decision) = decision {
            none.command = Some(decision.command(&ticket, &self.config, now));
        }
        none.state = Some(state(ticket, version, recent));
        none
    }

    /// Takes a second opinion in: moves the ticket's part in windows from the local judgement to this one, and counts
    /// what it cost.
    pub fn apply_opinion(&mut self, second: Second, now: i64, gathered: &mut Gathered) -> Effects {
        let mut effects = Effects::default();
        let (ticket_hash, text_hash, replayed) =
            (second.ticket_hash, second.opinion.text_hash, second.replayed);
        let known = self.entries.get(&ticket_hash);
        let tenant = known
            .map_or_else(|| Arc::from(second.opinion.tenant.as_str()), |entry| Arc::clone(&entry.tenant));
        let costs = Costs::of(&second.opinion);
        let Some(Taken { analysis, ticket }) = self.opinions.take(second, now) else {
            metrics::DUPLICATES.inc();
            return effects;
        };
        costs.add_to(gathered.minute(&tenant, costs.at), &mut self.labels);
        let Some(mut analysis) = analysis else { return effects };
        let mut held = self.reviews.get_mut(ticket_hash);
        if let Some(held) = held.as_mut().filter(|held| held.review.text_hash == Some(text_hash))
            && held.predict(&analysis, &mut gathered.samples)
        {
            effects.review = Some(held.published(now));
        }
        let Some(entry) = self.entries.get_mut(&ticket_hash) else { return effects };
        if entry.text_hash != text_hash {
            // The ticket's text has changed since it was asked.
            return effects;
        }
        let created_at = entry.contribution.created_at;
        let mut contribution = Contribution::of(&mut self.labels, created_at, &analysis);
        if let Some(held) = held {
            held.supersede(text_hash, &mut analysis, &mut contribution, &mut self.labels);
        }
        if contribution != entry.contribution {
            let minute = gathered.minute(&tenant, contribution.created_at);
            entry.contribution.add_to(minute, -1);
            contribution.add_to(minute, 1);
            entry.contribution = contribution;
        }
        entry.seen_at = now;
        let Some(mut ticket) = ticket else { return effects };
        ticket.analysis = analysis;
        let decision = Decision::of(&ticket, &self.config);
        let decision_hash = decision.as_ref().map_or(0, Decision::hash);
        let decided_anew = std::mem::replace(&mut entry.decision, decision_hash) != decision_hash;
        if replayed {
            return effects;
        }
        metrics::SUPERSEDED.inc();
        if decided_anew && let Some(decision) = decision {
            effects.command = Some(decision.command(&ticket, &self.config, now));
        }
        effects.state = Some(state(ticket, entry.version, entry.recent.to_vec()));
        effects
    }

    /// Forgets tickets that no open window counts and that have been quiet for as long.
    pub fn forget_old(&mut self, now: i64) {
        let limit = now - self.horizon_ms - DAY_MS;
        self.entries.retain(|_, entry| entry.seen_at > limit || entry.contribution.created_at > limit);
        self.opinions.forget_old(now, limit);
        metrics::TICKETS.set(i64::try_from(self.entries.len()).unwrap_or(i64::MAX));
    }

    /// How many tickets wait for a second opinion.
    pub fn waiting(&self) -> usize {
        self.opinions.waiting()
    }
}

/// What an opinion adds to the window of its end.
struct Costs {
    at: i64,
    ending: &'static str,
    tokens_in: i64,
    tokens_out: i64,
    microusd: i64,
}

impl Costs {
    fn of(opinion: &Opinion) -> Self {
        Self {
            at: opinion.answered_at,
            ending: opinion.ending(),
            tokens_in: opinion.tokens_in,
            tokens_out: opinion.tokens_out,
            microusd: opinion.cost_microusd,
        }
    }

    fn add_to(&self, tally: &mut Tally, labels: &mut Labels) {
        tally.add(Dimension::Opinion(intern(labels, self.ending)), 1);
        tally.add(Dimension::OpinionTokensIn, self.tokens_in);
        tally.add(Dimension::OpinionTokensOut, self.tokens_out);
        tally.add(Dimension::OpinionCostMicrousd, self.microusd);
    }
}

fn remember(recent: &mut SmallVec<[i64; 2]>, event: i64) {
    if recent.len() == REMEMBERED_EVENTS {
        recent.remove(0);
    }
    recent.push(event);
}

pub(super) fn state(ticket: EnrichedTicket, version: i64, recent_events: Vec<i64>) -> TicketState {
    TicketState {
        tenant: ticket.tenant,
        platform: ticket.platform,
        ticket_id: ticket.ticket_id,
        occurred_at: ticket.occurred_at,
        received_at: ticket.received_at,
        created_at: ticket.created_at,
        version,
        status: ticket.status,
        priority: ticket.priority,
        ticket_type: ticket.ticket_type,
        channel: ticket.channel,
        requester_ref: ticket.requester_ref,
        assignee_ref: ticket.assignee_ref,
        group_ref: ticket.group_ref,
        organization_ref: ticket.organization_ref,
        last_event_id: ticket.event_id,
        analysis: ticket.analysis,
        redactions: ticket.redactions,
        recent_events,
    }
}

#[cfg(test)]
#[path = "latest_origins_tests.rs"]
mod tests;
