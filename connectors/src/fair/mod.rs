//! What keeps one tenant from taking what all share.
//!
//! | file | what |
//! | --- | --- |
//! | `shares` | how much of a bounded whole a tenant may hold: requests in flight, bytes in memory, bytes on disk |
//! | `turns` | whose work is next when more wants to be done than is done at the same time |

mod shares;
mod turns;

pub use shares::{Refused, Share, Shares};
pub use turns::{Turn, Turns};
