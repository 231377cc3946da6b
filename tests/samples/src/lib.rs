//! Sample services that behave, on the wire, as the real ones are documented to.
//!
//! End-to-end tests and `make demo` talk to these over real HTTP on loopback, through the same client code
//! as production. Nothing here depends on another crate of the product, so a mistake in a connector cannot
//! be mirrored by a mistake in the sample it is tested against.
//!
//! - [`Zendesk`]: tickets, comments, audits, tags, jobs, search, incremental export, webhook management with
//!   signing secrets, rate limits, and a sender that delivers signed event webhooks (with losses,
//!   duplicates and disorder on demand).
//! - [`Freshdesk`]: tickets, notes and replies, lists by `updated_since`, rate limits in credits, and the unsigned webhook
//!   of an automation rule.
//! - [`PagerDuty`]: Events API v2 with its dedup rules and incident history.
//! - [`Slack`]: an incoming webhook with block limits and its message rate.
//! - [`Alertmanager`]: API v2 as clients use it, with its short memory.
//! - [`Llm`]: language models as OpenAI, Azure and Ollama serve them, with bad answers on demand.
//! - [`Receiver`]: checks Deskstream's signed webhook.
//! - [`tickets`]: an endless, seeded stream of support tickets with planted personal data.
//! - [`Samples`]: all of them in one process, for the demo; [`serve`] runs it until told to end.
//!
//! Every service takes a [`faults::Script`] (errors, delays, dropped connections …), answers inspection
//! calls in process through its handle, and over HTTP under `/__control` for other processes.

pub mod alertmanager;
pub mod clock;
mod control;
pub mod faults;
pub mod freshdesk;
mod http_server;
mod ids;
pub mod intercom;
pub mod llm;
pub mod pagerduty;
pub mod receiver;
mod serve;
pub mod slack;
pub mod tickets;
pub mod zendesk;

pub use alertmanager::Alertmanager;
pub use clock::Clock;
pub use freshdesk::Freshdesk;
pub use llm::Llm;
pub use pagerduty::PagerDuty;
pub use receiver::Receiver;
pub use serve::{AllStats, PortFile, Samples, ServeError, ServeOptions, TenantPorts, serve};
pub use slack::Slack;
pub use zendesk::Zendesk;
