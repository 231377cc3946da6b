//! The commands, one file each.

pub mod connect;
pub mod demo;
pub mod eval;
pub mod migrate;
pub mod redact;
pub mod run;
pub mod samples;
pub mod train;
pub mod validate;
