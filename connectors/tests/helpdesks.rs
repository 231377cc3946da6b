//! The connectors of helpdesks against a real Kafka, a real registry and the sample helpdesks, over real HTTP.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

#[path = "helpdesks/connections.rs"]
mod connections;
#[path = "helpdesks/disorder.rs"]
mod disorder;
#[path = "helpdesks/drafts.rs"]
mod drafts;
#[path = "helpdesks/fault_matrix.rs"]
mod fault_matrix;
#[path = "helpdesks/feed.rs"]
mod feed;
#[path = "helpdesks/freshdesk_poll.rs"]
mod freshdesk_poll;
#[path = "helpdesks/freshdesk_webhook.rs"]
mod freshdesk_webhook;
#[path = "helpdesks/freshdesk_write_back.rs"]
mod freshdesk_write_back;
#[path = "helpdesks/http.rs"]
mod http;
#[path = "helpdesks/import.rs"]
mod import;
#[path = "helpdesks/intercom_poll.rs"]
mod intercom_poll;
#[path = "helpdesks/intercom_webhook.rs"]
mod intercom_webhook;
#[path = "helpdesks/intercom_write_back.rs"]
mod intercom_write_back;
#[path = "helpdesks/overload.rs"]
mod overload;
#[path = "helpdesks/parsers.rs"]
mod parsers;
#[path = "helpdesks/safety.rs"]
mod safety;
#[path = "helpdesks/search.rs"]
mod search;
#[path = "helpdesks/spool.rs"]
mod spool;
#[path = "helpdesks/support.rs"]
mod support;
#[path = "helpdesks/zendesk_backfill.rs"]
mod zendesk_backfill;
#[path = "helpdesks/zendesk_batch.rs"]
mod zendesk_batch;
#[path = "helpdesks/zendesk_poll.rs"]
mod zendesk_poll;
#[path = "helpdesks/zendesk_registration.rs"]
mod zendesk_registration;
#[path = "helpdesks/zendesk_webhook.rs"]
mod zendesk_webhook;
#[path = "helpdesks/zendesk_write_back.rs"]
mod zendesk_write_back;
