//! libphonenumber's patterns as automata.
//!
//! The `phonenumber` crate brings Google's metadata, but validates through one global, locked LRU cache of a
//! hundred regular expressions, recompiles on a miss, and matches prefixes. In a worker that sees numbers of many
//! countries this costs far more than the rest of redaction. So each calling code's and each region's patterns
//! are united into one dense automaton, built on first use and kept, which reads a number in one pass over its
//! digits. A test holds the automata against the crate's own parser and validator.

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use phonenumber::Metadata;
use phonenumber::metadata::DATABASE;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::start;
use regex_automata::util::syntax;
use regex_automata::{Anchored, MatchKind};

/// E.164 numbers have at most 15 digits; the metadata knows a few longer ones.
const MAX_DIGITS: usize = 17;
/// An automaton larger than this would not stay in cache; none of today's comes near.
const MAX_AUTOMATON_BYTES: usize = 8 << 20;

type Dfa = dense::DFA<Vec<u32>>;

/// The numbering plan of one region, as dialled inside it.
pub(crate) struct Region {
    id: &'static str,
    code: u16,
    dialled: OnceLock<Option<Dfa>>,
}

struct Rules {
    regions: HashMap<&'static str, Region>,
    /// By calling code: the regions that share it, and their united national patterns.
    codes: HashMap<u16, (Vec<&'static Metadata>, OnceLock<Option<Dfa>>)>,
}

static RULES: LazyLock<Rules> = LazyLock::new(|| {
    let mut rules = Rules { regions: HashMap::new(), codes: HashMap::new() };
    for metadata in DATABASE.iter() {
        let code = metadata.country_code();
        rules.codes.entry(code).or_default().0.push(metadata);
        // "001" stands for plans of no country, such as +800; they have no inside.
        if metadata.id() != "001" {
            let region = Region { id: metadata.id(), code, dialled: OnceLock::new() };
            rules.regions.insert(metadata.id(), region);
        }
    }
    rules
});

/// The region with an ISO 3166 code.
pub(crate) fn region(id: &str) -> Option<&'static Region> {
    RULES.regions.get(id)
}

impl Region {
    /// Whether the digits are a valid number as dialled in the region, with or without its national prefix.
    pub(crate) fn is_valid(&self, digits: &[u8]) -> bool {
        let dfa = self.dialled.get_or_init(|| {
            let metadata = DATABASE.by_id(self.id)?;
            let prefix = national_prefix(metadata).map(|prefix| format!("(?:{prefix})?")).unwrap_or_default();
            build(&format!("{prefix}(?:{})", national_pattern(metadata)))
        });
        dfa.as_ref().is_some_and(|dfa| accepts(dfa, digits))
    }

    /// The calling code, for instance 49.
    pub(crate) fn code(&self) -> u16 {
        self.code
    }
}

/// Whether the digits behind a `+` are a valid number of some country.
pub(crate) fn is_valid_international(digits: &[u8]) -> bool {
    let Some((code, len)) = calling_code(digits) else { return false };
    let Some((regions, dfa)) = RULES.codes.get(&code) else { return false };
    let dfa = dfa.get_or_init(|| {
        // A national prefix is often left in: +44 (0)20 …
        let all: Vec<String> = regions
            .iter()
            .map(|metadata| {
                let prefix =
                    national_prefix(metadata).map(|prefix| format!("(?:{prefix})?")).unwrap_or_default();
                format!("{prefix}(?:{})", national_pattern(metadata))
            })
            .collect();
        build(&all.join("|"))
    });
    dfa.as_ref().is_some_and(|dfa| accepts(dfa, &digits[len..]))
}

/// The calling code that the digits start with, and its length. No code is a prefix of another.
pub(crate) fn calling_code(digits: &[u8]) -> Option<(u16, usize)> {
    let mut value = 0;
    for (i, digit) in digits.iter().take(3).enumerate() {
        value = value * 10 + u16::from(digit - b'0');
        if value == 0 {
            return None;
        }
        if RULES.codes.contains_key(&value) {
            return Some((value, i + 1));
        }
    }
    None
}

/// All patterns of a region's numbers, without those for short codes and emergencies.
fn national_pattern(metadata: &Metadata) -> String {
    let descriptors = metadata.descriptors();
    let all = [
        descriptors.fixed_line(),
        descriptors.mobile(),
        descriptors.toll_free(),
        descriptors.premium_rate(),
        descriptors.shared_cost(),
        descriptors.personal_number(),
        descriptors.voip(),
        descriptors.pager(),
        descriptors.uan(),
        descriptors.voicemail(),
    ];
    let patterns: Vec<String> =
        all.into_iter().flatten().map(|descriptor| compact(descriptor.national_number().as_str())).collect();
    patterns.join("|")
}

fn national_prefix(metadata: &Metadata) -> Option<String> {
    match metadata.national_prefix_for_parsing() {
        Some(pattern) => Some(compact(pattern.as_str())),
        None => metadata.national_prefix().map(str::to_owned),
    }
}

/// The patterns are laid out over lines in Google's XML.
fn compact(pattern: &str) -> String {
    pattern.chars().filter(|c| !c.is_whitespace()).collect()
}

fn build(pattern: &str) -> Option<Dfa> {
    dense::Builder::new()
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .thompson(thompson::Config::new().utf8(false).shrink(false))
        .configure(
            // All matches, so that the automaton doesn't stop at the first alternative that matches a prefix.
            dense::Config::new()
                .match_kind(MatchKind::All)
                .start_kind(StartKind::Anchored)
                .dfa_size_limit(Some(MAX_AUTOMATON_BYTES))
                .determinize_size_limit(Some(4 * MAX_AUTOMATON_BYTES)),
        )
        .build(pattern)
        .ok()
}

/// Whether the automaton matches all of `digits`.
fn accepts(dfa: &Dfa, digits: &[u8]) -> bool {
    if digits.len() > MAX_DIGITS {
        return false;
    }
    let Ok(mut state) = dfa.start_state(&start::Config::new().anchored(Anchored::Yes)) else { return false };
    for &digit in digits {
        state = dfa.next_state(state, digit);
        if dfa.is_dead_state(state) {
            return false;
        }
    }
    dfa.is_match_state(dfa.next_eoi_state(state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use phonenumber::country::Id;

    /// A region's example numbers, from the metadata itself.
    fn examples() -> Vec<(&'static Metadata, &'static str)> {
        DATABASE
            .iter()
            .flat_map(|metadata| {
                let descriptors = metadata.descriptors();
                [
                    descriptors.fixed_line(),
                    descriptors.mobile(),
                    descriptors.toll_free(),
                    descriptors.voip(),
                    descriptors.uan(),
                ]
                .into_iter()
                .flatten()
                .filter_map(move |descriptor| Some((metadata, descriptor.example()?)))
            })
            .collect()
    }

    #[test]
    fn every_example_of_every_country_is_valid() {
        let all = examples();
        assert!(all.len() > 600, "{}", all.len());
        for (metadata, example) in all {
            let full = format!("{}{example}", metadata.country_code());
            assert!(is_valid_international(full.as_bytes()), "{} {example}", metadata.id());
            if metadata.id() != "001" {
                assert!(
                    region(metadata.id()).unwrap().is_valid(example.as_bytes()),
                    "{} {example}",
                    metadata.id()
                );
            }
        }
    }

    #[test]
    fn agrees_with_the_crates_own_validator() {
        // Every example with one digit changed, cut or added: the crate's answer is the reference, except that
        // it takes a valid prefix of a too long number for valid, so only its refusals are binding there.
        let mut agreed = 0;
        for (metadata, example) in
            examples().into_iter().filter(|(m, _)| ["DE", "US", "FR", "GB", "BR"].contains(&m.id()))
        {
            let Ok(id) = metadata.id().parse::<Id>() else { continue };
            for change in 0..example.len() * 3 {
                let mut digits = example.as_bytes().to_vec();
                let at = change % example.len();
                match change / example.len() {
                    0 => digits[at] = b'0' + (digits[at] - b'0' + 3) % 10,
                    1 => _ = digits.remove(at),
                    _ => digits.insert(at, b'7'),
                }
                let national = String::from_utf8(digits).unwrap();
                let full = format!("+{}{national}", metadata.country_code());
                let theirs = phonenumber::parse(Some(id), &full).is_ok_and(|number| number.is_valid());
                let ours = is_valid_international(&full.as_bytes()[1..]);
                if theirs == ours {
                    agreed += 1;
                } else {
                    assert!(
                        theirs || national.starts_with(['0', '1']),
                        "we accept what libphonenumber refuses: {full}"
                    );
                }
            }
        }
        assert!(agreed > 500, "{agreed}");
    }

    #[test]
    fn national_prefixes_are_optional() {
        let germany = region("DE").unwrap();
        assert!(germany.is_valid(b"03012345678") && germany.is_valid(b"3012345678"));
        assert!(is_valid_international(b"4403012345678") == is_valid_international(b"443012345678"));
        assert!(is_valid_international(b"4402079460018") && is_valid_international(b"442079460018"));
        assert!(
            !is_valid_international(b"0442079460018")
                && !is_valid_international(b"44")
                && !is_valid_international(b"")
        );
        assert_eq!(germany.code(), 49);
        assert!(region("UK").is_none() && region("001").is_none());
    }
}
