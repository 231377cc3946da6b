//! The Zendesk connector against a real Kafka, a real registry and the sample Zendesk, over real HTTP.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

#[path = "zendesk_end_to_end/feed.rs"]
mod feed;
#[path = "zendesk_end_to_end/http.rs"]
mod http;
#[path = "zendesk_end_to_end/import.rs"]
mod import;
#[path = "zendesk_end_to_end/poll.rs"]
mod poll;
#[path = "zendesk_end_to_end/support.rs"]
mod support;
#[path = "zendesk_end_to_end/webhook.rs"]
mod webhook;
#[path = "zendesk_end_to_end/write_back.rs"]
mod write_back;
