//! What every process of Deskstream needs and nothing of what any one of them does: configuration, secrets,
//! field encryption, the materialised `control` topic, Kafka clients, logs, metrics, health and shutdown.

pub mod admin;
pub mod config;
pub mod control;
pub mod health;
pub mod kafka;
pub mod seal;
pub mod shutdown;
pub mod telemetry;
pub mod time;

mod process;

pub use process::{Process, StartError, install_crypto_provider, registry_options};
