//! The console over HTTP, against real Kafka, a real registry and the real ClickHouse engine.
#![allow(clippy::unwrap_used, missing_docs)] // helpers of tests, which clippy does not see as tests

#[path = "console/audit.rs"]
mod audit;
#[path = "console/bad_input.rs"]
mod bad_input;
#[path = "console/inbox.rs"]
mod inbox;
#[path = "console/isolation.rs"]
mod isolation;
#[path = "console/pages.rs"]
mod pages;
#[path = "console/quality.rs"]
mod quality;
#[path = "console/roles.rs"]
mod roles;
#[path = "console/settings.rs"]
mod settings;
#[path = "console/sign_in.rs"]
mod sign_in;
#[path = "console/support.rs"]
mod support;
#[path = "console/tokens.rs"]
mod tokens;
