//! The label map: which labels there are, and what the fields of known data sets mean in them.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::TrainError;
use crate::model::Head;

/// A parsed and checked label map. The format is explained at the top of `model/label_map.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelMap {
    version: u32,
    #[serde(default)]
    notes: Vec<String>,
    #[serde(rename = "head")]
    heads: Vec<HeadSpec>,
    #[serde(rename = "source", default)]
    sources: Vec<Source>,
    #[serde(rename = "cue", default)]
    cues: Vec<Cue>,
}

/// A head and its label set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadSpec {
    /// Which head.
    pub name: Head,
    /// Its labels; in rising order if `ordered`.
    pub labels: Vec<String>,
    /// The label of a text without features.
    pub fallback: String,
    /// The abstain threshold is set so that answers on dev are right this often.
    pub answer_accuracy: f32,
    /// Whether the labels are levels.
    #[serde(default)]
    pub ordered: bool,
}

/// What a set may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Use {
    /// Weights that ship may be trained on it.
    Train,
    /// Only for measuring.
    Eval,
}

/// A known data set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name in reports.
    pub name: String,
    /// A file belongs to it if a folder of its path, or its name without ending, is this.
    path: String,
    /// What its licence allows.
    #[serde(rename = "use")]
    pub usage: Use,
    /// Licence, for the model card.
    pub licence: String,
    /// Citation, for the model card.
    pub cite: String,
    /// Where to get it, for the model card.
    pub url: String,
    /// Factor on the loss of its examples.
    #[serde(default = "one")]
    pub weight: f32,
    #[serde(default)]
    default: Labels,
    #[serde(default, rename = "rule")]
    rules: Vec<Rule>,
}

fn one() -> f32 {
    1.0
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    field: String,
    #[serde(default)]
    any: Vec<String>,
    #[serde(default)]
    all: Vec<String>,
    #[serde(default)]
    none: Vec<String>,
    /// Factor on the loss of the examples it matches.
    #[serde(default = "one")]
    weight: f32,
    set: Labels,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Accepted {
    One(String),
    Several(Vec<String>),
}

impl Accepted {
    fn names(&self) -> &[String] {
        match self {
            Accepted::One(name) => std::slice::from_ref(name),
            Accepted::Several(names) => names,
        }
    }
}

type Labels = std::collections::BTreeMap<Head, Accepted>;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cue {
    head: Head,
    at_least: Option<String>,
    at_most: Option<String>,
    phrases: Vec<String>,
}

/// The labels of one record by head: empty if unknown, several if any of them counts as right.
pub type Gold = [Vec<u16>; Head::ALL.len()];

impl LabelMap {
    /// Parses and checks a label map.
    ///
    /// # Errors
    /// `LabelMap` names what is wrong.
    pub fn parse(text: &str) -> Result<Self, TrainError> {
        let map: LabelMap = toml::from_str(text)
            .map_err(|error| TrainError::LabelMap(error.to_string().trim().to_owned()))?;
        map.check().map_err(TrainError::LabelMap)?;
        Ok(map)
    }

    fn check(&self) -> Result<(), String> {
        if self.version != 1 {
            return Err(format!("version {} is not known, expected 1", self.version));
        }
        if !self.heads.iter().map(|h| h.name).eq(Head::ALL) {
            return Err(format!(
                "there has to be one [[head]] each, in this order: {}",
                Head::ALL.map(Head::name).join(", ")
            ));
        }
        for head in &self.heads {
            let mut seen = std::collections::HashSet::new();
            if let Some(twice) = head.labels.iter().find(|l| !seen.insert(l.as_str())) {
                return Err(format!("head {} has the label {twice:?} twice", head.name.name()));
            }
            if head.labels.len() < 2 || !(0.0..=1.0).contains(&head.answer_accuracy) {
                return Err(format!(
                    "head {} needs two labels and an answer_accuracy of 0 to 1",
                    head.name.name()
                ));
            }
            self.index(head.name, &head.fallback)?;
        }
        for source in &self.sources {
            let sets = source.rules.iter().map(|r| &r.set).chain([&source.default]);
            for (head, accepted) in sets.flatten() {
                for name in accepted.names() {
                    self.index(*head, name).map_err(|e| format!("source {}: {e}", source.name))?;
                }
                if source.usage == Use::Train && matches!(accepted, Accepted::Several(_)) {
                    return Err(format!("source {}: only eval sources may list several labels", source.name));
                }
            }
        }
        for cue in &self.cues {
            if !self.head(cue.head).ordered {
                return Err(format!("a cue can't raise {}, which is not ordered", cue.head.name()));
            }
            for level in cue.at_least.iter().chain(&cue.at_most) {
                self.index(cue.head, level)?;
            }
        }
        Ok(())
    }

    fn index(&self, head: Head, label: &str) -> Result<u16, String> {
        let labels = &self.head(head).labels;
        let found = labels.iter().position(|l| l == label);
        found.map(|i| i as u16).ok_or_else(|| format!("head {} has no label {label:?}", head.name()))
    }

    /// A head's labels.
    #[must_use]
    pub fn head(&self, head: Head) -> &HeadSpec {
        &self.heads[head.index()]
    }

    /// What a model card has to say about labels made by this map.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The known sets.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The set a file belongs to.
    #[must_use]
    pub fn source_of(&self, path: &std::path::Path) -> Option<usize> {
        let stem = path.file_stem().map(std::ffi::OsStr::to_os_string);
        let folders = path.parent().into_iter().flat_map(|p| p.iter());
        let parts: Vec<_> = stem.iter().map(std::ffi::OsString::as_os_str).chain(folders).collect();
        self.sources.iter().position(|s| parts.iter().any(|p| *p == s.path.as_str()))
    }

    /// The labels of a record. `source` is what [`LabelMap::source_of`] said of its file, `tokens` the text's
    /// words as [`words`] cuts them.
    #[must_use]
    pub fn label(&self, source: Option<usize>, fields: &Map<String, Value>, tokens: &str) -> Gold {
        let source = source.map(|i| &self.sources[i]);
        Head::ALL.map(|head| {
            let own = fields.get(head.name()).and_then(Value::as_str);
            if let Some(Ok(label)) = own.map(|name| self.index(head, name)) {
                return vec![label];
            }
            let ruled = source.and_then(|s| {
                let matching = s.rules.iter().filter(|r| r.matches(fields));
                matching.map(|r| &r.set).chain([&s.default]).find_map(|set| set.get(&head))
            });
            let names = ruled.map_or(&[][..], Accepted::names);
            let mut labels: Vec<u16> = names.iter().filter_map(|n| self.index(head, n).ok()).collect();
            if let [label] = &mut labels[..]
                && source.is_none_or(|s| s.usage == Use::Train)
            {
                *label = self.cued(head, *label, tokens);
            }
            labels
        })
    }

    /// The factor on the loss of a record: that of its source times that of the first rule it matches.
    #[must_use]
    pub fn weight(&self, source: Option<usize>, fields: &Map<String, Value>) -> f32 {
        source
            .map(|i| &self.sources[i])
            .map_or(1.0, |s| s.weight * s.rules.iter().find(|r| r.matches(fields)).map_or(1.0, |r| r.weight))
    }

    fn cued(&self, head: Head, mut label: u16, tokens: &str) -> u16 {
        for cue in self.cues.iter().filter(|c| c.head == head) {
            if !cue.phrases.iter().any(|p| has_phrase(tokens, p)) {
                continue;
            }
            let level = |l: &Option<String>| l.as_ref().and_then(|l| self.index(head, l).ok());
            if let Some(least) = level(&cue.at_least) {
                label = label.max(least);
            }
            if let Some(most) = level(&cue.at_most) {
                label = label.min(most);
            }
        }
        label
    }
}

impl Rule {
    fn matches(&self, fields: &Map<String, Value>) -> bool {
        let values: Vec<&str> = match fields.get(&self.field) {
            Some(Value::String(s)) => vec![s],
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            _ => return false,
        };
        let has = |wanted: &String| values.contains(&wanted.as_str());
        (self.any.is_empty() || self.any.iter().any(has))
            && self.all.iter().all(has)
            && !self.none.iter().any(has)
    }
}

/// The words of a text: lower-case, folded, one space between, before the first and after the last.
#[must_use]
pub fn words(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(' ');
    for c in text.chars() {
        match crate::features::fold(c) {
            Some(folded) => out.push(folded),
            None if !out.ends_with(' ') => out.push(' '),
            None => {}
        }
    }
    if !out.ends_with(' ') {
        out.push(' ');
    }
    out
}

fn has_phrase(tokens: &str, phrase: &str) -> bool {
    let hit = |(at, found): (usize, &str)| {
        tokens[..at].ends_with(' ') && tokens[at + found.len()..].starts_with(' ')
    };
    tokens.match_indices(phrase).any(hit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> LabelMap {
        LabelMap::parse(crate::SHIPPED_LABEL_MAP).unwrap()
    }

    fn label(path: &str, record: &str) -> [Vec<String>; 4] {
        let map = shipped();
        let fields: Map<String, Value> = serde_json::from_str(record).unwrap();
        let text = fields.get("text").and_then(Value::as_str).unwrap_or("").to_owned();
        let gold = map.label(map.source_of(std::path::Path::new(path)), &fields, &words(&text));
        let mut i = 0;
        gold.map(|labels| {
            let names = &map.head(Head::ALL[i]).labels;
            i += 1;
            labels.iter().map(|&l| names[usize::from(l)].clone()).collect()
        })
    }

    #[test]
    fn rules_map_public_intents() {
        let [cause, urgency, sentiment, industry] =
            label("data/banking77/train.jsonl", r#"{"text":"where is my card","intent":"card_arrival"}"#);
        assert_eq!(
            (cause, urgency, sentiment, industry),
            (vec!["delivery".into()], vec!["normal".into()], vec![], vec!["finance".into()])
        );
        let [cause, ..] = label(
            "nlupp/banking.jsonl",
            r#"{"intents":["wrong_notworking_notshowing","card","transfer_payment_deposit"],"domain":"banking"}"#,
        );
        assert_eq!(cause, ["payment_failure"]);
    }

    #[test]
    fn cues_move_the_training_label_only() {
        let urgency = |path: &str, text: &str, fields: &str| {
            label(path, &format!(r#"{{"text":"{text}",{fields}}}"#))[1].clone()
        };
        let b77 = r#""intent":"card_arrival""#;
        assert_eq!(urgency("banking77.jsonl", "I need my card URGENTLY!", b77), ["high"]);
        assert_eq!(urgency("banking77.jsonl", "no rush, where is my card", b77), ["low"]);
        assert_eq!(urgency("banking77.jsonl", "the insurgents", b77), ["normal"], "whole words only");
        assert_eq!(urgency("softoft_tickets/v3.jsonl", "urgent", r#""priority":"low""#), ["low"]);
    }

    #[test]
    fn own_data_needs_no_source() {
        let [cause, .., industry] =
            label("tickets.jsonl", r#"{"text":"x","root_cause":"refund","industry":"nonsense"}"#);
        assert_eq!((cause, industry), (vec!["refund".into()], vec![]));
    }

    #[test]
    fn a_wrong_map_is_refused_by_name() {
        let text = crate::SHIPPED_LABEL_MAP;
        for (from, to, message) in [
            ("\"refund\",  ", "\"billing\",", "\"billing\" twice"),
            ("root_cause = \"delivery\"", "root_cause = \"deliverance\"", "no label \"deliverance\""),
            ("version = 1", "version = 2", "version 2"),
            ("name = \"urgency\"", "name = \"sentiment\"", "in this order"),
            ("answer_accuracy", "accuracy", "accuracy"),
        ] {
            assert!(text.contains(from), "{from}");
            let error = LabelMap::parse(&text.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
