//! Alert rules: what they say, and when they fire and resolve.
//!
//! Pure logic: no clock, no I/O. The `aggregate` dataflow feeds an [`Evaluator`] with the one-minute windows and
//! gauges of every tenant and calls [`Evaluator::tick`] with the wall clock; what comes back are transitions for
//! the `alerts` topic. [`configured`] is the one place that reads a file.
//!
//! # Contract
//!
//! * **One episode, one key.** Between firing and resolved an alert keeps its `dedup_key`. For one
//!   rule/tenant/group, firing and resolved alternate.
//! * **Latest value wins.** A window may be observed any number of times; each observation replaces the earlier
//!   one. Observing the same again changes nothing, and late data corrects what a range sums up to.
//! * **A range is made of minutes**: `x[5m]` covers the present minute and the four before it. Shares are
//!   divided after summing, never averaged. A share of nothing is unknown, not 0 and never NaN; a count of
//!   nothing is 0.
//! * **Restart.** Read `alerts` to its end through [`Evaluator::restore`], then observe the windows of the
//!   longest range, and only then tick: episodes that were firing go on under their key. What was pending
//!   starts to wait anew, and so does `keep_firing_for`.
//! * **A rule that disappears** (or no longer watches a tenant) resolves what it had fired.
//! * **Memory** is bounded by tenants × minutes of the longest range.

mod configured;
mod evaluate;
mod expression;
mod history;
mod metric;
mod rules;
mod state;
mod template;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod scenario;

pub use configured::{Configured, RulesError, configured};
pub use evaluate::{Evaluator, GAUGE_STALE_MS, Standing};
pub use expression::{Expression, ExpressionError};
pub use history::MinuteMetrics;
pub use metric::{Metric, Shape};
pub use rules::{Grouping, NoData, Rule, RuleError, RuleErrors, RuleSet, SHIPPED, Scope, load};
