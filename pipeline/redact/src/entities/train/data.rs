//! Labelled text.

use serde_json::Value;

use super::super::token::Token;
use super::TrainError;

/// A text, its entities as byte ranges with kinds, and what other detectors cover.
#[derive(Clone, Default)]
pub(crate) struct Example {
    pub text: String,
    pub lang: String,
    pub entities: Vec<(u32, u32, u8)>,
    /// What may be an entity or none: teachers disagree.
    pub maybe: Vec<(u32, u32, u8)>,
    pub covered: Vec<(u32, u32)>,
    pub group: Option<u64>,
}

impl Example {
    /// The tag of each token.
    pub(crate) fn tags(&self, tokens: &[Token]) -> Vec<u8> {
        let mut tags = vec![0; tokens.len()];
        for &(start, end, kind) in &self.entities {
            let mut first = true;
            for (token, tag) in tokens.iter().zip(&mut tags) {
                if token.start >= start && token.end <= end && *tag == 0 {
                    *tag = 2 * kind + if first { 1 } else { 2 };
                    first = false;
                }
            }
        }
        tags
    }

    /// The tags that each token may have, as a bit each; `tags` are those of [`Self::tags`].
    pub(crate) fn allowed(&self, tokens: &[Token], tags: &[u8]) -> Vec<u16> {
        let mut allowed: Vec<u16> = tags.iter().map(|tag| 1 << tag).collect();
        for &(start, end, kind) in &self.maybe {
            let mut first = true;
            for (token, allowed) in tokens.iter().zip(&mut allowed) {
                if token.start >= start && token.end <= end && *allowed == 1 {
                    *allowed |= 1 << (2 * kind + if first { 1 } else { 2 });
                    first = false;
                }
            }
        }
        allowed
    }

    /// All ranges, to be moved when the text changes.
    pub(super) fn ranges(&mut self) -> impl Iterator<Item = (&mut u32, &mut u32)> {
        let entities = self.entities.iter_mut().chain(&mut self.maybe).map(|(start, end, _)| (start, end));
        entities.chain(self.covered.iter_mut().map(|(start, end)| (start, end)))
    }
}

/// The kind of a label, in the terms of the public sets.
fn kind(label: &str) -> Option<u8> {
    match label {
        "PERSON" | "person" => Some(0),
        "ORGANIZATION" | "corporation" | "group" => Some(1),
        "GPE" | "LOCATION" | "location" => Some(2),
        "STREET_ADDRESS" | "ADDRESS" | "ZIP_CODE" => Some(3),
        _ => None,
    }
}

/// Whether another detector finds it.
fn is_covered(label: &str) -> bool {
    matches!(label, "CREDIT_CARD" | "PHONE_NUMBER" | "EMAIL_ADDRESS" | "IBAN_CODE" | "US_SSN" | "IP_ADDRESS")
}

pub(super) fn read(name: &str, content: &str) -> Result<Vec<Example>, TrainError> {
    let mut examples = Vec::new();
    for (i, line) in content.lines().enumerate().filter(|line| !line.1.trim().is_empty()) {
        let bad = |reason: String| TrainError::Data { source_name: name.to_owned(), line: i + 1, reason };
        let row: Value = serde_json::from_str(line).map_err(|e| bad(e.to_string()))?;
        let text = row["text"].as_str().ok_or_else(|| bad("no `text`".into()))?.to_owned();
        let offsets: Vec<u32> = text.char_indices().map(|c| c.0 as u32).chain([text.len() as u32]).collect();
        let (mut entities, mut maybe, mut covered) = (Vec::new(), Vec::new(), Vec::new());
        for span in row["spans"].as_array().into_iter().flatten() {
            let at = |field: &str| {
                let index = span[field].as_u64().and_then(|i| usize::try_from(i).ok());
                index
                    .and_then(|i| offsets.get(i))
                    .copied()
                    .ok_or_else(|| bad(format!("`{field}` lies outside")))
            };
            let label = span["type"].as_str().unwrap_or_default();
            let (start, end) = (at("start")?, at("end")?);
            if let Some(kind) = kind(label) {
                let sure = span["maybe"].as_bool() != Some(true);
                (if sure { &mut entities } else { &mut maybe }).push((start, end, kind));
            } else if is_covered(label) {
                covered.push((start, end));
            }
        }
        covered.sort_unstable();
        let lang = row["lang"].as_str().unwrap_or_default().to_owned();
        examples.push(Example { text, lang, entities, maybe, covered, group: row["template_id"].as_u64() });
    }
    Ok(examples)
}
