//! Delivery of alerts over a real Kafka to sample services: what arrives, how often, in what order.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "delivery_channels/acknowledge.rs"]
mod acknowledge;
#[path = "delivery_channels/alertmanager.rs"]
mod alertmanager;
#[path = "delivery_channels/email.rs"]
mod email;
#[path = "delivery_channels/faults.rs"]
mod faults;
#[path = "delivery_channels/outcomes.rs"]
mod outcomes;
#[path = "delivery_channels/smtp_server.rs"]
mod smtp_server;
#[path = "delivery_channels/support.rs"]
mod support;
#[path = "delivery_channels/threads.rs"]
mod threads;
#[path = "delivery_channels/webhook.rs"]
mod webhook;
