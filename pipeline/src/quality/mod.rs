//! How well models judge, and whether what they see has changed: from counts to figures. Pure.
//!
//! * [`intervals`]: confidence intervals of 95 %.
//! * [`Matrix`]: a confusion matrix and what follows from it.
//! * [`psi`]: the population stability index of two mixes.

pub mod intervals;
mod matrix;
mod psi;

pub use matrix::{Class, Macro, Matrix};
pub use psi::{Comparison, compare};

/// Counts as numbers to reckon with.
#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(crate) fn number(count: i64) -> f64 {
    count as f64
}

/// A share of a whole; 0 where there is nothing to share.
pub(crate) fn share(part: i64, whole: i64) -> f64 {
    if whole <= 0 { 0.0 } else { number(part) / number(whole) }
}
