//! The commands, one file each.

pub mod bench;
pub mod connect;
pub mod demo;
pub mod doctor;
pub mod erase;
pub mod eval;
pub mod import;
pub mod keys;
pub mod migrate;
pub mod redact;
pub mod registry;
pub mod run;
pub mod samples;
pub mod train;
pub mod validate;
