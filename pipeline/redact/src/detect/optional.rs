//! Kinds that are looked for only if a policy asks for them: ages, dates, titles, nationalities and web addresses.
//!
//! By themselves they tell of nobody, and tickets are full of them ("since Tuesday", "version of 2024-03-01"), so that
//! masking them costs what a ticket says. Together with other things they may tell of somebody: then a policy names them.
//! Patterns are compiled only where they are wanted, and none of them matches more than a bounded number of bytes.

use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use super::names;
use crate::finding::{Detector, Span};
use crate::kind::PiiKind;
use crate::rules;

/// What matches is the first group, or all of it if there is none.
const PATTERNS: &[(Detector, &[&str])] = &[
    (
        names::AGE,
        &[
            r"\b([0-9]{1,3})[ -]?(?:years?|yrs?)[ -]?(?:old|of age|young)\b",
            r"\b([0-9]{1,3}) ?y[./]?o\b",
            r"\b(?:aged?|age:|age is|turn|turns|turned|turning) ([0-9]{1,3})\b",
            r"\b(?:i'?m|i am|he'?s|he is|she'?s|she is) ([0-9]{2})(?:[.,;!?]|\n|$| and\b)",
            r"\b([0-9]{1,3}) (?:jahre alt|años|ans|anos|anni|jaar oud)\b",
        ],
    ),
    (
        names::DATE_TIME,
        &[
            r"\b[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[ T][0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)?\b",
            r"\b[0-9]{1,2}[/.][0-9]{1,2}[/.](?:[0-9]{4}|[0-9]{2})\b",
            r"\b[0-9]{1,2}-[0-9]{1,2}-[0-9]{4}\b",
            r"\b(?:[0-9]{1,2}(?:st|nd|rd|th|\.)? (?:of |de )?)?(?:january|february|april|june|july|august|september|october|november|december|januar|februar|märz|mai|juni|juli|oktober|dezember|janvier|février|avril|juin|juillet|août|octobre|novembre|décembre|enero|febrero|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre|janeiro|fevereiro|março|maio|junho|julho|setembro|outubro|novembro|dezembro)(?: [0-9]{1,2}(?:st|nd|rd|th)?)?(?:,? (?:de )?[0-9]{4})?\b",
            r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b",
            r"\b(?:in|since|during|from|until|till|before|after|a|of|year) ((?:19|20)[0-9]{2})\b",
        ],
    ),
    (
        names::TITLE,
        &[
            r"\b((?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Herr|Frau|Señora?|Sra?|Monsieur|Madame|Mme|Dra?|Dott|Sig)\b\.?) \p{Lu}",
        ],
    ),
    (
        names::NATIONALITY,
        &[
            r"\b(?:afghan|albanian|algerian|american|argentin(?:e|ian)|armenian|australian|austrian|azerbaijani|bahraini|bangladeshi|belarusian|belgian|bolivian|bosnian|brazilian|british|bulgarian|cambodian|cameroonian|canadian|chilean|chinese|colombian|croatian|cuban|cypriot|czech|danish|dutch|ecuadorian|egyptian|english|estonian|ethiopian|filipino|finnish|french|georgian|german|ghanaian|greek|greenlandic|guatemalan|haitian|hungarian|icelandic|indian|indonesian|iranian|iraqi|irish|israeli|italian|ivorian|jamaican|japanese|jordanian|kazakh|kenyan|korean|kuwaiti|latvian|lebanese|liberian|libyan|lithuanian|macedonian|malaysian|maltese|mexican|moldovan|mongolian|moroccan|namibian|nepalese|new zealander|nicaraguan|nigerian|norwegian|pakistani|palestinian|panamanian|paraguayan|peruvian|polish|portuguese|qatari|romanian|russian|rwandan|salvadoran|saudi|scottish|senegalese|serbian|singaporean|slovak|slovakian|slovene|slovenian|somali|spanish|sri lankan|sudanese|swedish|swiss|syrian|taiwanese|tanzanian|thai|tunisian|turkish|ugandan|ukrainian|uruguayan|uzbek|venezuelan|vietnamese|welsh|yemeni|zambian|zimbabwean)s?\b",
        ],
    ),
    (names::URL, &[r#"\b((?:https?://|www\.)[^\s<>"'\[\](){}]{2,200}[^\s<>"'\[\](){}.,;:!?])"#]),
];

/// The patterns of the kinds that are wanted.
pub(crate) struct Optional {
    patterns: Vec<(Detector, Regex)>,
}

impl Optional {
    /// Nothing if none of the kinds is wanted.
    pub(crate) fn new(enabled: &[bool; PiiKind::ALL.len()]) -> Option<Self> {
        let wanted = PATTERNS.iter().filter(|(detector, _)| enabled[detector.kind().index()]);
        let compile = |source: &str, detector: Detector| {
            // A title is told from a word by its capital.
            let syntax = syntax::Config::new().case_insensitive(detector.kind() != PiiKind::Title);
            Regex::builder().syntax(syntax).build(source).expect("constant patterns compile: a test does it")
        };
        let patterns: Vec<_> = wanted
            .flat_map(|&(detector, sources)| {
                sources.iter().map(move |source| (detector, compile(source, detector)))
            })
            .collect();
        (!patterns.is_empty()).then_some(Self { patterns })
    }

    pub(crate) fn find(&self, text: &str, spans: &mut Vec<Span>) {
        for (detector, regex) in &self.patterns {
            let mut captures = regex.create_captures();
            let mut at = 0;
            while at <= text.len() {
                regex.search_captures(&regex_automata::Input::new(text).range(at..), &mut captures);
                let Some(whole) = captures.get_match() else { break };
                let found = captures.get_group(1).unwrap_or_else(|| whole.span());
                // What follows a value may be the beginning of the next.
                at = found.end.max(at + 1);
                if !rules::touches_mask(text.as_bytes(), found.start, found.end) {
                    spans.push(Span {
                        start: found.start as u32,
                        end: found.end as u32,
                        kind: detector.kind(),
                        detector: *detector,
                        score: 0.7,
                    });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{PiiKind, Policy, RedactConfig, Redacted, Redactor};

    fn redacted(text: &str) -> String {
        let optional = PiiKind::ALL.into_iter().filter(|kind| kind.is_optional());
        let policies = optional.map(|kind| (kind, Policy::Mask)).collect();
        let config = RedactConfig { policies, ..RedactConfig::structured() };
        let mut out = Redacted::default();
        Redactor::new(&config).unwrap().redact(text, &mut out);
        out.text
    }

    #[test]
    fn what_a_policy_asks_for_is_found_and_nothing_like_it() {
        let golden = [
            ("I'm 31 y/o, turned 60", "I'm [AGE] y/o, turned [AGE]"),
            ("a 21 year old man, 45 Jahre alt", "a [AGE] year old man, [AGE] Jahre alt"),
            ("I am 15 minutes late, page 12", "I am 15 minutes late, page 12"),
            ("On Tuesday, in 1977 or 2006-04-07 09:00:27", "On [DATE_TIME], in [DATE_TIME] or [DATE_TIME]"),
            (
                "the 3rd of March 2024, 12. März 1985, 2/8/1935",
                "the 3rd of March 2024, [DATE_TIME], [DATE_TIME]",
            ),
            ("Mr. Leiva and Dr Who", "[TITLE] Leiva and [TITLE] Who"),
            ("the mr. in small letters", "the mr. in small letters"),
            ("cambodian food, Slovenian wine", "[NATIONALITY] food, [NATIONALITY] wine"),
            ("see https://www.shop.example/a?b=1. Or www.x.example!", "see [URL]. Or [URL]!"),
        ];
        for (text, expected) in golden {
            assert_eq!(redacted(text), expected);
            assert_eq!(redacted(expected), expected);
        }
    }

    #[test]
    fn without_a_policy_nothing_of_it_is_looked_for() {
        let text = "Mr. Leiva is a 21 year old Slovenian, since Tuesday on https://x.example/";
        let mut out = Redacted::default();
        Redactor::new(&RedactConfig::structured()).unwrap().redact(text, &mut out);
        assert_eq!(out.text, text);
    }
}
