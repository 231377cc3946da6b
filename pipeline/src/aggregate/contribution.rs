//! A ticket's part in the windows' counts by label.

use super::tally::{Dimension, Head, Sketch, Tally};
use deskstream_schemas::{Analysis, EnrichedTicket, Label};
use std::collections::HashMap;
use std::sync::Arc;

/// Labels that are in use, each held once.
pub(super) type Labels = HashMap<Box<str>, Arc<str>, ahash::RandomState>;

/// What a ticket adds to its window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contribution {
    pub(super) created_at: i64,
    pub(super) urgency: Arc<str>,
    pub(super) sentiment: Arc<str>,
    pub(super) root_cause: Arc<str>,
    pub(super) industry: Arc<str>,
    pub(super) language: Arc<str>,
    pub(super) tier: Arc<str>,
    /// The tenths in which the model's confidences lie, in the order of [`Head::ALL`].
    pub(super) confidences: [u8; Head::ALL.len()],
}

impl Contribution {
    pub(super) fn of(labels: &mut Labels, created_at: i64, analysis: &Analysis) -> Self {
        let mut label = |text: &str| intern(labels, text);
        Self {
            created_at,
            urgency: label(&analysis.urgency.value),
            sentiment: label(&analysis.sentiment.value),
            root_cause: label(&analysis.root_cause.value),
            industry: label(&analysis.industry.value),
            language: label(&analysis.language),
            tier: label(analysis.tier.as_str()),
            confidences: Head::ALL.map(|head| tenth(head.confidence(analysis))),
        }
    }

    pub(super) fn add_to(&self, tally: &mut Tally, count: i64) {
        tally.add(Dimension::Tickets, count);
        tally.add(Dimension::Urgency(Arc::clone(&self.urgency)), count);
        tally.add(Dimension::Sentiment(Arc::clone(&self.sentiment)), count);
        tally.add(Dimension::RootCause(Arc::clone(&self.root_cause)), count);
        tally.add(Dimension::Industry(Arc::clone(&self.industry)), count);
        tally.add(Dimension::Language(Arc::clone(&self.language)), count);
        tally.add(Dimension::Tier(Arc::clone(&self.tier)), count);
        for (head, confidence) in Head::ALL.into_iter().zip(self.confidences) {
            tally.add(Dimension::Confidence(head, confidence), count);
        }
    }
}

impl Head {
    fn confidence(self, analysis: &Analysis) -> f32 {
        let of = |label: &Label| label.confidence;
        match self {
            Self::RootCause => of(&analysis.root_cause),
            Self::Urgency => of(&analysis.urgency),
            Self::Sentiment => of(&analysis.sentiment),
            Self::Language => analysis.language_confidence,
        }
    }
}

/// The tenth of 0 to 1 that a confidence lies in: 0 to 9.
fn tenth(confidence: f32) -> u8 {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is clamped to 0 to 9; what is no number becomes 0"
    )]
    let tenth = (confidence * 10.0).clamp(0.0, 9.0) as u8;
    tenth
}

pub(super) fn intern(labels: &mut Labels, text: &str) -> Arc<str> {
    if let Some(label) = labels.get(text) {
        return Arc::clone(label);
    }
    let label: Arc<str> = text.into();
    labels.insert(text.into(), Arc::clone(&label));
    label
}

/// What an event adds, whatever its ticket's state.
pub(super) fn count_event(ticket: &EnrichedTicket, tally: &mut Tally, labels: &mut Labels) {
    let latency = (ticket.enriched_at - ticket.received_at).max(0);
    tally.add(Dimension::Events, 1);
    tally.add(Dimension::LatencySumMs, latency);
    tally.add(Dimension::Latency(Sketch::bucket(latency)), 1);
    for (kind, count) in &ticket.redactions {
        tally.add(Dimension::Redaction(intern(labels, kind)), i64::from(*count));
    }
}

#[cfg(test)]
mod tests {
    use super::tenth;

    #[test]
    fn confidences_lie_in_ten_parts() {
        let of = [0.0, 0.099, 0.1, 0.5, 0.899, 0.95, 1.0, 1.5, -1.0, f32::NAN].map(tenth);
        assert_eq!(of, [0, 0, 1, 5, 8, 9, 9, 9, 0, 0]);
    }
}
