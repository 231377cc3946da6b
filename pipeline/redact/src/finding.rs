//! A finding: where it stands in the text, what it is, and which detector made it.

use std::fmt;
use std::ops::Deref;

use serde::{Serialize, Serializer};

use crate::kind::PiiKind;

/// What `--explain` and the documentation tell about a detector.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DetectorInfo {
    pub name: &'static str,
    pub kind: PiiKind,
    pub validator: &'static str,
    /// Which of the tenant's patterns it is, if it is one.
    pub pattern: Option<u8>,
}

/// The detector that made a finding. It reads as its stable name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Detector(&'static DetectorInfo);

impl Detector {
    pub(crate) const fn new(info: &'static DetectorInfo) -> Self {
        Self(info)
    }

    pub(crate) const fn kind(self) -> PiiKind {
        self.0.kind
    }

    /// Which of the tenant's patterns it is, if it is one.
    pub(crate) const fn pattern(self) -> Option<u8> {
        self.0.pattern
    }

    /// Stable name, for instance `card_luhn`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0.name
    }

    /// What a candidate had to pass, in words.
    #[must_use]
    pub const fn validator(self) -> &'static str {
        self.0.validator
    }
}

impl Deref for Detector {
    type Target = str;

    fn deref(&self) -> &str {
        self.0.name
    }
}

impl AsRef<str> for Detector {
    fn as_ref(&self) -> &str {
        self.0.name
    }
}

impl From<Detector> for &'static str {
    fn from(detector: Detector) -> &'static str {
        detector.0.name
    }
}

impl fmt::Display for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.name)
    }
}

impl fmt::Debug for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

impl Serialize for Detector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name)
    }
}

/// One finding: where it stands in the original text, never what it says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Span {
    /// Byte offset of the first byte, on a character boundary of the original text.
    pub start: u32,
    /// Byte offset behind the last byte, on a character boundary of the original text.
    pub end: u32,
    /// What was found.
    pub kind: PiiKind,
    /// Which detector found it.
    pub detector: Detector,
    /// How sure the detector is, 0 to 1.
    pub score: f32,
}
