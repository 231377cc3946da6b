//! The life of one alert: inactive → pending → firing → resolved.
//!
//! An [`Instance`] exists for one rule/tenant/group while the alert is not inactive. Time comes in as an
//! argument and never runs backwards (the evaluator clamps it).

use super::rules::{NoData, Rule};
use deskstream_schemas::Alert;

/// What a step led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing to tell; the instance stays.
    Stay,
    /// Nothing to tell; the instance is inactive again.
    Drop,
    /// It fires now, in an episode that began then.
    Fire { since: i64 },
    /// The episode ends.
    Resolve,
}

/// An alert that is not inactive.
#[derive(Debug)]
pub(super) enum Instance {
    /// The condition holds, but not yet for long enough.
    Pending {
        /// When it began to hold.
        since: i64,
    },
    /// It has been told that the alert fires.
    Firing {
        /// What was told.
        alert: Box<Alert>,
        /// Since when the condition is gone.
        gone_since: Option<i64>,
        /// Whether this process has seen the condition hold or fail; false after [`Instance::restored`].
        confirmed: bool,
    },
}

impl Instance {
    /// An instance that was firing when the process ended.
    pub(super) fn restored(alert: Alert) -> Self {
        Self::Firing { alert: Box::new(alert), gone_since: None, confirmed: false }
    }

    /// An instance that fires now.
    pub(super) fn firing(alert: Alert) -> Self {
        Self::Firing { alert: Box::new(alert), gone_since: None, confirmed: true }
    }

    /// Whether its condition has not been judged since it was restored.
    pub(super) fn unconfirmed(&self) -> bool {
        matches!(self, Self::Firing { confirmed: false, .. })
    }

    /// Takes notice of whether the condition holds now.
    pub(super) fn step(&mut self, rule: &Rule, holds: Option<bool>, now: i64) -> Step {
        let holds = match (holds, rule.no_data) {
            (Some(holds), _) => holds,
            (None, NoData::Resolve) => false,
            (None, NoData::Keep) => return Step::Stay,
        };
        match self {
            Self::Pending { since } if holds => {
                if now - *since >= milliseconds(rule.hold) {
                    Step::Fire { since: *since }
                } else {
                    Step::Stay
                }
            }
            Self::Pending { .. } => Step::Drop,
            Self::Firing { gone_since, confirmed, .. } if holds => {
                *gone_since = None;
                *confirmed = true;
                Step::Stay
            }
            Self::Firing { gone_since, confirmed, .. } => {
                *confirmed = true;
                let since = *gone_since.get_or_insert(now);
                if now - since >= milliseconds(rule.keep_firing_for) { Step::Resolve } else { Step::Stay }
            }
        }
    }
}

fn milliseconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
