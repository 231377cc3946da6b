//! The reviews of one worker's tickets, each beside what the models said.
//!
//! A review holds for the text it was made on: urgency and sentiment go when another text comes. What a ticket is about
//! does not change with the next message, so the root cause stays. They are kept for as long as the process lives, and
//! restored from the topic `reviews`: whoever corrects a correction must find what to take away.

use super::contribution::{Contribution, Labels, intern};
use super::facts::Fact;
use super::samples::{self, QualityKey, Samples};
use deskstream_schemas::{Analysis, Label, Prediction, Review, ReviewResult, Text, Tier};
use std::collections::{BTreeSet, HashMap};
use xxhash_rust::xxh3::xxh3_128;

/// A ticket's review.
#[derive(Debug)]
pub(super) struct Held {
    /// As it is published.
    pub(super) review: Review,
    /// What the models say of the ticket in its latest state, if that is known.
    pub(super) model: Option<Contribution>,
}

/// What restored reviews count for.
#[derive(Debug, Default)]
pub(super) struct Restored {
    /// Their samples.
    pub(super) samples: Samples,
    /// Windows that may not have been published since they changed.
    pub(super) doubtful: BTreeSet<QualityKey>,
}

/// The reviews of one worker's tickets.
#[derive(Debug, Default)]
pub(super) struct Reviews {
    held: HashMap<u128, Held, ahash::RandomState>,
}

impl Reviews {
    /// With what was published before. What was published at `since` or later may not have been committed, and what
    /// follows from it may be missing.
    pub(super) fn restored(reviews: Vec<Review>, since: i64) -> (Self, Restored) {
        let mut held = HashMap::default();
        let mut restored = Restored::default();
        for review in reviews {
            samples::add(&mut restored.samples, &review, 1);
            if review.applied_at >= since {
                restored.doubtful.extend(samples::windows_of(&review));
            }
            held.insert(xxh3_128(review.key().as_bytes()), Held { review, model: None });
        }
        (Self { held }, restored)
    }

    pub(super) fn get_mut(&mut self, ticket_hash: u128) -> Option<&mut Held> {
        self.held.get_mut(&ticket_hash)
    }

    pub(super) fn take(&mut self, ticket_hash: u128) -> Option<Held> {
        self.held.remove(&ticket_hash)
    }

    pub(super) fn put(&mut self, ticket_hash: u128, held: Held) {
        self.held.insert(ticket_hash, held);
    }
}

impl Held {
    /// Whether it says the same as another.
    pub(super) fn repeats(&self, other: &Review) -> bool {
        let said = |r: &Review| {
            (r.reviewed_at, r.event_id.clone(), r.root_cause.clone(), r.urgency.clone(), r.sentiment.clone())
        };
        said(&self.review) == said(other)
    }

    /// The record to publish, a new state of the review.
    pub(super) fn published(&mut self, now: i64) -> Review {
        self.review.applied_at = now.max(self.review.applied_at + 1);
        self.review.clone()
    }

    /// The reviewed event has come: its text is known now. Gives whether it is this one.
    pub(super) fn bind(&mut self, fact: &Fact, samples: &mut Samples) -> bool {
        let review = &mut self.review;
        if review.result != ReviewResult::UnknownTicket || review.event_id != fact.ticket.event_id {
            return false;
        }
        review.result = ReviewResult::Applied;
        review.text_hash = Some(fact.text_hash);
        review.created_at = Some(fact.ticket.created_at);
        review.language = fact.ticket.analysis.language.clone();
        self.predict(&fact.ticket.analysis, samples);
        if let Some(shadow) = &fact.ticket.shadow {
            self.predict(shadow, samples);
        }
        true
    }

    /// Takes in what a model says of the reviewed text, in the place of what one of its tier said; gives whether that is
    /// new.
    pub(super) fn predict(&mut self, analysis: &Analysis, samples: &mut Samples) -> bool {
        let prediction = Prediction {
            tier: analysis.tier,
            model: analysis.model.clone(),
            root_cause: analysis.root_cause.clone(),
            urgency: analysis.urgency.clone(),
            sentiment: analysis.sentiment.clone(),
        };
        let review = &mut self.review;
        if review.predictions.contains(&prediction) {
            return false;
        }
        samples::add(samples, review, -1);
        // A fallback may have answered the second time; of local models there are two while one is in the shadow.
        let replaced = |earlier: &Prediction| {
            earlier.tier == prediction.tier
                && (earlier.tier != Tier::Local || earlier.model == prediction.model)
        };
        review.predictions.retain(|earlier| !replaced(earlier));
        review.predictions.push(prediction);
        review.predictions.sort_by_key(|prediction| prediction.tier);
        samples::add(samples, review, 1);
        true
    }

    /// Whether the local model's word on the reviewed text is still missing.
    pub(super) fn lacks_local(&self) -> bool {
        self.review.text_hash.is_some() && self.review.predictions.iter().all(|p| p.tier != Tier::Local)
    }

    fn holds(&self, text_hash: i64) -> [Option<&Text>; 3] {
        let same_text = self.review.text_hash == Some(text_hash);
        let [urgency, sentiment] =
            [&self.review.urgency, &self.review.sentiment].map(|label| label.as_ref().filter(|_| same_text));
        [self.review.root_cause.as_ref(), urgency, sentiment]
    }

    /// Puts the reviewer's labels in the place of the models'.
    pub(super) fn judge(&self, text_hash: i64, analysis: &mut Analysis) {
        let labels = [&mut analysis.root_cause, &mut analysis.urgency, &mut analysis.sentiment];
        for (label, human) in labels.into_iter().zip(self.holds(text_hash)) {
            let Some(human) = human else { continue };
            *label = Label { value: human.clone(), confidence: 1.0, abstained: false };
            analysis.tier = Tier::Human;
        }
        // The score has to agree with the word.
        let [.., sentiment] = self.holds(text_hash);
        analysis.sentiment_score = match sentiment.map(AsRef::as_ref) {
            Some("negative") => analysis.sentiment_score.min(-0.5),
            Some("neutral") => 0.0,
            Some("positive") => analysis.sentiment_score.max(0.5),
            _ => analysis.sentiment_score,
        };
    }

    /// Puts the reviewer's labels in the place of the models', in an analysis and in what the ticket adds to its window under
    /// it; remembers the latter.
    pub(super) fn supersede(
        &mut self,
        text_hash: i64,
        analysis: &mut Analysis,
        contribution: &mut Contribution,
        labels: &mut Labels,
    ) {
        self.judge(text_hash, analysis);
        let corrected = self.correct(text_hash, contribution, labels);
        self.model = Some(std::mem::replace(contribution, corrected));
    }

    /// What the ticket adds to its window under the reviewer's labels.
    pub(super) fn correct(&self, text_hash: i64, model: &Contribution, labels: &mut Labels) -> Contribution {
        let mut corrected = model.clone();
        let parts = [&mut corrected.root_cause, &mut corrected.urgency, &mut corrected.sentiment];
        let mut by_human = false;
        for (part, human) in parts.into_iter().zip(self.holds(text_hash)) {
            if let Some(human) = human {
                *part = intern(labels, human);
                by_human = true;
            }
        }
        if by_human {
            corrected.tier = intern(labels, "human");
        }
        corrected
    }
}
