//! The topics: names, keys, partitions and retention.

use std::fmt;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A topic of the product, named without its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// Ticket events as received, content sealed.
    Events,
    /// Redacted and analyzed events.
    Enriched,
    /// Latest state of each ticket.
    Tickets,
    /// Questions to slower models.
    OpinionRequests,
    /// Their answers.
    Opinions,
    /// Human reviews beside what models said.
    Reviews,
    /// Windowed metrics.
    Windows,
    /// How models agree with reviews.
    Quality,
    /// How tickets move from a reference period.
    Drift,
    /// Transitions of alerts.
    Alerts,
    /// Write-backs to do.
    Commands,
    /// What outside services answered.
    Outcomes,
    /// Audit records as they come.
    Audit,
    /// The audit trail: its records, chained by hash.
    AuditChain,
    /// The signed newest link of each chain.
    AuditHeads,
    /// Records that could not be processed.
    DeadLetter,
    /// Entities that steer the system.
    Control,
}

/// What the broker does with old records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleanup {
    /// Deletes them after so many milliseconds.
    Delete(i64),
    /// Keeps the latest of each key.
    Compact,
    /// Keeps the latest of each key, and older ones for so many milliseconds.
    CompactDelete(i64),
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 17] = [
        Self::Events,
        Self::Enriched,
        Self::Tickets,
        Self::OpinionRequests,
        Self::Opinions,
        Self::Reviews,
        Self::Windows,
        Self::Quality,
        Self::Drift,
        Self::Alerts,
        Self::Commands,
        Self::Outcomes,
        Self::Audit,
        Self::AuditChain,
        Self::AuditHeads,
        Self::DeadLetter,
        Self::Control,
    ];

    /// The name without the prefix.
    pub fn base_name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Enriched => "enriched",
            Self::Tickets => "tickets",
            Self::OpinionRequests => "opinions.requests",
            Self::Opinions => "opinions",
            Self::Reviews => "reviews",
            Self::Windows => "windows",
            Self::Quality => "quality",
            Self::Drift => "drift",
            Self::Alerts => "alerts",
            Self::Commands => "commands",
            Self::Outcomes => "outcomes",
            Self::Audit => "audit",
            Self::AuditChain => "audit.chain",
            Self::AuditHeads => "audit.heads",
            Self::DeadLetter => "deadletter",
            Self::Control => "control",
        }
    }

    /// What happens to old records, by default.
    pub fn cleanup(self) -> Cleanup {
        match self {
            Self::Events | Self::OpinionRequests | Self::Opinions => Cleanup::Delete(7 * DAY_MS),
            Self::Enriched | Self::Commands | Self::Outcomes | Self::DeadLetter => {
                Cleanup::Delete(30 * DAY_MS)
            }
            Self::Tickets
            | Self::Reviews
            | Self::Windows
            | Self::Quality
            | Self::Control
            | Self::AuditHeads => Cleanup::Compact,
            Self::Alerts | Self::Drift => Cleanup::CompactDelete(90 * DAY_MS),
            Self::Audit | Self::AuditChain => Cleanup::Delete(400 * DAY_MS),
        }
    }

    /// Whether the topic has as many partitions as there is traffic to spread. The others keep one, since
    /// their order over all keys matters more (`control`, `audit` and its chain) or they are small (`alerts`, `quality`, `drift`).
    pub fn scales(self) -> bool {
        !matches!(
            self,
            Self::Control
                | Self::Alerts
                | Self::Quality
                | Self::Drift
                | Self::Audit
                | Self::AuditChain
                | Self::AuditHeads
                | Self::DeadLetter
        )
    }
}

/// The topics under their full names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    prefix: String,
}

impl Topics {
    /// Topics whose names begin with `prefix`, a dot included where one is wanted.
    pub fn new(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into() }
    }

    /// The full name of a topic.
    pub fn name(&self, topic: Topic) -> String {
        format!("{}{}", self.prefix, topic.base_name())
    }

    /// The topic with that full name.
    pub fn parse(&self, name: &str) -> Option<Topic> {
        let base = name.strip_prefix(self.prefix.as_str())?;
        Topic::ALL.into_iter().find(|t| t.base_name() == base)
    }

    /// The prefix.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl Default for Topics {
    fn default() -> Self {
        Self::new("deskstream.")
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.base_name())
    }
}

/// The record key of everything that concerns one ticket, and so the unit of ordering.
pub fn ticket_key(tenant: &str, platform: crate::Platform, ticket_id: &str) -> String {
    format!("{tenant}/{platform}/{ticket_id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        let topics = Topics::new("acme.");
        for topic in Topic::ALL {
            assert_eq!(topics.parse(&topics.name(topic)), Some(topic));
        }
        assert_eq!(topics.parse("other.events"), None);
        assert_eq!(topics.parse("acme.nope"), None);
    }
}
