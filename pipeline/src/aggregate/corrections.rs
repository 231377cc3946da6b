//! What a human's review changes: the ticket's part in windows at once, its published state once its event is read back.
//!
//! Tickets are not kept whole: that would cost several times what is kept of them, for the few that somebody reviews. So
//! the ticket's latest event is read again from `enriched` ([`ReadBack`](super::read_back::ReadBack)), and what comes
//! meanwhile by the ordinary way makes that unnecessary.

use super::decide::Decision;
use super::facts::{Position, Reviewed};
use super::latest::{Effects, Gathered, Tickets, state};
use super::reviewed::Held;
use super::samples::{self, Samples};
use crate::metrics;
use crate::opinions::text_hash;
use deskstream_schemas::{EnrichedTicket, ReviewResult};

impl Tickets {
    /// Takes a review in: moves the ticket's part in windows from the models' labels to the reviewer's, and takes what an
    /// earlier review counted for away. To be called when everything else of the epoch is taken in.
    pub fn apply_review(&mut self, reviewed: Reviewed, now: i64, gathered: &mut Gathered) -> Effects {
        let Reviewed { ticket_hash, mut review } = reviewed;
        let mut earlier = self.reviews.take(ticket_hash);
        if let Some(held) = earlier.take_if(|held| held.review.reviewed_at > review.reviewed_at) {
            metrics::REVIEWS.with_label_values(&["superseded"]).inc();
            self.reviews.put(ticket_hash, held);
            return Effects::default();
        }
        let entry = self.entries.get_mut(&ticket_hash);
        let mut held = match earlier {
            // Read again after a restart: what follows from it may not have been published.
            Some(held) if held.repeats(&review) => held,
            earlier => {
                if let Some(entry) = &entry {
                    review.created_at = Some(entry.contribution.created_at);
                    review.language = entry.contribution.language.to_string().into();
                    // The reviewer saw that version or a later one with the same text.
                    let same_text = review.version >= entry.text_since;
                    review.result = if same_text { ReviewResult::Applied } else { ReviewResult::TextChanged };
                    review.text_hash = same_text.then_some(entry.text_hash);
                }
                let mut model = None;
                if let Some(earlier) = earlier {
                    samples::add(&mut gathered.samples, &earlier.review, -1);
                    if review.text_hash.is_some() && review.text_hash == earlier.review.text_hash {
                        review.predictions = earlier.review.predictions;
                    }
                    review.applied_at = earlier.review.applied_at;
                    model = earlier.model;
                }
                samples::add(&mut gathered.samples, &review, 1);
                metrics::REVIEWS.with_label_values(&[review.result.as_str()]).inc();
                Held { review, model }
            }
        };
        let mut effects = Effects::default();
        match entry {
            Some(entry) => {
                let model = held.model.get_or_insert_with(|| entry.contribution.clone()).clone();
                let corrected = held.correct(entry.text_hash, &model, &mut self.labels);
                if corrected != entry.contribution {
                    let minute = gathered.minute(&entry.tenant, corrected.created_at);
                    entry.contribution.add_to(minute, -1);
                    corrected.add_to(minute, 1);
                    entry.contribution = corrected;
                }
                entry.seen_at = now;
                effects.read_back = Some(entry.position);
            }
            None => {
                held.model = None;
                effects.review = Some(held.published(now));
            }
        }
        self.reviews.put(ticket_hash, held);
        effects
    }

    /// Takes in the event that was read back for a reviewed ticket; none if it could not be read.
    pub fn apply_read_back(
        &mut self,
        ticket_hash: u128,
        position: Position,
        ticket: Option<EnrichedTicket>,
        now: i64,
        samples: &mut Samples,
    ) -> Effects {
        let mut effects = Effects::default();
        let Some(held) = self.reviews.get_mut(ticket_hash) else { return effects };
        let Some(mut ticket) = ticket else {
            metrics::REVIEWS.with_label_values(&["unread"]).inc();
            effects.review = Some(held.published(now));
            return effects;
        };
        let text_hash = text_hash(&ticket.subject, &ticket.body);
        let judgement = self.opinions.said(ticket_hash, text_hash);
        if held.review.text_hash == Some(text_hash) && held.lacks_local() {
            held.predict(&ticket.analysis, samples);
            if let Some(shadow) = &ticket.shadow {
                held.predict(shadow, samples);
            }
            if let Some(judgement) = judgement {
                held.predict(judgement, samples);
            }
        }
        effects.review = Some(held.published(now));
        // A later event has come meanwhile: its state is published.
        let Some(entry) = self.entries.get_mut(&ticket_hash).filter(|entry| entry.position == position)
        else {
            return effects;
        };
        if let Some(judgement) = judgement {
            ticket.analysis = judgement.clone();
        }
        held.judge(text_hash, &mut ticket.analysis);
        metrics::CORRECTED.inc();
        let decision = Decision::of(&ticket, &self.config);
        let decision_hash = decision.as_ref().map_or(0, Decision::hash);
        let decided_anew = std::mem::replace(&mut entry.decision, decision_hash) != decision_hash;
        if decided_anew && let Some(decision) = decision {
            effects.command = Some(decision.command(&ticket, &self.config, now));
        }
        effects.state = Some(state(ticket, entry.version, entry.recent.to_vec()));
        effects
    }
}
