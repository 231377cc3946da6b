//! Tickets from a file: CSV, JSON lines, or a Zendesk JSON export.
//!
//! # Contract
//! - Columns are mapped by flags or a mapping file; what is not mapped is recognised by common names
//!   ([`Mapping`]). Columns that remain are kept as custom fields.
//! - A row that can't be used goes, sealed, to the dead letter with `file:line` as its source, and is counted;
//!   the import goes on.
//! - Progress is an entity of the control topic (kind `import`, id `tenant/hash`), where the hash covers the
//!   file's content and the mapping. It counts the rows up to the first one that is not acknowledged, so that
//!   an import that was broken off goes on from there.
//! - Event ids are derived from tenant, mapping, ticket id and version; rows without an id of their own are
//!   known by the file's hash and their line, and rows without a time by when the file's import first began,
//!   which the progress entity keeps. So importing again yields the same ids, and later stages drop them.
//! - Imported tickets are of platform `IMPORT`: no write-back is ever made for them.

mod import;
mod json;
mod mapping;
mod row;
mod time;

pub use import::{ImportError, ImportOptions, Progress, Summary, import};
pub use mapping::{Field, Mapping, MappingError};
pub use row::{Format, RowError};
