//! Who is calling, and what they may do. State is in the `control` topic; nothing here is kept elsewhere but counts of
//! failed sign-ins.

pub mod api_keys;
pub mod bootstrap;
pub mod caller;
pub mod lockout;
pub mod password;
pub mod permissions;
pub mod seal;
pub mod sessions;
pub mod signing;
pub mod tokens;
pub mod users;
