//! The commands, one file each.

pub mod audit;
pub mod backfill;
pub mod bench;
pub mod connect;
pub mod connectors;
pub mod console;
pub mod dead_letters;
pub mod demo;
pub mod doctor;
mod encoder;
pub mod erase;
pub mod eval;
pub mod eval_redact;
pub mod import;
pub mod keys;
pub mod migrate;
pub mod policy;
pub mod redact;
pub mod registry;
pub mod run;
pub mod samples;
pub mod trace;
pub mod train;
mod train_entities;
pub mod validate;
pub mod webhooks;
pub mod write_back;
