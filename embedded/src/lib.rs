//! The embedded default of the platform: real Apache Kafka, a Confluent-compatible schema registry and the
//! real ClickHouse engine, fetched once, started on loopback, health-checked and stopped by us.
//!
//! Contract:
//! - Everything listens on 127.0.0.1 only, on ports that are kept in the data directory so that clients find a
//!   restarted part again.
//! - No child outlives us: each runs under [`guard`], which ends it when we go away, even by `kill -9`.
//! - Whatever is downloaded is pinned by SHA-256 and appears under its final name only when it is whole.
//! - The clients used against these parts are the ones used against a production cluster; nothing here is a
//!   mock.
//!
//! [`Platform`] starts what is not replaced by a given URL; [`Kafka`], [`Registry`] and [`ClickHouse`] can be
//! used alone, which fault tests do.

pub mod artifacts;
pub mod binaries;
pub mod clickhouse;
mod error;
pub mod guard;
pub mod http;
pub mod kafka;
pub mod platform;
pub mod ports;
pub mod process;
pub mod progress;
pub mod registry;
pub mod tools;

pub use clickhouse::{ClickHouse, ClickHouseEndpoint, ClickHouseOptions};
pub use error::Error;
pub use kafka::{Kafka, KafkaOptions};
pub use platform::{Platform, PlatformOptions};
pub use progress::Progress;
pub use registry::{Registry, RegistryOptions};

/// What the fallible functions of this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;
