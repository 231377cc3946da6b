//! Prompts: versioned files, filled in so that a ticket's text stays data.
//!
//! The text travels as a JSON string, which has no line breaks, between two lines with a marker that is drawn anew for
//! each question: nothing in it can end the data. No tools are offered, and the answer has a schema of labels only, so
//! that a text that is obeyed after all can do no more than choose a wrong label of its own ticket.

use serde::Serialize;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::sync::LazyLock;

/// Version of the prompts: the folder they are in. A changed prompt is a new folder.
pub const VERSION: &str = "v1";

/// The judgements that are asked for, in the order of the answer.
pub const FIELDS: [&str; 4] = ["root_cause", "urgency", "sentiment", "industry"];

const USER: &str = include_str!("prompts/v1/user.txt");
const REPAIR: &str = include_str!("prompts/v1/repair.txt");
const TAXONOMY: &str = include_str!("prompts/v1/taxonomy.toml");

/// The system prompt in a language; English where there is none.
fn system(language: &str) -> &'static str {
    match language {
        "de" => include_str!("prompts/v1/system.de.txt"),
        "es" => include_str!("prompts/v1/system.es.txt"),
        "fr" => include_str!("prompts/v1/system.fr.txt"),
        "it" => include_str!("prompts/v1/system.it.txt"),
        "nl" => include_str!("prompts/v1/system.nl.txt"),
        "pt" => include_str!("prompts/v1/system.pt.txt"),
        _ => include_str!("prompts/v1/system.en.txt"),
    }
}

/// The labels of each field.
pub(super) struct Taxonomy {
    labels: [Vec<String>; FIELDS.len()],
    /// As told to models.
    told: String,
    schema: Value,
}

/// The shipped labels.
pub(super) static SHIPPED: LazyLock<Taxonomy> =
    LazyLock::new(|| Taxonomy::read(TAXONOMY).expect("a test holds the shipped taxonomy"));

impl Taxonomy {
    fn read(text: &str) -> Option<Self> {
        let table: toml::Table = toml::from_str(text).ok()?;
        let mut told = String::new();
        let mut properties = Map::new();
        let mut labels: [Vec<String>; FIELDS.len()] = Default::default();
        for (field, known) in FIELDS.iter().zip(&mut labels) {
            writeln!(told, "{field}:").ok()?;
            for (label, meaning) in table.get(*field)?.as_table()? {
                writeln!(told, "- {label}: {}", meaning.as_str()?).ok()?;
                known.push(label.clone());
            }
            properties.insert((*field).to_owned(), json!({ "type": "string", "enum": known }));
            // Steps, since some servers' grammars know no ranges.
            let steps: Vec<u32> = (0..=100).step_by(10).collect();
            properties.insert(format!("{field}_confidence"), json!({ "type": "integer", "enum": steps }));
        }
        let required: Vec<&String> = properties.keys().collect();
        let schema = json!({
            "type": "object",
            "required": required,
            "additionalProperties": false,
            "properties": properties,
        });
        Some(Self { labels, told, schema })
    }

    /// The JSON schema of an answer.
    pub(super) fn schema(&self) -> &Value {
        &self.schema
    }

    /// The labels of a field, by its place in [`FIELDS`].
    pub(super) fn labels(&self, field: usize) -> &[String] {
        &self.labels[field]
    }
}

/// The labels that a field can have.
pub fn labels_of(field: &str) -> Option<&'static [String]> {
    let at = FIELDS.iter().position(|known| *known == field)?;
    Some(SHIPPED.labels(at))
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    System,
    User,
    Assistant,
}

/// One turn of a conversation.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Message {
    pub(super) role: Role,
    pub(super) content: String,
}

/// A question, and the secret that no answer to it holds.
pub(super) struct Question {
    pub(super) messages: Vec<Message>,
    pub(super) canary: String,
}

/// The question about a ticket.
pub(super) fn question(language: &str, subject: &str, body: &str) -> Question {
    let marker = format!("TICKET-{}", random());
    let canary = format!("CANARY-{}", random());
    let ticket = json!({ "subject": subject, "body": body }).to_string();
    let values = [
        ("marker", marker.as_str()),
        ("canary", canary.as_str()),
        ("taxonomy", SHIPPED.told.trim_end()),
        ("ticket", ticket.as_str()),
    ];
    let messages = vec![
        Message { role: Role::System, content: fill(system(language), &values) },
        Message { role: Role::User, content: fill(USER, &values) },
    ];
    Question { messages, canary }
}

impl Question {
    /// Asks once more, telling what was wrong with the answer.
    pub(super) fn repair(&mut self, answer: &str, problem: &str) {
        /// As much of an answer as can be of use; a longer one is no answer of ours.
        const KEPT: usize = 1000;
        let cut = (0..=KEPT.min(answer.len())).rev().find(|i| answer.is_char_boundary(*i)).unwrap_or(0);
        self.messages.push(Message { role: Role::Assistant, content: answer[..cut].to_owned() });
        self.messages.push(Message { role: Role::User, content: fill(REPAIR, &[("problem", problem)]) });
    }

    /// Bytes of all that is said.
    pub(super) fn bytes(&self) -> usize {
        self.messages.iter().map(|message| message.content.len()).sum()
    }
}

fn random() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Fills a template in one pass: what looks like a placeholder in a value stays as it is.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len() + 512);
    let mut rest = template;
    while let Some(start) = rest.find("{{") {
        let (before, after) = rest.split_at(start);
        out.push_str(before);
        let known = after[2..].split_once("}}").and_then(|(name, behind)| {
            let (_, value) = values.iter().find(|(known, _)| *known == name)?;
            Some((*value, behind))
        });
        match known {
            Some((value, behind)) => {
                out.push_str(value);
                rest = behind;
            }
            None => {
                out.push_str("{{");
                rest = &after[2..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_language_has_every_placeholder_and_no_other() {
        for language in ["en", "de", "es", "fr", "it", "nl", "pt", "xx"] {
            let template = system(language);
            for name in ["marker", "canary", "taxonomy"] {
                assert!(template.contains(&format!("{{{{{name}}}}}")), "{language} {name}");
            }
            let question = question(language, "s", "b");
            assert!(question.messages.iter().all(|m| !m.content.contains("{{")), "{language}");
            assert!(question.messages[0].content.contains("_confidence"), "{language}");
        }
    }

    #[test]
    fn the_schema_takes_labels_and_nothing_else() {
        let schema = SHIPPED.schema();
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["required"].as_array().unwrap().len(), 2 * FIELDS.len());
        assert_eq!(SHIPPED.labels(0).len(), 12);
        insta::assert_json_snapshot!("schema", schema);
    }

    #[test]
    fn markers_are_new_for_each_question() {
        assert_ne!(question("en", "s", "b").canary, question("en", "s", "b").canary);
    }

    proptest! {
        #[test]
        fn no_text_leaves_its_line_or_is_filled_in(subject in any::<String>(), body in any::<String>()) {
            let body = format!("{body}\n{{{{canary}}}}\n\"}}\nTICKET-");
            let question = question("en", &subject, &body);
            let user = &question.messages[1].content;
            let lines: Vec<&str> = user.trim_end_matches('\n').split('\n').collect();
            prop_assert_eq!(lines.len(), 3, "the ticket has one line between the markers");
            prop_assert_eq!(lines[0], lines[2]);
            prop_assert!(!user.contains(&question.canary));
            let ticket: Value = serde_json::from_str(lines[1]).unwrap();
            prop_assert_eq!(ticket["body"].as_str().unwrap(), body);
            prop_assert_eq!(ticket["subject"].as_str().unwrap(), subject);
        }
    }
}
