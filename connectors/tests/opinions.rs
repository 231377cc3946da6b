//! Second opinions over a real Kafka, from sample servers and from a real model: what is asked, believed, paid and kept.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "a test that was not run says so")]

#[path = "opinions/answers.rs"]
mod answers;
#[path = "opinions/encoder.rs"]
mod encoder;
#[path = "opinions/faults.rs"]
mod faults;
#[path = "opinions/money.rs"]
mod money;
#[path = "opinions/real_model.rs"]
mod real_model;
#[path = "opinions/support.rs"]
mod support;
