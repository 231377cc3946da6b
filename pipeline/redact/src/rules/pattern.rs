//! A tenant's own patterns.

use regex_automata::meta::{Config, Regex};
use regex_automata::util::syntax;
use serde::{Deserialize, Serialize};

use super::{LONGEST_NAME, RuleError, name_at};
use crate::config::Policy;
use crate::finding::{Detector, DetectorInfo, Span};
use crate::kind::PiiKind;
use crate::mask;
use crate::policies;

/// How many patterns a policy may have, and how long one may be, in bytes of source.
const MOST: usize = 64;
const LONGEST_SOURCE: usize = 1000;

/// The most that one match may span. The search for a match never looks further than this beyond its end, which makes
/// the search for all of them linear in the text (a pattern such as `.*x|a` would be quadratic).
const LONGEST_MATCH: usize = 256;

/// Compiled size of one pattern, in bytes. `\w{200}` in Unicode has no place in it.
const LARGEST: usize = 512 * 1024;

/// How far before a match a word of `near` may stand, in bytes.
const NEAR: usize = 48;

/// A pattern of a tenant: what it looks like, what it is, and texts that prove it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomPattern {
    /// Stands in the mask (`[CUSTOM ORDER_ID]`) and in the spans: capitals, digits and underscores.
    pub name: String,
    /// A regular expression in the syntax of the `regex` crate: no look-around and no back-references, so that it
    /// takes linear time; matches of bounded length, `\d{6,20}` rather than `\d+`. `(?i)` ignores letter case.
    pub pattern: String,
    /// The kind that it is treated as; a kind of its own if there is none.
    #[serde(default = "custom", skip_serializing_if = "is_custom")]
    pub kind: PiiKind,
    /// What is done with a match; otherwise what is done with its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// If given, one of these words has to stand shortly before a match, on the same line, in any letter case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub near: Vec<String>,
    /// Texts in which it must find something; at least one.
    pub examples: Vec<String>,
    /// Texts in which it must not find anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counter_examples: Vec<String>,
}

const fn custom() -> PiiKind {
    PiiKind::Custom
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_custom(kind: &PiiKind) -> bool {
    *kind == PiiKind::Custom
}

/// A compiled pattern.
pub(crate) struct Pattern {
    pub(crate) name: String,
    pub(crate) policy: Option<Policy>,
    kind: PiiKind,
    detector: Detector,
    regex: Regex,
    near: Vec<String>,
}

static INFOS: [DetectorInfo; MOST] = {
    const ONE: DetectorInfo = DetectorInfo {
        name: "tenant_pattern",
        kind: PiiKind::Custom,
        validator: "a pattern of the tenant",
        pattern: None,
    };
    let mut infos = [ONE; MOST];
    let mut i = 0;
    while i < MOST {
        infos[i].pattern = Some(i as u8);
        i += 1;
    }
    infos
};

pub(super) fn compile(patterns: &[CustomPattern]) -> Result<Vec<Pattern>, RuleError> {
    if patterns.len() > MOST {
        return Err(RuleError::new(
            "patterns",
            format!("has {} entries, at most {MOST} are possible", patterns.len()),
        ));
    }
    let mut compiled: Vec<Pattern> = Vec::with_capacity(patterns.len());
    for (i, (pattern, info)) in patterns.iter().zip(&INFOS).enumerate() {
        let place = format!("patterns[{i}]");
        if compiled.iter().any(|known| known.name == pattern.name) {
            return Err(RuleError::new(
                format!("{place}.name"),
                format!("`{}` is there twice", pattern.name),
            ));
        }
        compiled.push(Pattern::new(&place, pattern, Detector::new(info))?);
    }
    Ok(compiled)
}

impl Pattern {
    fn new(place: &str, source: &CustomPattern, detector: Detector) -> Result<Self, RuleError> {
        let wrong = |field: &str, problem: String| RuleError::new(format!("{place}.{field}"), problem);
        let fail = |field: &str, problem: String| Err(wrong(field, problem));
        if name_at(source.name.as_bytes()) != Some(source.name.len()) {
            let problem = format!(
                "is not a capital letter followed by at most {} capitals, digits and underscores",
                LONGEST_NAME - 1
            );
            return fail("name", problem);
        }
        if let Some(policy) = source.policy {
            policies::check(source.kind, policy)
                .map_err(|error| wrong("policy", format!("is refused: {error}")))?;
        }
        if source.near.iter().any(|word| word.trim().is_empty()) {
            return fail("near", "has an empty word, take it out".to_owned());
        }
        let regex = compiled(&source.pattern).map_err(|problem| wrong("pattern", problem))?;
        let pattern = Self {
            name: source.name.clone(),
            policy: source.policy,
            kind: source.kind,
            detector,
            regex,
            near: source.near.iter().map(|word| word.trim().to_ascii_lowercase()).collect(),
        };
        if source.examples.is_empty() {
            return fail(
                "examples",
                "is empty, give at least one text in which the pattern finds something".to_owned(),
            );
        }
        let mut spans = Vec::new();
        let mut finds = |text: &str| {
            spans.clear();
            pattern.find(text, &mut spans);
            !spans.is_empty()
        };
        if let Some(n) = source.examples.iter().position(|text| !finds(text)) {
            return fail(
                &format!("examples[{n}]"),
                "is not found by its own pattern, mend either".to_owned(),
            );
        }
        if let Some(n) = source.counter_examples.iter().position(|text| finds(text)) {
            return fail(&format!("counter_examples[{n}]"), "is found by the pattern, narrow it".to_owned());
        }
        Ok(pattern)
    }

    pub(super) fn find(&self, text: &str, spans: &mut Vec<Span>) {
        for found in self.regex.find_iter(text) {
            if self.is_near(text.as_bytes(), found.start()) {
                spans.push(Span {
                    start: found.start() as u32,
                    end: found.end() as u32,
                    kind: self.kind,
                    detector: self.detector,
                    score: 1.0,
                });
            }
        }
    }

    fn is_near(&self, bytes: &[u8], start: usize) -> bool {
        if self.near.is_empty() {
            return true;
        }
        let window = &bytes[start.saturating_sub(NEAR)..start];
        let line = memchr::memrchr(b'\n', window).map_or(window, |at| &window[at + 1..]);
        let offset = start - line.len();
        self.near.iter().any(|word| {
            let mut places = line.windows(word.len()).enumerate();
            places.any(|(at, piece)| {
                piece.eq_ignore_ascii_case(word.as_bytes()) && !mask::holds(bytes, offset + at)
            })
        })
    }
}

fn compiled(source: &str) -> Result<Regex, String> {
    if source.len() > LONGEST_SOURCE {
        return Err(format!("has {} bytes, at most {LONGEST_SOURCE} are possible", source.len()));
    }
    let syntax = syntax::Config::new().nest_limit(50);
    // The first line of the parser's message draws the place, the last one says what is wrong.
    let parsed = syntax::parse_with(source, &syntax).map_err(|error| {
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        format!("is no regular expression: {reason}")
    })?;
    let properties = parsed.properties();
    if properties.minimum_len() == Some(0) {
        return Err("matches the empty text, so it would match everywhere".to_owned());
    }
    if properties.maximum_len().is_none_or(|most| most > LONGEST_MATCH) {
        return Err(format!(
            "may match more than {LONGEST_MATCH} bytes: bound its repetitions, `\\d{{6,20}}` rather than `\\d+`"
        ));
    }
    let config = Config::new().nfa_size_limit(Some(LARGEST)).onepass(false).hybrid_cache_capacity(LARGEST);
    let regex = Regex::builder().configure(config).syntax(syntax).build(source);
    regex.map_err(|_| {
        "is too large when compiled: use `[0-9]` for `\\d`, `[a-z]` for `\\w`, or repeat less".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> CustomPattern {
        CustomPattern {
            name: "ORDER_ID".into(),
            pattern: r"\bORD-[0-9]{8}\b".into(),
            kind: PiiKind::Custom,
            policy: None,
            near: Vec::new(),
            examples: vec!["where is ORD-12345678?".into()],
            counter_examples: vec!["ORD-1".into()],
        }
    }

    fn error(change: impl Fn(&mut CustomPattern)) -> String {
        let mut pattern = order();
        change(&mut pattern);
        compile(&[pattern]).err().expect("it is refused").to_string()
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place_and_the_fix() {
        let errors = [
            error(|p| p.pattern = "ORD-[0-9".into()),
            error(|p| p.pattern = "(?=ORD)".into()),
            error(|p| p.pattern = r"(\w)\1".into()),
            error(|p| p.pattern = "[0-9]*".into()),
            error(|p| p.pattern = "ORD-[0-9]+".into()),
            error(|p| p.pattern = r"\w{250}".into()),
            error(|p| p.pattern = "x".repeat(1001)),
            error(|p| p.name = "order id".into()),
            error(|p| p.examples.clear()),
            error(|p| p.examples.push("ORD-99".into())),
            error(|p| p.counter_examples.push("ORD-00000000".into())),
            error(|p| p.near.push(" ".into())),
            error(|p| (p.kind, p.policy) = (PiiKind::Secret, Some(Policy::Hash))),
        ];
        insta::assert_snapshot!(errors.join("\n"));
        assert!(compile(&[order(), order()]).is_err());
        assert!(compile(&vec![order(); MOST + 1]).is_err());
    }

    #[test]
    fn a_word_before_it_may_be_asked_for() {
        let mut source = order();
        source.pattern = "[0-9]{8}".into();
        source.near = vec!["Order".into()];
        source.examples = vec!["my ORDER number is 12345678".into()];
        source.counter_examples = vec!["invoice 12345678".into(), "order\n12345678".into()];
        assert!(compile(&[source]).is_ok());
    }

    #[test]
    fn many_matches_take_linear_time_even_if_a_longer_one_is_tried_each_time() {
        let mut source = order();
        source.pattern = "[a-y]{0,250}z|a".into();
        source.examples = vec!["a".into()];
        source.counter_examples.clear();
        let patterns = compile(&[source]).unwrap_or_else(|error| panic!("{error}"));
        let text = "a".repeat(200_000);
        let mut spans = Vec::new();
        patterns[0].find(&text, &mut spans);
        // Quadratic, this would be 20 billion steps, and the test would not end.
        assert_eq!(spans.len(), 200_000);
    }
}
