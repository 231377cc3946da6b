//! What the aggregate dataflow takes from its topics.

use crate::alerts::Metric;
use crate::opinions::text_hash;
use crate::reviews::TicketReview;
use deskstream_schemas::{DeadLetter, EnrichedTicket, Opinion, Outcome, Review, ReviewResult, Text};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// Where a record lies in its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// An enriched event without its text.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fact {
    /// Identity of the ticket.
    pub ticket_hash: u128,
    /// Identity of the event.
    pub event_hash: i64,
    /// Identity of its text.
    pub text_hash: i64,
    /// Where it lies in `enriched`.
    pub position: Position,
    /// Whether it was already committed before this start, and is only read to rebuild state.
    pub replayed: bool,
    /// The event, its text emptied.
    pub ticket: EnrichedTicket,
}

impl Fact {
    /// Drops the text and names the ticket.
    pub fn new(mut ticket: EnrichedTicket, position: Position, replayed: bool) -> Self {
        let ticket_hash = xxh3_128(ticket.key().as_bytes());
        let event_hash = xxh3_64(ticket.event_id.as_bytes()).cast_signed();
        let text_hash = text_hash(&ticket.subject, &ticket.body);
        ticket.subject = String::new();
        ticket.body = String::new();
        ticket.spans = Vec::new();
        ticket.tags = Vec::new();
        Self { ticket_hash, event_hash, text_hash, position, replayed, ticket }
    }

    /// The worker that keeps the ticket.
    pub fn route(&self) -> u64 {
        #[allow(clippy::cast_possible_truncation, reason = "any half of a hash is a hash")]
        let half = self.ticket_hash as u64;
        half
    }
}

/// A second opinion on a ticket.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Second {
    /// Identity of the ticket.
    pub ticket_hash: u128,
    /// Identity of the opinion.
    pub opinion_hash: i64,
    /// Whether it was already committed before this start.
    pub replayed: bool,
    /// The opinion.
    pub opinion: Opinion,
}

impl Second {
    /// Names the ticket.
    pub fn new(opinion: Opinion, replayed: bool) -> Self {
        let ticket_hash = xxh3_128(opinion.key().as_bytes());
        let opinion_hash = xxh3_64(opinion.opinion_id.as_bytes()).cast_signed();
        Self { ticket_hash, opinion_hash, replayed, opinion }
    }

    /// The worker that keeps the ticket.
    pub fn route(&self) -> u64 {
        #[allow(clippy::cast_possible_truncation, reason = "any half of a hash is a hash")]
        let half = self.ticket_hash as u64;
        half
    }
}

/// The worker, of `peers`, that keeps a review's ticket.
pub fn keeper_of(review: &Review, peers: usize) -> usize {
    #[allow(clippy::cast_possible_truncation, reason = "any half of a hash is a hash")]
    let half = xxh3_128(review.key().as_bytes()) as u64;
    usize::try_from(half % peers as u64).unwrap_or(0)
}

/// A human's review of a ticket.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reviewed {
    /// Identity of the ticket.
    pub ticket_hash: u128,
    /// The review; what becomes of it is not known yet.
    pub review: Review,
}

impl Reviewed {
    /// Names the ticket.
    pub fn new(review: TicketReview) -> Self {
        let TicketReview { tenant, platform, ticket_id, body } = review;
        let review = Review {
            tenant,
            platform,
            ticket_id,
            event_id: body.event_id,
            version: i64::try_from(body.version).unwrap_or(i64::MAX),
            root_cause: body.root_cause.map(Text::Owned),
            urgency: body.urgency.map(Text::Owned),
            sentiment: body.sentiment.map(Text::Owned),
            reviewed_by: body.reviewed_by,
            reviewed_at: body.reviewed_at,
            result: ReviewResult::UnknownTicket,
            text_hash: None,
            created_at: None,
            language: Text::Borrowed("und"),
            predictions: Vec::new(),
            applied_at: 0,
        };
        Self { ticket_hash: xxh3_128(review.key().as_bytes()), review }
    }

    /// The worker that keeps the ticket.
    pub fn route(&self) -> u64 {
        #[allow(clippy::cast_possible_truncation, reason = "any half of a hash is a hash")]
        let half = self.ticket_hash as u64;
        half
    }
}

/// A failed event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failure {
    /// The tenant.
    pub tenant: String,
    /// Reason code.
    pub reason: String,
    /// When it failed.
    pub at: i64,
}

impl From<DeadLetter> for Failure {
    fn from(dead: DeadLetter) -> Self {
        Self { tenant: dead.tenant, reason: dead.reason.into_owned(), at: dead.failed_at }
    }
}

/// The latest value of something that rules speak of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reading {
    /// The tenant.
    pub tenant: String,
    /// What it is.
    pub metric: Metric,
    /// Its value.
    pub value: f64,
    /// When it was so.
    pub at: i64,
}

impl Reading {
    /// What an outcome tells of how much of a service's request limit is used, if anything.
    pub fn of(outcome: &Outcome) -> Option<Self> {
        let (limit, left) = (outcome.rate_limit.filter(|l| *l > 0)?, outcome.rate_remaining?);
        let value = crate::quality::share(limit - left.clamp(0, limit), limit);
        let tenant = outcome.tenant.clone();
        Some(Self { tenant, metric: Metric::ApiUsage, value, at: outcome.finished_at })
    }
}
