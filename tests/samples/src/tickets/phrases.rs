//! The form of a phrase book. Texts are templates: see `spin.rs` for `[a|b]` and `{slot}`.

use super::{Cause, Language, PiiKind};

/// What people write about one cause.
pub(super) struct CausePhrases {
    pub(super) cause: Cause,
    pub(super) subjects: &'static [&'static str],
    pub(super) openings: &'static [&'static str],
    pub(super) details: &'static [&'static str],
}

/// Everything one language has to say.
pub(super) struct PhraseBook {
    /// `{name}` is never used: requesters greet a helpdesk they do not know.
    pub(super) greetings: &'static [&'static str],
    /// Before the signature.
    pub(super) closings: &'static [&'static str],
    pub(super) causes: &'static [CausePhrases],
    /// Fit any cause.
    pub(super) details: &'static [&'static str],
    /// By urgency, low to critical.
    pub(super) urgency: [&'static [&'static str]; 4],
    /// By mood: happy, neutral, worried, frustrated, angry.
    pub(super) mood: [&'static [&'static str]; 5],
    /// Sentences with `{}` where the value goes.
    pub(super) pii: &'static [(PiiKind, &'static [&'static str])],
    /// Values of `{item}`, goods of a shop.
    pub(super) items: &'static [&'static str],
    /// Values of `{feature}`, parts of a program or an online bank.
    pub(super) features: &'static [&'static str],
    /// Values of `{day}`.
    pub(super) days: &'static [&'static str],
    /// Heads a list of steps.
    pub(super) steps_heading: &'static str,
    pub(super) steps: &'static [&'static str],
    /// Heads a log excerpt.
    pub(super) log_heading: &'static str,
    /// Heads a quoted mail; `{}` is an address.
    pub(super) quote_heading: &'static str,
    pub(super) quotes: &'static [&'static str],
}

/// The phrase book of a language.
pub(super) fn book(language: Language) -> &'static PhraseBook {
    match language {
        Language::English => &super::english::BOOK,
        Language::German => &super::german::BOOK,
        Language::Spanish => &super::spanish::BOOK,
        Language::French => &super::french::BOOK,
        Language::Portuguese => &super::portuguese::BOOK,
    }
}
