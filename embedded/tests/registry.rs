//! The registry against a real broker, seen through HTTP and through `schema_registry_converter`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[path = "registry/contract.rs"]
mod contract;
#[path = "registry/failures.rs"]
mod failures;
#[path = "registry/support.rs"]
mod support;
