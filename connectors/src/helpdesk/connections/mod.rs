//! Accounts that are kept in the `control` topic: they come, change and go while `connect` runs.
//!
//! # What is kept
//! An entity of kind [`CONNECTION_KIND`], id `tenant/helpdesk`, body `{"settings": {…}, "secrets": ["api_token", …]}`: the
//! settings of `[tenants.NAME.HELPDESK]` by the same names, and the names of those that are secrets. Their values are the
//! entity's `secret`, sealed under the tenant's data key with `connection/tenant/helpdesk` as additional data: with the
//! tenant's keys they are erased, and nobody moves them to another account. No secret is in the body, in a log, in an
//! error or in a list.
//!
//! # Which one counts
//! The file's. An account that the file names can't be registered, and one that was registered before the file named it
//! is not served ("shadowed") until the file no longer does. So whoever installed the product has the last word, and can
//! have it without Kafka.
//!
//! # When
//! Every process that serves sees a change within milliseconds and acts on it at once: webhooks by the new secret, or 404;
//! poll and write-back as soon as those of before have ended, which lets what is being written end. Decision 0030.
//!
//! | file | what |
//! | --- | --- |
//! | `stored` | the entity: read, checked, written |
//! | `served` | what runs, and how it follows `control` |

mod served;
mod stored;

pub use served::{Found, Inventory, Origin, Served, find, inventory};
pub use stored::{CONNECTION_KIND, Change, Connection, ConnectionError, Draft, named, remove};
