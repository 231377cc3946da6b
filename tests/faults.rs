//! Faults of which most of the time is waiting: in one binary, so that they wait at the same time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "audit.rs"]
mod audit;
#[path = "support/bed.rs"]
mod bed;
#[path = "broker_away.rs"]
mod broker_away;
#[path = "broker_frozen.rs"]
mod broker_frozen;
