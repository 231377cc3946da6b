//! Whole ways through the product, each on a platform of its own, that wait more than they work: in one binary, so that they
//! wait at the same time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "bad_start.rs"]
mod bad_start;
#[path = "support/bed.rs"]
mod bed;
#[path = "leaks.rs"]
mod leaks;
#[path = "models.rs"]
mod models;
#[path = "outage.rs"]
mod outage;
#[path = "support/panels.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod panels;
#[path = "policy.rs"]
mod policy;
#[path = "reviews.rs"]
mod reviews;
#[path = "support/running.rs"]
mod running;
#[path = "support/search.rs"]
mod search;
