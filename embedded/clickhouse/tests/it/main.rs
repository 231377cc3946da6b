//! The built binary against the real engine, through the real `clickhouse` crate and through plain HTTP.

#![allow(clippy::unwrap_used)] // helpers of tests, which clippy does not see as tests

mod guard;
mod inserts;
mod process;
mod queries;
mod support;
