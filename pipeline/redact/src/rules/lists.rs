//! Values that are always treated, and values that are left.

use std::collections::HashSet;

use aho_corasick::{AhoCorasick, MatchKind};
use serde::{Deserialize, Serialize};

use super::{RuleError, kinds};
use crate::detect::names;
use crate::finding::Span;
use crate::keyed::text_form;
use crate::kind::PiiKind;
use crate::view;

const MOST: usize = 10_000;
const LONGEST: usize = 256;
/// Letters and digits of the shortest value: one of a single letter would take a text apart.
const SHORTEST: usize = 2;

/// A value that is left in the text: alone, or with the kinds that it is left as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a text, or a map with `value` and `kinds`")]
pub enum AllowEntry {
    /// As whatever it is found.
    Any(String),
    /// If it is found as one of these kinds.
    As(AllowAs),
}

/// See [`AllowEntry::As`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowAs {
    /// The value as people write it, or `*@host` for every address of a host. Letter case and spaces don't matter.
    pub value: String,
    /// The kinds that it is left as.
    pub kinds: Vec<PiiKind>,
}

/// A value that is always treated: alone, or with the kind that it is treated as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a text, or a map with `value` and `kind`")]
pub enum DenyEntry {
    /// As [`PiiKind::Custom`].
    Plain(String),
    /// As another kind.
    As(DenyAs),
}

/// See [`DenyEntry::As`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DenyAs {
    /// The value; letter case doesn't matter. It is found where it stands as words of its own.
    pub value: String,
    /// The kind that it is treated as.
    pub kind: PiiKind,
}

fn checked<'a>(place: &str, value: &'a str) -> Result<&'a str, RuleError> {
    let value = value.trim();
    let fail = |problem: String| Err(RuleError::new(place, problem));
    if value.len() > LONGEST {
        return fail(format!("has {} bytes, at most {LONGEST} are possible", value.len()));
    }
    if value.chars().filter(|c| c.is_alphanumeric()).count() < SHORTEST {
        return fail(format!("has fewer than {SHORTEST} letters or digits, take it out"));
    }
    Ok(value)
}

fn check_count(place: &str, count: usize) -> Result<(), RuleError> {
    if count > MOST {
        return Err(RuleError::new(place, format!("has {count} entries, at most {MOST} are possible")));
    }
    Ok(())
}

/// The value as it is compared: folded, in lower case, with single spaces.
fn form(value: &str) -> String {
    text_form(&view::folded(value))
}

#[derive(Default)]
pub(super) struct Allow {
    values: HashSet<String>,
    values_as: HashSet<(PiiKind, String)>,
    hosts: HashSet<String>,
}

impl Allow {
    pub(super) fn new(entries: &[AllowEntry]) -> Result<Self, RuleError> {
        check_count("allow", entries.len())?;
        let mut allow = Self::default();
        for (i, entry) in entries.iter().enumerate() {
            let place = format!("allow[{i}]");
            let (value, only) = match entry {
                AllowEntry::Any(value) => (value, None),
                AllowEntry::As(entry) => (&entry.value, Some(&entry.kinds)),
            };
            let value = form(checked(&place, value)?);
            if let Some(host) = value.strip_prefix("*@") {
                if only.is_some_and(|only| *only != [PiiKind::Email]) {
                    let problem = format!("is a host, which is for {} only", kinds(&[PiiKind::Email]));
                    return Err(RuleError::new(place, problem));
                }
                allow.hosts.insert(host.to_owned());
                continue;
            }
            if value.contains('*') {
                return Err(RuleError::new(
                    place,
                    "has a `*` that does not stand for all addresses of a host (`*@host`)",
                ));
            }
            match only {
                None => drop(allow.values.insert(value)),
                Some(only) => allow.values_as.extend(only.iter().map(|&kind| (kind, value.clone()))),
            }
        }
        Ok(allow)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty() && self.values_as.is_empty() && self.hosts.is_empty()
    }

    pub(super) fn holds(&self, kind: PiiKind, value: &str) -> bool {
        let value = form(value);
        if kind == PiiKind::Email
            && let Some((_, host)) = value.rsplit_once('@')
            && self.hosts.contains(host)
        {
            return true;
        }
        self.values.contains(&value)
            || (!self.values_as.is_empty() && self.values_as.contains(&(kind, value)))
    }
}

#[derive(Default)]
pub(super) struct Deny {
    values: Option<AhoCorasick>,
    kinds: Vec<PiiKind>,
}

impl Deny {
    pub(super) fn new(entries: &[DenyEntry]) -> Result<Self, RuleError> {
        check_count("deny", entries.len())?;
        let (mut values, mut kinds) = (Vec::new(), Vec::new());
        for (i, entry) in entries.iter().enumerate() {
            let (value, kind) = match entry {
                DenyEntry::Plain(value) => (value, PiiKind::Custom),
                DenyEntry::As(entry) => (&entry.value, entry.kind),
            };
            let value = checked(&format!("deny[{i}]"), value)?;
            // The automaton ignores the letter case of ASCII only.
            let mut forms = vec![value.to_owned(), value.to_lowercase(), value.to_uppercase()];
            if value.is_ascii() {
                forms.truncate(1);
            }
            forms.sort_unstable();
            forms.dedup();
            kinds.resize(kinds.len() + forms.len(), kind);
            values.extend(forms);
        }
        if values.is_empty() {
            return Ok(Self::default());
        }
        let mut builder = AhoCorasick::builder();
        let built = builder.ascii_case_insensitive(true).match_kind(MatchKind::Standard).build(values);
        let problem = |error| RuleError::new("deny", format!("is too large together: {error}"));
        Ok(Self { values: Some(built.map_err(problem)?), kinds })
    }

    pub(super) fn find(&self, text: &str, spans: &mut Vec<Span>) {
        let Some(values) = &self.values else { return };
        for found in values.find_overlapping_iter(text) {
            let (start, end) = (found.start(), found.end());
            let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            let value = &text[start..end];
            let goes_on = (is_word(value.chars().next()) && is_word(text[..start].chars().next_back()))
                || (is_word(value.chars().next_back()) && is_word(text[end..].chars().next()));
            if !goes_on {
                spans.push(Span {
                    start: start as u32,
                    end: end as u32,
                    kind: self.kinds[found.pattern().as_usize()],
                    detector: names::DENY_LIST,
                    score: 1.0,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_value_is_found_in_any_case_as_words_of_its_own() {
        let as_person = DenyEntry::As(DenyAs { value: "Ærøskøbing".into(), kind: PiiKind::Person });
        let deny = Deny::new(&[
            DenyEntry::Plain("Project Falcon".into()),
            DenyEntry::Plain("falcon".into()),
            as_person,
        ])
        .unwrap();
        let found = |text: &str| {
            let mut spans = Vec::new();
            deny.find(text, &mut spans);
            spans.iter().map(|s| text[s.start as usize..s.end as usize].to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(found("about PROJECT falcon."), ["PROJECT falcon", "falcon"]);
        assert_eq!(found("falcons, Millenniumfalcon, (Falcon)"), ["Falcon"]);
        assert_eq!(found("in ÆRØSKØBING, Ærøskøbings"), ["ÆRØSKØBING"]);
    }

    #[test]
    fn what_is_allowed_is_compared_as_people_read_it() {
        let entry = |value: &str| AllowEntry::Any(value.to_owned());
        let as_org = AllowEntry::As(AllowAs { value: "Jordan".into(), kinds: vec![PiiKind::Organization] });
        let allow = Allow::new(&[entry("Acme  Corp"), entry("*@acme.com"), as_org]).unwrap();
        assert!(allow.holds(PiiKind::Organization, "ACME\ncorp"));
        assert!(allow.holds(PiiKind::Email, "Help@Acme.com"));
        assert!(!allow.holds(PiiKind::Email, "help@acme.com.evil.com"));
        assert!(allow.holds(PiiKind::Organization, "Jordan") && !allow.holds(PiiKind::Person, "Jordan"));
    }

    #[test]
    fn entries_that_would_do_harm_are_refused_without_being_told() {
        let deny = |value: &str| Deny::new(&[DenyEntry::Plain(value.to_owned())]).err().unwrap().to_string();
        assert_eq!(deny(" a "), "`deny[0]` has fewer than 2 letters or digits, take it out");
        assert!(deny(&"confidential ".repeat(30)).starts_with("`deny[0]` has 389 bytes"));
        let allow = Allow::new(&[AllowEntry::Any("ana*".to_owned())]).err().unwrap().to_string();
        assert!(allow.contains("`allow[0]`") && !allow.contains("ana"), "{allow}");
    }
}
