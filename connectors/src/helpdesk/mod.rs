//! What the connectors of helpdesks share.
//!
//! | file | what |
//! | --- | --- |
//! | `intake` | what every poll does with the tickets that it finds |
//! | `tags`, `note` | what a write-back writes: pure |
//! | `ending` | how a write-back ends: outcome, audit, another try |
//! | `lenient` | values read whatever their JSON type |
//! | `recent` | the last so many things seen |
//! | `metrics` | what polls and write-backs tell Prometheus |

pub(crate) mod ending;
pub mod intake;
pub(crate) mod lenient;
mod metrics;
pub mod note;
pub(crate) mod recent;
pub mod tags;
