//! Everything that waits for the outside world: helpdesks, alert channels, ClickHouse and files. Connectors are
//! tokio tasks that meet the pipeline only through Kafka topics.
//!
//! | folder | what |
//! | --- | --- |
//! | `kafka` | durable producers and ordered consumers that connectors share |
//! | `http` | outbound HTTP: limits, retry, circuit breaker |
//! | `fair` | what keeps one tenant from taking what all share |
//! | `safety` | what keeps write-backs from doing harm |
//! | `spool` | webhooks on disk while the broker is away |
//! | `webhook` | the server that helpdesks call |
//! | `helpdesk` | what the connectors of helpdesks share |
//! | `zendesk`, `freshdesk`, `intercom` | source by webhook, source by poll, write-back |
//! | `delivery` | alerts to PagerDuty, Slack, Alertmanager, webhooks and mail |
//! | `llm` | second opinions by language models |
//! | `audit` | chains the audit trail, signs it, verifies it |
//! | `clickhouse` | migrations and the sink |
//! | `erasure` | erases a requester or a tenant from keys, topics and tables |
//! | `file` | tickets from CSV, JSONL and Zendesk exports |

pub mod audit;
pub mod clickhouse;
pub mod delivery;
pub mod erasure;
pub mod fair;
pub mod file;
pub mod freshdesk;
pub mod helpdesk;
pub mod http;
pub mod intercom;
pub mod kafka;
pub mod llm;
pub mod safety;
pub mod spool;
pub mod webhook;
pub mod zendesk;
