//! What the connectors of helpdesks share.
//!
//! | file | what |
//! | --- | --- |
//! | `account` | what a helpdesk is to the rest of the product, and which there are |
//! | `connect` | starts the sides of an account |
//! | `connections` | accounts that are kept in `control`, and come, change and go while the process runs |
//! | `intake` | what every poll does with the tickets that it finds |
//! | `backfill` | tickets of the past |
//! | `writer`, `wrote` | when and how often a write-back is tried |
//! | `decision`, `tags`, `note` | what a write-back writes: pure |
//! | `ending` | how a write-back ends: outcome, audit, another try |
//! | `state` | whether an account is paused, and what `control` tells of it |
//! | `own_user` | who we are at a helpdesk |
//! | `mail` | what is new in a mail, and what it quotes |
//! | `search` | the helpdesk's own search |
//! | `webhooks` | registration of webhooks, where a helpdesk has an API for that |
//! | `people` | who takes part in a ticket |
//! | `decode`, `lenient`, `html` | JSON and HTML, read tolerantly |
//! | `recent` | the last so many things seen |
//! | `metrics` | what polls and write-backs tell Prometheus |

mod account;
mod backfill;
mod connect;
pub mod connections;
pub mod decision;
mod decode;
pub mod ending;
pub mod html;
pub mod intake;
pub(crate) mod lenient;
pub mod mail;
mod metrics;
pub mod note;
pub(crate) mod own_user;
pub(crate) mod people;
pub(crate) mod recent;
mod search;
pub mod state;
pub mod tags;
mod webhooks;
mod writer;
mod wrote;

pub use account::{Account, Admin, Poll, StartError, WriteBack, accounts};
pub use backfill::{Backfill, BackfillOptions, BackfillProgress};
pub use connect::{receivers, spawn};
pub use decode::DecodeError;
pub(crate) use decode::object;
pub use intake::{PollError, Polled, every};
pub use search::{Hit, Hits, Search};
pub use webhooks::{Registered, Webhook, WebhookError, Webhooks};
pub use writer::{Round, Step, Writer};
pub use wrote::Wrote;
pub(crate) use wrote::write;
