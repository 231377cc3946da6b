//! The latest state of each ticket, and what its changes add to windows.

use super::decide::Decision;
use super::facts::{Fact, Failure};
use super::tally::{Dimension, Sketch, Tally, WINDOW_SIZES_S, WindowKey};
use crate::metrics;
use deskstream_runtime::config::WriteBackConfig;
use deskstream_schemas::{Command, EVERY_TENANT, EnrichedTicket, Origin, TicketState};
use smallvec::SmallVec;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// How many of a ticket's latest events are remembered to recognise redeliveries.
const REMEMBERED_EVENTS: usize = 8;

const DAY_MS: i64 = 86_400_000;

/// A ticket's part in the windows' counts by label.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Contribution {
    created_at: i64,
    urgency: Arc<str>,
    sentiment: Arc<str>,
    root_cause: Arc<str>,
    industry: Arc<str>,
    language: Arc<str>,
}

impl Contribution {
    fn add_to(&self, tally: &mut Tally, count: i64) {
        tally.add(Dimension::Tickets, count);
        tally.add(Dimension::Urgency(Arc::clone(&self.urgency)), count);
        tally.add(Dimension::Sentiment(Arc::clone(&self.sentiment)), count);
        tally.add(Dimension::RootCause(Arc::clone(&self.root_cause)), count);
        tally.add(Dimension::Industry(Arc::clone(&self.industry)), count);
        tally.add(Dimension::Language(Arc::clone(&self.language)), count);
    }
}

#[derive(Debug)]
struct Entry {
    version: i64,
    tenant: Arc<str>,
    contribution: Contribution,
    recent: SmallVec<[i64; 2]>,
    decision: u64,
    seen_at: i64,
}

/// What follows from an event beyond the windows.
#[derive(Debug, PartialEq)]
pub struct Effects {
    /// The ticket's new latest state, if the event brought one.
    pub state: Option<TicketState>,
    /// A write-back, if the decision on the ticket is new.
    pub command: Option<Command>,
}

/// The tickets of one worker.
pub struct Tickets {
    config: WriteBackConfig,
    horizon_ms: i64,
    entries: HashMap<u128, Entry, ahash::RandomState>,
    labels: HashMap<Box<str>, Arc<str>, ahash::RandomState>,
}

/// Contributions gathered in an epoch, by tenant and minute. Adding them up before they enter the collection
/// changes nothing, since they form a group; it turns thousands of updates into a few.
#[derive(Debug, Default)]
pub struct Gathered {
    minutes: HashMap<(Arc<str>, i64), Tally, ahash::RandomState>,
}

impl Gathered {
    fn minute(&mut self, tenant: &Arc<str>, at_ms: i64) -> &mut Tally {
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
        for ((tenant, minute), tally) in self.minutes {
            for size in WINDOW_SIZES_S {
                let key = WindowKey::containing(Arc::clone(&tenant), size, minute);
                if key.end_ms() + horizon_ms <= now {
                    metrics::TOO_LATE.inc();
                    continue;
                }
                if &*tenant != EVERY_TENANT {
                    let all = WindowKey { tenant: Arc::clone(&everyone), ..key.clone() };
                    windows.entry(all).or_default().plus_equals(&tally);
                }
                windows.entry(key).or_default().plus_equals(&tally);
            }
        }
        windows
    }
}

impl Tickets {
    /// No tickets yet.
    pub fn new(config: WriteBackConfig, horizon_ms: i64) -> Self {
        Self { config, horizon_ms, entries: HashMap::default(), labels: HashMap::default() }
    }

    /// Takes an event in: adds what it changes to `gathered`, returns what else follows.
    pub fn apply(&mut self, fact: Fact, now: i64, gathered: &mut Gathered) -> Effects {
        let mut none = Effects { state: None, command: None };
        let Fact { ticket_hash, event_hash, replayed, ticket } = fact;
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

        let contribution = self.contribution(&ticket);
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
                entry.contribution = contribution;
                entry.decision = decision_hash;
                entry.seen_at = now;
                (entry.recent.to_vec(), ticket.version)
            }
            None => {
                let recent: SmallVec<[i64; 2]> = SmallVec::from_slice(&[event_hash]);
                let remembered = recent.to_vec();
                let version = ticket.version;
                let entry =
                    Entry { version, tenant, contribution, recent, decision: decision_hash, seen_at: now };
                self.entries.insert(ticket_hash, entry);
                (remembered, version)
            }
        };
        if replayed {
            return none;
        }
        if decided_anew && let Some(decision) = decision {
            none.command = Some(decision.command(&ticket, &self.config, now));
        }
        none.state = Some(state(ticket, version, recent));
        none
    }

    /// Forgets tickets that no open window counts and that have been quiet for as long.
    pub fn forget_old(&mut self, now: i64) {
        let limit = now - self.horizon_ms - DAY_MS;
        self.entries.retain(|_, entry| entry.seen_at > limit || entry.contribution.created_at > limit);
        metrics::TICKETS.set(i64::try_from(self.entries.len()).unwrap_or(i64::MAX));
    }

    fn contribution(&mut self, ticket: &EnrichedTicket) -> Contribution {
        let analysis = &ticket.analysis;
        let mut label = |text: &str| intern(&mut self.labels, text);
        Contribution {
            created_at: ticket.created_at,
            urgency: label(&analysis.urgency.value),
            sentiment: label(&analysis.sentiment.value),
            root_cause: label(&analysis.root_cause.value),
            industry: label(&analysis.industry.value),
            language: label(&analysis.language),
        }
    }
}

fn intern(labels: &mut HashMap<Box<str>, Arc<str>, ahash::RandomState>, text: &str) -> Arc<str> {
    if let Some(label) = labels.get(text) {
        return Arc::clone(label);
    }
    let label: Arc<str> = text.into();
    labels.insert(text.into(), Arc::clone(&label));
    label
}

fn remember(recent: &mut SmallVec<[i64; 2]>, event: i64) {
    if recent.len() == REMEMBERED_EVENTS {
        recent.remove(0);
    }
    recent.push(event);
}

fn count_event(
    ticket: &EnrichedTicket,
    tally: &mut Tally,
    labels: &mut HashMap<Box<str>, Arc<str>, ahash::RandomState>,
) {
    let latency = (ticket.enriched_at - ticket.received_at).max(0);
    tally.add(Dimension::Events, 1);
    tally.add(Dimension::LatencySumMs, latency);
    tally.add(Dimension::Latency(Sketch::bucket(latency)), 1);
    for (kind, count) in &ticket.redactions {
        tally.add(Dimension::Redaction(intern(labels, kind)), i64::from(*count));
    }
}

fn state(ticket: EnrichedTicket, version: i64, recent_events: Vec<i64>) -> TicketState {
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
#[path = "latest_tests.rs"]
mod tests;
