//! Which policy applies to which finding: by kind, by field of the ticket, and by the tenant's own pattern.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, Policy, RedactConfig};
use crate::finding::Span;
use crate::keyed::Keyed;
use crate::kind::PiiKind;
use crate::rules::Rules;

/// A part of a ticket whose policies may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// The subject.
    Subject,
    /// The text.
    Body,
    /// A tag.
    Tag,
}

type Table = [Policy; PiiKind::ALL.len()];

/// The policies of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policies {
    anywhere: Table,
    fields: [Table; 3],
}

impl Policies {
    pub(crate) fn new(config: &RedactConfig) -> Result<Self, ConfigError> {
        let unsaid = |kind: PiiKind| if kind.is_optional() { Policy::Off } else { Policy::Mask };
        let mut anywhere = PiiKind::ALL.map(unsaid);
        set(&mut anywhere, &config.policies)?;
        let mut fields = [anywhere; 3];
        for (&field, policies) in &config.fields {
            set(&mut fields[field as usize], policies)?;
        }
        Ok(Self { anywhere, fields })
    }

    pub(crate) fn of(&self, field: Option<Field>) -> &Table {
        field.map_or(&self.anywhere, |field| &self.fields[field as usize])
    }

    /// What has to be looked for since some field asks for it.
    pub(crate) fn enabled(&self) -> [bool; PiiKind::ALL.len()] {
        let mut enabled = self.anywhere.map(|policy| policy != Policy::Off);
        for table in &self.fields {
            table.iter().zip(&mut enabled).for_each(|(policy, on)| *on |= *policy != Policy::Off);
        }
        enabled
    }

    /// Whether a kind is looked for in one place and not in another.
    pub(crate) fn differ_in_off(&self) -> bool {
        let enabled = self.enabled();
        let differs =
            |table: &Table| table.iter().zip(enabled).any(|(policy, on)| on == (*policy == Policy::Off));
        differs(&self.anywhere) || self.fields.iter().any(differs)
    }
}

fn set(table: &mut Table, policies: &BTreeMap<PiiKind, Policy>) -> Result<(), ConfigError> {
    for (&kind, &policy) in policies {
        check(kind, policy)?;
        table[kind.index()] = policy;
    }
    Ok(())
}

/// Whether the policy may be used for the kind.
pub(crate) fn check(kind: PiiKind, policy: Policy) -> Result<(), ConfigError> {
    match policy {
        Policy::Partial if !kind.allows_partial() => Err(ConfigError::PartialNotPossible(kind)),
        Policy::Pseudonym | Policy::Hash if !kind.allows_linking() => {
            Err(ConfigError::LinkingNotPossible(kind))
        }
        _ => Ok(()),
    }
}

/// How the findings of one text are treated.
#[derive(Clone, Copy)]
pub(crate) struct Treatment<'a> {
    pub(crate) table: &'a Table,
    pub(crate) rules: Option<&'a Rules>,
    pub(crate) keyed: Option<&'a Keyed>,
}

impl<'a> Treatment<'a> {
    pub(crate) fn of(&self, span: &Span) -> Policy {
        let own = span.detector.pattern().and_then(|i| self.rules?.pattern(i)?.policy);
        own.unwrap_or(self.table[span.kind.index()])
    }

    /// What a mask of kind `CUSTOM` says besides.
    pub(crate) fn name(&self, span: &Span) -> Option<&'a str> {
        span.detector.pattern().and_then(|i| Some(self.rules?.pattern(i)?.name.as_str()))
    }
}
