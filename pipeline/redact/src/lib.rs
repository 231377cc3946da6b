//! Finds personal data and secrets in ticket text and takes them out, at line speed.
//!
//! The crate is pure: text in, spans and redacted text out. No clock, no I/O, no randomness, nothing global
//! that can be changed. A [`Redactor`] is built once from a [`RedactConfig`], shared by `Arc`, and called from
//! any number of threads; each caller owns a [`Redacted`] that is filled again and again, so that a steady
//! stream of tickets allocates nothing.
//!
//! How one text is treated, cheapest first:
//!
//! 1. `view`: only if the text holds characters that are used to hide values (full-width digits, zero-width
//!    characters, no-break spaces, typographic dashes, look-alikes), a folded copy with an offset map is made.
//!    `layers`: only if it holds escapes or base64, what they decode to is read, too.
//! 2. `lexicon`: one Aho-Corasick pass finds every word that can open or support a finding (context words,
//!    prefixes of API keys); `scan`: one table-driven pass finds digit groups, `@` and `:`.
//! 3. `detect`: each candidate is read by hand-written matchers that look a bounded distance around it, then
//!    validated (Luhn, ISO 7064 mod 97, libphonenumber's patterns, ranges, calendar) and scored with its
//!    context. A finding below the configured score is dropped.
//!    `rules`: the tenant's own patterns and lists are looked for in the same places.
//! 4. `entities`: people, organisations, places and addresses by a small model, and the names of the ticket.
//! 5. `merge`: findings are merged once, on offsets of the original text; `mask`: the output is written in one
//!    pass. Text is never searched for a value and replaced.
//!
//! Cost is linear in the length of the text whatever it holds: every matcher is bounded, or moves a cursor that
//! never goes back.
//!
//! What no function here does is print, log or return a found value: spans are offsets, and every `Debug` in the
//! crate leaves text out.
//!
//! ```
//! use deskstream_redact::{RedactConfig, Redacted, Redactor};
//!
//! let redactor = Redactor::new(&RedactConfig::default())?;
//! let mut out = Redacted::default();
//! redactor.redact("Write to ana@example.com or call +44 20 7946 0018.", &mut out);
//! assert_eq!(out.text, "Write to [EMAIL] or call [PHONE].");
//! assert_eq!(out.spans.len(), 2);
//! # Ok::<(), deskstream_redact::ConfigError>(())
//! ```

mod base64;
mod config;
mod context;
mod decode;
mod detect;
mod entities;
pub mod eval;
mod finding;
mod keyed;
mod kind;
mod layers;
mod lexicon;
mod mask;
mod merge;
mod policies;
mod redactor;
mod rules;
mod scan;
mod settle;
mod view;

pub use config::{ConfigError, Policy, RedactConfig};
#[cfg(feature = "train")]
pub use entities::train;
pub use entities::{EntityModel, EntityModelError, Reach, TicketNames};
pub use finding::{Detector, Span};
pub use keyed::PseudonymKey;
pub use kind::{PiiKind, UnknownKind};
pub use policies::Field;
pub use redactor::{Redacted, Redactor};
pub use rules::{AllowAs, AllowEntry, CustomPattern, DenyAs, DenyEntry, RuleError};

/// Version of the detector set. It is recorded with every redacted ticket, and changes whenever the same text
/// and configuration could give another result.
pub const VERSION: &str = "structured-2+entities-2";
