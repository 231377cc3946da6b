//! The metrics that rules can speak of.

use serde::{Deserialize, Serialize};

/// Where a metric's value comes from, and so how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A number of things in a range of minutes: `tickets[5m]`.
    Count,
    /// One count divided by another over a range of minutes, from 0 to 1: `error_rate[5m]`.
    Share,
    /// The latest value of something, without a range: `queue_depth`.
    Gauge,
}

/// What a value counts, and so how a human reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A plain number.
    Number,
    /// A share from 0 to 1, shown in percent.
    Share,
}

/// A metric that rules can speak of. Window metrics are those of `windows.avsc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Metric {
    /// Events by event time, failed ones among them.
    Events,
    /// Events that went to the dead letter.
    Errors,
    /// `errors / events`.
    ErrorRate,
    /// `1 − errors / events`.
    SuccessRate,
    /// Tickets created, each once.
    Tickets,
    /// Those tickets whose urgency is high or critical.
    HighUrgency,
    /// `high_urgency / tickets`.
    HighUrgencyShare,
    /// Those tickets with negative sentiment.
    Negative,
    /// `negative / tickets`.
    NegativeShare,
    /// Tickets of the rule's group divided by all tickets; needs `group_by`.
    TicketShare,
    /// Events that wait to be processed.
    QueueDepth,
    /// Used share of the helpdesk's request limit.
    ApiUsage,
    /// Population stability index of the labels, of the head that has moved furthest.
    LabelDrift,
    /// The same of the models' confidences.
    ConfidenceDrift,
    /// Population stability index of the languages.
    LanguageDrift,
}

impl Metric {
    /// Every metric, in the order in which messages list them.
    pub const ALL: [Self; 15] = [
        Self::Events,
        Self::Errors,
        Self::ErrorRate,
        Self::SuccessRate,
        Self::Tickets,
        Self::HighUrgency,
        Self::HighUrgencyShare,
        Self::Negative,
        Self::NegativeShare,
        Self::TicketShare,
        Self::QueueDepth,
        Self::ApiUsage,
        Self::LabelDrift,
        Self::ConfidenceDrift,
        Self::LanguageDrift,
    ];

    /// The gauges, by their position in [`Metric::gauge_index`].
    pub const GAUGES: [Self; 5] =
        [Self::QueueDepth, Self::ApiUsage, Self::LabelDrift, Self::ConfidenceDrift, Self::LanguageDrift];

    /// The name in expressions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Errors => "errors",
            Self::ErrorRate => "error_rate",
            Self::SuccessRate => "success_rate",
            Self::Tickets => "tickets",
            Self::HighUrgency => "high_urgency",
            Self::HighUrgencyShare => "high_urgency_share",
            Self::Negative => "negative",
            Self::NegativeShare => "negative_share",
            Self::TicketShare => "ticket_share",
            Self::QueueDepth => "queue_depth",
            Self::ApiUsage => "api_usage",
            Self::LabelDrift => "label_drift",
            Self::ConfidenceDrift => "confidence_drift",
            Self::LanguageDrift => "language_drift",
        }
    }

    /// The metric of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.name() == name)
    }

    /// Where its value comes from.
    pub fn shape(self) -> Shape {
        match self {
            Self::Events | Self::Errors | Self::Tickets | Self::HighUrgency | Self::Negative => Shape::Count,
            Self::ErrorRate
            | Self::SuccessRate
            | Self::HighUrgencyShare
            | Self::NegativeShare
            | Self::TicketShare => Shape::Share,
            Self::QueueDepth
            | Self::ApiUsage
            | Self::LabelDrift
            | Self::ConfidenceDrift
            | Self::LanguageDrift => Shape::Gauge,
        }
    }

    /// What its value counts.
    pub(super) fn unit(self) -> Unit {
        match (self, self.shape()) {
            (Self::ApiUsage, _) | (_, Shape::Share) => Unit::Share,
            _ => Unit::Number,
        }
    }

    /// Whether its value is known for each root cause.
    pub(super) fn known_by_group(self) -> bool {
        matches!(self, Self::Tickets | Self::TicketShare)
    }

    /// Its position among [`Metric::GAUGES`].
    pub(super) fn gauge_index(self) -> Option<usize> {
        Self::GAUGES.iter().position(|m| *m == self)
    }
}

/// The nearest of `known` to what was written, if it is near enough to be meant.
pub(super) fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(name, written), name))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for metric in Metric::ALL {
            assert_eq!(Metric::parse(metric.name()), Some(metric));
        }
        assert_eq!(Metric::parse("nope"), None);
    }

    #[test]
    fn a_slip_finds_its_metric() {
        let names = || Metric::ALL.iter().map(|m| m.name());
        assert_eq!(nearest("eror_rate", names()), Some("error_rate"));
        assert_eq!(nearest("queue_dept", names()), Some("queue_depth"));
        assert_eq!(nearest("temperature", names()), None);
    }
}
