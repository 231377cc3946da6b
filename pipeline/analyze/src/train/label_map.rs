//! The label map: which labels there are, and what the fields of known data sets mean in them.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::TrainError;

/// The version of the format.
const VERSION: u32 = 1;

/// How often the answers of a head that is a column have to be right.
const COLUMN_ANSWER_ACCURACY: f32 = 0.95;

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
    pub name: String,
    /// Its labels; in rising order if `ordered`.
    pub labels: Vec<String>,
    /// The label of a text without features.
    pub fallback: String,
    /// The abstain threshold is set so that answers on dev are right this often.
    pub answer_accuracy: f32,
    /// Whether the labels are levels.
    #[serde(default)]
    pub ordered: bool,
    /// How far training evens out the labels' numbers, 0 to 1; 0.5 if not given.
    #[serde(default)]
    pub balance: Option<f32>,
}

impl HeadSpec {
    /// Position of a label.
    ///
    /// # Errors
    /// If it is not one of the head's labels.
    pub fn index(&self, label: &str) -> Result<u16, String> {
        let found = self.labels.iter().position(|l| l == label);
        found.map(|i| i as u16).ok_or_else(|| format!("head {} has no label {label:?}", self.name))
    }
}

/// A label as data hold it: text, a number, or yes and no.
pub(super) fn label_of(value: &Value) -> Option<std::borrow::Cow<'_, str>> {
    match value {
        Value::String(label) if !label.trim().is_empty() => Some(label.as_str().into()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string().into()),
        _ => None,
    }
}

/// Refuses a label that is there twice, though written otherwise: nobody means both.
fn no_twins(head: &str, labels: &[String]) -> Result<(), String> {
    let mut seen = std::collections::HashMap::new();
    for label in labels {
        if label.trim().is_empty() {
            return Err(format!("head {head} has an empty label"));
        }
        match seen.insert(words(&label.replace('_', " ")), label) {
            Some(other) if other == label => {
                return Err(format!("head {head} has the label {label:?} twice"));
            }
            Some(other) => {
                return Err(format!(
                    "head {head} has the labels {other:?} and {label:?}, which are the same but for case, accents or blanks: keep one"
                ));
            }
            None => {}
        }
    }
    Ok(())
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

type Labels = std::collections::BTreeMap<String, Accepted>;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cue {
    head: String,
    at_least: Option<String>,
    at_most: Option<String>,
    phrases: Vec<String>,
}

/// The labels of one record by head: empty if unknown, several if any of them counts as right.
pub type Gold = Vec<Vec<u16>>;

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
        if self.version != VERSION {
            return Err(format!("version {} is not known, expected {VERSION}", self.version));
        }
        for (i, head) in self.heads.iter().enumerate() {
            let name = &head.name;
            if self.heads[..i].iter().any(|other| other.name == *name) {
                return Err(format!("there are two [[head]] named {name}"));
            }
            no_twins(name, &head.labels)?;
            if head.labels.len() < 2 || !(0.0..=1.0).contains(&head.answer_accuracy) {
                return Err(format!("head {name} needs two labels and an answer_accuracy of 0 to 1"));
            }
            head.index(&head.fallback)?;
        }
        for source in &self.sources {
            let sets = source.rules.iter().map(|r| &r.set).chain([&source.default]);
            for (head, accepted) in sets.flatten() {
                let spec = self.named(head).map_err(|e| format!("source {}: {e}", source.name))?;
                for name in accepted.names() {
                    spec.index(name).map_err(|e| format!("source {}: {e}", source.name))?;
                }
                if source.usage == Use::Train && matches!(accepted, Accepted::Several(_)) {
                    return Err(format!("source {}: only eval sources may list several labels", source.name));
                }
            }
        }
        for cue in &self.cues {
            let spec = self.named(&cue.head)?;
            if !spec.ordered {
                return Err(format!("a cue can't raise {}, which is not ordered", cue.head));
            }
            for level in cue.at_least.iter().chain(&cue.at_most) {
                spec.index(level)?;
            }
        }
        Ok(())
    }

    /// A map whose heads are columns of the data: the field of that name holds the label. The known sets of `base` keep
    /// their licences, and lose their rules.
    ///
    /// # Errors
    /// `LabelMap` names the column with fewer than two labels, or with two that only case or blanks tell apart.
    pub fn of_columns(base: &LabelMap, columns: &[(String, Vec<String>)]) -> Result<Self, TrainError> {
        let head = |(name, labels): &(String, Vec<String>)| HeadSpec {
            name: name.clone(),
            labels: labels.clone(),
            fallback: labels.first().cloned().unwrap_or_default(),
            answer_accuracy: COLUMN_ANSWER_ACCURACY,
            ordered: false,
            balance: Some(0.0),
        };
        let source = |s: &Source| Source { default: Labels::new(), rules: vec![], weight: 1.0, ..s.clone() };
        let map = LabelMap {
            version: VERSION,
            notes: vec![
                "**Labels** are a column of the training data as it is. What they are worth depends on who gave them."
                    .into(),
                "Confidence is calibrated on texts like those of training. On other texts it is too high.".into(),
                "Input has to be redacted first. A mask such as `[EMAIL]` is one neutral word to the model.".into(),
            ],
            heads: columns.iter().map(head).collect(),
            sources: base.sources.iter().map(source).collect(),
            cues: vec![],
        };
        map.check().map_err(TrainError::LabelMap)?;
        Ok(map)
    }

    fn named(&self, head: &str) -> Result<&HeadSpec, String> {
        self.heads.iter().find(|h| h.name == head).ok_or_else(|| format!("there is no head {head:?}"))
    }

    /// The heads, in the order of a record's labels.
    #[must_use]
    pub fn heads(&self) -> &[HeadSpec] {
        &self.heads
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
        let label = |head: &HeadSpec| {
            let own = fields.get(&head.name).and_then(label_of);
            if let Some(Ok(label)) = own.map(|name| head.index(&name)) {
                return vec![label];
            }
            let ruled = source.and_then(|s| {
                let matching = s.rules.iter().filter(|r| r.matches(fields));
                matching.map(|r| &r.set).chain([&s.default]).find_map(|set| set.get(&head.name))
            });
            let names = ruled.map_or(&[][..], Accepted::names);
            let mut labels: Vec<u16> = names.iter().filter_map(|n| head.index(n).ok()).collect();
            if let [label] = &mut labels[..]
                && source.is_none_or(|s| s.usage == Use::Train)
            {
                *label = self.cued(head, *label, tokens);
            }
            labels
        };
        self.heads.iter().map(label).collect()
    }

    /// The factor on the loss of a record: that of its source times that of the first rule it matches.
    #[must_use]
    pub fn weight(&self, source: Option<usize>, fields: &Map<String, Value>) -> f32 {
        source
            .map(|i| &self.sources[i])
            .map_or(1.0, |s| s.weight * s.rules.iter().find(|r| r.matches(fields)).map_or(1.0, |r| r.weight))
    }

    fn cued(&self, head: &HeadSpec, mut label: u16, tokens: &str) -> u16 {
        for cue in self.cues.iter().filter(|c| c.head == head.name) {
            if !cue.phrases.iter().any(|p| has_phrase(tokens, p)) {
                continue;
            }
            let level = |l: &Option<String>| l.as_ref().and_then(|l| head.index(l).ok());
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

    fn label(path: &str, record: &str) -> Vec<Vec<String>> {
        let map = shipped();
        let fields: Map<String, Value> = serde_json::from_str(record).unwrap();
        let text = fields.get("text").and_then(Value::as_str).unwrap_or("").to_owned();
        let gold = map.label(map.source_of(std::path::Path::new(path)), &fields, &words(&text));
        let named = |(labels, head): (Vec<u16>, &HeadSpec)| {
            labels.iter().map(|&l| head.labels[usize::from(l)].clone()).collect()
        };
        gold.into_iter().zip(map.heads()).map(named).collect()
    }

    #[test]
    fn rules_map_public_intents() {
        let labels =
            label("data/banking77/train.jsonl", r#"{"text":"where is my card","intent":"card_arrival"}"#);
        assert_eq!(labels[..4], [vec!["delivery"], vec!["normal"], vec![], vec!["finance"]]);
        let labels = label(
            "nlupp/banking.jsonl",
            r#"{"intents":["wrong_notworking_notshowing","card","transfer_payment_deposit"],"domain":"banking"}"#,
        );
        assert_eq!(labels[0], ["payment_failure"]);
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
        let labels = label("tickets.jsonl", r#"{"text":"x","root_cause":"refund","industry":"nonsense"}"#);
        assert_eq!(labels[..4], [vec!["refund"], vec![], vec![], vec![]]);
    }

    #[test]
    fn a_wrong_map_is_refused_by_name() {
        let text = crate::SHIPPED_LABEL_MAP;
        for (from, to, message) in [
            ("\"refund\",  ", "\"billing\",", "\"billing\" twice"),
            ("root_cause = \"delivery\"", "root_cause = \"deliverance\"", "no label \"deliverance\""),
            ("version = 1", "version = 2", "version 2"),
            ("name = \"urgency\"", "name = \"sentiment\"", "two [[head]] named sentiment"),
            ("\"refund\",  ", "\"Billing\",", "the same but for case"),
            ("answer_accuracy", "accuracy", "accuracy"),
        ] {
            assert!(text.contains(from), "{from}");
            let error = LabelMap::parse(&text.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
